/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trigger instances: which one a connection belongs to, and every call into a
 * policy. A call that fails counts against its instance; after a few the
 * instance is closed, and only that one.
 */
#include "triggers.h"

#include <errno.h>

#include "../../util/glob.h"
#include "../peers/peer.h"
#include "../state.h"
#include "host.h"
#include "instance.h"

#define INSTANCES_MAX  254u
#define SLOTS_SIZE_MAX 16384u

/* peer.slots: one byte per kind, the instance's index; then the states. */
static uint8_t *instance_of(struct peer *peer, size_t kind)
{
    return &peer->slots[kind];
}

#define ALIGNMENT_MAX 8u

/* Nothing needs to be aligned to more than what divides its size. 0: it has no state. */
static size_t alignment_of(const struct pd_trigger *trigger)
{
    return min_u64(trigger->peer_size & -trigger->peer_size, ALIGNMENT_MAX);
}

/* Places the states from `offset` on, the least aligned first: no more room is lost than up to the
 * first of each alignment. Returns where they end. */
static size_t place_states(struct triggers *triggers, size_t offset)
{
    for (size_t alignment = 1; alignment <= ALIGNMENT_MAX; alignment *= 2)
        for (size_t i = 0; i < triggers->n_kinds; i++) {
            struct trigger_kind *kind = &triggers->kinds[i];

            if (alignment_of(kind->trigger) != alignment)
                continue;
            offset = (offset + alignment - 1) & ~(alignment - 1);
            kind->offset = offset - offsetof(struct peer, slots);
            offset += kind->trigger->peer_size;
        }
    return offset;
}

size_t triggers_kind_of(const struct triggers *triggers, const struct pd_trigger *trigger)
{
    size_t kind = 0;

    while (kind < triggers->n_kinds && triggers->kinds[kind].trigger != trigger)
        kind++;
    return kind;
}

int triggers_lay_out(const struct engine_config *config, struct triggers *ret_triggers)
{
    struct triggers triggers = {.n_instances = config->n_instances};

    if (config->n_instances > INSTANCES_MAX)
        return -EINVAL;
    triggers.kinds = memory_new(config->n_instances, sizeof(struct trigger_kind));
    for (size_t i = 0; i < config->n_instances; i++)
        if (triggers_kind_of(&triggers, config->instances[i].trigger) == triggers.n_kinds)
            triggers.kinds[triggers.n_kinds++].trigger = config->instances[i].trigger;
    /* The states are aligned in memory: the slots begin where the struct ends. */
    triggers.slots_size = place_states(&triggers, offsetof(struct peer, slots) + triggers.n_kinds) -
                          offsetof(struct peer, slots);
    if (triggers.slots_size > SLOTS_SIZE_MAX) {
        free(triggers.kinds);
        return -EINVAL;
    }
    triggers.instances = memory_new(config->n_instances, sizeof(struct instance *));
    *ret_triggers = triggers;
    return 0;
}

int triggers_init(struct engine *engine)
{
    struct triggers *triggers = &engine->triggers;
    int result = triggers_lay_out(engine->config, triggers);

    for (size_t i = 0; result == 0 && i < triggers->n_instances; i++)
        triggers->instances[i] = instance_new(engine, &engine->config->instances[i]);
    triggers_number(triggers);
    return result;
}

void triggers_number(struct triggers *triggers)
{
    for (size_t i = 0; i < triggers->n_instances; i++) {
        triggers->instances[i]->index = (uint32_t)i;
        triggers->instances[i]->kind =
            (uint32_t)triggers_kind_of(triggers, triggers->instances[i]->trigger);
    }
}

void triggers_start(struct engine *engine)
{
    for (size_t i = 0; i < engine->triggers.n_instances; i++)
        instance_start(engine->triggers.instances[i]);
}

void triggers_stop(struct engine *engine)
{
    struct triggers *triggers = &engine->triggers;

    for (size_t i = triggers->n_instances; i-- > 0;)
        instance_free(triggers->instances[i]);
    free(triggers->instances);
    free(triggers->kinds);
    triggers->last = reason_unref(triggers->last);
    for (size_t i = 0; i < triggers->n_names; i++)
        free(triggers->names[i]);
    free(triggers->names);
}

void triggers_node(struct engine *engine, const struct pd_node_event *event)
{
    for (size_t i = 0; i < engine->triggers.n_instances; i++)
        instance_node(engine->triggers.instances[i], event);
}

size_t triggers_choose(const struct engine_config *config, const struct pd_trigger *trigger,
                       const char *name)
{
    size_t chosen = TRIGGERS_NONE;

    for (size_t i = 0; i < config->n_instances; i++) {
        const struct instance_config *instance = &config->instances[i];

        if (instance->trigger != trigger)
            continue;
        if (!instance->match) {
            if (chosen == TRIGGERS_NONE)
                chosen = i;
        } else if (globs_match(instance->match, name)) {
            return i;
        }
    }
    return chosen;
}

