/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which relay: the list, merged from those who name relays; and of that list one, by the node's key
 * and the times measured. Pure.
 */
#ifndef RELAY_PICK_H
#define RELAY_PICK_H

#include "entry.h"

/* Who named a relay, in the order of the merged list. */
enum relay_from {
    RELAY_FROM_CONFIG,
    RELAY_FROM_NODE,
    RELAY_FROM_FILE, /* from here on: discovered */
    RELAY_FROM_CACHE,
    RELAY_FROM_COUNT
};

extern const char *const relay_from_names[RELAY_FROM_COUNT];

/* Why a relay is not used. */
enum relay_left_out {
    RELAY_USED,
    RELAY_PRIVATE,   /* discovered, and of an address that is nobody's in the Internet */
    RELAY_DUPLICATE, /* one before it has its name or its address */
    RELAY_UNKNOWN,   /* the node has sent a list, and it is not in there */
    RELAY_BEYOND,    /* there is no more room */
};

/* Is an address text of those that a discovered relay must not have: RFC 1918, loopback,
 * link-local, ULA, unspecified? 100.64/10 is not, nor is a name. With a port or without. */
bool relay_is_private(const char *address);

/* Are address and port those of a relay in the list? Then what comes from there came over it. */
bool relay_is_from_relay(const struct relay_list *list, const struct pd_address *address);

/* Goes through the relays that one of them has named, in their order, behind what is in the list
 * already. `node` is the node's list, NULL if it sent none; where it knows the relay's address
 * under another name, that name is taken, since it is the one that `via` must have. Says of each
 * why it was left out, by calling `left_out` (may be NULL). */
void relay_list_add(struct relay_list *list, enum relay_from *froms, const struct relay_list *named,
                    enum relay_from from, const struct relay_list *node,
                    void (*left_out)(void *user, const struct relay_entry *entry,
                                     enum relay_from from, enum relay_left_out why),
                    void *user);

/* FNV-1a, 32 bits. */
uint32_t relay_hash(const uint8_t *key, size_t n_key);

/* Which of `n` by the key alone. `n` is not 0. */
size_t relay_pick_hash(const uint8_t *key, size_t n_key, size_t n);

enum relay_why {
    RELAY_WHY_ONLY, /* there is one */
    RELAY_WHY_KEY,
    RELAY_WHY_FASTER,     /* the key's takes more than twice as long */
    RELAY_WHY_UNMEASURED, /* the key's has not answered, and others have */
    RELAY_WHY_KEPT,       /* it was taken before, and the key's is not yet good enough again */
};

#define RELAY_NO_RTT  UINT64_MAX
#define RELAY_NO_PICK SIZE_MAX

/*
 * The one that is picked by `hash`, unless its time is more than twice that of the fastest, or it
 * has none while others have. `rtt_ns` has RELAY_NO_RTT where there is none. RELAY_NO_PICK where
 * `n` is 0.
 *
 * `now` is what was picked before, RELAY_NO_PICK for nothing: one that was taken for its time is
 * left by the same rule, and for the key's only when that one takes at most one and a half times as
 * long as the fastest. So times that go up and down around the limit do not change the pick.
 */
size_t relay_pick(size_t hash, const uint64_t *rtt_ns, size_t n, size_t now,
                  enum relay_why *ret_why);

#endif
