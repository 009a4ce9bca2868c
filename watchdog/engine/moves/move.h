/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A move: at most one a connection, from the gate to its request. Queue, budget, sending. How
 * a request ends is outcome.c.
 */
#ifndef ENGINE_MOVE_H
#define ENGINE_MOVE_H

#include "../state.h"

void moves_init(struct engine *engine);

void migration_clear(struct engine *engine);

/* The budget is the config's, else the node's, else the default. */
void migration_set_budget(struct engine *engine, uint32_t node_max_in_flight);

/* migration.c, for this module and migration-gone.c. */
void move_set_state(struct engine *engine, struct move *move, enum move_state state,
                    uint64_t deadline_us);

bool move_possible(const struct engine *engine, const struct move *move);

void move_free(struct engine *engine, struct move *move);

/* Ends a move that waits. Out of the queue its decision is written again. */
void move_end_waiting(struct engine *engine, struct move *move, enum verdict verdict);

void move_attempt(struct engine *engine, struct move *move);

/* The budget may have room: asks for what is queued, the strongest first. */
void migration_pump(struct engine *engine);

/* What an instance advised and what waits (queued, remembered, to be tried
 * again) has no reason any more. */
void migration_withdraw(struct engine *engine, struct peer *peer, const char *trigger);

/* Before its address changes: what it was is in the outcome record. */
void migration_peer_path(struct peer *peer);

/* Ends what is queued with this verdict: of one connection, or all for NULL. */
void migration_end_queued(struct engine *engine, struct peer *peer, enum verdict verdict);

/* The bytes in flight of a queued connection changed. */
void migration_resort(struct engine *engine, struct peer *peer);

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
