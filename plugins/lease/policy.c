/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lease: the relay will cut the circuit. Relays end a circuit after a time or a number of
 * bytes; the connection is to leave before.
 *
 *   meter.c   how many bytes went over this relay, and how fast
 *   term.c    what is left of the limits, and when the first of them is reached
 *   target.c  where to
 *   text.c    the same in words
 *   saved.c   what is known of a circuit across a restart of pathdog
 *
 * A circuit is what has the limits: it begins when a connection comes onto a relay, and when the
 * relay gives it a new one.
 */
#include "policy.h"

#include "text.h"

#include "util/hash.h"
#include "util/util.h"

#include <inttypes.h>
#include <stdio.h>

enum option {
    OPTION_MAX_DATA,
    OPTION_MAX_DURATION,
    OPTION_RELAYS,
    OPTION_LEAD,
    OPTION_REPEAT,
    OPTION_STAY,
};

static const struct pd_option options[] = {
    [OPTION_MAX_DATA] = {"max_data", PD_OPTION_SIZE, "0", 0, UINT64_C(1) << 50,
                         "bytes that a relay passes in each direction, where the node does not "
                         "say what is left; 0: no limit"},
    [OPTION_MAX_DURATION] = {"max_duration", PD_OPTION_TIME, "0", 0, UINT64_C(2592000000000),
                             "the time after which a relay ends a circuit, where the node does not "
                             "say what is left; 0: no limit"},
    [OPTION_RELAYS] = {"relays", PD_OPTION_GLOBS, "*", 0, 0, "the relays that have these limits"},
    [OPTION_LEAD] = {"lead", PD_OPTION_TIME, "15s", 1000000, UINT64_C(600000000),
                     "a connection is to leave when its relay would end it sooner than this"},
    [OPTION_REPEAT] = {"repeat", PD_OPTION_TIME, "5s", 1000000, UINT64_C(600000000),
                       "the time after which it is advised again, to the next place, while the "
                       "connection is still there"},
    [OPTION_STAY] = {"stay", PD_OPTION_BOOLEAN, "no", 0, 0,
                     "a new circuit on the same relay comes before other relays"},
    {0},
};

/* Late advice waits for 2 to the power of this times `repeat` at most. */
#define LATE_MAX 6u

/* ---- circuits ---- */

/* The relay in use; NULL: none, or not told. */
static const char *relay_of(const struct pd_peer *peer)
{
    const char *via = peer->path->via;

    return via && strcmp(via, "direct") != 0 ? via : NULL;
}

static uint32_t name_hash(const char *relay)
{
    uint32_t hash;

    if (!relay)
        return 0;
    hash = (uint32_t)hash_text(HASH_START, relay);
    return hash ? hash : 1;
}

static void look(struct pd_turn *turn, uint32_t index, struct lease_peer *peer, uint64_t until_us)
{
    if (until_us || peer->looked)
        turn->host->look(turn, index, until_us);
    peer->looked = until_us > 0;
}

static void circuit_begin(struct pd_turn *turn, const struct pd_peer *who, struct lease_peer *peer)
{
    const struct lease *lease = turn->self;
    const char *relay = relay_of(who);

    if (peer->attempts)
        turn->host->withdraw(turn, who->index);
    peer->asked = peer->attempts > 0;
    peer->lead_ms = (uint32_t)lease->lead_ms;
    look(turn, who->index, peer, 0);
    lease_meter_restart(&peer->sent);
    lease_meter_restart(&peer->received);
    peer->relay = name_hash(relay);
    peer->limited = relay && globs_match(lease->limited, relay);
    peer->since_us = turn->now_us;
    peer->ends_us = 0;
    peer->attempts = peer->late = 0;
}

