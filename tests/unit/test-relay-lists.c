/* SPDX-License-Identifier: Apache-2.0 */
/* plugins/relay, its policy: the relays of the options, the node and the source, and which of them
 * is picked. */
#include "relay-policy-rig.h"

#include "util/util.h"

/* ---- which relay ---- */

static void test_measured_times_and_hysteresis(void **state)
{
    struct mock mock;
    struct pd_relay_report told;
    size_t picks = 0;

    begin(&mock, OPTIONS);
    mock_signal(&mock, "rtts", 1, "name=c rtt_ns=100000001 name=b rtt_ns=50000000 name=a error=no");
    assert_true(told_of(&mock, 1, &told));
    assert_true(told.pick);
    assert_int_equal(told.rtt_ns, 50000000);
    assert_string_equal(told.why, "the fastest; the key's pick takes more than twice as long");
    assert_true(told_of(&mock, 0, &told));
    assert_string_equal(told.error, "no");
    assert_true(told.rtt_ns == PD_UNKNOWN);
    assert_true(told.probed_us == mock.turn.now_us);
    for (int i = 0; i < 20; i++) {
        mock_signal(&mock, "rtts", 0,
                    i % 2 ? "name=c rtt_ns=100000001 name=b rtt_ns=50000000"
                          : "name=c rtt_ns=99000000 name=b rtt_ns=50000000");
        assert_true(told_of(&mock, 1, &told));
        picks += told.pick;
    }
    assert_int_equal(picks, 20); /* not once another one */
    mock_signal(&mock, "rtts", 0, "name=c rtt_ns=60000000 name=b rtt_ns=50000000");
    assert_true(told_of(&mock, 2, &told));
    assert_true(told.pick);
    mock_stop(&mock);
}

static void test_list_of_the_node_and_its_key(void **state)
{
    static const uint8_t key[] = {'a', 'l', 'p', 'h', 'a'};
    const struct pd_relay list[] = {{"n1", "10.0.0.1:1", "reg-ack"},
                                    {"n2", "10.0.0.2:2", "pilot"},
                                    {"n3", "10.0.0.3:3", "reg-ack"},
                                    {"n4", "10.0.0.4:4", "reg-ack"}};
    struct pd_relay_report told;
    struct mock mock;

    begin(&mock, NULL);
    mock_clear(&mock);
    mock_relays(&mock, &(struct pd_relays){true, true, list, 4, key, sizeof(key)});
    assert_string_equal(last_query(&mock)->fields,
                        "ask=probe relay=n1=10.0.0.1:1 reg-ack relay=n2=10.0.0.2:2 pilot "
                        "relay=n3=10.0.0.3:3 reg-ack relay=n4=10.0.0.4:4 reg-ack");
    assert_true(told_of(&mock, 3, &told));
    assert_true(told.pick); /* d:4 of the vectors */
    assert_string_equal(told.from, "node");
    assert_string_equal(told.relay.name, "n4");
    mock_clear(&mock);
    mock_relays(&mock, &(struct pd_relays){true, true, list, 4, key, sizeof(key)});
    assert_int_equal(mock.n_queries, 0); /* the same list is not probed anew */
    mock_relays(&mock, &(struct pd_relays){true, true, list, 0, NULL, 0});
    assert_string_equal(last_query(&mock)->fields, "ask=probe");
    assert_false(told_of(&mock, 0, &told));
    mock_stop(&mock);
}

static void test_list_of_the_file_is_filtered_and_says_so(void **state)
{
    struct pd_relay_report told;
    struct mock mock;

    begin(&mock, "relays=own=10.0.0.1:1");
    mock_signal(&mock, "list", 0,
                "from=file relay=f=203.0.113.1:1 relay=private=192.168.0.1:1 relay=rubbish "
                "relay=own=203.0.113.9:1");
    assert_true(told_of(&mock, 0, &told));
    assert_string_equal(told.relay.name, "own");
    assert_string_equal(told.from, "config");
    assert_true(told_of(&mock, 1, &told));
    assert_string_equal(told.from, "file");
    assert_null(told.left_out);
    assert_true(told_of(&mock, 2, &told));
    assert_string_equal(told.relay.name, "private");
    assert_string_equal(told.left_out, "private address");
    assert_false(told_of(&mock, 3, &told));
    assert_true(noticed(&mock, "relay-left-out"));
    mock_signal(&mock, "list", 0, "from=cache age_us=5 relay=g=203.0.113.2:1");
    assert_true(told_of(&mock, 1, &told));
    assert_string_equal(told.from, "cache");
    mock_stop(&mock);
}

