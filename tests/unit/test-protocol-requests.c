/* SPDX-License-Identifier: Apache-2.0 */
/* node/protocol.[ch]: requests for moves, their cancelling, and probes of paths. */
#include "protocol-rig.h"

/* ---- requests ---- */

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
        "\"timeout_ms\":5000,\"interface\":\"up1\","
        "\"reason\":\"route \\\"flip\\\"\\n\xef\xbf\xbd\"}}\n"
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

/* Like another but for keep_old is another. Only a reconnect has it. */
static void test_keep_old(void **state)
{
    struct text *why = reason("r");
    const struct action plain = {
        .type = ACTION_RECONNECT,
        .move = {.request = 1, .conn = 17, .timeout_ms = 1, .reason = why}};
    struct action keep = plain, migrate = plain;

    keep.move.keep_old = true;
    migrate.type = ACTION_MIGRATE;
    migrate.move.keep_old = true;
    protocol_send(rig.protocol, rig.now_us, (const struct action[]){plain, keep, migrate}, 3);
    expect_sent(
        "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"reconnect_peer\",\"params\":{\"conn\":17,"
        "\"timeout_ms\":1,\"reason\":\"r\"}}\n"
        "{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"reconnect_peer\",\"params\":{\"conn\":17,"
        "\"timeout_ms\":1,\"keep_old\":true,\"reason\":\"r\"}}\n"
        "{\"jsonrpc\":\"2.0\",\"id\":5,\"method\":\"migrate_peer\",\"params\":{\"conn\":17,"
        "\"timeout_ms\":1,\"reason\":\"r\"}}\n");
    free(why);
}

static void cancel(uint64_t request)
{
    send_one((struct action){.type = ACTION_CANCEL, .cancel = {request}});
}

/* By the id that the request has here, whatever its number is. Its answer is still reported. One
 * that was answered, or is unknown, is not named. */
static void test_cancel(void **state)
{
    for (uint64_t request = 70; request < 73; request++) {
        send_one((struct action){.type = ACTION_PROBE, .probe = {(const uint64_t[]){5}, 1}});
        send_one((struct action){.type = request % 2 ? ACTION_RECONNECT : ACTION_MIGRATE,
                                 .move = {.request = request, .conn = request, .timeout_ms = 1}});
    }
    buffer_take(protocol_output(rig.protocol), protocol_output(rig.protocol)->length);
    cancel(71);
    expect_sent("{\"jsonrpc\":\"2.0\",\"method\":\"cancel\",\"params\":{\"id\":6}}\n");
    line("{\"jsonrpc\":\"2.0\",\"id\":6,\"error\":{\"code\":-32012,\"message\":\"cancelled\"}}");
    expect(
        "\"answer\",\"request\":71,\"ok\":false,\"spoiled\":false,\"validated\":false,\"conn\":0,"
        "\"code\":-32012,\"message\":\"cancelled\"\n");
    cancel(71);
    cancel(69);
    cancel(73);
    expect_sent("");
    cancel(72);
    expect_sent("{\"jsonrpc\":\"2.0\",\"method\":\"cancel\",\"params\":{\"id\":8}}\n");
    protocol_open(rig.protocol, rig.now_us,
                  0); /* another connection: nothing of it is open there */
    line("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocol\":1,\"boot\":\"b\"}}");
    expect_sent(HELLO_LINE SUBSCRIBE_LINE);
    cancel(70);
    expect_sent("");
}

