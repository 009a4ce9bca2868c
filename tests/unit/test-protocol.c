/* SPDX-License-Identifier: Apache-2.0 */
/* node/protocol.[ch]: hello and subscribe, actions → lines, what is overdue. */
#include "protocol-rig.h"

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

static void test_hello_malformed(void **state)
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
        assert_non_null(strstr(protocol_reason(rig.protocol), "malformed"));
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

/* What is shown of a boot may be cut or have marks in it, but two that differ stay
 * different: else the connections of the one would be taken for the other's. */
static void test_boots_that_poll_alike(void **state)
{
    char boots[4][700] = {"a\\u0001", "a\\u0002", "", ""}, text[3000], *reported[4];

    for (size_t i = 2; i < ARRAY_SIZE(boots); i++) {
        memset(boots[i], 'a', 600);
        strcpy(boots[i] + 600, i == 2 ? "b" : "c");
    }
    for (size_t i = 0; i < ARRAY_SIZE(boots); i++) {
        protocol_open(rig.protocol, rig.now_us, 1000);
        snprintf(text, sizeof(text),
                 "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocol\":1,\"boot\":\"%s\"}}",
                 boots[i]);
        line(text);
        buffer_append(&rig.reported, "", 1);
        reported[i] = string_copy(buffer_bytes(&rig.reported));
        buffer_take(&rig.reported, rig.reported.length);
        assert_non_null(strstr(reported[i], "\"node_up\""));
    }
    for (size_t i = 0; i < ARRAY_SIZE(boots); i++)
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(reported[i], reported[j]);
    for (size_t i = 0; i < ARRAY_SIZE(boots); i++)
        free(reported[i]);
}

