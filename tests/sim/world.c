/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What happens next: a node that behaves, mostly, and a trigger that does not.
 * One choice per statement: a seed means the same to every compiler.
 */
#include <stdio.h>

#include "engine/engine.h"
#include "sim.h"
#include "util/util.h"

#define SLOW_EVERY 12 /* signals, on average */

static uint64_t pick(struct sim *sim, uint64_t n)
{
    return choose(&sim->choice, n);
}

static struct sim_peer *any_peer(struct sim *sim)
{
    return &sim->peers[pick(sim, SIM_NAMES)];
}

static const char *any_address(struct sim *sim, char *text, size_t size)
{
    unsigned net, host;

    if (!pick(sim, 4))
        return NULL;
    net = (unsigned)pick(sim, 3);
    host = (unsigned)pick(sim, 4);
    snprintf(text, size, "10.0.%u.%u:%u", net, host, 1000 + (unsigned)pick(sim, 3));
    return text;
}

static void node_up(struct sim *sim)
{
    if (pick(sim, 3) == 0)
        sim->boot++;
    snprintf(sim->text[0], sizeof(sim->text[0]), "boot%u", sim->boot);
    sim->node_budget = pick(sim, 2) ? (uint32_t)pick(sim, 12) : 0;
    sim->features = (uint32_t)pick(sim, 16);
    sim->features |= pick(sim, 2) ? NODE_PUSH : 0;
    sim->features |= pick(sim, 2) ? NODE_MAKE_BEFORE_BREAK : 0;
    if (pick(sim, 3))
        sim->features |= NODE_RECONNECT;
    sim->features = hosts_features(sim, sim->features);
    sim->event.type = EVENT_NODE_UP;
    sim->event.node_up.node = "node";
    sim->event.node_up.implementation = pick(sim, 2) ? "sim" : NULL;
    sim->event.node_up.boot = pick(sim, 12) ? sim->text[0] : "";
    sim->event.node_up.features = sim->features;
    sim->prefer_reconnect = !pick(sim, 4);
    sim->event.node_up.prefer_reconnect = sim->prefer_reconnect;
    sim->event.node_up.max_in_flight = sim->node_budget;
    sim->event.node_up.uid = 7;
}

static void node_down(struct sim *sim)
{
    sim->event.type = EVENT_NODE_DOWN;
    sim->event.node_down.reason = pick(sim, 2) ? "closed" : "refused";
}

/* A new connection, or one that is known told again, or one of the past. */
static void peer_up(struct sim *sim)
{
    struct sim_peer *peer = any_peer(sim);
    bool again = peer->known && (peer->unreported ? pick(sim, 8) != 0 : pick(sim, 3) == 0);
    bool kept = !peer->known && peer->kept_conn && pick(sim, 6);
    uint64_t conn = again                ? peer->conn
                    : kept               ? peer->kept_conn
                    : pick(sim, 20) == 0 ? 1 + pick(sim, sim->last_conn + 1)
                                         : sim->last_conn + 1;

    if (hosts_stays(sim, peer))
        conn = peer->conn;
    if (conn > sim->last_conn)
        sim->last_conn = conn;
    sim->event.type = EVENT_PEER_UP;
    sim->event.peer_up.peer = peer->name;
    sim->event.peer_up.conn = conn;
    sim->event.peer_up.role = pick(sim, 4) ? PD_ROLE_CLIENT : PD_ROLE_SERVER;
    sim->event.peer_up.local = any_address(sim, sim->text[0], sizeof(sim->text[0]));
    sim->event.peer_up.remote = any_address(sim, sim->text[1], sizeof(sim->text[1]));
    hosts_addresses(sim, &sim->event.peer_up.local, &sim->event.peer_up.remote);
    sim->event.peer_up.via = pick(sim, 3) ? NULL : "direct";
    sim->event.peer_up.migratable = pick(sim, 10) != 0;
    sim->event.peer_up.reconnectable = pick(sim, 6) != 0;

    if (again && pick(sim, 4))
        sim->event.peer_up.migratable = peer->migratable;
}

