/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The list file, read at the start, when it is another, and once in each refresh; and the cache of
 * it. Told by the signal `list`; what is wrong by notices.
 */
#ifndef RELAY_FILES_H
#define RELAY_FILES_H

#include "entry.h"

#include <pathdog/source.h>

struct files;

struct files_config {
    const char *list;  /* both live as long as the source */
    const char *cache; /* NULL: none */
    uint64_t refresh_us;
    uint64_t gap_us;             /* between the begins of two readings, at least */
    enum relay_speaks otherwise; /* what a line that does not say it speaks */
};

/* Returns 0 or -errno. */
int files_new(struct pd_source_host *host, const struct files_config *config,
              struct files **ret_files);
struct files *files_free(struct files *files);

#endif
