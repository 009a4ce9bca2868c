/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of connections. State belongs to a connection, not to a name: a
 * peer that reconnects is a new one. One function changes a peer's state.
 */
#ifndef ENGINE_PEER_H
#define ENGINE_PEER_H

#include "../state.h"

void peers_init(struct engine *engine);

/* Bytes from one connection to the next, with so many for the triggers. */
size_t peers_stride(size_t slots_size);
void peers_clear(struct engine *engine);

/* NULL if it is not known. */
struct peer *peers_find(const struct engine *engine, uint64_t conn);
struct peer *peers_find_name(const struct engine *engine, const char *name);

/* For walking over all: the next known one at or after `*index`, NULL at the end. */
struct peer *peers_next(const struct engine *engine, uint32_t *index);

/* A new connection, PEER_UP. No other connection of that id or name may be known. */
struct peer *peer_add(struct engine *engine, const struct event_peer_up *event);

/* The only function that changes a state; writes the record where it is news. */
void peer_set_state(struct engine *engine, struct peer *peer, enum peer_state state,
                    const char *reason);

/* Takes addresses over; a member that is NULL stays as it was. True if anything
 * is different now. */
bool peer_set_path(struct peer *peer, const char *local, const char *remote, const char *via);

/* A move of ours succeeded, to this interface; NULL: where the route table leads. */
void peer_set_interface(struct peer *peer, const char *interface);

/* At its end: what it has of its own beside the table. */
void peer_texts_free(struct peer *peer);

/* The connection's affair, made if it had none. */
struct affair *peer_affair(struct engine *engine, struct peer *peer);

static inline bool peer_inbound(const struct peer *peer)
{
    return peer->view.role == PD_ROLE_SERVER;
}

static inline bool peer_in_flight(const struct peer *peer)
{
    return peer->in_flight;
}

/* The name as a text, to be counted; view.name is its string. */
static inline struct text *peer_name(const struct peer *peer)
{
    return CONTAINER_OF(peer->view.name, struct text, s);
}

struct record_subject peer_subject(const struct peer *peer);

#endif
