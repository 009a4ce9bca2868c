/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a connection has to wait for after a move or a failure: cool-down,
 * back-off, tokens. Questions are const; what changes it is named after what
 * happened.
 */
#ifndef ENGINE_WAITING_H
#define ENGINE_WAITING_H

#include "../state.h"

/* How long degraded has to wait after a move of this connection. */
uint64_t waiting_cooldown_us(const struct engine *engine, const struct peer_moves *moves);
bool waiting_cooling(const struct engine *engine, const struct peer_moves *moves);

/* Of `dead`, as of now: so many are used up, the next one comes back move_refill after `since_us`.
 */
struct tokens {
    uint32_t used;
    uint64_t since_us;
};
struct tokens waiting_tokens(const struct engine *engine, const struct peer_moves *moves);
void waiting_take_token(const struct engine *engine, struct peer_moves *moves, enum pd_kind kind);

/* When there is a token for `moved`, which has its own; 0: now, also where the last row since the
 * route changed shows no progress. */
uint64_t waiting_moved_at_us(const struct engine *engine, const struct peer_moves *moves);

/* When what is damped may be tried again; 0: it is not. `gone`: a `moved` whose old path the kernel
 * has proven gone. */
uint64_t waiting_damped_until_us(const struct engine *engine, const struct peer *peer,
                                 enum pd_kind kind, bool gone, enum by by);

/* Until when a failure of this means keeps advice of this kind back; may be over. */
uint64_t waiting_backoff_until_us(const struct peer_moves *moves, enum pd_kind kind, enum by by);

/* The kernel's route to the peer changed, or an uplink came up: failures on the old one say nothing
 * of the new one, and what rows say of progress is about the new one from here on. */
void waiting_route_changed(struct engine *engine, struct peer *peer);

/* A row of a connection that has a move state. */
void waiting_row(struct peer *peer, bool progress);

/* A move succeeded or failed at this time: what the next advice has to respect. */
void waiting_moved(struct engine *engine, struct peer *peer);
void waiting_failed(struct engine *engine, struct peer *peer, enum by by);

/* A move was refused because pathdog only observes: what comes next is evaluated as if it had been
 * made. */
void waiting_observed(struct engine *engine, struct peer *peer);

/* The node that is there, and the jitter of its back-offs: other nodes get other ones. */
void waiting_seed(struct engine *engine, uint64_t seed);

/* What the run before had learnt; times are not believed where they cannot be. */
void waiting_restore(struct engine *engine, struct peer *peer, const struct learnt_peer *learnt);

/* The effect of a move on the cool-down of this connection. */
void waiting_evaluated(struct engine *engine, struct peer *peer, enum effect effect);

#endif
