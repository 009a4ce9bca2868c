/* SPDX-License-Identifier: Apache-2.0 */
/* node/path-probes.[ch]: each ends once, by its answer or by its time. */
#include "check.h"

#include "node/path-probes.h"

static void add(struct path_probes *probes, uint64_t id, uint64_t number, uint64_t deadline_us)
{
    path_probes_add(probes, &(struct path_probe){id, number, 0, deadline_us});
}

static void test_answers(void **state)
{
    struct path_probes probes = {0};
    struct path_probe probe;

    (void)state;
    assert_false(path_probes_take(&probes, 1, &probe));
    add(&probes, 1, 71, 500);
    add(&probes, 2, 72, 300);
    add(&probes, 3, 73, 400);
    assert_true(path_probes_take(&probes, 2, &probe));
    assert_int_equal(probe.number, 72);
    assert_false(path_probes_take(&probes, 2, &probe));
    assert_int_equal(path_probes_deadline_us(&probes), 400);
    assert_true(path_probes_take(&probes, 3, &probe));
    assert_true(path_probes_take(&probes, 1, &probe));
    assert_int_equal(probe.number, 71);
    assert_true(path_probes_deadline_us(&probes) == UINT64_MAX);
    path_probes_clear(&probes);
}

/* The oldest first, whatever their times are; those that nobody was asked are never answered. */
static void test_time(void **state)
{
    struct path_probes probes = {0};
    struct path_probe probe;

    (void)state;
    assert_false(path_probes_expire(&probes, UINT64_MAX, &probe));
    add(&probes, 1, 71, 500);
    add(&probes, 2, 72, 600);
    add(&probes, 3, 73, 400);
    add(&probes, 0, 74, 0);
    assert_false(path_probes_take(&probes, 0, &probe));
    assert_int_equal(path_probes_deadline_us(&probes), 0);
    assert_true(path_probes_expire(&probes, 399, &probe));
    assert_int_equal(probe.number, 74);
    assert_int_equal(path_probes_deadline_us(&probes), 400);
    assert_false(path_probes_expire(&probes, 399, &probe));
    assert_true(path_probes_expire(&probes, 599, &probe));
    assert_int_equal(probe.number, 71);
    assert_true(path_probes_expire(&probes, 599, &probe));
    assert_int_equal(probe.number, 73);
    assert_false(path_probes_expire(&probes, 599, &probe));
    assert_int_equal(path_probes_deadline_us(&probes), 600);
    path_probes_clear(&probes);
    assert_false(path_probes_expire(&probes, 600, &probe));
}

static void test_full(void **state)
{
    struct path_probes probes = {0};
    struct path_probe probe;

    (void)state;
    for (uint64_t id = 1; id <= PATH_PROBES_MAX; id++) {
        assert_false(path_probes_are_full(&probes));
        add(&probes, id, 100 + id, 10000 - id);
    }
    assert_true(path_probes_are_full(&probes));
    for (uint64_t i = 0; i < PATH_PROBES_MAX; i++) {
        uint64_t id = 1 + i * 7919 % PATH_PROBES_MAX; /* 7919 is prime: each once */

        assert_true(path_probes_take(&probes, id, &probe));
        assert_int_equal(probe.number, 100 + id);
        assert_int_equal(probe.deadline_us, 10000 - id);
    }
    assert_int_equal(probes.count, 0);
    path_probes_clear(&probes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers),
        cmocka_unit_test(test_time),
        cmocka_unit_test(test_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
