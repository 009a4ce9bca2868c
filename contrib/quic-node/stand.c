/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The accepting end at a relay: sockets that are registered before anybody comes. One socket has
 * one id; what it is made from, meet.c and agree.c know.
 */
#include "node.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define STANDS_MAX 4096u
#define RETRY_NS   (5 * NS_PER_S)
/* A relay ends a session after 300 s without activity. */
#define REST_NS (310 * NS_PER_S)
/* Nobody came back: what was registered for a peer is not kept for ever. */
#define GONE_NS (300 * NS_PER_S)
/* So many unanswered registrations, and it may be that our own address is another one. */
#define REOPEN_TRIES 6u

struct stand *stand_new(struct node *node, const struct relay_option *relay)
{
    struct stand *s;

    if (node->n_stands >= STANDS_MAX)
        return NULL;
    s = calloc(1, sizeof(*s));
    if (!s)
        return NULL;
    s->node = node;
    s->relay = relay;
    s->next = node->stands;
    node->stands = s;
    node->n_stands++;
    return s;
}

static void stand_close(struct stand *s)
{
    if (s->u)
        udp_close(s->u);
    s->u = NULL;
}

static void stand_id(const struct stand *s, char ret[static RELAY_ID_SIZE])
{
    if (s->meet)
        relay_id_meet(ret, s->node->meet_secret, s->meet->peer, s->node->options->name, s->number);
    else
        relay_id_stand(ret, s->key, s->relay->name, s->number);
}

void stand_open(struct stand *s)
{
    char id[RELAY_ID_SIZE];
    int r;

    stand_close(s);
    s->used_ns = 0;
    r = udp_connect(s->node, &s->relay->address, NULL, NULL, &s->u);
    if (r == 0) {
        s->u->stand = s;
        stand_id(s, id);
        r = relay_register(s->u, s->relay, id);
    }
    if (r < 0) {
        event(s->node, "relay", "relay=%s state=no-socket reason=\"%s\"", s->relay->name,
              strerror(-r));
        stand_close(s);
    }
    s->retry_ns = s->node->now_ns + RETRY_NS;
}

void stand_received(struct udp *u)
{
    struct stand *s = u->stand;

    /* The session has its second member: were it kept here for ever, and that member is gone,
     * nobody could come to a meeting from another address. */
    u->reg->quiet = s->meet;
    s->used_ns = s->node->now_ns;
}

static bool in_use(const struct stand *s)
{
    for (const struct conn *c = s->node->conns; s->u && c; c = c->next)
        if (c->server && !c->dead && address_equal(&c->local, &s->u->local) &&
            address_equal(&c->remote, &s->u->remote))
            return true;
    return false;
}

/* Is the way to the relay from another address now? The id is another then, at both ends: the relay
 * would take the old address for the other end. */
static void reopen(struct stand *s)
{
    struct address before = s->u->local;
    struct udp *probe;
    bool moved;

    s->retry_ns = s->node->now_ns + RETRY_NS;
    if (udp_connect(s->node, &s->relay->address, NULL, NULL, &probe) < 0)
        return;
    address_set_port(&before, address_port(&probe->local));
    moved = !address_equal(&before, &probe->local);
    udp_close(probe);
    if (!moved)
        return;
    if (s->meet)
        s->number = (s->number + MEET_NUMBERS) % (MEET_NUMBERS * MEET_WINDOWS);
    else
        s->number++;
    stand_open(s);
}

static void stand_check(struct stand *s)
{
    uint64_t now = s->node->now_ns;
    struct registration *reg = s->u ? s->u->reg : NULL;

    if (!reg) {
        if (s->retry_ns <= now)
            stand_open(s);
    } else if (reg->quiet && s->used_ns + REST_NS <= now && !in_use(s)) {
        relay_register_again(s->u, reg->id);
    } else if (reg->tries >= REOPEN_TRIES && s->retry_ns <= now && !s->close_at_ns) {
        reopen(s); /* else its next number would be another's, and nobody is told it */
    }
}

static bool is_over(const struct stand *s)
{
    uint64_t now = s->node->now_ns;

    if (s->peer && !s->peer->live && s->peer->relay.lost_ns + GONE_NS <= now)
        return true;
    return s->close_at_ns && s->close_at_ns <= now && !in_use(s);
}

void stand_turn(struct node *node)
{
    for (struct stand **at = &node->stands; *at;) {
        struct stand *s = *at;

        if (is_over(s)) {
            *at = s->next;
            node->n_stands--;
            stand_close(s);
            free(s);
            continue;
        }
        stand_check(s);
        at = &s->next;
    }
}

uint64_t stand_next_ns(const struct node *node)
{
    uint64_t next = UINT64_MAX;

    for (const struct stand *s = node->stands; s; s = s->next) {
        uint64_t due = UINT64_MAX;

        if (!s->u || (s->u->reg && s->u->reg->tries >= REOPEN_TRIES))
            due = s->retry_ns;
        else if (s->u->reg && s->u->reg->quiet)
            due = s->used_ns + REST_NS;
        if (s->close_at_ns && s->close_at_ns < due)
            due = s->close_at_ns;
        if (s->peer && !s->peer->live && s->peer->relay.lost_ns + GONE_NS < due)
            due = s->peer->relay.lost_ns + GONE_NS;
        /* what is still in use is looked at again now and then */
        if (due <= node->now_ns)
            due = node->now_ns + NS_PER_S;
        next = due < next ? due : next;
    }
    return next;
}

void stands_free(struct node *node)
{
    while (node->stands) {
        struct stand *s = node->stands;

        node->stands = s->next;
        stand_close(s);
        free(s);
    }
}
