/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of the QUIC node, as one constant struct. */
#ifndef QUIC_NODE_OPTIONS_H
#define QUIC_NODE_OPTIONS_H

#include "address.h"

#include <stdbool.h>
#include <stdint.h>

#define RELAYS_MAX        64u /* as many as pathdog takes */
#define WAYS_MAX          8u
#define MEETS_MAX         256u
#define RELAY_SECRET_SIZE 257u

struct relay_option {
    char name[256];
    struct address address;
};

struct dial_option {
    char name[256];
    struct address address;
    const char *way_names[WAYS_MAX];           /* by --via; as they stand in argv */
    const struct relay_option *ways[WAYS_MAX]; /* NULL: directly */
    size_t n_ways;                             /* 0: directly */
};

/* Who may dial this node over which relay. */
struct meet_option {
    char peer[256];
    const char *relay_name;
    const struct relay_option *relay;
};

struct options {
    char name[256];
    const char *socket; /* for pathdog; NULL: none */
    const char *stats;
    struct address listen; /* len 0: none */
    struct dial_option *dials;
    size_t n_dials;
    struct relay_option *relays;
    size_t n_relays;
    struct meet_option *meets;
    size_t n_meets;
    const char *relay_secret; /* a file; NULL: none */
    uint64_t rate_bytes;      /* per second and direction; 0: idle */
    uint64_t backlog_bytes;
    uint32_t idle_timeout_ms, keep_alive_ms, duration_ms, dial_timeout_ms, relay_keep_alive_ms;
    unsigned features, columns, max_in_flight;
    bool features_given;
    bool forbid_migration, prefer_reconnect, no_redial, quiet;
};

/* 0: run; 1: help was printed; -EINVAL: said on stderr what is wrong. */
int options_parse(int argc, char **argv, struct options *ret);
void options_free(struct options *o);

/* options_relay.c. What is wrong with the value, as a sentence; NULL: nothing. */
const char *options_relay(const char *value, struct options *o);
const char *options_via(const char *value, struct options *o);
const char *options_meet(const char *value, struct options *o);
/* When all are read: the names of relays. -EINVAL: said on stderr. */
int options_relays_find(struct options *o);

#endif
