/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kit's requests: from a line to a callback, and the tokens between them and their
 * answers. It must not know what a connection is.
 */
#include "pathdog_node_private.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static const char *const feature_names[] = {
    "reconnect", "bind", "relay", "probe", "probe_path", "push", "make_before_break"};

/* ---- tokens ---- */

static int token_new(struct pathdog_node *kit, enum token_kind kind, json_int_t id,
                     pathdog_node_token *ret)
{
    uint32_t index = kit->free_token;
    struct token *t;

    if (index == 0) {
        uint32_t n = kit->n_tokens ? kit->n_tokens * 2 : 16;

        if (kit->n_tokens >= PATHDOG_NODE_TOKENS_MAX)
            return -EAGAIN;
        t = realloc(kit->tokens, n * sizeof(*t));
        if (!t)
            return -ENOMEM;
        kit->tokens = t;
        for (uint32_t i = n; i > kit->n_tokens; i--) {
            t[i - 1] = (struct token){.next_free = kit->free_token};
            kit->free_token = i;
        }
        kit->n_tokens = n;
        index = kit->free_token;
    }
    t = &kit->tokens[index - 1];
    kit->free_token = t->next_free;
    *t = (struct token){.kind = kind, .serial = t->serial + 1, .id = id};
    *ret = (uint64_t)t->serial << 32 | index;
    return 0;
}

struct token *kit_token_find(struct pathdog_node *kit, pathdog_node_token token)
{
    uint32_t index = (uint32_t)token;
    struct token *t;

    if (index == 0 || index > kit->n_tokens)
        return NULL;
    t = &kit->tokens[index - 1];
    return t->kind != TOKEN_FREE && t->serial == token >> 32 ? t : NULL;
}

static void token_release(struct pathdog_node *kit, struct token *t)
{
    t->kind = TOKEN_FREE;
    t->next_free = kit->free_token;
    kit->free_token = (uint32_t)(t - kit->tokens) + 1;
}

void kit_tokens_release_all(struct pathdog_node *kit)
{
    for (uint32_t i = 0; i < kit->n_tokens; i++)
        if (kit->tokens[i].kind != TOKEN_FREE)
            token_release(kit, &kit->tokens[i]);
    kit_lists_stop(kit);
}

int kit_token_take(struct pathdog_node *kit, pathdog_node_token token, enum token_kind kind,
                   struct token *ret)
{
    struct token *t = kit_token_find(kit, token);

    if (!t)
        return -ESTALE;
    if (kind != TOKEN_FREE && t->kind != kind)
        return -EINVAL;
    *ret = *t;
    token_release(kit, t);
    return 0;
}

/* Consumes the value, which may be NULL (out of memory, or a string that is not UTF-8). */
static int client_send_json(struct pathdog_node *kit, json_t *value)
{
    char *text;
    int r;

    if (!value)
        return -EINVAL;
    text = json_dumps(value, JSON_COMPACT);
    json_decref(value);
    if (!text)
        return -ENOMEM;
    r = kit_client_send(kit, text, strlen(text));
    free(text);
    return r;
}

int kit_send_result(struct pathdog_node *kit, json_int_t id, json_t *result)
{
    return client_send_json(
        kit, result ? json_pack("{ss,sI,so}", "jsonrpc", "2.0", "id", id, "result", result) : NULL);
}

static const char *error_word(int code)
{
    static const char *const words[] = {
        "not_connected",
        "no_conn",
        "peer_disable_migration",
        "timeout",
        "not_migratable",
        "busy",
        "no_path",
        "unknown_via",
        "dial_failed",
        "unsupported_protocol",
        "old_lives",
        "cancelled",
    };

    switch (code) {
    case PATHDOG_NODE_INVALID_REQUEST:
        return "invalid request";
    case PATHDOG_NODE_METHOD_NOT_FOUND:
        return "method not found";
    case PATHDOG_NODE_INVALID_PARAMS:
        return "invalid params";
    case PATHDOG_NODE_INTERNAL:
        return "internal error";
    }
    if (code <= PATHDOG_NODE_NOT_CONNECTED && code >= PATHDOG_NODE_CANCELLED)
        return words[PATHDOG_NODE_NOT_CONNECTED - code];
    return "error";
}

