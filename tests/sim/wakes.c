/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How often an engine wakes up, asks and moves in a virtual hour: nothing is
 * spent on uplinks where all is well, and what is spent where it is not has a bound.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/engine.h"
#include "engine/peers/peer.h"
#include "engine/state.h"
#include "poke.h"

#define PEERS      8u
#define HOUR_US    UINT64_C(3600000000)
#define BEGIN_US   UINT64_C(1000000)
#define TICK_US    250000u /* the node's connections are looked at so often */
#define DEAD_US    1000000u
#define PENDING    256u
#define NEVER_US   UINT64_MAX
#define INTERFACES 2u

/* Nothing gets through over an interface: from a time on, and in each period the first part. */
struct silence {
    uint64_t from_us, part_us, period_us; /* period 0: for good */
};

struct scene {
    const char *name;
    size_t uplinks;  /* that there are */
    size_t sections; /* that the configuration has */
    uint32_t features;
    struct silence silences[INTERFACES];
    uint64_t most_wakes, most_probes, most_moves; /* more than in the same hour without uplinks */
};

struct pending {
    uint64_t at_us;
    struct event event;
};

struct connection {
    uint64_t conn;
    size_t interface;
    uint64_t heard_us, samples, advised_us;
    char local[32];
};

struct world {
    const struct scene *scene;
    struct engine_config config;
    struct instance_config instance;
    struct pd_value value;
    struct poke poke;
    struct engine *engine;
    const struct outbox *box;
    uint64_t now_us;
    struct connection peers[PEERS];
    struct pending pending[PENDING];
    size_t n_pending;
    struct sample_row rows[PEERS];
    uint64_t wakes, probes, moves;
};

static const char *const interfaces[INTERFACES] = {"eth0", "eth1"};
static const char *const addresses[INTERFACES] = {"10.0.0.1", "10.0.1.1"};

__attribute__((noreturn)) static void fail(const struct world *world, const char *what)
{
    fflush(stdout);
    fprintf(stderr, "wakes: %s: at %" PRIu64 " us: %s\n", world->scene->name, world->now_us, what);
    abort();
}

static bool silent(const struct world *world, size_t interface)
{
    const struct silence *silence = &world->scene->silences[interface];
    uint64_t since_us;

    if (!silence->from_us || world->now_us < silence->from_us)
        return false;
    since_us = world->now_us - silence->from_us;
    return !silence->period_us || since_us % silence->period_us < silence->part_us;
}

static struct connection *connection_of(struct world *world, uint64_t conn)
{
    return &world->peers[(conn - 1) % PEERS];
}

static void later(struct world *world, uint64_t after_us, const struct event *event)
{
    if (world->n_pending == PENDING)
        fail(world, "too much is asked at once");
    world->pending[world->n_pending++] = (struct pending){world->now_us + after_us, *event};
}

/* ---- the node ---- */

static void place(struct connection *peer, size_t interface)
{
    peer->interface = interface;
    snprintf(peer->local, sizeof(peer->local), "%s:%u", addresses[interface],
             1000 + (unsigned)peer->conn);
}

static size_t interface_of(const struct connection *peer, const char *name)
{
    for (size_t i = 0; name && i < INTERFACES; i++)
        if (!strcmp(interfaces[i], name))
            return i;
    return peer->interface; /* the route table has not changed */
}

static void asked_move(struct world *world, const struct action *action)
{
    struct connection *peer = connection_of(world, action->move.conn);
    size_t to = interface_of(peer, action->move.interface);
    struct event event = {.type = EVENT_ANSWER, .answer.request = action->move.request};

    world->moves++;
    if (silent(world, to)) {
        event.answer.code = NODE_TIMEOUT;
        later(world, action->move.timeout_ms * UINT64_C(1000), &event);
        return;
    }
    place(peer, to);
    event.answer.ok = event.answer.validated = true;
    event.answer.local = peer->local;
    later(world, 30000, &event);
}

static void asked_probe(struct world *world, const struct action_probe_path *probe)
{
    struct event event = {.type = EVENT_PROBED, .probed.probe = probe->probe};
    size_t over = interface_of(connection_of(world, probe->conn), probe->interface);

    world->probes++;
    event.probed.ok = !silent(world, over);
    event.probed.rtt_us = event.probed.ok ? 20000 : 0;
    event.probed.code = event.probed.ok ? 0 : NODE_TIMEOUT;
    later(world, event.probed.ok ? 20000 : probe->timeout_ms * UINT64_C(1000), &event);
}

static void take(struct world *world)
{
    for (size_t i = 0; i < world->box->n_actions; i++) {
        const struct action *action = &world->box->actions[i];

        if (action->type == ACTION_SUMMARY)
            later(world, 1000,
                  &(struct event){.type = EVENT_SUMMARY_DONE,
                                  .summary_done.poll = action->summary.poll});
        else if (action->type == ACTION_MIGRATE || action->type == ACTION_RECONNECT)
            asked_move(world, action);
        else if (action->type == ACTION_PROBE_PATH)
            asked_probe(world, &action->probe_path);
    }
}

