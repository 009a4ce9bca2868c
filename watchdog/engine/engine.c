/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The engine: one event in, one outbox out. Every stage is called from here, and none calls an
 * earlier one, so this page is the flow.
 *
 * Objects. A `peer` is one connection of the node, not a name: who reconnects is a new peer. What
 * belongs to the name and outlives the connection (a hold, the gap between reconnects) is a
 * `name_state`. Most peers are never moved; when something is advised about one, it gets an
 * `move state`: its move, its waiting times, its watch, the advice that is remembered. A trigger
 * `instance` is one section of the configuration: a policy with its own state of each peer. Each
 * struct stands in the header of the module that owns it, and only that module changes it.
 *
 * One turn. engine_ask() takes the time from the event and hands the event to dispatch(). That
 * changes what is known (connection.c, row.c), calls the policies (triggers.c), or ends a request
 * (migration.c, outcome.c). A policy decides nothing: what it advises or withdraws is a note in a
 * list, so that it is never called while it runs. ask() then has the gate turn each note into one
 * decision, strongest kind first, and writes the requests of those that passed. By then the outbox
 * has all actions, and the shell sends them.
 *
 * Steps. Of a hundred thousand the first request must not wait for the decision on the last, nor
 * may the process be deaf meanwhile: the gate goes through ASK_SLICE of them at a time, and the
 * shell sends what there is and looks up before it calls engine_ask_more().
 *
 * The second step. Of ten thousand requests the last one must not wait for the records of all
 * others, so their entry (the move, its deadline, its decision record) is made by engine_settle(),
 * after the lines have left. Between all of these steps nothing else happens to the engine.
 *
 * Time. There is no clock: `now_us` is the last event's. Whatever has to happen later is a
 * `deadline` inside of what it belongs to; due() says for each kind who is called. The outbox
 * carries the time of the first, and the shell sends EVENT_TIMER then, or later: a late timer runs
 * all that are due, in their order.
 *
 * Answers. A request leads to one answer, or to none before its deadline. The answer is a new
 * event: outcome.c writes its record and says what is next, and answered() below tells the policies
 * of the other path before advice that waited for the answer is given again. Whether the move
 * helped is found from the rows that follow (effect.c); whether the connection is dead
 * meanwhile, and has to be closed and dialled again, too (fallback.c).
 *
 * Records. Every advice ends in one decision, every request in one outcome, every successful move
 * in one effect. They are values in the outbox, in the order in which they came to be; how they
 * look and where they go is the shell's business. A cause's record is written last, in
 * causes_flush(), because it counts the decisions before it.
 */
#include "engine.h"

#include "base/cause.h"
#include "base/notice.h"
#include "base/outbox.h"
#include "command.h"
#include "configure.h"
#include "connection.h"
#include "learnt-keep.h"
#include "liveness/effect.h"
#include "liveness/fallback.h"
#include "moves/advice.h"
#include "moves/again.h"
#include "moves/decision.h"
#include "moves/move.h"
#include "peers/name.h"
#include "peers/peer.h"
#include "peers/poll.h"
#include "stages/admit.h"
#include "stages/deferred.h"
#include "stages/fate.h"
#include "stages/gate.h"
#include "stages/migration.h"
#include "stages/row.h"
#include "state.h"
#include "triggers/instance.h"
#include "triggers/relays.h"
#include "triggers/triggers.h"
#include "uplinks/react.h"
#include "uplinks/return.h"

/* Connections that a tick looks at for move states that nothing depends on any more. */
#define SHELF_SLICE 65536u

/* So much advice is decided before what was asked so far may be sent. */
#define ASK_SLICE 4096u

/* Of the connections that are there: a trigger may ask in its last callback for one, too. */
static size_t probes_of_known(struct engine *engine)
{
    size_t count = 0;

    for (size_t i = 0; i < engine->n_probes; i++) {
        const struct peer *peer = peers_find(engine, engine->probes[i]);

        if (peer && peer->state == PEER_UP)
            engine->probes[count++] = engine->probes[i];
    }
    return count;
}

