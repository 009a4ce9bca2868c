/* SPDX-License-Identifier: Apache-2.0 */
/* The ring of requests: open ones are never lost, ended ones are kept a while. */
#include "check.h"
#include "engine/state.h"

static void numbers(void **state)
{
    struct migration migration = {0};
    struct move move = {.conn = 17, .by = BY_RECONNECT};
    uint64_t next = 0;

    (void)state;
    assert_null(request_find(&migration, 0));
    assert_null(request_find(&migration, 1));
    assert_null(requests_next(&migration, &next));
    assert_int_equal(request_new(&migration, &move), 1);
    assert_int_equal(request_new(&migration, &move), 2);
    assert_ptr_equal(request_find(&migration, 2)->move, &move);
    assert_int_equal(request_find(&migration, 2)->conn, 17);
    assert_int_equal(request_find(&migration, 2)->by, BY_RECONNECT);
    assert_null(request_find(&migration, 3));
    request_find(&migration, 1)->move = NULL;
    assert_ptr_equal(requests_next(&migration, &next), &move);
    assert_null(requests_next(&migration, &next));
    request_find(&migration, 1)->conn = 0; /* answered */
    assert_null(request_find(&migration, 1));
    sequence_clear(&migration.requests);
}

/* One is open all the time, and 200000 others end. */
static void a_long_run(void **state)
{
    struct migration migration = {0};
    struct move old = {.conn = 1}, move = {.conn = 2};
    uint64_t next = 0, first;

    (void)state;
    first = request_new(&migration, &old);
    for (unsigned i = 0; i < 100000; i++)
        request_find(&migration, request_new(&migration, &move))->move = NULL;
    assert_ptr_equal(request_find(&migration, first)->move, &old);
    assert_ptr_equal(requests_next(&migration, &next), &old);
    request_find(&migration, first)->move = NULL;
    for (unsigned i = 0; i < 100000; i++)
        request_find(&migration, request_new(&migration, &move))->move = NULL;
    assert_null(request_find(&migration, first)); /* too long ago */
    assert_non_null(request_find(&migration, request_next(&migration) - 65000));
    assert_true(migration.requests.capacity <= 131072 * 2);
    sequence_clear(&migration.requests);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(numbers),
        cmocka_unit_test(a_long_run),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
