/* SPDX-License-Identifier: Apache-2.0 */
/* The node kit's long lists: asked for in parts, whatever happens meanwhile. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node-kit-fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PENDING_MAX (512u * 1024u) /* of what a list leaves unread, far below any limit */
#define SUMMARY(id) "{\"jsonrpc\":\"2.0\",\"id\":" #id ",\"method\":\"summary\"}\n"

/* A node whose connections are 2, 4, … 2n, but for those that are gone. */
struct rig {
    struct fixture f; /* the kit's user_data: a fixture is at its address */
    uint64_t n, gone;
    unsigned n_steps, n_full;
    bool replace; /* by a new client, within the list */
    bool out_of_order;
    uint64_t told, sum; /* by the client: how many, and all numbers */
    uint64_t last, answered;
    bool closed;
};

static const char *long_name(uint64_t conn)
{
    static char name[256];

    memset(name, 'n', 200);
    snprintf(name + 180, 21, "%020llu", (unsigned long long)conn);
    return name;
}

static int tell(struct rig *rig, pathdog_node_token token, uint64_t conn)
{
    uint64_t row[PATHDOG_NODE_N_COLUMNS];

    if (!token)
        return pathdog_node_peer_up(
            rig->f.kit, &(struct pathdog_node_peer){.peer = long_name(conn), .conn = conn});
    pathdog_node_row_init(row, conn);
    row[PATHDOG_NODE_SRTT_US] = 48210;
    return pathdog_node_row(rig->f.kit, token, row);
}

static void list(struct rig *rig, pathdog_node_token token, uint64_t after)
{
    rig->n_steps++;
    for (uint64_t conn = after / 2 * 2 + 2; conn <= 2 * rig->n; conn += 2) {
        int r = conn == rig->gone ? 0 : tell(rig, token, conn);

        if (r == -EAGAIN) {
            rig->n_full++;
            return;
        }
        assert_int_equal(r, 0);
        if (rig->out_of_order)
            assert_int_equal(tell(rig, token, conn), -EINVAL);
        if (rig->replace) {
            rig->replace = false;
            kit_adopt(&rig->f);
        }
    }
}

static void list_peers(struct pathdog_node *kit, uint64_t after, void *user_data)
{
    (void)kit;
    list(user_data, 0, after);
}

static void list_rows(struct pathdog_node *kit, pathdog_node_token token, uint64_t after,
                      void *user_data)
{
    (void)kit;
    list(user_data, token, after);
}

static void on_summary(struct pathdog_node *kit, pathdog_node_token token, const uint64_t *conns,
                       size_t n_conns, void *user_data)
{
    for (size_t i = 0; i < n_conns; i++)
        assert_int_equal(tell(user_data, token, conns[i]), 0);
    pathdog_node_summary_done(kit, token);
}

static void on_client(struct pathdog_node *kit, bool connected, const char *why, void *user_data)
{
    struct rig *rig = user_data;

    (void)kit;
    rig->f.n_gone += !connected;
    snprintf(rig->f.why, sizeof(rig->f.why), "%s", why ? why : "");
}

static const struct pathdog_node_ops ops = {
    .summary = on_summary, .client = on_client, .list_peers = list_peers, .list_rows = list_rows};

static int setup(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    struct pathdog_node_config config = {.node = "n",
                                         .implementation = "test/1",
                                         .boot = "b",
                                         .output_limit_bytes = 1, /* the least: 1 MiB */
                                         .ops = &ops,
                                         .user_data = rig};

    rig->f.fd = -1;
    rig->f.input = malloc(4 * 1024 * 1024);
    assert_int_equal(pathdog_node_new(&config, &rig->f.kit, NULL, 0), 0);
    kit_adopt(&rig->f);
    kit_say(&rig->f, HELLO);
    json_decref(kit_expect_result(&rig->f, 1));
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;

    assert_null(pathdog_node_free(rig->f.kit));
    close(rig->f.fd);
    free(rig->f.input);
    free(rig);
    return 0;
}

/* The client reads as much of what is there as it has lines left, at most; every line is looked at.
 */
