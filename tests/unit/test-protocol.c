/* SPDX-License-Identifier: Apache-2.0 */
/*
 * node/protocol.[ch]: what the node says → events, actions → lines, deadlines.
 * Events are compared as the codec writes them, without their times.
 */
#include "check.h"

#include <errno.h>

#include "codec/codec.h"
#include "node/protocol.h"

#define SECOND UINT64_C(1000000)

static struct rig {
    struct protocol *protocol;
    uint64_t now_us;
    struct buffer told;         /* lines of events */
    const struct action *reply; /* sent from within every event */
} rig;

static void on_event(void *userdata, struct event *event)
{
    static const char head[] = "{\"t\":0,\"rt\":0,\"event\":";
    struct buffer line = {0};

    event_encode(&line, event);
    assert_memory_equal(buffer_bytes(&line), head, sizeof(head) - 1);
    buffer_take(&line, sizeof(head) - 1);
    buffer_append(&rig.told, buffer_bytes(&line), line.length - 2); /* without }LF */
    buffer_text(&rig.told, "\n");
    buffer_clear(&line);
    if (rig.reply)
        protocol_send(rig.protocol, rig.now_us, rig.reply, 1);
}

/* All that was told since the last time. */
static void expect(const char *lines)
{
    buffer_append(&rig.told, "", 1);
    assert_string_equal(buffer_bytes(&rig.told), lines);
    buffer_take(&rig.told, rig.told.length);
}

/* What was told begins with these lines; the rest is left for the next look. */
static void expect_first(const char *lines)
{
    size_t length = strlen(lines);

    assert_true(rig.told.length >= length);
    assert_memory_equal(buffer_bytes(&rig.told), lines, length);
    buffer_take(&rig.told, length);
}

/* All that was written since the last time. */
static void expect_sent(const char *lines)
{
    struct buffer *out = protocol_output(rig.protocol);

    buffer_append(out, "", 1);
    assert_string_equal(buffer_bytes(out), lines);
    buffer_take(out, out->length);
}

/* Just that kind, once, with that count. */
static void expect_notice(const char *kind, unsigned count)
{
    char head[128], tail[32];
    const char *line;

    snprintf(head, sizeof(head), "\"notice\",\"level\":\"warning\",\"what\":\"%s\",\"text\":\"",
             kind);
    snprintf(tail, sizeof(tail), "\"count\":%u\n", count);
    buffer_append(&rig.told, "", 1);
    line = buffer_bytes(&rig.told);
    if (strncmp(line, head, strlen(head)) || !strstr(line, tail) ||
        strchr(line, '\n') != line + strlen(line) - 1)
        fail_msg("not one %s notice of %u, but: %s", kind, count, line);
    buffer_take(&rig.told, rig.told.length);
}

static int input(const char *text)
{
    return protocol_input(rig.protocol, rig.now_us, text, strlen(text));
}

/* A line that is fine for the connection. */
static void line(const char *text)
{
    assert_int_equal(input(text), 0);
    assert_int_equal(input("\n"), 0);
}

static void open_at(uint64_t netns)
{
    const struct protocol_config config = {
        .client = "pathdog/0.1.0", .netns = netns, .sample_interval_us = 5 * SECOND};

    assert_int_equal(protocol_new(&config, on_event, NULL, &rig.protocol), 0);
    rig.now_us = 100 * SECOND;
    protocol_open(rig.protocol, rig.now_us, 1000);
}

#define HELLO_LINE                                                                                 \
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hello\",\"params\":"                               \
    "{\"protocol\":[1],\"client\":\"pathdog/0.1.0\"}}\n"
#define SUBSCRIBE_LINE "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"subscribe\"}\n"

static int setup_closed(void **state)
{
    memset(&rig, 0, sizeof(rig));
    open_at(0);
    return 0;
}

/* Connected and subscribed, by a node with every feature; ids 1 and 2 are used. */
static int setup(void **state)
{
    setup_closed(state);
    line("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocol\":1,\"node\":\"n\",\"boot\":\"b\","
         "\"features\":[\"reconnect\",\"bind\",\"relay\",\"probe\"]}}");
    line("{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"peers\":0}}");
    expect("\"node_up\",\"node\":\"n\",\"boot\":\"b\","
           "\"features\":[\"reconnect\",\"bind\",\"relay\",\"probe\"],"
           "\"prefer_reconnect\":false,\"max_in_flight\":0,\"uid\":1000\n\"snapshot\"\n");
    expect_sent(HELLO_LINE SUBSCRIBE_LINE);
    return 0;
}

