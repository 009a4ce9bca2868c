/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A request that is taken back because newer advice leads elsewhere: what the node is sent, and
 * what follows from its late answer.
 */
#ifndef ENGINE_TAKEN_BACK_H
#define ENGINE_TAKEN_BACK_H

#include <stdbool.h>
#include <stdint.h>

struct engine;
struct move;
struct peer;

/* Takes an open request back: `cancel` is sent, where the node has the feature. */
void taken_back_begin(struct engine *engine, struct move *move);

/* The node is busy: with the request that was taken back, if that is not answered yet. Then it is
 * asked again when that is answered, or its time is over. False: with something else. */
bool taken_back_waits(struct engine *engine, struct move *move);

/* It waited for long enough, and is asked again. */
void taken_back_over(struct move *move);

/* The request of that number was answered late: if it was taken back, what waits for that is asked
 * again. */
void taken_back_answered(struct engine *engine, struct peer *peer, uint64_t request);

/* A connection goes that a reconnect was taken back of: it may have closed it after all. Then the
 * new one, which was dialled where the network led before, is advised what the old one was. */
void taken_back_peer_gone(struct engine *engine, struct peer *peer);
void taken_back_reconnected(struct engine *engine, struct peer *peer);

/* The node's socket closed: nothing of that is answered any more. */
void taken_back_link_lost(struct peer *peer);

#endif
