/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Registrations at relays: asked for until they are answered, asked for again when the relay says
 * that it does not know us or nothing gets through, kept while nothing else is sent. An answer of
 * the relay says that the relay is there, and nothing of the other end.
 */
#include "node.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ASK_MIN_NS     (250 * NS_PER_MS)
#define ASK_MAX_NS     (2 * NS_PER_S)
#define ASK_SLOW_NS    (10 * NS_PER_S) /* when it was asked so often */
#define ASK_SLOW_TRIES 8u
#define HELD_TRIES     4u /* so many unanswered ones, and it is not held any more */
/* The relay moves a member to its new port when its old one was silent for 2 s. */
#define FULL_NS        NS_PER_S
#define UNKNOWN_GAP_NS (500 * NS_PER_MS)
#define OTHERS_GAP_NS  (250 * NS_PER_MS)
#define SILENT_NS      (4 * NS_PER_S)
#define LEASE_NS       NS_PER_S
#define LEASE_SLOW_NS  (10 * NS_PER_S)
#define LEASE_TRIES    3u

const struct relay_option *relay_find(const struct options *o, const char *name)
{
    for (size_t i = 0; i < o->n_relays; i++)
        if (strcmp(o->relays[i].name, name) == 0)
            return &o->relays[i];
    return NULL;
}

static void tell(const struct udp *u, const char *state)
{
    const struct registration *reg = u->reg;
    char local[ADDRESS_TEXT_MAX];

    event(u->node, "relay", "relay=%s id=%.8s local=%s state=%s%s%s%s", reg->relay->name, reg->id,
          address_text(&u->local, local), state, reg->why[0] ? " reason=\"" : "", reg->why,
          reg->why[0] ? "\"" : "");
}

/* Whoever waits for it looks again. */
static void changed(const struct udp *u)
{
    if (u->conn)
        u->conn->dirty = true;
}

static void send_question(struct udp *u, const char *text, size_t len)
{
    if (send(u->fd, text, len, MSG_NOSIGNAL) < 0 && errno == ECONNREFUSED)
        (void)!send(u->fd, text, len, MSG_NOSIGNAL); /* that was of an earlier one */
    u->sent_ns = u->node->now_ns;
}

static uint64_t ask_gap_ns(const struct registration *reg)
{
    uint64_t gap = ASK_MIN_NS << (reg->tries < 4 ? reg->tries : 4);

    if (reg->tries >= ASK_SLOW_TRIES)
        return ASK_SLOW_NS;
    return gap < ASK_MAX_NS ? gap : ASK_MAX_NS;
}

static void ask(struct udp *u)
{
    struct registration *reg = u->reg;
    char text[RELAY_QUESTION_MAX];
    size_t len = relay_ask_register(text, reg->id);

    send_question(u, text, len);
    reg->asked_ns = u->node->now_ns;
    reg->due_ns = reg->asked_ns + ask_gap_ns(reg);
    reg->tries++;
}

int relay_register(struct udp *u, const struct relay_option *relay, const char *id)
{
    struct registration *reg = calloc(1, sizeof(*reg));

    if (!reg)
        return -ENOMEM;
    reg->relay = relay;
    memcpy(reg->id, id, sizeof(reg->id));
    u->reg = reg;
    ask(u);
    return 0;
}

void relay_register_again(struct udp *u, const char *id)
{
    struct registration *reg = u->reg;

    if (id != reg->id)
        memcpy(reg->id, id, sizeof(reg->id));
    reg->state = REGISTRATION_ASKED;
    reg->tries = 0;
    reg->quiet = false;
    reg->lease.known = false;
    ask(u);
}

/* One is lost: so may be the others that we have there, and nothing else would tell them. */
static void ask_others(struct udp *u)
{
    struct node *node = u->node;

    for (struct stand *s = node->stands; s; s = s->next)
        if (s->relay == u->reg->relay && s->u && s->u != u && s->u->reg && !s->u->reg->quiet &&
            node->now_ns - s->u->reg->asked_ns > OTHERS_GAP_NS)
            ask(s->u);
}