static int teardown(void **state)
{
    protocol_free(rig.protocol);
    buffer_clear(&rig.told);
    return 0;
}

/* ---- hello and subscribe ---- */

static void test_hello(void **state)
{
    expect_sent(HELLO_LINE);
    assert_false(protocol_is_up(rig.protocol));
    assert_int_equal(protocol_deadline_us(rig.protocol), 110 * SECOND);
    rig.now_us += SECOND;
    line("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocol\":1,\"node\":\"alpha@10.0.0.1\","
         "\"implementation\":\"barrel_p2p/0.1.0\",\"boot\":\"b1946ac92492\",\"features\":["
         "\"reconnect\",\"teleport\"],\"prefer\":\"reconnect\",\"max_in_flight\":256,"
         "\"netns\":4026531840,\"new\":{}}}");
    expect("\"node_up\",\"node\":\"alpha@10.0.0.1\",\"implementation\":\"barrel_p2p/0.1.0\","
           "\"boot\":\"b1946ac92492\",\"features\":[\"reconnect\"],\"prefer_reconnect\":true,"
           "\"max_in_flight\":256,\"uid\":1000\n");
    expect_sent(SUBSCRIBE_LINE);
    assert_true(protocol_is_up(rig.protocol));
    assert_false(protocol_is_subscribed(rig.protocol));
    assert_int_equal(protocol_deadline_us(rig.protocol), 111 * SECOND);
    line("{\"jsonrpc\":\"2.0\",\"method\":\"peer_up\",\"params\":{\"peer\":\"p\",\"conn\":17}}");
    line("{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"peers\":1}}");
    expect("\"peer_up\",\"peer\":\"p\",\"conn\":17,\"role\":\"client\",\"migratable\":true,"
           "\"reconnectable\":true\n\"snapshot\"\n");
    assert_true(protocol_is_subscribed(rig.protocol));
    assert_true(protocol_deadline_us(rig.protocol) == UINT64_MAX);
}

static void test_hello_spoiled(void **state)
{
    static const char *const results[] = {
        "\"fine\"",
        "null",
        "[]",
        "{}",
        "{\"boot\":\"b\"}",
        "{\"protocol\":\"1\",\"boot\":\"b\"}",
        "{\"protocol\":[1],\"boot\":\"b\"}",
        "{\"protocol\":1.0,\"boot\":\"b\"}",
        "{\"protocol\":null,\"boot\":\"b\"}",
        "{\"protocol\":1}",
        "{\"protocol\":1,\"boot\":7}",
        "{\"protocol\":1,\"boot\":\"b\",\"node\":7}",
        "{\"protocol\":1,\"boot\":\"b\",\"implementation\":7}",
        "{\"protocol\":1,\"boot\":\"b\",\"features\":\"bind\"}",
        "{\"protocol\":1,\"boot\":\"b\",\"features\":[7]}",
        "{\"protocol\":1,\"boot\":\"b\",\"prefer\":1}",
        "{\"protocol\":1,\"boot\":\"b\",\"max_in_flight\":\"256\"}",
        "{\"protocol\":1,\"boot\":\"b\",\"max_in_flight\":-1}",
        "{\"protocol\":1,\"boot\":\"b\",\"netns\":true}",
    };

    for (size_t i = 0; i < ARRAY_SIZE(results); i++) {
        char text[256];

        protocol_open(rig.protocol, rig.now_us, 0);
        snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":%s}\n", results[i]);
        if (input(text) != -EPROTO)
            fail_msg("%s was taken", results[i]);
        assert_non_null(strstr(protocol_reason(rig.protocol), "spoiled"));
        assert_false(protocol_is_up(rig.protocol));
        expect_notice("bad-hello", 1);
        expect_sent(HELLO_LINE);
    }
}

