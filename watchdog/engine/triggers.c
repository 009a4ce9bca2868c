/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trigger instances: which one a connection belongs to, and every call into a
 * policy. A call that fails counts against its instance; after a few the
 * instance is closed, and only that one.
 */
#include "triggers.h"

#include <errno.h>
#include <fnmatch.h>

#include "host.h"
#include "notice.h"
#include "peer.h"

#define FAILURES_MAX   5u
#define INSTANCES_MAX  254u
#define SLOTS_SIZE_MAX 16384u
#define NO_INSTANCE    0xffu

/* peer.slots: one byte per kind, the instance's index; then the states. */
static uint8_t *instance_of(struct peer *peer, size_t kind)
{
    return &peer->slots[kind];
}

static size_t align_up(size_t size)
{
    return (size + 7) & ~(size_t)7;
}

static size_t kind_of(struct triggers *triggers, const struct pd_trigger *trigger)
{
    for (size_t i = 0; i < triggers->n_kinds; i++)
        if (triggers->kinds[i].trigger == trigger)
            return i;
    triggers->kinds[triggers->n_kinds] = (struct trigger_kind){.trigger = trigger};
    return triggers->n_kinds++;
}

static void timer_due(struct engine *engine, struct deadline *deadline);

int triggers_init(struct engine *engine)
{
    const struct engine_config *config = engine->config;
    struct triggers *triggers = &engine->triggers;
    size_t offset;

    if (config->n_instances > INSTANCES_MAX)
        return -EINVAL;
    triggers->instances = memory_new(config->n_instances, sizeof(struct instance));
    triggers->kinds = memory_new(config->n_instances, sizeof(struct trigger_kind));
    triggers->n_instances = config->n_instances;
    for (size_t i = 0; i < config->n_instances; i++) {
        struct instance *instance = &triggers->instances[i];

        instance->config = &config->instances[i];
        instance->trigger = config->instances[i].trigger;
        instance->engine = engine;
        instance->index = (uint32_t)i;
        instance->kind = (uint32_t)kind_of(triggers, instance->trigger);
        instance->timer.run = timer_due;
    }
    /* The states are aligned in memory: the slots begin where the struct ends. */
    offset = align_up(offsetof(struct peer, slots) + triggers->n_kinds);
    for (size_t i = 0; i < triggers->n_kinds; i++) {
        triggers->kinds[i].offset = offset - offsetof(struct peer, slots);
        offset = align_up(offset + triggers->kinds[i].trigger->peer_size);
    }
    triggers->slots_size = offset - offsetof(struct peer, slots);
    return triggers->slots_size > SLOTS_SIZE_MAX ? -EINVAL : 0;
}

static void close_instance(struct instance *instance, const char *where, int error)
{
    struct engine *engine = instance->engine;

    instance->open = false;
    deadline_set(&engine->deadlines, &instance->timer, NEVER);
    host_instance_closed(instance);
    notice_format(engine, PD_LEVEL_ERROR, "trigger-closed",
                  "trigger %s is closed: its %s failed%s (%s)", instance->config->name, where,
                  error && strcmp(where, "start") != 0 ? " too often" : "",
                  strerrorname_np(-error) ? strerrorname_np(-error) : "unknown error");
}

/* What every call into a policy goes through afterwards. */
static void returned(struct instance *instance, const char *where, int result)
{
    if (result >= 0)
        return;
    if (++instance->failures >= FAILURES_MAX) {
        close_instance(instance, where, result);
        return;
    }
    notice_format(instance->engine, PD_LEVEL_WARNING, "trigger-failed",
                  "trigger %s: its %s callback failed (%s), %u of %u times", instance->config->name,
                  where, strerrorname_np(-result) ? strerrorname_np(-result) : "unknown error",
                  instance->failures, FAILURES_MAX);
}

void triggers_start(struct engine *engine)
{
    struct triggers *triggers = &engine->triggers;

    for (size_t i = 0; i < triggers->n_instances; i++) {
        struct instance *instance = &triggers->instances[i];
        struct host_turn turn = host_turn(instance);
        struct pd_start start = {
            .instance = instance->config->name,
            .values = instance->config->values,
            .sample_interval_us = engine->config->sample_interval_us,
            .close_interval_us = engine->config->close_interval_us,
        };
        int result;

        instance->self = memory_new(1, instance->trigger->instance_size);
        turn.pd.self = instance->self;
        instance->open = true;
        result = instance->trigger->start ? instance->trigger->start(&turn.pd, &start) : 0;
        if (result < 0)
            close_instance(instance, "start", result);
    }
}

