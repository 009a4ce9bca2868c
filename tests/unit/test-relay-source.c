/* SPDX-License-Identifier: Apache-2.0 */
/* plugins/relay/source.c: from the options and the queries to the signals. */
#include "relay-rig.h"

#include "relay/options.h"

#include "util/util.h"

#include <errno.h>
#include <sys/socket.h>

#define N_OPTIONS (RELAY_OPTION_DIRECT_EVERY + 1)

extern const struct pd_source pathdog_source;

struct lab {
    struct rig *rig;
    struct pd_value values[N_OPTIONS];
    void *source;
    char list[128], cache[128];
};

static int begin(void **state)
{
    struct lab *lab = memory_new(1, sizeof(*lab));

    lab->rig = rig_new();
    lab->values[RELAY_OPTION_SPEAKS] = (struct pd_value){.text = "pilot", .given = true};
    lab->values[RELAY_OPTION_REFRESH] = (struct pd_value){.number = 300000, .given = true};
    lab->values[RELAY_OPTION_PROBE] = (struct pd_value){.number = 1, .given = true};
    lab->values[RELAY_OPTION_DIRECT_PROBE] = (struct pd_value){.number = 1, .given = true};
    lab->values[RELAY_OPTION_CACHE_FILE] =
        (struct pd_value){.text = rig_path_in(lab->rig, "cache", lab->cache), .given = true};
    rig_path_in(lab->rig, "relays", lab->list);
    *state = lab;
    return 0;
}

static int end(void **state)
{
    struct lab *lab = *state;

    pathdog_source.stop(lab->source);
    rig_free(lab->rig);
    free(lab);
    return 0;
}

static void start(struct lab *lab)
{
    const struct pd_start options = {.instance = "relay", .values = lab->values};

    assert_int_equal(pathdog_source.start(&lab->rig->host, &options, &lab->source), 0);
}

static void test_a_list_and_its_rtts(void **state)
{
    struct lab *lab = *state;
    struct answerer relay = {.answer = answer_discover};
    char text[128], wanted[160];
    const char *relays[1] = {text};
    struct rig_query query;

    answerer_begin(lab->rig, &relay, AF_INET);
    snprintf(text, sizeof(text), "eu=%s\n", relay.text);
    rig_write(lab->rig, "relays", text);
    lab->values[RELAY_OPTION_LIST_FILE] = (struct pd_value){.text = lab->list, .given = true};
    start(lab);
    rig_wait_signals(lab->rig, 1);
    snprintf(wanted, sizeof(wanted), "list#0 from=file;relay=eu=%s pilot;", relay.text);
    assert_string_equal(lab->rig->signals[0], wanted);
    snprintf(text, sizeof(text), "eu=%s pilot", relay.text);
    rig_query_probe(&query, 12, relays, 1);
    assert_int_equal(pathdog_source.query(lab->source, &query.query), 0);
    rig_wait_signals(lab->rig, 3);
    assert_memory_equal(lab->rig->signals[1], "rtts#12 name=eu;rtt_ns=", 23);
    assert_memory_equal(lab->rig->signals[2], "rtts#0 name=eu;rtt_ns=", 22);
    assert_int_equal(lab->rig->n_notices, 0);
    answerer_end(&relay);
}

static void test_no_list_file(void **state)
{
    struct lab *lab = *state;

    start(lab);
    rig_run(lab->rig, 50000);
    assert_int_equal(lab->rig->n_signals + lab->rig->n_notices, 0);
}

static void test_what_is_no_query(void **state)
{
    static const struct pd_field fields[][1] = {
        {{"ask", "dance", 0}}, {{"ask", NULL, 7}}, {{"relay", "probe", 0}}};
    struct lab *lab = *state;

    start(lab);
    for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
        assert_int_equal(pathdog_source.query(lab->source, &(struct pd_query){i + 1, fields[i], 1}),
                         -EINVAL);
    assert_int_equal(pathdog_source.query(lab->source, &(struct pd_query){9, NULL, 0}), -EINVAL);
}

static void test_the_direct_way(void **state)
{
    static const struct pd_field fields[] = {
        {"ask", "direct", 0}, {"peer", NULL, 1}, {"conn", NULL, 2}, {"address", "nowhere", 0}};
    struct lab *lab = *state;

    start(lab);
    assert_int_equal(
        pathdog_source.query(lab->source, &(struct pd_query){3, fields, ARRAY_SIZE(fields)}), 0);
    assert_string_equal(lab->rig->signals[0],
                        "direct#3 peer=1;conn=2;error=no IP address and port;");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_a_list_and_its_rtts, begin, end),
        cmocka_unit_test_setup_teardown(test_no_list_file, begin, end),
        cmocka_unit_test_setup_teardown(test_what_is_no_query, begin, end),
        cmocka_unit_test_setup_teardown(test_the_direct_way, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
