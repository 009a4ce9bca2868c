/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pathdog's reconnect_peer: close cleanly, dial again, answer with whatever connection to
 * that peer lives then. With keep_old the other way round: dial, and close the old connection
 * when the new one is confirmed.
 *
 * The peer takes a new connection, and closes the old one, as soon as it hears the dialler's name
 * on it. So with keep_old the name is not sent before the handshake is complete, and not if
 * something was acknowledged on the old connection by then: then the new one is closed, and the
 * peer has never taken it. From the name on there is no way back.
 */
#include "node.h"

/* The old connection, while it is kept; NULL: there is none, or another has taken its place. */
static struct conn *kept(const struct peer *p)
{
    return p->reconnect.token && p->reconnect.keep && p->live &&
                   p->live->number == p->reconnect.keep
               ? p->live
               : NULL;
}

static bool committed(const struct peer *p)
{
    return p->dial && p->dial->hello_sent;
}

/* The new connection is not wanted any more; the old one goes on. */
static void give_up(struct peer *p, int code, const char *why)
{
    pathdog_node_token token = p->reconnect.token;

    p->reconnect.token = p->reconnect.keep = 0;
    if (p->dial)
        conn_close(p->dial, CLOSE_SUPERSEDED, why);
    event(p->node, "reconnect-given-up", "peer=%s conn=%llu reason=\"%s\"", p->name,
          p->live ? (unsigned long long)p->live->number : 0, why);
    pathdog_node_error(p->node->kit, token, code, why);
}

/* Returns 0, or the code to refuse with. Nothing was closed by then. */
static int refusal(const struct peer *p, const struct pathdog_node_reconnect *request,
                   struct address *ret_local, const char **ret_why)
{
    *ret_why = "the peer's listening address is not known; nothing was closed";
    if (!p->reachable)
        return PATHDOG_NODE_DIAL_FAILED;
    *ret_why = NULL;
    if (p->reconnect.token)
        return PATHDOG_NODE_BUSY;
    *ret_why = "local is not an address of the peer's family; nothing was closed";
    if (request->local && (address_parse_host(request->local, ret_local) < 0 ||
                           ret_local->sa.sa_family != p->address.sa.sa_family))
        return PATHDOG_NODE_INVALID_PARAMS;
    return 0;
}

/* The handshake of a new one is complete, so the peer lives and has time for us. The new path may
 * be faster than the old one: where its silence is not proven yet, the answer gets its time, from
 * now on, for before this the peer may have had none. */
void reconnect_opened(const struct conn *c)
{
    struct peer *p = c->peer;
    const struct conn *old = kept(p);

    if (old && p->dial == c && p->reconnect.unproven)
        p->reconnect.decide_ns = c->node->now_ns + 2 * ngtcp2_conn_get_pto(old->quic);
}

void reconnect_begin(struct conn *c, const struct pathdog_node_reconnect *request,
                     pathdog_node_token token)
{
    struct peer *p = c->peer;
    bool bound = request->interface || request->local;
    struct address local;
    const char *why;
    int code = refusal(p, request, &local, &why);

    if (code < 0) {
        pathdog_node_error(c->node->kit, token, code, why);
        return;
    }
    p->reconnect.unproven = request->keep_old && !path_dead(c, ngtcp2_conn_get_pto(c->quic));
    event(c->node, "reconnect-begun", "peer=%s conn=%llu%s reason=\"%s\"", p->name,
          (unsigned long long)c->number,
          p->reconnect.unproven ? " keep_old=yes"
          : request->keep_old   ? " keep_old=yes old=silent"
                                : "",
          request->reason ? request->reason : "");
    p->reconnect.keep = request->keep_old ? c->number : 0;
    p->reconnect.acks = c->counted.acks;
    p->reconnect.decide_ns = 0;
    if (request->keep_old)
        frame_probe(c); /* does it live? It is asked once more */
    else
        conn_close(c, CLOSE_RECONNECT, "reconnect");
    p->reconnect.token = token;
    p->reconnect.deadline_ns = c->node->now_ns + request->timeout_ms * NS_PER_MS;
    if (p->dial && bound) /* it goes elsewhere */
        conn_close(p->dial, CLOSE_SUPERSEDED, "superseded");
    if (!p->dial && meet_dial(p, request->interface, request->local ? &local : NULL, &why) < 0)
        reconnect_failed(p, why);
}