static void client_reads(struct rig *rig, size_t lines)
{
    json_t *m;

    while (lines-- && (m = kit_get(&rig->f))) {
        json_t *params = json_object_get(m, "params"), *rows = json_object_get(params, "rows"),
               *row;
        size_t i;

        if (json_object_get(m, "id")) {
            json_t *result = json_object_get(m, "result");

            rig->answered = (uint64_t)json_integer_value(json_object_get(m, "id"));
            assert_int_equal(json_integer_value(json_object_get(
                                 result, json_object_get(result, "peers") ? "peers" : "rows")),
                             rig->told);
        } else if (!rows) {
            assert_true((uint64_t)json_integer_value(json_object_get(params, "conn")) > rig->last);
            rig->last = (uint64_t)json_integer_value(json_object_get(params, "conn"));
            rig->sum += rig->last;
            rig->told++;
        }
        json_array_foreach(rows, i, row)
        {
            assert_true((uint64_t)json_integer_value(json_array_get(row, 0)) > rig->last);
            rig->last = (uint64_t)json_integer_value(json_array_get(row, 0));
            rig->sum += rig->last;
            rig->told++;
        }
        json_decref(m);
    }
}

static void forget(struct rig *rig)
{
    rig->told = rig->sum = rig->last = rig->answered = 0;
    rig->n_steps = rig->n_full = 0;
}

/* All of it comes, once and in order, however slowly it is read; the kit keeps little of it. */
static void reads_all(struct rig *rig, uint64_t id)
{
    for (unsigned turns = 0; rig->answered != id; turns++) {
        assert_true(turns < 1000000);
        assert_int_equal(pathdog_node_process(rig->f.kit), 0);
        assert_true(pathdog_node_pending_bytes(rig->f.kit) < PENDING_MAX);
        client_reads(rig, 500);
    }
    assert_int_equal(rig->told, rig->n);
    assert_true(rig->sum == rig->n * (rig->n + 1));
    assert_int_equal(rig->f.n_gone, 0);
}

static void test_more_than_the_output_buffer(void **state)
{
    struct rig *rig = *state;

    rig->n = 60000; /* 17 MB of names */
    kit_say(&rig->f, SUBSCRIBE);
    for (int i = 0; i < 100; i++) /* nothing is read: nothing more is asked for */
        assert_int_equal(pathdog_node_process(rig->f.kit), 0);
    assert_true(pathdog_node_pending_bytes(rig->f.kit) < PENDING_MAX);
    assert_true(pathdog_node_pending_bytes(rig->f.kit) > 0);
    assert_in_range(rig->n_steps, 1, 40);
    reads_all(rig, 2);
    assert_true(rig->n_full > 10);

    forget(rig);
    kit_say(&rig->f, SUMMARY(3));
    reads_all(rig, 3);
    assert_true(rig->n_full > 1);
}

/* A client that reads at once still leaves the node time for its own work. */
static void test_a_turn_has_an_end(void **state)
{
    struct rig *rig = *state;
    unsigned steps;

    rig->n = 20000;
    kit_say(&rig->f, SUBSCRIBE);
    while (rig->answered != 2) {
        steps = rig->n_steps;
        assert_int_equal(pathdog_node_process(rig->f.kit), 0);
        assert_in_range(rig->n_steps, steps, steps + 1);
        client_reads(rig, 100000);
    }
    assert_int_equal(rig->told, rig->n);
}

static void test_none_and_one(void **state)
{
    struct rig *rig = *state;

    for (rig->n = 0; rig->n < 2; rig->n++) {
        forget(rig);
        kit_say(&rig->f, SUBSCRIBE);
        reads_all(rig, 2);
        assert_int_equal(rig->n_steps, 1);
        forget(rig);
        kit_say(&rig->f, SUMMARY(3));
        reads_all(rig, 3);
    }
}

/* What happens to a connection that the list has not come to yet is not told: the list has what is
 * then. What it has passed is told as ever. */
