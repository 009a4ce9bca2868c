/* SPDX-License-Identifier: Apache-2.0 */
/* node/jsonrpc.[ch]: lines out of bytes, messages out of lines, what is fatal and what is not. */
#include "check.h"

#include <errno.h>

#include "node/jsonrpc.h"

/* ---- lines ---- */

/* All lines of `bytes`, joined by '|', fed in pieces of `step` bytes. */
static char *split(const char *bytes, size_t length, size_t step)
{
    struct lines lines = {0};
    struct buffer out = {0};
    const char *line;
    size_t n;

    for (size_t at = 0; at < length; at += step) {
        /* a copy of its own, so that reading beyond it is seen */
        size_t piece = min_u64(step, length - at);
        char *copy = memory_new(piece, 1);

        memcpy(copy, bytes + at, piece);
        lines_feed(&lines, copy, piece);
        while (lines_next(&lines, &line, &n) == 1) {
            buffer_append(&out, line, n);
            buffer_text(&out, "|");
        }
        free(copy);
    }
    buffer_append(&out, "", 1);
    lines_clear(&lines);
    return out.data;
}

static void test_lines(void **state)
{
    static const char bytes[] = "\n\none\ntwo three\n\n\r\nfour\nno end";

    for (size_t step = 1; step < sizeof(bytes); step++) {
        char *got = split(bytes, sizeof(bytes) - 1, step);

        assert_string_equal(got, "one|two three|\r|four|");
        free(got);
    }
}

/* Returns what lines_next says of a line of `length` bytes, LF not counted. */
static int next_of_length(size_t length, bool ended, size_t step)
{
    struct lines lines = {0};
    char *bytes = memory_new(length + 1, 1);
    const char *line;
    size_t n = 0;
    int r = 0;

    memset(bytes, 'x', length);
    bytes[length] = '\n';
    for (size_t at = 0; at < length + ended && r == 0; at += step) {
        lines_feed(&lines, bytes + at, min_u64(step, length + ended - at));
        r = lines_next(&lines, &line, &n);
    }
    if (r == 1)
        assert_int_equal(n, length);
    lines_clear(&lines);
    free(bytes);
    return r;
}

static void test_length(void **state)
{
    static const size_t steps[] = {SIZE_MAX / 2, 65536, 4097};

    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        assert_int_equal(next_of_length(LINE_MAX_BYTES - 1, true, steps[i]), 1);
        assert_int_equal(next_of_length(LINE_MAX_BYTES, true, steps[i]), -EMSGSIZE);
        assert_int_equal(next_of_length(LINE_MAX_BYTES - 1, false, steps[i]), 0);
        assert_int_equal(next_of_length(LINE_MAX_BYTES, false, steps[i]), -EMSGSIZE);
        assert_int_equal(next_of_length(4 * LINE_MAX_BYTES, false, steps[i]), -EMSGSIZE);
    }
}

/* ---- messages ---- */

static struct message parse(const char *line)
{
    struct message message;
    char why[128];
    int r = message_parse(line, strlen(line), &message, why, sizeof(why));

    if (r != 0)
        fail_msg("%s: %s", line, why);
    return message;
}

static void test_fatal(void **state)
{
    static const char *const lines[] = {
        "rubbish",
        "{",
        "{}x",
        "{} {}",
        "[]",
        "[{}]",
        "\"a\"",
        "17",
        "null",
        "true",
        " ",
        "\r",
        "{'a':1}",
        "{\"a\":1,}",
        "{\"a\":NaN}",
        "{\"a\":\"\x01\"}",
        "{\"a\":\"\x80\"}",
        "{\"a\":\"\xe2\x82\"}",
        "{\"a\":\"\xc0\xaf\"}",
        "{\"a\":\"\xed\xa0\x80\"}",
        "{\"a\":\"\xf4\x90\x80\x80\"}",
        "{\"a\":01}",
        "{\"a\":1.}",
        "{\"a\":1e}",
        "{\"a\":+1}",
        "{\"a\":000000000000000000000000000001}",
        "{\"a\":99999999999999999999999999.}",
        "{\"a\":9999999999999999999999999999e}",
        "{\"a\":\"\\u00\"}",
        "{\"a\":\"\\ud800\"}",
        "{\"a\":9999999999999999999999,\"b\":01}",
    };
    struct message message;
    char why[128];

    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        *why = '\0';
        if (message_parse(lines[i], strlen(lines[i]), &message, why, sizeof(why)) != -EBADMSG)
            fail_msg("%s was taken", lines[i]);
        assert_true(strlen(why) > 5);
    }
    assert_int_equal(message_parse("{}\0", 3, &message, why, sizeof(why)), -EBADMSG);
}

