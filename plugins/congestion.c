/* SPDX-License-Identifier: Apache-2.0 */
/*
 * congestion: the path carries far less than it did. The sender itself says
 * that it is congested, or its window is a fraction of what it was within the
 * last minutes. Says nothing of senders that do not fill their window.
 */
#include <inttypes.h>
#include <pathdog/trigger.h>
#include <stdio.h>
#include <string.h>

enum option {
    OPTION_FRACTION,
    OPTION_STRIKES,
};

static const struct pd_option options[] = {
    [OPTION_FRACTION] = {"cwnd_fraction", PD_OPTION_FRACTION, "1/4", 1, 1000,
                         "a window below this share of its own maximum is a strike"},
    [OPTION_STRIKES] = {"strikes", PD_OPTION_INTEGER, "3", 1, 1000,
                        "consecutive samples before advice is given"},
    {0},
};

/* The maximum is kept by the minute, for five and the one that runs. */
#define MINUTE_US 60000000u
#define MINUTES   6u

struct congestion {
    uint64_t fraction_permille;
    uint64_t minute_us; /* when the present minute began; it is the same for all rows of a turn */
    uint32_t strikes;
    uint16_t minute; /* its number, modulo 2^16 */
    uint16_t place;  /* its place in `most` */
};

struct congestion_peer {
    uint32_t most[MINUTES];
    uint16_t minute; /* the newest of `most`; one that has no row for 45 days may err by it */
    uint16_t strikes;
};

static int congestion_start(struct pd_turn *turn, const struct pd_start *start)
{
    struct congestion *congestion = turn->self;

    congestion->fraction_permille = start->values[OPTION_FRACTION].number;
    congestion->strikes = (uint32_t)start->values[OPTION_STRIKES].number;
    return 0;
}

static void minute_take(struct congestion *congestion, uint64_t now_us)
{
    uint64_t minute = now_us / MINUTE_US;

    congestion->minute_us = minute * MINUTE_US;
    congestion->minute = (uint16_t)minute;
    congestion->place = (uint16_t)(minute % MINUTES);
}

/* The first row of a minute: those that passed meanwhile, and this one, begin with none. */
static void minute_begin(const struct congestion *congestion, struct congestion_peer *peer)
{
    uint16_t passed = (uint16_t)(congestion->minute - peer->minute);

    if (passed >= MINUTES)
        memset(peer->most, 0, sizeof(peer->most));
    else
        for (unsigned i = 0; i < passed; i++)
            peer->most[(congestion->place + MINUTES - i) % MINUTES] = 0;
    peer->minute = congestion->minute;
}

/* Takes the window into its minute. */
static void cwnd_take(struct congestion *congestion, struct congestion_peer *peer, uint64_t cwnd,
                      uint64_t now_us)
{
    uint32_t *most;

    if (now_us - congestion->minute_us >= MINUTE_US)
        minute_take(congestion, now_us);
    if (peer->minute != congestion->minute)
        minute_begin(congestion, peer);
    most = &peer->most[congestion->place];
    if (cwnd != PD_UNKNOWN && cwnd > *most)
        *most = cwnd < UINT32_MAX ? (uint32_t)cwnd : UINT32_MAX;
}

/* The greatest of the last five minutes. */
static uint64_t cwnd_most(const struct congestion_peer *peer)
{
    uint32_t most = 0;

    for (size_t i = 0; i < MINUTES; i++)
        if (peer->most[i] > most)
            most = peer->most[i];
    return most;
}

static int congestion_advise(struct pd_turn *turn, const struct pd_sample *sample, bool small,
                             uint64_t most)
{
    const struct congestion *congestion = turn->self;
    uint64_t cwnd = sample->row->v[PD_CWND_BYTES];
    char reason[160];
    struct pd_field evidence[] = {
        {"strikes", NULL, congestion->strikes},
        {"congested", NULL, sample->row->v[PD_CONGESTED] == 1},
        {"cwnd_bytes", NULL, cwnd},
        {"cwnd_max_bytes", NULL, most},
    };
    struct pd_advice advice = {
        .kind = PD_KIND_DEGRADED,
        .reason = reason,
        .evidence = evidence,
        .n_evidence = cwnd == PD_UNKNOWN ? 2 : 4,
    };

    if (small)
        snprintf(reason, sizeof(reason),
                 "window %" PRIu64 " bytes, below %" PRIu64 "/1000 of %" PRIu64 ", %" PRIu32
                 " samples in a row",
                 cwnd, congestion->fraction_permille, most, congestion->strikes);
    else
        snprintf(reason, sizeof(reason), "congested, %" PRIu32 " samples in a row",
                 congestion->strikes);
    return turn->host->advise(turn, sample->peer->index, &advice);
}

static int congestion_sample(struct pd_turn *turn, const struct pd_sample *sample)
{
    struct congestion *congestion = turn->self;
    struct congestion_peer *peer = sample->state;
    uint64_t cwnd = sample->row->v[PD_CWND_BYTES], most;
    uint64_t in_flight = sample->row->v[PD_IN_FLIGHT_BYTES];
    bool small;

    if (!sample->regular)
        return 0;
    cwnd_take(congestion, peer, cwnd, turn->now_us);
    if (!sample->fresh)
        return 0;
    /* A sender that has nothing to send says nothing of the path. */
    if (cwnd != PD_UNKNOWN && in_flight != PD_UNKNOWN && in_flight < cwnd / 2)
        return 0;
    most = cwnd_most(peer);
    small = cwnd != PD_UNKNOWN && cwnd < most * congestion->fraction_permille / 1000;
    if (!small && sample->row->v[PD_CONGESTED] != 1) {
        peer->strikes = 0;
        return 0;
    }
    if (++peer->strikes < congestion->strikes)
        return 0;
    peer->strikes = 0;
    return congestion_advise(turn, sample, small, most);
}

static int congestion_peer(struct pd_turn *turn, const struct pd_peer_event *event)
{
    struct congestion_peer *peer = event->state;

    (void)turn;
    if (event->change == PD_PEER_PATH || event->change == PD_PEER_MIGRATED) {
        peer->strikes = 0;
        memset(peer->most, 0, sizeof(peer->most)); /* of another path */
    } else if (event->change == PD_PEER_MISSING) {
        peer->strikes = 0;
    }
    return 0;
}

static int congestion_report(const void *self, const struct pd_peer *who, const void *state,
                             uint64_t now_us, char *text, size_t size)
{
    const struct congestion *congestion = self;
    const struct congestion_peer *peer = state;

    (void)who;
    (void)now_us;
    return snprintf(text, size,
                    "%u of %u strikes (congested, or a window below %u/1000 of its maximum)",
                    (unsigned)peer->strikes, (unsigned)congestion->strikes,
                    (unsigned)congestion->fraction_permille);
}

PD_TRIGGER(congestion) = {
    .abi = PD_TRIGGER_ABI,
    .size = sizeof(struct pd_trigger),
    .name = "congestion",
    .summary = "the path carries far less than it did",
    .options = options,
    .instance_size = sizeof(struct congestion),
    .peer_size = sizeof(struct congestion_peer),
    .start = congestion_start,
    .peer = congestion_peer,
    .sample = congestion_sample,
    .tell = congestion_report,
};