/* Probes that were wanted in this turn, in lists of at most what one may name. */
static void flush_probes(struct engine *engine)
{
    engine->n_probes = probes_of_known(engine);
    for (size_t done = 0; done < engine->n_probes;) {
        size_t count = min_u64(engine->n_probes - done, POLL_CONNS_MAX);
        uint64_t *conns = outbox_conns(engine, count);

        memcpy(conns, engine->probes + done, count * sizeof(*conns));
        outbox_action(engine, ACTION_PROBE)->probe = (struct action_probe){conns, count};
        done += count;
    }
    engine->n_probes = 0;
}

/* Advice is decided, and requests are written: `most` of them, false while there are more. */
static bool ask(struct engine *engine, size_t most)
{
    bool done = gate_run(engine, most);

    if (done) {
        if (engine->migration.queue_count) {
            (void)admit_settle(engine, SIZE_MAX);
            migration_pump(engine);
        }
        flush_probes(engine);
    }
    outbox_seal(engine);
    return done;
}

/* Everything that happens because its time has come. */
static void due(struct engine *engine, struct deadline *deadline)
{
    switch (deadline->kind) {
    case DEADLINE_NOTICE:
        notice_due(engine, deadline);
        break;
    case DEADLINE_ROUND:
        polls_round_due(engine);
        shelve(engine, SHELF_SLICE);
        advice_give_back(engine);
        admit_give_back(engine);
        break;
    case DEADLINE_CLOSE_POLL:
        polls_close_due(engine);
        break;
    case DEADLINE_SILENT:
        break; /* the shell is awake, and asks */
    case DEADLINE_REMEMBERED:
        advice_due(engine, deadline);
        break;
    case DEADLINE_AGAIN:
        again_due(engine, deadline);
        break;
    case DEADLINE_REPEATS:
        repeat_due(engine, deadline);
        break;
    case DEADLINE_MOVE:
        migration_due(engine, deadline);
        break;
    case DEADLINE_EFFECT:
        effect_due(engine, deadline);
        break;
    case DEADLINE_WATCH:
        fallback_due(engine, deadline);
        break;
    case DEADLINE_RETURN:
        return_due(engine);
        break;
    case DEADLINE_UPLINK:
        react_due(engine);
        break;
    case DEADLINE_FATE:
        fate_due(engine);
        break;
    case DEADLINE_QUIET:
        deferred_due(engine, deadline);
        break;
    case DEADLINE_TRIGGER:
        instance_due(deadline);
        gate_withdrawn(engine);
        break;
    }
}

static void run_deadlines(struct engine *engine)
{
    struct deadline *deadline;

    while ((deadline = deadlines_take(&engine->deadlines, engine->now_us)))
        due(engine, deadline);
}

int engine_new(const struct engine_config *config, uint64_t now_us, uint64_t realtime_us,
               struct engine **ret_engine)
{
    struct engine *engine = memory_new(1, sizeof(*engine));
    int result;

    engine->config = config;
    engine->mode = config->mode;
    engine->now_us = now_us;
    engine->realtime_us = realtime_us;
    engine->random = 0x9e3779b97f4a7c15u;
    engine->ring.capacity = config->decisions_kept;
    pool_init(&engine->effect_pool, sizeof(struct effect_job));
    pool_init(&engine->repeat_pool, sizeof(struct repeats));
    result = triggers_init(engine);
    peers_init(engine);
    moves_init(engine);
    polls_init(engine);
    groups_init(engine);
    fate_init(engine);
    if (result < 0) {
        engine_free(engine);
        return result;
    }
    react_configured(engine);
    triggers_start(engine);
    (void)ask(engine, SIZE_MAX);
    (void)engine_settle(engine, SIZE_MAX);
    *ret_engine = engine;
    return 0;
}

struct engine *engine_free(struct engine *engine)
{
    if (!engine)
        return NULL;
    triggers_stop(engine);
    relays_clear(engine);
    admit_clear(engine);
    connections_free(engine);
    for (size_t i = 0; i < engine->n_advice; i++)
        reason_unref(engine->advice[i].reason);
    outbox_clear(engine);
    moves_clear(engine);
    peers_clear(engine);
    names_clear(engine);
    learnt_clear(engine);
    uplinks_clear(engine);
    fate_clear(engine);
    groups_clear(engine);
    causes_clear(engine);
    notices_clear(engine);
    pool_clear(&engine->effect_pool);
    pool_clear(&engine->repeat_pool);
    deadlines_clear(&engine->deadlines);
    text_unref(engine->node.name);
    text_unref(engine->node.implementation);
    text_unref(engine->node.boot);
    text_unref(engine->node.down_reason);
    free(engine->advice);
    free(engine->withdrawals);
    free(engine->admitted);
    free(engine->probes);
    free(engine);
    return NULL;
}

