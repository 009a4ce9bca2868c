/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pathdog itself: the engine with the triggers of this build, fed with the events that a node and
 * a kernel would give, its actions carried out on the host. Nothing here decides anything.
 */
#include "host.h"
#include "kernel.h"
#include "policies.h"

#include "config/config.h"
#include "engine/engine.h"
#include "trigger-table.h"
#include "util/util.h"

#include <inttypes.h>

/* From a request on the node's socket to what follows from it. */
#define SOCKET_US (1 * MS)
/* From the end of a sleep until the source of resume sees no change of routes any more. */
#define RESUME_SETTLED_US (500 * MS)
/* CLOCK_REALTIME at the beginning; for records only. */
#define REALTIME_US UINT64_C(1700000000000000)

static const char defaults[] = "[watchdog]\n"
                               "node = /run/node/pathdog.sock\n"
                               "[trigger:route]\n"
                               "[trigger:srtt]\n"
                               "[trigger:stall]\n"
                               "[trigger:congestion]\n"
                               "[trigger:send-errors]\n"
                               "[trigger:resume]\n";

struct pathdog {
    struct config *config;
    struct engine *engine;
};

/* What a summary asked for. */
struct round {
    uint64_t poll;
    size_t n_conns; /* 0: all */
    uint64_t conns[PEERS];
};

static void feed(struct world *world, struct event *event);

static const struct pd_trigger *find_trigger(void *user, const char *directory, const char *name,
                                             char **ret_error)
{
    (void)user;
    (void)directory;
    for (size_t i = 0; trigger_table[i]; i++)
        if (!strcmp(trigger_table[i]->name, name))
            return trigger_table[i];
    *ret_error = string_copy("there is no such trigger in this build");
    return NULL;
}

/* ---- actions ---- */

static void round_answer(struct world *world, void *object, uint64_t argument)
{
    const struct round *round = object;
    struct sample_row rows[PEERS];
    struct event event = {.type = EVENT_SAMPLES,
                          .samples = {.columns = host_columns(world), .rows = rows}};

    (void)argument;
    if (world->asleep)
        return;
    for (unsigned i = 0; i < PEERS; i++) {
        const struct conn *conn = world->peers[i].live;
        bool asked = !round->n_conns;

        for (size_t k = 0; conn && k < round->n_conns; k++)
            asked |= round->conns[k] == conn->number;
        if (!conn || !asked)
            continue;
        rows[event.samples.n_rows].conn = conn->number;
        host_row(world, conn, &rows[event.samples.n_rows++].row);
    }
    feed(world, &event);
    event = (struct event){.type = EVENT_SUMMARY_DONE, .summary_done.poll = round->poll};
    feed(world, &event);
}

static void act_summary(struct world *world, const struct action_summary *summary)
{
    struct round *round = memory_new(1, sizeof(*round));

    round->poll = summary->poll;
    for (size_t i = 0; summary->conns && i < summary->n_conns && i < PEERS; i++)
        round->conns[round->n_conns++] = summary->conns[i];
    world_give(world, world->now_us + SOCKET_US, round_answer, round);
}

static void act_move(struct world *world, const struct action_move *move, bool reconnect)
{
    struct conn *conn = host_find(world, move->conn);
    int uplink = move->interface ? kernel_uplink_named(move->interface) : NO_UPLINK;

    world_say(world, "pathdog: %s conn %" PRIu64 ": %s%s%s", reconnect ? "reconnect" : "migrate",
              move->conn, move->reason ? move->reason->s : "", move->interface ? " to " : "",
              move->interface ? move->interface : "");
    if (!conn)
        world_news(world, &(struct news){
                              .type = NEWS_ANSWER, .request = move->request, .code = HOST_NO_CONN});
    else if (reconnect)
        host_reconnect(world, conn, uplink, move->timeout_ms * MS, move->request);
    else
        host_migrate(world, conn, uplink, move->timeout_ms * MS, move->request);
}

static void query_answered(struct world *world, void *object, uint64_t argument)
{
    struct kernel_answer *answer = object;
    struct event event = {.type = EVENT_SIGNAL,
                          .signal = {.trigger = "route",
                                     .kind = answer->kind,
                                     .query = answer->query,
                                     .fields = answer->fields,
                                     .n_fields = answer->n_fields}};

    (void)argument;
    feed(world, &event);
}

static void act_query(struct world *world, const struct action_query *query)
{
    struct kernel_answer *answer = memory_new(1, sizeof(*answer));

    kernel_answer(world, &query->query, answer);
    world_give(world, world->now_us, query_answered, answer);
}