/* The peer was faster: its own new connection is the answer. */
void reconnect_gone(struct node *node, const struct pathdog_node_reconnect *request,
                    pathdog_node_token token)
{
    for (struct peer *p = node->peers; p; p = p->next)
        if (p->gone_number == request->conn && p->live) {
            pathdog_node_reconnected(node->kit, token, p->live->number);
            return;
        }
    /* it was there in this boot, or it never was */
    pathdog_node_error(node->kit, token,
                       request->conn <= node->last_number ? PATHDOG_NODE_NO_CONN
                                                          : PATHDOG_NODE_NOT_CONNECTED,
                       NULL);
}

/* A connection to the peer is live. If our own dial would replace it, that one is waited for. */
void reconnect_up(struct peer *p)
{
    if (!p->reconnect.token || !p->live || kept(p))
        return;
    if (p->dial && conn_newer(p->dial, p->live))
        return;
    event(p->node, "reconnected", "peer=%s conn=%llu", p->name,
          (unsigned long long)p->live->number);
    p->count.reconnects++;
    pathdog_node_reconnected(p->node->kit, p->reconnect.token, p->live->number);
    p->reconnect.token = 0;
}

void reconnect_failed(struct peer *p, const char *why)
{
    if (!p->reconnect.token)
        return;
    event(p->node, "reconnect-failed", "peer=%s%s reason=\"%s\"", p->name,
          kept(p) ? " old=kept" : "", why);
    pathdog_node_error(p->node->kit, p->reconnect.token, PATHDOG_NODE_DIAL_FAILED, why);
    p->reconnect.token = 0;
}

/* A dial that goes on would close the old connection later, when nobody asks for it any more. */
void reconnect_late(struct peer *p)
{
    if (kept(p) && !committed(p))
        give_up(p, PATHDOG_NODE_DIAL_FAILED, "no connection in time; the old one is kept");
    else
        reconnect_failed(p, "no connection in time");
}

void reconnect_dial_lost(struct peer *p, enum close_code code)
{
    if (!kept(p))
        reconnect_up(p);
    else if (code != CLOSE_SUPERSEDED) /* else the one that won is about to come up */
        reconnect_failed(p, "the dial failed; the old connection is kept");
}

static bool old_lives(const struct peer *p)
{
    const struct conn *old = kept(p);

    return old && old->counted.acks > p->reconnect.acks && !committed(p);
}

void reconnect_check(struct peer *p)
{
    if (old_lives(p))
        give_up(p, PATHDOG_NODE_OLD_LIVES, "the old connection lives");
}

/* The handshake of this one is complete: until when it may not say our name. 0: it may. */
static uint64_t held_until_ns(const struct conn *c)
{
    const struct peer *p = c->peer;

    if (p->dial != c || !kept(p))
        return 0;
    if (old_lives(p)) /* reconnect_check() closes it */
        return UINT64_MAX;
    return p->reconnect.decide_ns > c->node->now_ns ? p->reconnect.decide_ns : 0;
}

bool reconnect_may_begin(const struct conn *c)
{
    return held_until_ns(c) == 0;
}

uint64_t reconnect_next_ns(const struct conn *c)
{
    return c->opened && !c->hello_sent ? held_until_ns(c) : UINT64_MAX;
}

/* What was closed, or taken by the peer, cannot be taken back: that is answered as it ends. */
void reconnect_cancel(struct peer *p)
{
    if (kept(p) && !committed(p))
        give_up(p, PATHDOG_NODE_CANCELLED, "cancelled");
}
