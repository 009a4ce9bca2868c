/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs trigger instances over connections. What they advise is only noted here;
 * the gate decides after the callback has returned, so that a policy is never
 * re-entered.
 */
#ifndef ENGINE_TRIGGERS_H
#define ENGINE_TRIGGERS_H

#include "state.h"

/* Lays out the per-peer state; nothing is called yet. -EINVAL if too large. */
int triggers_init(struct engine *engine);

/* Starts the instances. One that fails is closed, and a notice says so. */
void triggers_start(struct engine *engine);
void triggers_stop(struct engine *engine);

void triggers_node(struct engine *engine, const struct pd_node_event *event);

/* Chooses the instance of each kind for a new connection. */
void triggers_adopt(struct engine *engine, struct peer *peer);
void triggers_peer(struct engine *engine, struct peer *peer, enum pd_peer_change change);

/* A round is over: tells of those that were not in it. */
void triggers_missing(struct engine *engine);
void triggers_sample(struct engine *engine, struct peer *peer, struct pd_sample *sample);
void triggers_signal(struct engine *engine, const struct event_signal *event);

#endif