/* Did the request lead to a new circuit on the relay in use? */
static bool is_renewal(const struct lease *lease, const struct pd_peer_event *event)
{
    const struct lease_peer *peer = event->state;
    const char *relay = relay_of(event->peer);

    if (event->change != PD_PEER_MIGRATED)
        return false;
    if (relay && lease->relays.obeys)
        return event->via && !strcmp(event->via, relay);
    return peer->attempts; /* it was asked for without a name */
}

static int lease_peer(struct pd_turn *turn, const struct pd_peer_event *event)
{
    const struct lease *lease = turn->self;
    struct lease_peer *peer = event->state;

    switch (event->change) {
    case PD_PEER_UP:
        peer->left = (struct lease_left){PD_UNKNOWN, PD_UNKNOWN, PD_UNKNOWN};
        circuit_begin(turn, event->peer, peer);
        break;
    case PD_PEER_TOLD:
    case PD_PEER_PATH:
    case PD_PEER_MIGRATED:
        if (name_hash(relay_of(event->peer)) == peer->relay && !is_renewal(lease, event))
            break;
        /* Its rows may be about the old one until the node knows of the new one. A node that does
         * not obey `via` has done what it can. */
        if (!lease_unlimited(&peer->left))
            peer->next_us =
                turn->now_us + (lease->repeat_us << (lease->relays.obeys ? 0 : LATE_MAX));
        circuit_begin(turn, event->peer, peer);
        break;
    case PD_PEER_MISSING:
    case PD_PEER_DOWN:
        break;
    }
    return 0;
}

/* ---- advice ---- */

static const char *const end_names[LEASE_END_COUNT] = {"time", "sent", "received"};

static int advise(struct pd_turn *turn, const struct pd_sample *sample,
                  const struct lease_term *term, const char *target)
{
    struct lease_peer *peer = sample->state;
    const char *relay = relay_of(sample->peer);
    bool time = term->end == LEASE_END_TIME, sent = term->end == LEASE_END_SENT;
    uint64_t rate = sent ? peer->sent.rate : peer->received.rate;
    char reason[LEASE_REASON_SIZE];
    struct pd_field evidence[7];
    struct pd_advice advice = {
        .kind = PD_KIND_MOVED, .reason = reason, .evidence = evidence, .via = target};
    size_t n = 0;

    lease_reason(reason, term, &peer->left, rate, relay, target);
    if (relay)
        evidence[n++] = (struct pd_field){"relay", relay, 0};
    if (target)
        evidence[n++] = (struct pd_field){"to", target, 0};
    evidence[n++] = (struct pd_field){"limit", end_names[term->end], 0};
    evidence[n++] = (struct pd_field){"eta_ms", NULL, term->eta_ms};
    if (!time) {
        evidence[n++] =
            (struct pd_field){"left_bytes", NULL, sent ? peer->left.sent : peer->left.received};
        evidence[n++] = (struct pd_field){"bytes_per_s", NULL, rate};
    }
    evidence[n++] = (struct pd_field){"attempt", NULL, peer->attempts + 1u};
    advice.n_evidence = n;
    return turn->host->advise(turn, sample->peer->index, &advice);
}

/* The end is nearer than `lead`. */
static int leave(struct pd_turn *turn, const struct pd_sample *sample,
                 const struct lease_term *term)
{
    const struct lease *lease = turn->self;
    struct lease_peer *peer = sample->state;
    const char *relay = relay_of(sample->peer);
    const char *target = lease_target(&lease->relays, relay, lease->stay, peer->attempts);
    uint32_t index = sample->peer->index;
    int r;

    if (turn->now_us < peer->next_us)
        return 0;
    if (peer->attempts) {
        /* What was said still holds. An open request is taken back for another place only. */
        if (turn->host->waits(turn, index) ||
            (sample->in_flight &&
             string_equal(target,
                          lease_target(&lease->relays, relay, lease->stay, peer->attempts - 1u))))
            return 0;
    }
    r = advise(turn, sample, term, target);
    peer->next_us = turn->now_us + (lease->repeat_us << peer->late);
    peer->attempts += peer->attempts < UINT8_MAX;
    peer->late += !term->eta_ms && peer->late < LATE_MAX;
    look(turn, index, peer, turn->now_us + peer->lead_ms * UINT64_C(1000));
    return r;
}