void triggers_adopt(struct engine *engine, struct peer *peer)
{
    for (size_t i = 0; i < engine->triggers.n_kinds; i++) {
        size_t chosen =
            triggers_choose(engine->config, engine->triggers.kinds[i].trigger, peer->view.name);

        *instance_of(peer, i) = chosen == TRIGGERS_NONE ? TRIGGERS_NO_PLACE : (uint8_t)chosen;
    }
}

struct instance *triggers_instance(const struct triggers *triggers, struct peer *peer, size_t kind)
{
    uint8_t index = *instance_of(peer, kind);

    return index == TRIGGERS_NO_PLACE ? NULL : triggers->instances[index];
}

/* The open instance that a connection belongs to, and its state there. */
static struct instance *member(struct engine *engine, struct peer *peer, size_t kind,
                               void **ret_state)
{
    struct instance *instance = triggers_instance(&engine->triggers, peer, kind);

    if (!instance || !instance->open)
        return NULL;
    *ret_state = peer->slots + engine->triggers.kinds[kind].offset;
    return instance;
}

static void tell_peer(struct engine *engine, struct peer *peer, const struct pd_peer_event *told)
{
    for (size_t i = 0; i < engine->triggers.n_kinds; i++) {
        struct pd_peer_event event = *told;
        struct instance *instance = member(engine, peer, i, &event.state);

        if (instance)
            instance_peer(instance, &event);
    }
}

void triggers_peer(struct engine *engine, struct peer *peer, enum pd_peer_change change)
{
    tell_peer(engine, peer, &(struct pd_peer_event){.change = change, .peer = &peer->view});
}

void triggers_migrated(struct engine *engine, struct peer *peer, const struct reason *reason)
{
    tell_peer(engine, peer,
              &(struct pd_peer_event){
                  .change = PD_PEER_MIGRATED,
                  .peer = &peer->view,
                  .via = reason ? reason->via : NULL,
                  .asked = reason && reason->kind == PD_KIND_OPERATOR,
              });
}

size_t triggers_save(const struct engine *engine, struct peer *peer, struct learnt_saved *ret_saved,
                     char *texts)
{
    const struct triggers *triggers = &engine->triggers;
    size_t count = 0;

    for (size_t i = 0; i < triggers->n_kinds && count < LEARNT_SAVED_MAX; i++) {
        const struct pd_trigger *trigger = triggers->kinds[i].trigger;
        struct instance *instance;
        char *text = texts + count * PD_SAVED_MAX;
        int length;

        if (!trigger->save)
            continue;
        instance = triggers_instance(triggers, peer, i);
        if (!instance || !instance->open)
            continue;
        length = trigger->save(instance->self, &peer->view, peer->slots + triggers->kinds[i].offset,
                               text, PD_SAVED_MAX);
        if (length <= 0 || (unsigned)length >= PD_SAVED_MAX)
            continue;
        text[length] = '\0';
        ret_saved[count++] = (struct learnt_saved){.trigger = trigger->name, .text = text};
    }
    return count;
}

void triggers_restore(struct engine *engine, struct peer *peer, const struct learnt_peer *learnt)
{
    for (size_t i = 0; i < engine->triggers.n_kinds; i++) {
        struct pd_peer_event event = {.change = PD_PEER_UP, .peer = &peer->view};
        struct instance *instance = member(engine, peer, i, &event.state);

        for (size_t k = 0; instance && k < learnt->n_saved; k++)
            if (strcmp(learnt->saved[k].trigger, instance->trigger->name) == 0)
                instance_restore(instance, &event, learnt->saved[k].text);
    }
}

void triggers_missing(struct engine *engine)
{
    struct peer *peer;

    for (uint32_t i = 0; (peer = peers_next(engine, &i));)
        if (peer->round != engine->polls.round && peer->state == PEER_UP)
            triggers_peer(engine, peer, PD_PEER_MISSING);
}

/* For each row and policy: what is the same for all of them is read once. */
void triggers_sample(struct engine *engine, struct peer *peer, struct pd_sample *sample)
{
    struct instance *const *instances = engine->triggers.instances;
    const struct trigger_kind *kind = engine->triggers.kinds;
    const struct trigger_kind *end = kind + engine->triggers.n_kinds;
    struct host_turn turn = {.pd = {.host = &host_calls, .now_us = engine->now_us}};

    for (const uint8_t *place = peer->slots; kind < end; kind++, place++) {
        struct instance *instance;
        int result;

        if (*place == TRIGGERS_NO_PLACE)
            continue;
        instance = instances[*place];
        if (!instance->sample)
            continue;
        host_turn_set(&turn, instance);
        sample->state = peer->slots + kind->offset;
        result = instance->sample(&turn.pd, sample);
        if (result < 0)
            instance_sampled(instance, result);
    }
}

void triggers_signal(struct engine *engine, const struct event_signal *event)
{
    const struct pd_signal signal = {
        .kind = event->kind,
        .query = event->query,
        .fields = event->fields,
        .n_fields = event->n_fields,
    };

    for (size_t i = 0; i < engine->triggers.n_instances; i++) {
        struct instance *instance = engine->triggers.instances[i];

        if (strcmp(instance->name, event->trigger) != 0)
            continue;
        instance_signal(instance, &signal);
        return;
    }
    engine->ignored++;
}
