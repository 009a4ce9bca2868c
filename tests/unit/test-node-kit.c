/* SPDX-License-Identifier: Apache-2.0 */
/* The node kit, seen from pathdog's end of its socket. */
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

static void test_hello(void **state)
{
    struct fixture *f = *state;
    json_t *r;

    kit_say(f, "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"summary\"}\n");
    kit_expect_error(f, 7, PATHDOG_NODE_INVALID_REQUEST);
    kit_say(f, "{\"id\":8,\"method\":\"hello\",\"params\":{\"protocol\":[2,3,\"1\"]}}\n");
    kit_expect_error(f, 8, PATHDOG_NODE_UNSUPPORTED_PROTOCOL);
    kit_say(f, "{\"id\":9,\"method\":\"hello\",\"params\":{\"protocol\":1}}\n");
    kit_expect_error(f, 9, PATHDOG_NODE_INVALID_PARAMS);
    assert_int_equal(f->n_connected, 0);
    kit_say(
        f, "{\"id\":10,\"method\":\"hello\",\"new\":{},\"params\":{\"x\":0,\"protocol\":[3,1]}}\n");
    r = kit_expect_result(f, 10);
    assert_int_equal(json_integer_value(json_object_get(r, "protocol")), 1);
    assert_string_equal(json_string_value(json_object_get(r, "node")), "alpha@10.0.0.1");
    assert_string_equal(json_string_value(json_object_get(r, "boot")), "b1");
    assert_string_equal(json_string_value(json_object_get(r, "prefer")), "migrate");
    assert_int_equal(json_array_size(json_object_get(r, "features")), 6);
    assert_string_equal(json_string_value(json_array_get(json_object_get(r, "features"), 4)),
                        "push");
    assert_true(json_integer_value(json_object_get(r, "netns")) > 0);
    assert_null(json_object_get(r, "max_in_flight"));
    json_decref(r);
    assert_int_equal(f->n_connected, 1);
}

static void test_subscribe(void **state)
{
    struct fixture *f = *state;
    json_t *m;

    f->n_peers = 3;
    kit_say(f, HELLO);
    json_decref(kit_expect_result(f, 1));
    pathdog_node_peer_down(f->kit, 9, "too early to be told");
    kit_expect_nothing(f);
    kit_say(f, SUBSCRIBE);
    for (int i = 1; i <= 3; i++) {
        m = kit_get(f);
        assert_string_equal(json_string_value(json_object_get(m, "method")), "peer_up");
        assert_int_equal(json_integer_value(json_object_get(json_object_get(m, "params"), "conn")),
                         i);
        json_decref(m);
    }
    m = kit_expect_result(f, 2);
    assert_int_equal(json_integer_value(json_object_get(m, "peers")), 3);
    json_decref(m);
    pathdog_node_peer_down(f->kit, 2, "idle_timeout");
    pathdog_node_peer_path(f->kit, 3, "[2001:db8::1]:443", NULL, "direct");
    m = kit_get(f);
    assert_string_equal(json_string_value(json_object_get(m, "method")), "peer_down");
    json_decref(m);
    m = kit_get(f);
    assert_string_equal(json_string_value(json_object_get(m, "method")), "peer_path");
    assert_null(json_object_get(json_object_get(m, "params"), "remote"));
    assert_null(json_object_get(json_object_get(m, "params"), "interface"));
    json_decref(m);
}

static void expect_interface(struct fixture *f, const char *method, const char *interface)
{
    json_t *m = kit_get(f);

    assert_string_equal(json_string_value(json_object_get(m, "method")), method);
    assert_string_equal(
        json_string_value(json_object_get(json_object_get(m, "params"), "interface")), interface);
    json_decref(m);
}

static void test_interface(void **state)
{
    struct fixture *f = *state;
    struct pathdog_node_peer peer = {
        .peer = "p", .conn = 4, .local = "192.0.2.1:443", .interface = "up1"};
    json_t *m;

    kit_start(f);
    assert_int_equal(pathdog_node_peer_up(f->kit, &peer), 0);
    expect_interface(f, "peer_up", "up1");
    peer.interface = "up2";
    assert_int_equal(pathdog_node_peer_moved(f->kit, &peer), 0);
    expect_interface(f, "peer_path", "up2");
    peer.interface = NULL;
    assert_int_equal(pathdog_node_peer_moved(f->kit, &peer), 0);
    m = kit_get(f);
    assert_null(json_object_get(json_object_get(m, "params"), "interface"));
    assert_string_equal(json_string_value(json_object_get(json_object_get(m, "params"), "local")),
                        "192.0.2.1:443");
    json_decref(m);
}

