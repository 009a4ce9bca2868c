/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the engine is made of. Private to watchdog/engine/: each struct here
 * belongs to one module, named above it, and only that module changes it.
 */
#ifndef ENGINE_STATE_H
#define ENGINE_STATE_H

#include "../util/util.h"
#include "base/deadline.h"
#include "base/pool.h"
#include "base/text.h"
#include "engine.h"

#define LOOK_CONNS_MAX 4096u
#define RTT_KEPT       3u /* fresh RTTs compared before and after a move */

/* ---- migration.c: one request at a time for a connection ---- */

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
    bool outlived;        /* a fallback, and the connection made progress since it was asked */
    bool adopted;         /* a reconnect whose new connection is up already */
    bool settles;         /* its success settles what was remembered when it was made */
    uint8_t rtt_count;    /* of rtt_before */
    uint32_t attempt;     /* from 1 */
    uint32_t retries;     /* made so far, those for a lost link apart */
    uint32_t timeout_ms;  /* of the present attempt */
    uint32_t queue_place; /* in the queue, from 1; 0: not in it */
    uint32_t rtt_before[RTT_KEPT];
    uint64_t conn; /* that was asked about */
    uint64_t decision;
    uint64_t request;  /* of the present attempt */
    uint64_t since_us; /* queued or sent */
    struct peer *peer; /* NULL: it has gone down, by a reconnect of ours */
    struct text *name;
    struct text *local_before;
    struct because *because;
    struct deadline deadline;
};

/* ---- passed.c: through the gate in this turn ---- */

struct passed {
    struct peer *peer;
    uint64_t conn;
    struct because *because;
    struct move *move; /* NULL: not made yet */
    uint64_t decision;
    enum by by;
    bool again; /* as in the advice */
};

/* What is kept of a request by its number, also after it ended: a late answer
 * changes nothing any more, but is learnt from. */
struct request_slot {
    struct move *move; /* NULL: ended */
    uint64_t conn;
    enum by by;
};

struct migration {
    struct pool pool;
    struct move **queue; /* heap from 1, strongest first */
    size_t queue_count, queue_capacity;
    struct request_slot *slots; /* ring: slot of request r is r % capacity */
    size_t slots_capacity;      /* a power of two */
    uint64_t first_request;     /* the oldest that has a slot */
    uint64_t last_request;
    uint32_t open, waiting;
    uint32_t budget;
};

/* ---- effect.c: did the last move help? ---- */

struct effect_job {
    struct peer *peer; /* NULL: the new connection is not up yet */
    struct text *name;
    uint64_t conn;
    uint64_t decision;
    uint64_t since_us;
    enum pd_kind kind;
    enum by by;
    bool bulk; /* as its decision */
    bool seen; /* a row has come */
    bool progress;
    uint8_t n_before, n_after;
    uint32_t before[RTT_KEPT], after[RTT_KEPT];
    struct deadline deadline;
};

/* ---- watch.c: after moved or dead advice, until it is known to live ---- */

struct watch {
    bool on;
    bool probed;
    bool said;   /* the present silence has led to a decision */
    bool looked; /* a row has come since `advised_us` */
    bool bulk;   /* as the advice */
    uint64_t cause;
    uint64_t advised_us; /* also the last answer since */
    uint64_t until_us;
    struct deadline deadline;
};

/* ---- gate.c: what is remembered of refusals that repeat ---- */

struct fold {
    struct fold *next;
    struct peer *peer;
    struct because *because; /* of the last */
    enum verdict verdict;
    enum by by;
    uint64_t count; /* since it was last written */
    uint64_t decision;
    uint64_t into;
    struct deadline deadline;
};

/* All that a connection needs once somebody advised something about it; most
 * connections never have one. */
struct affair {
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
    bool looked : 1;           /* in the list of those looked at closely */
    uint8_t remembered_as : 7; /* enum verdict: as what `remembered` was refused */
    /* the rest */
    struct peer *peer;
    struct because *remembered;
    struct deadline remembered_deadline;
    struct fold *folds;
    struct effect_job *effect;
    struct watch watch;
    /* look.c: those looked at closely */
    uint64_t look_until_us; /* asked for by triggers */
    struct peer *look_previous, *look_next;
    uint64_t moved_us; /* waiting.c: the last move in this run, 0: none */
};

