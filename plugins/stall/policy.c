/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stall: the path is dead. SRTT cannot see that: no acknowledgements, no
 * samples. So what counts is that something is outstanding and nothing comes; for how
 * long, pathdog says with each row. A peer that is suspected is looked at closely, and
 * any progress clears it.
 */
#include <inttypes.h>
#include <pathdog/trigger.h>
#include <stdio.h>

#include "stall.h"

enum option {
    OPTION_PTO_MULTIPLE,
    OPTION_MIN,
    OPTION_SILENCE,
    OPTION_MISSES,
    OPTION_STARVE,
    OPTION_IDLE_PATIENCE,
};

static const struct pd_option options[] = {
    [OPTION_PTO_MULTIPLE] = {"pto_multiple", PD_OPTION_INTEGER, "4", 1, 100,
                             "probe timeouts without progress before advice is given"},
    [OPTION_MIN] = {"min", PD_OPTION_TIME, "500ms", 1000, 600000000,
                    "the least time without progress before advice is given"},
    [OPTION_SILENCE] =
        {"silence", PD_OPTION_TIME, "8s", 1000, 3600000000,
         "no packet for longer than this, from a peer that the node sends to, is a miss"},
    [OPTION_MISSES] = {"misses", PD_OPTION_INTEGER, "3", 1, 1000,
                       "misses in a row before advice is given"},
    [OPTION_STARVE] = {"starve", PD_OPTION_TIME, "3s", 1000, 600000000,
                       "so long only small packets are acknowledged, and no data, before advice"},
    [OPTION_IDLE_PATIENCE] = {"idle_patience", PD_OPTION_TIME, "15s", 1000, 3600000000,
                              "so long nothing comes though a keep-alive waits, before advice"},
    {0},
};

/* Of data that waits it is said again after this at the latest: another port may go another way by
 * then (ECMP). */
#define AGAIN_MOST_US UINT64_C(30000000)
/* A suspect is looked at closely for this much longer than it takes to be sure. */
#define POLL_EXTRA_US 2000000u

/* Only with one of these a node can show progress at all. */
#define PROGRESS_COLUMNS (1u << PD_RTT_SAMPLES | 1u << PD_BYTES_RECEIVED | 1u << PD_SILENT_MS)

/* So that a healthy row, which needs none of it, saves no registers for it. */
#define OUT_OF_LINE __attribute__((noinline))

static int stall_start(struct pd_turn *turn, const struct pd_start *start)
{
    struct stall *stall = turn->self;

    stall->pto_multiple = start->values[OPTION_PTO_MULTIPLE].number;
    stall->min_us = start->values[OPTION_MIN].number;
    stall->silence_us = start->values[OPTION_SILENCE].number;
    stall->misses = (uint32_t)start->values[OPTION_MISSES].number;
    stall->starve_us = start->values[OPTION_STARVE].number;
    stall->idle_patience_us = start->values[OPTION_IDLE_PATIENCE].number;
    stall->spacing_us = start->sample_interval_us / 5 * 4;
    return 0;
}

/* A row that does not say it says nothing: the last that did still counts. */
static void take_sent(struct stall_peer *peer, const struct pd_row *row)
{
    if (row->v[PD_BYTES_SENT] != PD_UNKNOWN)
        peer->polled_bytes = (uint32_t)row->v[PD_BYTES_SENT];
}

static bool sent_more(const struct stall_peer *peer, const struct pd_row *row)
{
    return row->v[PD_BYTES_SENT] != PD_UNKNOWN &&
           (uint32_t)row->v[PD_BYTES_SENT] != peer->polled_bytes;
}

static void suspicion_end(struct pd_turn *turn, uint32_t index, struct stall_peer *peer)
{
    if (peer->suspect)
        turn->host->look(turn, index, 0);
    peer->suspect = false;
}

/* Something that must not wait; of an uplink that others left, a keep-alive too. */
static bool is_urgent(const struct pd_sample *sample)
{
    return sample->application || sample->deserted;
}

/*
 * The slower rule, for nodes that say little. Returns true if it fired. What was silent
 * while nothing was outstanding proves nothing: the silence must have lasted since we began to
 * send, too. And close looks do not make several misses out of one moment.
 */
static bool silence_counts(const struct pd_turn *turn, const struct pd_sample *sample, bool unacked,
                           uint64_t *ret_silence_us)
{
    const struct stall *stall = turn->self;
    struct stall_peer *peer = sample->state;
    bool sends = unacked || sent_more(peer, sample->row);
    uint64_t least_us = stall->silence_us;

    *ret_silence_us = sample->silent_us == PD_UNKNOWN ? sample->stalled_us : sample->silent_us;
    if (turn->now_us < peer->tick_us)
        return false;
    peer->tick_us = turn->now_us + stall->spacing_us;
    take_sent(peer, sample->row);
    if (!is_urgent(sample) && least_us < stall->idle_patience_us)
        least_us = stall->idle_patience_us;
    if (!sends || *ret_silence_us <= least_us) {
        peer->misses = 0;
        return false;
    }
    return ++peer->misses >= stall->misses;
}