static void acknowledged(struct udp *u)
{
    struct registration *reg = u->reg;
    bool news = reg->state != REGISTRATION_HELD;

    if (reg->tries == 0) /* nothing was asked */
        return;
    reg->state = REGISTRATION_HELD;
    reg->why[0] = '\0';
    reg->tries = 0;
    if (news) {
        reg->lease.unanswered = 0;
        reg->lease.due_ns = u->node->now_ns;
        tell(u, "registered");
        changed(u);
    }
}

static void refused(struct udp *u, const char *word)
{
    struct registration *reg = u->reg;
    uint64_t now = u->node->now_ns;
    bool full = strcmp(word, "full") == 0;

    /* It was left, and only lingers. Or it says so of what was not asked, and all the time: data is
     * refused too. */
    if (u->close_at_ns || (reg->tries == 0 && now - reg->asked_ns < UNKNOWN_GAP_NS))
        return;
    if (strcmp(word, "unknown") == 0) { /* the answer to data: it was started again, or so */
        if (now - reg->asked_ns < UNKNOWN_GAP_NS)
            return;
        snprintf(reg->why, sizeof(reg->why), "ERR:unknown");
        tell(u, "lost");
        relay_register_again(u, reg->id);
        ask_others(u);
        changed(u);
        return;
    }
    snprintf(reg->why, sizeof(reg->why), "ERR:%s", word);
    if (reg->state != REGISTRATION_REFUSED)
        tell(u, "refused");
    reg->state = REGISTRATION_REFUSED;
    reg->tries = 0;
    reg->due_ns = now + (full ? FULL_NS : ASK_SLOW_NS);
    changed(u);
}

static void leased(struct udp *u, const struct relay_said *said)
{
    struct registration *reg = u->reg;

    reg->lease.known = true;
    reg->lease.unanswered = 0;
    reg->lease.bytes = said->bytes;
    reg->lease.ms = said->ms;
    reg->lease.at_ns = u->node->now_ns;
    reg->lease.sent_bytes = u->sent_bytes;
    reg->lease.received_bytes = u->received_bytes;
    reg->lease.due_ns = reg->lease.at_ns + LEASE_NS;
}

bool relay_received(struct udp *u, const uint8_t *data, size_t len)
{
    struct relay_said said = relay_said(data, len);

    switch (said.what) {
    case RELAY_DATA:
        u->received_bytes += len;
        return false;
    case RELAY_ACK:
        acknowledged(u);
        return true;
    case RELAY_ERR:
        refused(u, said.word);
        return true;
    case RELAY_LEASE:
        leased(u, &said);
        return true;
    case RELAY_ASKED:
        break;
    }
    return true;
}

/* When it is asked for again; while it is held, what else is sent puts it off. */
static uint64_t due_ns(const struct udp *u)
{
    const struct registration *reg = u->reg;
    uint64_t keep_ns = u->node->options->relay_keep_alive_ms * NS_PER_MS;

    if (!reg || reg->quiet || u->close_at_ns)
        return UINT64_MAX;
    if (reg->state != REGISTRATION_HELD || reg->tries > 0)
        return reg->due_ns;
    return keep_ns ? u->sent_ns + keep_ns : UINT64_MAX;
}

static void turn(struct udp *u)
{
    struct registration *reg = u->reg;

    if (due_ns(u) > u->node->now_ns)
        return;
    if (reg->state == REGISTRATION_HELD && reg->tries >= HELD_TRIES) {
        reg->state = REGISTRATION_ASKED;
        snprintf(reg->why, sizeof(reg->why), "no answer");
        tell(u, "lost");
        changed(u);
    }
    ask(u);
}

