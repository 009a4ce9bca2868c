/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The uplinks, and how many connections use each. One request looks at a bounded number of
 * connections; whoever asks adds the counts up, from `next` on.
 */
#include "../engine/base/names.h"
#include "private.h"

#define NAMES_SHOWN 12u
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

const char *uplink_state(const struct inspect_uplink *uplink)
{
    return inspect_uplink_state_name(inspect_uplink_state(uplink));
}

static void put_proof(struct buffer *out, const struct inspect_uplink *uplink)
{
    if (!uplink->proving && !uplink->suspect) {
        put_null(out, "proof");
        return;
    }
    put_open(out, "proof", "{");
    put_u64(out, "good", uplink->proof_good);
    put_u64(out, "needed", uplink->proof_needed);
    put_u64(out, "over_us", uplink->proof_us);
    put_close(out, "}");
}

void put_uplink_state(struct buffer *out, const struct inspect_uplink *uplink)
{
    put_text(out, "state", uplink_state(uplink));
    put_text(out, "condition", uplink->condition);
    put_u64(out, "for_us", uplink->for_us);
    put_bool(out, "held", uplink->held);
    put_known(out, "held_left_us", uplink->held ? uplink->held_for_us : INSPECT_NEVER,
              INSPECT_NEVER);
    put_u64(out, "penalty_us", uplink->penalty_us);
    put_bool(out, "unproven", uplink->suspect);
    put_proof(out, uplink);
    if (!uplink->change) {
        put_null(out, "last");
        return;
    }
    put_open(out, "last", "{");
    put_text(out, "change", uplink->change);
    put_text(out, "reason", uplink->change_reason);
    put_known(out, "ago_us", uplink->change_us, INSPECT_NEVER);
    put_close(out, "}");
}

bool request_uplink(struct request *request, const char *name, struct inspect_uplink *ret)
{
    const char *names[NAMES_SHOWN];
    char list[512];
    size_t n = 0;

    if (inspect_uplink_find(request->engine, request->now_us, name, ret))
        return true;
    while (n < ARRAY_SIZE(names) && inspect_uplink(request->engine, request->now_us, n, ret))
        names[n++] = ret->name;
    list_words(list, sizeof(list), names, n);
    answer_error(request, ERROR_REFUSED, "there is no uplink \"%.64s\"; %s%s", name,
                 n ? "there are " : "none is known", list);
    return false;
}

static void put_uplink(struct buffer *out, const struct inspect_uplink *uplink,
                       const struct use *use)
{
    put_open(out, NULL, "{");
    put_text(out, "uplink", uplink->name);
    put_text(out, "interface", uplink->interface);
    put_text(out, "class", uplink_class_names[uplink->class]);
    put_bool(out, "configured", uplink->configured);
    put_uplink_state(out, uplink);
    put_open(out, "routes", "[");
    if (uplink->route4)
        put_text(out, NULL, "ipv4");
    if (uplink->route6)
        put_text(out, NULL, "ipv6");
    put_close(out, "]");
    put_u64(out, "peers", use->peers);
    put_u64(out, "silent", use->silent);
    put_known(out, "srtt_us", use->srtt_us, PD_UNKNOWN);
    put_known(out, "rtt_us", uplink->rtt_us, INSPECT_NEVER);
    put_known(out, "heard_us", uplink->heard_us, INSPECT_NEVER);
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
