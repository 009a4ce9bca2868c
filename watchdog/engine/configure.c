/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Another configuration for a running engine. What was learnt of connections
 * stays. Trigger instances that are set as before go on with their state; a
 * connection that belongs to another instance now is told to the old one as
 * down and to the new one as up.
 */
#include "configure.h"

#include "base/outbox.h"
#include "hold.h"
#include "moves/move.h"
#include "peers/peer.h"
#include "peers/poll.h"
#include "stages/gate.h"
#include "state.h"
#include "triggers/instance.h"
#include "triggers/relays.h"
#include "triggers/triggers.h"
#include "uplinks/react.h"

/* The running instance that goes on as `config`, or NULL. */
static struct instance *find_unchanged(struct engine *engine, const struct engine_config *config,
                                       const struct instance_config *instance)
{
    const struct engine_config *old = engine->config;

    /* these are told to a policy at its start, and only then */
    if (old->sample_interval_us != config->sample_interval_us ||
        old->close_interval_us != config->close_interval_us)
        return NULL;
    for (size_t i = 0; i < engine->triggers.n_instances; i++)
        if (engine->triggers.instances[i]->open &&
            instance_unchanged(engine->triggers.instances[i], instance))
            return engine->triggers.instances[i];
    return NULL;
}

static bool goes_on(const struct triggers *next, const struct instance *instance)
{
    for (size_t i = 0; i < next->n_instances; i++)
        if (next->instances[i] == instance)
            return true;
    return false;
}

/* The new numbers of the old instances, UINT32_MAX for those that are no more. */
static uint32_t *new_numbers(const struct triggers *now, const struct triggers *next)
{
    uint32_t *numbers = memory_new(now->n_instances, sizeof(*numbers));

    for (size_t i = 0; i < now->n_instances; i++) {
        numbers[i] = UINT32_MAX;
        for (size_t k = 0; k < next->n_instances; k++)
            if (next->instances[k] == now->instances[i])
                numbers[i] = (uint32_t)k;
    }
    return numbers;
}

/* Where a connection will belong. */
static struct instance *next_instance(const struct triggers *next,
                                      const struct engine_config *config,
                                      const struct pd_trigger *trigger, const struct peer *peer)
{
    size_t chosen = triggers_choose(config, trigger, peer->view.name);

    return chosen == TRIGGERS_NONE ? NULL : next->instances[chosen];
}

/* Instances that go on, but without this connection. */
static void report_leaving(struct engine *engine, const struct engine_config *config,
                           const struct triggers *next)
{
    const struct triggers *now = &engine->triggers;
    struct peer *peer;

    for (uint32_t i = 0; (peer = peers_next(engine, &i));) {
        for (size_t kind = 0; kind < now->n_kinds; kind++) {
            struct instance *instance = triggers_instance(now, peer, kind);
            struct pd_peer_event event = {.change = PD_PEER_DOWN, .peer = &peer->view};

            if (!instance || !goes_on(next, instance) ||
                next_instance(next, config, instance->trigger, peer) == instance)
                continue;
            event.state = peer->slots + now->kinds[kind].offset;
            instance_peer(instance, &event);
        }
    }
}

/* A connection as it will be: its own state, and what goes on of the triggers'.
 * Where it is new to its instance it has none yet; report_joining gives it one. */
static void copy_peer(const struct triggers *now, const struct triggers *next,
                      const struct engine_config *config, struct peer *from, struct peer *to)
{
    memcpy(to, from, offsetof(struct peer, slots));
    for (size_t kind = 0; kind < next->n_kinds; kind++) {
        const struct pd_trigger *trigger = next->kinds[kind].trigger;
        size_t old_kind = triggers_kind_of(now, trigger);
        size_t place = triggers_choose(config, trigger, from->view.name);

        to->slots[kind] = TRIGGERS_NO_PLACE;
        if (old_kind == now->n_kinds || place == TRIGGERS_NONE || !next->instances[place] ||
            triggers_instance(now, from, old_kind) != next->instances[place])
            continue;
        to->slots[kind] = (uint8_t)place;
        memcpy(to->slots + next->kinds[kind].offset, from->slots + now->kinds[old_kind].offset,
               trigger->peer_size);
    }
}

/* The table in the new layout. Others point at peers: they are turned to the
 * new ones by their index, while the old ones are still there. */
struct moved_table {
    struct peers old;
    struct engine *engine;
};

static void turn(const struct moved_table *table, struct peer **pointer)
{
    if (*pointer)
        *pointer = peer_at(table->engine, (*pointer)->view.index);
}

static void turn_moves(const struct moved_table *table, struct peer_moves *moves)
{
    turn(table, &moves->peer);
    turn(table, &moves->poll_previous);
    turn(table, &moves->poll_next);
    if (moves->move)
        turn(table, &moves->move->peer);
    if (moves->effect)
        turn(table, &moves->effect->peer);
    for (struct repeats *repeats = moves->repeats; repeats; repeats = repeats->next)
        turn(table, &repeats->peer);
}

