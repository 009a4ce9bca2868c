/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which records a client wants. Outcomes and effects do not say what their decision was: with a
 * trigger, a verdict or an uplink wanted, decisions that fit are noted, and theirs fit too.
 * Owns its texts; pure.
 */
#ifndef CONTROL_FILTER_H
#define CONTROL_FILTER_H

#include "../engine/record.h"
#include "../util/glob.h"

/* Decisions that were noted, by number; of those before the last 2^20 nothing is known. */
#define NOTED_DECISIONS (UINT64_C(1) << 20)

struct noted {
    uint64_t newest; /* number that was looked at */
    uint64_t bits[NOTED_DECISIONS / 64];
};

struct filter {
    struct glob *peer;   /* NULL: all */
    char *trigger;       /* an instance, or all instances of a trigger; NULL: all */
    int verdict;         /* enum verdict; -1: all */
    char *uplink;        /* in use, or to be moved to; its own records, too; NULL: all */
    uint64_t decision;   /* 0: all */
    uint64_t since_us;   /* CLOCK_REALTIME */
    uint32_t types;      /* bit per record_type */
    struct noted *noted; /* NULL: none is */
};

/* Is it about decisions that have to be noted? */
bool filter_notes(const struct filter *filter);

/* Takes note if it is a decision that is wanted; in any order. */
void filter_note(struct filter *filter, const struct record *record);

bool filter_fits(const struct filter *filter, const struct record *record);

void filter_clear(struct filter *filter);

#endif