static void test_kinds(void **state)
{
    struct message m = parse("{\"jsonrpc\":\"2.0\",\"method\":\"a\",\"params\":{\"b\":1}}");

    assert_int_equal(m.type, MESSAGE_NOTIFICATION);
    assert_string_equal(m.method, "a");
    assert_true(json_is_object(m.params));
    message_clear(&m);

    m = parse(" {\"method\":\"a\",\"jsonrpc\":\"2.0\"}\r");
    assert_int_equal(m.type, MESSAGE_NOTIFICATION);
    assert_null(m.params);
    message_clear(&m);

    m = parse("{\"jsonrpc\":\"2.0\",\"id\":7,\"result\":null}");
    assert_int_equal(m.type, MESSAGE_RESULT);
    assert_int_equal(m.number, 7);
    assert_true(json_is_null(m.result));
    message_clear(&m);

    m = parse("{\"jsonrpc\":\"2.0\",\"id\":8,\"error\":{\"code\":-32001,\"message\":\"gone\"}}");
    assert_int_equal(m.type, MESSAGE_ERROR);
    assert_int_equal(m.number, 8);
    assert_int_equal(m.code, -32001);
    assert_string_equal(json_string_value(m.error_message), "gone");
    message_clear(&m);

    m = parse("{\"jsonrpc\":\"2.0\",\"id\":8,\"error\":{\"code\":1}}");
    assert_int_equal(m.type, MESSAGE_ERROR);
    assert_null(m.error_message);
    message_clear(&m);

    m = parse("{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"a\"}");
    assert_int_equal(m.type, MESSAGE_REQUEST);
    message_clear(&m);
}

static void test_malformed(void **state)
{
    static const struct {
        const char *line;
        int64_t number;
    } cases[] = {
        {"{}", 0},
        {"{\"jsonrpc\":\"2.0\"}", 0},
        {"{\"jsonrpc\":\"2.0\",\"method\":7}", 0},
        {"{\"jsonrpc\":\"2.0\",\"method\":null,\"id\":3}", 0},
        {"{\"method\":\"a\"}", 0},
        {"{\"jsonrpc\":\"1.0\",\"method\":\"a\"}", 0},
        {"{\"jsonrpc\":2.0,\"method\":\"a\"}", 0},
        {"{\"jsonrpc\":\"2.0\\u0000\",\"method\":\"a\"}", 0},
        {"{\"jsonrpc\":\"2.0\",\"id\":\"3\",\"result\":{}}", 0},
        {"{\"jsonrpc\":\"2.0\",\"id\":3.0,\"result\":{}}", 0},
        {"{\"jsonrpc\":\"2.0\",\"id\":null,\"result\":{}}", 0},
        {"{\"jsonrpc\":\"2.0\",\"id\":99999999999999999999,\"result\":{}}", 0},
        {"{\"jsonrpc\":\"2.0\",\"id\":3}", 3},
        {"{\"id\":3,\"result\":{}}", 3},
        {"{\"jsonrpc\":\"2.0\",\"id\":3,\"result\":{},\"error\":{\"code\":1}}", 3},
        {"{\"jsonrpc\":\"2.0\",\"id\":3,\"error\":7}", 3},
        {"{\"jsonrpc\":\"2.0\",\"id\":3,\"error\":{}}", 3},
        {"{\"jsonrpc\":\"2.0\",\"id\":3,\"error\":{\"code\":\"1\"}}", 3},
        {"{\"jsonrpc\":\"2.0\",\"id\":3,\"error\":{\"code\":1.5}}", 3},
        {"{\"jsonrpc\":\"2.0\",\"id\":3,\"error\":{\"code\":1e400}}", 3},
        {"{\"jsonrpc\":\"2.0\",\"id\":3,\"error\":{\"code\":1,\"message\":2}}", 3},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct message message = parse(cases[i].line);

        if (message.type != MESSAGE_MALFORMED)
            fail_msg("%s was taken", cases[i].line);
        assert_int_equal(message.number, cases[i].number);
        assert_non_null(message.problem);
        message_clear(&message);
    }
}

