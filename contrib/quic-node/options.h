/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of the QUIC node, as one constant struct. */
#ifndef QUIC_NODE_OPTIONS_H
#define QUIC_NODE_OPTIONS_H

#include "address.h"

#include <stdbool.h>
#include <stdint.h>

struct dial_option {
    char name[256];
    struct address address;
};

struct options {
    char name[256];
    const char *socket; /* for pathdog; NULL: none */
    const char *stats;
    struct address listen; /* len 0: none */
    struct dial_option *dials;
    size_t n_dials;
    uint64_t rate_bytes; /* per second and direction; 0: idle */
    uint64_t backlog_bytes;
    uint32_t idle_timeout_ms, keep_alive_ms, duration_ms, dial_timeout_ms;
    unsigned features, columns, max_in_flight;
    bool forbid_migration, prefer_reconnect, no_redial, quiet;
};

/* 0: run; 1: help was printed; -EINVAL: said on stderr what is wrong. */
int options_parse(int argc, char **argv, struct options *ret);
void options_free(struct options *o);

#endif
