/* SPDX-License-Identifier: Apache-2.0 */
/* Is all well? By an answer to `status`. Pure. */
#ifndef CTL_HEALTH_H
#define CTL_HEALTH_H

#include <jansson.h>
#include <stddef.h>

#define HEALTH_SIZE 4096

enum health {
    HEALTH_OK,
    HEALTH_LOOK,   /* something needs a look */
    HEALTH_BROKEN, /* nothing works */
};

/* "ok", "look", "broken" */
extern const char *const health_words[];

enum health health_of_reason(const json_t *reason);

/* What is wrong, the worst first, separated by "; "; where nothing is, that. */
enum health health_of(const json_t *status, char line[HEALTH_SIZE]);

/* The same in parts, each to be freed: the first, and at most `most` others. Also what explains why
 * nothing happens, though nothing is wrong. `*ret_n`: how many others there are. Why the node is
 * down is left out: it stands beside its name. */
enum health health_split(const json_t *status, char **ret_first, char **ret_others, size_t most,
                         size_t *ret_n);

#endif