static void test_summary_in_messages_of_256(void **state)
{
    struct fixture *f = *state;
    size_t sizes[] = {256, 256, 88}, conn = 0, i;
    json_t *m, *rows, *row, *columns;

    kit_start(f);
    f->n_rows = 600;
    kit_say(f, "{\"id\":3,\"method\":\"summary\"}\n");
    for (int n = 0; n < 3; n++) {
        m = kit_get(f);
        assert_string_equal(json_string_value(json_object_get(m, "method")), "summaries");
        columns = json_object_get(json_object_get(m, "params"), "columns");
        assert_int_equal(json_array_size(columns), 3);
        assert_string_equal(json_string_value(json_array_get(columns, 0)), "conn");
        assert_string_equal(json_string_value(json_array_get(columns, 2)), "silent_ms");
        rows = json_object_get(json_object_get(m, "params"), "rows");
        assert_int_equal(json_array_size(rows), sizes[n]);
        json_array_foreach(rows, i, row)
        {
            assert_int_equal(json_integer_value(json_array_get(row, 0)), ++conn);
            assert_int_equal(json_integer_value(json_array_get(row, 1)), 48210);
            assert_true(json_is_null(json_array_get(row, 2)));
        }
        json_decref(m);
    }
    m = kit_expect_result(f, 3);
    assert_int_equal(json_integer_value(json_object_get(m, "rows")), 600);
    json_decref(m);
}

static void test_summary_of_given_conns(void **state)
{
    struct fixture *f = *state;
    char *line = malloc(64 * 1024);
    size_t n;
    json_t *m;

    kit_start(f);
    kit_say(f, "{\"id\":3,\"method\":\"summary\",\"params\":{\"conns\":[17,18]}}\n");
    m = kit_get(f);
    assert_int_equal(json_array_size(json_object_get(json_object_get(m, "params"), "rows")), 2);
    json_decref(m);
    json_decref(kit_expect_result(f, 3));
    kit_say(f, "{\"id\":4,\"method\":\"summary\",\"params\":{\"conns\":[]}}\n");
    m = kit_expect_result(f, 4);
    assert_int_equal(json_integer_value(json_object_get(m, "rows")), 0);
    json_decref(m);
    kit_say(f, "{\"id\":5,\"method\":\"summary\",\"params\":{\"conns\":[1,\"2\"]}}\n");
    kit_expect_error(f, 5, PATHDOG_NODE_INVALID_PARAMS);
    n = (size_t)sprintf(line, "{\"id\":6,\"method\":\"summary\",\"params\":{\"conns\":[1");
    for (int i = 0; i < 4096; i++)
        n += (size_t)sprintf(line + n, ",%d", i + 2);
    strcpy(line + n, "]}}\n");
    kit_say(f, line);
    kit_expect_error(f, 6, PATHDOG_NODE_INVALID_PARAMS);
    free(line);
}