static void test_hello_refused(void **state)
{
    assert_int_equal(input("{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32010,"
                           "\"message\":\"unsupported_protocol\"}}\n"),
                     -EPROTONOSUPPORT);
    expect("");
    protocol_open(rig.protocol, rig.now_us, 0);
    assert_int_equal(input("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocol\":2,"
                           "\"boot\":\"b\"}}\n"),
                     -EPROTONOSUPPORT);
    expect("");
    protocol_open(rig.protocol, rig.now_us, 0);
    assert_int_equal(input("{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32603,"
                           "\"message\":\"not yet\"}}\n"),
                     -EPROTO);
    expect("");
    assert_non_null(strstr(protocol_reason(rig.protocol), "-32603"));
}

/* Nulls stand for what is absent; the shortest hello that is one. */
static void test_hello_of_a_terse_node(void **state)
{
    line("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocol\":1,\"boot\":\"\",\"node\":null,"
         "\"implementation\":null,\"features\":null,\"prefer\":null,\"max_in_flight\":null,"
         "\"netns\":null}}");
    expect("\"node_up\",\"node\":\"\",\"boot\":\"\",\"features\":[],\"prefer_reconnect\":false,"
           "\"max_in_flight\":0,\"uid\":1000\n");
}

static void test_netns(void **state)
{
    static const char answer[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocol\":1,"
                                 "\"boot\":\"b\",\"netns\":7}}";

    protocol_free(rig.protocol);
    open_at(8);
    line(answer);
    buffer_append(&rig.told, "", 1);
    assert_non_null(strstr(buffer_bytes(&rig.told), "\"node_up\""));
    assert_non_null(
        strstr(buffer_bytes(&rig.told), "\"level\":\"error\",\"what\":\"netns-mismatch\""));
    buffer_take(&rig.told, rig.told.length);
    protocol_free(rig.protocol);
    open_at(7);
    line(answer);
    buffer_append(&rig.told, "", 1);
    assert_null(strstr(buffer_bytes(&rig.told), "netns"));
    buffer_take(&rig.told, rig.told.length);
}

static void test_deadlines(void **state)
{
    assert_int_equal(protocol_expire(rig.protocol, 110 * SECOND - 1), 0);
    assert_int_equal(protocol_expire(rig.protocol, 110 * SECOND), -ETIMEDOUT);
    assert_non_null(strstr(protocol_reason(rig.protocol), "hello"));
    protocol_open(rig.protocol, rig.now_us, 0);
    line("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocol\":1,\"boot\":\"b\"}}");
    assert_int_equal(protocol_expire(rig.protocol, 110 * SECOND), -ETIMEDOUT);
    assert_non_null(strstr(protocol_reason(rig.protocol), "subscribe"));
    protocol_close(rig.protocol);
    assert_true(protocol_deadline_us(rig.protocol) == UINT64_MAX);
    assert_int_equal(protocol_expire(rig.protocol, UINT64_MAX - 1), 0);
}

static void test_subscribe_refused(void **state)
{
    static const char *const answers[] = {"\"error\":{\"code\":-1,\"message\":\"\"}",
                                          "\"result\":7", "\"result\":{\"peers\":\"3\"}",
                                          "\"result\":{},\"error\":{\"code\":1}", "\"x\":1"};

    for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
        char text[256];

        protocol_open(rig.protocol, rig.now_us, 0);
        line("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocol\":1,\"boot\":\"b\"}}");
        snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":2,%s}\n", answers[i]);
        assert_int_equal(input(text), -EPROTO);
        assert_false(protocol_is_subscribed(rig.protocol));
    }
}

static void test_nothing_is_told_before_hello(void **state)
{
    line("{\"jsonrpc\":\"2.0\",\"method\":\"peer_up\",\"params\":{\"peer\":\"p\",\"conn\":17}}");
    expect_notice("early-message", 1);
    line("{\"jsonrpc\":\"2.0\",\"method\":\"weather\"}");
    expect("");
}

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
           "address that cannot be read counts as absent: \",\"count\":2\n");
}

