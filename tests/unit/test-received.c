/* SPDX-License-Identifier: Apache-2.0 */
/* node/received.c and decode.[ch]: notifications and answers of moves → events. */
#include "protocol-rig.h"

/* ---- notifications ---- */

static void test_peers(void **state)
{
    line("{\"jsonrpc\":\"2.0\",\"method\":\"peer_up\",\"params\":{\"peer\":\"bravo@10.0.0.2\","
         "\"conn\":9007199254740991,\"role\":\"server\",\"local\":\"10.0.0.1:9100\","
         "\"remote\":\"[2001:DB8::1]:443\",\"via\":\"direct\",\"migratable\":false,"
         "\"reconnectable\":false}}");
    expect("\"peer_up\",\"peer\":\"bravo@10.0.0.2\",\"conn\":9007199254740991,\"role\":\"server\","
           "\"local\":\"10.0.0.1:9100\",\"remote\":\"[2001:db8::1]:443\",\"via\":\"direct\","
           "\"migratable\":false,\"reconnectable\":false\n");
    line("{\"jsonrpc\":\"2.0\",\"method\":\"peer_path\",\"params\":{\"conn\":17,\"local\":"
         "\"[::ffff:192.0.2.1]:5\",\"via\":\"r1\"}}");
    expect("\"peer_path\",\"conn\":17,\"local\":\"192.0.2.1:5\",\"via\":\"r1\"\n");
    line("{\"jsonrpc\":\"2.0\",\"method\":\"peer_down\",\"params\":{\"conn\":17,"
         "\"reason\":\"idle_timeout\"}}");
    expect("\"peer_down\",\"conn\":17,\"reason\":\"idle_timeout\"\n");
    line("{\"jsonrpc\":\"2.0\",\"method\":\"peer_down\",\"params\":{\"conn\":17}}");
    expect("\"peer_down\",\"conn\":17\n");
}

static void test_interfaces(void **state)
{
    static const struct {
        const char *told, *counts_as;
    } cases[] = {
        {"\"up1\"", ",\"interface\":\"up1\""},
        {"\"enp3s0f1np1.100\"", ",\"interface\":\"enp3s0f1np1.100\""},
        {"null", ""},
        {"\"\"", ""},
        {"\"enp3s0f1np1.1000\"", ""}, /* no interface has so long a name */
        {"\"up 1\"", ""},
        {"\"../up1\"", ""},
        {"\"up1\\u0000\"", ""},
        {"\"up1\\u001b[2J\"", ""},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char text[256];

        snprintf(text, sizeof(text),
                 "{\"jsonrpc\":\"2.0\",\"method\":\"peer_path\",\"params\":{\"conn\":1,"
                 "\"interface\":%s}}",
                 cases[i].told);
        line(text);
        snprintf(text, sizeof(text), "\"peer_path\",\"conn\":1%s\n", cases[i].counts_as);
        expect(text);
        snprintf(text, sizeof(text),
                 "{\"jsonrpc\":\"2.0\",\"method\":\"peer_up\",\"params\":{\"peer\":\"p\","
                 "\"conn\":1,\"interface\":%s}}",
                 cases[i].told);
        line(text);
        snprintf(text, sizeof(text),
                 "\"peer_up\",\"peer\":\"p\",\"conn\":1,\"role\":\"client\"%s,"
                 "\"migratable\":true,\"reconnectable\":true\n",
                 cases[i].counts_as);
        expect(text);
    }
}

static void test_roles(void **state)
{
    static const struct {
        const char *role;
        const char *counts_as;
    } cases[] = {{"client", "client"}, {"server", "server"},        {"Client", "server"},
                 {"", "server"},       {"client\\u0000", "server"}, {"observer", "server"}};

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char text[256];

        snprintf(text, sizeof(text),
                 "{\"jsonrpc\":\"2.0\",\"method\":\"peer_up\",\"params\":{\"peer\":\"p\","
                 "\"conn\":1,\"role\":\"%s\"}}",
                 cases[i].role);
        line(text);
        snprintf(text, sizeof(text),
                 "\"peer_up\",\"peer\":\"p\",\"conn\":1,\"role\":\"%s\",\"migratable\":true,"
                 "\"reconnectable\":true\n",
                 cases[i].counts_as);
        expect(text);
    }
}

