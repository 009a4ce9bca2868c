/* SPDX-License-Identifier: Apache-2.0 */
/* What is unacknowledged, by hand and against a list of every byte. */
#include "unacked.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#define MS UINT64_C(1000000)

static void expect(const struct unacked *u, uint64_t bytes, uint64_t acked, uint64_t since_ns)
{
    assert_int_equal(u->bytes, bytes);
    assert_int_equal(u->acked, acked);
    assert_int_equal(unacked_since_ns(u), since_ns);
}

static void test_in_order(void **state)
{
    struct unacked u = {0};

    (void)state;
    expect(&u, 0, 0, UINT64_MAX);
    unacked_sent(&u, 100, 100, 5 * MS);
    unacked_sent(&u, 150, 50, 9 * MS);
    expect(&u, 150, 0, 5 * MS);
    unacked_acked(&u, 40);
    expect(&u, 110, 40, 5 * MS);
    unacked_acked(&u, 100);
    expect(&u, 50, 100, 9 * MS);
    unacked_acked(&u, 150);
    expect(&u, 0, 150, UINT64_MAX);
    unacked_acked(&u, 150);
    expect(&u, 0, 150, UINT64_MAX);
}

/* Three bytes between are somebody else's: they are neither counted nor waited for. */
static void test_probes_do_not_count(void **state)
{
    struct unacked u = {0};

    (void)state;
    unacked_sent(&u, 13, 10, 5 * MS); /* the first three are not the application's */
    unacked_sent(&u, 26, 10, 7 * MS);
    expect(&u, 20, 0, 5 * MS);
    unacked_acked(&u, 3);
    expect(&u, 20, 0, 5 * MS);
    unacked_acked(&u, 14);
    expect(&u, 10, 10, 7 * MS);
    unacked_acked(&u, 16);
    expect(&u, 10, 10, 7 * MS);
    unacked_acked(&u, 26);
    expect(&u, 0, 20, UINT64_MAX);
}

/* A write each 2 ms for 20 s, none of it acknowledged: bounded, and the ages stay near. */
static void test_very_many_writes(void **state)
{
    struct unacked u = {0};
    uint64_t end = 0;

    (void)state;
    for (uint64_t i = 0; i < 10000; i++)
        unacked_sent(&u, end += 7, 7, i * 2 * MS);
    assert_true(u.n <= UNACKED_WRITES);
    expect(&u, 70000, 0, 0);
    for (uint64_t i = 0; i < 10000; i++) {
        uint64_t since = unacked_since_ns(&u);

        assert_true(since <= i * 2 * MS);
        assert_true(i * 2 * MS - since <= 20000 * MS / 16);
        unacked_acked(&u, 7 * (i + 1));
        assert_int_equal(u.bytes, 7 * (10000 - i - 1));
        assert_int_equal(u.acked, 7 * (i + 1));
    }
    expect(&u, 0, 70000, UINT64_MAX);
}

/* Against the time and the owner of every byte, with few writes, so that none has to be merged. */
static void test_at_random(void **state)
{
    static uint64_t sent_ns[200000];
    unsigned seed = (unsigned)time(NULL);

    (void)state;
    print_message("seed %u\n", seed);
    for (int round = 0; round < 200; round++) {
        uint64_t end = 0, upto = 0, now = MS, acked = 0;
        struct unacked u = {0};

        for (int i = 0; i < 400; i++) {
            uint64_t other = rand_r(&seed) % 4 ? 0 : 3, bytes = 1 + rand_r(&seed) % 400;
            uint64_t since = UINT64_MAX, left = 0;

            now += 2 * MS;
            if (u.n < UNACKED_WRITES / 2) {
                for (uint64_t n = 0; n < other + bytes; n++)
                    sent_ns[end + n] = n < other ? 0 : now;
                end += other + bytes;
                unacked_sent(&u, end, bytes, now);
            }
            upto += (uint64_t)rand_r(&seed) % 700;
            upto = upto > end ? end : upto;
            unacked_acked(&u, upto);
            for (uint64_t n = upto; n < end; n++) {
                left += sent_ns[n] != 0;
                since = sent_ns[n] && since == UINT64_MAX ? sent_ns[n] : since;
            }
            assert_int_equal(u.bytes, left);
            assert_int_equal(unacked_since_ns(&u), since);
            assert_true(u.acked >= acked);
            acked = u.acked;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_order),
        cmocka_unit_test(test_probes_do_not_count),
        cmocka_unit_test(test_very_many_writes),
        cmocka_unit_test(test_at_random),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
