/* SPDX-License-Identifier: Apache-2.0 */
/*
 * QUIC as far as it matters here: packets with acknowledgements, loss recovery, keep-alives, the
 * idle time-out, a handshake, migration by PATH_CHALLENGE. The host's end behaves as
 * contrib/quic-node does.
 */
#ifndef SCORE_STACK_H
#define SCORE_STACK_H

#include "world.h"

#define IDLE_TIMEOUT_US UINT64_C(30000000)
#define KEEP_ALIVE_US   UINT64_C(10000000)

/* A connection that is up on both sides from the beginning. */
struct conn *stack_established(struct world *world, unsigned peer, bool client,
                               const struct path *path);
/* The host dials, over this path; or, with `client` false, the peer dials the host there. */
struct conn *stack_dial(struct world *world, unsigned peer, bool client, const struct path *path,
                        uint64_t timeout_us);
/* Sends what the window allows. */
void stack_flush(struct world *world, struct end *end);
void stack_ping(struct world *world, struct end *end);
/* This end is no more; with `say` it tells the other. */
void stack_end(struct world *world, struct end *end, bool say);
/* The host's end sends over this path from now on. */
void stack_path(struct world *world, struct end *end, const struct path *path);
void stack_challenge(struct world *world, struct conn *conn);
/* Has the end's timer asked for anew; after a sleep, too. */
void stack_arm(struct world *world, struct end *end);
uint64_t stack_now(const struct world *world, const struct end *end);

#endif