static void test_nulls_are_absent(void **state)
{
    line("{\"jsonrpc\":\"2.0\",\"method\":\"peer_up\",\"params\":{\"peer\":\"p\",\"conn\":1,"
         "\"role\":null,\"local\":null,\"remote\":null,\"via\":null,\"migratable\":null,"
         "\"reconnectable\":null}}");
    expect("\"peer_up\",\"peer\":\"p\",\"conn\":1,\"role\":\"client\",\"migratable\":true,"
           "\"reconnectable\":true\n");
}

static void test_bad_addresses_are_absent(void **state)
{
    line("{\"jsonrpc\":\"2.0\",\"method\":\"peer_path\",\"params\":{\"conn\":1,"
         "\"local\":\"0.0.0.0:1\",\"remote\":\"[::]:1\"}}");
    expect("\"peer_path\",\"conn\":1\n");
    assert_int_equal(input("{\"jsonrpc\":\"2.0\",\"method\":\"peer_path\",\"params\":{\"conn\":1,"
                           "\"local\":\"localhost:1\",\"remote\":\"\\u0000\"}}\n"),
                     0);
    expect("\"peer_path\",\"conn\":1\n"
           "\"notice\",\"level\":\"warning\",\"what\":\"bad-address\",\"text\":\"peer_path: an "
           "invalid address counts as absent: \",\"count\":2\n");
}

static void test_malformed_notifications(void **state)
{
    static const struct {
        const char *kind;
        const char *rest; /* of the method's name */
    } cases[] = {
        {"bad-peer-up", "peer_up\"}"},
        {"bad-peer-up", "peer_up\",\"params\":[]}"},
        {"bad-peer-up", "peer_up\",\"params\":{\"peer\":\"p\"}}"},
        {"bad-peer-up", "peer_up\",\"params\":{\"peer\":\"p\",\"conn\":0}}"},
        {"bad-peer-up", "peer_up\",\"params\":{\"peer\":\"p\",\"conn\":9007199254740992}}"},
        {"bad-peer-up", "peer_up\",\"params\":{\"peer\":\"p\",\"conn\":1.0}}"},
        {"bad-peer-up", "peer_up\",\"params\":{\"conn\":1}}"},
        {"bad-peer-up", "peer_up\",\"params\":{\"peer\":null,\"conn\":1}}"},
        {"bad-peer-up", "peer_up\",\"params\":{\"peer\":\"\",\"conn\":1}}"},
        {"bad-peer-up", "peer_up\",\"params\":{\"peer\":\"a\\u0000\",\"conn\":1}}"},
        {"bad-peer-up", "peer_up\",\"params\":{\"peer\":\"a\\u001f\",\"conn\":1}}"},
        {"bad-peer-up", "peer_up\",\"params\":{\"peer\":\"a\\u007f\",\"conn\":1}}"},
        {"bad-peer-up", "peer_up\",\"params\":{\"peer\":\"a\\u009f\",\"conn\":1}}"},
        {"bad-peer-up", "peer_up\",\"params\":{\"peer\":\"p\",\"conn\":1,\"role\":1}}"},
        {"bad-peer-up", "peer_up\",\"params\":{\"peer\":\"p\",\"conn\":1,\"local\":1}}"},
        {"bad-peer-up", "peer_up\",\"params\":{\"peer\":\"p\",\"conn\":1,\"remote\":{}}}"},
        {"bad-peer-up", "peer_up\",\"params\":{\"peer\":\"p\",\"conn\":1,\"via\":1}}"},
        {"bad-peer-up", "peer_up\",\"params\":{\"peer\":\"p\",\"conn\":1,\"migratable\":1}}"},
        {"bad-peer-up", "peer_up\",\"params\":{\"peer\":\"p\",\"conn\":1,\"reconnectable\":\"\"}}"},
        {"bad-peer-down", "peer_down\",\"params\":{}}"},
        {"bad-peer-down", "peer_down\",\"params\":{\"conn\":\"1\"}}"},
        {"bad-peer-down", "peer_down\",\"params\":{\"conn\":1,\"reason\":7}}"},
        {"bad-peer-path", "peer_path\",\"params\":{\"local\":\"1.2.3.4:5\"}}"},
        {"bad-peer-path", "peer_path\",\"params\":{\"conn\":1,\"via\":[]}}"},
        {"bad-peer-path", "peer_path\",\"params\":{\"conn\":1,\"interface\":7}}"},
        {"bad-summaries", "summaries\"}"},
        {"bad-summaries", "summaries\",\"params\":{\"columns\":[\"srtt_us\"],\"rows\":[[1]]}}"},
        {"bad-message", "peer_down\",\"jsonrpc\":1}"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char text[256];

        snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"method\":\"%s", cases[i].rest);
        line(text);
        expect_notice(cases[i].kind, 1);
    }
}

