/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests: the queue for the budget, what is open, deadlines, retries. Every
 * request ends in exactly one outcome record. At most one move a connection.
 */
#ifndef ENGINE_MIGRATION_H
#define ENGINE_MIGRATION_H

#include "../state.h"
#include "outcome.h"

/* The time of a move is over: it expired in the queue, is unanswered, or is tried again. */
void migration_due(struct engine *engine, struct deadline *deadline);

/* The budget may have room: asks for what is queued, the strongest first. */
void migration_pump(struct engine *engine);

struct answered migration_answer(struct engine *engine, const struct event_answer *answer);

/* The connection goes down. A reconnect of ours stays open without it. */
void migration_peer_gone(struct engine *engine, struct peer *peer);

/* A new connection: it may be the one that a reconnect of ours led to. */
void migration_peer_up(struct engine *engine, struct peer *peer);

/* The node's socket closed: what waited for the budget is gone, or remembered. */
void migration_peer_unreported(struct engine *engine, struct peer *peer);

/* The node's socket closed: every open request is lost. */
void migration_link_lost(struct engine *engine);

/* The snapshot is complete: what the lost link interrupted goes on. */
void migration_link_back(struct engine *engine, struct peer *peer);

/* A clean stop: requests open are `unanswered`. */
void migration_stop(struct engine *engine);

/* No stop came before the end: nothing is said of what is open. */
void migration_forget(struct engine *engine);

#endif
