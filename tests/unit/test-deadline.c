/* SPDX-License-Identifier: Apache-2.0 */
/* The heap of deadlines: against a plain array, at random. */
#include "check.h"
#include "choice.h"
#include "engine/base/deadline.h"
#include "util/util.h"

#define COUNT 200

static void order(void **state)
{
    struct deadlines deadlines = {0};
    struct deadline some[4] = {0};

    (void)state;
    assert_int_equal(deadlines_next(&deadlines), NEVER);
    assert_null(deadlines_take(&deadlines, NEVER));
    deadline_set(&deadlines, &some[0], 30);
    deadline_set(&deadlines, &some[1], 10);
    deadline_set(&deadlines, &some[2], 20);
    deadline_set(&deadlines, &some[3], 5);
    deadline_set(&deadlines, &some[3], 40); /* moved */
    deadline_set(&deadlines, &some[2], NEVER);
    deadline_set(&deadlines, &some[2], NEVER); /* off already */
    assert_int_equal(deadlines_next(&deadlines), 10);
    assert_null(deadlines_take(&deadlines, 9));
    assert_ptr_equal(deadlines_take(&deadlines, 10), &some[1]);
    assert_int_equal(some[1].position, 0);
    assert_ptr_equal(deadlines_take(&deadlines, 100), &some[0]);
    assert_ptr_equal(deadlines_take(&deadlines, 100), &some[3]);
    assert_null(deadlines_take(&deadlines, 100));
    deadlines_clear(&deadlines);
}

/* Of a FIFO only the first is in the heap; leaving it at any place is fine. */
static void fifo(void **state)
{
    struct deadlines deadlines = {0};
    struct fifo fifo = {0};
    struct deadline some[4] = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(some); i++)
        deadline_append(&deadlines, &fifo, &some[i], 10 * (i + 1));
    assert_int_equal(deadlines.count, 1);
    deadline_append(&deadlines, &fifo, &some[1], 35); /* out of order: by itself */
    assert_int_equal(deadlines.count, 2);
    deadline_set(&deadlines, &some[0], NEVER); /* the first goes, the next takes its place */
    assert_int_equal(deadlines_next(&deadlines), 30);
    assert_ptr_equal(deadlines_take(&deadlines, 30), &some[2]);
    assert_ptr_equal(deadlines_take(&deadlines, 40), &some[1]);
    assert_ptr_equal(deadlines_take(&deadlines, 40), &some[3]);
    assert_null(fifo.first);
    assert_null(fifo.last);
    deadlines_clear(&deadlines);
}

static uint64_t least(const uint64_t *at_us)
{
    uint64_t least = NEVER;

    for (size_t i = 0; i < COUNT; i++)
        least = min_u64(least, at_us[i]);
    return least;
}

static void random_steps(void **state)
{
    struct choice choice = choice_seeded(7);
    struct deadlines deadlines = {0};
    struct deadline all[COUNT] = {0};
    struct fifo fifos[2] = {0};
    uint64_t at_us[COUNT];

    (void)state;
    memset(at_us, 0xff, sizeof(at_us));
    for (unsigned step = 0; step < 20000; step++) {
        size_t i = choose(&choice, COUNT);

        switch (choose(&choice, 4)) {
        case 0:
            at_us[i] = NEVER;
            break;
        case 1: {
            struct deadline *first = deadlines_take(&deadlines, NEVER - 1);

            if (!first)
                continue;
            i = (size_t)(first - all);
            assert_int_equal(at_us[i], least(at_us));
            at_us[i] = NEVER;
            assert_int_equal(deadlines_next(&deadlines), least(at_us));
            continue;
        }
        default:
            at_us[i] = choose(&choice, 1000);
            break;
        }
        /* in and out of two FIFOs and the heap, mostly in order, as it is used */
        if (choose(&choice, 2)) {
            if (at_us[i] != NEVER && choose(&choice, 4))
                at_us[i] = step;
            deadline_append(&deadlines, &fifos[choose(&choice, 2)], &all[i], at_us[i]);
        } else {
            deadline_set(&deadlines, &all[i], at_us[i]);
        }
        assert_int_equal(deadline_is_on(&all[i]), at_us[i] != NEVER);
        assert_int_equal(deadlines_next(&deadlines), least(at_us));
    }
    deadlines_clear(&deadlines);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order),
        cmocka_unit_test(fifo),
        cmocka_unit_test(random_steps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
