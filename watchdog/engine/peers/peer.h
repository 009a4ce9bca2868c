/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of connections. State belongs to a connection, not to a name: a
 * peer that reconnects is a new one. One function changes a peer's state.
 */
#ifndef ENGINE_PEER_H
#define ENGINE_PEER_H

#include "../base/pool.h"
#include "../event.h"
#include "../record.h"
#include "index.h"
#include "shelf.h"

struct peer_moves;
struct engine;

#define PEERS_PER_BLOCK 1024u
#define RTT_KEPT        3u /* fresh RTTs kept of a connection, and compared before and after a move */

enum peer_state {
    PEER_UP,
    PEER_GONE,       /* answered not_connected: nothing until it shows life */
    PEER_UNREPORTED, /* the node's socket was down, not told again yet */
    PEER_REMOVED,    /* not in the table any more */
};

/* A hundred thousand of these: what is small stands at the end, before the slots, and flags fill
 * their bytes. */
struct peer {
    struct pd_peer view;      /* as triggers see it; peer_name() is the name, counted */
    struct peer_moves *moves; /* NULL until needed */
    uint64_t up_us;           /* since when */
    /* row.c */
    uint64_t last_look_us; /* 0: no row yet */
    uint64_t bytes_received;
    uint64_t bytes_sent;
    /* progress.c: what the ages of struct pd_sample are made of, 0: not so; the stretch */
    uint64_t progress_us; /* the last row with progress, before that the first row */
    uint64_t unacked_since_us;
    uint64_t outstanding_since_us;
    uint64_t stalled_since_us;    /* of the present stretch without progress */
    uint64_t unanswered_since_us; /* its last part, from the last poll on in which nothing was
                                     unanswered */
    uint32_t regular_us;          /* the last regular row, modulo 2^32; 0: none */
    uint32_t starved_us;          /* unacked.c: as of the last row, saturated; from the last one on
                                   * in which acked_bytes had grown, or nothing was unacknowledged */
    uint32_t rtt_samples;         /* modulo 2^32: whether there are others is what matters */
    uint32_t acked_bytes;         /* as rtt_samples */
    uint32_t rtt[RTT_KEPT];       /* the last fresh RTTs, newest first; UINT32_MAX: not there */
    uint32_t rtt_last[3];         /* srtt, latest, rttvar as last known; UINT32_MAX: never */
    uint32_t round;               /* the last complete round that it was seen in */
    uint32_t in_flight_bytes;     /* saturated */
    uint16_t stalled_polls;       /* saturated */
    uint8_t state : 2;            /* enum peer_state */
    bool samples_known : 1;       /* rtt_samples is set */
    bool acked_known : 1;         /* acked_bytes is set */
    bool application : 1;         /* since unacked_since_us there was more than a keep-alive */
    bool measured : 1;            /* had a row with an SRTT */
    bool busy : 1;                /* row.c: something is in flight */
    bool interface_reported : 1;  /* that of its path: by the node */
    bool over_relay : 1;          /* its path goes over a relay */
    bool in_flight : 1;           /* a request is open */
    bool admitted : 1;            /* in engine.passed, and its move is not made yet */
    bool migratable : 1;          /* the node said so */
    bool reconnectable : 1;
    bool disabled : 1;              /* answered peer_disable_migration or not_migratable */
    bool undialable : 1;            /* the same, to a reconnect */
    bool given_up : 1;              /* by the peer, as a trigger says */
    bool worse : 1;                 /* uplinks/groups.c: counted so in the window counted_in */
    bool unanswered_throughout : 1; /* in every poll of the stretch something was in flight */
    bool sent_known : 1;            /* how much had been sent when it began */
    bool sent_since : 1;            /* more than that */
    bool outstanding_always : 1;    /* in flight, or a probe timeout, in every row since */
    bool outstanding_sent : 1;      /* bytes_sent has grown since */
    uint8_t advised_rounds : 3;     /* for so many more, advice says that it is worse */
    bool unrouted : 1;              /* the kernel has no route to it, as a trigger says */
    uint8_t uplink : 7; /* uplinks/members.c: place + 1 of the one that it uses; 0: none is known */
    bool stuck : 1; /* uplinks/groups.c: counted so: something is outstanding, without progress */
    uint8_t home;   /* the same of the one that it was moved off, and wants back to */
    uint8_t group;  /* uplinks/groups.c: of those that share a link; 0: none */
    uint8_t counted_in; /* the last window in which it was measured, 0: none */
    uint8_t outstanding_rows;
    uint8_t
        unanswered_rows; /* rows since unanswered_since_us that would have shown a sign of life */
    uint8_t slots[];     /* the triggers' instances, then their states */
};

