/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections and the node come and go: the events that change which
 * connections are known, told to every module in one order.
 */
#ifndef ENGINE_CONNECTION_H
#define ENGINE_CONNECTION_H

#include "state.h"

void connection_node_up(struct engine *engine, const struct event_node_up *event);
void connection_node_down(struct engine *engine, const struct event_node_down *event);
void connection_snapshot(struct engine *engine);
void connection_peer_up(struct engine *engine, const struct event_peer_up *event);
void connection_peer_down(struct engine *engine, const struct event_peer_down *event);
void connection_peer_path(struct engine *engine, const struct event_peer_path *event);

/* At the end: every connection is let go of without a word. */
void connections_free(struct engine *engine);

#endif