/* The end is further away, or there is none. */
static void stay(struct pd_turn *turn, const struct pd_sample *sample,
                 const struct lease_term *term)
{
    const struct lease *lease = turn->self;
    struct lease_peer *peer = sample->state;
    uint32_t index = sample->peer->index;

    if (peer->attempts && term->eta_ms / 2 >= peer->lead_ms) {
        turn->host->withdraw(turn, index);
        peer->attempts = peer->late = 0;
    }
    /* The next regular row would come when little of `lead` is left. */
    if (term->eta_ms < lease->interval_us / 1000 + peer->lead_ms / 3)
        look(turn, index, peer, turn->now_us + term->eta_ms * 1000);
    /* How fast it sends is not known yet. */
    else if (!peer->ends_us && (peer->left.sent != PD_UNKNOWN || peer->left.received != PD_UNKNOWN))
        look(turn, index, peer, turn->now_us + 2 * LEASE_WINDOW_US);
}

/* ---- rows ---- */

#define LEASE_BYTES                                                                                \
    (1u << PD_LEASE_SENT_BYTES | 1u << PD_LEASE_RECEIVED_BYTES | 1u << PD_LEASE_BYTES)

static OUT_OF_LINE void columns_missing(struct pd_turn *turn, uint32_t columns)
{
    struct lease *lease = turn->self;
    bool sent = columns & 1u << PD_BYTES_SENT, received = columns & 1u << PD_BYTES_RECEIVED;
    char text[192];

    if (lease->noticed)
        return;
    lease->noticed = true;
    snprintf(text, sizeof(text),
             "the node reports no %s%s%s: how fast a relay's limit of bytes is used up is not "
             "known, and no connection leaves before it is reached",
             sent ? "" : "bytes_sent", sent || received ? "" : " and no ",
             received ? "" : "bytes_received");
    turn->host->notice(turn, PD_LEVEL_NOTICE, "lease-columns", text);
}

/*
 * The first row of a new circuit, which ends in `eta_ms`. One that this trigger asked for is not
 * left at once, however short it is: half of it is used.
 */
static void circuit_seen(const struct lease *lease, struct lease_peer *peer, uint64_t eta_ms)
{
    if (peer->asked || peer->attempts)
        peer->lead_ms = (uint32_t)min_u64(lease->lead_ms, eta_ms / 2);
    peer->asked = false;
    peer->attempts = peer->late = 0;
    peer->next_us = 0;
}

/* Of one that is on a relay, or may be. */
static OUT_OF_LINE int relayed(struct pd_turn *turn, const struct pd_sample *sample)
{
    static const struct lease_limits none;
    const struct lease *lease = turn->self;
    struct lease_peer *peer = sample->state;
    const struct lease_limits *limits = peer->limited ? &lease->limits : &none;
    struct lease_left left =
        lease_left(sample->row, limits, turn->now_us, peer->since_us, &peer->sent, &peer->received);
    struct lease_term term =
        lease_term(sample->row, limits, &left, turn->now_us, &peer->sent, &peer->received);
    int r = 0;

    if (lease_renewed(&peer->left, sample->last_look_us, &left, turn->now_us))
        circuit_seen(lease, peer, term.eta_ms);
    if ((left.sent != PD_UNKNOWN || left.received != PD_UNKNOWN) &&
        !(sample->columns & 1u << PD_BYTES_SENT && sample->columns & 1u << PD_BYTES_RECEIVED))
        columns_missing(turn, sample->columns);
    peer->left = left;
    peer->row_us = turn->now_us;
    if (term.eta_ms < peer->lead_ms)
        r = leave(turn, sample, &term);
    else
        stay(turn, sample, &term);
    peer->ends_us = term.eta_ms == PD_UNKNOWN ? PD_UNKNOWN : turn->now_us + term.eta_ms * 1000;
    return r;
}

