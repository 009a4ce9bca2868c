/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions about the engine, for operators: how are things, what is known of a
 * peer, what would the gate say now. Changes nothing; answers are plain values,
 * their strings are borrowed until the next event. Work is bounded by what is
 * asked for: walks over all peers go in pages.
 */
#ifndef ENGINE_INSPECT_H
#define ENGINE_INSPECT_H

#include "engine.h"

/* A time that is not known, or has no end. */
#define INSPECT_NEVER UINT64_MAX

struct inspect_status {
    bool up, reported;                                      /* the node; its snapshot */
    const char *node, *implementation, *boot, *down_reason; /* NULL: not known */
    uint32_t features;                                      /* enum node_feature */
    bool prefer_reconnect;
    uint64_t silent_us; /* it has answered nothing for so long; 0: it answers */
    enum mode mode;
    bool all_held;
    uint64_t held_left_us; /* INSPECT_NEVER: until released */
    uint32_t columns;      /* bit per pd_column seen since the node came up */
    uint32_t rounds;       /* of looks at all peers, begun so far */
    uint32_t budget;       /* requests that may be open */
    uint32_t names;        /* peer names that something is kept of */
    uint64_t decisions;    /* made so far */
    uint32_t missed;       /* peers whose advice the last release or mode gave again */
    struct engine_counts counts;
};

struct inspect_status inspect_status(const struct engine *engine, uint64_t now_us);

/* ---- trigger instances ---- */

struct inspect_instance {
    const char *name;    /* "srtt:overseas" */
    const char *trigger; /* "srtt" */
    bool open;           /* false: closed after failures */
    bool samples;        /* it evaluates path summaries */
    bool finds_dead;     /* it finds every path on which nothing comes any more */
    uint32_t failures;
};

/* In file order; false: there are no more. */
bool inspect_instance(const struct engine *engine, size_t place, struct inspect_instance *ret);

/* ---- uplinks ---- */

struct inspect_uplink {
    const char *name;
    const char *interface;
    enum uplink_class class;
    bool configured;       /* by a section; else learned */
    const char *condition; /* "up", or what it lacks: names.c */
    uint64_t for_us;       /* so long */
    bool route4, route6;   /* a route to everywhere, by family */
    uint32_t peers;        /* connections that use it; 0 where there is only one uplink */
    uint64_t rtt_us;       /* of these, about; INSPECT_NEVER: not measured */
    uint64_t heard_us;     /* so long ago something got through; INSPECT_NEVER: not yet */
    bool suspect;          /* connections left it since then: it must be proven to come back */
    uint64_t penalty_us;   /* not tried for so long: of the worse family; 0: no penalty */
    bool held;             /* by an operator */
    uint64_t held_for_us;  /* INSPECT_NEVER: until released */
    /* the proof that connections wait for to come back */
    bool proving;
    uint32_t proof_good, proof_needed; /* probes in a row */
    uint64_t proof_us;                 /* over at least so long */
    /* the last record of it; NULL, INSPECT_NEVER: none yet */
    const char *change, *change_reason;
    uint64_t change_us; /* so long ago */
};

/* In short: what keeps connections off it, in this order; up: nothing does. */
enum inspect_uplink_state {
    INSPECT_UPLINK_ABSENT,
    INSPECT_UPLINK_NO_CARRIER,
    INSPECT_UPLINK_NO_ADDRESS,
    INSPECT_UPLINK_NO_ROUTE,
    INSPECT_UPLINK_HELD,
    INSPECT_UPLINK_PENALTY,
    INSPECT_UPLINK_UNPROVEN,
    INSPECT_UPLINK_UP,
    INSPECT_UPLINK_STATES
};

enum inspect_uplink_state inspect_uplink_state(const struct inspect_uplink *uplink);
const char *inspect_uplink_state_name(enum inspect_uplink_state state);

/* In file order; false: there are no more. */
bool inspect_uplink(const struct engine *engine, uint64_t now_us, size_t place,
                    struct inspect_uplink *ret);

/* By its name, else by its interface's. */
bool inspect_uplink_find(const struct engine *engine, uint64_t now_us, const char *name,
                         struct inspect_uplink *ret);

