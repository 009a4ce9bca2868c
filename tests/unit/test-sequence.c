/* SPDX-License-Identifier: Apache-2.0 */
/* Entries by consecutive numbers, against an array that holds all that were ever given. */
#include <stdbool.h>

#include "check.h"
#include "util/sequence.h"

#define MANY 20000u

static uint32_t *find(const struct sequence *sequence, uint64_t number)
{
    return sequence_find(sequence, number, sizeof(uint32_t));
}

/* Adds and drops at random, in waves that make it large and empty again. */
static void as_an_array(void **state)
{
    struct sequence sequence = {0};
    uint64_t added = 0, dropped = 0;
    unsigned seed = 3, steps = 0;

    (void)state;
    while (added < MANY) {
        bool grows =
            steps++ / 12000 % 2 == 0; /* 12 000 steps up to about 9 000 entries, then down */

        if (rand_r(&seed) % 8 < (grows ? 7 : 2) || added == dropped) {
            uint32_t *entry = sequence_add(&sequence, sizeof(*entry));

            assert_int_equal(*entry, 0);
            *entry = (uint32_t)++added * 7;
        } else {
            sequence_drop(&sequence);
            dropped++;
        }
        assert_int_equal(sequence_last(&sequence), added);
        assert_int_equal(sequence.count, added - dropped);
        assert_null(find(&sequence, dropped));
        assert_null(find(&sequence, added + 1));
        if (added != dropped) {
            uint64_t some = dropped + 1 + (uint64_t)rand_r(&seed) % (added - dropped);

            assert_int_equal(*find(&sequence, some), some * 7);
            assert_int_equal(*find(&sequence, dropped + 1), (dropped + 1) * 7);
        }
    }
    while (sequence.count)
        sequence_drop(&sequence);
    assert_null(sequence.entries); /* it was large, and is given back */
    assert_int_equal(sequence_last(&sequence), added);
    sequence_add(&sequence, sizeof(uint32_t));
    assert_non_null(find(&sequence, added + 1));
    sequence_clear(&sequence);
    assert_int_equal(sequence_last(&sequence), 0);
}

static void empty(void **state)
{
    struct sequence sequence = {0};

    (void)state;
    assert_int_equal(sequence_last(&sequence), 0);
    assert_null(find(&sequence, 0));
    assert_null(find(&sequence, 1));
    sequence_clear(&sequence);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(as_an_array),
        cmocka_unit_test(empty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
