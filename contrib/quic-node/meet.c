/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Dialling through a relay. Nothing has been agreed then: both ends make the id of a meeting from
 * the secret that they were given, both names, and a number. The accepting end waits at every
 * number; the dialler takes one after the other. So one that is full, or leads nowhere (an old
 * relay answers there all the same), costs one try.
 */
#include "node.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The text of a file, without white space at its end. */
static int secret_read(const char *path, char ret[static RELAY_SECRET_SIZE])
{
    char text[4096];
    FILE *file = fopen(path, "re");
    size_t n;
    int r = 0;

    if (!file)
        return -errno;
    n = fread(text, 1, sizeof(text), file);
    if (ferror(file))
        r = -EIO;
    (void)fclose(file);
    while (n > 0 && memchr(" \t\r\n", text[n - 1], 4))
        n--;
    if (r == 0 && n >= RELAY_SECRET_SIZE)
        r = -EFBIG;
    if (r == 0 && (n == 0 || memchr(text, '\0', n)))
        r = -EINVAL;
    if (r < 0)
        return r;
    memcpy(ret, text, n);
    ret[n] = '\0';
    return 0;
}

int meet_init(struct node *node)
{
    const struct options *o = node->options;
    int r = 0;

    relay_random(node->probe_key);
    /* Known to everybody: who knows the names can take a place in a meeting. */
    strcpy(node->meet_secret, "pathdog quic-node");
    if (o->relay_secret)
        r = secret_read(o->relay_secret, node->meet_secret);
    for (size_t i = 0; r == 0 && i < o->n_meets; i++)
        for (unsigned n = 0; r == 0 && n < MEET_NUMBERS; n++) {
            struct stand *s = stand_new(node, o->meets[i].relay);

            if (!s)
                return -ENOMEM;
            s->meet = &o->meets[i];
            s->number = n;
            stand_open(s);
        }
    return r;
}

/* One number after the other, also over many dials; where none of them leads to the peer, the next
 * ones. */
static void next_number(struct conn *c, char ret[static RELAY_ID_SIZE])
{
    struct peer *p = c->peer;

    if (p->relay.meet_tries == MEET_NUMBERS) {
        p->relay.meet_window = (p->relay.meet_window + 1) % MEET_WINDOWS;
        p->relay.meet_tries = 0;
    }
    p->relay.meet_tries++;
    p->relay.meet_number = (p->relay.meet_number + 1) % MEET_NUMBERS;
    c->meet.tried++;
    relay_id_meet(ret, c->node->meet_secret, c->node->options->name, p->name,
                  p->relay.meet_window * MEET_NUMBERS + p->relay.meet_number);
}

/* What was sent before the relay knows us would be lost. */
static int meet(struct conn *c, const struct relay_option *relay)
{
    char id[RELAY_ID_SIZE];

    next_number(c, id);
    c->meet.u = c->paths;
    c->held = true;
    return relay_register(c->paths, relay, id);
}

int meet_dial(struct peer *p, const char *interface, const struct address *local,
              const char **ret_why)
{
    const struct dial_option *d = p->dial_option;
    const struct relay_option *relay = d && d->n_ways ? d->ways[p->via_at % d->n_ways] : NULL;
    int r = conn_dial(p, relay ? &relay->address : &p->address, interface, local, ret_why);

    if (r == 0 && relay && meet(p->dial, relay) < 0) {
        *ret_why = "out of memory";
        p->dial->dead = true;
        p->dial = NULL;
        r = -ENOMEM;
    }
    return r;
}

static uint64_t deadline_ns(const struct conn *c)
{
    return c->created_ns + c->node->options->dial_timeout_ms * NS_PER_MS;
}

uint64_t meet_next_ns(const struct conn *c)
{
    return c->held && !c->dead ? deadline_ns(c) : UINT64_MAX;
}

void meet_check(struct conn *c)
{
    const struct registration *reg = c->held ? c->meet.u->reg : NULL;
    bool refused, full;
    char why[400], id[RELAY_ID_SIZE];

    if (!reg)
        return;
    refused = reg->state == REGISTRATION_REFUSED;
    full = refused && strcmp(reg->why, "ERR:full") == 0;
    if (reg->state == REGISTRATION_HELD) {
        c->held = false;
        c->meet.u = NULL;
        c->dirty = true;
    } else if (full && c->meet.tried < MEET_NUMBERS * MEET_WINDOWS) {
        next_number(c, id);
        relay_register_again(c->meet.u, id);
    } else if (refused || deadline_ns(c) <= c->node->now_ns) {
        snprintf(why, sizeof(why), "relay %s: %s", reg->relay->name,
                 reg->why[0] ? reg->why : "no answer");
        conn_close(c, CLOSE_NONE, why);
    }
}
