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

int via_target(const struct conn *c, const char *via, struct via_target *ret, const char **ret_why)
{
    const struct registration *reg = relay_of(c);

    *ret = (struct via_target){.relay = reg ? reg->relay : NULL, .remote = &c->remote};
    *ret_why = NULL;
    if (via && strcmp(via, "direct") == 0) {
        *ret_why = "no direct address of the peer is known";
        ret->relay = NULL;
        ret->remote = reg ? &c->peer->address : &c->remote;
        return !reg || c->peer->reachable ? 0 : PATHDOG_NODE_NO_PATH;
    }
    if (via) {
        ret->relay = relay_find(c->node->options, via);
        if (!ret->relay)
            return PATHDOG_NODE_UNKNOWN_VIA;
    }
    if (ret->relay) {
        int r = agree_ready(c, ret->relay, ret_why);

        ret->remote = &ret->relay->address;
        return r < 0 ? r : 0;
    }
    return 0;
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
int via_ready(struct conn *c, bool dead, char ret_why[static RELAY_WHY_SIZE])
{
    const struct registration *reg = c->move.path->reg;
    bool late = c->move.register_ns <= c->node->now_ns;
    const char *why = reg->why[0] ? reg->why : "no answer";
    int r = agree_ready(c, c->move.relay, &why);

    if (r >= 0)
        why = reg->why[0] ? reg->why : "no answer";
    snprintf(ret_why, RELAY_WHY_SIZE, "%s %.*s: %.30s", r < 0 ? "the peer at relay" : "relay", 24,
             c->move.relay->name, why);
    if (r < 0)
        return r;
    if (reg->state == REGISTRATION_REFUSED ||
        (reg->state != REGISTRATION_HELD && late))
        return PATHDOG_NODE_NO_PATH;
    if (reg->state != REGISTRATION_HELD || (r == 0 && !dead && !late))
        return 0;
    c->move.register_ns = 0;
    agree_used(c, c->move.relay);
    return 1;
}
