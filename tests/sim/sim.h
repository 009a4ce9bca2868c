/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The simulator: random things happen to an engine, and after each of them what
 * must always hold is checked. Where the choices come from is open: a generator
 * with a seed, or the bytes of a fuzzer.
 */
#ifndef SIM_H
#define SIM_H

#include "choice.h"
#include "engine/engine.h"
#include "hosts.h"
#include "poke.h"

#define SIM_NAMES     48
#define SIM_INSTANCES 4
#define SIM_CAUSES    8

/* How the rows of a connection look. */
enum sim_life {
    SIM_ALIVE,
    SIM_FROZEN,  /* sends, gets nothing back */
    SIM_ONE_WAY, /* gets, but what it sends does not arrive */
    SIM_STARVED, /* small packets arrive, data does not */
    SIM_IDLE,
    SIM_WILD, /* any value in any column */
    SIM_LIVES
};

/* By its peer, as triggers said last. */
enum sim_given_up {
    SIM_NOT_GIVEN_UP,
    SIM_GIVEN_UP,
    SIM_MAYBE_GIVEN_UP, /* it was said, and an instance may have ended since */
};

/* What the node has told of the present connection of a name, and what can be
 * known of it from that: the model that the engine is compared with. */
struct sim_peer {
    char name[16];
    bool known; /* the engine should know it */
    bool unreported;
    bool disabled, undialable; /* was answered, learnt */
    bool migratable, reconnectable;
    bool gone; /* answered not_connected */
    enum sim_given_up given_up;
    uint64_t given_up_turn;     /* when that was said last */
    enum sim_given_up unrouted; /* the same of `no_route` */
    uint64_t unrouted_turn;
    enum pd_role role;
    uint64_t conn;
    uint64_t up_us;
    uint64_t reconnect_us; /* the last reconnect asked of this name, 0: none */
    uint64_t sooner_us;    /* when as many as possible may again come sooner than the gap */
    uint64_t request;      /* that is open for this name, 0: none */
    bool taken_back;       /* the one before it, in this turn */
    /* the rows that the node tells of it */
    enum sim_life life;
    struct pd_row row;
    bool has_row;
    uint64_t unacked_us; /* since when application data is unacknowledged; 0: none is */
    /* progress evaluated from them once more, independently */
    bool measured;
    struct pd_row last; /* of each column the last that was told */
    uint64_t poll_us;   /* 0: no row yet */
    uint64_t received;  /* as last told, PD_UNKNOWN: never */
    uint64_t progress_us;
    /* its path, and the interface that it was moved to: 1 more than its number, 0: none */
    struct pd_address local, remote;
    size_t bound;
    uint64_t waits_us;  /* since then its advice is not decided, or it awaits; 0: it does not */
    uint64_t return_us; /* the last that succeeded, from one that is not metered; 0: none */
    /* of the run before, until the snapshot */
    uint64_t kept_conn; /* 0: none */
    bool kept_disabled, kept_undialable;
    /* ours, by name or for all */
    bool held;
    uint64_t held_until_us;
};

struct sim_request {
    uint64_t conn;
    uint64_t decision;
    struct sim_peer *peer;        /* by name */
    uint64_t stalled_us;          /* without progress, when it was asked */
    uint64_t gap_us;              /* since the last reconnect of this name; NEVER: none */
    uint64_t reconnect_before_us; /* when that was; 0: never */
    uint32_t attempt;
    uint32_t timeout_ms;
    enum by by;
    size_t interface; /* that it names; HOST_INTERFACES: none of the host */
    bool prescribed;  /* by whoever advised it */
    bool returns;     /* to where it was before, from one that is not metered */

    bool quiet_enough; /* for the fallback */
    bool open, answered, cancelled;
    bool keep_old, by_operator;
};

enum sim_decision {
    SIM_UNSEEN,
    SIM_QUEUED,
    SIM_REFUSED, /* or ended without a request */
    SIM_ASKED,
    SIM_MOVED, /* its effect is awaited */
    SIM_EVALUATED,
    SIM_SUPPRESSED,      /* the last of repeats that were counted */
    SIM_FALLBACK = 0x80, /* beside one of these */
};

/* A configuration as the engine is given it. */
struct sim_setup {
    struct engine_config config;
    struct instance_config instances[SIM_INSTANCES];
    uint32_t owners[SIM_INSTANCES]; /* which poke is behind an instance */
    struct uplink_config uplinks[HOST_SECTIONS];
};

