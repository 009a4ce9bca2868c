/* SPDX-License-Identifier: Apache-2.0 */
/* node/protocol.[ch]: every number that a node can send, with every value that is none for it. */
#include "protocol-rig.h"

/* Large and small, whole and not; the last is beyond what 64 bits hold. */
static const char *const values[] = {
    "0",
    "-1",
    "1",
    "1.0",
    "1.5",
    "1e2",
    "1e308",
    "1e999",
    "9007199254740991",
    "9007199254740992",
    "9007199254740993",
    "-9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551616",
    "\"1\"",
    "true",
    "[1]",
    "{}",
    "null",
};

enum taken { SKIPPED, CLOSES };

/* A line with %s for the number; where it is sent, and which of the values are fine. */
struct member {
    const char *name, *line;
    const char *fine;   /* these are taken, separated by blanks */
    const char *notice; /* of the others */
    enum taken others;
    bool hello, subscribe;   /* answers that */
    const char *unsupported; /* these are another protocol */
};

#define MESSAGE "{\"jsonrpc\":\"2.0\","
static const struct member members[] = {
    {"protocol", MESSAGE "\"id\":1,\"result\":{\"protocol\":%s,\"boot\":\"b\"}}", "1", "bad-hello",
     CLOSES, .hello = true,
     .unsupported = "0 -1 9007199254740991 9007199254740992 9007199254740993 -9007199254740993 "
                    "9223372036854775807"},
    {"max_in_flight",
     MESSAGE "\"id\":1,\"result\":{\"protocol\":1,\"boot\":\"b\",\"max_in_flight\":%s}}",
     "1 9007199254740991 null", "bad-hello", CLOSES, .hello = true},
    {"netns", MESSAGE "\"id\":1,\"result\":{\"protocol\":1,\"boot\":\"b\",\"netns\":%s}}",
     "0 1 9007199254740991 null", "bad-hello", CLOSES, .hello = true},
    {"peers", MESSAGE "\"id\":2,\"result\":{\"peers\":%s}}", "0 1 9007199254740991 null",
     "bad-answer", CLOSES, .subscribe = true},
    {"peer_up", MESSAGE "\"method\":\"peer_up\",\"params\":{\"peer\":\"p\",\"conn\":%s}}",
     "1 9007199254740991", "bad-peer-up", SKIPPED},
    {"peer_down", MESSAGE "\"method\":\"peer_down\",\"params\":{\"conn\":%s}}",
     "1 9007199254740991", "bad-peer-down", SKIPPED},
    {"peer_path", MESSAGE "\"method\":\"peer_path\",\"params\":{\"conn\":%s}}",
     "1 9007199254740991", "bad-peer-path", SKIPPED},
    {"row", MESSAGE "\"method\":\"summaries\",\"params\":{\"columns\":[\"conn\"],\"rows\":[[%s]]}}",
     "1 9007199254740991", "bad-row", SKIPPED},
    {"id", MESSAGE "\"id\":%s,\"result\":{}}", "", NULL, SKIPPED},
};

static bool is_among(const char *value, const char *list)
{
    size_t length = strlen(value);

    for (const char *at = list; at && (at = strstr(at, value)); at += length) {
        if ((at == list || at[-1] == ' ') && (!at[length] || at[length] == ' '))
            return true;
    }
    return false;
}

static void begin(const struct member *member)
{
    protocol_open(rig.protocol, rig.now_us, 0);
    if (!member->hello)
        line("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocol\":1,\"boot\":\"b\"}}");
    if (!member->hello && !member->subscribe)
        line("{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":{\"peers\":0}}");
    buffer_take(&rig.reported, rig.reported.length);
    rig.now_us += 61 * SECOND; /* each notice once a minute */
}

static void test_members(void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
        for (size_t n = 0; n < ARRAY_SIZE(values); n++) {
            const struct member *member = &members[i];
            bool fine = is_among(values[n], member->fine);
            bool other = is_among(values[n], member->unsupported);
            char text[512];
            int wanted = fine || member->others == SKIPPED ? 0 : other ? -EPROTONOSUPPORT : -EPROTO;
            int got;

            begin(member);
            snprintf(text, sizeof(text), member->line, values[n]);
            got = input(text);
            got = got ? got : input("\n");
            if (got != wanted)
                fail_msg("%s of %s: %d", member->name, values[n], got);
            buffer_append(&rig.reported, "", 1);
            if (member->notice &&
                !strstr(buffer_bytes(&rig.reported), member->notice) != (fine || other))
                fail_msg("%s of %s: %s", member->name, values[n], buffer_bytes(&rig.reported));
            if (!member->notice && !strstr(buffer_bytes(&rig.reported), "\"notice\""))
                fail_msg("%s of %s: nothing was said", member->name, values[n]);
            buffer_take(&rig.reported, rig.reported.length);
        }
    }
}

/* A budget that is larger than anybody's counts as the largest. */
static void test_the_largest_budget(void **state)
{
    line("{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"protocol\":1,\"boot\":\"b\","
         "\"max_in_flight\":9007199254740991}}");
    buffer_append(&rig.reported, "", 1);
    assert_non_null(strstr(buffer_bytes(&rig.reported), "\"max_in_flight\":4294967295"));
}