/* ---- peer.c: the table of connections ---- */

enum peer_state {
    PEER_UP,
    PEER_GONE,    /* answered not_connected: nothing until it shows life */
    PEER_UNTOLD,  /* the node's socket was down, not told again yet */
    PEER_REMOVED, /* not in the table any more */
};

/* A hundred thousand of these: what is small stands at the end, before the slots. */
struct peer {
    struct pd_peer view;   /* as triggers see it; peer_name() is the name, counted */
    struct affair *affair; /* NULL until needed */
    uint64_t up_us;        /* since when */
    /* row.c */
    uint64_t last_look_us; /* 0: no row yet */
    uint64_t bytes_received;
    uint64_t bytes_sent;
    uint64_t quiet_since_us; /* of the present stretch without progress */
    uint64_t owed_since_us;  /* its last part, from the last look on in which nothing was owed */
    uint32_t quiet_looks;
    uint32_t rtt_samples;     /* modulo 2^32: whether there are others is what matters */
    uint32_t rtt[RTT_KEPT];   /* the last fresh RTTs, newest first */
    uint32_t rtt_last[3];     /* srtt, latest, rttvar as last known; UINT32_MAX: never */
    uint32_t round;           /* the last complete round that it was seen in */
    uint32_t in_flight_bytes; /* saturated */
    uint8_t state : 2;        /* enum peer_state */
    uint8_t rtt_count : 2;    /* of rtt */
    bool samples_known : 1;   /* rtt_samples is set */
    bool measured : 1;        /* had a row with an SRTT */
    bool in_flight : 1;       /* a request is open */
    bool passing : 1;         /* in engine.passed, and its move is not made yet */
    bool migratable : 1;      /* the node said so */
    bool reconnectable : 1;
    bool disabled : 1;    /* answered peer_disable_migration or not_migratable */
    bool undialable : 1;  /* the same, to a reconnect */
    bool quiet_owed : 1;  /* in every look of the stretch something was in flight */
    bool sent_known : 1;  /* how much had been sent when it began */
    bool sent_since : 1;  /* more than that */
    uint8_t owed_telling; /* rows since owed_since_us that would have shown a sign of life */
    uint8_t slots[];      /* the triggers' instances, then their states */
};

struct index { /* open addressing; values are peer index + 1 */
    uint32_t *slots;
    size_t capacity; /* a power of two */
    size_t used;     /* with graves */
    size_t live;
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
    struct pool affairs;
};

/* What belongs to a peer's name and outlives its connections. */
struct name_state {
    struct text *name;
    bool held;
    uint64_t held_until_us;     /* 0: until released */
    uint64_t reconnect_us;      /* the last reconnect of ours, 0: none */
    uint64_t gap_us;            /* until the next is allowed */
    struct move *orphan;        /* a reconnect of ours, its old connection already down */
    struct effect_job *awaited; /* its new connection not up yet */
    struct name_state *next;
};

struct names {
    struct name_state *buckets[1024];
    uint32_t count;
    uint32_t sweep_above; /* the next sweep is due then */
};

/* ---- triggers.c ---- */

struct instance {
    const struct instance_config *config;
    const struct pd_trigger *trigger;
    struct engine *engine;
    const char *name;        /* as in its section; lives as long as the engine */
    struct pd_value *values; /* a copy, so that a policy may keep what it was started with */
    void *self;
    uint32_t index; /* in triggers.instances */
    uint32_t kind;  /* which trigger, in triggers.kinds */
    uint32_t failures;
    bool open;
    struct deadline timer;
};

struct trigger_kind {
    const struct pd_trigger *trigger;
    size_t offset; /* of its per-peer state in peer.slots */
};

struct advice {
    uint32_t peer;
    uint64_t conn;
    struct because *because;
    bool again; /* remembered, and given once more: its cause has counted it already */
};

/* Of waiting advice: its trigger has no reason for it any more. */
struct withdrawal {
    uint32_t peer;
    const char *trigger;
};

struct triggers {
    struct instance **instances; /* in file order */
    size_t n_instances;
    struct trigger_kind *kinds;
    size_t n_kinds;
    size_t slots_size;
    struct because *last; /* equal neighbours are stored once */
    char **names;         /* of all instances there ever were */
    size_t n_names, names_capacity;
};

/* ---- cause.c ---- */