static void give(struct world *world, const struct event *event)
{
    struct event timed = *event;

    timed.now_us = world->now_us;
    timed.realtime_us = world->now_us;
    world->box = engine_handle(world->engine, &timed);
    take(world);
}

static void give_rows(struct world *world)
{
    for (size_t i = 0; i < PEERS; i++) {
        struct connection *peer = &world->peers[i];
        struct pd_row *row = &world->rows[i].row;

        memset(row, 0xff, sizeof(*row)); /* PD_UNKNOWN */
        if (!silent(world, peer->interface)) {
            peer->heard_us = world->now_us;
            peer->samples++;
        }
        world->rows[i].conn = peer->conn;
        row->v[PD_SRTT_US] = row->v[PD_LATEST_RTT_US] = 20000;
        row->v[PD_RTT_SAMPLES] = peer->samples;
        row->v[PD_SILENT_MS] = (world->now_us - peer->heard_us) / 1000;
        row->v[PD_IN_FLIGHT_BYTES] = silent(world, peer->interface) ? 1200 : 0;
        row->v[PD_PTO_COUNT] = silent(world, peer->interface) ? 2 : 0;
    }
    give(world, &(struct event){.type = EVENT_SAMPLES,
                                .samples = {(1u << PD_COLUMN_COUNT) - 1, world->rows, PEERS}});
}

/* A trigger finds what nothing comes back on, after a second, and then each second again. */
static void look(struct world *world)
{
    bool any = false;

    for (size_t i = 0; i < PEERS; i++) {
        struct connection *peer = &world->peers[i];
        struct poke_step *step;

        if (!silent(world, peer->interface))
            peer->heard_us = world->now_us;
        if (world->now_us < peer->heard_us + DEAD_US || world->now_us < peer->advised_us + DEAD_US)
            continue;
        peer->advised_us = world->now_us;
        step = poke_add(&world->poke, POKE_IN_SIGNAL, POKE_ADVISE);
        step->peer = peers_find(world->engine, peer->conn)->view.index;
        step->advice = (struct pd_advice){.kind = PD_KIND_DEAD, .reason = "nothing comes back"};
        any = true;
    }
    if (any)
        give(world,
             &(struct event){.type = EVENT_SIGNAL, .signal = {.trigger = "poke", .kind = "go"}});
}

/* ---- an hour ---- */

static void set(struct world *world, const struct scene *scene)
{
    static const struct uplink_config sections[INTERFACES] = {
        {"cable", "eth0", UPLINK_PRIMARY},
        {"lte", "eth1", UPLINK_SPARE},
    };

    *world = (struct world){.scene = scene, .now_us = BEGIN_US};
    world->value = poke_value(&world->poke);
    world->instance = (struct instance_config){
        .trigger = &pathdog_trigger_poke, .name = "poke", .values = &world->value};
    world->config = (struct engine_config){
        .sample_interval_us = 5000000,
        .close_interval_us = 500000,
        .close_max = 1024,
        .migrate_timeout_us = 5000000,
        .timeout_max_us = 30000000,
        .retries = 2,
        .merge_window_us = 2000000,
        .max_peers = 1000,
        .cooldown_us = 30000000,
        .cooldown_max_us = 900000000,
        .backoff_min_us = 5000000,
        .backoff_max_us = 300000000,
        .move_burst = 5,
        .move_refill_us = 10000000,
        .reconnect_gap_us = 10000000,
        .effect_window_us = 10000000,
        .fallback = FALLBACK_OFF,
        .fallback_after_us = 3000000,
        .fallback_blind_us = 20000000,
        .decisions_kept = 16,
        .instances = &world->instance,
        .n_instances = 1,
        .uplinks = sections,
        .n_uplinks = scene->sections,
        .choose = true,
    };
}

static void begin(struct world *world)
{
    struct event_interface host[INTERFACES] = {0};

    if (engine_new(&world->config, world->now_us, world->now_us, &world->engine) < 0)
        fail(world, "no engine");
    for (size_t i = 0; i < INTERFACES; i++)
        host[i] = (struct event_interface){
            .name = interfaces[i], .addresses = addresses[i], .carrier = true, .route4 = true};
    give(world,
         &(struct event){.type = EVENT_INTERFACES, .interfaces = {host, world->scene->uplinks}});
    give(world,
         &(struct event){
             .type = EVENT_NODE_UP,
             .node_up = {.node = "node", .boot = "boot", .features = world->scene->features}});
    for (size_t i = 0; i < PEERS; i++) {
        static char names[PEERS][8];
        struct connection *peer = &world->peers[i];

        snprintf(names[i], sizeof(names[i]), "peer%zu", i);
        peer->conn = i + 1;
        peer->heard_us = world->now_us;
        place(peer, 0);
        give(world, &(struct event){.type = EVENT_PEER_UP,
                                    .peer_up = {.peer = names[i],
                                                .conn = peer->conn,
                                                .local = peer->local,
                                                .remote = "192.0.2.1:443",
                                                .migratable = true}});
    }
    give(world, &(struct event){.type = EVENT_SNAPSHOT});
}

