/* SPDX-License-Identifier: Apache-2.0 */
/* What follows when an uplink comes up or goes down, is held, answers, or is configured anew. */
#ifndef ENGINE_REACT_H
#define ENGINE_REACT_H

#include "uplinks.h"

struct peer;

/* What the host has now. */
void react_interfaces(struct engine *engine, const struct event_interfaces *host);

/* The kernel has a route to this connection's peer again, or its gateway answers again. */
void react_routed(struct engine *engine, struct peer *peer);

/* The configuration is another; the engine is new. */
void react_configured(struct engine *engine);

/* The node is there, and says what it can; or it went. */
void react_node_up(struct engine *engine);
void react_node_down(struct engine *engine);

/* An answer to a probe. */
void react_probed(struct engine *engine, const struct event_probed *answer);

/* Some time after an uplink went down, connections are still on it; or a hold is over. */
void react_due(struct engine *engine);

/* An operator wants nothing on it, until then (0: until released). False: there is none of that
 * name. */
bool react_hold(struct engine *engine, const char *name, uint64_t until_us, const char *who);
bool react_release(struct engine *engine, const char *name, const char *who);

/* A move went well (`destination` NULL: no uplink was named): what it went to lives, and inbound
 * connections that are dead on the one that it left are dialled anew over that. */
void react_left(struct engine *engine, const struct destination *destination);

#endif