static void act_probe_path(struct world *world, const struct action_probe_path *probe)
{
    const struct conn *conn = host_find(world, probe->conn);
    int uplink = kernel_uplink_named(probe->interface);

    if (conn && uplink != NO_UPLINK)
        host_probe(world, conn->peer, (unsigned)uplink, probe->timeout_ms * MS, probe->probe);
    else
        world_news(world, &(struct news){
                              .type = NEWS_PROBED, .request = probe->probe, .code = HOST_NO_CONN});
}

static void act(struct world *world, const struct action *action)
{
    switch (action->type) {
    case ACTION_SUMMARY:
        act_summary(world, &action->summary);
        break;
    case ACTION_MIGRATE:
    case ACTION_RECONNECT:
        act_move(world, &action->move, action->type == ACTION_RECONNECT);
        break;
    case ACTION_PROBE:
        for (size_t i = 0; i < action->probe.n_conns; i++) {
            struct conn *conn = host_find(world, action->probe.conns[i]);

            if (conn)
                host_ping(world, conn);
        }
        break;
    case ACTION_PROBE_PATH:
        act_probe_path(world, &action->probe_path);
        break;
    case ACTION_CANCEL:
        host_cancel(world, action->cancel.request);
        break;
    case ACTION_QUERY:
        act_query(world, &action->query);
        break;
    case ACTION_CLOSE:
        world_say(world, "pathdog: trigger %u is closed", action->close.instance);
        break;
    }
}

/* ---- events ---- */

static void say_records(const struct world *world, const struct outbox *box)
{
    for (size_t i = 0; world->trace && i < box->n_records; i++) {
        const struct record *record = &box->records[i];

        if (record->type == RECORD_UPLINK)
            world_say(world, "pathdog: uplink %s: %s: %s", record->uplink.uplink->s,
                      uplink_change_name(record->uplink.change), record->uplink.reason->s);
        if (record->type == RECORD_DECISION)
            world_say(world, "pathdog: %s %s conn %" PRIu64 ": %s (%s)",
                      kind_name(record->decision.kind), record->decision.subject.peer->s,
                      record->decision.subject.conn, verdict_name(record->decision.verdict),
                      record->decision.reason ? record->decision.reason->s : "");
    }
}

static void take_outbox(struct world *world, const struct outbox *box)
{
    for (size_t i = 0; i < box->n_actions; i++)
        act(world, &box->actions[i]);
    say_records(world, box);
    world_policy_at(world, box->wake_at_us);
}

static void feed(struct world *world, struct event *event)
{
    struct pathdog *pathdog = world->self;

    event->now_us = host_now(world);
    event->realtime_us = REALTIME_US + world->now_us;
    take_outbox(world, engine_handle(pathdog->engine, event));
}

/* What the daemon says of the host's interfaces. */
static void feed_interfaces(struct world *world)
{
    char names[UPLINKS_MAX][16], addresses[UPLINKS_MAX][32];
    struct event_interface list[UPLINKS_MAX];
    struct event event = {.type = EVENT_INTERFACES,
                          .interfaces = {.list = list, .n = world->network.n_uplinks}};

    for (unsigned i = 0; i < world->network.n_uplinks; i++) {
        const struct condition *is = network_condition(&world->network, i);

        kernel_ifname(i, names[i]);
        addresses[i][0] = '\0';
        if (is->address)
            kernel_address(i, 0, addresses[i]);
        list[i] = (struct event_interface){.name = names[i],
                                           .addresses = addresses[i],
                                           .carrier = is->carrier,
                                           .route4 = is->route};
    }
    feed(world, &event);
}

static void feed_kernel(struct world *world)
{
    struct event event = {.type = EVENT_SIGNAL, .signal = {.trigger = "route", .kind = "changed"}};

    feed_interfaces(world);
    feed(world, &event);
}

static void settled(struct world *world, void *object, uint64_t argument)
{
    struct event event = {.type = EVENT_SIGNAL, .signal = {.trigger = "resume", .kind = "settled"}};

    (void)object;
    (void)argument;
    feed(world, &event);
}

/* What the source of the trigger resume says. */
static void feed_resume(struct world *world)
{
    struct pd_field slept = {.name = "slept_us", .number = world->wake_us - world->sleep_us};
    struct event event = {
        .type = EVENT_SIGNAL,
        .signal = {.trigger = "resume", .kind = "slept", .fields = &slept, .n_fields = 1}};

    feed(world, &event);
    world_at(world, world->now_us + RESUME_SETTLED_US, settled, NULL, 0);
}

static void feed_up(struct world *world, const struct conn *conn)
{
    char local[32], remote[32];
    struct event event = {
        .type = EVENT_PEER_UP,
        .peer_up = {.peer = world->peers[conn->peer].name,
                    .conn = conn->number,
                    .role = conn->client ? PD_ROLE_CLIENT : PD_ROLE_SERVER,
                    .local = local,
                    .remote = remote,
                    .migratable = true,
                    .reconnectable = world->peers[conn->peer].reconnectable},
    };

    kernel_address(host_uplink(conn), conn->host.path.port, local);
    snprintf(remote, sizeof(remote), "198.51.100.%u:443", conn->peer + 1);
    feed(world, &event);
}

