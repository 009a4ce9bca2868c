/* SPDX-License-Identifier: Apache-2.0 */
#include "moved.h"

#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct flow_tuple numbered(unsigned number)
{
    struct flow_tuple tuple = {.family = number % 2 ? 4 : 6,
                               .protocol = IPPROTO_UDP,
                               .sport = (uint16_t)(number / 2),
                               .dport = 443};

    return tuple;
}

/* The first late one by time, and that the list is the map. */
static void check_late(const struct moved *moved)
{
    size_t count = 0;

    for (const struct moved_flow *flow = moved->late_first; flow; flow = flow->late_next) {
        assert_true(flow->late);
        assert_ptr_equal(moved_late_find(moved, &flow->late_key.tuple), flow);
        assert_true(!flow->late_next || flow->late_next->late_until_us >= flow->late_until_us);
        assert_true(!flow->late_next || flow->late_next->late_previous == flow);
        count++;
    }
    assert_int_equal(count, moved->late.count);
}

/* Against arrays: a thousand flows, random steps. */
static void test_model(void **state)
{
    enum { N = 1000, STEPS = 50000 };
    unsigned seed = 20261129;
    uint64_t key[2] = {1, 2};
    uint8_t present[N] = {0};
    unsigned late[N] = {0}; /* the number of its key, 0: none */
    struct moved moved;
    size_t n_moved = 0, count = 0;

    moved_init(&moved, key);
    for (unsigned step = 0; step < STEPS; step++) {
        unsigned i = (unsigned)rand_r(&seed) % N, what = (unsigned)rand_r(&seed) % 4;
        struct flow_tuple tuple = numbered(i), late_key = numbered(N + step);
        struct moved_flow *flow = moved_get(&moved, &tuple);

        assert_int_equal(flow->present, present[i]);
        assert_int_equal(flow->late, !!late[i]);
        if (what == 0)
            present[i] = (uint8_t)(1 + step % 31);
        else if (what == 1)
            present[i] = 0;
        else if (what == 2) {
            late[i] = N + step;
            moved_late_set(&moved, flow, &late_key, step % 2, step);
        } else {
            late[i] = 0;
            moved_late_clear(&moved, flow);
        }
        moved_set_present(&moved, flow, present[i]);
        moved_drop_idle(&moved, flow);
        assert_int_equal(!!moved_find(&moved, &tuple), present[i] || late[i]);
        if (step % 1000 == 0)
            check_late(&moved);
    }
    for (unsigned i = 0; i < N; i++) {
        struct flow_tuple tuple = numbered(i), late_key = numbered(late[i]);

        n_moved += !!present[i];
        count += present[i] || late[i];
        if (late[i])
            assert_ptr_equal(moved_late_find(&moved, &late_key), moved_find(&moved, &tuple));
    }
    assert_int_equal(moved.n_moved, n_moved);
    for (struct moved_flow *flow = moved_next(&moved, NULL); flow; flow = moved_next(&moved, flow))
        count--;
    assert_int_equal(count, 0);
    check_late(&moved);
    moved_done(&moved);
}

static void test_idle(void **state)
{
    uint64_t key[2] = {1, 2};
    struct flow_tuple tuple = numbered(1);
    struct moved_flow *flow;
    struct moved moved;

    moved_init(&moved, key);
    flow = moved_get(&moved, &tuple);
    flow->dirty = true;
    moved_drop_idle(&moved, flow);
    assert_non_null(moved_find(&moved, &tuple));
    flow->dirty = false;
    flow->wanted = 1;
    moved_drop_idle(&moved, flow);
    assert_non_null(moved_find(&moved, &tuple));
    flow->wanted = 0;
    moved_drop_idle(&moved, flow);
    assert_null(moved_find(&moved, &tuple));
    assert_null(moved_next(&moved, NULL));
    moved_done(&moved);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_model), cmocka_unit_test(test_idle)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