/* No value of a column but a whole one from 0 to 2^53-1 is known; a flag is 0 or 1. By the quick
 * reader, and by the other (a blank before the first row). */
static void test_columns(void **state)
{
    for (size_t n = 0; n < ARRAY_SIZE(values); n++) {
        for (int slow = 0; slow < 2; slow++) {
            bool known = is_among(values[n], "0 1 9007199254740991");
            bool flag = is_among(values[n], "0 1 true");
            char text[512], row[128];

            snprintf(text, sizeof(text),
                     MESSAGE
                     "\"method\":\"summaries\",\"params\":{\"columns\":[\"conn\",\"srtt_us\","
                     "\"congested\"],\"rows\":%s[[7,%s,%s]]}}",
                     slow ? " " : "", values[n], values[n]);
            line(text);
            snprintf(row, sizeof(row), "[7,%s,%s]", known ? values[n] : "null",
                     !flag               ? "null"
                     : *values[n] == 't' ? "1"
                                         : values[n]);
            buffer_append(&rig.reported, "", 1);
            if (!strstr(buffer_bytes(&rig.reported), row))
                fail_msg("%s: %s, not %s", values[n], buffer_bytes(&rig.reported), row);
            buffer_take(&rig.reported, rig.reported.length);
        }
    }
}

/* The numbers of answers to moves: what is none makes the request fail, and it ends. */
static void test_answers(void **state)
{
    uint64_t id = 3;

    for (size_t n = 0; n < ARRAY_SIZE(values); n++) {
        static const char *const codes = "0 -1 1 9007199254740991 9007199254740992 "
                                         "9007199254740993 -9007199254740993 9223372036854775807";
        struct action action = {
            .type = ACTION_RECONNECT,
            .move = {.request = n + 1, .conn = 7, .timeout_ms = 5000, .reason = reason("r")}};
        char text[256];

        send_one(action);
        snprintf(text, sizeof(text), MESSAGE "\"id\":%u,\"result\":{\"conn\":%s}}", (unsigned)id++,
                 values[n]);
        line(text);
        buffer_append(&rig.reported, "", 1);
        if (!strstr(buffer_bytes(&rig.reported), "\"spoiled\":true") !=
            is_among(values[n], "1 9007199254740991"))
            fail_msg("conn %s: %s", values[n], buffer_bytes(&rig.reported));
        buffer_take(&rig.reported, rig.reported.length);

        send_one(action);
        snprintf(text, sizeof(text), MESSAGE "\"id\":%u,\"error\":{\"code\":%s}}", (unsigned)id++,
                 values[n]);
        line(text);
        buffer_append(&rig.reported, "", 1);
        if (!strstr(buffer_bytes(&rig.reported), "\"spoiled\":true") != is_among(values[n], codes))
            fail_msg("code %s: %s", values[n], buffer_bytes(&rig.reported));
        buffer_take(&rig.reported, rig.reported.length);
        free((void *)action.move.reason);
        rig.now_us += 61 * SECOND;
    }
}

/* The time of a path is whole, and no longer than the node had for its answer. */
static void test_times_of_paths(void **state)
{
    uint64_t id = 3;

    for (size_t n = 0; n < ARRAY_SIZE(values); n++) {
        char text[256];

        send_one((struct action){.type = ACTION_PROBE_PATH, .probe_path = {n + 1, 7, "up1", 5000}});
        snprintf(text, sizeof(text), MESSAGE "\"id\":%u,\"result\":{\"rtt_us\":%s}}",
                 (unsigned)id++, values[n]);
        line(text);
        buffer_append(&rig.reported, "", 1);
        if (!strstr(buffer_bytes(&rig.reported), "\"ok\":true") == is_among(values[n], "0 1"))
            fail_msg("rtt_us %s: %s", values[n], buffer_bytes(&rig.reported));
        if (!strstr(buffer_bytes(&rig.reported), "bad-answer") != is_among(values[n], "0 1"))
            fail_msg("rtt_us %s: %s", values[n], buffer_bytes(&rig.reported));
        buffer_take(&rig.reported, rig.reported.length);
        rig.now_us += 61 * SECOND;
        assert_int_equal(protocol_expire(rig.protocol, rig.now_us), 0);
    }
}

/* What a node says of the number of rows is nobody's business. */
static void test_rows_of_a_summary(void **state)
{
    uint64_t id = 3;

    for (size_t n = 0; n < ARRAY_SIZE(values); n++) {
        char text[256];

        send_one((struct action){.type = ACTION_SUMMARY, .summary = {.poll = n + 1}});
        snprintf(text, sizeof(text), MESSAGE "\"id\":%u,\"result\":{\"rows\":%s}}", (unsigned)id++,
                 values[n]);
        line(text);
        buffer_append(&rig.reported, "", 1);
        assert_null(strstr(buffer_bytes(&rig.reported), "notice"));
        assert_non_null(strstr(buffer_bytes(&rig.reported), "\"failed\":false"));
        buffer_take(&rig.reported, rig.reported.length);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CLOSED(test_members), CLOSED(test_the_largest_budget), READY(test_columns),
        READY(test_answers),  READY(test_rows_of_a_summary),   READY(test_times_of_paths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
