/* SPDX-License-Identifier: Apache-2.0 */
/* Trigger instances, one at a time. */
#include "instance.h"

#include <errno.h>

#include "../base/notice.h"
#include "../base/outbox.h"
#include "../base/values.h"
#include "../state.h"
#include "host.h"

#define FAILURES_MAX 5u

/* Names outlive their instances: records and advice point at them. */
static const char *intern(struct triggers *triggers, const char *name)
{
    for (size_t i = 0; i < triggers->n_names; i++)
        if (strcmp(triggers->names[i], name) == 0)
            return triggers->names[i];
    triggers->names = array_reserve(triggers->names, &triggers->names_capacity,
                                    triggers->n_names + 1, sizeof(char *));
    triggers->names[triggers->n_names] = string_copy(name);
    return triggers->names[triggers->n_names++];
}

struct instance *instance_new(struct engine *engine, const struct instance_config *config)
{
    struct instance *instance = memory_new(1, sizeof(*instance));

    instance->config = config;
    instance->trigger = config->trigger;
    instance->engine = engine;
    instance->name = intern(&engine->triggers, config->name);
    instance->timer.kind = DEADLINE_TRIGGER;
    instance->values = values_copy(config->trigger, config->values);
    return instance;
}

bool instance_unchanged(const struct instance *instance, const struct instance_config *config)
{
    return instance->trigger == config->trigger && strcmp(instance->name, config->name) == 0 &&
           values_equal(instance->trigger, instance->values, config->values);
}

static void close_instance(struct instance *instance, const char *where, int error)
{
    struct engine *engine = instance->engine;
    const char *name = strerrorname_np(-error);

    instance->open = false;
    instance->sample = NULL;
    deadline_set(&engine->deadlines, &instance->timer, NEVER);
    host_instance_closed(instance);
    outbox_action(engine, ACTION_CLOSE)->close.instance = instance->index;
    notice_format(engine, PD_LEVEL_ERROR, "trigger-closed",
                  "trigger %s is closed: its %s failed%s (%s)", instance->name, where,
                  strcmp(where, "start") != 0 ? " too often" : "", name ? name : "unknown error");
}

/* What every call into a policy goes through afterwards. */
static void returned(struct instance *instance, const char *where, int result)
{
    const char *name;

    if (result >= 0)
        return;
    if (++instance->failures >= FAILURES_MAX) {
        close_instance(instance, where, result);
        return;
    }
    name = strerrorname_np(-result);
    notice_format(instance->engine, PD_LEVEL_WARNING, "trigger-failed",
                  "trigger %s: its %s callback failed (%s), %u of %u times", instance->name, where,
                  name ? name : "unknown error", instance->failures, FAILURES_MAX);
}

void instance_start(struct instance *instance)
{
    struct engine *engine = instance->engine;
    struct pd_start start = {
        .instance = instance->name,
        .values = instance->values,
        .sample_interval_us = engine->config->sample_interval_us,
        .close_interval_us = engine->config->close_interval_us,
    };
    struct host_turn turn;
    int result;

    instance->self = memory_new(1, instance->trigger->instance_size);
    instance->open = true;
    instance->sample = instance->trigger->sample;
    turn = host_turn(instance);
    result = instance->trigger->start ? instance->trigger->start(&turn.pd, &start) : 0;
    if (result < 0)
        close_instance(instance, "start", result);
}

struct instance *instance_free(struct instance *instance)
{
    struct host_turn turn;

    if (!instance)
        return NULL;
    turn = host_turn(instance);
    if (instance->open && instance->trigger->stop)
        instance->trigger->stop(&turn.pd);
    host_instance_closed(instance);
    deadline_set(&instance->engine->deadlines, &instance->timer, NEVER);
    values_free(instance->trigger, instance->values);
    free(instance->self);
    free(instance);
    return NULL;
}

void instance_node(struct instance *instance, const struct pd_node_event *event)
{
    struct host_turn turn = host_turn(instance);

    if (instance->open && instance->trigger->node)
        returned(instance, "node", instance->trigger->node(&turn.pd, event));
}

void instance_peer(struct instance *instance, const struct pd_peer_event *event)
{
    struct host_turn turn = host_turn(instance);

    if (instance->open && instance->trigger->peer)
        returned(instance, "peer", instance->trigger->peer(&turn.pd, event));
}

void instance_relays(struct instance *instance, const struct pd_relays *relays)
{
    struct host_turn turn = host_turn(instance);

    if (instance->open && instance->trigger->relays)
        returned(instance, "relays", instance->trigger->relays(&turn.pd, relays));
}

void instance_restore(struct instance *instance, const struct pd_peer_event *event,
                      const char *text)
{
    struct host_turn turn = host_turn(instance);
    int result = instance->open && instance->trigger->restore
                     ? instance->trigger->restore(&turn.pd, event, text)
                     : 0;
    const char *name = strerrorname_np(-result);

    /* The file is to blame, not the policy: it does not count against it. */
    if (result < 0)
        notice_format(instance->engine, PD_LEVEL_WARNING, "restore-failed",
                      "trigger %s cannot use what it had saved of %s (%s)", instance->name,
                      event->peer->name, name ? name : "unknown error");
}

void instance_sampled(struct instance *instance, int result)
{
    returned(instance, "sample", result);
}

void instance_signal(struct instance *instance, const struct pd_signal *signal)
{
    struct host_turn turn = host_turn(instance);

    if (instance->open && instance->trigger->signal)
        returned(instance, "signal", instance->trigger->signal(&turn.pd, signal));
}

void instance_due(struct deadline *deadline)
{
    struct instance *instance = CONTAINER_OF(deadline, struct instance, timer);
    struct host_turn turn = host_turn(instance);

    if (instance->open && instance->trigger->timer)
        returned(instance, "timer", instance->trigger->timer(&turn.pd));
}
