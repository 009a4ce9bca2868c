/* SPDX-License-Identifier: Apache-2.0 */
/* node/asked.[ch]: each id is answered once, and the memory of it is bounded. */
#include "check.h"

#include "node/asked.h"

static void test_once(void **state)
{
    struct asked asked = {0};
    uint64_t number = 0;

    assert_int_equal(asked_add(&asked, 0, 0, ASKED_HELLO, 0), 1);
    assert_int_equal(asked_add(&asked, 0, 0, ASKED_MIGRATE, 77), 2);
    assert_int_equal(asked_take(&asked, 2, &number), ASKED_MIGRATE);
    assert_int_equal(number, 77);
    assert_int_equal(asked_take(&asked, 2, &number), ASKED_NOTHING);
    assert_int_equal(asked_take(&asked, 1, &number), ASKED_HELLO);
    assert_int_equal(asked_take(&asked, 1, &number), ASKED_NOTHING);
    assert_int_equal(asked_take(&asked, 3, &number), ASKED_NOTHING);
    assert_int_equal(asked_take(&asked, 0, &number), ASKED_NOTHING);
    assert_int_equal(asked_take(&asked, -1, &number), ASKED_NOTHING);
    assert_int_equal(asked_take(&asked, INT64_MAX, &number), ASKED_NOTHING);
    assert_int_equal(asked_add(&asked, 0, 0, ASKED_PROBE, 0), 3);
    asked_clear(&asked);
    assert_int_equal(asked_add(&asked, 0, 0, ASKED_HELLO, 0), 1);
    asked_clear(&asked);
}

static void test_given_up(void **state)
{
    struct asked asked = {0};
    uint64_t number;
    uint64_t id = asked_add(&asked, 0, 0, ASKED_SUMMARY, 5);

    asked_give_up(&asked, id);
    asked_give_up(&asked, id + 1);
    assert_int_equal(asked_take(&asked, (int64_t)id, &number), ASKED_GIVEN_UP);
    assert_int_equal(asked_take(&asked, (int64_t)id, &number), ASKED_NOTHING);
    asked_clear(&asked);
}

static void test_any_order(void **state)
{
    struct asked asked = {0};
    const uint64_t count = 100000;
    uint64_t number;

    for (uint64_t i = 1; i <= count; i++)
        assert_int_equal(asked_add(&asked, 0, 0, ASKED_MIGRATE, 3 * i), i);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t id = 1 + i * 7919 % count; /* 7919 is prime: each once */

        assert_int_equal(asked_take(&asked, (int64_t)id, &number), ASKED_MIGRATE);
        assert_int_equal(number, 3 * id);
    }
    assert_int_equal(asked.count, 0);
    assert_null(asked.ring); /* the storm left nothing behind */
    asked_clear(&asked);
}

/* One request that is never answered does not make the ring grow for ever. */
static void test_late_ones_are_bounded(void **state)
{
    struct asked asked = {0};
    uint64_t number, id = 0;

    asked_add(&asked, 0, 1000000, ASKED_MIGRATE, 1);
    for (uint64_t i = 0; i < 4 * ASKED_LATE_MAX; i++) {
        id = asked_add(&asked, 10000000, 20000000, ASKED_SUMMARY, i);
        assert_int_equal(asked_take(&asked, (int64_t)id, &number), ASKED_SUMMARY);
        assert_true(asked.count <= ASKED_LATE_MAX);
    }
    assert_int_equal(asked_take(&asked, 1, &number), ASKED_NOTHING);
    asked_clear(&asked);
}

/* What is still waited for is kept much longer, but not without end either. */
static void test_open_ones_are_kept(void **state)
{
    struct asked asked = {0};
    uint64_t number;

    for (uint64_t i = 0; i < ASKED_MAX + 10; i++)
        asked_add(&asked, 0, 5000000, ASKED_MIGRATE, i);
    assert_int_equal(asked.count, ASKED_MAX);
    assert_int_equal(asked_take(&asked, 10, &number), ASKED_NOTHING);
    assert_int_equal(asked_take(&asked, 11, &number), ASKED_MIGRATE);
    assert_int_equal(number, 10);
    asked_clear(&asked);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_once),
        cmocka_unit_test(test_given_up),
        cmocka_unit_test(test_any_order),
        cmocka_unit_test(test_late_ones_are_bounded),
        cmocka_unit_test(test_open_ones_are_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