uint64_t world_conn(struct sim *sim)
{
    struct sim_peer *peer = any_peer(sim);

    return peer->known && pick(sim, 20) ? peer->conn : 1 + pick(sim, sim->last_conn + 2);
}

static void peer_down(struct sim *sim)
{
    sim->event.type = EVENT_PEER_DOWN;
    sim->event.peer_down.conn = world_conn(sim);
    sim->event.peer_down.reason = pick(sim, 2) ? "idle_timeout" : NULL;
}

static void peer_path(struct sim *sim)
{
    sim->event.type = EVENT_PEER_PATH;
    sim->event.peer_path.conn = world_conn(sim);
    sim->event.peer_path.local = any_address(sim, sim->text[0], sizeof(sim->text[0]));
    sim->event.peer_path.remote = any_address(sim, sim->text[1], sizeof(sim->text[1]));
    hosts_addresses(sim, &sim->event.peer_path.local, &sim->event.peer_path.remote);
    sim->event.peer_path.via = pick(sim, 3) ? NULL : "relay-1";
}

static void node_relays(struct sim *sim)
{
    static const struct pd_relay list[] = {{"relay-1", "192.0.2.1:1", "reg-ack"},
                                           {"relay-2", "192.0.2.2:2", "pilot"}};

    sim->event.type = EVENT_RELAYS;
    sim->event.relays = (struct event_relays){
        .list = list,
        .n = pick(sim, ARRAY_SIZE(list) + 1),
        .key = pick(sim, 2) ? "616c706861" : NULL,
    };
}

static void answer(struct sim *sim)
{
    static const int64_t codes[] = {
        NODE_NOT_CONNECTED,  NODE_NO_CONN,     NODE_PEER_DISABLE_MIGRATION,
        NODE_TIMEOUT,        NODE_TIMEOUT,     NODE_TIMEOUT,
        NODE_NOT_MIGRATABLE, NODE_BUSY,        NODE_BUSY,
        NODE_BUSY,           NODE_NO_PATH,     NODE_NO_PATH,
        NODE_UNKNOWN_VIA,    NODE_DIAL_FAILED, -32603,
        NODE_OLD_LIVES,      NODE_OLD_LIVES,   NODE_CANCELLED,
    };
    uint64_t recent = min_u64(sim->n_requests, pick(sim, 4) ? 8 : 64);
    uint64_t request = sim->n_requests - pick(sim, recent + 1);
    bool ok = pick(sim, 3) == 0;

    for (uint64_t i = 0; i < recent && pick(sim, 10); i++) { /* rather one that is not answered */
        const struct sim_request *one = &sim->requests[request];

        if (request && (one->open || (one->cancelled && !one->answered)))
            break;
        request = request ? request - 1 : 0;
    }
    if (!request)
        request = sim->n_requests + pick(sim, 3);
    sim->event.type = EVENT_ANSWER;
    sim->event.answer.request = request;
    sim->event.answer.ok = ok;
    sim->event.answer.malformed = !ok && pick(sim, 12) == 0;
    sim->event.answer.validated = pick(sim, 2);
    sim->event.answer.local = any_address(sim, sim->text[0], sizeof(sim->text[0]));
    sim->event.answer.conn = pick(sim, 8) ? sim->last_conn + pick(sim, 3) - 1 : 0;
    sim->event.answer.code = ok ? 0 : codes[pick(sim, ARRAY_SIZE(codes))];
    sim->event.answer.message = pick(sim, 2) ? "no" : NULL;

    if (sim->event.answer.malformed)
        sim->event.answer.code = 0;
    hosts_answer(sim);
}

static struct pd_advice any_advice(struct sim *sim)
{
    static const char *const reasons[] = {"one", "two", "three"};
    static const struct pd_field field = {.name = "number", .number = 3};
    struct pd_advice advice = {.evidence = &field};

