/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an engine has learnt of connections and of peers' names that the next run
 * of pathdog should know: plain values. Times are CLOCK_MONOTONIC, and so mean
 * something only within one boot of the machine; connections only within one
 * boot of the node. Files and their format are the shell's business.
 */
#ifndef ENGINE_LEARNT_H
#define ENGINE_LEARNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Triggers that may have something saved of one connection. */
#define LEARNT_SAVED_MAX 8u

/* A text of a trigger's own, by its name. */
struct learnt_saved {
    const char *trigger;
    const char *text;
};

struct learnt_peer {
    const char *peer; /* name */
    uint64_t conn;
    bool disabled, undialable; /* a migrate, a reconnect was refused for ever */
    uint64_t cooling_since_us; /* the last move, 0: none */
    uint32_t cooldown_doublings;
    uint64_t backoff_until_us[2]; /* migrate, reconnect */
    uint32_t backoffs[2];
    uint32_t tokens_used; /* as of tokens_us */
    uint64_t tokens_us;
    const struct learnt_saved *saved;
    size_t n_saved;
};

struct learnt_name {
    const char *peer;
    bool held;
    uint64_t held_until_us; /* 0: until released */
    uint64_t reconnect_us;  /* the last one of ours, 0: none */
    uint64_t gap_us;        /* until the next is allowed */
};

struct learnt {
    const char *node_boot; /* of the connections; NULL: none were known */
    bool all_held;
    uint64_t all_held_until_us;
    const struct learnt_name *names;
    size_t n_names;
    const struct learnt_peer *peers;
    size_t n_peers;
};

#endif
