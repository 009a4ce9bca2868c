/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The uplinks, and how many connections use each. One request looks at a bounded number of
 * connections; whoever asks adds the counts up, from `next` on.
 */
#include "../engine/base/names.h"
#include "private.h"

#define UPLINKS_MAX 128u /* more than there can be */

struct use {
    const char *name;
    uint32_t peers, silent;
    uint64_t srtt_us; /* the lowest; PD_UNKNOWN: none is known */
};

static void count(struct use *uses, size_t n, const struct inspect_peer *peer)
{
    for (size_t i = 0; i < n && peer->uplink; i++) {
        if (strcmp(uses[i].name, peer->uplink) != 0)
            continue;
        uses[i].peers++;
        uses[i].silent += peer->condition == INSPECT_IS_SILENT;
        uses[i].srtt_us = min_u64(uses[i].srtt_us, peer->srtt_us);
    }
}

static void put_uplink(struct buffer *out, const struct inspect_uplink *uplink,
                       const struct use *use)
{
    put_open(out, NULL, "{");
    put_text(out, "uplink", uplink->name);
    put_text(out, "interface", uplink->interface);
    put_text(out, "class", uplink_class_names[uplink->class]);
    put_bool(out, "configured", uplink->configured);
    put_text(out, "condition", uplink->condition);
    put_u64(out, "for_us", uplink->for_us);
    put_open(out, "routes", "[");
    if (uplink->route4)
        put_text(out, NULL, "ipv4");
    if (uplink->route6)
        put_text(out, NULL, "ipv6");
    put_close(out, "]");
    put_u64(out, "peers", use->peers);
    put_u64(out, "silent", use->silent);
    put_known(out, "srtt_us", use->srtt_us, PD_UNKNOWN);
    put_close(out, "}");
}

void answer_uplinks(struct request *request)
{
    const struct engine *engine = request->engine;
    uint32_t place = (uint32_t)min_u64(param_u64(request, "after"), UINT32_MAX - PLACES_TALLY);
    uint32_t end = place + PLACES_TALLY;
    struct use uses[UPLINKS_MAX];
    struct inspect_uplink uplink;
    struct inspect_peer peer;
    struct buffer *out;
    size_t n = 0;

    for (; n < UPLINKS_MAX && inspect_uplink(engine, request->now_us, n, &uplink); n++)
        uses[n] = (struct use){.name = uplink.name, .srtt_us = PD_UNKNOWN};
    while (request_goes_on(request) && inspect_next(engine, request->now_us, &place, end, &peer))
        count(uses, n, &peer);
    out = answer_begin(request);
    put_open(out, NULL, "{");
    put_open(out, "uplinks", "[");
    for (size_t i = 0; i < n && inspect_uplink(engine, request->now_us, i, &uplink); i++)
        put_uplink(out, &uplink, &uses[i]);
    put_close(out, "]");
    put_known(out, "next", place < inspect_places(engine) ? place : PD_NO_PEER, PD_NO_PEER);
    put_close(out, "}");
    answer_end(request);
}