    advice.kind = (enum pd_kind)(PD_KIND_MOVED + pick(sim, 3));
    advice.cause = pick(sim, 2) ? sim->causes[pick(sim, SIM_CAUSES)] : 0;
    advice.reason = reasons[pick(sim, ARRAY_SIZE(reasons))];
    advice.n_evidence = pick(sim, 2);
    advice.no_target = pick(sim, 12) == 0;
    advice.interface = pick(sim, 6) ? NULL : "up1";
    advice.via = pick(sim, 6) ? NULL : "relay-2";
    hosts_advice(sim, &advice);
    return advice;
}

/* Something that the trigger does, in some callback of this or a later turn. */
static void plan(struct sim *sim, uint32_t owner)
{
    static const enum poke_do deeds[] = {
        POKE_ADVISE,     POKE_ADVISE,      POKE_ADVISE, POKE_ADVISE,      POKE_ADVISE,
        POKE_ADVISE,     POKE_ADVISE,      POKE_ADVISE, POKE_ADVISE_SAME, POKE_ADVISE_SAME,
        POKE_WITHDRAW,   POKE_POLL,        POKE_TIMER,  POKE_QUERY,       POKE_NOTICE,
        POKE_OPEN_CAUSE, POKE_CLOSE_CAUSE, POKE_PROBE,  POKE_GIVEN_UP,    POKE_NO_ROUTE,
    };
    struct poke *poke = &sim->pokes[owner];
    enum poke_call in = pick(sim, 3) ? POKE_IN_SIGNAL : (enum poke_call)pick(sim, POKE_CALLS);
    struct poke_step *step = poke_add(poke, in, deeds[pick(sim, ARRAY_SIZE(deeds))]);

    step->peer = (uint32_t)pick(sim, SIM_NAMES + 4);
    step->text = "text";
    step->number = pick(sim, 5) ? sim->now_us + pick(sim, 3000000) : pick(sim, sim->now_us + 1);
    if (step->what == POKE_ADVISE)
        step->advice = any_advice(sim);
    else if (step->what == POKE_CLOSE_CAUSE)
        step->number = sim->causes[pick(sim, SIM_CAUSES)];
    else if (step->what == POKE_GIVEN_UP || step->what == POKE_NO_ROUTE)
        step->number = pick(sim, 3) != 0;
    else if (step->what == POKE_QUERY && !step->number)
        step->number = 1;
    if (sim->failing && pick(sim, 500) == 0)
        poke_add(poke, in, POKE_FAIL);
}

/* All connections get slow at once, those over one uplink where there are several, and are advised
 * so. */
static void get_slow(struct sim *sim, uint32_t owner)
{
    sim->slow_until_us = sim->now_us + 1000000 + pick(sim, 60000000);
    for (uint32_t peer = 0; peer < SIM_NAMES + 4; peer++) {
        struct poke_step *step = poke_add(&sim->pokes[owner], POKE_IN_SIGNAL, POKE_ADVISE);

        step->peer = peer;
        step->advice = (struct pd_advice){.kind = PD_KIND_DEGRADED, .reason = "slow"};
    }
}

static void trigger_signal(struct sim *sim)
{
    uint32_t owner = (uint32_t)pick(sim, sim->config.n_instances + (pick(sim, 50) == 0));

    if (owner < sim->config.n_instances && pick(sim, SLOW_EVERY) == 0)
        get_slow(sim, sim->setups[sim->setup].owners[owner]);
    else if (owner < sim->config.n_instances)
        for (uint64_t i = 0, count = 1 + pick(sim, 8); i < count; i++)
            plan(sim, sim->setups[sim->setup].owners[owner]);
    sim->event.type = EVENT_SIGNAL;
    sim->event.signal = (struct event_signal){
        .trigger = owner < sim->config.n_instances ? sim->setups[sim->setup].instances[owner].name
                                                   : "nobody",
        .kind = "go",
        .query = pick(sim, 3),
    };
}

