/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The core: takes one event at a time, runs it through the stages (trigger →
 * advice → gate → request → outcome → effect → record) and leaves what is to be
 * done in an outbox. No system call, no clock, no socket: the shell does the
 * I/O. The same events always give the same outbox, to the byte.
 */
#ifndef ENGINE_H
#define ENGINE_H

#include "config.h"
#include "event.h"
#include "record.h"

struct engine;

/* ---- the outbox ---- */

enum action_type {
    ACTION_SUMMARY,   /* ask for path summaries */
    ACTION_MIGRATE,   /* migrate_peer */
    ACTION_RECONNECT, /* reconnect_peer */
    ACTION_PROBE,
    ACTION_PROBE_PATH, /* does the path over an interface live? The connection stays where it is */
    ACTION_QUERY,      /* ask a trigger's source */
    ACTION_CANCEL,     /* a migrate or reconnect is taken back: its answer is not waited for */
    ACTION_CLOSE,      /* stop a trigger's source: its policy is closed */
};

struct action_summary {
    uint64_t poll;         /* comes back in EVENT_SUMMARY_DONE */
    const uint64_t *conns; /* at most 4096; NULL: all peers */
    size_t n_conns;
};

struct action_move {
    uint64_t request; /* comes back in EVENT_ANSWER */
    uint64_t conn;
    uint32_t timeout_ms;
    const struct text *reason;
    const char *interface, *local, *via; /* NULL: leave it out */
    bool keep_old; /* of a reconnect: dial first, and close when the new connection is confirmed */
};

struct action_cancel {
    uint64_t request; /* of the migrate or reconnect */
};

struct action_probe {
    const uint64_t *conns;
    size_t n_conns;
};

struct action_probe_path {
    uint64_t probe; /* comes back in EVENT_PROBED */
    uint64_t conn;
    const char *interface; /* valid as long as the outbox */
    uint32_t timeout_ms;
};

struct action_query {
    uint32_t instance; /* index into engine_config.instances */
    struct pd_query query;
};

struct action_close {
    uint32_t instance; /* as above */
};

struct action {
    enum action_type type;
    union {
        struct action_summary summary;
        struct action_move move;
        struct action_probe probe;
        struct action_probe_path probe_path;
        struct action_cancel cancel;
        struct action_query query;
        struct action_close close;
    };
};

/* What one event led to. Owned by the engine, valid until the next call of
 * engine_handle. Actions go first: a request does not wait for its record. */
struct outbox {
    const struct action *actions;
    size_t n_actions;
    const struct record *records;
    size_t n_records;
    uint64_t wake_at_us; /* when EVENT_TIMER is wanted, UINT64_MAX: never */
};

/* ---- calls ---- */

/* `config` and all that it points to must outlive the engine. A trigger whose
 * start fails is closed and said so in the first outbox. Returns 0 or -errno
 * (-EINVAL: more instances or larger state than is allowed). The start is at
 * `now_us`. */
int engine_new(const struct engine_config *config, uint64_t now_us, uint64_t realtime_us,
               struct engine **ret_engine);

/* Stops the triggers. NULL is fine. Returns NULL. */
struct engine *engine_free(struct engine *engine);

/* Runs one event through. Memory that cannot be had ends the process. */
const struct outbox *engine_handle(struct engine *engine, const struct event *event);

/* The same in steps. engine_ask_more() is called until it returns false: each of
 * these leaves further actions in the outbox, behind those that are there. They are to be
 * carried out before the last step, engine_settle(), which enters what was asked: a request does
 * not wait for its record, nor for what ten thousand others leave to be done. Enters `most` of them
 * and returns false while there are more; then all is in the outbox. */
const struct outbox *engine_ask(struct engine *engine, const struct event *event);
bool engine_ask_more(struct engine *engine);
bool engine_settle(struct engine *engine, size_t most);

/* Another configuration: taken by the next EVENT_COMMAND / COMMAND_CONFIG. What was
 * learnt of connections stays. `config` must outlive the engine or the next
 * taking; the old one is not used after that event. -EINVAL: more instances or
 * larger state than is allowed, and nothing will change. */
int engine_configure(struct engine *engine, const struct engine_config *config);

/* The outbox of the last call. */
const struct outbox *engine_outbox(const struct engine *engine);

/* ---- what was learnt (learnt.h), for the next run ---- */

/* All but the lists. */
struct learnt engine_learnt(const struct engine *engine);

void engine_learnt_names(const struct engine *engine,
                         void (*each)(void *user, const struct learnt_name *name), void *user);

/* Where a walk over the connections stands; zeroed is its beginning. */
struct learnt_walk {
    uint32_t index;
    size_t waiting;
};

/* Looks at no more than `most` connections and gives those that something was learnt
 * of. Returns false at the end. Events may come between two calls: a connection
 * that comes or goes meanwhile is given or not. Changes nothing. */
bool engine_learnt_peers(const struct engine *engine, struct learnt_walk *walk, size_t most,
                         void (*each)(void *user, const struct learnt_peer *peer), void *user);

/* ---- questions (for status, and for the tests' invariants) ---- */

struct engine_counts {
    uint32_t peers;      /* connections known */
    uint32_t open;       /* requests open */
    uint32_t queued;     /* waiting for the budget */
    uint32_t retrying;   /* waiting for their next attempt */
    uint32_t effects;    /* moves that are still being evaluated */
    uint32_t remembered; /* advice that will be given again */
    uint32_t suppressed; /* refusals that repeat */
    uint32_t causes;     /* open causes */
    uint64_t ignored;    /* events about connections or requests that are not known */
};

struct engine_counts engine_counts(const struct engine *engine);

#endif