static size_t first_pending(const struct world *world)
{
    size_t first = 0;

    for (size_t i = 1; i < world->n_pending; i++)
        if (world->pending[i].at_us < world->pending[first].at_us)
            first = i;
    return first;
}

static void hour(struct world *world)
{
    uint64_t end_us = world->now_us + HOUR_US, tick_us = world->now_us + TICK_US;
    uint64_t wakes_before = 0, begun_us = world->now_us;

    while (world->now_us < end_us) {
        size_t first = first_pending(world);
        uint64_t answer_us = world->n_pending ? world->pending[first].at_us : NEVER_US;
        uint64_t wake_us = world->box->wake_at_us;

        if (answer_us <= tick_us && answer_us <= wake_us) {
            struct pending next = world->pending[first];

            world->pending[first] = world->pending[--world->n_pending];
            world->now_us = next.at_us;
            if (next.event.type == EVENT_SUMMARY_DONE)
                give_rows(world);
            give(world, &next.event);
        } else if (wake_us <= tick_us) {
            if (wake_us <= world->now_us && ++wakes_before > 1000)
                fail(world, "the timer is wanted again and again");
            if (wake_us > world->now_us)
                wakes_before = 0;
            world->now_us = wake_us > world->now_us ? wake_us : world->now_us;
            world->wakes += wake_us != begun_us;
            give(world, &(struct event){.type = EVENT_TIMER});
        } else {
            world->now_us = tick_us;
            tick_us += TICK_US;
            look(world);
        }
    }
}

static void run(struct world *world, const struct scene *scene)
{
    set(world, scene);
    begin(world);
    hour(world);
    give(world, &(struct event){.type = EVENT_COMMAND, .command.type = COMMAND_STOP});
    world->engine = engine_free(world->engine);
    printf("%-52s %6" PRIu64 " wake-ups, %5" PRIu64 " probes, %4" PRIu64 " moves\n", scene->name,
           world->wakes, world->probes, world->moves);
    fflush(stdout);
}

#define ALL    (NODE_BIND | NODE_PROBE_PATH)
#define START  (BEGIN_US + 60000000)
#define SECOND UINT64_C(1000000)

int main(void)
{
    static const struct scene none = {.name = "no uplink", .features = ALL};
    static const struct scene scenes[] = {
        {.name = "all is well: one uplink", .uplinks = 1, .features = ALL},
        {.name = "all is well: two uplinks", .uplinks = 2, .features = ALL},
        {.name = "all is well: two sections", .uplinks = 2, .sections = 2, .features = ALL},
        {.name = "all is well: no probes", .uplinks = 2, .sections = 2, .features = NODE_BIND},
        {"one is silent for good, learned", 2, 0, ALL, {{START, 0, 0}}, 5000, 2500, 8},
        {"one is silent for good", 2, 2, ALL, {{START, 0, 0}}, 5000, 2500, 8},
        {"one is silent for good, no probes", 2, 2, NODE_BIND, {{START, 0, 0}}, 4000, 0, 24},
        {"one is silent for a minute", 2, 2, ALL, {{START, 60 * SECOND, NEVER_US}}, 200, 60, 16},
        {"the only one is silent for good", 0, 0, ALL, {{START, 0, 0}}, 14000, 0, 4500},
        {"both are silent for good", 2, 2, ALL, {{START, 0, 0}, {START, 0, 0}}, 14000, 2400, 2200},
        {"one flaps, 30 s", 2, 2, ALL, {{START, 30 * SECOND, 60 * SECOND}}, 4000, 1400, 32},
        {"one flaps, 30 s, learned",
         2,
         0,
         ALL,
         {{START, 30 * SECOND, 60 * SECOND}},
         4000,
         1400,
         32},
        {"one flaps, 30 s, no probes",
         2,
         2,
         NODE_BIND,
         {{START, 30 * SECOND, 60 * SECOND}},
         4000,
         0,
         96},
        {"one flaps, 5 s", 2, 2, ALL, {{START, 5 * SECOND, 10 * SECOND}}, 5000, 2500, 16},
        {"they are silent by turns, a minute each",
         2,
         2,
         ALL,
         {{START, 60 * SECOND, 120 * SECOND}, {START + 60 * SECOND, 60 * SECOND, 120 * SECOND}},
         4000,
         1500,
         960},
    };
    struct world *world = malloc(sizeof(*world));
    uint64_t least;

    if (!world)
        return 2;
    run(world, &none);
    least = world->wakes;
    for (size_t i = 0; i < sizeof(scenes) / sizeof(scenes[0]); i++) {
        run(world, &scenes[i]);
        if (world->wakes > least + scenes[i].most_wakes)
            fail(world, "it wakes up more often");
        if (world->probes > scenes[i].most_probes)
            fail(world, "it probes more often");
        if (world->moves > scenes[i].most_moves)
            fail(world, "it moves more often");
    }
    free(world);
    return 0;
}
