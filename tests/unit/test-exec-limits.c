/* SPDX-License-Identifier: Apache-2.0 */
/* plugins/exec/limits.c: how much is too much, and the pauses between two runs. */
#include "check.h"

#include "exec/limits.h"

#include "util/util.h"

#define SECOND UINT64_C(1000000)

static void test_pauses_double(void **state)
{
    static const uint64_t seconds[] = {1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300};
    uint64_t backoff_us = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(seconds); i++)
        assert_int_equal(backoff_next(&backoff_us, 10), seconds[i] * SECOND);
    /* not long enough, and long enough */
    assert_int_equal(backoff_next(&backoff_us, BACKOFF_LIVED_US - 1), 300 * SECOND);
    assert_int_equal(backoff_next(&backoff_us, BACKOFF_LIVED_US), SECOND);
    assert_int_equal(backoff_next(&backoff_us, 0), 2 * SECOND);
}

static void test_bytes(void **state)
{
    struct limits limits = {0};

    (void)state;
    assert_true(limits_take_bytes(&limits, SECOND, LIMITS_BYTES));
    assert_false(limits_take_bytes(&limits, SECOND, 1));
    assert_false(limits_take_bytes(&limits, SECOND + LIMITS_WINDOW_US - 1, 1));
    assert_true(limits_take_bytes(&limits, SECOND + LIMITS_WINDOW_US, 1));
    assert_false(limits_take_bytes(&limits, SECOND + LIMITS_WINDOW_US, UINT64_C(1) << 40));
}

static void test_messages(void **state)
{
    struct limits limits = {0};

    (void)state;
    for (unsigned i = 0; i < LIMITS_MESSAGES; i++)
        assert_true(limits_take_message(&limits, 5));
    assert_false(limits_take_message(&limits, 6));
    assert_true(limits_take_message(&limits, 5 + LIMITS_WINDOW_US));
}

static void test_lines(void **state)
{
    struct limits limits = {0};

    (void)state;
    for (unsigned i = 0; i < LIMITS_LINES; i++)
        assert_true(limits_take_line(&limits, 1));
    for (unsigned i = 0; i < 7; i++)
        assert_false(limits_take_line(&limits, SECOND));
    assert_int_equal(limits.lines_left_out, 7);
    assert_true(limits_take_line(&limits, 2 * LIMITS_WINDOW_US));
    assert_int_equal(limits.lines_left_out, 7); /* whoever says it begins it anew */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pauses_double),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_lines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