/* docs/node-protocol.md, "Numbers": such a request is refused, and nothing else happens. */
static void test_numbers(void **state)
{
    static const char *const bad[] = {"0",
                                      "-1",
                                      "1.5",
                                      "17.0",
                                      "1e308",
                                      "9007199254740992",
                                      "9007199254740993",
                                      "18446744073709551616",
                                      "\"17\"",
                                      "true"};
    static const char *const lines[] = {
        "{\"id\":5,\"method\":\"migrate_peer\",\"params\":{\"conn\":%s,\"timeout_ms\":9}}\n",
        "{\"id\":5,\"method\":\"reconnect_peer\",\"params\":{\"conn\":%s,\"timeout_ms\":9}}\n",
        "{\"id\":5,\"method\":\"summary\",\"params\":{\"conns\":[17,%s]}}\n",
        "{\"id\":5,\"method\":\"probe\",\"params\":{\"conns\":[17,%s]}}\n",
        "{\"id\":5,\"method\":\"migrate_peer\",\"params\":{\"conn\":17,\"timeout_ms\":%s}}\n",
    };
    struct fixture *f = *state;
    char text[160];

    kit_start(f);
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
        for (size_t n = 0; n < sizeof(bad) / sizeof(bad[0]); n++) {
            snprintf(text, sizeof(text), lines[i], bad[n]);
            kit_say(f, text);
            /* what does not fit into 64 bits makes a real number of the id, too */
            if (strlen(bad[n]) > 19)
                kit_expect_error(f, -1, PATHDOG_NODE_INVALID_REQUEST);
            else
                kit_expect_error(f, 5, PATHDOG_NODE_INVALID_PARAMS);
        }
    assert_int_equal(f->n_tokens, 0);
    assert_int_equal(f->n_probed, 0);
    kit_say(f, "{\"id\":5,\"method\":\"migrate_peer\",\"params\":{\"conn\":9007199254740991,"
               "\"timeout_ms\":4294967295}}\n");
    assert_int_equal(f->n_tokens, 1);
    assert_true(f->asked.conn == PATHDOG_NODE_CONN_MAX && f->asked.timeout_ms == UINT32_MAX);
    assert_int_equal(f->n_gone, 0);
}

/* docs/node-protocol.md, "Framing": such a member counts as absent. */
static void test_optional_members_that_are_null(void **state)
{
    struct fixture *f = *state;
    json_t *m;

    kit_start(f);
    kit_say(f, "{\"id\":3,\"method\":\"summary\",\"params\":{\"conns\":null}}\n");
    while ((m = kit_get(f)) && !json_object_get(m, "id"))
        json_decref(m);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(m, "result"), "rows")),
                     f->n_rows);
    json_decref(m);
    kit_say(f, "{\"id\":4,\"method\":\"migrate_peer\",\"params\":{\"conn\":17,\"timeout_ms\":null,"
               "\"reason\":null,\"interface\":null,\"local\":null}}\n");
    kit_expect_nothing(f);
    assert_int_equal(f->n_tokens, 1);
    assert_int_equal(f->asked.timeout_ms, 5000);
    assert_null(f->asked.reason);
    assert_null(f->asked.interface);
}

static void test_unasked_rows(void **state)
{
    struct fixture *f = *state;
    uint64_t row[PATHDOG_NODE_N_COLUMNS];
    json_t *m;

    pathdog_node_row_init(row, 5);
    assert_int_equal(pathdog_node_row(f->kit, 0, row), 0); /* nobody subscribed */
    assert_int_equal(pathdog_node_summary_done(f->kit, 0), 0);
    kit_expect_nothing(f);
    kit_start(f);
    assert_int_equal(pathdog_node_row(f->kit, 0, row), 0);
    row[PATHDOG_NODE_CONN] = 0;
    assert_int_equal(pathdog_node_row(f->kit, 0, row), -EINVAL);
    assert_int_equal(pathdog_node_summary_done(f->kit, 0), 0);
    m = kit_get(f);
    assert_string_equal(json_string_value(json_object_get(m, "method")), "summaries");
    json_decref(m);
    kit_expect_nothing(f);
}

static void test_fatal_lines(void **state)
{
    static const char *const lines[] = {"[1]\n", "nonsense\n", "5\n", "{\"a\":\"\xff\"}\n",
                                        "{\"a\":1\n"};
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        kit_start(f);
        kit_say(f, lines[i]);
        assert_true(kit_fill(f));
        assert_int_equal(f->n_gone, i + 1);
        kit_adopt(f);
    }
    kit_start(f);
}

/* A request padded to `len` bytes, LF included. */
static char *padded(size_t len)
{
    static const char request[] = "{\"id\":3,\"method\":\"dance\"}";
    char *line = malloc(len);

    memset(line, ' ', len);
    memcpy(line, request, sizeof(request) - 1);
    line[len - 1] = '\n';
    return line;
}