struct cause {
    uint64_t id;
    const struct instance *instance; /* NULL: none */
    const char *trigger;
    struct text *reason;
    uint64_t peers, advised;
    uint64_t verdicts[VERDICT_COUNT];
    bool closing;
};

struct causes {
    struct cause *open;
    size_t count, capacity;
    uint64_t last;
};

/* ---- notice.c ---- */

struct notice_kind {
    const char *instance; /* whose, by its one name; NULL: nobody's */
    struct text *what;
    struct text *text; /* the last */
    enum pd_level level;
    uint64_t count; /* not said yet */
    struct deadline deadline;
};

struct notices {
    struct notice_kind *kinds[64];
    size_t count;
};

/* ---- look.c: the rounds of summaries ---- */

struct looks {
    struct deadline tick;  /* a round of all */
    struct deadline close; /* some, closely */
    uint64_t open;         /* the look that is not answered, 0: none */
    uint64_t last;
    bool open_all; /* the open one is a round of all */
    bool all_due;  /* a round waits for the open look to end */
    bool close_due;
    uint32_t round;                 /* of all */
    uint32_t columns;               /* that the node has been seen to report */
    struct peer *first, *last_peer; /* looked at closely, longest ago first */
    uint32_t looked;
    uint64_t close_last_us;
    bool noticed_unjudgeable;
};

/* ---- outbox.c ---- */

struct outbox_store {
    struct outbox box; /* what the shell sees of it */
    size_t n_kept;     /* of its records, that the ring will take */
    struct action *actions;
    size_t actions_capacity;
    struct record *records;
    size_t records_capacity;
    void **owned; /* lists and fields that actions point into, freed with the outbox */
    size_t n_owned, owned_capacity;
    struct because **becauses; /* released with the outbox */
    size_t n_becauses, becauses_capacity;
};

/* The last decisions, outcomes and effects. */
struct ring {
    struct record *records;
    size_t capacity, count, next;
    uint64_t pushed; /* since the engine was made */
};

/* ---- learnt.c: what the run before this one knew, until the node has told its
 * connections ---- */

struct waiting_peer {
    struct learnt_peer learnt; /* all texts are its own */
    bool used;
};

struct restoring {
    char *boot;                 /* of the node; NULL: nothing waits */
    struct waiting_peer *peers; /* by conn */
    size_t n_peers;
};

/* ---- engine.c ---- */

struct node_state {
    bool up;   /* hello was answered */
    bool told; /* the snapshot is complete */
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
    enum mode mode;
    bool stopping;
    bool all_held;
    uint64_t all_held_until_us;
    uint64_t random;
    uint64_t last_decision;
    uint64_t ignored;
    uint32_t peers_told; /* since the node came up */
    uint32_t effects_open, remembered, folded;
    uint32_t missed; /* hold.c: advice that the last command gave again */
    struct node_state node;
    struct peers peers;
    struct names names;
    struct restoring restoring;
    struct triggers triggers;
    struct causes causes;
    struct notices notices;
    struct migration migration;
    struct looks looks;
    struct deadlines deadlines;
    struct { /* of deadlines that always lie the same time ahead */
        struct lane open, queued_degraded, queued, effects, folds, watched, watched_inbound;
        struct lane watch_ends;
    } lanes;
    struct pool effect_pool, fold_pool;
    struct advice *advice; /* given in this turn, not decided yet */
    size_t n_advice, advice_capacity;
    struct withdrawal *withdrawals; /* in this turn, not taken up yet */
    size_t n_withdrawals, withdrawals_capacity;
    struct passed *passed; /* not asked, or not entered yet */
    size_t n_passed, passed_capacity;
    size_t n_made, n_settled; /* so many from the first on have their move, are entered */
    uint64_t *probes;         /* connections to be probed, of this turn */
    size_t n_probes, probes_capacity;
    struct outbox_store outbox;
    struct ring ring;
};

/* The connection at that place of the table. */
#define PEERS_PER_BLOCK 1024u

static inline struct peer *peer_at(const struct engine *engine, uint32_t index)
{
    return (struct peer *)(void *)(engine->peers.blocks[index / PEERS_PER_BLOCK] +
                                   engine->peers.stride * (index % PEERS_PER_BLOCK));
}

/* From an embedded deadline back to what it is part of. */
#define CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

#endif
