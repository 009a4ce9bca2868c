/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The causes of the tunnel trigger: one for each message, but a flood of messages is no
 * flood of records. Above a measure they have none, and how many of them there were, and
 * of which tunnel, is counted and said. Pure.
 */
#ifndef TUNNEL_CAUSES_H
#define TUNNEL_CAUSES_H

#include <pathdog/trigger.h>

/* Tunnels that are counted by their name. */
#define TUNNEL_SUPPRESSED_MAX 6u

struct tunnel_causes {
    uint32_t opened; /* less those that time has given back */
    uint64_t opened_us;
    struct { /* messages without one, since the start */
        char tunnel[48];
        uint64_t count;
    } suppressed[TUNNEL_SUPPRESSED_MAX];
    uint64_t suppressed_others;
};

/* For one message. Returns 0 if it has none. */
uint64_t tunnel_cause_open(struct pd_turn *turn, struct tunnel_causes *causes, const char *reason,
                           const char *tunnel);

/* Cuts a text that fills `size` bytes, but not within a character. */
void tunnel_text_cut(char *text, size_t size);

#endif
