/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a migration goes: to the peer directly, or through a relay. A relay is asked for its answer
 * before the library is asked for the path: what comes there earlier is lost. That answer proves
 * nothing of the path; the other end's PATH_RESPONSE does.
 */
#include "node.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ANSWER_NS (3 * NS_PER_S) /* so long a relay may be silent */

static void say(struct conn *c, const char *who, const struct relay_option *relay, const char *why)
{
    snprintf(c->move.why, sizeof(c->move.why), "%s %.40s: %.*s", who, relay->name,
             (int)RELAY_WHY_SIZE - 1, why);
}

/* Does the peer stand there? As agree_ready(). */
static int peer_ready(struct conn *c, const struct relay_option *relay)
{
    const char *why;
    int r = agree_ready(c, relay, &why);

    if (r < 0)
        say(c, "the peer at relay", relay, why);
    if (r == PATHDOG_NODE_NO_PATH && c->hello.relays)
        agree_again(c, relay);
    return r;
}

int via_target(struct conn *c, const char *via, struct via_target *ret)
{
    const struct registration *reg = relay_of(c);
    int r;

    *ret = (struct via_target){.relay = reg ? reg->relay : NULL, .remote = &c->remote};
    if (via && strcmp(via, "direct") == 0) {
        snprintf(c->move.why, sizeof(c->move.why), "no direct address of the peer is known");
        ret->relay = NULL;
        ret->remote = reg ? &c->peer->address : &c->remote;
        return !reg || c->peer->reachable ? 0 : PATHDOG_NODE_NO_PATH;
    }
    if (via)
        ret->relay = relay_find(c->node->options, via);
    if (via && !ret->relay) {
        snprintf(c->move.why, sizeof(c->move.why), "no relay of that name");
        return PATHDOG_NODE_UNKNOWN_VIA;
    }
    if (!ret->relay)
        return 0;
    ret->remote = &ret->relay->address;
    r = peer_ready(c, ret->relay);
    return r < 0 ? r : 0;
}

int via_register(struct conn *c, const struct relay_option *relay, uint64_t timeout_ns)
{
    char id[RELAY_ID_SIZE];

    c->move.relay = relay;
    c->move.register_ns = 0;
    if (!relay)
        return 0;
    agree_id(c->peer, relay, id);
    c->move.register_ns = c->node->now_ns + (timeout_ns < ANSWER_NS ? timeout_ns : ANSWER_NS);
    return relay_register(c->move.path, relay, id);
}

/* The peer is waited for only while it can be heard. */
int via_ready(struct conn *c, bool dead)
{
    const struct registration *reg = c->move.path->reg;
    bool late = c->move.register_ns <= c->node->now_ns;
    bool held = reg->state == REGISTRATION_HELD;
    int r = peer_ready(c, c->move.relay);

    if (r < 0)
        return r;
    if (reg->state == REGISTRATION_REFUSED || (!held && late)) {
        say(c, "relay", c->move.relay, reg->why[0] ? reg->why : "no answer");
        return PATHDOG_NODE_NO_PATH;
    }
    return held && (r > 0 || dead || late);
}

/* An id that is in a session with this end is used, whatever came of it. */
void via_done(struct conn *c)
{
    const struct registration *reg = c->move.path->reg;

    c->move.register_ns = 0;
    if (reg->state == REGISTRATION_HELD || strcmp(reg->why, "ERR:full") == 0)
        agree_used(c, c->move.relay);
}