static void test_names(void **state)
{
    char name[300] = {0}, text[512];

    for (size_t length = 254; length <= 257; length++) {
        memset(name, 'x', length);
        name[length] = '\0';
        snprintf(text, sizeof(text),
                 "{\"jsonrpc\":\"2.0\",\"method\":\"peer_up\",\"params\":{\"peer\":\"%s\","
                 "\"conn\":1}}",
                 name);
        line(text);
        if (length > 255) {
            expect_notice("bad-peer-up", 1);
            continue;
        }
        snprintf(text, sizeof(text),
                 "\"peer_up\",\"peer\":\"%s\",\"conn\":1,\"role\":\"client\",\"migratable\":true,"
                 "\"reconnectable\":true\n",
                 name);
        expect(text);
    }
}

/* Free text is made fit for a log, and bounded. */
static void test_reasons_are_bounded(void **state)
{
    struct buffer text = {0};
    const char *reported;

    buffer_text(&text, "{\"jsonrpc\":\"2.0\",\"method\":\"peer_down\",\"params\":{\"conn\":1,"
                       "\"reason\":\"a\\n\\u0000b");
    for (int i = 0; i < 100000; i++)
        buffer_text(&text, "x");
    buffer_text(&text, "\"}}\n");
    assert_int_equal(protocol_input(rig.protocol, 0, buffer_bytes(&text), text.length), 0);
    buffer_append(&rig.reported, "", 1);
    reported = buffer_bytes(&rig.reported);
    assert_non_null(strstr(reported, "\"reason\":\"a\\\\x0a\\\\x00bxxx"));
    assert_non_null(strstr(reported, "x...\"\n"));
    assert_true(strlen(reported) < 600);
    buffer_take(&rig.reported, rig.reported.length);
    buffer_clear(&text);
}

static void test_summaries(void **state)
{
    line("{\"jsonrpc\":\"2.0\",\"method\":\"summaries\",\"params\":{\"columns\":[\"silent_ms\","
         "\"conn\",\"x\",\"srtt_us\"],\"rows\":[[1,17,0,null],[2],[3,18,0,4]]}}");
    expect("\"samples\",\"columns\":[\"srtt_us\",\"silent_ms\"],\"rows\":[[17,null,1],[18,4,3]]\n"
           "\"notice\",\"level\":\"warning\",\"what\":\"bad-row\",\"text\":\"summaries: row 1 is "
           "not as long as the columns: {\\\"jsonrpc\\\":\\\"2.0\\\",\\\"method\\\":"
           "\\\"summaries\\\",\\\"params\\\":{\\\"columns\\\":[\\\"silent_ms\\\",\\\"conn\\\","
           "\\\"x...\","
           "\"count\":1\n");
    line("{\"jsonrpc\":\"2.0\",\"method\":\"summaries\",\"params\":{\"columns\":[\"conn\"],"
         "\"rows\":[]}}");
    expect("");
}

static void test_ignored(void **state)
{
    line("{\"jsonrpc\":\"2.0\",\"method\":\"weather\",\"params\":[1]}");
    line("{\"jsonrpc\":\"2.0\",\"method\":\"peer_up\\u0000\",\"params\":{}}");
    line("");
    expect("");
}

/* A batch of bytes gives one notice of a kind, with the count. */
static void test_notices_are_counted(void **state)
{
    assert_int_equal(input("{}\n{\"jsonrpc\":\"2.0\",\"method\":7}\n{}\n"), 0);
    expect_notice("bad-message", 3);
    assert_int_equal(input("{\"jsonrpc\":\"2.0\",\"id\":99,\"result\":1}\n"
                           "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":1}\n"),
                     0);
    expect_notice("unknown-answer", 2);
}

