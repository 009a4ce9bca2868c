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

enum option {
    OPTION_PTO_MULTIPLE,
    OPTION_MIN,
    OPTION_SILENCE,
    OPTION_MISSES,
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
    {0},
};

/* RFC 9002 §6.2.2: what to go by before the first RTT sample. */
#define INITIAL_RTT_US 333000u
/* RFC 9002 §6.1.2 and RFC 9000 §18.2: timer granularity, the peer's max_ack_delay. */
#define GRANULARITY_US   1000u
#define MAX_ACK_DELAY_US 25000u
/* A path that stays dead is said again, each time after twice as long, up to 2^this. */
#define DOUBLINGS_MAX 6u
/* A suspect is looked at closely for this much longer than it takes to be sure. */
#define POLL_EXTRA_US 2000000u

/* Only with one of these a node can show progress at all. */
#define PROGRESS_COLUMNS (1u << PD_RTT_SAMPLES | 1u << PD_BYTES_RECEIVED | 1u << PD_SILENT_MS)

struct stall {
    uint64_t pto_multiple, min_us, silence_us;
    uint64_t spacing_us; /* between two rows that may be a miss */
    uint32_t misses;
};

struct stall_peer {
    uint64_t since_us;     /* what the time is counted from: outstanding since, or advised */
    uint64_t tick_us;      /* under suspicion: no row before this is a miss */
    uint32_t polled_bytes; /* sent at the poll before; under suspicion at the last tick. Modulo
                            * 2^32: whether there are more is what matters */
    uint16_t misses;
    uint8_t fired;    /* since the last progress */
    bool suspect : 1; /* something is outstanding, and nothing comes */
    bool known : 1;   /* there was a row */
    bool sight : 1;   /* advised by what one row proved by itself */
};

static int stall_start(struct pd_turn *turn, const struct pd_start *start)
{
    struct stall *stall = turn->self;

    stall->pto_multiple = start->values[OPTION_PTO_MULTIPLE].number;
    stall->min_us = start->values[OPTION_MIN].number;
    stall->silence_us = start->values[OPTION_SILENCE].number;
    stall->misses = (uint32_t)start->values[OPTION_MISSES].number;
    stall->spacing_us = start->sample_interval_us / 5 * 4;
    return 0;
}

