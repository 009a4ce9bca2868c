/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When a connection goes over a relay, and when it comes back: the Pilot Protocol's rules, of one
 * connection at a time. They count; who is advised, and to which relay, is the policy's. Pure.
 */
#ifndef RELAY_RULES_H
#define RELAY_RULES_H

#include <stdbool.h>
#include <stdint.h>

struct relay_limits {
    uint32_t flip_after, clear_after;
    uint64_t max_silence_us;
    uint64_t max_relayed;
};

/* Why a connection is on a relay. */
enum relay_rule {
    RELAY_RULE_NODE, /* the node's own choice: nobody here sent it there */
    RELAY_RULE_SILENCE,
    RELAY_RULE_SEND_ERRORS,
    RELAY_RULE_OPERATOR,
    RELAY_RULE_COUNT
};

extern const char *const relay_rule_names[RELAY_RULE_COUNT];

/* What is counted of a connection, and what is in force for it. Zeroed is a new direct one. */
struct relay_counts {
    uint16_t misses;
    uint16_t errors;  /* saturated at the limit */
    uint16_t cleared; /* good ones of the direct way, really in a row */
    uint8_t rule : 3; /* enum relay_rule; of one that is relayed */
    uint8_t relayed : 1;
    uint8_t pinned : 1; /* never goes back by itself */
};

/* Blackhole. To be called before a send, `silence_us` after the last receipt, before there was one
 * after the first send. Only silence strictly above the limit is a miss. True: that was the last
 * miss; they are 0 again. `may_flip` false (there is no relay, or no room): nothing is counted. */
bool relay_miss(struct relay_counts *counts, const struct relay_limits *limits, uint64_t silence_us,
                bool may_flip);

/* So many errors of sending more. True: enough, and they are 0 again. Without `may_flip` they
 * stay at the limit. */
bool relay_send_errors(struct relay_counts *counts, const struct relay_limits *limits,
                       uint64_t more, bool may_flip);

/* Which errors of sending count; others neither count nor reset. */
bool relay_error_counts(int error);

/* An authenticated packet came over the way in use. */
void relay_receipt(struct relay_counts *counts);

/* A try of the direct way of a relayed connection. True: enough good ones in a row, and they are 0
 * again. A bad one begins anew. Of a pinned one nothing is counted. */
bool relay_tried(struct relay_counts *counts, const struct relay_limits *limits, bool good);

/* It is relayed now, or direct. What was counted on the way before is 0. Direct ones have no pin.
 */
void relay_way(struct relay_counts *counts, bool relayed);

/* Is there room for one more? */
bool relay_has_room(const struct relay_limits *limits, uint64_t relayed);

#endif
