/* SPDX-License-Identifier: Apache-2.0 */
/* plugins/relay/rules.c: the Pilot Protocol's rules, each by its name. */
#include "check.h"

#include "relay/rules.h"

#include <errno.h>

#define SECOND 1000000ull

static const struct relay_limits limits = {
    .flip_after = 3, .clear_after = 3, .max_silence_us = 8 * SECOND, .max_relayed = 4096};

static void test_blackhole_is_silence_strictly_above_8_s(void **state)
{
    struct relay_counts counts = {0};

    for (int i = 0; i < 10; i++)
        assert_false(relay_miss(&counts, &limits, 8 * SECOND, true));
    assert_int_equal(counts.misses, 0);
    assert_false(relay_miss(&counts, &limits, 8 * SECOND + 1, true));
    assert_int_equal(counts.misses, 1);
}

static void test_blackhole_third_miss_flips_and_misses_are_0(void **state)
{
    struct relay_counts counts = {0};

    assert_false(relay_miss(&counts, &limits, 9 * SECOND, true));
    assert_false(relay_miss(&counts, &limits, 9 * SECOND, true));
    assert_true(relay_miss(&counts, &limits, 9 * SECOND, true));
    assert_int_equal(counts.misses, 0);
    assert_false(relay_miss(&counts, &limits, 9 * SECOND, true)); /* it begins anew */
}

static void test_blackhole_without_a_beacon_nothing(void **state)
{
    struct relay_counts counts = {0};

    for (int i = 0; i < 10; i++)
        assert_false(relay_miss(&counts, &limits, 100 * SECOND, false));
    assert_int_equal(counts.misses, 0);
}

/* A row that is not silent enough is no receipt: what was counted stays. */
static void test_miss_reset_by_receipt_flip_and_another_way_only(void **state)
{
    struct relay_counts counts = {0};

    assert_false(relay_miss(&counts, &limits, 9 * SECOND, true));
    assert_false(relay_miss(&counts, &limits, 1 * SECOND, true));
    assert_int_equal(counts.misses, 1);
    relay_receipt(&counts);
    assert_int_equal(counts.misses, 0);
    assert_false(relay_miss(&counts, &limits, 9 * SECOND, true));
    relay_way(&counts, true);
    assert_int_equal(counts.misses, 0);
    assert_true(counts.relayed);
}

static void test_send_error_counts_three_kinds_only(void **state)
{
    static const int others[] = {EAGAIN, ENOBUFS, EPERM, EMSGSIZE, EACCES, EINVAL, 0};

    assert_true(relay_error_counts(ECONNREFUSED));
    assert_true(relay_error_counts(EHOSTUNREACH));
    assert_true(relay_error_counts(ENETUNREACH));
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_false(relay_error_counts(others[i]));
}

static void test_send_error_third_flips_and_a_receipt_resets(void **state)
{
    struct relay_counts counts = {0};

    assert_false(relay_send_errors(&counts, &limits, 2, true));
    assert_false(relay_send_errors(&counts, &limits, 0, true)); /* neither counts nor resets */
    assert_int_equal(counts.errors, 2);
    relay_receipt(&counts);
    assert_int_equal(counts.errors, 0);
    assert_false(relay_send_errors(&counts, &limits, 2, true));
    assert_true(relay_send_errors(&counts, &limits, 1, true));
    assert_int_equal(counts.errors, 0);
    assert_true(relay_send_errors(&counts, &limits, UINT64_MAX, true));
}

static void test_send_errors_saturate_where_there_is_no_way(void **state)
{
    struct relay_counts counts = {0};

    assert_false(relay_send_errors(&counts, &limits, UINT64_MAX, false));
    assert_int_equal(counts.errors, 3);
    assert_false(relay_send_errors(&counts, &limits, 7, false));
    assert_int_equal(counts.errors, 3);
    assert_false(relay_send_errors(&counts, &limits, 0, true)); /* not before the next one */
    assert_true(relay_send_errors(&counts, &limits, 1, true));
}

static void test_clear_needs_three_good_ones_really_in_a_row(void **state)
{
    struct relay_counts counts = {0};

    relay_way(&counts, true);
    assert_false(relay_tried(&counts, &limits, true));
    assert_false(relay_tried(&counts, &limits, true));
    assert_false(relay_tried(&counts, &limits, false)); /* begins anew */
    assert_int_equal(counts.cleared, 0);
    assert_false(relay_tried(&counts, &limits, true));
    assert_false(relay_tried(&counts, &limits, true));
    assert_true(relay_tried(&counts, &limits, true));
    assert_int_equal(counts.cleared, 0);
}

static void test_clear_of_direct_ones_counts_nothing(void **state)
{
    struct relay_counts counts = {0};

    for (int i = 0; i < 10; i++)
        assert_false(relay_tried(&counts, &limits, true));
    assert_int_equal(counts.cleared, 0);
}

static void test_pinned_never_goes_back_by_itself(void **state)
{
    struct relay_counts counts = {.pinned = true};

    relay_way(&counts, true);
    assert_true(counts.pinned); /* the way over a relay does not unpin it */
    for (int i = 0; i < 1000; i++)
        assert_false(relay_tried(&counts, &limits, true));
    relay_way(&counts, false); /* somebody else has moved it */
    assert_false(counts.pinned);
    assert_int_equal(counts.rule, RELAY_RULE_NODE);
}

static void test_cap_of_4096(void **state)
{
    assert_true(relay_has_room(&limits, 0));
    assert_true(relay_has_room(&limits, 4095));
    assert_false(relay_has_room(&limits, 4096));
    assert_false(relay_has_room(&limits, UINT64_MAX));
}

/* The largest limits that the options allow. */
static void test_large_limits(void **state)
{
    const struct relay_limits large = {.flip_after = 1000, .clear_after = 1000};
    struct relay_counts counts = {0};

    for (int i = 0; i < 999; i++)
        assert_false(relay_miss(&counts, &large, 1, true));
    assert_true(relay_miss(&counts, &large, 1, true));
    assert_false(relay_send_errors(&counts, &large, 999, true));
    assert_true(relay_send_errors(&counts, &large, 1, true));
    relay_way(&counts, true);
    for (int i = 0; i < 999; i++)
        assert_false(relay_tried(&counts, &large, true));
    assert_true(relay_tried(&counts, &large, true));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_blackhole_is_silence_strictly_above_8_s),
        cmocka_unit_test(test_blackhole_third_miss_flips_and_misses_are_0),
        cmocka_unit_test(test_blackhole_without_a_beacon_nothing),
        cmocka_unit_test(test_miss_reset_by_receipt_flip_and_another_way_only),
        cmocka_unit_test(test_send_error_counts_three_kinds_only),
        cmocka_unit_test(test_send_error_third_flips_and_a_receipt_resets),
        cmocka_unit_test(test_send_errors_saturate_where_there_is_no_way),
        cmocka_unit_test(test_clear_needs_three_good_ones_really_in_a_row),
        cmocka_unit_test(test_clear_of_direct_ones_counts_nothing),
        cmocka_unit_test(test_pinned_never_goes_back_by_itself),
        cmocka_unit_test(test_cap_of_4096),
        cmocka_unit_test(test_large_limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