void triggers_stop(struct engine *engine)
{
    struct triggers *triggers = &engine->triggers;

    for (size_t i = triggers->n_instances; i-- > 0;) {
        struct instance *instance = &triggers->instances[i];
        struct host_turn turn = host_turn(instance);

        if (instance->open && instance->trigger->stop)
            instance->trigger->stop(&turn.pd);
        free(instance->self);
    }
    free(triggers->instances);
    free(triggers->kinds);
    triggers->last = because_unref(triggers->last);
}

void triggers_node(struct engine *engine, const struct pd_node_event *event)
{
    for (size_t i = 0; i < engine->triggers.n_instances; i++) {
        struct instance *instance = &engine->triggers.instances[i];
        struct host_turn turn = host_turn(instance);

        if (instance->open && instance->trigger->node)
            returned(instance, "node", instance->trigger->node(&turn.pd, event));
    }
}

static bool matches(const struct instance *instance, const char *name)
{
    for (const char *const *glob = instance->config->match; *glob; glob++)
        if (fnmatch(*glob, name, 0) == 0)
            return true;
    return false;
}

/* The first whose `match` fits, else the one without. */
static size_t choose(const struct triggers *triggers, size_t kind, const char *name)
{
    size_t chosen = NO_INSTANCE;

    for (size_t i = 0; i < triggers->n_instances; i++) {
        const struct instance *instance = &triggers->instances[i];

        if (instance->kind != kind)
            continue;
        if (!instance->config->match) {
            if (chosen == NO_INSTANCE)
                chosen = i;
        } else if (matches(instance, name)) {
            return i;
        }
    }
    return chosen;
}

void triggers_adopt(struct engine *engine, struct peer *peer)
{
    for (size_t i = 0; i < engine->triggers.n_kinds; i++)
        *instance_of(peer, i) = (uint8_t)choose(&engine->triggers, i, peer->name->s);
}

/* The open instance that a connection belongs to, and its state there. */
static struct instance *member(struct engine *engine, struct peer *peer, size_t kind,
                               void **ret_state)
{
    uint8_t index = *instance_of(peer, kind);

    if (index == NO_INSTANCE || !engine->triggers.instances[index].open)
        return NULL;
    *ret_state = peer->slots + engine->triggers.kinds[kind].offset;
    return &engine->triggers.instances[index];
}

void *triggers_state(struct instance *instance, struct peer *peer)
{
    if (*instance_of(peer, instance->kind) != instance->index)
        return NULL;
    return peer->slots + instance->engine->triggers.kinds[instance->kind].offset;
}

void triggers_peer(struct engine *engine, struct peer *peer, enum pd_peer_change change)
{
    for (size_t i = 0; i < engine->triggers.n_kinds; i++) {
        struct pd_peer_event event = {.change = change, .peer = peer->view};
        struct instance *instance = member(engine, peer, i, &event.state);

        if (instance && instance->trigger->peer) {
            struct host_turn turn = host_turn(instance);

            returned(instance, "peer", instance->trigger->peer(&turn.pd, &event));
        }
    }
}

void triggers_missing(struct engine *engine)
{
    struct peer *peer;

    for (uint32_t i = 0; (peer = peers_next(engine, &i));)
        if (peer->round != engine->looks.round && peer->state == PEER_UP)
            triggers_peer(engine, peer, PD_PEER_MISSING);
}

void triggers_sample(struct engine *engine, struct peer *peer, struct pd_sample *sample)
{
    for (size_t i = 0; i < engine->triggers.n_kinds; i++) {
        struct instance *instance = member(engine, peer, i, &sample->state);

        if (instance && instance->trigger->sample) {
            struct host_turn turn = host_turn(instance);

            returned(instance, "sample", instance->trigger->sample(&turn.pd, sample));
        }
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
        struct instance *instance = &engine->triggers.instances[i];
        struct host_turn turn = host_turn(instance);

        if (strcmp(instance->config->name, event->trigger) != 0)
            continue;
        if (instance->open && instance->trigger->signal)
            returned(instance, "signal", instance->trigger->signal(&turn.pd, &signal));
        return;
    }
    engine->ignored++;
}

static void timer_due(struct engine *engine, struct deadline *deadline)
{
    struct instance *instance = CONTAINER_OF(deadline, struct instance, timer);
    struct host_turn turn = host_turn(instance);

    (void)engine;
    if (instance->open && instance->trigger->timer)
        returned(instance, "timer", instance->trigger->timer(&turn.pd));
}