static void move_table(struct engine *engine, const struct engine_config *config,
                       struct triggers *next)
{
    struct peers *peers = &engine->peers;
    struct moved_table table = {.old = *peers, .engine = engine};

    peers->stride = peers_stride(next->slots_size);
    peers->blocks = memory_new(peers->blocks_capacity, sizeof(char *));
    for (size_t i = 0; i < peers->n_blocks; i++)
        peers->blocks[i] = memory_new(PEERS_PER_BLOCK, peers->stride);
    for (uint32_t i = 0; i < peers->top; i++) {
        struct peer *from = (struct peer *)(void *)(table.old.blocks[i / PEERS_PER_BLOCK] +
                                                    table.old.stride * (i % PEERS_PER_BLOCK));

        if (from->state == PEER_REMOVED)
            memcpy(peer_at(engine, i), from, offsetof(struct peer, slots));
        else
            copy_peer(&engine->triggers, next, config, from, peer_at(engine, i));
    }
    for (uint32_t i = 0; i < peers->top; i++)
        if (peer_at(engine, i)->state != PEER_REMOVED && peer_at(engine, i)->moves)
            turn_moves(&table, peer_at(engine, i)->moves);
    turn(&table, &engine->polls.first);
    turn(&table, &engine->polls.last_peer);
    for (size_t i = 0; i < table.old.n_blocks; i++)
        free(table.old.blocks[i]);
    free(table.old.blocks);
}

/* The instances that are new, and the connections that are new to theirs. */
static void report_joining(struct engine *engine, const bool *started)
{
    const struct triggers *now = &engine->triggers;
    const struct node_state *node = &engine->node;
    struct peer *peer;

    for (size_t i = 0; i < now->n_instances; i++)
        if (started[i] && node->up) {
            instance_node(now->instances[i],
                          &(struct pd_node_event){.node = node->name ? node->name->s : "",
                                                  .uid = node->uid,
                                                  .same_boot = true});
            relays_tell(engine, now->instances[i]);
        }
    for (uint32_t i = 0; (peer = peers_next(engine, &i));) {
        for (size_t kind = 0; kind < now->n_kinds; kind++) {
            struct pd_peer_event event = {.change = PD_PEER_UP, .peer = &peer->view};
            size_t place =
                triggers_choose(engine->config, now->kinds[kind].trigger, peer->view.name);

            if (place == TRIGGERS_NONE || peer->slots[kind] != TRIGGERS_NO_PLACE)
                continue;
            peer->slots[kind] = (uint8_t)place;
            event.state = peer->slots + now->kinds[kind].offset;
            instance_peer(now->instances[place], &event);
        }
    }
}

/* The other triggers: those that leave are told, stopped; then the new ones. */
static void change_triggers(struct engine *engine, const struct engine_config *config,
                            struct triggers *next)
{
    struct triggers *now = &engine->triggers;
    bool *started = memory_new(next->n_instances, sizeof(*started));
    uint32_t *numbers;

    for (size_t i = 0; i < next->n_instances; i++)
        next->instances[i] = find_unchanged(engine, config, &config->instances[i]);
    report_leaving(engine, config, next);
    numbers = new_numbers(now, next);
    for (size_t i = now->n_instances; i-- > 0;) {
        if (!goes_on(next, now->instances[i]))
            now->instances[i] = instance_free(now->instances[i]);
    }
    gate_withdrawn(engine);
    outbox_renumber(engine, numbers); /* asked until here, by the old ones */
    free(numbers);
    move_table(engine, config, next);
    next->last = now->last;
    next->names = now->names;
    next->n_names = now->n_names;
    next->names_capacity = now->names_capacity;
    free(now->instances);
    free(now->kinds);
    *now = *next;
    engine->config = config;
    for (size_t i = 0; i < now->n_instances; i++) {
        started[i] = !now->instances[i];
        if (started[i])
            now->instances[i] = instance_new(engine, &config->instances[i]);
        now->instances[i]->config = &config->instances[i];
    }
    triggers_number(now);
    for (size_t i = 0; i < now->n_instances; i++)
        if (started[i])
            instance_start(now->instances[i]);
    report_joining(engine, started);
    gate_withdrawn(engine);
    free(started);
}

int configure_check(const struct engine_config *config)
{
    struct triggers triggers;
    int result = triggers_lay_out(config, &triggers);

    if (result == 0) {
        free(triggers.instances);
        free(triggers.kinds);
    }
    return result;
}

void configure_take(struct engine *engine)
{
    const struct engine_config *config = engine->next_config;
    const struct engine_config old = *engine->config;
    struct triggers next;

    if (!config || triggers_lay_out(config, &next) < 0)
        return;
    engine->next_config = NULL;
    shelve_none(engine);
    change_triggers(engine, config, &next);
    if (config->mode != old.mode)
        hold_mode(engine, config->mode); /* else what an operator has set stays */
    react_configured(engine);
    moves_set_budget(engine, engine->node.max_in_flight);
    outbox_set_kept(engine, config->decisions_kept);
    if (config->sample_interval_us != old.sample_interval_us)
        polls_retime(engine);
}
