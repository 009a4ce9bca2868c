/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jitter: the round trips vary too much. A trigger built outside of pathdog's tree,
 * with nothing but its installed headers: a start for one of your own.
 *
 * SRTT is a mean: a path for calls may have a good one, and be useless since each
 * packet takes another time. This one looks at the RTT's variation, and advises
 * `degraded` when that is too much on several samples in a row. It needs the column
 * rttvar_us, and rtt_samples to tell a new measure from an old one.
 *
 * Like every policy it is pure: it reads no clock, opens no descriptor, and has
 * no variable of its own but what it is given. So it can be replayed.
 */
#include <inttypes.h>
#include <pathdog/trigger.h>
#include <stdio.h>

/* ---- options: pathdog checks the config against this table ---- */

enum option {
    OPTION_THRESHOLD,
    OPTION_FRACTION,
    OPTION_STRIKES,
};

static const struct pd_option options[] = {
    [OPTION_THRESHOLD] = {"threshold", PD_OPTION_TIME, "30ms", 1, 3600000000,
                          "an RTT variation above this is a strike"},
    [OPTION_FRACTION] = {"fraction", PD_OPTION_FRACTION, "1/4", 1, 1000,
                         "where it is above this share of SRTT, too"},
    [OPTION_STRIKES] = {"strikes", PD_OPTION_INTEGER, "3", 1, 1000,
                        "samples in a row before advice is given"},
    {0},
};

/* ---- state: zeroed by pathdog, one of the instance and one of each peer ---- */

struct jitter {
    uint64_t threshold_us;
    uint64_t fraction_permille;
    uint32_t strikes;
};

struct jitter_peer {
    uint32_t strikes;
    bool known; /* there was a row that has the column */
};

/* ---- callbacks ---- */

static int jitter_start(struct pd_turn *turn, const struct pd_start *start)
{
    struct jitter *jitter = turn->self;

    jitter->threshold_us = start->values[OPTION_THRESHOLD].number;
    jitter->fraction_permille = start->values[OPTION_FRACTION].number;
    jitter->strikes = (uint32_t)start->values[OPTION_STRIKES].number;
    return 0;
}

static int jitter_advise(struct pd_turn *turn, uint32_t peer, uint64_t rttvar_us, uint64_t srtt_us)
{
    const struct jitter *jitter = turn->self;
    char reason[160];
    struct pd_field evidence[] = {
        {.name = "rttvar_us", .number = rttvar_us},
        {.name = "srtt_us", .number = srtt_us},
        {.name = "threshold_us", .number = jitter->threshold_us},
        {.name = "strikes", .number = jitter->strikes},
    };
    struct pd_advice advice = {
        .kind = PD_KIND_DEGRADED,
        .reason = reason,
        .evidence = evidence,
        .n_evidence = sizeof(evidence) / sizeof(evidence[0]),
    };

    snprintf(reason, sizeof(reason),
             "RTT varies by %" PRIu64 " ms at a mean of %" PRIu64 " ms, %" PRIu32
             " samples in a row",
             rttvar_us / 1000, srtt_us / 1000, jitter->strikes);
    return turn->host->advise(turn, peer, &advice);
}

static int jitter_sample(struct pd_turn *turn, const struct pd_sample *sample)
{
    const struct jitter *jitter = turn->self;
    struct jitter_peer *peer = sample->state;
    uint64_t rttvar_us = sample->row->v[PD_RTTVAR_US];
    uint64_t srtt_us = sample->row->v[PD_SRTT_US];

    if (rttvar_us == PD_UNKNOWN || srtt_us == PD_UNKNOWN)
        return 0;
    peer->known = true;
    /* Fast polls come faster than samples: they are not worth a strike each. And where nothing
     * was acknowledged since the last row, this is the old measure. */
    if (!sample->regular || !sample->fresh)
        return 0;
    if (rttvar_us <= jitter->threshold_us ||
        rttvar_us * 1000 <= srtt_us * jitter->fraction_permille) {
        peer->strikes = 0;
        return 0;
    }
    if (++peer->strikes < jitter->strikes)
        return 0;
    peer->strikes = 0;
    return jitter_advise(turn, sample->peer->index, rttvar_us, srtt_us);
}

/* What another path did says nothing of this one. */
static int jitter_peer(struct pd_turn *turn, const struct pd_peer_event *event)
{
    struct jitter_peer *peer = event->state;

    (void)turn;
    if (event->change == PD_PEER_PATH || event->change == PD_PEER_MIGRATED ||
        event->change == PD_PEER_MISSING)
        peer->strikes = 0;
    return 0;
}

/* For `pathdogctl explain`: how far it is from advice. Changes nothing. */
static int jitter_tell(const void *self, const struct pd_peer *who, const void *state,
                       uint64_t now_us, char *text, size_t size)
{
    const struct jitter *jitter = self;
    const struct jitter_peer *peer = state;

    (void)who;
    (void)now_us;
    if (!peer->known)
        return snprintf(text, size, "no row with rttvar_us and srtt_us yet");
    return snprintf(text, size,
                    "%" PRIu32 " of %" PRIu32 " strikes (RTT varies by more than %" PRIu64 " ms)",
                    peer->strikes, jitter->strikes, jitter->threshold_us / 1000);
}

/* ---- the one thing that is exported ---- */

PD_TRIGGER(jitter) = {
    .abi = PD_TRIGGER_ABI,
    .size = sizeof(struct pd_trigger),
    .name = "jitter", /* the file is jitter.so, its section [trigger:jitter] */
    .summary = "the round trips vary too much",
    .options = options,
    .instance_size = sizeof(struct jitter),
    .peer_size = sizeof(struct jitter_peer),
    .start = jitter_start,
    .peer = jitter_peer,
    .sample = jitter_sample,
    .tell = jitter_tell,
};
