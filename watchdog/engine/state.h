/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the engine is made of, put together from the rooms: each struct stands in the header of the
 * module that owns it, and only that module changes it (tests/unit/owners.py). Here is what no room
 * owns alone: what a connection needs of all of them, the node, and the engine.
 */
#ifndef ENGINE_STATE_H
#define ENGINE_STATE_H

#include "../util/util.h"
#include "base/cause.h"
#include "base/deadline.h"
#include "base/notice.h"
#include "base/outbox.h"
#include "base/pool.h"
#include "base/text.h"
#include "engine.h"
#include "learnt-keep.h"
#include "liveness/effect.h"
#include "liveness/fallback.h"
#include "moves/advice.h"
#include "moves/again.h"
#include "moves/decision.h"
#include "moves/move.h"
#include "moves/requests.h"
#include "peers/name.h"
#include "peers/peer.h"
#include "peers/poll.h"
#include "stages/admit.h"
#include "stages/fate.h"
#include "stages/gate.h"
#include "triggers/instance.h"
#include "triggers/relays.h"
#include "triggers/triggers.h"
#include "uplinks/groups.h"
#include "uplinks/uplinks.h"

/* All that a connection needs once somebody advised something about it; most
 * connections never have one. */
struct peer_moves {
    /* gate.c, waiting.c: what a verdict looks at, in one cache line */
    struct move *move;
    uint64_t cooling_since_us;    /* the last move, or one only observed; 0: none */
    uint64_t backoff_until_us[2]; /* per enum by */
    uint64_t tokens_us;
    uint64_t last_request_us; /* 0: none */
    uint64_t last_decision;
    uint32_t tokens_used; /* as of tokens_us */
    uint8_t backoffs[2];  /* doublings */
    uint8_t cooldown_doublings;
    bool polled : 1;           /* in the list of those polled fast */
    bool stalled : 1;          /* waiting.c: the last row since the route changed: no progress */
    uint8_t remembered_as : 6; /* enum verdict: as what `remembered` was refused */
    /* the rest */
    struct peer *peer;
    struct reason *remembered;
    struct deadline remembered_deadline;
    struct deferred *deferred; /* stages/deferred.c */
    struct repeats *repeats;
    struct effect_job *effect;
    struct again *again; /* NULL: no `moved` has failed for good since the last move */
    struct watch watch;
    /* poll.c: those polled fast */
    uint64_t poll_until_us; /* asked for by triggers */
    uint64_t ping_us;       /* ping.c: the last one in this run, 0: none */
    struct peer *poll_previous, *poll_next;
    uint64_t taken_back; /* move.c: a request that was taken back, not answered yet; 0: none */
    /* waiting.c */
    uint64_t moved_us;        /* the last move in this run, 0: none */
    uint64_t moved_tokens_us; /* when all tokens of `moved` are back */
    uint64_t failed_us;       /* the last failure after which there is a back-off */
};

/* connection.c: what the node said of itself. */
struct node_state {
    bool up;       /* hello was answered */
    bool reported; /* the snapshot is complete */
    uint32_t features;
    uint32_t max_in_flight; /* 0: not told */
    uint32_t uid;
    bool prefer_reconnect;
    struct text *name, *implementation, *boot;
    struct text *down_reason; /* as last said */
};

struct engine {
    const struct engine_config *config;
    const struct engine_config *next_config; /* NULL: no other is coming */
    uint64_t now_us, realtime_us;
    bool stopping;
    uint64_t ignored; /* events about what is not known */
    struct node_state node;
    /* base */
    struct deadlines deadlines;
    struct { /* of deadlines that always lie the same time ahead */
        struct fifo open, queued_degraded, queued, effects, repeats, watched;
        struct fifo watch_ends;
    } fifos;
    struct causes causes;
    struct notices notices;
    struct outbox_store outbox;
    struct ring ring;
    /* peers */
    struct peers peers;
    uint32_t peers_reported; /* since the node came up */
    struct names names;
    bool all_held;
    uint64_t all_held_until_us;
    struct polls polls;
    uint64_t random; /* waiting.c */
    /* moves */
    struct advice *advice; /* given in this turn, not decided yet */
    size_t n_advice, advice_capacity;
    struct withdrawal *withdrawals; /* in this turn, not taken up yet */
    size_t n_withdrawals, withdrawals_capacity;
    struct migration migration;
    uint64_t last_decision;
    uint32_t remembered, remembered_inbound; /* of these as `inbound` */
    uint32_t suppressed;
    struct pool repeat_pool;
    /* triggers */
    struct triggers triggers;
    struct node_relays relays; /* triggers/relays.c */
    /* uplinks */
    struct uplinks uplinks;
    struct groups groups;
    /* liveness */
    struct pool effect_pool;
    uint32_t effects_open;
    uint64_t *probes; /* connections to be probed, of this turn */
    size_t n_probes, probes_capacity;
    /* stages */
    bool asks; /* the turn's advice is not decided to its end */
    struct deciding deciding;
    struct fates fates;
    struct admitted *admitted; /* not asked, or not entered yet */
    size_t n_admitted, admitted_capacity;
    /* so many from the first on have their line, their move, are entered */
    size_t n_asked, n_made, n_settled;
    /* the budget does not suffice: so many are in the queue, and after that are recorded so */
    bool queueing, pumped;
    size_t n_enqueued, n_recorded;
    /* above */
    enum mode mode;  /* hold.c */
    uint32_t missed; /* hold.c: advice that the last command gave again */
    struct restoring restoring;
};

/* The connection at that place of the table. */
static inline struct peer *peer_at(const struct engine *engine, uint32_t index)
{
    return (struct peer *)(void *)(engine->peers.blocks[index / PEERS_PER_BLOCK] +
                                   engine->peers.stride * (index % PEERS_PER_BLOCK));
}

#endif