static void test_where_to_needs_the_feature(void **state)
{
    struct text *why = reason("r");

    protocol_open(rig.protocol, rig.now_us, 0);
    line("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocol\":1,\"boot\":\"b\"}}");
    expect_sent(HELLO_LINE SUBSCRIBE_LINE);
    send_one((struct action){.type = ACTION_MIGRATE,
                             .move = {.request = 9,
                                      .conn = 5,
                                      .timeout_ms = 1,
                                      .reason = why,
                                      .interface = "x",
                                      .local = "y",
                                      .via = "z"}});
    send_one((struct action){.type = ACTION_PROBE, .probe = {(const uint64_t[]){5}, 1}});
    send_one((struct action){.type = ACTION_RECONNECT,
                             .move = {.conn = 6,
                                      .timeout_ms = 1,
                                      .reason = why,
                                      .interface = "x",
                                      .local = "y",
                                      .keep_old = true}});
    cancel(9);
    expect_sent(
        "{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"migrate_peer\",\"params\":{\"conn\":5,"
        "\"timeout_ms\":1,\"reason\":\"r\"}}\n"
        "{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"reconnect_peer\",\"params\":{\"conn\":6,"
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

/* ---- probes of paths ---- */

static void probe_path(uint64_t probe, uint64_t conn, const char *interface)
{
    send_one(
        (struct action){.type = ACTION_PROBE_PATH, .probe_path = {probe, conn, interface, 300}});
}

#define FAILED(probe) "\"probed\",\"probe\":" probe ",\"ok\":false,\"rtt_us\":0,\"code\":0\n"

static void test_probe_path(void **state)
{
    char interface[] = "up\"1";

    probe_path(7, 17, interface);
    memset(interface, 'x', sizeof(interface) - 1); /* nothing points to it any more */
    probe_path(8, 18, NULL);
    expect_sent("{\"jsonrpc\":\"2.0\",\"id\":3,\"method\":\"probe_path\",\"params\":{\"conn\":17,"
                "\"timeout_ms\":300,\"interface\":\"up\\\"1\"}}\n"
                "{\"jsonrpc\":\"2.0\",\"id\":4,\"method\":\"probe_path\",\"params\":{\"conn\":18,"
                "\"timeout_ms\":300}}\n");
    expect("");
    line("{\"jsonrpc\":\"2.0\",\"id\":4,\"result\":{\"rtt_us\":41200}}");
    line("{\"jsonrpc\":\"2.0\",\"id\":3,\"error\":{\"code\":-32007,\"message\":\"no_path\"}}");
    expect("\"probed\",\"probe\":8,\"ok\":true,\"rtt_us\":41200,\"code\":0\n"
           "\"probed\",\"probe\":7,\"ok\":false,\"rtt_us\":0,\"code\":-32007,"
           "\"message\":\"no_path\"\n");
    line("{\"jsonrpc\":\"2.0\",\"id\":4,\"result\":{\"rtt_us\":41200}}");
    expect_notice("unknown-answer", 1);
    assert_true(protocol_deadline_us(rig.protocol) == UINT64_MAX);
}

/* Its time and a second; what comes later changes nothing. */
static void test_probe_path_unanswered(void **state)
{
    probe_path(7, 17, "up1");
    rig.now_us += SECOND;
    probe_path(8, 17, "up2");
    assert_int_equal(protocol_deadline_us(rig.protocol), 101300000);
    assert_int_equal(protocol_expire(rig.protocol, 101299999), 0);
    expect("");
    assert_int_equal(protocol_expire(rig.protocol, 101300000), 0);
    expect_first(FAILED("7"));
    expect_notice("probe-path-unanswered", 1);
    assert_int_equal(protocol_deadline_us(rig.protocol), 102300000);
    line("{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"rtt_us\":1}}");
    expect("");
    line("{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"rtt_us\":1}}");
    expect_notice("unknown-answer", 1);
    line("{\"jsonrpc\":\"2.0\",\"id\":4,\"result\":{\"rtt_us\":1}}");
    expect("\"probed\",\"probe\":8,\"ok\":true,\"rtt_us\":1,\"code\":0\n");
    assert_int_equal(protocol_expire(rig.protocol, 200 * SECOND), 0);
    expect("");
}

/* It is not sent, and fails in a turn of its own. */
static void test_probe_path_needs_the_feature(void **state)
{
    protocol_open(rig.protocol, rig.now_us, 0);
    line("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocol\":1,\"boot\":\"b\"}}");
    line("{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"peers\":0}}");
    expect_sent(HELLO_LINE SUBSCRIBE_LINE);
    buffer_take(&rig.reported, rig.reported.length);
    probe_path(7, 17, "up1");
    expect_sent("");
    expect("");
    assert_int_equal(protocol_deadline_us(rig.protocol), 0);
    assert_int_equal(protocol_expire(rig.protocol, rig.now_us), 0);
    expect(FAILED("7"));
    assert_true(protocol_deadline_us(rig.protocol) == UINT64_MAX);
}

/* One more than may be open fails at once, and an event that leads to the next does not keep
 * protocol_expire() for ever. */
static void test_probe_paths_are_bounded(void **state)
{
    const struct action again = {.type = ACTION_PROBE_PATH, .probe_path = {5000, 17, "up1", 300}};
    struct buffer *out = protocol_output(rig.protocol);

    for (uint64_t probe = 1; probe <= 1024; probe++)
        probe_path(probe, 17, "up1");
    buffer_take(out, out->length);
    probe_path(1025, 17, "up1");
    expect_sent("");
    rig.reply = &again;
    assert_int_equal(protocol_expire(rig.protocol, rig.now_us), 0);
    rig.reply = NULL;
    expect_first(FAILED("1025") FAILED("5000"));
    buffer_take(&rig.reported, rig.reported.length);
    line("{\"jsonrpc\":\"2.0\",\"id\":1000,\"error\":{\"code\":-32004}}");
    expect("\"probed\",\"probe\":998,\"ok\":false,\"rtt_us\":0,\"code\":-32004\n");
}

/* EVENT_NODE_DOWN ends those that are open. */
static void test_probe_path_ends_with_the_connection(void **state)
{
    probe_path(7, 17, "up1");
    protocol_close(rig.protocol);
    assert_true(protocol_deadline_us(rig.protocol) == UINT64_MAX);
    assert_int_equal(protocol_expire(rig.protocol, 200 * SECOND), 0);
    protocol_open(rig.protocol, rig.now_us, 5);
    expect_sent(HELLO_LINE);
    line("{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{\"rtt_us\":1}}");
    expect_notice("unknown-answer", 1);
    assert_int_equal(protocol_deadline_us(rig.protocol), 110 * SECOND);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        READY(test_moves),
        READY(test_keep_old),
        READY(test_cancel),
        READY(test_where_to_needs_the_feature),
        READY(test_a_reason_of_any_length),
        READY(test_probe_path),
        READY(test_probe_path_unanswered),
        READY(test_probe_path_needs_the_feature),
        READY(test_probe_paths_are_bounded),
        READY(test_probe_path_ends_with_the_connection),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
