/* SPDX-License-Identifier: Apache-2.0 */
/* What follows for the stream, the migration and the peer from what happens to a connection. */
#include "node.h"

static void conn_turned(struct conn *c)
{
    if (c->confirmed && c->hello_received && !c->number)
        peer_offer(c);
    if (!c->dead)
        migrate_check(c);
    if (!c->dead)
        path_check(c);
    if (!c->dead)
        probe_path_check(c);
    push_check(c);
}

static uint64_t conn_due_ns(const struct conn *c)
{
    uint64_t move = migrate_next_ns(c), probe = probe_path_next_ns(c), push = push_next_ns(c);
    uint64_t next = move < probe ? move : probe;

    return next < push ? next : push;
}

/* pathdog is told before the peer may dial: peer_down, then peer_up. */
static void conn_ended(struct conn *c, enum close_code code, const char *reason)
{
    migrate_ended(c);
    probe_path_ended(c);
    if (c->number && c->node->kit)
        pathdog_node_peer_down(c->node->kit, c->number, reason);
    peer_lost(c, code);
}

const struct conn_hooks conn_hooks = {
    .opened = stream_begin,
    .received = stream_received,
    .validated = migrate_note,
    .turned = conn_turned,
    .ended = conn_ended,
    .next_ns = conn_due_ns,
};
