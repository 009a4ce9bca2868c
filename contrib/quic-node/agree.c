/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which id is next at which relay, said in the connection itself: frame R (the dialler: stand
 * there) and frame S (the peer: so I do, or why not). Both are JSON. A relay is told by its name:
 * each end has its own list of them.
 */
#include "node.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINGER_NS (5 * NS_PER_S)
/* Of one peer at one relay: the next, what the connection is on, and what it has left. */
#define STANDS_OF_PEER 8u
#define UNSENT_MAX     65536u

static void frame_json(struct conn *c, uint8_t type, json_t *object)
{
    char *text = object ? json_dumps(object, JSON_COMPACT) : NULL;

    json_decref(object);
    if (text)
        frame_append(c, type, (uint8_t *)text, strlen(text));
    else
        c->failed = true;
    free(text);
}

static struct peer_relay *at_relay(const struct peer *p, const struct relay_option *relay)
{
    return &p->relay.at[relay - p->node->options->relays];
}

/* ---- the dialler ---- */

static void ask(struct conn *c, const struct relay_option *relay)
{
    struct peer_relay *at = at_relay(c->peer, relay);

    at->answered = false;
    at->why[0] = '\0';
    frame_json(c, 'R',
               json_pack("{ss,ss,sI}", "key", c->peer->relay.key, "relay", relay->name, "number",
                         (json_int_t)at->number));
}

void agree_begin(struct conn *c)
{
    const struct options *o = c->node->options;

    if (c->server || !c->hello.relays)
        return;
    for (size_t i = 0; i < o->n_relays; i++)
        ask(c, &o->relays[i]);
}

void agree_id(struct peer *p, const struct relay_option *relay, char ret[static RELAY_ID_SIZE])
{
    relay_id_stand(ret, p->relay.key, relay->name, at_relay(p, relay)->number);
}

void agree_used(struct conn *c, const struct relay_option *relay)
{
    at_relay(c->peer, relay)->number++;
    ask(c, relay);
}

void agree_again(struct conn *c, const struct relay_option *relay)
{
    ask(c, relay);
}

int agree_ready(const struct conn *c, const struct relay_option *relay, const char **ret_why)
{
    const struct peer_relay *at = at_relay(c->peer, relay);

    *ret_why = "the peer uses no relays";
    if (!c->hello.relays)
        return PATHDOG_NODE_NO_PATH;
    *ret_why = at->why;
    if (at->answered && strcmp(at->why, "unknown") == 0) {
        *ret_why = "the peer knows no relay of that name";
        return PATHDOG_NODE_UNKNOWN_VIA;
    }
    if (at->answered && at->why[0])
        return PATHDOG_NODE_NO_PATH;
    return at->answered;
}

static json_t *parse(const uint8_t *body, size_t len, const char **ret_relay, uint64_t *ret_number)
{
    json_t *object = json_loadb((const char *)body, len, 0, NULL);
    json_t *number = json_object_get(object, "number");

    *ret_relay = json_string_value(json_object_get(object, "relay"));
    if (*ret_relay && json_is_integer(number) && json_integer_value(number) >= 0) {
        *ret_number = (uint64_t)json_integer_value(number);
        return object;
    }
    json_decref(object);
    return NULL;
}

/* It goes into the log. */
static void plain(char ret[static RELAY_WHY_SIZE], const char *text)
{
    size_t n = 0;

    for (; n < RELAY_WHY_SIZE - 1 && text[n]; n++)
        ret[n] = text[n] >= ' ' && text[n] <= '~' && text[n] != '"' ? text[n] : '?';
    ret[n] = '\0';
}

int agree_answered(struct conn *c, const uint8_t *body, size_t len)
{
    const struct relay_option *relay;
    struct peer_relay *at;
    const char *name, *state;
    uint64_t number;
    json_t *object = parse(body, len, &name, &number);

    state = json_string_value(json_object_get(object, "state"));
    relay = state && !c->server ? relay_find(c->node->options, name) : NULL;
    if (!relay) {
        json_decref(object);
        return -EPROTO;
    }
    at = at_relay(c->peer, relay);
    if (number >= at->number) { /* it may have gone on by itself: its address is another */
        at->number = number;
        at->answered = true;
        plain(at->why, strcmp(state, "registered") == 0 ? "" : state);
    }
    json_decref(object);
    c->dirty = true;
    return 0;
}

/* ---- the accepting end ---- */

static void tell(struct conn *c, const char *relay, uint64_t number, const char *state)
{
    if (c->out_unsent_bytes > UNSENT_MAX) /* it asks, and does not take the answers */
        return;
    frame_json(
        c, 'S',
        json_pack("{ss,sI,ss}", "relay", relay, "number", (json_int_t)number, "state", state));
}

/* What is not asked for any more is closed, when nothing is under way to it: the one before the
 * next may be what the connection is on, or goes to just now. */
static struct stand *wanted(struct peer *p, const struct relay_option *relay, const char *key,
                            uint64_t number, unsigned *ret_n)
{
    struct stand *found = NULL;

    *ret_n = 0;
    for (struct stand *s = p->node->stands; s; s = s->next) {
        bool same = strcmp(s->key, key) == 0;

        if (s->peer != p || s->relay != relay)
            continue;
        (*ret_n)++;
        if (s->close_at_ns) /* nothing is told of it any more */
            continue;
        if (same && s->number >= number) /* it may have gone on by itself */
            found = s;
        else if (!same || s->number + 1 != number)
            s->close_at_ns = p->node->now_ns + LINGER_NS;
    }
    return found;
}

int agree_asked(struct conn *c, const uint8_t *body, size_t len)
{
    const struct relay_option *relay;
    const char *name, *key;
    uint64_t number;
    struct stand *s;
    unsigned n;
    json_t *object = parse(body, len, &name, &number);

    key = json_string_value(json_object_get(object, "key"));
    if (!key || strlen(key) != RELAY_ID_SIZE - 1 || !c->server) {
        json_decref(object);
        return -EPROTO;
    }
    relay = relay_find(c->node->options, name);
    s = relay ? wanted(c->peer, relay, key, number, &n) : NULL;
    if (relay && !s && n < STANDS_OF_PEER && (s = stand_new(c->node, relay))) {
        c->peer->relay.lost_ns = c->node->now_ns;
        s->peer = c->peer;
        strcpy(s->key, key);
        s->number = number;
        stand_open(s);
    }
    if (s)
        s->told[0] = '\0'; /* it is told in this turn, as soon as it is known */
    else
        tell(c, name, number, relay ? "no room for another registration" : "unknown");
    json_decref(object);
    return 0;
}

static void stand_tell(struct stand *s)
{
    struct conn *c = s->peer ? s->peer->live : NULL;
    const struct registration *reg = s->u ? s->u->reg : NULL;
    const char *state = NULL;

    if (!c || c->dead || !c->server || !c->hello.relays || s->close_at_ns)
        return;
    if (!reg)
        state = "no way to the relay";
    else if (reg->state == REGISTRATION_HELD)
        state = "registered";
    else if (reg->why[0])
        state = reg->why;
    else if (reg->tries > 2)
        state = "no answer";
    if (!state || (s->told_number == s->number && strcmp(s->told, state) == 0))
        return;
    snprintf(s->told, sizeof(s->told), "%s", state);
    s->told_number = s->number;
    tell(c, s->relay->name, s->number, state);
}

/* What has changed since it was told. */
void agree_turn(struct node *node)
{
    for (struct stand *s = node->stands; s; s = s->next)
        stand_tell(s);
}