static void test_spoiled_notifications(void **state)
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
    const char *told;

    buffer_text(&text, "{\"jsonrpc\":\"2.0\",\"method\":\"peer_down\",\"params\":{\"conn\":1,"
                       "\"reason\":\"a\\n\\u0000b");
    for (int i = 0; i < 100000; i++)
        buffer_text(&text, "x");
    buffer_text(&text, "\"}}\n");
    assert_int_equal(protocol_input(rig.protocol, 0, buffer_bytes(&text), text.length), 0);
    buffer_append(&rig.told, "", 1);
    told = buffer_bytes(&rig.told);
    assert_non_null(strstr(told, "\"reason\":\"a??bxxx"));
    assert_non_null(strstr(told, "x...\"\n"));
    assert_true(strlen(told) < 600);
    buffer_take(&rig.told, rig.told.length);
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
    buffer_append(&rig.told, "", 1);
    expect_first("\"peer_down\",\"conn\":1\n");
    assert_non_null(strstr(buffer_bytes(&rig.told), "\"what\":\"bad-line\""));
    assert_non_null(strstr(buffer_bytes(&rig.told), "?rubbish"));
    assert_null(strstr(buffer_bytes(&rig.told), "\"conn\":2"));
    buffer_take(&rig.told, rig.told.length);
}

static void test_request_of_the_node(void **state)
{
    line("{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"peer_up\",\"params\":{}}");
    expect_notice("node-request", 1);
    expect_sent("{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"error\":{\"code\":-32601,"
                "\"message\":\"method not found\"}}\n");
}

/* ---- requests ---- */

static struct text *reason(const char *text)
{
    struct text *reason = memory_new(1, sizeof(*reason) + strlen(text) + 1);

    reason->length = (uint32_t)strlen(text);
    memcpy(reason->s, text, strlen(text));
    return reason;
}

static void send_one(struct action action)
{
    protocol_send(rig.protocol, rig.now_us, &action, 1);
}

static void test_moves(void **state)
{
    struct text *flip = reason("route \"flip\"\n\xff"), *other = reason("other");
    const struct action actions[] = {
        {.type = ACTION_MIGRATE,
         .move = {.request = 1, .conn = 17, .timeout_ms = 5000, .reason = flip}},
        {.type = ACTION_MIGRATE,
         .move = {.request = 2, .conn = 18, .timeout_ms = 5000, .reason = flip}},
        {.type = ACTION_QUERY},
        {.type = ACTION_RECONNECT,
         .move =
             {.request = 3, .conn = 19, .timeout_ms = 5000, .reason = flip, .interface = "up1"}},
        {.type = ACTION_MIGRATE,
         .move = {.request = 4,
                  .conn = 20,
                  .timeout_ms = 60,
                  .reason = other,
                  .interface = "up1",
                  .local = "10.0.0.1",
                  .via = "direct"}},
    };

    protocol_send(rig.protocol, rig.now_us, actions, ARRAY_SIZE(actions));
    expect_sent(
        "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"migrate_peer\",\"params\":{\"conn\":17,"
        "\"timeout_ms\":5000,\"reason\":\"route \\\"flip\\\"\\n\xef\xbf\xbd\"}}\n"
        "{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"migrate_peer\",\"params\":{\"conn\":18,"
        "\"timeout_ms\":5000,\"reason\":\"route \\\"flip\\\"\\n\xef\xbf\xbd\"}}\n"
        "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"reconnect_peer\",\"params\":{\"conn\":19,"
        "\"timeout_ms\":5000,\"reason\":\"route \\\"flip\\\"\\n\xef\xbf\xbd\"}}\n"
        "{\"jsonrpc\":\"2.0\",\"id\":6,\"method\":\"migrate_peer\",\"params\":{\"conn\":20,"
        "\"timeout_ms\":60,\"interface\":\"up1\",\"local\":\"10.0.0.1\",\"via\":\"direct\","
        "\"reason\":\"other\"}}\n");
    /* the same pointer with another text in a later call is another text */
    memcpy(other->s, "OTHER", 5);
    send_one(actions[4]);
    buffer_append(protocol_output(rig.protocol), "", 1);
    assert_non_null(strstr(buffer_bytes(protocol_output(rig.protocol)), "OTHER"));
    free(flip);
    free(other);
}

static void test_where_to_needs_the_feature(void **state)
{
    struct text *why = reason("r");

    protocol_open(rig.protocol, rig.now_us, 0);
    line("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocol\":1,\"boot\":\"b\"}}");
    expect_sent(HELLO_LINE SUBSCRIBE_LINE);
    send_one((struct action){.type = ACTION_MIGRATE,
                             .move = {.conn = 5,
                                      .timeout_ms = 1,
                                      .reason = why,
                                      .interface = "x",
                                      .local = "y",
                                      .via = "z"}});
    send_one((struct action){.type = ACTION_PROBE, .probe = {(const uint64_t[]){5}, 1}});
    expect_sent("{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"migrate_peer\",\"params\":{\"conn\":5,"
                "\"timeout_ms\":1,\"reason\":\"r\"}}\n");
    free(why);
}

