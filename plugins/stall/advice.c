/* SPDX-License-Identifier: Apache-2.0 */
/* What is said of a path that is dead, with what proves it. */
#include <inttypes.h>
#include <stdio.h>

#include "stall.h"

static const char *const proof_names[] = {
    [PROOF_SILENT] = "silent",
    [PROOF_ONE_WAY] = "one-way",
    [PROOF_STARVED] = "starved",
    [PROOF_QUIET] = "quiet",
};

static void advised(struct pd_turn *turn, struct stall_peer *peer)
{
    if (peer->fired < STALL_DOUBLINGS_MAX)
        peer->fired++;
    peer->since_us = turn->now_us;
    peer->misses = 0;
}

int stall_advise_silent(struct pd_turn *turn, const struct pd_sample *sample,
                        enum stall_proof proof, uint64_t stalled_us)
{
    uint64_t in_flight = sample->row->v[PD_IN_FLIGHT_BYTES];
    char reason[160], bytes[64] = "";
    struct pd_field evidence[] = {
        {"proof", proof_names[proof], 0},
        {"stalled_us", NULL, stalled_us},
        {"pto_us", NULL, sample->pto_us},
        {"in_flight_bytes", NULL, in_flight},
    };
    struct pd_advice advice = {
        .kind = PD_KIND_DEAD,
        .reason = reason,
        .evidence = evidence,
        .n_evidence = in_flight == PD_UNKNOWN ? 3 : 4,
    };

    if (proof == PROOF_QUIET)
        snprintf(bytes, sizeof(bytes), ", only a keep-alive waits");
    else if (in_flight != PD_UNKNOWN)
        snprintf(bytes, sizeof(bytes), ", %" PRIu64 " bytes in flight", in_flight);
    snprintf(reason, sizeof(reason), "no progress for %" PRIu64 " ms (PTO %" PRIu64 " ms)%s",
             stalled_us / 1000, sample->pto_us / 1000, bytes);
    advised(turn, sample->state);
    return turn->host->advise(turn, sample->peer->index, &advice);
}

int stall_advise_one_way(struct pd_turn *turn, const struct pd_sample *sample)
{
    uint64_t pto_count = sample->row->v[PD_PTO_COUNT];
    char reason[160];
    struct pd_field evidence[] = {
        {"proof", proof_names[PROOF_ONE_WAY], 0},
        {"unacked_us", NULL, sample->unacked_us},
        {"pto_us", NULL, sample->pto_us},
        {"pto_count", NULL, pto_count},
    };
    struct pd_advice advice = {
        .kind = PD_KIND_DEAD,
        .reason = reason,
        .evidence = evidence,
        .n_evidence = pto_count == PD_UNKNOWN ? 3 : 4,
    };

    if (sample->one_way)
        snprintf(reason, sizeof(reason),
                 "packets arrive, but nothing is acknowledged for %" PRIu64 " ms (PTO %" PRIu64
                 " ms)",
                 sample->unacked_us / 1000, sample->pto_us / 1000);
    else
        snprintf(reason, sizeof(reason),
                 "packets arrive, but nothing is acknowledged: %" PRIu64 " probe timeouts in a row",
                 pto_count);
    advised(turn, sample->state);
    return turn->host->advise(turn, sample->peer->index, &advice);
}

int stall_advise_starved(struct pd_turn *turn, const struct pd_sample *sample)
{
    char reason[160];
    struct pd_field evidence[] = {
        {"proof", proof_names[PROOF_STARVED], 0},
        {"starved_us", NULL, sample->starved_us},
        {"unacked_us", NULL, sample->unacked_us},
        {"pto_us", NULL, sample->pto_us},
    };
    struct pd_advice advice = {
        .kind = PD_KIND_DEAD, .reason = reason, .evidence = evidence, .n_evidence = 4};

    snprintf(reason, sizeof(reason),
             "small packets are acknowledged, but no data for %" PRIu64
             " ms: large packets may be lost",
             sample->starved_us / 1000);
    advised(turn, sample->state);
    return turn->host->advise(turn, sample->peer->index, &advice);
}

int stall_advise_silence(struct pd_turn *turn, const struct pd_sample *sample, uint64_t silence_us)
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
             "nothing received for %" PRIu64 " ms though we send, %" PRIu32 " poll%s in a row",
             silence_us / 1000, stall->misses, stall->misses == 1 ? "" : "s");
    peer->misses = 0;
    return turn->host->advise(turn, sample->peer->index, &advice);
}
