/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The causes of messages: one for each, but a flood of messages is no
 * flood of records. Above a measure they have none, and how many of them there were, and
 * of which tunnel, is counted and said. Pure.
 */
#ifndef MESSAGES_CAUSES_H
#define MESSAGES_CAUSES_H

#include <pathdog/trigger.h>

/* Tunnels that are counted by their name. */
#define SUPPRESSED_TUNNELS_MAX 6u

struct message_causes {
    uint32_t opened; /* less those that time has given back */
    uint64_t opened_us;
    struct { /* messages without one, since the start */
        char tunnel[48];
        uint64_t count;
    } suppressed[SUPPRESSED_TUNNELS_MAX];
    uint64_t suppressed_others;
};

/* For one message. Returns 0 if it has none, and the notice `what` is given. */
uint64_t message_cause_open(struct pd_turn *turn, struct message_causes *causes, const char *reason,
                            const char *tunnel, const char *what);

/* Cuts a text that fills `size` bytes, but not within a character. */
void message_text_cut(char *text, size_t size);

#endif
