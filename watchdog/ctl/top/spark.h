/* SPDX-License-Identifier: Apache-2.0 */
/* The RTTs of a peer as they were seen on the screen, and how high each is drawn. Pure. */
#ifndef TOP_SPARK_H
#define TOP_SPARK_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SPARK_MOST  64u  /* values of one peer */
#define SPARKS_MOST 512u /* peers: those that were not seen for the longest time are forgotten */
#define SPARK_GAP   0u   /* a row without a new RTT */
#define SPARK_HIGH  8u

struct spark {
    uint64_t conn;
    char *name;
    uint64_t seen_us;            /* when it was last on the screen */
    uint64_t row_us;             /* when the node reported its last row */
    uint64_t rtt_samples;        /* in that row */
    uint32_t n, at;              /* a ring */
    uint32_t rtt_us[SPARK_MOST]; /* 0: none that is new */
};

struct sparks {
    struct spark *list;
    size_t n;
};

void sparks_clear(struct sparks *sparks);

/* A peer, as the daemon reports it at that time. */
void sparks_take(struct sparks *sparks, uint64_t now_us, const json_t *peer);

/* NULL: it was not seen yet. */
const struct spark *sparks_find(const struct sparks *sparks, uint64_t conn, const char *name);

/* The last `most` of them, oldest first: SPARK_GAP, or 1 to SPARK_HIGH. The lowest RTT of these is
 * 1, the eightfold of it SPARK_HIGH, and each step in between is a third more; differences of a
 * few milliseconds count for little. Returns how many there are. */
size_t spark_levels(const struct spark *spark, size_t most, uint8_t *ret_levels);

/* How such a level is drawn. */
uint32_t spark_glyph(uint8_t level, bool utf8);

#endif
