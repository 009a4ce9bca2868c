/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Peers as rows, in pages: one request looks at a bounded number of places in
 * the table, and `next` says where the next one goes on.
 */
#include "../engine/base/names.h"
#include "order.h"
#include "private.h"

#define CANDIDATES_MAX 12u

static const char *const states[] = {
    [INSPECT_UP] = "up", [INSPECT_GONE] = "gone", [INSPECT_UNREPORTED] = "untold"};
static const char *const conditions[] = {
    [INSPECT_IS_GONE] = "gone",     [INSPECT_IS_UNREPORTED] = "untold",
    [INSPECT_IS_UNSEEN] = "unseen", [INSPECT_IS_NEW] = "new",
    [INSPECT_IS_SILENT] = "silent", [INSPECT_IS_MOVING] = "moving",
    [INSPECT_IS_IDLE] = "idle",     [INSPECT_IS_UP] = "up"};
static const char *const moves[] = {[INSPECT_IDLE] = NULL,
                                    [INSPECT_QUEUED] = "queued",
                                    [INSPECT_OPEN] = "asked",
                                    [INSPECT_WAITING] = "waiting"};

/* The members of a peer, without brackets. */
void put_peer(struct request *request, const struct inspect_peer *peer)
{
    struct buffer *out = request->out;

    put_text(out, "peer", peer->name);
    put_u64(out, "conn", peer->conn);
    put_text(out, "state", states[peer->state]);
    put_text(out, "condition", conditions[peer->condition]);
    put_known(out, "silent_us", peer->silent_us, INSPECT_NEVER);
    put_text(out, "role", role_names[peer->role]);
    put_text(out, "local", peer->local);
    put_text(
        out, "interface",
        peer->interface ? peer->interface : interfaces_find(&request->control->interfaces, request->now_us, peer->local));
    put_text(out, "uplink", peer->uplink);
    put_text(out, "remote", peer->remote);
    put_text(out, "via", peer->via);
    put_bool(out, "migratable", peer->migratable && !peer->disabled);
    put_bool(out, "reconnectable", peer->reconnectable && !peer->undialable);
    put_bool(out, "held", peer->held);
    put_text(out, "move", moves[peer->move]);
    put_u64(out, "up_us", peer->up_for_us);
    put_known(out, "looked_us", peer->polled_ago_us, INSPECT_NEVER);
    put_known(out, "srtt_us", peer->srtt_us, PD_UNKNOWN);
    put_known(out, "latest_rtt_us", peer->latest_rtt_us, PD_UNKNOWN);
    put_known(out, "rttvar_us", peer->rttvar_us, PD_UNKNOWN);
    put_known(out, "rtt_samples", peer->rtt_samples, PD_UNKNOWN);
    put_known(out, "bytes_sent", peer->bytes_sent, PD_UNKNOWN);
    put_known(out, "bytes_received", peer->bytes_received, PD_UNKNOWN);
    put_u64(out, "in_flight_bytes", peer->in_flight_bytes);
}

/* `next`: null at the table's end. */
static void put_next(struct buffer *out, const struct engine *engine, uint32_t place)
{
    put_known(out, "next", place < inspect_places(engine) ? place : PD_NO_PEER, PD_NO_PEER);
}

static uint32_t first_place(const struct request *request)
{
    return (uint32_t)min_u64(param_u64(request, "after"), UINT32_MAX - PLACES_TALLY);
}

/* What of the table is asked for. */
struct wanted {
    const struct glob *match; /* NULL: all */
    const char *prefix;
    uint32_t limit;
    bool names;
};

static bool fits(const struct inspect_peer *peer, const struct glob *match, const char *prefix)
{
    return (!match || glob_matches(match, peer->name)) &&
           (!prefix || !strncmp(prefix, peer->name, strlen(prefix)));
}

static void put_row(struct request *request, const struct inspect_peer *peer, bool names)
{
    struct buffer *out = request->out;

    if (names) {
        put_text(out, NULL, peer->name);
        return;
    }
    put_open(out, NULL, "{");
    put_peer(request, peer);
    put_close(out, "}");
}

/* As they stand in the table, until there are enough. Returns where to go on. */
static uint32_t put_rows(struct request *request, const struct wanted *wanted, uint32_t place)
{
    uint32_t end = place + PLACES_ROWS, left = wanted->limit;
    struct inspect_peer peer;

    while (left && request_goes_on(request) &&
           inspect_next(request->engine, request->now_us, &place, end, &peer)) {
        if (!fits(&peer, wanted->match, wanted->prefix))
            continue;
        left--;
        put_row(request, &peer, wanted->names);
    }
    return place;
}

/* The first ones of a part of the table, and how all of that part are. */
static uint32_t put_sorted(struct request *request, const struct wanted *wanted, uint32_t place,
                           struct order *order)
{
    uint32_t end = place + PLACES_TALLY;
    struct inspect_peer peer;

    while (request_goes_on(request) &&
           inspect_next(request->engine, request->now_us, &place, end, &peer))
        if (fits(&peer, wanted->match, wanted->prefix))
            order_offer(order, &peer);
    for (uint32_t i = 0; i < order->n; i++)
        put_row(request, order_at(order, i), wanted->names);
    return place;
}

static void put_conditions(struct buffer *out, const struct order *order)
{
    put_open(out, "conditions", "{");
    for (size_t i = 0; i < ORDER_CONDITIONS; i++)
        put_u64(out, conditions[i], order->counts[i]);
    put_close(out, "}");
}