static void test_a_reason_of_any_length(void **state)
{
    char *long_text = memory_new(3000000, 1);
    struct text *why;

    memset(long_text, 1, 2999999);
    why = reason(long_text);
    send_one((struct action){.type = ACTION_MIGRATE, .move = {.conn = 5, .reason = why}});
    assert_true(protocol_output(rig.protocol)->length < 65536);
    free(why);
    free(long_text);
}

static void test_nothing_is_sent_before_hello(void **state)
{
    expect_sent(HELLO_LINE);
    send_one((struct action){.type = ACTION_SUMMARY});
    expect_sent("");
}

/* Ask for a move (id 3), and be answered this. */
static void answered(enum action_type type, const char *answer)
{
    char text[512];

    teardown(NULL);
    setup(NULL);
    send_one((struct action){.type = type, .move = {.request = 77, .conn = 17, .timeout_ms = 1}});
    snprintf(text, sizeof(text), "{\"jsonrpc\":\"2.0\",\"id\":3,%s}\n", answer);
    assert_int_equal(input(text), 0);
}

#define ANSWER(ok, spoiled, validated)                                                             \
    "\"answer\",\"request\":77,\"ok\":" ok ",\"spoiled\":" spoiled ",\"validated\":" validated

static void test_answers(void **state)
{
    static const struct {
        enum action_type type;
        const char *answer;
        const char *told;
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
        expect(cases[i].told);
    }
}

static void test_spoiled_answers(void **state)
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
        static const char told[] = ANSWER("false", "true", "false") ",\"conn\":0,\"code\":0\n";

        answered(cases[i].type, cases[i].answer);
        if (strncmp(buffer_bytes(&rig.told), told, sizeof(told) - 1))
            fail_msg("%s: %.*s", cases[i].answer, (int)rig.told.length, buffer_bytes(&rig.told));
        buffer_take(&rig.told, sizeof(told) - 1);
        expect_notice("bad-answer", 1);
    }
}

