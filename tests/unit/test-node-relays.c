/* SPDX-License-Identifier: Apache-2.0 */
/* node/relays.c: the node's list of relays, all of it or nothing. */
#include "protocol-rig.h"

#include "util/util.h"

#define LIST(text) "{\"jsonrpc\":\"2.0\",\"method\":\"relays\",\"params\":{\"relays\":[" text "]}}"
#define ONE        "{\"relay\":\"a\",\"address\":\"192.0.2.1:1\"}"

static void test_list(void **state)
{
    line(LIST("{\"relay\":\"a\",\"address\":\"192.0.2.1:4433\"},"
              "{\"relay\":\"r\u00e4 =1\",\"address\":\"[2001:DB8::1]:9001\",\"speaks\":\"pilot\"},"
              "{\"relay\":\"c\",\"address\":\"[::ffff:10.0.0.1]:1\",\"speaks\":null,\"more\":[]}"));
    expect("\"relays\",\"relays\":[{\"relay\":\"a\",\"address\":\"192.0.2.1:4433\","
           "\"speaks\":\"reg-ack\"},{\"relay\":\"r\u00e4 =1\",\"address\":\"[2001:db8::1]:9001\","
           "\"speaks\":\"pilot\"},{\"relay\":\"c\",\"address\":\"10.0.0.1:1\","
           "\"speaks\":\"reg-ack\"}]\n");
    line(LIST(""));
    expect("\"relays\",\"relays\":[]\n");
    line("{\"jsonrpc\":\"2.0\",\"method\":\"relays\",\"params\":{\"relays\":[],\"key\":\"00Ff\"}}");
    expect("\"relays\",\"key\":\"00Ff\",\"relays\":[]\n");
    line("{\"jsonrpc\":\"2.0\",\"method\":\"relays\",\"params\":{\"relays\":[],\"key\":null}}");
    expect("\"relays\",\"relays\":[]\n");
}

/* With an end; not yet looked at. */
static const char *reported(void)
{
    buffer_append(&rig.reported, "", 1);
    rig.reported.length--;
    return buffer_bytes(&rig.reported);
}

static char *many(unsigned n)
{
    struct buffer text = {0};
    char entry[80];

    buffer_text(&text, "{\"jsonrpc\":\"2.0\",\"method\":\"relays\",\"params\":{\"relays\":[");
    for (unsigned i = 0; i < n; i++) {
        snprintf(entry, sizeof(entry), "%s{\"relay\":\"r%u\",\"address\":\"192.0.2.1:%u\"}",
                 i ? "," : "", i, i + 1);
        buffer_text(&text, entry);
    }
    buffer_append(&text, "]}}", sizeof("]}}"));
    return text.data;
}

static void test_no_more_than_64(void **state)
{
    char *most = many(64), *more = many(65);

    line(most);
    expect_first("\"relays\",\"relays\":[{\"relay\":\"r0\"");
    rig.reported.length = 0;
    line(more);
    expect_notice("bad-relays", 1);
    free(most);
    free(more);
}

static void test_what_is_wrong(void **state)
{
    static const char *const bad[] = {
        "{\"jsonrpc\":\"2.0\",\"method\":\"relays\"}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"relays\",\"params\":[]}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"relays\",\"params\":{}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"relays\",\"params\":{\"relays\":null}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"relays\",\"params\":{\"relays\":{}}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"relays\",\"params\":{\"relays\":[],\"key\":\"\"}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"relays\",\"params\":{\"relays\":[],\"key\":\"abc\"}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"relays\",\"params\":{\"relays\":[],\"key\":\"0x\"}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"relays\",\"params\":{\"relays\":[],\"key\":7}}",
        LIST("7"),
        LIST("null"),
        LIST("{}"),
        LIST("{\"relay\":\"a\"}"),
        LIST("{\"address\":\"192.0.2.1:1\"}"),
        LIST("{\"relay\":\"\",\"address\":\"192.0.2.1:1\"}"),
        LIST("{\"relay\":\"direct\",\"address\":\"192.0.2.1:1\"}"),
        LIST("{\"relay\":\"a\\u0000b\",\"address\":\"192.0.2.1:1\"}"),
        LIST("{\"relay\":\"a\\u001bb\",\"address\":\"192.0.2.1:1\"}"),
        LIST("{\"relay\":7,\"address\":\"192.0.2.1:1\"}"),
        LIST("{\"relay\":\"a\",\"address\":\"192.0.2.1\"}"),
        LIST("{\"relay\":\"a\",\"address\":\"192.0.2.1:0\"}"),
        LIST("{\"relay\":\"a\",\"address\":\"0.0.0.0:1\"}"),
        LIST("{\"relay\":\"a\",\"address\":\"relay.example:1\"}"),
        LIST("{\"relay\":\"a\",\"address\":\"192.0.2.1:1\\u0000\"}"),
        LIST("{\"relay\":\"a\",\"address\":[]}"),
        LIST("{\"relay\":\"a\",\"address\":\"192.0.2.1:1\",\"speaks\":\"turn\"}"),
        LIST("{\"relay\":\"a\",\"address\":\"192.0.2.1:1\",\"speaks\":1}"),
        LIST(ONE "," ONE),
    };

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        line(bad[i]);
        if (!rig.reported.length || strstr(reported(), "\"relays\",\"relays\""))
            fail_msg("%s was taken", bad[i]);
        expect_notice("bad-relays", 1);
    }
}

static void test_it_says_what_and_where(void **state)
{
    line(LIST(ONE ",{\"relay\":\"b\",\"address\":\"b.example:1\"}"));
    assert_non_null(
        strstr(reported(), "relays: \\\"address\\\" of entry 1 is not an IP address with a port"));
    expect_notice("bad-relays", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_list, setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_more_than_64, setup, teardown),
        cmocka_unit_test_setup_teardown(test_what_is_wrong, setup, teardown),
        cmocka_unit_test_setup_teardown(test_it_says_what_and_where, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
