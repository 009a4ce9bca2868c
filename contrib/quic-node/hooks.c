/* SPDX-License-Identifier: Apache-2.0 */
/* What follows for the stream, the migration and the peer from what happens to a connection. */
#include "node.h"

static void conn_opened(struct conn *c)
{
    c->opened = true;
    if (c->meet.tried > 0)
        c->peer->relay.meet_tries = 0;
    reconnect_opened(c);
    if (reconnect_may_begin(c))
        stream_begin(c);
}

static void conn_turned(struct conn *c)
{
    if (c->peer)
        reconnect_check(c->peer);
    if (!c->dead)
        meet_check(c);
    if (!c->dead && c->opened && !c->hello_sent && reconnect_may_begin(c)) {
        stream_begin(c);
        c->dirty = true;
    }
    if (!c->dead && c->confirmed && c->hello_received && !c->number)
        peer_offer(c);
    if (!c->dead)
        migrate_check(c);
    if (!c->dead)
        path_check(c);
    if (!c->dead)
        probe_path_check(c);
    if (!c->dead)
        relay_path_check(c);
    push_check(c);
}

static uint64_t conn_due_ns(const struct conn *c)
{
    uint64_t move = migrate_next_ns(c), probe = probe_path_next_ns(c), push = push_next_ns(c);
    uint64_t next = move < probe ? move : probe, dial = reconnect_next_ns(c);
    uint64_t meet = meet_next_ns(c), relay = relay_path_next_ns(c);

    next = next < push ? next : push;
    next = next < meet ? next : meet;
    next = next < relay ? next : relay;
    return next < dial ? next : dial;
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
    .opened = conn_opened,
    .received = stream_received,
    .validated = migrate_note,
    .turned = conn_turned,
    .ended = conn_ended,
    .next_ns = conn_due_ns,
};