static void test_changes_meanwhile(void **state)
{
    struct rig *rig = *state;
    struct pathdog_node *kit = rig->f.kit;
    uint64_t row[PATHDOG_NODE_N_COLUMNS];
    json_t *m;
    unsigned downs = 0, paths = 0, rows = 0, ups = 0;

    rig->n = 20000;
    kit_say(&rig->f, SUBSCRIBE);
    assert_true(rig->n_full > 0);
    rig->gone = 2 * rig->n - 2;
    assert_int_equal(pathdog_node_peer_down(kit, rig->gone, "x"), 0);
    assert_int_equal(pathdog_node_peer_path(kit, 2 * rig->n, "192.0.2.1:1", NULL, NULL), 0);
    pathdog_node_row_init(row, 2 * rig->n);
    assert_int_equal(pathdog_node_row(kit, 0, row), 0);
    rig->n++; /* a new one, which the list will have */
    assert_int_equal(
        pathdog_node_peer_up(kit, &(struct pathdog_node_peer){.peer = "new", .conn = 2 * rig->n}),
        0);
    assert_int_equal(pathdog_node_peer_path(kit, 4, "192.0.2.1:1", NULL, NULL), 0);
    assert_int_equal(pathdog_node_peer_down(kit, 2, "x"), 0);
    pathdog_node_row_init(row, 4);
    assert_int_equal(pathdog_node_row(kit, 0, row), 0);
    pathdog_node_summary_done(kit, 0);
    for (bool done = false; !done;) {
        assert_int_equal(pathdog_node_process(kit), 0);
        while ((m = kit_get(&rig->f))) {
            const char *method = json_string_value(json_object_get(m, "method"));
            json_t *conn = json_object_get(json_object_get(m, "params"), "conn");

            done |= !method;
            if (!method)
                assert_int_equal(
                    json_integer_value(json_object_get(json_object_get(m, "result"), "peers")),
                    rig->n - 1);
            else if (!strcmp(method, "peer_up"))
                ups++;
            else if (!strcmp(method, "peer_down"))
                assert_int_equal(json_integer_value(conn), (downs++, 2));
            else if (!strcmp(method, "peer_path"))
                assert_int_equal(json_integer_value(conn), (paths++, 4));
            else
                rows++;
            json_decref(m);
        }
    }
    assert_int_equal(ups, rig->n - 1);
    assert_int_equal(downs, 1);
    assert_int_equal(paths, 1);
    assert_int_equal(rows, 1);
    /* afterwards everything is told */
    assert_int_equal(pathdog_node_peer_down(kit, 2 * rig->n, "x"), 0);
    assert_non_null(m = kit_get(&rig->f));
    json_decref(m);
}

static void test_one_list_at_a_time(void **state)
{
    struct rig *rig = *state;

    rig->n = 20000;
    kit_say(&rig->f, SUBSCRIBE "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"subscribe\"}\n");
    kit_say(&rig->f, SUMMARY(8));
    kit_say(&rig->f, SUMMARY(9) "{\"jsonrpc\":\"2.0\",\"id\":10,\"method\":\"summary\",\"params\":{"
                                "\"conns\":[2,4]}}\n");
    for (unsigned answers = 0; answers < 5;) {
        json_t *m = kit_get(&rig->f), *id = json_object_get(m, "id");
        json_int_t code = json_integer_value(json_object_get(json_object_get(m, "error"), "code"));

        if (id) {
            bool refused = json_integer_value(id) == 7 || json_integer_value(id) == 9;

            assert_int_equal(code, refused ? PATHDOG_NODE_BUSY : 0);
            answers++;
        }
        json_decref(m);
        assert_int_equal(pathdog_node_process(rig->f.kit), 0);
    }
}

/* The list ends with its client; the next one gets its own, from the beginning. */
static void test_replaced_within_the_list(void **state)
{
    struct rig *rig = *state;

    rig->n = 20000;
    rig->replace = true;
    kit_say(&rig->f, SUBSCRIBE);
    assert_int_equal(rig->n_steps, 1);
    assert_int_equal(rig->n_full, 1);
    assert_int_equal(rig->f.n_gone, 1);
    assert_false(rig->replace);
    kit_expect_nothing(&rig->f);
    rig->f.n_gone = 0;
    kit_say(&rig->f, HELLO);
    json_decref(kit_expect_result(&rig->f, 1));
    forget(rig);
    kit_say(&rig->f, SUBSCRIBE);
    reads_all(rig, 2);
}

static void test_out_of_order(void **state)
{
    struct rig *rig = *state;

    rig->n = 3000;
    rig->out_of_order = true;
    kit_say(&rig->f, SUBSCRIBE);
    reads_all(rig, 2);
}

static void test_rows_need_summary(void **state)
{
    static const struct pathdog_node_ops bad = {.list_peers = list_peers, .list_rows = list_rows};
    struct pathdog_node_config config = {.node = "n", .implementation = "t/1", .ops = &bad};
    struct pathdog_node *kit;
    char error[128];

    (void)state;
    assert_int_equal(pathdog_node_new(&config, &kit, error, sizeof(error)), -EINVAL);
    assert_string_equal(error, "list_rows without summary");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_more_than_the_output_buffer),
        TEST(test_a_turn_has_an_end),
        TEST(test_none_and_one),
        TEST(test_changes_meanwhile),
        TEST(test_one_list_at_a_time),
        TEST(test_replaced_within_the_list),
        TEST(test_out_of_order),
        cmocka_unit_test(test_rows_need_summary),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