static void test_fatal(void **state)
{
    assert_int_equal(
        input("{\"jsonrpc\":\"2.0\",\"method\":\"peer_down\",\"params\":{\"conn\":1}}"
              "\n\x01rubbish\n"
              "{\"jsonrpc\":\"2.0\",\"method\":\"peer_down\",\"params\":{\"conn\":2}}\n"),
        -EBADMSG);
    buffer_append(&rig.reported, "", 1);
    expect_first("\"peer_down\",\"conn\":1\n");
    assert_non_null(strstr(buffer_bytes(&rig.reported), "\"what\":\"bad-line\""));
    assert_non_null(strstr(buffer_bytes(&rig.reported), "\\\\x01rubbish"));
    assert_null(strstr(buffer_bytes(&rig.reported), "\"conn\":2"));
    buffer_take(&rig.reported, rig.reported.length);
}

static void test_request_of_the_node(void **state)
{
    line("{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"peer_up\",\"params\":{}}");
    expect_notice("node-request", 1);
    expect_sent("{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"error\":{\"code\":-32601,"
                "\"message\":\"method not found\"}}\n");
}

static void answered(enum action_type type, const char *answer)
{
    char text[512];

    teardown(NULL);
    setup(NULL);
    send_one((struct action){.type = type, .move = {.request = 77, .conn = 17, .timeout_ms = 1}});
    snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":3,%s}\n", answer);
    assert_int_equal(input(text), 0);
}

#define ANSWER(ok, malformed, validated)                                                           \
    "\"answer\",\"request\":77,\"ok\":" ok ",\"spoiled\":" malformed ",\"validated\":" validated

static void test_answers(void **state)
{
    static const struct {
        enum action_type type;
        const char *answer;
        const char *reported;
    } cases[] = {
        {ACTION_MIGRATE, "\"result\":{\"local\":\"10.0.1.1:41822\",\"validated\":true}",
         ANSWER("true", "false", "true") ",\"local\":\"10.0.1.1:41822\",\"conn\":0,\"code\":0\n"},
        {ACTION_MIGRATE, "\"result\":{}",
         ANSWER("true", "false", "false") ",\"conn\":0,\"code\":0\n"},
        {ACTION_MIGRATE, "\"result\":{\"validated\":null,\"local\":null,\"conn\":\"x\"}",
         ANSWER("true", "false", "false") ",\"conn\":0,\"code\":0\n"},
        {ACTION_MIGRATE, "\"result\":{\"validated\":false,\"local\":\"0.0.0.0:0\"}",
         ANSWER("true", "false", "false") ",\"conn\":0,\"code\":0\n"},
        {ACTION_MIGRATE, "\"error\":{\"code\":-32003,\"message\":\"peer_disable_migration\"}",
         ANSWER("false", "false", "false") ",\"conn\":0,\"code\":-32003,"
                                           "\"message\":\"peer_disable_migration\"\n"},
        {ACTION_MIGRATE, "\"error\":{\"code\":-1}",
         ANSWER("false", "false", "false") ",\"conn\":0,\"code\":-1\n"},
        {ACTION_RECONNECT, "\"result\":{\"conn\":31}",
         ANSWER("true", "false", "false") ",\"conn\":31,\"code\":0\n"},
        {ACTION_RECONNECT, "\"error\":{\"code\":-32009,\"message\":\"dial_failed\"}",
         ANSWER("false", "false",
                "false") ",\"conn\":0,\"code\":-32009,\"message\":\"dial_failed\"\n"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        answered(cases[i].type, cases[i].answer);
        expect(cases[i].reported);
    }
}

static void test_malformed_answers(void **state)
{
    static const struct {
        enum action_type type;
        const char *answer;
    } cases[] = {
        {ACTION_MIGRATE, "\"result\":true"},
        {ACTION_MIGRATE, "\"result\":null"},
        {ACTION_MIGRATE, "\"result\":{\"validated\":1}"},
        {ACTION_MIGRATE, "\"result\":{\"validated\":true,\"local\":7}"},
        {ACTION_MIGRATE, "\"error\":\"timeout\""},
        {ACTION_MIGRATE, "\"error\":{\"message\":\"timeout\"}"},
        {ACTION_MIGRATE, "\"error\":{\"code\":\"-32004\",\"message\":\"timeout\"}"},
        {ACTION_MIGRATE, "\"result\":{},\"error\":{\"code\":1,\"message\":\"\"}"},
        {ACTION_MIGRATE, "\"x\":1"},
        {ACTION_RECONNECT, "\"result\":{}"},
        {ACTION_RECONNECT, "\"result\":{\"conn\":0}"},
        {ACTION_RECONNECT, "\"result\":{\"conn\":\"31\"}"},
        {ACTION_RECONNECT, "\"result\":[31]"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        static const char reported[] = ANSWER("false", "true", "false") ",\"conn\":0,\"code\":0\n";

        answered(cases[i].type, cases[i].answer);
        if (strncmp(buffer_bytes(&rig.reported), reported, sizeof(reported) - 1))
            fail_msg("%s: %.*s", cases[i].answer, (int)rig.reported.length,
                     buffer_bytes(&rig.reported));
        buffer_take(&rig.reported, sizeof(reported) - 1);
        expect_notice("bad-answer", 1);
    }
}

/* The node had 300 ms and a second. */
static void test_malformed_answers_to_probe_path(void **state)
{
    static const char *const answers[] = {
        "\"result\":{}",
        "\"result\":null",
        "\"result\":[41200]",
        "\"result\":41200",
        "\"result\":{\"rtt_us\":null}",
        "\"result\":{\"rtt_us\":1300001}",
        "\"result\":{\"rtt_us\":1},\"error\":{\"code\":1}",
        "\"error\":\"timeout\"",
        "\"error\":{\"code\":\"-32004\"}",
        "\"x\":1",
    };

    for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
        static const char reported[] =
            "\"probed\",\"probe\":7,\"ok\":false,\"rtt_us\":0,\"code\":0\n";
        char text[256];

        teardown(NULL);
        setup(NULL);
        send_one((struct action){.type = ACTION_PROBE_PATH, .probe_path = {7, 17, "up1", 300}});
        snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":3,%s}\n", answers[i]);
        assert_int_equal(input(text), 0);
        if (strncmp(buffer_bytes(&rig.reported), reported, sizeof(reported) - 1))
            fail_msg("%s: %.*s", answers[i], (int)rig.reported.length, buffer_bytes(&rig.reported));
        buffer_take(&rig.reported, sizeof(reported) - 1);
        expect_notice("bad-answer", 1);
    }
}

