/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pathdog's reconnect_peer: close cleanly, dial again, answer with whatever connection to
 * that peer lives then.
 */
#include "node.h"

void reconnect_begin(struct conn *c, const struct pathdog_node_reconnect *request,
                     pathdog_node_token token)
{
    struct pathdog_node *kit = c->node->kit;
    struct peer *p = c->peer;
    bool bound = request->interface || request->local;
    struct address local;
    const char *why;

    if (!p->reachable) {
        pathdog_node_error(kit, token, PATHDOG_NODE_DIAL_FAILED,
                           "the peer's listening address is not known; nothing was closed");
        return;
    }
    if (p->reconnect.token) {
        pathdog_node_error(kit, token, PATHDOG_NODE_BUSY, NULL);
        return;
    }
    if (request->local && (address_parse_host(request->local, &local) < 0 ||
                           local.sa.sa_family != p->address.sa.sa_family)) {
        pathdog_node_error(kit, token, PATHDOG_NODE_INVALID_PARAMS,
                           "local is not an address of the peer's family; nothing was closed");
        return;
    }
    event(c->node, "reconnect-begun", "peer=%s conn=%llu reason=\"%s\"", p->name,
          (unsigned long long)c->number, request->reason ? request->reason : "");
    conn_close(c, CLOSE_RECONNECT, "reconnect");
    p->reconnect.token = token;
    p->reconnect.deadline_ns = c->node->now_ns + request->timeout_ms * NS_PER_MS;
    if (p->dial && bound) /* it goes elsewhere */
        conn_close(p->dial, CLOSE_SUPERSEDED, "superseded");
    if (!p->dial && conn_dial(p, request->interface, request->local ? &local : NULL, &why) < 0)
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
    if (!p->reconnect.token || !p->live)
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
    event(p->node, "reconnect-failed", "peer=%s reason=\"%s\"", p->name, why);
    pathdog_node_error(p->node->kit, p->reconnect.token, PATHDOG_NODE_DIAL_FAILED, why);
    p->reconnect.token = 0;
}