int kit_send_error(struct pathdog_node *kit, json_t *id, int code, const char *message)
{
    json_t *text = json_string(message ? message : error_word(code));

    if (!text) /* the node's own words are not UTF-8 */
        text = json_string(error_word(code));
    return client_send_json(kit, json_pack("{ss,sO,s{si,so}}", "jsonrpc", "2.0", "id", id, "error",
                                           "code", code, "message", text));
}

int kit_send_notification(struct pathdog_node *kit, const char *method, json_t *params)
{
    if (!kit->subscribed || !params) {
        json_decref(params);
        return params ? 0 : -EINVAL;
    }
    return client_send_json(
        kit, json_pack("{ss,ss,so}", "jsonrpc", "2.0", "method", method, "params", params));
}

/* ---- requests ---- */

static int handle_hello(struct pathdog_node *kit, json_int_t id, json_t *params)
{
    json_t *protocols = json_object_get(params, "protocol"), *p, *result, *features;
    bool common = false;
    struct stat st;
    size_t i;

    if (!json_is_array(protocols))
        return PATHDOG_NODE_INVALID_PARAMS;
    json_array_foreach(protocols, i, p) common |= json_is_integer(p) && json_integer_value(p) == 1;
    if (!common)
        return PATHDOG_NODE_UNSUPPORTED_PROTOCOL;
    features = json_array();
    for (i = 0; i < sizeof(feature_names) / sizeof(feature_names[0]); i++)
        if (kit->features & 1u << i)
            json_array_append_new(features, json_string(feature_names[i]));
    result = json_pack("{si,ss,ss,ss,so,ss}", "protocol", 1, "node", kit->node, "implementation",
                       kit->implementation, "boot", kit->boot, "features", features, "prefer",
                       kit->prefer_reconnect ? "reconnect" : "migrate");
    if (kit->max_in_flight > 0)
        json_object_set_new(result, "max_in_flight", json_integer(kit->max_in_flight));
    if (stat("/proc/self/ns/net", &st) == 0)
        json_object_set_new(result, "netns", json_integer((json_int_t)st.st_ino));
    kit_send_result(kit, id, result);
    if (!kit->greeted && kit->client_fd >= 0) {
        kit->greeted = true;
        if (kit->ops->client)
            kit->ops->client(kit, true, NULL, kit->user_data);
    }
    return 0;
}

static int handle_subscribe(struct pathdog_node *kit, json_int_t id)
{
    uint64_t serial = kit->client_serial;

    if (kit->peers.active)
        return PATHDOG_NODE_BUSY;
    kit->subscribed = true;
    kit->n_listed = 0;
    if (kit->relays)
        kit_send_notification(kit, "relays", json_incref(kit->relays));
    if (kit->ops->list_peers) {
        kit->peers = (struct list){.active = true, .id = id};
        return 0;
    }
    if (kit->ops->subscribe)
        kit->ops->subscribe(kit, kit->user_data);
    if (kit->client_serial == serial)
        kit_send_result(kit, id, json_pack("{sI}", "peers", (json_int_t)kit->n_listed));
    return 0;
}

/* An optional member: one that is null counts as absent. */
static json_t *get_optional(json_t *params, const char *key)
{
    json_t *value = json_object_get(params, key);

    return json_is_null(value) ? NULL : value;
}

static bool is_conn(const json_t *value)
{
    return json_is_integer(value) && json_integer_value(value) >= 1 &&
           (uint64_t)json_integer_value(value) <= PATHDOG_NODE_CONN_MAX;
}