static void test_an_unreadable_new_address(void **state)
{
    send_one((struct action){.type = ACTION_MIGRATE, .move = {.request = 77, .conn = 17}});
    line("{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"local\":\"somewhere\",\"validated\":true}}");
    expect(ANSWER("true", "false",
                  "true") ",\"conn\":0,\"code\":0\n"
                          "\"notice\",\"level\":\"warning\",\"what\":\"bad-address\",\"text\":"
                          "\"migrate_peer: an "
                          "invalid address counts as absent: somewhere\",\"count\":1\n");
}

static void test_answers_in_any_order_and_once(void **state)
{
    struct action actions[3];

    for (uint64_t i = 0; i < 3; i++)
        actions[i] =
            (struct action){.type = ACTION_RECONNECT, .move = {.request = 70 + i, .conn = i}};
    protocol_send(rig.protocol, rig.now_us, actions, 3);
    line("{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":{\"conn\":105}}");
    line("{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"conn\":103}}");
    expect("\"answer\",\"request\":72,\"ok\":true,\"spoiled\":false,\"validated\":false,"
           "\"conn\":105,\"code\":0\n"
           "\"answer\",\"request\":70,\"ok\":true,\"spoiled\":false,\"validated\":false,"
           "\"conn\":103,\"code\":0\n");
    line("{\"jsonrpc\":\"2.0\",\"id\":5,\"result\":{\"conn\":105}}");
    expect_notice("unknown-answer", 1);
    line("{\"jsonrpc\":\"2.0\",\"id\":6,\"result\":{\"conn\":105}}");
    expect_notice("unknown-answer", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        READY(test_peers),
        READY(test_interfaces),
        READY(test_roles),
        READY(test_nulls_are_absent),
        READY(test_bad_addresses_are_absent),
        READY(test_malformed_notifications),
        READY(test_names),
        READY(test_reasons_are_bounded),
        READY(test_summaries),
        READY(test_ignored),
        READY(test_notices_are_counted),
        READY(test_fatal),
        READY(test_request_of_the_node),
        READY(test_answers),
        READY(test_malformed_answers),
        READY(test_malformed_answers_to_probe_path),
        READY(test_an_unreadable_new_address),
        READY(test_answers_in_any_order_and_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
