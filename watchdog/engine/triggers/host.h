/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a policy may call (struct pd_host), on the engine's side.
 */
#ifndef ENGINE_HOST_H
#define ENGINE_HOST_H

#include "../state.h"

/* The policy sees the first member. */
struct host_turn {
    struct pd_turn pd;
    struct instance *instance;
    bool advised; /* in this callback */
};

/* All that a policy may call. */
extern const struct pd_host host_calls;

/* Inline, as it is done for each row and policy: whom it calls next. */
static inline void host_turn_set(struct host_turn *turn, struct instance *instance)
{
    turn->pd.self = instance->self;
    turn->instance = instance;
    turn->advised = false;
}

static inline struct host_turn host_turn(struct instance *instance)
{
    struct host_turn turn = {.pd = {.host = &host_calls, .now_us = instance->engine->now_us}};

    host_turn_set(&turn, instance);
    return turn;
}

/* Lets go of what only a running instance can end. */
void host_instance_closed(struct instance *instance);

/* The instance's state of a peer, NULL if another instance has it. */
void *triggers_state(struct instance *instance, struct peer *peer);

#endif
