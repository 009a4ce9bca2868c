/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A move: at most one a connection, from the gate to its request. Queue, budget, sending. How
 * a request ends is outcome.c.
 */
#ifndef ENGINE_MOVE_H
#define ENGINE_MOVE_H

#include "../../util/sequence.h"
#include "../base/deadline.h"
#include "../base/pool.h"
#include "../base/text.h"
#include "../engine.h"
#include "../peers/peer.h"

struct deciding_on;
struct engine;
struct request_slot;

enum move_state {
    MOVE_QUEUED,   /* waits for the budget */
    MOVE_OPEN,     /* asked, not answered */
    MOVE_WAITING,  /* an attempt failed, the next waits for its time */
    MOVE_LINKLESS, /* the node's socket closed: again after the next snapshot */
};

struct move {
    enum move_state state;
    enum by by;
    bool again; /* advice given once more: its cause has counted it */
    bool link_retried;
    bool outlived;       /* a fallback, and the connection made progress since it was asked */
    bool behind;         /* waits until a request that was taken back is answered */
    bool adopted;        /* a reconnect whose new connection is up already */
    bool keep_old;       /* a reconnect that dials first: until the new one is up, the old one is */
    bool settles;        /* its success settles what was remembered when it was made */
    uint8_t rtt_count;   /* of rtt_before */
    uint32_t attempt;    /* from 1 */
    uint32_t retries;    /* made so far, those for a lost link apart */
    uint32_t timeout_ms; /* of the present attempt */
    uint32_t queue_place; /* in the queue, from 1; 0: not in it */
    uint32_t rtt_before[RTT_KEPT];
    uint64_t conn; /* that was asked about */
    uint64_t decision;
    uint64_t request;  /* of the present attempt */
    uint64_t since_us; /* queued or sent */
    struct peer *peer; /* NULL: it has gone down, by a reconnect of ours */
    struct text *name;
    struct text *local_before;
    struct reason *reason;
    struct destination *destination; /* of the present attempt; NULL: the route table decides */
    struct deadline deadline;
};

struct migration {
    struct pool pool;
    struct move **queue; /* heap from 1, strongest first */
    size_t queue_count, queue_capacity;
    struct sequence requests; /* of request_slot: requests.c */
    uint32_t open, waiting;
    uint32_t budget;
};

void moves_init(struct engine *engine);

void moves_clear(struct engine *engine);

/* The budget is the config's, else the node's, else the default. */
void moves_set_budget(struct engine *engine, uint32_t node_max_in_flight);

/* migration.c, for this module and migration-gone.c. */
void move_set_state(struct engine *engine, struct move *move, enum move_state state,
                    uint64_t deadline_us);

bool move_possible(const struct engine *engine, const struct move *move);

void move_free(struct engine *engine, struct move *move);

/* Ends a move that waits. Out of the queue its decision is written again. */
void move_end_waiting(struct engine *engine, struct move *move, enum verdict verdict);

/* A reconnect of ours whose connection goes: the move waits under the name for its answer, and the
 * new connection takes it over when that comes first. */
void move_orphan(struct engine *engine, struct move *move);
void move_adopt(struct engine *engine, struct peer *peer);

/* Once more: at once with a longer time, or as it is after a while. */
void move_retry(struct engine *engine, struct move *move, bool longer);

/* At once over another uplink, with the time of a first attempt. */
void move_retry_elsewhere(struct engine *engine, struct move *move);

/* The link was lost while it was open: once more after the next snapshot. */
void move_link_lost(struct engine *engine, struct move *move);

/* What the node is given for its answer, and some more for the way. */
uint64_t move_time_us(const struct move *move);

void move_attempt(struct engine *engine, struct move *move);

/* Out of the queue: asks for it, and writes the decision. */
void move_ask(struct engine *engine, struct move *move);

/* What an instance advised and what waits (queued, remembered, to be tried
 * again) has no reason any more. */
void moves_withdraw(struct engine *engine, struct peer *peer, const char *trigger);

/* Does anything that an instance advised wait: queued, remembered, or to be tried again? */
bool moves_wait(const struct peer *peer, const char *trigger);

/* The same for what the connection has disproved by progress: an open one is not tried again. */
void moves_disproved(struct engine *engine, struct peer *peer, const char *trigger);

/* Before its address changes: what it was is in the outcome record. */
void moves_peer_path(struct peer *peer);

/* Ends what is queued with this verdict: of one connection, or all for NULL. */
void moves_end_queued(struct engine *engine, struct peer *peer, enum verdict verdict);

/* The bytes in flight of a queued connection changed. */
void moves_resort(struct engine *engine, struct peer *peer);

/* Of a first attempt. */
uint32_t move_timeout_ms(const struct engine *engine);

/* Writes the action: `move`, with what the reason says and where it goes. */
void request_write(struct engine *engine, struct reason *reason, struct destination *destination,
                   enum by by, const struct action_move *move);

/* Takes the place of what waits for this connection. */
struct move *move_new(struct engine *engine, struct peer *peer, const struct deciding_on *what,
                      bool again);

/* The next attempt goes there. */
void move_direct(struct move *move, struct destination *destination);

/* Its request is written: enters that, and writes the decision. */
void move_enter_requested(struct engine *engine, struct move *move);

/* Puts it into the queue; and, when the best have been taken out of that, writes
 * the decision of one that was not. */
void move_enqueue(struct engine *engine, struct move *move);

void move_record_queued(struct engine *engine, const struct move *move);

#endif
