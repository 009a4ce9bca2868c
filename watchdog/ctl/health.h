/* SPDX-License-Identifier: Apache-2.0 */
/* Is all well? By an answer to `status`. Pure. */
#ifndef CTL_HEALTH_H
#define CTL_HEALTH_H

#include <jansson.h>

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

#endif
