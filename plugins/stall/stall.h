/* SPDX-License-Identifier: Apache-2.0 */
#ifndef STALL_STALL_H
#define STALL_STALL_H

#include <pathdog/trigger.h>

/* A path that stays dead is said again, each time after twice as long, up to 2^this. */
#define STALL_DOUBLINGS_MAX 6u

struct stall {
    uint64_t pto_multiple, min_us, silence_us, starve_us, idle_patience_us;
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

/* What is proven, and its name in the evidence. */
enum stall_proof {
    PROOF_NONE,
    PROOF_SILENT,
    PROOF_ONE_WAY,
    PROOF_STARVED,
    PROOF_QUIET,
};

/* Each gives advice. `stalled_us`: so long there was no progress. */
int stall_advise_silent(struct pd_turn *turn, const struct pd_sample *sample,
                        enum stall_proof proof, uint64_t stalled_us);
int stall_advise_one_way(struct pd_turn *turn, const struct pd_sample *sample);
int stall_advise_starved(struct pd_turn *turn, const struct pd_sample *sample);
/* By the slower rule, of misses. */
int stall_advise_silence(struct pd_turn *turn, const struct pd_sample *sample, uint64_t silence_us);

#endif