static void command(struct sim *sim)
{
    static const enum command_type types[] = {
        COMMAND_MOVE,    COMMAND_MOVE,    COMMAND_MOVE, COMMAND_MOVE,   COMMAND_MOVE,
        COMMAND_MOVE,    COMMAND_HOLD,    COMMAND_HOLD, COMMAND_HOLD,   COMMAND_RELEASE,
        COMMAND_RELEASE, COMMAND_RELEASE, COMMAND_MODE, COMMAND_CONFIG,
    };
    enum command_type type = types[pick(sim, ARRAY_SIZE(types))];
    bool all = type == COMMAND_HOLD ? pick(sim, 12) == 0 : pick(sim, 3) == 0;

    if (type == COMMAND_CONFIG)
        sim_configure(sim);
    sim->event.type = EVENT_COMMAND;
    sim->event.command.type = type;
    sim->event.command.peer = all ? NULL : any_peer(sim)->name;
    sim->event.command.by = (enum command_by)pick(sim, 3);
    sim->event.command.interface = pick(sim, 4) ? NULL : "up2";
    sim->event.command.interface = hosts_operator(sim, sim->event.command.interface);
    sim->event.command.who = pick(sim, 2) ? "uid 1000" : NULL;
    sim->event.command.duration_us = pick(sim, 4) ? 1 + pick(sim, 30000000) : 0;
    sim->event.command.observe = pick(sim, 3) == 0;
}

static void summary_done(struct sim *sim)
{
    sim->event.type = EVENT_SUMMARY_DONE;
    sim->event.summary_done.poll = pick(sim, 10) ? sim->poll : pick(sim, sim->poll + 2);
    sim->event.summary_done.failed = pick(sim, 6) == 0;
    sim->event.summary_done.unanswered = sim->event.summary_done.failed && pick(sim, 2);
}

/* Mostly on time, sometimes late, rarely by much. */
static void pass_time(struct sim *sim)
{
    static const uint64_t spans[] = {1, 1000, 30000, 600000, 4000000, 90000000};
    uint64_t wake_us = sim->box->wake_at_us;
    uint64_t span = spans[pick(sim, 8) ? pick(sim, 4) : pick(sim, ARRAY_SIZE(spans))];
    uint64_t next_us = sim->now_us + (pick(sim, 3) ? pick(sim, span) : 0);

    sim->event = (struct event){.type = EVENT_TYPE_COUNT};
    next_us = hosts_pace(sim, next_us);
    if (wake_us <= next_us && pick(sim, 10)) {
        sim->event.type = EVENT_TIMER;
        next_us = max_u64(sim->now_us, wake_us) + (pick(sim, 4) ? pick(sim, 50) : 0);
    }
    sim->now_us = max_u64(next_us, sim->now_us);
}

void world_next(struct sim *sim)
{
    static void (*const events[])(struct sim * sim) = {
        rows_next,      rows_next, rows_next,      rows_next, rows_next,    rows_next,
        rows_next,      rows_next, rows_push,      answer,    answer,       answer,
        answer,         peer_up,   peer_up,        peer_up,   summary_done, trigger_signal,
        trigger_signal, command,   trigger_signal, peer_up,   summary_done, answer,
        peer_path,      peer_down,
    };

    pass_time(sim);
    if (sim->event.type == EVENT_TIMER || hosts_next(sim))
        return;
    if (!sim->up) {
        if (pick(sim, 3))
            node_up(sim);
        else
            events[pick(sim, ARRAY_SIZE(events))](sim);
    } else if (!sim->reported && pick(sim, 60) == 0) {
        sim->event.type = EVENT_SNAPSHOT;
    } else if (!sim->reported && pick(sim, 2)) {
        peer_up(sim);
    } else if (pick(sim, 800) == 0) {
        pick(sim, 5) ? node_down(sim) : node_up(sim);
    } else if (pick(sim, 400) == 0) {
        node_relays(sim);
    } else if (pick(sim, 500) == 0) {
        sim->event.type = EVENT_NOTICE;
        sim->event.notice = (struct event_notice){PD_LEVEL_WARNING, "bad-row", "text", 3};
    } else if (pick(sim, 300) == 0) {
        sim->event.type = EVENT_TIMER; /* nobody asked for it */
    } else {
        events[pick(sim, ARRAY_SIZE(events))](sim);
    }
}
