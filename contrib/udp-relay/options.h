/* SPDX-License-Identifier: Apache-2.0 */
/* All settings: a flag goes before the environment, that before --config FILE. */
#ifndef UDP_RELAY_OPTIONS_H
#define UDP_RELAY_OPTIONS_H

#include "relay.h"

#define WORKERS_MOST 64u

enum log_kind {
    LOG_TEXT,    /* lines on standard error */
    LOG_JOURNAL, /* entries with fields */
};

struct options {
    struct relay_settings relay; /* max_datagram_bytes: the lesser of buffer_bytes and 65 507 */
    struct endpoint bind;        /* with the port; :: is both families */
    uint32_t buffer_bytes;       /* --buffer-size: 1 to 64K and more; see relay and server.h */
    uint64_t acl_refresh_us;     /* at least 100 ms */
    uint32_t workers;  /* --threads: sockets and threads; 0: one for each core, at most 8 */
    bool offload;      /* --offload yes|no: GRO and GSO where the kernel has them */
    enum log_kind log; /* --log text|journal; by default journal where stderr goes to it */
    char *members;     /* --members; NULL: none */
    char *control;     /* --control; NULL: none */
};

/* 0: run; 1: help or the version was printed; -EINVAL: said on stderr what is wrong. In each case
 * options_free() is to be called. */
int options_parse(int argc, char **argv, struct options *ret);
void options_free(struct options *options);

#endif
