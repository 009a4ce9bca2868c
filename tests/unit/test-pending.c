/* SPDX-License-Identifier: Apache-2.0 */
/* node/asked.[ch]: each id is answered once, and the memory of it is bounded. */
#include "check.h"

#include "node/pending.h"

static void test_once(void **state)
{
    struct pending pending = {0};
    uint64_t number = 0;

    assert_int_equal(pending_add(&pending, 0, 0, PENDING_HELLO, 0), 1);
    assert_int_equal(pending_add(&pending, 0, 0, PENDING_MIGRATE, 77), 2);
    assert_int_equal(pending_take(&pending, 2, &number), PENDING_MIGRATE);
    assert_int_equal(number, 77);
    assert_int_equal(pending_take(&pending, 2, &number), PENDING_NOTHING);
    assert_int_equal(pending_take(&pending, 1, &number), PENDING_HELLO);
    assert_int_equal(pending_take(&pending, 1, &number), PENDING_NOTHING);
    assert_int_equal(pending_take(&pending, 3, &number), PENDING_NOTHING);
    assert_int_equal(pending_take(&pending, 0, &number), PENDING_NOTHING);
    assert_int_equal(pending_take(&pending, -1, &number), PENDING_NOTHING);
    assert_int_equal(pending_take(&pending, INT64_MAX, &number), PENDING_NOTHING);
    assert_int_equal(pending_add(&pending, 0, 0, PENDING_PROBE, 0), 3);
    pending_clear(&pending);
    assert_int_equal(pending_add(&pending, 0, 0, PENDING_HELLO, 0), 1);
    pending_clear(&pending);
}

static void test_given_up(void **state)
{
    struct pending pending = {0};
    uint64_t number;
    uint64_t id = pending_add(&pending, 0, 0, PENDING_SUMMARY, 5);

    pending_give_up(&pending, id);
    pending_give_up(&pending, id + 1);
    assert_int_equal(pending_take(&pending, (int64_t)id, &number), PENDING_GIVEN_UP);
    assert_int_equal(pending_take(&pending, (int64_t)id, &number), PENDING_NOTHING);
    id = pending_add(&pending, 0, 0, PENDING_PROBE_PATH, 6);
    pending_give_up(&pending, id);
    assert_int_equal(pending_take(&pending, (int64_t)id, &number), PENDING_GIVEN_UP);
    id = pending_add(&pending, 0, 0, PENDING_MIGRATE, 7);
    pending_give_up(&pending, id); /* its answer is still learnt from */
    assert_int_equal(pending_take(&pending, (int64_t)id, &number), PENDING_MIGRATE);
    pending_clear(&pending);
}

static void test_any_order(void **state)
{
    struct pending pending = {0};
    const uint64_t count = 100000;
    uint64_t number;

    for (uint64_t i = 1; i <= count; i++)
        assert_int_equal(pending_add(&pending, 0, 0, PENDING_MIGRATE, 3 * i), i);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t id = 1 + i * 7919 % count; /* 7919 is prime: each once */

        assert_int_equal(pending_take(&pending, (int64_t)id, &number), PENDING_MIGRATE);
        assert_int_equal(number, 3 * id);
    }
    assert_int_equal(pending.ids.count, 0);
    assert_null(pending.ids.entries); /* the storm left nothing behind */
    pending_clear(&pending);
}

/* One request that is never answered does not make the ring grow for ever. */
static void test_late_ones_are_bounded(void **state)
{
    struct pending pending = {0};
    uint64_t number, id = 0;

    pending_add(&pending, 0, 1000000, PENDING_MIGRATE, 1);
    for (uint64_t i = 0; i < 4 * PENDING_LATE_MAX; i++) {
        id = pending_add(&pending, 10000000, 20000000, PENDING_SUMMARY, i);
        assert_int_equal(pending_take(&pending, (int64_t)id, &number), PENDING_SUMMARY);
        assert_true(pending.ids.count <= PENDING_LATE_MAX);
    }
    assert_int_equal(pending_take(&pending, 1, &number), PENDING_NOTHING);
    pending_clear(&pending);
}

/* What is still waited for is kept much longer, but not without end either. */
static void test_open_ones_are_kept(void **state)
{
    struct pending pending = {0};
    uint64_t number;

    for (uint64_t i = 0; i < PENDING_MAX + 10; i++)
        pending_add(&pending, 0, 5000000, PENDING_MIGRATE, i);
    assert_int_equal(pending.ids.count, PENDING_MAX);
    assert_int_equal(pending_take(&pending, 10, &number), PENDING_NOTHING);
    assert_int_equal(pending_take(&pending, 11, &number), PENDING_MIGRATE);
    assert_int_equal(number, 10);
    pending_clear(&pending);
}

/* Moves by the engine's number: among other requests, answered ones, and forgotten ones. */
static void test_move_id(void **state)
{
    struct pending pending = {0};
    uint64_t taken;

    (void)state;
    assert_int_equal(pending_move_id(&pending, 1), 0);
    for (uint64_t number = 500; number < 1500; number++) {
        pending_add(&pending, 0, 0, PENDING_SUMMARY, number + 3);
        pending_add(&pending, 0, 0, number % 3 ? PENDING_MIGRATE : PENDING_RECONNECT, number);
        if (number % 7 == 0)
            pending_add(&pending, 0, 0, PENDING_PROBE_PATH, number + 1);
    }
    for (uint64_t number = 500; number < 1500; number++) {
        uint64_t id = pending_move_id(&pending, number);

        assert_int_equal(pending_take(&pending, (int64_t)id, &taken),
                         number % 3 ? PENDING_MIGRATE : PENDING_RECONNECT);
        assert_int_equal(taken, number);
        assert_int_equal(pending_move_id(&pending, number), 0);
    }
    assert_int_equal(pending_move_id(&pending, 499), 0);
    assert_int_equal(pending_move_id(&pending, 1500), 0);
    pending_clear(&pending);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_once),
        cmocka_unit_test(test_given_up),
        cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_move_id),
        cmocka_unit_test(test_late_ones_are_bounded),
        cmocka_unit_test(test_open_ones_are_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
