/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How connections come back to an uplink that they were moved off. It has to prove for a while that
 * it lives: by probes, else by what others get through there, else by waiting. Then one connection
 * goes, the scout; the others follow when that has helped. Who has to leave again soon waits
 * longer the next time.
 */
#ifndef ENGINE_RETURN_H
#define ENGINE_RETURN_H

#include "uplinks.h"

struct move;

#define RETURN_PROBES 10u /* good ones in a row */

/* As the trigger of such advice. */
extern const char return_name[];

/* A move of ours was made, over this interface (NULL: where the routes led): the connection is
 * bound to it from now on, and may want back. `asked` by an operator: it belongs there. */
void return_moved(struct engine *engine, struct peer *peer, const struct destination *destination,
                  const char *interface, bool asked);

/* This connection may want back to somewhere; any of them may. */
void return_peer(struct engine *engine, const struct peer *peer);
void return_look(struct engine *engine);

/* The time of the next step. */
void return_due(struct engine *engine);

/* An answer to a probe that counts as proof. */
void return_probed(struct engine *engine, const struct uplink_probe *probe,
                   const struct event_probed *answer);

/* The node went: nothing more is heard of who went first. */
void return_node_down(struct uplink *uplink);

/* A request of kind `better` ended; its effect is known. */
void return_ended(struct engine *engine, const struct move *move, enum outcome outcome);
void return_effect(uint64_t conn, struct uplink *target, enum effect effect);

#endif