void answer_peers(struct request *request)
{
    uint64_t limit = param_given(request, "limit") ? param_u64(request, "limit") : ROWS_MAX;
    bool sorted = param_given(request, "sort");
    struct wanted wanted = {.prefix = param_text(request, "prefix"),
                            .names = param_bool(request, "names"),
                            .limit = (uint32_t)max_u64(!sorted, min_u64(limit, ROWS_MAX))};
    int key = param_choice(request, "sort", order_names, ORDER_TABLE);
    uint32_t place = first_place(request);
    struct order order = {0};
    struct glob *match;
    struct buffer *out;

    if (key < 0 || !param_glob(request, "match", &match))
        return;
    wanted.match = match;
    if (sorted)
        order_init(&order, (enum order_key)key, wanted.limit);
    out = answer_begin(request);
    put_open(out, NULL, "{");
    put_open(out, "peers", "[");
    place =
        sorted ? put_sorted(request, &wanted, place, &order) : put_rows(request, &wanted, place);
    put_close(out, "]");
    if (sorted)
        put_conditions(out, &order);
    put_next(out, request->engine, place);
    put_close(out, "}");
    answer_end(request);
    order_clear(&order);
    glob_free(match);
}

void put_tally(struct buffer *out, const struct engine *engine, uint32_t begin)
{
    struct inspect_tally tally = {0};

    inspect_tally(engine, clock_us(CLOCK_MONOTONIC), begin, begin + PLACES_TALLY, &tally);
    put_open(out, NULL, "{");
    put_u64(out, "up", tally.up);
    put_u64(out, "gone", tally.gone);
    put_u64(out, "untold", tally.unreported);
    put_u64(out, "client", tally.client);
    put_u64(out, "server", tally.server);
    put_u64(out, "fixed", tally.fixed);
    put_u64(out, "disabled", tally.disabled);
    put_u64(out, "measured", tally.measured);
    put_u64(out, "silent", tally.silent);
    put_u64(out, "unseen", tally.unseen);
    put_u64(out, "moving", tally.moving);
    put_u64(out, "idle", tally.idle);
    put_u64(out, "watched", tally.watched);
    put_u64(out, "cooling", tally.cooling);
    put_u64(out, "held", tally.held);
    put_next(out, engine, begin + PLACES_TALLY);
    put_close(out, "}");
}

void answer_count(struct request *request)
{
    put_tally(answer_begin(request), request->engine, first_place(request));
    answer_end(request);
}

/* ---- names that were not quite right ---- */

struct candidates {
    const char *names[CANDIDATES_MAX];
    unsigned distances[CANDIDATES_MAX];
    size_t n;
    uint32_t count; /* also those that are not kept */
};

static void candidates_add(struct candidates *candidates, const char *name, unsigned distance)
{
    size_t place = candidates->n;

    candidates->count++;
    while (place && candidates->distances[place - 1] > distance)
        place--;
    if (place == CANDIDATES_MAX)
        return;
    if (candidates->n < CANDIDATES_MAX)
        candidates->n++;
    for (size_t i = candidates->n - 1; i > place; i--) {
        candidates->names[i] = candidates->names[i - 1];
        candidates->distances[i] = candidates->distances[i - 1];
    }
    candidates->names[place] = name;
    candidates->distances[place] = distance;
}

static void put_candidates(struct buffer *out, const char *name,
                           const struct candidates *candidates)
{
    put_open(out, name, "[");
    for (size_t i = 0; i < candidates->n; i++)
        put_text(out, NULL, candidates->names[i]);
    put_close(out, "]");
}

/* The members `begins`, `near` and `next`; returns how many begin with `word`. */
static void put_resolved(struct buffer *out, struct request *request, const char *word,
                         uint32_t place)
{
    struct candidates begins = {0}, near = {0};
    uint32_t end = place + PLACES_NAMES;
    size_t length = strlen(word);
    struct inspect_peer peer;

    while (request_goes_on(request) &&
           inspect_next(request->engine, request->now_us, &place, end, &peer)) {
        unsigned distance;

        if (!strncmp(word, peer.name, length)) {
            candidates_add(&begins, peer.name, 0);
            continue;
        }
        distance = edit_distance(word, peer.name);
        if (near_enough(length, distance))
            candidates_add(&near, peer.name, distance);
    }
    put_candidates(out, "begins", &begins);
    put_u64(out, "n_begins", begins.count);
    put_candidates(out, "near", &near);
    put_next(out, request->engine, place);
}

void answer_resolve(struct request *request)
{
    const char *name = param_text(request, "peer");
    uint32_t place = first_place(request);
    struct buffer *out = answer_begin(request);
    struct inspect_peer peer;

    put_open(out, NULL, "{");
    put_bool(out, "known", inspect_find(request->engine, request->now_us, name, &peer));
    put_resolved(out, request, name, place);
    put_close(out, "}");
    answer_end(request);
}

void answer_unknown_peer(struct request *request, const char *name)
{
    struct buffer *out = request->out;

    answer_error(request, ERROR_UNKNOWN_PEER,
                 "no peer \"%.255s\" is known; the method \"peers\" lists all names, \"data\" the "
                 "similar ones",
                 name);
    out->length -= 3; /* "}}\n": go on with the error */
    put_open(out, "data", "{");
    put_resolved(out, request, name, 0);
    buffer_text(out, "}}}\n");
}
