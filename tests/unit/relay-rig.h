/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of the relay trigger's source: a host that notes what is said, on a loop, in a
 * directory of its own; and a UDP socket on loopback that answers as a test wants.
 */
#ifndef TEST_RELAY_RIG_H
#define TEST_RELAY_RIG_H

#include "check.h"

#include <netinet/in.h>
#include <pathdog/source.h>

#define RIG_KEPT 64u
#define RIG_TEXT 2048u

struct rig {
    struct pd_source_host host;
    char directory[64];
    char signals[RIG_KEPT][RIG_TEXT]; /* "kind#query name=value;name=value;", the first ones */
    char notices[RIG_KEPT][RIG_TEXT]; /* "level what: text" */
    unsigned n_signals, n_notices;    /* all */
};

struct rig *rig_new(void);
void rig_free(struct rig *rig); /* the directory must be empty but for what rig_write made */

/* Runs the loop until that many signals or notices came; fails after a minute. */
void rig_wait_signals(struct rig *rig, unsigned n);
void rig_wait_notices(struct rig *rig, unsigned n);
void rig_wait_for(struct rig *rig, bool (*is_so)(void *user), void *user);
struct answerer;
void rig_wait_asked(struct rig *rig, const struct answerer *answerer, unsigned n);

/* Runs the loop for so long: for what must not happen. */
void rig_run(struct rig *rig, uint64_t us);

/* A file in the directory: a path that lives as long as the block; and its content, put there by a
 * rename. */
#define rig_path(rig, name) rig_path_in((rig), (name), (char[128]){0})
const char *rig_path_in(const struct rig *rig, const char *name, char out[static 128]);
void rig_write(struct rig *rig, const char *name, const char *text);

/* The query "ask", with each of the other texts as a field `relay`. */
struct rig_query {
    struct pd_query query;
    struct pd_field fields[80];
};
void rig_query_probe(struct rig_query *query, uint64_t id, const char *const *relays, size_t n);

/* ---- an answerer ---- */

struct answerer {
    int fd;
    struct sockaddr_in6 self; /* where it is; IPv4 as sockaddr_in in the same place */
    char text[64];            /* the same: "127.0.0.1:9000" */
    sd_event_source *io;
    /* Answers a datagram; NULL: says nothing. */
    void (*answer)(struct answerer *answerer, const struct sockaddr *from, socklen_t n_from,
                   const uint8_t *bytes, size_t length);
    void *user;
    unsigned n;         /* datagrams that came */
    uint8_t last[2048]; /* the last of them */
    size_t n_last;
    struct sockaddr_in6 froms[8]; /* where the first ones came from */
};

void answerer_begin(struct rig *rig, struct answerer *answerer, int family);
void answerer_end(struct answerer *answerer);
void answerer_send(struct answerer *answerer, const struct sockaddr *to, socklen_t n_to,
                   const void *bytes, size_t length);

/* Two answers: "ACK\n", and the reply to Discover. */
void answer_ack(struct answerer *answerer, const struct sockaddr *from, socklen_t n_from,
                const uint8_t *bytes, size_t length);
void answer_discover(struct answerer *answerer, const struct sockaddr *from, socklen_t n_from,
                     const uint8_t *bytes, size_t length);

#endif
