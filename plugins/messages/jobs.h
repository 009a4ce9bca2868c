/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is done about messages, for the policies of the triggers that have them: the peers that one
 * concerns are moved, or polled fast where the tunnel went down (if the next hop is another after
 * it, that is for the trigger route to see). Very many peers are gone through in slices. Pure; a
 * message comes as the signal `notice` {event, tunnel, peers, reason, addresses, pid, uid, gid}.
 */
#ifndef MESSAGES_JOBS_H
#define MESSAGES_JOBS_H

#include "causes.h"

#include <pathdog/trigger.h>

/* Messages that may wait to be worked off. */
#define MESSAGES_WAITING_MAX 64u
/* Messages that are remembered, to tell what is said again. */
#define MESSAGES_RECENT 32u

/* How the trigger calls its notices. */
struct messages_names {
    const char *nobody, *busy, *folded;
};

struct message_address {
    uint8_t family;
    uint8_t bytes[16];
};

/* One message, until all peers have been gone through. */
struct message_job {
    char *text; /* what the others point into */
    const char *event, *tunnel, *peers;
    struct globs *globs; /* of PEERS; NULL until its turn comes, for they take much room */
    bool everybody;
    bool cause_asked;
    struct message_address *addresses;
    size_t n_addresses;
    uint64_t cause;
    uint32_t next; /* peer */
    uint32_t found;
    struct pd_field evidence[5];
    size_t n_evidence;
    char reason[400];
};

struct message_recent {
    uint64_t hash;
    uint64_t at_us;
};

/* An instance's state begins with it; `names` is set at its start. */
struct messages {
    const struct messages_names *names;
    uint32_t n_peers; /* indexes that were ever seen are below this */
    struct message_job jobs[MESSAGES_WAITING_MAX];
    uint32_t first, count;
    struct message_recent recent[MESSAGES_RECENT];
    uint32_t next_recent;
    uint64_t handled; /* so far, repeats apart */
    struct message_causes causes;
};

/* A peer's state: what is known of a connection. */
struct message_peer {
    uint64_t reported_us : 62; /* when a message concerned it last, 0: never */
    uint64_t down : 1;         /* that was EVENT=down */
};

void messages_peer(struct messages *messages, const struct pd_peer_event *event);

/* The signal `notice`. Returns 0, or what the host refused with; likewise the timer. */
int messages_signal(struct pd_turn *turn, const struct pd_signal *signal);
int messages_timer(struct pd_turn *turn);
void messages_stop(struct messages *messages);

/* For `tell`. */
int messages_report(const struct messages *messages, const struct message_peer *peer,
                    uint64_t now_us, char *text, size_t size);

#endif
