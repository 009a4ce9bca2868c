/* SPDX-License-Identifier: Apache-2.0 */
/* Rows that a node pushes: what goes, how often, and to whom. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node-kit-fixture.h"

#include <errno.h>
#include <string.h>
#include <time.h>

static uint64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

static int push(struct fixture *f, uint64_t conn)
{
    uint64_t row[PATHDOG_NODE_N_COLUMNS];

    pathdog_node_row_init(row, conn);
    row[PATHDOG_NODE_SILENT_MS] = 700;
    return pathdog_node_push(f->kit, row);
}

/* The rows of the next line, each of them of `conn`, or of any with 0. */
static size_t expect_rows(struct fixture *f, uint64_t conn)
{
    json_t *m = kit_get(f), *rows, *row;
    size_t i, n;

    assert_non_null(m);
    assert_string_equal(json_string_value(json_object_get(m, "method")), "summaries");
    rows = json_object_get(json_object_get(m, "params"), "rows");
    n = json_array_size(rows);
    json_array_foreach(rows, i, row) if (conn)
        assert_int_equal(json_integer_value(json_array_get(row, 0)), conn);
    json_decref(m);
    return n;
}

static void test_a_line_each(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(push(f, 5), 0); /* nobody has subscribed */
    kit_expect_nothing(f);
    kit_start(f);
    assert_int_equal(push(f, 0), -EINVAL);
    assert_int_equal(push(f, PATHDOG_NODE_CONN_MAX + 1), -EINVAL);
    kit_expect_nothing(f);
    for (uint64_t conn = 5; conn < 8; conn++)
        assert_int_equal(push(f, conn), 1);
    for (uint64_t conn = 5; conn < 8; conn++)
        assert_int_equal(expect_rows(f, conn), 1);
    kit_expect_nothing(f);
}

/* The row of a summary that was begun is not in the same line. */
static void test_rows_that_wait_go_first(void **state)
{
    struct fixture *f = *state;
    uint64_t row[PATHDOG_NODE_N_COLUMNS];

    kit_start(f);
    pathdog_node_row_init(row, 5);
    assert_int_equal(pathdog_node_row(f->kit, 0, row), 0);
    assert_int_equal(push(f, 5), 1);
    assert_int_equal(expect_rows(f, 5), 1);
    assert_int_equal(expect_rows(f, 5), 1);
    kit_expect_nothing(f);
}

static void test_not_too_often(void **state)
{
    struct fixture *f = *state;
    uint64_t begun, sent = 0;
    int r;

    kit_start(f);
    begun = now_ms();
    while (sent < 5) {
        r = push(f, 17);
        assert_true(r == 1 || r == -EAGAIN);
        sent += r == 1;
    }
    assert_true(now_ms() - begun >= (uint64_t)(sent - 1) * PATHDOG_NODE_PUSH_GAP_MS);
    while (sent-- > 0)
        assert_int_equal(expect_rows(f, 17), 1);
    kit_expect_nothing(f);
}

/* Very many go bad at once: bounded, also where their numbers lie close together. */
static void test_many_connections(void **state)
{
    struct fixture *f = *state;
    uint64_t begun, sent = 0, last[64] = {0};

    kit_start(f);
    begun = now_ms();
    for (uint64_t i = 0; i < 200000; i++) {
        /* some share a place with others */
        uint64_t conn = 1 + i % 64 * 1024 * (i % 2 + 1), at = now_ms();

        if (push(f, conn) != 1)
            continue;
        sent++;
        for (size_t n = 0; n < 64; n++)
            if (1 + n * 1024 == conn) {
                assert_true(!last[n] || now_ms() - last[n] >= PATHDOG_NODE_PUSH_GAP_MS);
                last[n] = at;
            }
        kit_fill(f);
        f->input_start = f->input_len = 0;
    }
    assert_true(sent > 0);
    assert_true(sent <= ((now_ms() - begun) / PATHDOG_NODE_PUSH_GAP_MS + 1) * 1024);
}

/* Who does not read is not closed for what nobody has asked for. */
static void test_a_client_that_does_not_read(void **state)
{
    struct fixture *f = *state;
    /* in each PATHDOG_NODE_PUSH_GAP_MS only so many connections are pushed, however quick we are */
    uint64_t end_ms = now_ms() + 60000;
    unsigned refused = 0;

    kit_start(f);
    for (uint64_t conn = 1; now_ms() < end_ms && refused < 1000; conn++)
        refused += push(f, conn) == -EAGAIN && pathdog_node_pending_bytes(f->kit) > 128 * 1024;
    assert_int_equal(refused, 1000);
    assert_true(pathdog_node_pending_bytes(f->kit) < 512 * 1024);
    assert_int_equal(f->n_gone, 0);
}

static void test_without_the_feature(void **state)
{
    struct fixture *f = *state;
    static const struct pathdog_node_ops ops = {0};
    struct pathdog_node_config config = {
        .node = "n", .implementation = "test/1", .ops = &ops, .user_data = f};

    pathdog_node_free(f->kit);
    assert_int_equal(pathdog_node_new(&config, &f->kit, NULL, 0), 0);
    kit_adopt(f);
    kit_start(f);
    assert_int_equal(push(f, 5), 0);
    kit_expect_nothing(f);
}

/* All columns in one row, by their names. */
static void test_every_column(void **state)
{
    static const char *const names[] = {
        "unacked_ms", "unacked_bytes", "acked_bytes",      "packets_sent",
        "pto_us",     "lease_ms",      "lease_sent_bytes", "lease_received_bytes"};
    struct fixture *f = *state;
    static const struct pathdog_node_ops ops = {0};
    struct pathdog_node_config config = {.node = "n",
                                         .implementation = "test/1",
                                         .ops = &ops,
                                         .features = PATHDOG_NODE_PUSH,
                                         .user_data = f};
    uint64_t row[PATHDOG_NODE_N_COLUMNS];
    json_t *m, *columns, *values;

    pathdog_node_free(f->kit);
    assert_int_equal(pathdog_node_new(&config, &f->kit, NULL, 0), 0);
    kit_adopt(f);
    kit_start(f);
    for (int i = 0; i < PATHDOG_NODE_N_COLUMNS; i++)
        row[i] = PATHDOG_NODE_CONN_MAX - (uint64_t)i; /* as long as they get */
    assert_int_equal(pathdog_node_push(f->kit, row), 1);
    m = kit_get(f);
    columns = json_object_get(json_object_get(m, "params"), "columns");
    values = json_array_get(json_object_get(json_object_get(m, "params"), "rows"), 0);
    assert_int_equal(json_array_size(columns), PATHDOG_NODE_N_COLUMNS);
    for (int i = 0; i < PATHDOG_NODE_N_COLUMNS; i++) {
        const char *name = json_string_value(json_array_get(columns, (size_t)i));

        assert_int_equal(pathdog_node_column_find(name), i);
        assert_true((uint64_t)json_integer_value(json_array_get(values, (size_t)i)) == row[i]);
    }
    json_decref(m);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        assert_int_equal(pathdog_node_column_find(names[i]), PATHDOG_NODE_UNACKED_MS + (int)i);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_a_line_each),
        TEST(test_rows_that_wait_go_first),
        TEST(test_not_too_often),
        TEST(test_many_connections),
        TEST(test_a_client_that_does_not_read),
        TEST(test_without_the_feature),
        TEST(test_every_column),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
