/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Decisions, each with the outcome and the effect that it had: of all of them so many as a page can
 * show, those first that an operator should see. In bounded memory, while records go by; pure.
 */
#ifndef CTL_DEEDS_H
#define CTL_DEEDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#define DEEDS_SHOWN 250u

struct deed {
    json_t *decision, *outcome, *effect; /* NULL: there is none */
    uint64_t n_failed;                   /* requests, before the one that `outcome` is of */
    unsigned weight;                     /* the more, the more it should be seen */
};

struct deeds;

struct deeds *deeds_new(void);

/* A record, in order. */
void deeds_take(struct deeds *deeds, const json_t *record);

/* After the last one: those to be shown, in the order of time. Lives as long as `deeds`. */
const struct deed *deeds_end(struct deeds *deeds, size_t *ret_n, uint64_t *ret_n_more);

/* NULL is fine. Returns NULL. */
struct deeds *deeds_free(struct deeds *deeds);

#endif
