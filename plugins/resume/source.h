/* SPDX-License-Identifier: Apache-2.0 */
/* The resume trigger's source, with what a test puts in the place of the kernel and the bus. */
#ifndef RESUME_SOURCE_H
#define RESUME_SOURCE_H

#include "meter.h"

#include <pathdog/source.h>

struct resume_source;

struct resume_source_config {
    struct resume_kernel kernel;
    const char *bus;  /* its address; NULL: the system bus */
    uint64_t tick_us; /* from one look at the clocks to the next */
};

int resume_source_new(struct pd_source_host *host, const struct resume_source_config *config,
                      struct resume_source **ret_source);

/* NULL is fine. */
void resume_source_free(struct resume_source *source);

#endif