static void feed_path(struct world *world, const struct conn *conn)
{
    char local[32];
    struct event event = {.type = EVENT_PEER_PATH,
                          .peer_path = {.conn = conn->number, .local = local}};

    kernel_address(host_uplink(conn), conn->host.path.port, local);
    feed(world, &event);
}

static void feed_answer(struct world *world, const struct news *news)
{
    char local[32] = "";
    struct event event = {.type = EVENT_ANSWER,
                          .answer = {.request = news->request,
                                     .ok = !news->code,
                                     .validated = news->validated,
                                     .code = news->code}};

    if (!news->code) {
        kernel_address(host_uplink(news->conn), news->conn->host.path.port, local);
        event.answer.local = news->validated ? local : NULL;
        event.answer.conn = news->validated ? 0 : news->conn->number;
    }
    feed(world, &event);
}

static void feed_push(struct world *world, const struct conn *conn)
{
    struct sample_row row = {.conn = conn->number};
    struct event event = {.type = EVENT_SAMPLES,
                          .samples = {.columns = host_columns(world), .rows = &row, .n_rows = 1}};

    if (!host_find(world, conn->number))
        return;
    host_row(world, conn, &row.row);
    feed(world, &event);
}

static void pathdog_news(struct world *world, void *self, const struct news *news)
{
    struct event event = {.type = EVENT_PEER_DOWN};

    (void)self;
    switch (news->type) {
    case NEWS_UP:
        feed_up(world, news->conn);
        break;
    case NEWS_DOWN:
        event.peer_down.conn = news->conn->number;
        event.peer_down.reason = news->text;
        feed(world, &event);
        break;
    case NEWS_PATH:
        feed_path(world, news->conn);
        break;
    case NEWS_ANSWER:
        feed_answer(world, news);
        break;
    case NEWS_KERNEL:
        feed_kernel(world);
        break;
    case NEWS_PROBED:
        event = (struct event){.type = EVENT_PROBED,
                               .probed = {.probe = news->request,
                                          .ok = !news->code,
                                          .rtt_us = news->rtt_us,
                                          .code = news->code}};
        feed(world, &event);
        break;
    case NEWS_PUSH:
        feed_push(world, news->conn);
        break;
    case NEWS_RESUMED:
        feed_resume(world);
        break;
    }
}

static void pathdog_timer(struct world *world, void *self)
{
    struct event event = {.type = EVENT_TIMER};

    (void)self;
    feed(world, &event);
}

/* ---- the beginning ---- */

static void snapshot(struct world *world, void *object, uint64_t argument)
{
    struct event event = {.type = EVENT_SNAPSHOT};

    (void)object;
    (void)argument;
    feed(world, &event);
}

static void pathdog_start(struct world *world, void *self)
{
    const struct config_lookup lookup = {.find = find_trigger};
    const char *text = world->config ? world->config : defaults;
    struct pathdog *pathdog = self;
    struct event event = {
        .type = EVENT_NODE_UP,
        .node_up = {.node = "score",
                    .implementation = "quic-node",
                    .boot = "1",
                    .features = NODE_RECONNECT | NODE_BIND | NODE_PROBE | NODE_PROBE_PATH,
                    .uid = UINT32_MAX}};
    CLEANUP_FREE char *error = NULL;

    if (config_parse_text("score", text, strlen(text), &lookup, &pathdog->config, &error) < 0 ||
        engine_new(&pathdog->config->engine, host_now(world), REALTIME_US + world->now_us,
                   &pathdog->engine) < 0) {
        fprintf(stderr, "score: %s\n", error ? error : "the engine refuses the configuration");
        exit(2);
    }
    if (world->node == NODE_NEW)
        event.node_up.features |= NODE_PUSH;
    take_outbox(world, engine_outbox(pathdog->engine));
    feed_interfaces(world);
    feed(world, &event);
    /* The peers that are up come before: what is said at the same time goes in order. */
    world_at(world, world->now_us, snapshot, NULL, 0);
}

static void pathdog_stop(struct world *world, void *self)
{
    struct pathdog *pathdog = self;

    (void)world;
    pathdog->engine = engine_free(pathdog->engine);
    pathdog->config = config_free(pathdog->config);
}

const struct policy policy_pathdog = {
    .name = "pathdog",
    .summary = "this build's engine with all triggers and their defaults",
    .size = sizeof(struct pathdog),
    .push = true,
    .start = pathdog_start,
    .timer = pathdog_timer,
    .news = pathdog_news,
    .stop = pathdog_stop,
};