/* ---- relays ---- */

struct inspect_relay {
    const char *trigger; /* instance; NULL: no trigger knows relays, the node has named it */
    struct pd_relay_report report;
    uint64_t probed_ago_us; /* INSPECT_NEVER: never */
};

/* Where a walk over all relays of all triggers is; zeroed at its beginning. */
struct inspect_relay_walk {
    size_t instance, place;
    bool any; /* one has come so far */
};

/* False: there are no more. */
bool inspect_relay(const struct engine *engine, uint64_t now_us, struct inspect_relay_walk *walk,
                   struct inspect_relay *ret);

struct inspect_relayed {
    const char *trigger; /* that says why; NULL: none does */
    struct pd_relayed_report report;
};

/* What triggers say of the connection at that place of the table, which goes over a relay. False:
 * there is none, or it does not. */
bool inspect_relayed(const struct engine *engine, uint32_t index, struct inspect_relayed *ret);

/* ---- peers ---- */

enum inspect_state {
    INSPECT_UP,
    INSPECT_GONE,       /* the node said that there is no such connection */
    INSPECT_UNREPORTED, /* the node's socket is down, or its snapshot not complete */
};

/* How a connection is, as far as is known: the first of these that is true. */
enum inspect_condition {
    INSPECT_IS_GONE,       /* as INSPECT_GONE */
    INSPECT_IS_UNREPORTED, /* as INSPECT_UNTOLD */
    INSPECT_IS_UNSEEN, /* no row for longer than three rounds and a second, or the node is silent */
    INSPECT_IS_NEW,    /* no row yet */
    INSPECT_IS_SILENT, /* dead, as docs/decisions.md defines it */
    INSPECT_IS_MOVING, /* a request is under way, or what was advised or moved has shown no life yet
                        */
    INSPECT_IS_IDLE,   /* nothing came since the row before, and nothing is outstanding */
    INSPECT_IS_UP,
};

enum inspect_move {
    INSPECT_IDLE,
    INSPECT_QUEUED,  /* waits for the budget */
    INSPECT_OPEN,    /* asked, not answered */
    INSPECT_WAITING, /* an attempt failed, the next waits for its time */
};

struct inspect_peer {
    uint32_t index; /* its place in the table */
    uint64_t conn;
    const char *name;
    const char *local, *remote, *via; /* NULL: not told */
    const char *interface;            /* that it is bound to; NULL: to none, as far as is known */
    const char *uplink;               /* that it uses; NULL: none is known */
    enum pd_role role;
    enum inspect_state state;
    enum inspect_move move;
    enum inspect_condition condition;
    uint64_t silent_us; /* without a sign of life, as far as was seen; INSPECT_NEVER: no row yet */
    bool migratable, reconnectable; /* as the node said */
    bool disabled, undialable;      /* as it answered */
    bool held;                      /* by name; not: all */
    uint64_t held_left_us;          /* INSPECT_NEVER: until released */
    uint64_t up_for_us;
    uint64_t polled_ago_us;                     /* INSPECT_NEVER: no row yet */
    uint64_t srtt_us, latest_rtt_us, rttvar_us; /* PD_UNKNOWN: never told */
    uint64_t rtt_samples, bytes_sent, bytes_received;
    uint64_t in_flight_bytes;
    uint32_t rtt_us[3]; /* the last fresh ones, newest first */
    uint32_t n_rtt;
    uint64_t stalled_us; /* without progress; INSPECT_NEVER: no row yet */
    uint32_t stalled_polls;
    bool unanswered_throughout;
};

bool inspect_find(const struct engine *engine, uint64_t now_us, const char *name,
                  struct inspect_peer *ret);

/* The next one at a place from `*place` on and before `end`; moves `*place`
 * behind it. False: none there; `*place` is then `end`, or the table's end. */
bool inspect_next(const struct engine *engine, uint64_t now_us, uint32_t *place, uint32_t end,
                  struct inspect_peer *ret);

/* Places in the table; those of peers that went are empty. */
uint32_t inspect_places(const struct engine *engine);

