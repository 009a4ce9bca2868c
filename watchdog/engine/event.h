/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Everything that can happen to the engine, as plain values. Each has a codec
 * to one JSON line (watchdog/codec/codec.h), so that a recording is the whole
 * input. Pointers are borrowed for the call.
 */
#ifndef ENGINE_EVENT_H
#define ENGINE_EVENT_H

#include <pathdog/trigger.h>

#include "learnt.h"

enum event_type {
    EVENT_NODE_UP,   /* hello was answered */
    EVENT_NODE_DOWN, /* the node's socket closed, or could not be opened */
    EVENT_SNAPSHOT,  /* subscribe was answered: every peer that is up has been told */
    EVENT_PEER_UP,
    EVENT_PEER_DOWN,
    EVENT_PEER_PATH,
    EVENT_SAMPLES,      /* rows of a `summaries` line */
    EVENT_SUMMARY_DONE, /* a summary was answered, after all its rows */
    EVENT_ANSWER,       /* to a migrate or reconnect */
    EVENT_SIGNAL,       /* from a trigger's source */
    EVENT_TIMER,        /* the time asked for by wake_at has come */
    EVENT_COMMAND,      /* from an operator or the daemon */
    EVENT_NOTICE,       /* the shell saw something an operator should know */
    EVENT_INTERFACES,   /* the host's possible uplinks, all of them: another, or changed */
    EVENT_PROBED,       /* the answer to a probe_path */
    EVENT_RELAYS,       /* the node's list of relays */
    EVENT_RESTORE, /* what the run before this one had learnt; before the first EVENT_NODE_UP */
    EVENT_TYPE_COUNT
};

enum node_feature {
    NODE_RECONNECT = 1 << 0,
    NODE_BIND = 1 << 1,
    NODE_RELAY = 1 << 2,
    NODE_PROBE = 1 << 3,
    NODE_PROBE_PATH = 1 << 4,
    NODE_PUSH = 1 << 5,              /* sends rows unasked when a path goes bad */
    NODE_MAKE_BEFORE_BREAK = 1 << 6, /* a reconnect dials first, and closes then */
};

struct event_node_up {
    const char *node;           /* its name; "" if it gave none */
    const char *implementation; /* NULL: not told */
    const char *boot;           /* "" if not told: then never the same boot */
    uint32_t features;          /* enum node_feature */
    bool prefer_reconnect;
    uint32_t max_in_flight; /* 0: not told */
    uint32_t uid;           /* SO_PEERCRED, UINT32_MAX: not known */
};

struct event_node_down {
    const char *reason;
};

struct event_peer_up {
    const char *peer; /* 1 … 255 bytes of checked UTF-8 */
    uint64_t conn;
    enum pd_role role;
    const char *local, *remote, *via; /* NULL: absent */
    bool migratable, reconnectable;
    const char *interface; /* that its socket is bound to; NULL: absent */
};

struct event_peer_down {
    uint64_t conn;
    const char *reason; /* NULL: absent */
};

/* Members that are NULL are absent: what was known of them stays. But an interface belongs to the
 * socket: other addresses without one are those of a socket that is bound to none. */
struct event_peer_path {
    uint64_t conn;
    const char *local, *remote, *via;
    const char *interface;
};

struct sample_row {
    uint64_t conn;
    struct pd_row row;
};

struct event_samples {
    uint32_t columns; /* bit per pd_column that the line had */
    const struct sample_row *rows;
    size_t n_rows;
};

struct event_summary_done {
    uint64_t poll;   /* the number given by the action */
    bool failed;     /* answered with an error, or given up by the link */
    bool unanswered; /* failed, and it was given up: the node did not answer */
};

/* JSON-RPC error codes of the node protocol. */
enum node_error {
    NODE_ERROR_NONE = 0,
    NODE_NOT_CONNECTED = -32001,
    NODE_NO_CONN = -32002,
    NODE_PEER_DISABLE_MIGRATION = -32003,
    NODE_TIMEOUT = -32004,
    NODE_NOT_MIGRATABLE = -32005,
    NODE_BUSY = -32006,
    NODE_NO_PATH = -32007,
    NODE_UNKNOWN_VIA = -32008,
    NODE_DIAL_FAILED = -32009,
    NODE_UNSUPPORTED_PROTOCOL = -32010,
    NODE_OLD_LIVES = -32011, /* of a reconnect with keep_old: the new connection was given up */
    NODE_CANCELLED = -32012, /* of a request that was taken back */
};