static void test_an_unreadable_new_address(void **state)
{
    send_one((struct action){.type = ACTION_MIGRATE, .move = {.request = 77, .conn = 17}});
    line("{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"local\":\"somewhere\",\"validated\":true}}");
    expect(
        ANSWER("true", "false",
               "true") ",\"conn\":0,\"code\":0\n"
                       "\"notice\",\"level\":\"warning\",\"what\":\"bad-address\",\"text\":"
                       "\"migrate_peer: an "
                       "address that cannot be read counts as absent: somewhere\",\"count\":1\n");
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

/* ---- summaries asked for ---- */

static void test_summary(void **state)
{
    send_one((struct action){.type = ACTION_SUMMARY, .summary = {.look = 9}});
    expect_sent("{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"summary\"}\n");
    assert_int_equal(protocol_deadline_us(rig.protocol), 115 * SECOND); /* 3 × 5 s */
    line("{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"rows\":2}}");
    expect("\"summary_done\",\"look\":9,\"failed\":false\n");
    assert_true(protocol_deadline_us(rig.protocol) == UINT64_MAX);
    send_one(
        (struct action){.type = ACTION_SUMMARY, .summary = {10, (const uint64_t[]){17, 18}, 2}});
    expect_sent("{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"summary\",\"params\":"
                "{\"conns\":[17,18]}}\n");
    line("{\"jsonrpc\":\"2.0\",\"id\":4,\"error\":{\"code\":-32603,\"message\":\"no\"}}");
    expect_first("\"summary_done\",\"look\":10,\"failed\":true\n");
    expect_notice("summary-refused", 1);
}

static void test_summary_given_up(void **state)
{
    protocol_set_sample_interval(rig.protocol, SECOND);
    send_one((struct action){.type = ACTION_SUMMARY, .summary = {.look = 9}});
    assert_int_equal(protocol_expire(rig.protocol, 110 * SECOND - 1), 0);
    expect("");
    assert_int_equal(protocol_expire(rig.protocol, 110 * SECOND), 0);
    expect_first("\"summary_done\",\"look\":9,\"failed\":true\n");
    expect_notice("summary-unanswered", 1);
    /* late: ignored, without a word; and the next may be asked meanwhile */
    send_one((struct action){.type = ACTION_SUMMARY, .summary = {.look = 10}});
    line("{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"rows\":2}}");
    expect("");
    line("{\"jsonrpc\":\"2.0\",\"id\":4,\"result\":{\"rows\":2}}");
    expect("\"summary_done\",\"look\":10,\"failed\":false\n");
}

static void test_one_summary_at_a_time(void **state)
{
    send_one((struct action){.type = ACTION_SUMMARY, .summary = {.look = 9}});
    send_one((struct action){.type = ACTION_SUMMARY, .summary = {.look = 10}});
    expect_sent("{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"summary\"}\n");
    expect("");
    assert_int_equal(protocol_deadline_us(rig.protocol), 0);
    assert_int_equal(protocol_expire(rig.protocol, rig.now_us), 0);
    expect("\"summary_done\",\"look\":10,\"failed\":true\n");
    assert_int_equal(protocol_deadline_us(rig.protocol), 115 * SECOND);
}

static void test_at_most_4096_conns(void **state)
{
    uint64_t *conns = memory_new(10000, sizeof(*conns));
    struct buffer *out = protocol_output(rig.protocol);
    unsigned lines = 0;

    for (uint64_t i = 0; i < 10000; i++)
        conns[i] = i + 1;
    send_one((struct action){.type = ACTION_PROBE, .probe = {conns, 10000}});
    for (size_t i = 0; i < out->length; i++)
        lines += buffer_bytes(out)[i] == '\n';
    assert_int_equal(lines, 3);
    free(conns);
}

/* The engine answers events with actions: from within the callback. */
static void test_sending_from_an_event(void **state)
{
    const struct action again = {.type = ACTION_MIGRATE, .move = {.request = 1, .conn = 17}};
    unsigned asked = 0;
    const char *text;

    rig.reply = &again;
    for (int id = 3; id < 200; id++) {
        char answer[64];

        snprintf(answer, sizeof(answer), "{\"jsonrpc\":\"2.0\",\"id\":%d,\"result\":{}}\n", id);
        if (id == 3)
            send_one(again);
        assert_int_equal(input(answer), 0);
    }
    buffer_append(protocol_output(rig.protocol), "", 1);
    for (text = buffer_bytes(protocol_output(rig.protocol)); (text = strstr(text, "migrate_peer"));
         text++)
        asked++;
    assert_int_equal(asked, 198);
}

static void test_a_new_connection_begins_anew(void **state)
{
    send_one((struct action){.type = ACTION_MIGRATE, .move = {.request = 1, .conn = 17}});
    assert_int_equal(input("{\"jsonrpc\":\"2.0\",\"meth"), 0);
    protocol_open(rig.protocol, rig.now_us, 5);
    expect_sent(HELLO_LINE);
    assert_int_equal(input("{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{}}\n"), 0);
    expect_notice("unknown-answer", 1);
}

#define CLOSED(test) cmocka_unit_test_setup_teardown(test, setup_closed, teardown)
#define READY(test)  cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLOSED(test_hello),
        CLOSED(test_hello_spoiled),
        CLOSED(test_hello_refused),
        CLOSED(test_hello_of_a_terse_node),
        CLOSED(test_netns),
        CLOSED(test_deadlines),
        CLOSED(test_subscribe_refused),
        CLOSED(test_nothing_is_told_before_hello),
        CLOSED(test_nothing_is_sent_before_hello),
        READY(test_peers),
        READY(test_roles),
        READY(test_nulls_are_absent),
        READY(test_bad_addresses_are_absent),
        READY(test_spoiled_notifications),
        READY(test_names),
        READY(test_reasons_are_bounded),
        READY(test_summaries),
        READY(test_ignored),
        READY(test_notices_are_counted),
        READY(test_fatal),
        READY(test_request_of_the_node),
        READY(test_moves),
        READY(test_where_to_needs_the_feature),
        READY(test_a_reason_of_any_length),
        READY(test_answers),
        READY(test_spoiled_answers),
        READY(test_an_unreadable_new_address),
        READY(test_answers_in_any_order_and_once),
        READY(test_summary),
        READY(test_summary_given_up),
        READY(test_one_summary_at_a_time),
        READY(test_at_most_4096_conns),
        READY(test_sending_from_an_event),
        READY(test_a_new_connection_begins_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
