/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Peers by name: which of their connections is the live one, and dialling by the node's own
 * rules. There are never two live ones.
 *
 * Both ends order the connections between them alike: by epoch, which the dialler makes one
 * greater than the greatest that it has seen, then by the dialler's name. The greater one
 * lives. So a new dial replaces an old connection, and two dials at the same time, from both
 * ends, end in the same connection whichever arrives first.
 */
#include "node.h"

#include <stdlib.h>
#include <string.h>

#define REDIAL_MIN_NS  (250 * NS_PER_MS)
#define REDIAL_MAX_NS  (8 * NS_PER_S)
#define REDIAL_LEFT_NS NS_PER_S        /* the peer closed to come back by itself */
#define STEADY_NS      (10 * NS_PER_S) /* lived so long: start small again */

struct peer *peer_find(struct node *node, const char *name)
{
    for (struct peer *p = node->peers; p; p = p->next)
        if (strcmp(p->name, name) == 0)
            return p;
    return NULL;
}

struct peer *peer_get(struct node *node, const char *name)
{
    struct peer *p = peer_find(node, name);

    if (p || node->n_peers >= NODE_MAX_PEERS)
        return p;
    p = calloc(1, sizeof(*p));
    if (!p)
        return NULL;
    p->relay.at = calloc(node->options->n_relays + 1, sizeof(*p->relay.at));
    if (!p->relay.at) {
        free(p);
        return NULL;
    }
    relay_random(p->relay.key);
    p->node = node;
    strcpy(p->name, name);
    p->redial_delay_ns = REDIAL_MIN_NS;
    p->redial_at_ns = UINT64_MAX;
    p->next = node->peers;
    node->peers = p;
    node->n_peers++;
    return p;
}

static uint64_t seed_of(const char *from, const char *boot, const char *to)
{
    const char *parts[] = {from, "\n", boot, "\n", to};
    uint64_t hash = UINT64_C(14695981039346656037);

    for (size_t i = 0; i < 5; i++)
        for (const char *s = parts[i]; *s; s++)
            hash = (hash ^ (uint8_t)*s) * UINT64_C(1099511628211);
    return hash;
}

/* Where an inbound peer can be dialled: what it listens on, at the address it comes from if
 * it listens on all. What --dial says is not touched. */
static void learn_address(struct conn *c)
{
    struct address a = c->hello.listen;

    if (c->peer->dialled || a.len == 0)
        return;
    if (address_unspecified(&a)) {
        if (relay_of(c)) /* it comes from the relay's address */
            return;
        if (a.sa.sa_family != c->remote.sa.sa_family)
            return;
        a = c->remote;
        address_set_port(&a, address_port(&c->hello.listen));
    }
    c->peer->address = a;
    c->peer->reachable = true;
}

void peer_met(struct conn *c)
{
    const char *own = c->node->options->name;
    struct peer *p = c->peer;

    if (strcmp(p->boot, c->hello.boot) != 0) { /* the first time, or it was restarted */
        strcpy(p->boot, c->hello.boot);
        p->rx_known = false;
        p->rx_next = p->rx_reported = 0;
        p->rx_seed = seed_of(p->name, p->boot, own);
        p->tx_seed = seed_of(own, c->node->boot, p->name);
        p->epoch = 0;
    }
    if (c->hello.epoch > p->epoch)
        p->epoch = c->hello.epoch;
    if (c->epoch > p->epoch)
        p->epoch = c->epoch;
    learn_address(c);
}

void peer_offer(struct conn *c)
{
    struct peer *p = c->peer;
    struct conn *old = p->live;

    if (old && strcmp(old->hello.boot, c->hello.boot) == 0 && !conn_newer(c, old)) {
        conn_close(c, CLOSE_SUPERSEDED, "superseded");
        return;
    }
    if (old && p->dial == c && p->reconnect.token)
        conn_close(old, CLOSE_RECONNECT, "reconnect");
    else if (old)
        conn_close(old, CLOSE_SUPERSEDED, "superseded");
    if (p->dial == c)
        p->dial = NULL;
    p->live = c;
    p->redial_at_ns = UINT64_MAX;
    p->count.connections++;
    c->number = ++c->node->last_number;
    c->dirty = true;
    traffic_resume(p, strcmp(c->hello.peer_boot, c->node->boot) == 0, c->hello.rx_next);
    watchdog_peer_up(c, true);
    agree_begin(c);
    reconnect_up(p);
}

static void redial_in(struct peer *p, uint64_t delay_ns)
{
    uint8_t jitter;

    random_bytes(&jitter, 1);
    if (p->dialled && !p->node->options->no_redial && !p->node->stopping)
        p->redial_at_ns = p->node->now_ns + delay_ns + delay_ns * jitter / 1024;
}

static void redial_back_off(struct peer *p)
{
    redial_in(p, p->redial_delay_ns);
    p->redial_delay_ns *= 2;
    if (p->redial_delay_ns > REDIAL_MAX_NS)
        p->redial_delay_ns = REDIAL_MAX_NS;
}

/* The connection ended. Who dials again, and when? */
void peer_lost(struct conn *c, enum close_code code)
{
    struct peer *p = c->peer;

    if (!p)
        return;
    if (p->live == c) {
        p->live = NULL;
        p->gone_number = c->number;
        p->relay.lost_ns = c->node->now_ns;
        p->tx_ready = false;
        if (code == CLOSE_SHUTDOWN)
            p->rx_last_ns = 0; /* nothing is expected: no gap grows */
        if (c->node->now_ns - c->created_ns > STEADY_NS)
            p->redial_delay_ns = REDIAL_MIN_NS;
        if (code == CLOSE_RECONNECT || code == CLOSE_SUPERSEDED)
            redial_in(p, REDIAL_LEFT_NS);
        else
            redial_back_off(p);
    }
    if (p->dial == c) {
        p->dial = NULL;
        p->via_at++; /* the next of its ways */
        if (!p->live) {
            redial_back_off(p);
            if (code != CLOSE_SUPERSEDED) /* else the one that won is about to come up */
                reconnect_failed(p, "the dial failed");
        } else {
            reconnect_dial_lost(p, code);
        }
    }
}

static void peer_dial(struct peer *p)
{
    char text[ADDRESS_TEXT_MAX];
    const char *why;
    int r;

    p->redial_at_ns = UINT64_MAX;
    if (p->live || p->dial)
        return;
    r = meet_dial(p, NULL, NULL, &why);
    if (r < 0) {
        p->via_at++;
        event(p->node, "dial-failed", "peer=%s to=%s reason=\"%s\"", p->name,
              address_text(&p->address, text), why);
        redial_back_off(p);
    }
}

void peer_timers(struct peer *p)
{
    if (p->redial_at_ns <= p->node->now_ns)
        peer_dial(p);
    if (p->reconnect.token && p->reconnect.deadline_ns <= p->node->now_ns)
        reconnect_late(p);
}

uint64_t peer_next_ns(const struct peer *p)
{
    uint64_t next = traffic_next_ns(p);

    if (p->redial_at_ns < next)
        next = p->redial_at_ns;
    if (p->reconnect.token && p->reconnect.deadline_ns < next)
        next = p->reconnect.deadline_ns;
    return next;
}

void peers_free(struct node *node)
{
    while (node->peers) {
        struct peer *p = node->peers;

        node->peers = p->next;
        free(p->relay.at);
        free(p);
    }
}
