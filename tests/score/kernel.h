/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The route trigger's source, replaced: its questions are answered from the world's route table,
 * as plugins/route/answer.c answers them from the kernel's.
 */
#ifndef SCORE_KERNEL_H
#define SCORE_KERNEL_H

#include "world.h"

#include <pathdog/trigger.h>

#define ANSWER_FIELDS 8u

struct kernel_answer {
    uint64_t query;
    const char *kind; /* of the signal */
    struct pd_field fields[ANSWER_FIELDS];
    size_t n_fields;
    char ifname[16], gateway[32], source[32];
};

/* Fills `answer`, whose fields point into itself. */
void kernel_answer(const struct world *world, const struct pd_query *query,
                   struct kernel_answer *answer);

/* "up1", "10.0.1.2"; the latter with a port where that is not 0. */
void kernel_ifname(unsigned uplink, char text[static 16]);
void kernel_address(unsigned uplink, uint32_t port, char text[static 32]);
/* The uplink of an interface or of an address; NO_UPLINK. */
int kernel_uplink_named(const char *ifname);
int kernel_uplink_of(const char *address);

#endif