struct event_answer {
    uint64_t request;  /* the number given by the action */
    bool ok;           /* a result; else an error, or a malformed answer */
    bool malformed;    /* neither a readable result nor a readable error: `failed` */
    bool validated;    /* of a migrate */
    const char *local; /* of a migrate; NULL: absent or unreadable */
    uint64_t conn;     /* of a reconnect; 0: absent */
    int64_t code;      /* of an error */
    const char *message;
};

/* Does the path over an interface live? A connection that went meanwhile is an error, too. Those
 * that are open when the node goes have no such event: EVENT_NODE_DOWN ends them. */
struct event_probed {
    uint64_t probe;      /* the number given by the action */
    bool ok;             /* a result; else an error, a malformed answer, or none in time */
    uint64_t rtt_us;     /* of a result */
    int64_t code;        /* of an error; 0: malformed, or given up by the link, or never asked */
    const char *message; /* of an error; NULL: absent */
};

struct event_signal {
    const char *trigger; /* instance */
    const char *kind;
    uint64_t query; /* 0: none */
    const struct pd_field *fields;
    size_t n_fields;
};

enum command_type {
    COMMAND_MOVE,
    COMMAND_HOLD,
    COMMAND_RELEASE,
    COMMAND_MODE,
    COMMAND_CONFIG, /* takes what engine_configure() was given before */
    COMMAND_STOP,   /* the last event: requests open become `unanswered` */
};

enum command_by {
    COMMAND_BY_DEFAULT,
    COMMAND_BY_MIGRATE,
    COMMAND_BY_RECONNECT,
};

struct event_command {
    enum command_type type;
    const char *peer;   /* name; NULL: all */
    enum command_by by; /* of a move */
    const char *uplink; /* of a hold or release: of this uplink instead of a peer, by its name */
    const char *interface, *local, *via; /* of a move, NULL: not said */
    const char *who;                     /* for the reason: "uid 1000"; NULL: not known */
    uint64_t duration_us;                /* of a hold, 0: until released */
    bool observe;                        /* of a mode */
    const char *config;                  /* of a config: the effective file as text, for replay */
};

struct event_notice {
    enum pd_level level;
    const char *what; /* kind, [a-z][a-z0-9-]* */
    const char *text;
    uint64_t count; /* how many such there were, at least 1 */
};

/* A possible uplink: it has a route to everywhere, or had one until it lost its carrier, or a
 * section of the configuration names it. */
struct event_interface {
    const char *name;
    const char *addresses; /* separated by blanks, without prefix lengths; only usable ones */
    bool carrier;          /* and it is up */
    bool modem;            /* by its kind what it carries is paid for */
    bool route4, route6;   /* a route to everywhere leads over it */
};

struct event_interfaces {
    const struct event_interface *list;
    size_t n;
};

#define RELAYS_MAX    64u /* in one list */
#define RELAY_KEY_MAX 64u /* bytes */

/* In the place of the list before. */
struct event_relays {
    const struct pd_relay *list; /* each name and address checked, no name twice */
    size_t n;
    const char *key; /* of the node, an even number of hexadecimal digits; NULL: absent */
};

struct event {
    enum event_type type;
    uint64_t now_us;      /* CLOCK_MONOTONIC, never less than the event's before */
    uint64_t realtime_us; /* CLOCK_REALTIME, for the records only */
    union {
        struct event_node_up node_up;
        struct event_node_down node_down;
        struct event_peer_up peer_up;
        struct event_peer_down peer_down;
        struct event_peer_path peer_path;
        struct event_samples samples;
        struct event_summary_done summary_done;
        struct event_answer answer;
        struct event_signal signal;
        struct event_command command;
        struct event_notice notice;
        struct event_interfaces interfaces;
        struct event_probed probed;
        struct event_relays relays;
        struct learnt restore;
    };
};

#endif