/* A request ended. The policies hear of another path before advice that waited for the end is
 * given again: they may withdraw it. */
static void answered(struct engine *engine, const struct event_answer *answer)
{
    struct answered led = migration_answer(engine, answer);

    if (led.moved)
        triggers_migrated(engine, led.moved, led.reason);
    reason_unref(led.reason);
    gate_withdrawn(engine);
    outcome_succeeded(engine, &led);
}

static void dispatch(struct engine *engine, const struct event *event)
{
    switch (event->type) {
    case EVENT_NODE_UP:
        connection_node_up(engine, &event->node_up);
        break;
    case EVENT_NODE_DOWN:
        connection_node_down(engine, &event->node_down);
        break;
    case EVENT_SNAPSHOT:
        connection_snapshot(engine);
        break;
    case EVENT_PEER_UP:
        connection_peer_up(engine, &event->peer_up);
        break;
    case EVENT_PEER_DOWN:
        connection_peer_down(engine, &event->peer_down);
        break;
    case EVENT_PEER_PATH:
        connection_peer_path(engine, &event->peer_path);
        break;
    case EVENT_SAMPLES:
        row_samples(engine, &event->samples);
        break;
    case EVENT_SUMMARY_DONE:
        if (polls_done(engine, &event->summary_done)) {
            triggers_missing(engine);
            fate_round(engine);
        }
        polls_ask_due(engine);
        break;
    case EVENT_ANSWER:
        answered(engine, &event->answer);
        break;
    case EVENT_SIGNAL:
        triggers_signal(engine, &event->signal);
        break;
    case EVENT_TIMER:
        run_deadlines(engine);
        break;
    case EVENT_COMMAND:
        command_run(engine, &event->command);
        break;
    case EVENT_NOTICE:
        notice(engine, event->notice.level, event->notice.what, event->notice.text,
               event->notice.count);
        break;
    case EVENT_INTERFACES:
        react_interfaces(engine, &event->interfaces);
        break;
    case EVENT_PROBED:
        react_probed(engine, &event->probed);
        break;
    case EVENT_RELAYS:
        relays_take(engine, &event->relays);
        break;
    case EVENT_RESTORE:
        learnt_restore(engine, &event->restore);
        break;
    case EVENT_TYPE_COUNT:
        break;
    }
}

const struct outbox *engine_ask(struct engine *engine, const struct event *event)
{
    outbox_begin(engine);
    engine->now_us = max_u64(engine->now_us, event->now_us);
    engine->realtime_us = event->realtime_us;
    engine->asks = !engine->stopping;
    if (engine->asks) {
        dispatch(engine, event);
        engine->asks = !ask(engine, ASK_SLICE);
    } else {
        outbox_seal(engine);
    }
    return &engine->outbox.box;
}

bool engine_ask_more(struct engine *engine)
{
    if (!engine->asks)
        return false;
    engine->asks = !ask(engine, ASK_SLICE);
    return true;
}

bool engine_settle(struct engine *engine, size_t most)
{
    bool done = admit_settle(engine, most);

    if (done)
        causes_flush(engine);
    outbox_seal(engine);
    return done;
}

const struct outbox *engine_handle(struct engine *engine, const struct event *event)
{
    engine_ask(engine, event);
    while (engine_ask_more(engine))
        ;
    (void)engine_settle(engine, SIZE_MAX);
    return &engine->outbox.box;
}

int engine_configure(struct engine *engine, const struct engine_config *config)
{
    int result = configure_check(config);

    if (result == 0)
        engine->next_config = config;
    return result;
}

const struct outbox *engine_outbox(const struct engine *engine)
{
    return &engine->outbox.box;
}

struct engine_counts engine_counts(const struct engine *engine)
{
    return (struct engine_counts){
        .peers = engine->peers.count,
        .open = engine->migration.open,
        .queued = (uint32_t)engine->migration.queue_count,
        .retrying = engine->migration.waiting,
        .effects = engine->effects_open,
        .remembered = engine->remembered,
        .suppressed = engine->suppressed,
        .causes = (uint32_t)engine->causes.count,
        .ignored = engine->ignored,
    };
}
