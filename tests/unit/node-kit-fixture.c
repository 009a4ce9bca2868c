/* SPDX-License-Identifier: Apache-2.0 */
/* A node kit and the client's end of its socket. No test is in here. */
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

void kit_adopt(struct fixture *f)
{
    int pair[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    if (f->fd >= 0)
        close(f->fd);
    f->fd = pair[0];
    f->input_start = f->input_len = 0;
    assert_int_equal(pathdog_node_adopt(f->kit, pair[1]), 0);
}

static void on_subscribe(struct pathdog_node *kit, void *user_data)
{
    struct fixture *f = user_data;

    for (size_t i = 1; i <= f->n_peers; i++)
        assert_int_equal(
            pathdog_node_peer_up(kit, &(struct pathdog_node_peer){.peer = "p", .conn = i}), 0);
}

static void on_summary(struct pathdog_node *kit, pathdog_node_token token, const uint64_t *conns,
                       size_t n_conns, void *user_data)
{
    struct fixture *f = user_data;
    uint64_t row[PATHDOG_NODE_N_COLUMNS];

    for (size_t i = 0; i < (conns ? n_conns : f->n_rows); i++) {
        pathdog_node_row_init(row, conns ? conns[i] : i + 1);
        row[PATHDOG_NODE_SRTT_US] = 48210;
        assert_int_equal(pathdog_node_row(kit, token, row), 0);
    }
    assert_int_equal(pathdog_node_summary_done(kit, token), 0);
    assert_int_equal(pathdog_node_summary_done(kit, token), -ESTALE);
}

static void on_migrate(struct pathdog_node *kit, pathdog_node_token token,
                       const struct pathdog_node_migrate *request, void *user_data)
{
    struct fixture *f = user_data;

    (void)kit;
    f->asked = *request;
    snprintf(f->interface, sizeof(f->interface), "%s",
             request->interface ? request->interface : "(none)");
    f->tokens[f->n_tokens++ % 8] = token;
    if (f->replace_in_callback)
        kit_adopt(f);
}

static void on_reconnect(struct pathdog_node *kit, pathdog_node_token token,
                         const struct pathdog_node_reconnect *request, void *user_data)
{
    struct fixture *f = user_data;

    (void)kit;
    snprintf(f->interface, sizeof(f->interface), "%s",
             request->interface ? request->interface : "(none)");
    f->keep_old = request->keep_old;
    f->tokens[f->n_tokens++ % 8] = token;
}

static void on_cancel(struct pathdog_node *kit, pathdog_node_token token, void *user_data)
{
    struct fixture *f = user_data;

    (void)kit;
    f->cancelled = token;
    f->n_cancelled++;
}

static void on_probe_path(struct pathdog_node *kit, pathdog_node_token token,
                          const struct pathdog_node_probe_path *request, void *user_data)
{
    struct fixture *f = user_data;

    (void)kit;
    f->asked =
        (struct pathdog_node_migrate){.conn = request->conn, .timeout_ms = request->timeout_ms};
    snprintf(f->interface, sizeof(f->interface), "%s",
             request->interface ? request->interface : "(none)");
    f->tokens[f->n_tokens++ % 8] = token;
}

static void on_probe(struct pathdog_node *kit, const uint64_t *conns, size_t n, void *user_data)
{
    (void)kit;
    (void)conns;
    ((struct fixture *)user_data)->n_probed += (unsigned)n;
}

static void on_client(struct pathdog_node *kit, bool connected, const char *why, void *user_data)
{
    struct fixture *f = user_data;

    (void)kit;
    if (connected)
        f->n_connected++;
    else
        f->n_gone++;
    snprintf(f->why, sizeof(f->why), "%s", why ? why : "");
}

static const struct pathdog_node_ops all_ops = {.subscribe = on_subscribe,
                                                .summary = on_summary,
                                                .migrate = on_migrate,
                                                .reconnect = on_reconnect,
                                                .probe = on_probe,
                                                .probe_path = on_probe_path,
                                                .client = on_client,
                                                .cancel = on_cancel};

static struct pathdog_node_config config_of(struct fixture *f)
{
    return (struct pathdog_node_config){
        .node = "alpha@10.0.0.1",
        .implementation = "test/1",
        .boot = "b1",
        .features = PATHDOG_NODE_RECONNECT | PATHDOG_NODE_BIND | PATHDOG_NODE_PROBE |
                    PATHDOG_NODE_PROBE_PATH | PATHDOG_NODE_PUSH | PATHDOG_NODE_MAKE_BEFORE_BREAK,
        .columns =
            PATHDOG_NODE_COLUMN(PATHDOG_NODE_SRTT_US) | PATHDOG_NODE_COLUMN(PATHDOG_NODE_SILENT_MS),
        .ops = &all_ops,
        .user_data = f,
    };
}

static int setup(void **state, unsigned features)
{
    struct fixture *f = calloc(1, sizeof(*f));
    struct pathdog_node_config config = config_of(f);

    config.features |= features;
    f->fd = -1;
    f->input = malloc(4 * 1024 * 1024);
    assert_int_equal(pathdog_node_new(&config, &f->kit, NULL, 0), 0);
    kit_adopt(f);
    *state = f;
    return 0;
}

int kit_setup(void **state)
{
    return setup(state, 0);
}

int kit_setup_with_relays(void **state)
{
    return setup(state, PATHDOG_NODE_RELAY);
}

int kit_teardown(void **state)
{
    struct fixture *f = *state;

    assert_null(pathdog_node_free(f->kit));
    if (f->fd >= 0)
        close(f->fd);
    free(f->input);
    free(f);
    return 0;
}

/* Writes all of it, letting the kit read meanwhile. False: the kit closed. */
bool kit_put(struct fixture *f, const char *data, size_t len)
{
    while (len > 0) {
        ssize_t n = send(f->fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno != EAGAIN)
            return false;
        if (n > 0) {
            data += n;
            len -= (size_t)n;
        }
        assert_int_equal(pathdog_node_process(f->kit), 0);
    }
    for (int i = 0; i < 16; i++) /* a turn reads a part only */
        assert_int_equal(pathdog_node_process(f->kit), 0);
    return true;
}

void kit_say(struct fixture *f, const char *text)
{
    assert_true(kit_put(f, text, strlen(text)));
}

/* Takes what is there; true: the kit closed. */
bool kit_fill(struct fixture *f)
{
    if (f->input_start > 2 * 1024 * 1024) {
        f->input_len -= f->input_start;
        memmove(f->input, f->input + f->input_start, f->input_len);
        f->input_start = 0;
    }
    while (f->input_len < 4 * 1024 * 1024) {
        ssize_t n = recv(f->fd, f->input + f->input_len, 4 * 1024 * 1024 - f->input_len, 0);

        if (n < 0 && errno == EAGAIN)
            return false;
        if (n <= 0)
            return true;
        f->input_len += (size_t)n;
        assert_int_equal(pathdog_node_process(f->kit), 0);
    }
    return false;
}

/* The next line as JSON, or NULL when there is none. */
json_t *kit_get(struct fixture *f)
{
    char *start, *lf;
    json_t *message;

    kit_fill(f);
    start = f->input + f->input_start;
    lf = memchr(start, '\n', f->input_len - f->input_start);
    if (!lf)
        return NULL;
    assert_true((size_t)(lf - start) + 1 <= PATHDOG_NODE_LINE_MAX_BYTES);
    message = json_loadb(start, (size_t)(lf - start), 0, NULL);
    assert_non_null(message);
    assert_string_equal(json_string_value(json_object_get(message, "jsonrpc")), "2.0");
    f->input_start = (size_t)(lf + 1 - f->input);
    if (f->input_start == f->input_len)
        f->input_start = f->input_len = 0;
    return message;
}

void kit_expect_error(struct fixture *f, json_int_t id, int code)
{
    json_t *m = kit_get(f), *error = json_object_get(m, "error");

    assert_non_null(m);
    assert_int_equal(json_integer_value(json_object_get(error, "code")), code);
    assert_true(json_is_string(json_object_get(error, "message")));
    if (id < 0)
        assert_true(json_is_null(json_object_get(m, "id")));
    else
        assert_int_equal(json_integer_value(json_object_get(m, "id")), id);
    json_decref(m);
}

json_t *kit_expect_result(struct fixture *f, json_int_t id)
{
    json_t *m = kit_get(f), *result;

    assert_non_null(m);
    assert_int_equal(json_integer_value(json_object_get(m, "id")), id);
    result = json_incref(json_object_get(m, "result"));
    assert_true(json_is_object(result));
    json_decref(m);
    return result;
}

void kit_expect_nothing(struct fixture *f)
{
    assert_false(kit_fill(f));
    assert_int_equal(f->input_len, f->input_start);
}

void kit_start(struct fixture *f)
{
    json_t *m;

    kit_say(f, HELLO SUBSCRIBE);
    json_decref(kit_expect_result(f, 1));
    while ((m = kit_get(f)) && !json_object_get(m, "id"))
        json_decref(m);
    assert_int_equal(json_integer_value(json_object_get(m, "id")), 2);
    json_decref(m);
}
