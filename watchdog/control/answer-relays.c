/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The relays, and the connections that go over one. One request looks at a bounded number of
 * connections; whoever asks adds the counts up, from `next` on.
 */
#include "private.h"

#define RELAYS_SHOWN 256u /* of all triggers together */

struct use {
    const char *name;
    uint32_t peers;
};

static void put_lease(struct buffer *out, const struct pd_relayed_report *report)
{
    put_known(out, "lease_ms", report->lease_ms, PD_UNKNOWN);
    put_known(out, "lease_sent_bytes", report->lease_sent_bytes, PD_UNKNOWN);
    put_known(out, "lease_received_bytes", report->lease_received_bytes, PD_UNKNOWN);
}

static void put_relayed(struct buffer *out, const struct inspect_peer *peer,
                        const struct inspect_relayed *relayed)
{
    put_open(out, NULL, "{");
    put_text(out, "peer", peer->name);
    put_u64(out, "conn", peer->conn);
    put_text(out, "relay", peer->via);
    put_text(out, "trigger", relayed->trigger);
    put_text(out, "rule", relayed->report.rule);
    put_bool(out, "pinned", relayed->report.pinned);
    put_known(out, "silent_us", peer->silent_us, INSPECT_NEVER);
    put_known(out, "srtt_us", peer->srtt_us, PD_UNKNOWN);
    put_lease(out, &relayed->report);
    put_close(out, "}");
}

static void put_relay(struct buffer *out, const struct inspect_relay *relay, uint32_t peers)
{
    const struct pd_relay_report *report = &relay->report;

    put_open(out, NULL, "{");
    put_text(out, "relay", report->relay.name);
    put_text(out, "address", report->relay.address);
    put_text(out, "speaks", report->relay.speaks);
    put_text(out, "from", report->from);
    put_text(out, "trigger", relay->trigger);
    put_text(out, "left_out", report->left_out);
    put_known(out, "rtt_us", report->rtt_ns == PD_UNKNOWN ? PD_UNKNOWN : report->rtt_ns / 1000,
              PD_UNKNOWN);
    put_text(out, "error", report->error);
    put_known(out, "probed_us", relay->probed_ago_us, INSPECT_NEVER);
    put_bool(out, "pick", report->pick);
    put_text(out, "why", report->why);
    put_u64(out, "peers", peers);
    put_close(out, "}");
}

/* The rows of this page, and how many go over each relay. */
static uint32_t put_peers(struct request *request, struct use *uses, size_t n)
{
    uint32_t place = (uint32_t)min_u64(param_u64(request, "after"), UINT32_MAX - PLACES_ROWS);
    uint32_t end = place + PLACES_ROWS, rows = 0;
    struct inspect_relayed relayed;
    struct inspect_peer peer;

    put_open(request->out, "peers", "[");
    while (rows < ROWS_MAX && request_goes_on(request) &&
           inspect_next(request->engine, request->now_us, &place, end, &peer)) {
        if (!inspect_relayed(request->engine, peer.index, &relayed))
            continue;
        rows++;
        for (size_t i = 0; i < n; i++)
            uses[i].peers += !strcmp(uses[i].name, peer.via);
        put_relayed(request->out, &peer, &relayed);
    }
    put_close(request->out, "]");
    return place;
}

void answer_relays(struct request *request)
{
    const struct engine *engine = request->engine;
    struct inspect_relay_walk walk = {0};
    struct use uses[RELAYS_SHOWN];
    struct inspect_relay relay;
    struct buffer *out;
    uint32_t place;
    size_t n = 0;

    for (; n < RELAYS_SHOWN && inspect_relay(engine, request->now_us, &walk, &relay); n++)
        uses[n] = (struct use){.name = relay.report.relay.name};
    out = answer_begin(request);
    put_open(out, NULL, "{");
    place = put_peers(request, uses, n);
    walk = (struct inspect_relay_walk){0};
    put_open(out, "relays", "[");
    for (size_t i = 0; i < n && inspect_relay(engine, request->now_us, &walk, &relay); i++)
        put_relay(out, &relay, uses[i].peers);
    put_close(out, "]");
    put_known(out, "next", place < inspect_places(engine) ? place : PD_NO_PEER, PD_NO_PEER);
    put_close(out, "}");
    answer_end(request);
}
