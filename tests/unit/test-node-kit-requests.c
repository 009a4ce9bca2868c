/* SPDX-License-Identifier: Apache-2.0 */
/* The node kit, seen from pathdog's end of its socket: requests for moves and probes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node-kit-fixture.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

static void migrate(struct fixture *f, int id)
{
    char line[256];

    snprintf(line, sizeof(line),
             "{\"id\":%d,\"method\":\"migrate_peer\",\"params\":{\"conn\":17,\"timeout_ms\":700,"
             "\"interface\":\"up1\",\"via\":\"ignored without relay\",\"later\":[1]}}\n",
             id);
    kit_say(f, line);
}

static void test_answers_in_any_order_and_once(void **state)
{
    struct fixture *f = *state;
    json_t *r;

    kit_start(f);
    for (int id = 10; id < 13; id++)
        migrate(f, id);
    assert_int_equal(f->n_tokens, 3);
    assert_int_equal(f->asked.timeout_ms, 700);
    assert_string_equal(f->interface, "up1");
    assert_null(f->asked.via);
    assert_int_equal(pathdog_node_error(f->kit, f->tokens[2], PATHDOG_NODE_BUSY, NULL), 0);
    kit_expect_error(f, 12, PATHDOG_NODE_BUSY);
    assert_int_equal(pathdog_node_reconnected(f->kit, f->tokens[0], 3), -EINVAL);
    assert_int_equal(pathdog_node_migrated(f->kit, f->tokens[0], "10.0.1.1:4", true), 0);
    r = kit_expect_result(f, 10);
    assert_true(json_is_true(json_object_get(r, "validated")));
    assert_string_equal(json_string_value(json_object_get(r, "local")), "10.0.1.1:4");
    json_decref(r);
    assert_int_equal(pathdog_node_migrated(f->kit, f->tokens[0], NULL, true), -ESTALE);
    assert_int_equal(pathdog_node_error(f->kit, f->tokens[2], PATHDOG_NODE_BUSY, NULL), -ESTALE);
    assert_int_equal(pathdog_node_error(f->kit, 0, PATHDOG_NODE_BUSY, NULL), -ESTALE);
    /* the slots of the answered ones are used again: the old tokens stay void */
    migrate(f, 13);
    migrate(f, 14);
    assert_int_equal(pathdog_node_migrated(f->kit, f->tokens[0], NULL, true), -ESTALE);
    assert_int_equal(pathdog_node_migrated(f->kit, f->tokens[2], NULL, true), -ESTALE);
    kit_expect_nothing(f);
    assert_int_equal(pathdog_node_error(f->kit, f->tokens[1], PATHDOG_NODE_TIMEOUT, "\xff"), 0);
    kit_expect_error(f, 11, PATHDOG_NODE_TIMEOUT); /* words that are not UTF-8 are replaced */
}

static void test_tokens_of_a_replaced_client(void **state)
{
    struct fixture *f = *state;

    kit_start(f);
    migrate(f, 10);
    kit_adopt(f);
    assert_int_equal(f->n_gone, 1);
    kit_start(f);
    migrate(f, 10);
    assert_int_equal(pathdog_node_migrated(f->kit, f->tokens[0], NULL, true), -ESTALE);
    kit_expect_nothing(f);
    assert_int_equal(pathdog_node_error(f->kit, f->tokens[1], PATHDOG_NODE_NO_PATH, NULL), 0);
    kit_expect_error(f, 10, PATHDOG_NODE_NO_PATH);
}

static void test_client_replaced_within_a_callback(void **state)
{
    struct fixture *f = *state;

    kit_start(f);
    f->replace_in_callback = true;
    /* three requests in one read: the rest of the old client's input is dropped with it */
    assert_true(send(f->fd,
                     "{\"id\":1,\"method\":\"migrate_peer\",\"params\":{\"conn\":1}}\n"
                     "{\"id\":2,\"method\":\"migrate_peer\",\"params\":{\"conn\":1}}\nrest",
                     110, MSG_NOSIGNAL) > 0);
    assert_int_equal(pathdog_node_process(f->kit), 0);
    assert_int_equal(f->n_tokens, 1);
    assert_int_equal(pathdog_node_migrated(f->kit, f->tokens[0], NULL, true), -ESTALE);
    f->replace_in_callback = false;
    kit_start(f);
}

