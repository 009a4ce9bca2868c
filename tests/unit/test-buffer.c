/* SPDX-License-Identifier: Apache-2.0 */
/* util/buffer.[ch], util/util.h: bytes in and out, numbers, JSON. */
#include "check.h"

#include <inttypes.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/buffer.h"
#include "util/util.h"

static void assert_buffer(struct buffer *buffer, const char *expected)
{
    assert_int_equal(buffer->length, strlen(expected));
    assert_memory_equal(buffer_bytes(buffer), expected, strlen(expected));
    buffer_take(buffer, buffer->length);
}

static void test_numbers(void **state)
{
    static const uint64_t values[] = {0,   1,     9,          10,        99,
                                      100, 12345, UINT32_MAX, INT64_MAX, UINT64_MAX};
    struct buffer buffer = {0};
    char expected[32];

    for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
        snprintf(expected, sizeof(expected), "%" PRIu64, values[i]);
        buffer_u64(&buffer, values[i]);
        assert_buffer(&buffer, expected);
    }
    buffer_i64(&buffer, INT64_MIN);
    assert_buffer(&buffer, "-9223372036854775808");
    buffer_i64(&buffer, -32003);
    assert_buffer(&buffer, "-32003");
    buffer_clear(&buffer);
}

static void test_json(void **state)
{
    struct buffer buffer = {0};

    buffer_json(&buffer, "", 0);
    assert_buffer(&buffer, "\"\"");
    buffer_json(&buffer, "a\"b\\c\n\t\x01\x7f/", 10);
    assert_buffer(&buffer, "\"a\\\"b\\\\c\\n\\u0009\\u0001\\u007f/\"");
    buffer_json(&buffer, "\xc3\xa9\xf0\x9f\x98\x80", 6);
    assert_buffer(&buffer, "\"\xc3\xa9\xf0\x9f\x98\x80\"");
    buffer_json(&buffer, "a\xff\xc3", 3);
    assert_buffer(&buffer, "\"a\xef\xbf\xbd\xef\xbf\xbd\"");
    /* what may not be shown is a number: U+0085, U+202E, U+FEFF, U+E0041 */
    buffer_json(&buffer, "\xc2\x85\xe2\x80\xae\xef\xbb\xbf\xf3\xa0\x81\x81.", 13);
    assert_buffer(&buffer, "\"\\u0085\\u202e\\ufeff\\udb40\\udc41.\"");
    buffer_json(&buffer, "a\0b", 3);
    assert_buffer(&buffer, "\"a\\u0000b\"");
    buffer_clear(&buffer);
}

/* What is taken from the front is what was put in at the end, in order. */
static void test_in_and_out(void **state)
{
    struct buffer buffer = {0};
    uint32_t in = 0, out = 0, random = 1;

    for (int turn = 0; turn < 20000; turn++) {
        random = random * 1664525u + 1013904223u;
        for (uint32_t n = random >> 28; n; n--, in++)
            buffer_append(&buffer, &in, sizeof(in));
        random = random * 1664525u + 1013904223u;
        for (uint32_t n = random >> 28; n && buffer.length; n--, out++) {
            uint32_t value;

            memcpy(&value, buffer_bytes(&buffer), sizeof(value));
            assert_int_equal(value, out);
            buffer_take(&buffer, sizeof(value));
        }
    }
    assert_int_equal(buffer.length, (in - out) * sizeof(in));
    buffer_clear(&buffer);
}

static void test_a_great_burst_leaves_nothing(void **state)
{
    struct buffer buffer = {0};
    char *bytes = memory_new(1 << 20, 1);

    buffer_append(&buffer, bytes, 1 << 20);
    buffer_take(&buffer, 1);
    assert_non_null(buffer.data);
    buffer_take(&buffer, (1 << 20) - 1);
    assert_null(buffer.data);
    free(bytes);
}

/* Whoever appends does not look at the bound: memory keeps it all the same. */
static void test_limit(void **state)
{
    struct buffer buffer = {.limit = 1000};
    char bytes[600] = "x";

    buffer_append(&buffer, bytes, 600);
    buffer_append(&buffer, bytes, 400);
    assert_false(buffer.overflowed);
    assert_int_equal(buffer.length, 1000);
    buffer_take(&buffer, 999);
    buffer_append(&buffer, bytes, 600); /* what was taken does not count */
    assert_false(buffer.overflowed);
    for (int i = 0; i < 1000; i++) {
        buffer_append(&buffer, bytes, 600);
        assert_true(buffer.overflowed);
        assert_in_range(buffer.length, 0, 1000);
        assert_in_range(buffer.capacity, 0, 2048);
    }
    buffer_take(&buffer, buffer.length);
    assert_true(buffer.overflowed); /* the owner is to see it */
    buffer_clear(&buffer);
    assert_false(buffer.overflowed);
    assert_int_equal(buffer.limit, 1000);
    /* written in place, one byte beyond */
    memset(buffer_space(&buffer, 1001), 'x', 1001);
    buffer_added(&buffer, 1001);
    assert_true(buffer.overflowed);
    buffer_clear(&buffer);
}

/* A process without memory says so, and exits like every failure while running. */
static void test_last_words(void **state)
{
    char words[64] = "";
    int ends[2], status;
    pid_t child;

    assert_int_equal(pipe(ends), 0);
    child = fork();
    if (child == 0) {
        dup2(ends[1], STDERR_FILENO);
        memory_check(NULL);
        _exit(0);
    }
    close(ends[1]);
    assert_true(read(ends[0], words, sizeof(words) - 1) > 0);
    close(ends[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_string_equal(words, "pathdog: out of memory\n");
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),    cmocka_unit_test(test_json),
        cmocka_unit_test(test_in_and_out), cmocka_unit_test(test_a_great_burst_leaves_nothing),
        cmocka_unit_test(test_limit),      cmocka_unit_test(test_last_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
