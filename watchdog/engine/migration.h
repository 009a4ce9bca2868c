/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests: the queue for the budget, what is open, deadlines, retries. Every
 * request ends in exactly one outcome record. At most one move a connection.
 */
#ifndef ENGINE_MIGRATION_H
#define ENGINE_MIGRATION_H

#include "state.h"

void migration_init(struct engine *engine);
void migration_clear(struct engine *engine);

/* The budget is the config's, else the node's, else the default. */
void migration_set_budget(struct engine *engine, uint32_t node_max_in_flight);

/* The budget may have room: asks for what is queued, the strongest first. */
void migration_pump(struct engine *engine);

void migration_answer(struct engine *engine, const struct event_answer *answer);

/* What an instance advised and what waits (queued, remembered, to be tried
 * again) has no reason any more. */
void migration_withdraw(struct engine *engine, struct peer *peer, const char *trigger);

/* The connection goes down. A reconnect of ours stays open without it. */
void migration_peer_gone(struct engine *engine, struct peer *peer);

/* A new connection: it may be the one that a reconnect of ours led to. */
void migration_peer_up(struct engine *engine, struct peer *peer);

/* Before its address changes: what it was is in the outcome record. */
void migration_peer_path(struct peer *peer);

/* The node's socket closed: what waited for the budget is gone, or remembered. */
void migration_peer_untold(struct engine *engine, struct peer *peer);

/* The node's socket closed: every open request is lost. */
void migration_link_lost(struct engine *engine);

/* The snapshot is complete: what the lost link interrupted goes on. */
void migration_link_back(struct engine *engine, struct peer *peer);

/* Ends what is queued with this verdict: of one connection, or all for NULL. */
void migration_end_queued(struct engine *engine, struct peer *peer, enum verdict verdict);

/* A clean stop: requests open are `unanswered`. */
void migration_stop(struct engine *engine);

/* No stop came before the end: nothing is said of what is open. */
void migration_forget(struct engine *engine);

/* The bytes in flight of a queued connection changed. */
void migration_resort(struct engine *engine, struct peer *peer);

/* ---- for passed.c ---- */

/* Of a first attempt. */
uint32_t move_timeout_ms(const struct engine *engine);

/* Writes the action: `move`, with what the reason says. */
void request_write(struct engine *engine, struct because *because, enum by by,
                   const struct action_move *move);

/* Takes the place of what waits for this connection. */
struct move *move_new(struct engine *engine, const struct passed *passed);

/* Its request is written: enters that, and writes the decision. */
void move_enter_asked(struct engine *engine, struct move *move);

/* Puts it into the queue; and, when the best have been taken out of that, writes
 * the decision of one that was not. */
void move_enqueue(struct engine *engine, struct move *move);
void move_record_queued(struct engine *engine, const struct move *move);

#endif