static uint64_t pto_of(const struct pd_row *row)
{
    uint64_t srtt_us = row->v[PD_SRTT_US], rttvar_us = row->v[PD_RTTVAR_US];

    if (srtt_us == PD_UNKNOWN)
        srtt_us = INITIAL_RTT_US;
    if (rttvar_us == PD_UNKNOWN)
        rttvar_us = srtt_us / 2;
    rttvar_us = rttvar_us * 4 > GRANULARITY_US ? rttvar_us * 4 : GRANULARITY_US;
    return srtt_us + rttvar_us + MAX_ACK_DELAY_US;
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

static int stall_advise(struct pd_turn *turn, const struct pd_sample *sample, uint64_t stalled_us,
                        uint64_t pto_us)
{
    struct stall_peer *peer = sample->state;
    uint64_t in_flight = sample->row->v[PD_IN_FLIGHT_BYTES];
    char reason[160], bytes[64] = "";
    struct pd_field evidence[] = {
        {"stalled_us", NULL, stalled_us},
        {"pto_us", NULL, pto_us},
        {"in_flight_bytes", NULL, in_flight},
    };
    struct pd_advice advice = {
        .kind = PD_KIND_DEAD,
        .reason = reason,
        .evidence = evidence,
        .n_evidence = in_flight == PD_UNKNOWN ? 2 : 3,
    };

    if (in_flight != PD_UNKNOWN)
        snprintf(bytes, sizeof(bytes), ", %" PRIu64 " bytes in flight", in_flight);
    snprintf(reason, sizeof(reason), "no progress for %" PRIu64 " ms (PTO %" PRIu64 " ms)%s",
             stalled_us / 1000, pto_us / 1000, bytes);
    if (peer->fired < DOUBLINGS_MAX)
        peer->fired++;
    peer->since_us = turn->now_us;
    peer->misses = 0;
    return turn->host->advise(turn, sample->peer->index, &advice);
}

static int silence_advise(struct pd_turn *turn, const struct pd_sample *sample, uint64_t silence_us)
{
    const struct stall *stall = turn->self;
    struct stall_peer *peer = sample->state;
    char reason[120];
    struct pd_field evidence[] = {
        {"silence_us", NULL, silence_us},
        {"misses", NULL, stall->misses},
    };
    struct pd_advice advice = {
        .kind = PD_KIND_DEAD, .reason = reason, .evidence = evidence, .n_evidence = 2};

    snprintf(reason, sizeof(reason),
             "nothing received for %" PRIu64 " ms though we send, %" PRIu32 " looks in a row",
             silence_us / 1000, stall->misses);
    peer->misses = 0;
    return turn->host->advise(turn, sample->peer->index, &advice);
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

    *ret_silence_us = sample->silent_us == PD_UNKNOWN ? sample->stalled_us : sample->silent_us;
    if (turn->now_us < peer->tick_us)
        return false;
    peer->tick_us = turn->now_us + stall->spacing_us;
    take_sent(peer, sample->row);
    if (!sends || *ret_silence_us <= stall->silence_us) {
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

/* Nothing came since the look before. */
static int stall_suspect(struct pd_turn *turn, const struct pd_sample *sample)
{
    const struct stall *stall = turn->self;
    const struct pd_row *row = sample->row;
    struct stall_peer *peer = sample->state;
    bool unacked = (row->v[PD_IN_FLIGHT_BYTES] != PD_UNKNOWN && row->v[PD_IN_FLIGHT_BYTES]) ||
                   (row->v[PD_PTO_COUNT] != PD_UNKNOWN && row->v[PD_PTO_COUNT]);
    uint64_t pto_us = pto_of(row), enough_us = stall->pto_multiple * pto_us, silence_us;

    if (!sample->outstanding_since_us) { /* an idle connection waits for an answer nothing */
        suspicion_end(turn, sample->peer->index, peer);
        take_sent(peer, row);
        return 0;
    }
    if (!peer->suspect)
        suspicion_begin(turn, sample);
    if (silence_counts(turn, sample, unacked, &silence_us))
        return silence_advise(turn, sample, silence_us);
    enough_us = (enough_us > stall->min_us ? enough_us : stall->min_us) << peer->fired;
    turn->host->look(turn, sample->peer->index, turn->now_us + enough_us + POLL_EXTRA_US);
    if (turn->now_us - peer->since_us < enough_us)
        return 0;
    return stall_advise(turn, sample, turn->now_us - peer->since_us, pto_us);
}

/* ---- what one row proves by itself ---- */

/* RFC 9002 §6.2.1: each probe timeout lasts twice as long as the one before, so that two
 * of them have taken 3 PTO without an acknowledgement, and three have taken 7. */
#define PTO_SUSPICIOUS 1u
#define PTO_SILENT     2u
#define PTO_ONE_WAY    3u

static bool timed_out(const struct pd_row *row, uint64_t times)
{
    return row->v[PD_PTO_COUNT] != PD_UNKNOWN && row->v[PD_PTO_COUNT] >= times &&
           row->v[PD_IN_FLIGHT_BYTES];
}

static int one_way_advise(struct pd_turn *turn, const struct pd_sample *sample)
{
    struct stall_peer *peer = sample->state;
    uint64_t pto_count = sample->row->v[PD_PTO_COUNT];
    char reason[160];
    struct pd_field evidence[] = {
        {"pto_count", NULL, pto_count},
        {"pto_us", NULL, pto_of(sample->row)},
    };
    struct pd_advice advice = {
        .kind = PD_KIND_DEAD, .reason = reason, .evidence = evidence, .n_evidence = 2};

    snprintf(reason, sizeof(reason),
             "packets arrive, but nothing is acknowledged: %" PRIu64 " probe timeouts in a row",
             pto_count);
    if (peer->fired < DOUBLINGS_MAX)
        peer->fired++;
    peer->since_us = turn->now_us;
    return turn->host->advise(turn, sample->peer->index, &advice);
}

/*
 * A row tells of all the time since the row before it: with rows each few seconds, something may
 * have come right after that one, and nothing since. Its own ages are newer. Returns whether the
 * row is judged.
 */
static bool judge_at_sight(struct pd_turn *turn, const struct pd_sample *sample, int *ret_result)
{
    const struct stall *stall = turn->self;
    struct stall_peer *peer = sample->state;
    uint64_t pto_us = pto_of(sample->row), enough_us = stall->pto_multiple * pto_us;
    bool acknowledged = sample->fresh || !(sample->columns & 1u << PD_RTT_SAMPLES);

    if (!peer->known || sample->in_flight || !timed_out(sample->row, PTO_SUSPICIOUS))
        return false;
    enough_us = enough_us > stall->min_us ? enough_us : stall->min_us;
    if (peer->fired && turn->now_us < peer->since_us + (enough_us << peer->fired))
        return peer->sight;
    if (sample->silent_us != PD_UNKNOWN && sample->silent_us >= enough_us &&
        timed_out(sample->row, PTO_SILENT)) {
        peer->sight = true;
        *ret_result = stall_advise(turn, sample, sample->silent_us, pto_us);
        return true;
    }
    if (!acknowledged && sample->heard && timed_out(sample->row, PTO_ONE_WAY)) {
        peer->sight = true;
        *ret_result = one_way_advise(turn, sample);
        return true;
    }
    if (sample->progress) /* ends the suspicion, and its close look with it: before the next one */
        suspicion_end(turn, sample->peer->index, peer);
    turn->host->look(turn, sample->peer->index, turn->now_us + enough_us + POLL_EXTRA_US);
    return false;
}

static int stall_sample(struct pd_turn *turn, const struct pd_sample *sample)
{
    struct stall_peer *peer = sample->state;
    int result = 0;

    if (!(sample->columns & PROGRESS_COLUMNS))
        return 0; /* nothing can be proven with these */
    if (judge_at_sight(turn, sample, &result))
        return result;
    if (peer->known && !sample->progress && !sample->in_flight)
        return stall_suspect(turn, sample);
    /* Progress; or the first look; or a move under way, which will be evaluated when it ends. */
    suspicion_end(turn, sample->peer->index, peer);
    if (!sample->in_flight || sample->progress)
        peer->fired = 0;
    peer->sight = false;
    peer->misses = 0;
    peer->known = true;
    take_sent(peer, sample->row);
    return 0;
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
                       "suspect: data is outstanding, and nothing was received for %" PRIu64 " ms",
                       (now_us - peer->since_us) / 1000)
            : snprintf(text, size, "no suspicion");
    return n + snprintf(text + n, size - (size_t)n,
                        "; %u of %u misses of %" PRIu64
                        " ms; advised %u times since the last progress",
                        peer->misses, stall->misses, stall->silence_us / 1000, peer->fired);
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