static void suspicion_begin(struct pd_turn *turn, const struct pd_sample *sample)
{
    const struct stall *stall = turn->self;
    struct stall_peer *peer = sample->state;

    peer->suspect = true;
    peer->since_us = sample->outstanding_since_us;
    take_sent(peer, sample->row);
    peer->tick_us = turn->now_us + stall->silence_us;
    peer->misses = 0;
}

/* How long is enough: of data, of a keep-alive. */
static uint64_t enough_us(const struct stall *stall, const struct pd_sample *sample)
{
    uint64_t us = stall->pto_multiple * sample->pto_us;

    if (!is_urgent(sample))
        return stall->idle_patience_us;
    return us > stall->min_us ? us : stall->min_us;
}

/* From the last advice to the next; at first, from when something was outstanding. */
static uint64_t gap_us(const struct stall *stall, const struct pd_sample *sample)
{
    const struct stall_peer *peer = sample->state;
    uint64_t us = enough_us(stall, sample), most_us = us > AGAIN_MOST_US ? us : AGAIN_MOST_US;

    us <<= peer->fired;
    return is_urgent(sample) && us > most_us ? most_us : us;
}

/* Nothing came since the look before. */
OUT_OF_LINE static int stall_suspect(struct pd_turn *turn, const struct pd_sample *sample)
{
    const struct stall *stall = turn->self;
    const struct pd_row *row = sample->row;
    struct stall_peer *peer = sample->state;
    bool unacked = (row->v[PD_IN_FLIGHT_BYTES] != PD_UNKNOWN && row->v[PD_IN_FLIGHT_BYTES]) ||
                   (row->v[PD_PTO_COUNT] != PD_UNKNOWN && row->v[PD_PTO_COUNT]);
    uint64_t wait_us = gap_us(stall, sample), silence_us;

    if (!sample->outstanding_since_us) { /* an idle connection waits for an answer nothing */
        suspicion_end(turn, sample->peer->index, peer);
        take_sent(peer, row);
        return 0;
    }
    if (!peer->suspect)
        suspicion_begin(turn, sample);
    if (silence_counts(turn, sample, unacked, &silence_us))
        return stall_advise_silence(turn, sample, silence_us);
    if (is_urgent(sample))
        turn->host->look(turn, sample->peer->index, turn->now_us + wait_us + POLL_EXTRA_US);
    if (turn->now_us - peer->since_us < wait_us)
        return 0;
    if (sample->one_way) /* packets come: it is not silent */
        return stall_advise_one_way(turn, sample);
    if (sample->starved)
        return sample->starved_us < stall->starve_us ? 0 : stall_advise_starved(turn, sample);
    return stall_advise_silent(turn, sample, is_urgent(sample) ? PROOF_SILENT : PROOF_QUIET,
                               turn->now_us - peer->since_us);
}

/* ---- what one row proves by itself ---- */

/* RFC 9002 §6.2.1: each probe timeout lasts twice as long as the one before, so that two
 * of them have taken 3 PTO without an acknowledgement, and three have taken 7. */
#define PTO_SUSPICIOUS 1u
#define PTO_SILENT     2u
#define PTO_ONE_WAY    3u
/* Data that waits for so long is worth a closer look. */
#define SUSPICIOUS_PTOS 2u
#define STARVED_PTOS    6u

static bool timed_out(const struct pd_row *row, uint64_t times)
{
    return row->v[PD_PTO_COUNT] != PD_UNKNOWN && row->v[PD_PTO_COUNT] >= times &&
           row->v[PD_IN_FLIGHT_BYTES];
}

/* Where the node says since when its data waits, that is for how long nothing came; but for what
 * was on its way when the path died, which arrives up to a round trip after that data was sent.
 * Else two probe timeouts are. */
static bool is_silent(const struct pd_sample *sample, uint64_t enough_us)
{
    uint64_t rtt_us = sample->row->v[PD_SRTT_US];

    enough_us -= enough_us % 1000; /* ages are whole milliseconds */
    if (sample->silent_us == PD_UNKNOWN)
        return false;
    if (sample->application && sample->row->v[PD_UNACKED_MS] != PD_UNKNOWN)
        return sample->unacked_us >= enough_us &&
               sample->silent_us + (rtt_us == PD_UNKNOWN ? 0 : rtt_us) >= enough_us;
    return sample->silent_us >= enough_us && timed_out(sample->row, PTO_SILENT);
}

static bool is_starved(const struct stall *stall, const struct pd_sample *sample)
{
    uint64_t least_us = STARVED_PTOS * sample->pto_us;

    if (least_us < stall->starve_us)
        least_us = stall->starve_us;
    return sample->starved_us != PD_UNKNOWN && sample->starved_us >= least_us &&
           sample->unacked_us >= least_us;
}

static enum stall_proof prove(const struct stall *stall, const struct pd_sample *sample)
{
    bool acknowledged = sample->acknowledged || !(sample->columns & 1u << PD_RTT_SAMPLES);

