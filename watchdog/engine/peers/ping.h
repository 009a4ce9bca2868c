/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A stack that gets no answer sends its own probes ever more rarely (RFC 9002 §6.2.1), so that a
 * path that works again is found late. A node with feature `probe` is asked for a PING earlier.
 */
#ifndef ENGINE_PING_H
#define ENGINE_PING_H

#include <pathdog/trigger.h>
#include <stdbool.h>

struct engine;
struct peer;

/* At the end of this turn, if the node can and an operator does not want it to be left alone: then
 * true. */
bool ping_now(struct engine *engine, struct peer *peer);

/* A row of one that is watched: after 4 s, and each 2 s then, while its data waits and nothing
 * comes. */
void ping_row(struct engine *engine, struct peer *peer, const struct pd_sample *sample);

/* A way out came back: now, if by its last row something waits for an answer. */
void ping_waiting(struct engine *engine, struct peer *peer);

#endif
