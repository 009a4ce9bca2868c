/* SPDX-License-Identifier: Apache-2.0 */
/* Which records a client wants. Owns its texts; pure. */
#ifndef CONTROL_FILTER_H
#define CONTROL_FILTER_H

#include "../engine/record.h"

struct filter {
    char *peer;        /* a glob; NULL: all */
    char *trigger;     /* an instance, or all instances of a trigger; NULL: all */
    int verdict;       /* enum verdict; -1: all */
    uint64_t decision; /* 0: all */
    uint64_t since_us; /* CLOCK_REALTIME */
    uint32_t types;    /* bit per record_type */
};

bool filter_fits(const struct filter *filter, const struct record *record);
void filter_clear(struct filter *filter);

#endif