    if (!is_urgent(sample))
        return PROOF_NONE;
    if (is_silent(sample, enough_us(stall, sample)))
        return PROOF_SILENT;
    if (sample->one_way || (!acknowledged && sample->application && sample->heard &&
                            timed_out(sample->row, PTO_ONE_WAY)))
        return PROOF_ONE_WAY;
    return is_starved(stall, sample) ? PROOF_STARVED : PROOF_NONE;
}

static bool is_suspicious(const struct pd_sample *sample)
{
    if (!is_urgent(sample))
        return false;
    if (sample->application && sample->row->v[PD_UNACKED_MS] != PD_UNKNOWN)
        return sample->unacked_us >= SUSPICIOUS_PTOS * sample->pto_us;
    return timed_out(sample->row, PTO_SUSPICIOUS);
}

/*
 * A row tells of all the time since the row before it: with rows each few seconds, something may
 * have come right after that one, and nothing since. Its own ages are newer. Of a suspicious row;
 * returns whether it is judged.
 */
OUT_OF_LINE static bool judge_at_sight(struct pd_turn *turn, const struct pd_sample *sample,
                                       int *ret_result)
{
    const struct stall *stall = turn->self;
    struct stall_peer *peer = sample->state;
    enum stall_proof proof;

    if (peer->fired && turn->now_us < peer->since_us + gap_us(stall, sample))
        return peer->sight;
    proof = prove(stall, sample);
    if (proof != PROOF_NONE) {
        peer->sight = true;
        *ret_result = proof == PROOF_SILENT
                          ? stall_advise_silent(turn, sample, proof, sample->silent_us)
                      : proof == PROOF_ONE_WAY ? stall_advise_one_way(turn, sample)
                                               : stall_advise_starved(turn, sample);
        return true;
    }
    if (sample->progress) /* ends the suspicion, and its close look with it: before the next one */
        suspicion_end(turn, sample->peer->index, peer);
    turn->host->look(turn, sample->peer->index,
                     turn->now_us + enough_us(stall, sample) + POLL_EXTRA_US);
    return false;
}

/* Progress; or the first look; or a move under way, which will be evaluated when it ends. */
static int stall_progress(struct pd_turn *turn, const struct pd_sample *sample)
{
    struct stall_peer *peer = sample->state;
    bool suspect = peer->suspect;

    if (!sample->in_flight || sample->progress)
        peer->fired = 0;
    peer->suspect = peer->sight = false;
    peer->misses = 0;
    peer->known = true;
    take_sent(peer, sample->row);
    if (suspect)
        turn->host->look(turn, sample->peer->index, 0);
    return 0;
}

static int stall_sample(struct pd_turn *turn, const struct pd_sample *sample)
{
    const struct stall_peer *peer = sample->state;
    int result = 0;

    if (!(sample->columns & PROGRESS_COLUMNS))
        return 0; /* nothing can be proven with these */
    if (!peer->known || sample->in_flight)
        return stall_progress(turn, sample);
    if (is_suspicious(sample) && judge_at_sight(turn, sample, &result))
        return result;
    return sample->progress ? stall_progress(turn, sample) : stall_suspect(turn, sample);
}

/* Another path, or the same one after a time when nobody looked: begins anew. */
static int stall_peer(struct pd_turn *turn, const struct pd_peer_event *event)
{
    struct stall_peer *peer = event->state;

    if (event->change != PD_PEER_PATH && event->change != PD_PEER_MIGRATED &&
        event->change != PD_PEER_TOLD)
        return 0;
    suspicion_end(turn, event->peer->index, peer);
    peer->misses = 0;
    return 0;
}

static int stall_report(const void *self, const struct pd_peer *who, const void *state,
                        uint64_t now_us, char *text, size_t size)
{
    const struct stall *stall = self;
    const struct stall_peer *peer = state;
    int n;

    (void)who;
    if (!peer->known)
        return snprintf(text, size, "no row yet");
    n = peer->suspect
            ? snprintf(text, size,
                       "suspect: something is outstanding, without progress for %" PRIu64 " ms",
                       (now_us - peer->since_us) / 1000)
        : peer->sight ? snprintf(text, size, "dead, as its rows prove")
                      : snprintf(text, size, "no suspicion");
    return n + snprintf(text + n, size - (size_t)n,
                        "; %u of %u misses of %" PRIu64
                        " ms; advised %s%u time%s since the last progress",
                        peer->misses, stall->misses, stall->silence_us / 1000,
                        peer->fired == STALL_DOUBLINGS_MAX ? "at least " : "", peer->fired,
                        peer->fired == 1 ? "" : "s");
}

PD_TRIGGER(stall) = {
    .abi = PD_TRIGGER_ABI,
    .size = sizeof(struct pd_trigger),
    .name = "stall",
    .summary = "the path is dead: data is outstanding, and nothing is received",
    .options = options,
    .instance_size = sizeof(struct stall),
    .peer_size = sizeof(struct stall_peer),
    .start = stall_start,
    .peer = stall_peer,
    .sample = stall_sample,
    .tell = stall_report,
    .finds_dead = true,
};