void relay_turn(struct node *node)
{
    for (struct stand *s = node->stands; s; s = s->next)
        if (s->u)
            turn(s->u);
    for (struct conn *c = node->conns; c; c = c->next)
        for (struct udp *u = c->dead ? NULL : c->paths; u; u = u->next)
            turn(u);
}

uint64_t relay_next_ns(const struct node *node)
{
    uint64_t next = UINT64_MAX;

    for (const struct stand *s = node->stands; s; s = s->next)
        if (s->u && due_ns(s->u) < next)
            next = due_ns(s->u);
    for (const struct conn *c = node->conns; c; c = c->next)
        for (const struct udp *u = c->dead ? NULL : c->paths; u; u = u->next)
            next = due_ns(u) < next ? due_ns(u) : next;
    return next;
}

static struct udp *relayed(const struct conn *c)
{
    struct udp *u = udp_find(c, &c->local, &c->remote);

    return u && u->reg ? u : NULL;
}

struct registration *relay_of(const struct conn *c)
{
    const struct udp *u = relayed(c);

    return u ? u->reg : NULL;
}

const char *relay_via(const struct conn *c)
{
    const struct registration *reg = relay_of(c);

    return reg ? reg->relay->name : "direct";
}

/* Nothing gets through, and something is owed: it may be that the relay has forgotten us, and does
 * not say so. Data went out meanwhile, which is what a new port of a NAT wants. */
static uint64_t silent_due_ns(const struct conn *c, const struct registration *reg)
{
    uint64_t from = c->last_received_ns > reg->asked_ns ? c->last_received_ns : reg->asked_ns;

    return reg->state == REGISTRATION_HELD && quic_numbers(c->quic, &c->counted).bytes_in_flight > 0
               ? from + SILENT_NS
               : UINT64_MAX;
}

void relay_path_check(struct conn *c)
{
    struct udp *u = c->number && !c->dead ? relayed(c) : NULL;
    struct registration *reg = u ? u->reg : NULL;
    uint64_t now = c->node->now_ns;
    char text[RELAY_QUESTION_MAX];

    if (!u)
        return;
    if (silent_due_ns(c, reg) <= now) {
        ask(u);
        ask_others(u);
    }
    if (reg->lease.due_ns > now || reg->state != REGISTRATION_HELD || !c->node->kit)
        return;
    if (reg->lease.unanswered >= LEASE_TRIES)
        reg->lease.known = false;
    send_question(u, text, relay_ask_lease(text, reg->id));
    reg->lease.due_ns = now + (reg->lease.unanswered < LEASE_TRIES ? LEASE_NS : LEASE_SLOW_NS);
    reg->lease.unanswered++;
}

uint64_t relay_path_next_ns(const struct conn *c)
{
    const struct registration *reg = c->number && !c->dead ? relay_of(c) : NULL;
    uint64_t next;

    if (!reg)
        return UINT64_MAX;
    next = silent_due_ns(c, reg);
    return c->node->kit && reg->state == REGISTRATION_HELD && reg->lease.due_ns < next
               ? reg->lease.due_ns
               : next;
}

static uint64_t less(uint64_t left, uint64_t gone)
{
    if (left == UINT64_MAX)
        return left;
    return left > gone ? left - gone : 0;
}

struct relay_lease relay_lease(const struct conn *c)
{
    const struct udp *u = relayed(c);
    const struct registration *reg = u ? u->reg : NULL;

    if (!reg || !reg->lease.known)
        return (struct relay_lease){UINT64_MAX, UINT64_MAX, UINT64_MAX};
    return (struct relay_lease){
        .ms = less(reg->lease.ms, (c->node->now_ns - reg->lease.at_ns) / NS_PER_MS),
        .sent_bytes = less(reg->lease.bytes, u->sent_bytes - reg->lease.sent_bytes),
        .received_bytes = less(reg->lease.bytes, u->received_bytes - reg->lease.received_bytes),
    };
}