static void test_malformed_requests(void **state)
{
    static const struct {
        const char *line;
        int id, code;
    } cases[] = {
        {"{\"id\":20,\"method\":\"dance\"}", 20, PATHDOG_NODE_METHOD_NOT_FOUND},
        {"{\"id\":\"x\",\"method\":\"summary\"}", -1, PATHDOG_NODE_INVALID_REQUEST},
        {"{\"id\":21,\"method\":5}", 21, PATHDOG_NODE_INVALID_REQUEST},
        {"{\"id\":22,\"method\":\"migrate_peer\"}", 22, PATHDOG_NODE_INVALID_PARAMS},
        {"{\"id\":23,\"method\":\"migrate_peer\",\"params\":{\"conn\":\"1\"}}", 23,
         PATHDOG_NODE_INVALID_PARAMS},
        {"{\"id\":24,\"method\":\"migrate_peer\",\"params\":{\"conn\":1,\"timeout_ms\":0}}", 24,
         PATHDOG_NODE_INVALID_PARAMS},
        {"{\"id\":25,\"method\":\"migrate_peer\",\"params\":{\"conn\":1,\"interface\":[]}}", 25,
         PATHDOG_NODE_INVALID_PARAMS},
        {"{\"id\":26,\"method\":\"migrate_peer\",\"params\":{\"conn\":1,\"local\":\"a\\u0000\"}}",
         26, PATHDOG_NODE_INVALID_PARAMS},
        {"{\"id\":27,\"method\":\"probe\"}", 27, PATHDOG_NODE_INVALID_PARAMS},
        {"{\"id\":28,\"method\":\"probe_path\"}", 28, PATHDOG_NODE_INVALID_PARAMS},
        {"{\"id\":29,\"method\":\"probe_path\",\"params\":{\"conn\":1,\"interface\":{}}}", 29,
         PATHDOG_NODE_INVALID_PARAMS},
    };
    struct fixture *f = *state;

    kit_start(f);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        kit_say(f, cases[i].line);
        kit_say(f, "\n");
        kit_expect_error(f, cases[i].id, cases[i].code);
    }
    kit_say(f, "{\"id\":30,\"result\":{}}\n{\"method\":\"note\"}\n\n\r\n{}\n");
    kit_expect_nothing(f);
    assert_int_equal(f->n_tokens, 0);
    kit_say(f, "{\"id\":31,\"method\":\"probe\",\"params\":{\"conns\":[1,2]}}\n");
    json_decref(kit_expect_result(f, 31));
    assert_int_equal(f->n_probed, 2);
    kit_say(f, "{\"id\":32,\"method\":\"reconnect_peer\",\"params\":{\"conn\":18,"
               "\"interface\":\"up2\"}}\n");
    assert_string_equal(f->interface, "up2");
    assert_int_equal(pathdog_node_reconnected(f->kit, f->tokens[0], 31), 0);
    json_decref(kit_expect_result(f, 32));
}

static void test_probe_path(void **state)
{
    struct fixture *f = *state;
    json_t *result;

    kit_start(f);
    kit_say(f, "{\"id\":40,\"method\":\"probe_path\",\"params\":{\"conn\":17,"
               "\"interface\":\"up1\",\"timeout_ms\":300}}\n");
    assert_int_equal(f->n_tokens, 1);
    assert_int_equal(f->asked.conn, 17);
    assert_int_equal(f->asked.timeout_ms, 300);
    assert_string_equal(f->interface, "up1");
    assert_int_equal(pathdog_node_migrated(f->kit, f->tokens[0], NULL, true), -EINVAL);
    assert_int_equal(pathdog_node_path_probed(f->kit, f->tokens[0], 41200), 0);
    result = kit_expect_result(f, 40);
    assert_int_equal(json_integer_value(json_object_get(result, "rtt_us")), 41200);
    json_decref(result);
    assert_int_equal(pathdog_node_path_probed(f->kit, f->tokens[0], 1), -ESTALE);
    kit_say(f, "{\"id\":41,\"method\":\"probe_path\",\"params\":{\"conn\":17}}\n");
    assert_string_equal(f->interface, "(none)");
    assert_int_equal(pathdog_node_error(f->kit, f->tokens[1], PATHDOG_NODE_TIMEOUT, NULL), 0);
    kit_expect_error(f, 41, PATHDOG_NODE_TIMEOUT);
}

