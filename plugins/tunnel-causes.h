/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The causes of the tunnel trigger: one for each notice, but a flood of notices is no
 * flood of records. Above a measure they share a cause, and how many of them did, and of
 * which tunnel, is counted and said. Pure.
 */
#ifndef TUNNEL_CAUSES_H
#define TUNNEL_CAUSES_H

#include <pathdog/trigger.h>

/* Tunnels that are counted by their name. */
#define TUNNEL_FOLDED_MAX 6u

struct tunnel_causes {
    /* causes of their own that were opened, less those that time has given back */
    uint32_t own;
    uint64_t own_since_us;
    uint64_t shared, shared_until_us; /* 0: none is open */
    struct {                          /* notices under shared ones, since the start */
        char tunnel[48];
        uint64_t count;
    } folded[TUNNEL_FOLDED_MAX];
    uint64_t folded_others;
};

/* For one notice. Returns 0 if none can be opened. */
uint64_t tunnel_cause_open(struct pd_turn *turn, struct tunnel_causes *causes, const char *reason,
                           const char *tunnel);
/* That notice is done. 0 is none. */
void tunnel_cause_close(struct pd_turn *turn, const struct tunnel_causes *causes, uint64_t cause);
/* The shared one, if its time is over; not while a notice is being worked off. */
void tunnel_causes_end(struct pd_turn *turn, struct tunnel_causes *causes);

/* Cuts a text that fills `size` bytes, but not within a character. */
void tunnel_text_cut(char *text, size_t size);

#endif
