/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any lines on the control socket, with an engine that has a few peers: every
 * line gets exactly one answer, which is a line of JSON-RPC; and the engine's
 * records stay what they must be.
 */
#include "fuzz.h"

#include <errno.h>

#include "control/private.h"
#include "util/format.h"

#define MS  UINT64_C(1000)
#define SEC UINT64_C(1000000)

struct desk {
    struct control control;
    struct client client;
    struct config config;
    struct engine *engine;
    uint64_t now_us;
};

static const struct config *desk_config(void *user)
{
    return &((struct desk *)user)->config;
}

static void desk_dispatch(void *user, struct event *event)
{
    struct desk *desk = user;

    event->now_us = ++desk->now_us;
    event->realtime_us = desk->now_us;
    control_records(&desk->control, engine_handle(desk->engine, event)->records,
                    engine_outbox(desk->engine)->n_records);
}

static void desk_notice(void *user, enum pd_level level, const char *what, const char *text)
{
    struct event event = {.type = EVENT_NOTICE, .notice = {level, what, text, 1}};

    desk_dispatch(user, &event);
}

static int desk_reload(void *user, char **ret_left, char **ret_error)
{
    *ret_left = NULL;
    return error_set(ret_error, -EINVAL, "a fuzzer has no file");
}

static void desk_open(struct desk *desk)
{
    const char *names[] = {"bravo@10.0.0.2", "bravo@10.0.0.3", "a\"b\\@h", "x"};
    struct event up = {.type = EVENT_NODE_UP,
                       .node_up = {.node = "n",
                                   .boot = "b",
                                   .features = NODE_RECONNECT | NODE_BIND | NODE_PROBE_PATH}};
    static const struct event_interface uplinks[] = {
        {.name = "up0", .addresses = "10.0.0.1 fd00::1", .carrier = true, .route4 = true},
        {.name = "up1", .addresses = "10.0.1.1", .carrier = true, .route4 = true},
    };
    struct event interfaces = {.type = EVENT_INTERFACES, .interfaces = {uplinks, 2}};
    struct event snapshot = {.type = EVENT_SNAPSHOT};

    desk->config.node = "/n";
    desk->config.engine = (struct engine_config){
        .sample_interval_us = 5 * SEC,
        .close_interval_us = 500 * MS,
        .close_max = 1024,
        .migrate_timeout_us = 5 * SEC,
        .timeout_max_us = 30 * SEC,
        .max_peers = 16,
        .cooldown_us = 30 * SEC,
        .cooldown_max_us = 900 * SEC,
        .backoff_min_us = 5 * SEC,
        .backoff_max_us = 300 * SEC,
        .move_burst = 5,
        .move_refill_us = 10 * SEC,
        .reconnect_gap_us = 10 * SEC,
        .effect_window_us = 10 * SEC,
        .fallback_after_us = 3 * SEC,
        .decisions_kept = 4,
        .choose = true,
    };
    MUST(engine_new(&desk->config.engine, 1, 1, &desk->engine) == 0);
    desk->control.host = (struct control_host){
        .engine = desk->engine,
        .run = "run",
        .version = "version",
        .config = desk_config,
        .dispatch = desk_dispatch,
        .notice = desk_notice,
        .reload = desk_reload,
        .user = desk,
    };
    desk->client = (struct client){.control = &desk->control, .fd = -1, .filter.verdict = -1};
    desk_dispatch(desk, &interfaces);
    desk_dispatch(desk, &up);
    for (uint64_t i = 0; i < ARRAY_SIZE(names); i++) {
        struct event peer = {.type = EVENT_PEER_UP,
                             .peer_up = {.peer = names[i],
                                         .conn = i + 1,
                                         .local = i < 2 ? "10.0.0.1:7" : NULL,
                                         .role = i & 1 ? PD_ROLE_SERVER : PD_ROLE_CLIENT,
                                         .migratable = true,
                                         .reconnectable = true}};

        desk_dispatch(desk, &peer);
    }
    desk_dispatch(desk, &snapshot);
}

static void desk_close(struct desk *desk)
{
    follow_set(&desk->client, false);
    filter_clear(&desk->client.filter);
    buffer_clear(&desk->client.out);
    backlog_clear(&desk->control.backlog);
    interfaces_clear(&desk->control.interfaces);
    engine_free(desk->engine);
}

/* One line, that is a JSON-RPC answer. */
static void check_answer(const struct buffer *out)
{
    const char *bytes = buffer_bytes(out);
    json_t *answer;

    MUST(out->length && memchr(bytes, '\n', out->length) == bytes + out->length - 1);
    answer = json_loadb(bytes, out->length, 0, NULL);
    MUST(answer && json_is_object(answer));
    MUST(json_object_get(answer, "id"));
    MUST(!json_object_get(answer, "result") != !json_object_get(answer, "error"));
    json_decref(answer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct desk desk = {0};

    desk_open(&desk);
    while (size) {
        const uint8_t *end = memchr(data, '\n', size);
        size_t length = end ? (size_t)(end - data) : size;

        if (length && length < LINE_BYTES_MAX) {
            request_line(&desk.client, (const char *)data, length, TURN_US);
            check_answer(&desk.client.out);
            desk.client.out.length = 0;
        }
        data += length + (end != NULL);
        size -= length + (end != NULL);
    }
    desk_close(&desk);
    return 0;
}