static void test_line_length(void **state)
{
    struct fixture *f = *state;
    char *line = padded(PATHDOG_NODE_LINE_MAX_BYTES);

    kit_start(f);
    assert_true(kit_put(f, line, PATHDOG_NODE_LINE_MAX_BYTES));
    kit_expect_error(f, 3, PATHDOG_NODE_METHOD_NOT_FOUND);
    free(line);
    line = padded(PATHDOG_NODE_LINE_MAX_BYTES + 1);
    kit_put(f, line, PATHDOG_NODE_LINE_MAX_BYTES + 1);
    assert_true(kit_fill(f));
    assert_string_equal(f->why, "a line over length");
    kit_adopt(f);
    kit_start(f);
    line[PATHDOG_NODE_LINE_MAX_BYTES] = ' '; /* no LF at all: not waited for */
    kit_put(f, line, PATHDOG_NODE_LINE_MAX_BYTES + 1);
    assert_true(kit_fill(f));
    free(line);
}

static void test_bytes_one_by_one(void **state)
{
    struct fixture *f = *state;

    for (const char *p = HELLO SUBSCRIBE; *p; p++)
        assert_true(kit_put(f, p, 1));
    json_decref(kit_expect_result(f, 1));
    json_decref(kit_expect_result(f, 2));
}

static void test_output_is_bounded(void **state)
{
    struct fixture *f = *state;
    int reported = 0;

    kit_start(f);
    while (f->n_gone == 0 && reported < 10000000) {
        pathdog_node_peer_down(f->kit, (uint64_t)++reported, "nobody reads this");
        assert_true(pathdog_node_pending_bytes(f->kit) <= PATHDOG_NODE_OUTPUT_LIMIT_BYTES);
    }
    assert_int_equal(f->n_gone, 1);
    assert_string_equal(f->why, "output buffer overflow");
    assert_true(reported > 100000); /* more than a MiB went in before */
    kit_adopt(f);
    kit_start(f);
}

static void test_a_slow_reader_gets_all(void **state)
{
    struct fixture *f = *state;
    json_t *m;

    kit_start(f);
    for (int i = 1; i <= 30000; i++)
        pathdog_node_peer_down(f->kit, (uint64_t)i, "x");
    assert_true(pathdog_node_pending_bytes(f->kit) > 0);
    for (int i = 1; i <= 30000; i++) {
        for (m = kit_get(f); !m; m = kit_get(f))
            assert_int_equal(pathdog_node_process(f->kit), 0);
        assert_int_equal(json_integer_value(json_object_get(json_object_get(m, "params"), "conn")),
                         i);
        json_decref(m);
    }
    assert_int_equal(pathdog_node_pending_bytes(f->kit), 0);
}

static void test_names(void **state)
{
    struct fixture *f = *state;
    char name[300];
    const char *bad[] = {"", "a\nb", "a\x7f", "a\xc2\x85", "a\xff", name};

    kit_start(f);
    memset(name, 'n', 256);
    name[256] = '\0';
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(
            pathdog_node_peer_up(f->kit, &(struct pathdog_node_peer){.peer = bad[i], .conn = 1}),
            -EINVAL);
    assert_int_equal(
        pathdog_node_peer_up(f->kit, &(struct pathdog_node_peer){.peer = "p", .conn = 0}), -EINVAL);
    assert_int_equal(
        pathdog_node_peer_up(f->kit,
                             &(struct pathdog_node_peer){.peer = "p", .conn = UINT64_C(1) << 53}),
        -EINVAL);
    kit_expect_nothing(f);
    name[255] = '\0';
    assert_int_equal(
        pathdog_node_peer_up(f->kit, &(struct pathdog_node_peer){.peer = name, .conn = 1}), 0);
    json_decref(kit_get(f));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_hello),
        TEST(test_subscribe),
        TEST(test_interface),
        TEST(test_summary_in_messages_of_256),
        TEST(test_summary_of_given_conns),
        TEST(test_numbers),
        TEST(test_optional_members_that_are_null),
        TEST(test_unasked_rows),
        TEST(test_fatal_lines),
        TEST(test_line_length),
        TEST(test_bytes_one_by_one),
        TEST(test_output_is_bounded),
        TEST(test_a_slow_reader_gets_all),
        TEST(test_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