struct sim {
    struct choice choice;
    struct hosts hosts;
    struct sim_setup setups[2]; /* the present one, and the one before or after it */
    unsigned setup;
    struct engine_config config; /* the present one */
    uint64_t least_gap_us;       /* of all there were */
    uint64_t least_fallback_us;
    uint64_t most_timeout_us;
    uint32_t open_before; /* the present turn */
    struct globs *some;   /* that some peers match */
    struct pd_value values[SIM_INSTANCES];
    struct poke pokes[SIM_INSTANCES];
    struct engine *engine;
    const struct outbox *box;
    struct event event; /* the present one */
    uint64_t step;
    uint64_t turn;
    uint64_t now_us;
    bool trace;
    bool failing; /* the triggers fail now and then, until they are closed */
    bool rubbish; /* rows contradict themselves */
    uint64_t digest;
    /* the node */
    bool up, reported;
    uint32_t boot;
    char last_boot[64]; /* "" before the first */
    uint32_t features;
    bool prefer_reconnect;
    uint32_t node_budget;
    uint64_t last_conn;
    uint64_t poll;    /* the last that was asked for */
    bool looking;     /* it is not answered */
    uint64_t late_us; /* how much the timer is overdue in the present turn */
    struct sim_peer peers[SIM_NAMES];
    struct sample_row rows[8];
    char text[4][64];
    bool all_held;
    uint64_t all_held_until_us;
    bool observing;
    uint64_t causes[SIM_CAUSES]; /* open */
    /* what came of it */
    struct sim_request *requests; /* by number, from 1 */
    size_t n_requests, requests_capacity;
    uint32_t open;
    uint8_t *decisions; /* enum sim_decision by number, from 1 */
    size_t n_decisions, decisions_capacity;
    uint64_t firsts, repeats; /* decisions said first, and counted */
    uint64_t advised;         /* by all pokes, before the present turn */
    uint64_t last_decision;   /* the same */
    uint32_t undecided;       /* the same: advice that waits, and was not decided yet */
    uint32_t queued, moved;
    uint64_t waited, awaited; /* connections by turns */
    uint64_t scouts,
        nowhere; /* events of whole uplinks: with a scout, and where there is no other uplink */
    uint64_t slow_until_us; /* the link that most connections share is full */
    uint32_t taken_back;    /* in this turn, and nothing has taken their place yet */
    uint64_t verdicts[VERDICT_COUNT], outcomes[OUTCOME_COUNT], effects[EFFECT_COUNT];
    uint64_t fallbacks, restarts, given_ups;
};

/* sim.c */
void sim_init(struct sim *sim, struct choice choice);
void sim_step(struct sim *sim);
void sim_configure(struct sim *sim);  /* another config, for the command that is next */
void sim_configured(struct sim *sim); /* it is taken now */
void sim_handle(struct sim *sim);     /* has sim.event handled, and checks what came of it */
void sim_finish(struct sim *sim);     /* stops the engine and checks that nothing is left */

__attribute__((noreturn, format(printf, 2, 3))) void sim_fail(const struct sim *sim,
                                                              const char *format, ...);

#define SIM_CHECK(sim, condition, ...)                                                             \
    do {                                                                                           \
        if (!(condition))                                                                          \
            sim_fail(sim, __VA_ARGS__);                                                            \
    } while (0)

/* restart.c */
void sim_restart(struct sim *sim);

/* world.c: fills sim.event with the next thing that happens. */
void world_next(struct sim *sim);
/* A connection, mostly one that is known. */
uint64_t world_conn(struct sim *sim);

/* rows.c: the same, with rows; of the second there is one, and nobody asked for it. */
void rows_next(struct sim *sim);
void rows_push(struct sim *sim);

/* model.c: takes an event over, before the engine does. */
void model_event(struct sim *sim);
struct sim_peer *model_find(struct sim *sim, uint64_t conn);
bool model_held(const struct sim *sim, const struct sim_peer *peer);

/* check.c: takes what the engine did over, and checks it. */
void check_outbox(struct sim *sim);
void check_stopped(struct sim *sim);

struct sim_request *request_of(struct sim *sim, uint64_t request);

/* check-newer.c: the same, of requests that are taken back. What the node is told; how they end;
 * what takes their place. */
void check_cancels(struct sim *sim);
void check_cancelled(struct sim *sim, const struct record_outcome *record);
void check_newer(struct sim *sim, const struct record_decision *record);
void check_taken_back(struct sim *sim);

/* given-up.c */
void given_up_init(struct sim *sim);
void given_up_unsure(struct sim *sim);
void given_up_check(struct sim *sim, const struct sim_request *request,
                    const struct record_decision *record);

/* check-uplinks.c: the same, of what has to do with uplinks. */
void check_request_uplink(struct sim *sim, const struct action_move *move,
                          struct sim_request *request);
void check_probe_path(struct sim *sim, const struct action_probe_path *probe);
void check_decision_uplink(struct sim *sim, const struct record_decision *record);
void check_outcome_uplink(struct sim *sim, const struct record_outcome *record);
void check_uplinks(struct sim *sim);

/* check-fate.c: the same, of advice that waits. How much of it is not decided? */
uint32_t check_fate(struct sim *sim);

/* digest.c */
void digest_event(struct sim *sim);
void digest_outbox(struct sim *sim);

#endif
