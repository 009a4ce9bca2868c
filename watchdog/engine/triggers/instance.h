/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One trigger instance: its life, and every call into its policy. A call that
 * fails counts against this instance; after a few it is closed, and only it.
 */
#ifndef ENGINE_INSTANCE_H
#define ENGINE_INSTANCE_H

#include "../base/deadline.h"
#include "../config.h"

struct engine;

struct instance {
    const struct instance_config *config;
    const struct pd_trigger *trigger;
    struct engine *engine;
    const char *name;        /* as in its section; lives as long as the engine */
    struct pd_value *values; /* a copy, so that a policy may keep what it was started with */
    void *self;
    int (*sample)(struct pd_turn *turn, const struct pd_sample *sample); /* NULL: or not open */
    uint32_t index;                                                      /* in triggers.instances */
    uint32_t kind; /* which trigger, in triggers.kinds */
    uint32_t failures;
    bool open;
    bool said_given_up, said_no_route; /* of a connection */
    struct deadline timer;
};

struct instance *instance_new(struct engine *engine, const struct instance_config *config);

/* Calls start; an instance whose start fails is closed, and a notice says so. */
void instance_start(struct instance *instance);

/* Calls stop if it is open. NULL is fine. Returns NULL. */
struct instance *instance_free(struct instance *instance);

void instance_node(struct instance *instance, const struct pd_node_event *event);
void instance_peer(struct instance *instance, const struct pd_peer_event *event);
void instance_relays(struct instance *instance, const struct pd_relays *relays);
void instance_restore(struct instance *instance, const struct pd_peer_event *event,
                      const char *text);
void instance_due(struct deadline *deadline); /* the timer that it set */
void instance_signal(struct instance *instance, const struct pd_signal *signal);

/* What a row led to, where that is negative; the call itself is made in triggers.c. */
void instance_sampled(struct instance *instance, int result);

/* Would a start with this config say the same to the policy? */
bool instance_unchanged(const struct instance *instance, const struct instance_config *config);

#endif
