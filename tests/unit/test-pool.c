/* SPDX-License-Identifier: Apache-2.0 */
/* The pool: zeroed objects at fixed addresses, and a storm leaves nothing behind. */
#include <stdbool.h>

#include "check.h"
#include "engine/base/pool.h"

struct object {
    uint64_t a, b;
    char c;
};

static bool zero(const struct object *object)
{
    return !object->a && !object->b && !object->c;
}

static void take_and_give(void **state)
{
    struct object *objects[2000];
    struct pool pool;

    (void)state;
    pool_init(&pool, sizeof(struct object));
    assert_int_equal(pool.size % 8, 0);
    for (unsigned round = 0; round < 3; round++) {
        for (size_t i = 0; i < 2000; i++) {
            objects[i] = pool_take(&pool);
            assert_int_equal((uintptr_t)objects[i] % 8, 0);
            assert_true(zero(objects[i]));
            *objects[i] = (struct object){i, ~(uint64_t)i, 'c'};
        }
        assert_int_equal(pool.in_use, 2000);
        for (size_t i = 0; i < 2000; i++)
            assert_int_equal(objects[i]->a, i); /* no two are one */
        for (size_t i = 0; i < 2000; i += 2)
            pool_give(&pool, objects[i]);
        for (size_t i = 0; i < 2000; i += 2) {
            objects[i] = pool_take(&pool);
            assert_true(zero(objects[i]));
            *objects[i] = (struct object){i, i, 'd'};
        }
        for (size_t i = 0; i < 2000; i++)
            pool_give(&pool, objects[i]);
        pool_give(&pool, NULL);
        assert_int_equal(pool.in_use, 0);
        assert_int_equal(pool.n_empty, 1); /* and all else was given back */
    }
    pool_clear(&pool);
}

/* One that stays does not keep the memory of all others. */
static void one_stays(void **state)
{
    struct object *objects[20000];
    struct pool pool;

    (void)state;
    pool_init(&pool, sizeof(struct object));
    for (size_t i = 0; i < 20000; i++)
        objects[i] = pool_take(&pool);
    for (size_t i = 0; i < 20000; i++)
        if (i != 7)
            pool_give(&pool, objects[i]);
    assert_int_equal(pool.in_use, 1);
    assert_true(pool.n_empty <= 1);
    assert_true(zero(objects[7]));
    for (size_t i = 0; i < 20000; i++) /* from the block that has room, first */
        if (i != 7)
            objects[i] = pool_take(&pool);
    assert_int_equal(pool.in_use, 20000);
    pool_clear(&pool);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(take_and_give),
        cmocka_unit_test(one_stays),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