/* The longest names and addresses, and more of them than one notice names. */
static void test_left_out_with_long_names(void **state)
{
    char fields[1400] = "from=file";
    struct mock mock;
    size_t used = strlen(fields);

    begin(&mock, "relays=own=10.0.0.1:1");
    for (unsigned i = 0; i < 6; i++)
        used += (size_t)snprintf(fields + used, sizeof(fields) - used,
                                 " relay=%u%0100u=[fe80:1111:2222:3333:4444:5555:6666:7777%%"
                                 "abcdefghijklmno]:65535",
                                 i, 0u);
    mock_signal(&mock, "list", 0, fields);
    assert_true(noticed(&mock, "relay-left-out"));
    assert_non_null(strstr(mock.notices[mock.n_notices - 1].text, "; and 2 more"));
    mock_stop(&mock);
}

/* ---- what the options say; rubbish ---- */

static void test_bad_options(void **state)
{
    static const struct {
        const char *options, *words;
    } rows[] = {
        {"relays=a", "relays: a: there is no ="},
        {"relays=a=1.2.3.4", "relays: a=1.2.3.4: not an IP address and port"},
        {"relays=direct=1.2.3.4:5", "relays: direct=1.2.3.4:5: \"direct\" is no relay's name"},
        {"relays=a=1.2.3.4:5+a=1.2.3.4:6", "relays: a=1.2.3.4:6: a relay of that name"},
        {"relays=a=1.2.3.4:5,odd", "relays: a=1.2.3.4:5,odd: what it speaks is not known"},
        {"relays=a=0.0.0.0:5", "relays: a=0.0.0.0:5: the address is unspecified"},
        {"relays=a=1.2.3.4:0", "relays: a=1.2.3.4:0: the port is 0"},
        {"speaks=masque", "speaks: allowed are reg-ack and pilot"},
        {"key=abc", "key: not an even number of hexadecimal digits"},
        {"key=zz", "key: not an even number of hexadecimal digits"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct mock mock = {0};

        assert_int_equal(mock_start(&mock, &pathdog_trigger_relay, rows[i].options), -22);
        assert_int_equal(mock.n_notices, 1);
        assert_string_equal(mock.notices[0].what, "bad-option");
        if (strncmp(mock.notices[0].text, rows[i].words, strlen(rows[i].words)) != 0)
            fail_msg("%s: %s", rows[i].options, mock.notices[0].text);
        mock_stop(&mock);
    }
}

static void test_speaks(void **state)
{
    struct mock mock;

    begin(&mock, "speaks=pilot relays=a=192.0.2.1:1+b=192.0.2.2:1,reg-ack+c=192.0.2.3:1,pilot");
    assert_string_equal(mock.queries[0].fields,
                        "ask=probe relay=a=192.0.2.1:1 pilot relay=b=192.0.2.2:1 reg-ack "
                        "relay=c=192.0.2.3:1 pilot");
    mock_stop(&mock);
}

/* Signals of a recording that somebody has edited. */
static void test_rubbish_signals(void **state)
{
    static const struct pd_field fields[] = {
        {"name", NULL, 5},
        {"rtt_ns", "soon", 0},
        {"name", "a", 0},
        {"rtt_ns", "soon", 0},
        {"error", NULL, 5},
        {"name", "nobody", 0},
        {"rtt_ns", NULL, 5},
        {"relay", NULL, 5},
        {"relay", "direct=1.2.3.4:5", 0},
        {"from", NULL, 1},
        {"relay", "a=192.0.2.1:1", 0},
        {"relay", "a=192.0.2.9:1", 0},
        {"peer", "x", 0},
    };
    static const char *const kinds[] = {"list", "rtts", "direct", "other"};
    struct mock mock;

    begin(&mock, OPTIONS);
    add_relayed(&mock, "bravo", "b");
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        mock_signal_fields(&mock, &(struct pd_signal){kinds[i], 0, fields, ARRAY_SIZE(fields)});
    assert_int_equal(mock.n_advice, 0);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_measured_times_and_hysteresis),
        cmocka_unit_test(test_list_of_the_node_and_its_key),
        cmocka_unit_test(test_list_of_the_file_is_filtered_and_says_so),
        cmocka_unit_test(test_left_out_with_long_names),
        cmocka_unit_test(test_bad_options),
        cmocka_unit_test(test_speaks),
        cmocka_unit_test(test_rubbish_signals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