struct inspect_tally {
    uint32_t up, gone, unreported;
    uint32_t client, server; /* of those that are up */
    uint32_t fixed;          /* up, and may be neither migrated nor reconnected */
    uint32_t disabled;       /* up, client, and may not be migrated */
    uint32_t measured;       /* up, and an RTT is known */
    uint32_t silent, unseen; /* up, and of that condition */
    uint32_t moving, idle, new;
    uint32_t relayed;          /* up, and goes over a relay */
    uint32_t watched, cooling; /* may be fewer by the next event */
    uint32_t held;             /* by name, connected or not told */
};

/* Adds those at places from `begin` on and before `end`. */
void inspect_tally(const struct engine *engine, uint64_t now_us, uint32_t begin, uint32_t end,
                   struct inspect_tally *tally);

bool inspect_held(const struct engine *engine, uint64_t now_us, const char *name);

/* How many names are held each by itself, connected or not; some of them into `names`. */
uint32_t inspect_holds(const struct engine *engine, uint64_t now_us, const char **names,
                       uint32_t most);

/* ---- why a peer was or was not moved ---- */

#define INSPECT_QUESTIONS 6u

/* What advice of this kind would get now. */
struct inspect_verdict {
    enum pd_kind kind;
    enum by by;
    bool fallback; /* the fallback's own advice */
    enum verdict verdict;
    uint64_t into;      /* merged: which decision */
    uint32_t applies;   /* bit per verdict: rows of the gate that apply, each by itself */
    const char *target; /* the uplink that it would go to, by name; NULL: none would be named */
    char choice[192];   /* why that one, or why none; "": there is nothing to choose */
};

struct inspect_explain {
    struct inspect_peer peer;
    bool reconnect_possible;
    uint64_t cooldown_us, cooling_left_us; /* 0: not cooling */
    uint64_t backoff_left_us[2];           /* by enum by; 0: none */
    uint64_t backoff_dead_left_us[2];      /* the same of `dead`, which waits for less */
    uint32_t tokens, tokens_most;
    uint64_t token_in_us; /* until one more; 0: none is missing */
    uint64_t moved_in_us; /* until one for `moved`, which has its own; 0: now */
    uint64_t gap_left_us; /* until a reconnect of this name; 0: none */
    uint64_t requested_ago_us;
    uint64_t moved_ago_us; /* INSPECT_NEVER: never */
    bool watched, evaluated, polled_closely;
    uint64_t watch_left_us;
    const char *dial, *dial_why; /* when the fallback would close it; NULL: it does not watch it */
    uint64_t dial_after_us;      /* so long without progress; INSPECT_NEVER */
    const char *remembered;      /* the reason of advice that will be given again; NULL: none */
    char waits[300];             /* what degraded advice waits for; "": nothing is deferred */
    uint64_t decision, request;  /* of the move; 0: none */
    uint32_t attempt;
    bool gives_way;     /* to `moved` advice that leads elsewhere */
    uint64_t waits_for; /* request that was taken back, for whose answer the move waits; 0: none */
    uint64_t move_for_us;
    struct inspect_verdict verdicts[INSPECT_QUESTIONS];
};

bool inspect_explain(const struct engine *engine, uint64_t now_us, const char *name,
                     struct inspect_explain *ret);

/* The instances that a peer belongs to; `place` is that of the trigger, and `text`
 * what it has to say of the peer, "" for nothing. `ret->name` is NULL where no
 * instance of that trigger has it. False: there are no more triggers. */
bool inspect_membership(const struct engine *engine, uint64_t now_us, const char *name,
                        size_t place, struct inspect_instance *ret, char text[PD_SAVED_MAX]);

/* ---- the last decisions, outcomes and effects ---- */

/* Goes back in time. `*before` is the number of the record to stop before, 0 for
 * the newest; it becomes the number of the one returned. NULL: no more are kept. */
const struct record *inspect_record(const struct engine *engine, uint64_t *before);

/* The same for many: finds its place only once. Zeroed but for `before` it begins there; no event
 * may come before it ends. */
struct inspect_walk {
    uint64_t before;
    bool begun;
    size_t place;    /* of the last turn's records, those before it were not looked at */
    uint64_t number; /* of the last of these that is kept */
};

const struct record *inspect_walk(const struct engine *engine, struct inspect_walk *walk);

#endif