/* params.conns as numbers: NULL with 0 when absent. */
static int get_conns(json_t *params, uint64_t **ret_conns, size_t *ret_n)
{
    json_t *array = get_optional(params, "conns"), *value;
    uint64_t *conns;
    size_t i;

    *ret_conns = NULL;
    *ret_n = 0;
    if (!array)
        return 0;
    if (!json_is_array(array) || json_array_size(array) > PATHDOG_NODE_CONNS_MAX)
        return PATHDOG_NODE_INVALID_PARAMS;
    conns = calloc(json_array_size(array) + 1, sizeof(*conns));
    if (!conns)
        return PATHDOG_NODE_INTERNAL;
    json_array_foreach(array, i, value)
    {
        if (!is_conn(value)) {
            free(conns);
            return PATHDOG_NODE_INVALID_PARAMS;
        }
        conns[i] = (uint64_t)json_integer_value(value);
    }
    *ret_conns = conns;
    *ret_n = json_array_size(array);
    return 0;
}

static int handle_summary(struct pathdog_node *kit, json_int_t id, json_t *params)
{
    pathdog_node_token token;
    uint64_t *conns;
    size_t n;
    int code = get_conns(params, &conns, &n);

    if (code < 0)
        return code;
    if (!conns && kit->rows_list.active)
        code = PATHDOG_NODE_BUSY;
    else if (token_new(kit, TOKEN_SUMMARY, id, &token) < 0)
        code = PATHDOG_NODE_INTERNAL;
    else if (!conns && kit->ops->list_rows)
        kit->rows_list = (struct list){.active = true, .token = token};
    else
        kit->ops->summary(kit, token, conns, n, kit->user_data);
    free(conns);
    return code;
}

static int handle_probe(struct pathdog_node *kit, json_int_t id, json_t *params)
{
    uint64_t serial = kit->client_serial, *conns;
    size_t n;
    int code = get_conns(params, &conns, &n);

    if (code == 0 && !conns)
        code = PATHDOG_NODE_INVALID_PARAMS;
    if (code < 0)
        return code;
    kit->ops->probe(kit, conns, n, kit->user_data);
    free(conns);
    if (kit->client_serial == serial)
        kit_send_result(kit, id, json_object());
    return 0;
}

/* A member that is a string, absent (NULL), or spoils the message (-1). */
static int get_text(json_t *params, const char *key, const char **ret)
{
    json_t *value = get_optional(params, key);

    *ret = json_string_value(value);
    return !value || (*ret && strlen(*ret) == json_string_length(value)) ? 0 : -1;
}

/* A member that is true or false, or absent; else it spoils the message (-1). */
static int get_flag(json_t *params, const char *key, bool *ret)
{
    json_t *value = get_optional(params, key);

    *ret = json_is_true(value);
    return !value || json_is_boolean(value) ? 0 : -1;
}

static int handle_move(struct pathdog_node *kit, json_int_t id, json_t *params,
                       enum token_kind kind)
{
    json_t *conn = json_object_get(params, "conn"), *timeout = get_optional(params, "timeout_ms");
    struct pathdog_node_migrate m = {.timeout_ms = 5000};
    pathdog_node_token token;
    bool keep_old = false;

    if (!is_conn(conn) || get_text(params, "reason", &m.reason) < 0 ||
        (timeout && !json_is_integer(timeout)))
        return PATHDOG_NODE_INVALID_PARAMS;
    m.conn = (uint64_t)json_integer_value(conn);
    if (timeout) {
        json_int_t t = json_integer_value(timeout);

        if (t < 1 || t > UINT32_MAX)
            return PATHDOG_NODE_INVALID_PARAMS;
        m.timeout_ms = (uint32_t)t;
    }
    if ((kit->features & PATHDOG_NODE_BIND || kind == TOKEN_PROBE_PATH) &&
        (get_text(params, "interface", &m.interface) < 0 ||
         get_text(params, "local", &m.local) < 0))
        return PATHDOG_NODE_INVALID_PARAMS;
    if (kit->features & PATHDOG_NODE_RELAY && get_text(params, "via", &m.via) < 0)
        return PATHDOG_NODE_INVALID_PARAMS;
    if (kit->features & PATHDOG_NODE_MAKE_BEFORE_BREAK && kind == TOKEN_RECONNECT &&
        get_flag(params, "keep_old", &keep_old) < 0)
        return PATHDOG_NODE_INVALID_PARAMS;
    if (token_new(kit, kind, id, &token) < 0)
        return PATHDOG_NODE_INTERNAL;
    if (kind == TOKEN_MIGRATE) {
        kit->ops->migrate(kit, token, &m, kit->user_data);
    } else if (kind == TOKEN_RECONNECT) {
        struct pathdog_node_reconnect r = {m.conn,      m.timeout_ms, m.reason,
                                           m.interface, m.local,      keep_old};

        kit->ops->reconnect(kit, token, &r, kit->user_data);
    } else {
        struct pathdog_node_probe_path p = {m.conn, m.timeout_ms, m.interface, m.local};

        kit->ops->probe_path(kit, token, &p, kit->user_data);
    }
    return 0;
}