static void test_netns(void **state)
{
    static const char answer[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocol\":1,"
                                 "\"boot\":\"b\",\"netns\":7}}";

    protocol_free(rig.protocol);
    open_at(8);
    line(answer);
    buffer_append(&rig.reported, "", 1);
    assert_non_null(strstr(buffer_bytes(&rig.reported), "\"node_up\""));
    assert_non_null(
        strstr(buffer_bytes(&rig.reported), "\"level\":\"error\",\"what\":\"netns-mismatch\""));
    buffer_take(&rig.reported, rig.reported.length);
    protocol_free(rig.protocol);
    open_at(7);
    line(answer);
    buffer_append(&rig.reported, "", 1);
    assert_null(strstr(buffer_bytes(&rig.reported), "netns"));
    buffer_take(&rig.reported, rig.reported.length);
}

static void test_deadlines(void **state)
{
    assert_int_equal(protocol_expire(rig.protocol, 110 * SECOND - 1), 0);
    assert_int_equal(protocol_expire(rig.protocol, 110 * SECOND), -ETIMEDOUT);
    assert_non_null(strstr(protocol_reason(rig.protocol), "hello"));
    protocol_open(rig.protocol, rig.now_us, 0);
    line("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocol\":1,\"boot\":\"b\"}}");
    assert_int_equal(protocol_expire(rig.protocol, 110 * SECOND), -ETIMEDOUT);
    assert_non_null(strstr(protocol_reason(rig.protocol), "subscribe within 10 s"));
    protocol_close(rig.protocol);
    assert_true(protocol_deadline_us(rig.protocol) == UINT64_MAX);
    assert_int_equal(protocol_expire(rig.protocol, UINT64_MAX - 1), 0);
}

/* A long list takes its time: what counts is the last peer of it. */
static void test_snapshot_goes_on(void **state)
{
    char text[96];

    line("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocol\":1,\"boot\":\"b\"}}");
    for (int i = 1; i <= 5; i++) {
        rig.now_us += 9 * SECOND;
        assert_int_equal(protocol_expire(rig.protocol, rig.now_us), 0);
        snprintf(text, sizeof(text),
                 "{\"jsonrpc\":\"2.0\",\"method\":\"peer_up\",\"params\":{\"peer\":\"p%d\","
                 "\"conn\":%d}}",
                 i, i);
        line(text);
        assert_true(protocol_deadline_us(rig.protocol) == rig.now_us + 10 * SECOND);
    }
    /* nothing but a good peer_up is a step of it */
    rig.now_us += 9 * SECOND;
    line("{\"jsonrpc\":\"2.0\",\"method\":\"peer_up\",\"params\":{\"peer\":\"p\",\"conn\":0}}");
    line("{\"jsonrpc\":\"2.0\",\"method\":\"peer_down\",\"params\":{\"conn\":1}}");
    line("{\"jsonrpc\":\"2.0\",\"method\":\"x\"}");
    assert_int_equal(protocol_expire(rig.protocol, rig.now_us + SECOND), -ETIMEDOUT);
    assert_string_equal(protocol_reason(rig.protocol),
                        "the node did not complete its answer to subscribe: after 5 peers nothing "
                        "came for 10 s");
    protocol_open(rig.protocol, rig.now_us, 0);
    assert_int_equal(protocol_expire(rig.protocol, rig.now_us + 10 * SECOND), -ETIMEDOUT);
    assert_non_null(strstr(protocol_reason(rig.protocol), "hello"));
}

/* Afterwards a peer that comes up has no time limit. */
static void test_no_deadline_after_the_snapshot(void **state)
{
    line("{\"jsonrpc\":\"2.0\",\"method\":\"peer_up\",\"params\":{\"peer\":\"p\",\"conn\":1}}");
    assert_true(protocol_deadline_us(rig.protocol) == UINT64_MAX);
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

static void test_nothing_is_sent_before_hello(void **state)
{
    expect_sent(HELLO_LINE);
    send_one((struct action){.type = ACTION_SUMMARY});
    expect_sent("");
}

/* ---- summaries asked for ---- */

static void test_summary(void **state)
{
    send_one((struct action){.type = ACTION_SUMMARY, .summary = {.poll = 9}});
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
    send_one((struct action){.type = ACTION_SUMMARY, .summary = {.poll = 9}});
    assert_int_equal(protocol_expire(rig.protocol, 110 * SECOND - 1), 0);
    expect("");
    assert_int_equal(protocol_expire(rig.protocol, 110 * SECOND), 0);
    expect_first("\"summary_done\",\"look\":9,\"failed\":true,\"unanswered\":true\n");
    expect_notice("summary-unanswered", 1);
    /* late: ignored, without a word; and the next may be asked meanwhile */
    send_one((struct action){.type = ACTION_SUMMARY, .summary = {.poll = 10}});
    line("{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"rows\":2}}");
    expect("");
    line("{\"jsonrpc\":\"2.0\",\"id\":4,\"result\":{\"rows\":2}}");
    expect("\"summary_done\",\"look\":10,\"failed\":false\n");
}

static void test_one_summary_at_a_time(void **state)
{
    send_one((struct action){.type = ACTION_SUMMARY, .summary = {.poll = 9}});
    send_one((struct action){.type = ACTION_SUMMARY, .summary = {.poll = 10}});
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLOSED(test_hello),
        CLOSED(test_hello_malformed),
        CLOSED(test_hello_refused),
        CLOSED(test_hello_of_a_terse_node),
        CLOSED(test_boots_that_poll_alike),
        CLOSED(test_netns),
        CLOSED(test_deadlines),
        CLOSED(test_snapshot_goes_on),
        READY(test_no_deadline_after_the_snapshot),
        CLOSED(test_subscribe_refused),
        CLOSED(test_nothing_is_told_before_hello),
        CLOSED(test_nothing_is_sent_before_hello),
        READY(test_summary),
        READY(test_summary_given_up),
        READY(test_one_summary_at_a_time),
        READY(test_at_most_4096_conns),
        READY(test_sending_from_an_event),
        READY(test_a_new_connection_begins_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