struct peers {
    char **blocks;
    size_t n_blocks, blocks_capacity;
    size_t stride;
    uint32_t count; /* known */
    uint32_t top;   /* indices ever used */
    uint32_t *free;
    size_t n_free, free_capacity;
    struct index by_conn, by_name;
    struct pool moves;
    struct shelf shelf;
};

void peers_init(struct engine *engine);

/* Bytes from one connection to the next, with so many for the triggers. */
size_t peers_stride(size_t slots_size);
void peers_clear(struct engine *engine);

/* NULL if it is not known. */
struct peer *peers_find(const struct engine *engine, uint64_t conn);
struct peer *peers_find_name(const struct engine *engine, const char *name);

/* For walking over all: the next known one at or after `*index`, NULL at the end. */
struct peer *peers_next(const struct engine *engine, uint32_t *index);

/* A new connection, PEER_UP. No other connection of that id or name may be known. */
struct peer *peer_add(struct engine *engine, const struct event_peer_up *event);

/* The only function that changes a state; writes the record where it is news. */
void peer_set_state(struct engine *engine, struct peer *peer, enum peer_state state,
                    const char *reason);

/* Takes addresses over, and the interface that the socket is bound to; a member that is NULL stays
 * as it was, but the interface does not where an address or the relay is another. True if anything
 * is different now. */
bool peer_set_path(struct peer *peer, const char *local, const char *remote, const char *via,
                   const char *interface);

/* A move of ours succeeded, to this interface; NULL: where the route table leads. What the node has
 * reported of the present path is truer than what was requested, and stays. */
void peer_set_interface(struct peer *peer, const char *interface);

/* The node says whether it may be migrated, reconnected; and refused one of them for good. */
void peer_set_able(struct peer *peer, bool migratable, bool reconnectable);
void peer_refuse(struct peer *peer, enum by by);

/* A trigger says whether the peer has given it up. */
void peer_set_given_up(struct peer *peer, bool given_up);

/* A trigger says whether the kernel has a route to it. */
void peer_set_unrouted(struct peer *peer, bool unrouted);

/* May it be moved so, as far as the node has said and answered? */
bool peer_movable(const struct engine *engine, const struct peer *peer, enum by by);

/* At its end: what it has of its own beside the table. */
void peer_texts_free(struct peer *peer);

/* The connection's move state, made if it had none. */
struct peer_moves *peer_moves(struct engine *engine, struct peer *peer);

static inline bool peer_inbound(const struct peer *peer)
{
    return peer->view.role == PD_ROLE_SERVER;
}

static inline bool peer_in_flight(const struct peer *peer)
{
    return peer->in_flight;
}

static inline uint8_t peer_rtt_count(const struct peer *peer)
{
    uint8_t count = 0;

    while (count < RTT_KEPT && peer->rtt[count] != UINT32_MAX)
        count++;
    return count;
}

/* The name as a text, to be counted; view.name is its string. */
static inline struct text *peer_name(const struct peer *peer)
{
    return CONTAINER_OF(peer->view.name, struct text, s);
}

struct record_subject peer_subject(const struct peer *peer);

#endif