/* Returns 0, or the code to refuse the request with. */
static int dispatch(struct pathdog_node *kit, const char *method, json_int_t id, json_t *params)
{
    if (strcmp(method, "hello") == 0)
        return handle_hello(kit, id, params);
    if (!kit->greeted)
        return PATHDOG_NODE_INVALID_REQUEST;
    if (strcmp(method, "subscribe") == 0)
        return handle_subscribe(kit, id);
    if (strcmp(method, "summary") == 0 && kit->ops->summary)
        return handle_summary(kit, id, params);
    if (strcmp(method, "migrate_peer") == 0 && kit->ops->migrate)
        return handle_move(kit, id, params, TOKEN_MIGRATE);
    if (strcmp(method, "reconnect_peer") == 0 && kit->features & PATHDOG_NODE_RECONNECT)
        return handle_move(kit, id, params, TOKEN_RECONNECT);
    if (strcmp(method, "probe") == 0 && kit->features & PATHDOG_NODE_PROBE)
        return handle_probe(kit, id, params);
    if (strcmp(method, "probe_path") == 0 && kit->features & PATHDOG_NODE_PROBE_PATH)
        return handle_move(kit, id, params, TOKEN_PROBE_PATH);
    return PATHDOG_NODE_METHOD_NOT_FOUND;
}

/* Of a request that is open; another id may be of one that was answered meanwhile. */
static void handle_cancel(struct pathdog_node *kit, json_t *params)
{
    json_t *id = json_object_get(params, "id");

    if (!kit->greeted || !kit->ops->cancel || !json_is_integer(id))
        return;
    for (uint32_t i = 0; i < kit->n_tokens; i++) {
        const struct token *t = &kit->tokens[i];

        if (t->id != json_integer_value(id) || t->kind == TOKEN_FREE || t->kind == TOKEN_SUMMARY)
            continue;
        kit->ops->cancel(kit, (uint64_t)t->serial << 32 | (i + 1), kit->user_data);
        return;
    }
}

void kit_handle_line(struct pathdog_node *kit, const char *line, size_t len)
{
    uint64_t serial = kit->client_serial;
    json_t *message, *method, *id;
    int code = PATHDOG_NODE_INVALID_REQUEST;

    if (len == 0 || (len == 1 && line[0] == '\r'))
        return;
    message = json_loadb(line, len, JSON_ALLOW_NUL, NULL);
    if (!message) /* an integer that is too large is no reason to hang up: as a real it is refused
                   */
        message = json_loadb(line, len, JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, NULL);
    if (!json_is_object(message)) {
        json_decref(message);
        kit_client_close(kit, "a line that is not a JSON object");
        return;
    }
    method = json_object_get(message, "method");
    id = json_object_get(message, "id");
    if (!id && json_is_string(method)) { /* a notification: of another method it is ignored */
        if (strcmp(json_string_value(method), "cancel") == 0)
            handle_cancel(kit, json_object_get(message, "params"));
    } else if (id && (method || json_object_get(message, "params"))) {
        /* with neither method nor params: an answer to nothing that was asked */
        if (json_is_string(method) && json_is_integer(id))
            code = dispatch(kit, json_string_value(method), json_integer_value(id),
                            json_object_get(message, "params"));
        if (code < 0 && kit->client_serial == serial) {
            json_t *echo = json_is_integer(id) ? json_incref(id) : json_null();

            kit_send_error(kit, echo, code, NULL);
            json_decref(echo);
        }
    }
    json_decref(message);
}