static void test_keep_old(void **state)
{
    struct fixture *f = *state;

    kit_start(f);
    kit_say(
        f,
        "{\"id\":50,\"method\":\"reconnect_peer\",\"params\":{\"conn\":17,\"keep_old\":true}}\n");
    assert_int_equal(f->n_tokens, 1);
    assert_true(f->keep_old);
    assert_int_equal(pathdog_node_error(f->kit, f->tokens[0], PATHDOG_NODE_OLD_LIVES, NULL), 0);
    kit_expect_error(f, 50, PATHDOG_NODE_OLD_LIVES);
    kit_say(
        f,
        "{\"id\":51,\"method\":\"reconnect_peer\",\"params\":{\"conn\":17,\"keep_old\":null}}\n");
    assert_int_equal(f->n_tokens, 2);
    assert_false(f->keep_old);
    kit_say(f,
            "{\"id\":52,\"method\":\"reconnect_peer\",\"params\":{\"conn\":17,\"keep_old\":1}}\n");
    kit_expect_error(f, 52, PATHDOG_NODE_INVALID_PARAMS);
    /* of a migrate it is an unknown member */
    kit_say(f, "{\"id\":53,\"method\":\"migrate_peer\",\"params\":{\"conn\":17,\"keep_old\":1}}\n");
    assert_int_equal(f->n_tokens, 3);
}

/* Only of what is open; it has no answer of its own. */
static void test_cancel(void **state)
{
    static const char *const nothing[] = {
        "{\"method\":\"cancel\"}\n",
        "{\"method\":\"cancel\",\"params\":{}}\n",
        "{\"method\":\"cancel\",\"params\":{\"id\":\"10\"}}\n",
        "{\"method\":\"cancel\",\"params\":{\"id\":9}}\n",
        "{\"method\":\"cancel\",\"params\":[10]}\n",
        "{\"method\":\"cancelled\",\"params\":{\"id\":10}}\n",
    };
    struct fixture *f = *state;

    kit_start(f);
    migrate(f, 10);
    migrate(f, 11);
    for (size_t i = 0; i < sizeof(nothing) / sizeof(nothing[0]); i++)
        kit_say(f, nothing[i]);
    assert_int_equal(f->n_cancelled, 0);
    kit_expect_nothing(f);
    kit_say(f, "{\"method\":\"cancel\",\"params\":{\"id\":11}}\n");
    assert_int_equal(f->n_cancelled, 1);
    assert_int_equal(f->cancelled, f->tokens[1]);
    kit_expect_nothing(f);
    assert_int_equal(pathdog_node_error(f->kit, f->cancelled, PATHDOG_NODE_CANCELLED, NULL), 0);
    kit_expect_error(f, 11, PATHDOG_NODE_CANCELLED);
    kit_say(f, "{\"method\":\"cancel\",\"params\":{\"id\":11}}\n");
    assert_int_equal(f->n_cancelled, 1); /* its slot is free, and may be another's */
    kit_say(f, "{\"id\":12,\"method\":\"probe_path\",\"params\":{\"conn\":17}}\n"
               "{\"method\":\"cancel\",\"params\":{\"id\":12}}\n");
    assert_int_equal(f->cancelled, f->tokens[2]);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, kit_setup, kit_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_answers_in_any_order_and_once),
        TEST(test_tokens_of_a_replaced_client),
        TEST(test_client_replaced_within_a_callback),
        TEST(test_malformed_requests),
        TEST(test_probe_path),
        TEST(test_keep_old),
        TEST(test_cancel),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