/* JSON that the parser has no type for spoils a value, not the connection. */
static void test_what_the_parser_cannot_hold(void **state)
{
    struct message m =
        parse("{\"jsonrpc\":\"2.0\",\"method\":\"a\",\"params\":[18446744073709551616,"
              "-99999999999999999999999,1e999,-1E+9999,5,\"1e999\",\"\\\"\\\\\","
              "123456789012345678,0.5]}");

    assert_int_equal(m.type, MESSAGE_NOTIFICATION);
    assert_int_equal(json_array_size(m.params), 9);
    for (size_t i = 0; i < 4; i++)
        assert_true(json_is_real(json_array_get(m.params, i)));
    assert_int_equal(json_integer_value(json_array_get(m.params, 4)), 5);
    assert_string_equal(json_string_value(json_array_get(m.params, 5)), "1e999");
    assert_string_equal(json_string_value(json_array_get(m.params, 6)), "\"\\");
    assert_true(json_integer_value(json_array_get(m.params, 7)) == 123456789012345678);
    message_clear(&m);

    m = parse("{\"jsonrpc\":\"2.0\",\"method\":\"a\",\"\\u0000\":1,\"b\\u0000\":\"\\\\u0000\"}");
    assert_int_equal(m.type, MESSAGE_NOTIFICATION);
    assert_string_equal(json_string_value(json_object_get(m.root, "b\x01")), "\\u0000");
    message_clear(&m);
}

static void test_deep_nesting(void **state)
{
    const size_t depth = 400000;
    char *line = memory_new(2 * depth + 32, 1);
    struct message message;
    char why[128];
    size_t at = (size_t)sprintf(line, "{\"x\":");

    memset(line + at, '[', depth);
    memset(line + at + depth, ']', depth);
    line[at + 2 * depth] = '}';
    assert_int_equal(message_parse(line, at + 2 * depth + 1, &message, why, sizeof(why)), -EBADMSG);
    assert_int_equal(message_parse(line, at + depth, &message, why, sizeof(why)), -EBADMSG);
    free(line);
}

static void test_refuse(void **state)
{
    static const struct {
        const char *id;
        const char *back;
    } cases[] = {
        {"7", "7"},       {"0", "0"},      {"-3", "-3"},          {"\"ab\\\"c\"", "\"ab\\\"c\""},
        {"null", "null"}, {"1.5", "null"}, {"{\"a\":1}", "null"}, {"true", "null"},
    };
    struct buffer out = {0};
    char line[256];

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct message message;

        snprintf(line, sizeof(line), "{\"jsonrpc\":\"2.0\",\"method\":\"x\",\"id\":%s}",
                 cases[i].id);
        message = parse(line);
        assert_int_equal(message.type, MESSAGE_REQUEST);
        message_refuse(&out, &message);
        buffer_append(&out, "", 1);
        snprintf(line, sizeof(line),
                 "{\"jsonrpc\":\"2.0\",\"id\":%s,\"error\":{\"code\":-32601,"
                 "\"message\":\"method not found\"}}\n",
                 cases[i].back);
        assert_string_equal(buffer_bytes(&out), line);
        buffer_take(&out, out.length);
        message_clear(&message);
    }
    buffer_clear(&out);
}

/* They take a hundred times their length in memory: the message is skipped, the connection stays.
 */
static void test_very_many_objects(void **state)
{
    struct buffer line = {0};
    struct message message;
    char why[128];

    buffer_text(&line, "{\"jsonrpc\":\"2.0\",\"method\":\"x\",\"params\":[");
    for (int i = 0; i < 65534; i++)
        buffer_text(&line, i ? ",{}" : "{}");
    buffer_text(&line, "]}");
    assert_int_equal(message_parse(buffer_bytes(&line), line.length, &message, why, sizeof(why)),
                     0);
    assert_int_equal(message.type, MESSAGE_NOTIFICATION);
    message_clear(&message);
    line.length -= 2;
    buffer_text(&line, ",{}]}");
    assert_int_equal(message_parse(buffer_bytes(&line), line.length, &message, why, sizeof(why)),
                     0);
    assert_int_equal(message.type, MESSAGE_MALFORMED);
    assert_int_equal(message.number, 0);
    assert_string_equal(message.problem, "more than 65536 objects and arrays in a line");
    message_clear(&message);
    buffer_clear(&line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_very_many_objects),
        cmocka_unit_test(test_lines),
        cmocka_unit_test(test_length),
        cmocka_unit_test(test_fatal),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_malformed),
        cmocka_unit_test(test_what_the_parser_cannot_hold),
        cmocka_unit_test(test_deep_nesting),
        cmocka_unit_test(test_refuse),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
