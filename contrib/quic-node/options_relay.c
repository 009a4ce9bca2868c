/* SPDX-License-Identifier: Apache-2.0 */
/* The part of the command line about relays. */
#include "options.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As the protocol wants the names of relays: UTF-8, no control characters. */
static bool name_valid(const char *name, size_t len)
{
    const unsigned char *at = (const unsigned char *)name, *end = at + len;

    if (len == 0 || len > 255)
        return false;
    while (at < end) {
        unsigned more = *at < 0x80 ? 0 : *at < 0xc2 ? 4 : *at < 0xe0 ? 1 : *at < 0xf0 ? 2 : 3;
        unsigned char first = *at;

        if (more > 3 || first > 0xf4 || (size_t)(end - at) <= more || first < 0x20 || first == 0x7f)
            return false;
        for (unsigned i = 1; i <= more; i++)
            if ((at[i] & 0xc0) != 0x80)
                return false;
        if ((first == 0xc2 && at[1] < 0xa0) || (first == 0xe0 && at[1] < 0xa0) ||
            (first == 0xed && at[1] > 0x9f) || (first == 0xf0 && at[1] < 0x90) ||
            (first == 0xf4 && at[1] > 0x8f))
            return false;
        at += 1 + more;
    }
    return true;
}

const char *options_relay(const char *value, struct options *o)
{
    const char *equals = strrchr(value, '=');
    struct relay_option relay = {0}, *all;

    if (!equals || !name_valid(value, (size_t)(equals - value)))
        return "NAME=ADDR:PORT is wanted, the name with 1 to 255 bytes of UTF-8 and no control "
               "characters";
    memcpy(relay.name, value, (size_t)(equals - value));
    if (strcmp(relay.name, "direct") == 0)
        return "\"direct\" is no relay";
    for (size_t i = 0; i < o->n_relays; i++)
        if (strcmp(o->relays[i].name, relay.name) == 0)
            return "this name was given before";
    if (address_parse(equals + 1, &relay.address) < 0 || address_port(&relay.address) == 0 ||
        address_unspecified(&relay.address))
        return "no address with a port after the name";
    if (o->n_relays >= RELAYS_MAX)
        return "more than 64 relays";
    all = realloc(o->relays, (o->n_relays + 1) * sizeof(*all));
    if (!all)
        return "out of memory";
    o->relays = all;
    all[o->n_relays++] = relay;
    return NULL;
}

const char *options_via(const char *value, struct options *o)
{
    struct dial_option *d = o->n_dials ? &o->dials[o->n_dials - 1] : NULL;

    if (!d)
        return "it belongs to the --dial before it, and there is none";
    if (d->n_ways >= WAYS_MAX)
        return "more than 8 ways to one peer";
    d->way_names[d->n_ways++] = value;
    return NULL;
}

const char *options_meet(const char *value, struct options *o)
{
    const char *equals = strrchr(value, '=');
    struct meet_option meet = {0}, *all;

    if (!equals || equals == value || !equals[1] || (size_t)(equals - value) >= sizeof(meet.peer))
        return "PEER=RELAY is wanted";
    memcpy(meet.peer, value, (size_t)(equals - value));
    meet.relay_name = equals + 1;
    if (o->n_meets >= MEETS_MAX)
        return "more than 256 of them";
    for (size_t i = 0; i < o->n_meets; i++)
        if (strcmp(o->meets[i].peer, meet.peer) == 0 &&
            strcmp(o->meets[i].relay_name, meet.relay_name) == 0)
            return "this was given before";
    all = realloc(o->meets, (o->n_meets + 1) * sizeof(*all));
    if (!all)
        return "out of memory";
    o->meets = all;
    all[o->n_meets++] = meet;
    return NULL;
}

static const struct relay_option *find(const struct options *o, const char *option,
                                       const char *name)
{
    for (size_t i = 0; i < o->n_relays; i++)
        if (strcmp(o->relays[i].name, name) == 0)
            return &o->relays[i];
    fprintf(stderr, "quic-node: --%s: no --relay has the name %s\n", option, name);
    return NULL;
}

int options_relays_find(struct options *o)
{
    for (size_t i = 0; i < o->n_dials; i++) {
        struct dial_option *d = &o->dials[i];

        for (size_t w = 0; w < d->n_ways; w++) {
            if (strcmp(d->way_names[w], "direct") == 0)
                continue;
            d->ways[w] = find(o, "via", d->way_names[w]);
            if (!d->ways[w])
                return -EINVAL;
        }
    }
    for (size_t i = 0; i < o->n_meets; i++) {
        o->meets[i].relay = find(o, "meet", o->meets[i].relay_name);
        if (!o->meets[i].relay)
            return -EINVAL;
        if (strcmp(o->meets[i].peer, o->name) == 0) {
            fprintf(stderr, "quic-node: --meet %s: that is this node\n", o->name);
            return -EINVAL;
        }
    }
    return 0;
}