static int lease_sample(struct pd_turn *turn, const struct pd_sample *sample)
{
    const struct lease *lease = turn->self;
    struct lease_peer *peer = sample->state;
    const struct pd_row *row = sample->row;

    lease_meter_row(&peer->sent, turn->now_us, row->v[PD_BYTES_SENT], lease->limits.data);
    lease_meter_row(&peer->received, turn->now_us, row->v[PD_BYTES_RECEIVED], lease->limits.data);
    if (!peer->relay &&
        (sample->peer->path->via || !(sample->columns & (LEASE_BYTES | 1u << PD_LEASE_MS))))
        return 0;
    return relayed(turn, sample);
}

static int lease_relays(struct pd_turn *turn, const struct pd_relays *relays)
{
    struct lease *lease = turn->self;

    lease_relays_take(&lease->relays, relays);
    return 0;
}

/* Another node may report other columns. */
static int lease_node(struct pd_turn *turn, const struct pd_node_event *event)
{
    struct lease *lease = turn->self;

    (void)event;
    lease->noticed = false;
    return 0;
}

/* ---- an instance ---- */

static int lease_start(struct pd_turn *turn, const struct pd_start *start)
{
    struct lease *lease = turn->self;
    const struct pd_value *values = start->values;

    lease->limits.data = values[OPTION_MAX_DATA].number;
    lease->limits.duration_us = values[OPTION_MAX_DURATION].number;
    lease->limited = globs_new(values[OPTION_RELAYS].text);
    lease->lead_ms = values[OPTION_LEAD].number / 1000;
    lease->repeat_us = values[OPTION_REPEAT].number;
    lease->interval_us = start->sample_interval_us;
    lease->stay = values[OPTION_STAY].number;
    return 0;
}

static void lease_stop(struct pd_turn *turn)
{
    struct lease *lease = turn->self;

    lease->limited = globs_free(lease->limited);
}

static int lease_tell(const void *self, const struct pd_peer *who, const void *state,
                      uint64_t now_us, char *text, size_t size)
{
    const struct lease_peer *peer = state;
    const char *relay = relay_of(who);

    (void)self;
    if (!peer->ends_us && relay)
        return snprintf(text, size, "no row since the connection is on relay %.255s", relay);
    if (!peer->ends_us)
        return snprintf(text, size, who->path->via ? "on no relay" : "the node tells of no relay");
    return lease_report(text, size, &peer->left,
                        peer->ends_us == PD_UNKNOWN ? PD_UNKNOWN
                                                    : sub_u64(peer->ends_us, now_us) / 1000,
                        relay, now_us);
}

/* As of the last row. */
static bool lease_tell_relayed(const void *self, const struct pd_peer *who, const void *state,
                               struct pd_relayed_report *ret)
{
    const struct lease_peer *peer = state;

    (void)self;
    if (!relay_of(who) || !peer->ends_us)
        return false;
    if (peer->left.cut_us != PD_UNKNOWN)
        ret->lease_ms = sub_u64(peer->left.cut_us, peer->row_us) / 1000;
    ret->lease_sent_bytes = peer->left.sent;
    ret->lease_received_bytes = peer->left.received;
    return true;
}

PD_TRIGGER(lease) = {
    .abi = PD_TRIGGER_ABI,
    .size = sizeof(struct pd_trigger),
    .name = "lease",
    .summary = "the relay will cut the circuit: leave before",
    .options = options,
    .instance_size = sizeof(struct lease),
    .peer_size = sizeof(struct lease_peer),
    .start = lease_start,
    .stop = lease_stop,
    .node = lease_node,
    .peer = lease_peer,
    .sample = lease_sample,
    .save = lease_save,
    .restore = lease_restore,
    .tell = lease_tell,
    .relays = lease_relays,
    .tell_relayed = lease_tell_relayed,
};
