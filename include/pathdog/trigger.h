/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a trigger is, and what it may call: the ABI between pathdog and a
 * policy in a shared object. docs/triggers.md shows how to write one.
 *
 * A trigger exports one const descriptor, `pathdog_trigger`, and nothing else
 * (a source, if it has one, is `pathdog_source`; see source.h). It advises; it
 * never acts. Everything it is told is a value and everything it knows of time
 * is an argument: a policy opens no descriptor, reads no clock, has no mutable
 * file-scope variable, and so can be replayed.
 */
#ifndef PATHDOG_TRIGGER_H
#define PATHDOG_TRIGGER_H

#include <pathdog/path.h>

/* Exact match until 1.0: a trigger built for another number is refused. */
#define PD_TRIGGER_ABI 4u

/* All times are microseconds, those of events on CLOCK_MONOTONIC. */

/* ---- options: the config is checked against this table ---- */

enum pd_option_type {
    PD_OPTION_TIME,     /* "200ms": number, microseconds */
    PD_OPTION_INTEGER,  /* number */
    PD_OPTION_SIZE,     /* "64K": number, bytes */
    PD_OPTION_BOOLEAN,  /* number, 0 or 1 */
    PD_OPTION_FRACTION, /* "1/4": number, permille */
    PD_OPTION_TEXT,     /* text */
    PD_OPTION_GLOBS,    /* text: fnmatch(3) patterns separated by spaces */
    PD_OPTION_PATH,     /* text: an absolute path, of at most `max` bytes */
    PD_OPTION_GROUP,    /* text: a group of this machine */
    PD_OPTION_MODE,     /* text: a file's mode, octal, at most 0777 */
};

struct pd_option {
    const char *name;
    enum pd_option_type type;
    const char *default_text; /* as the file would say it; NULL: not set */
    uint64_t min, max;        /* of a number, both allowed; max 0: no limit, also of a path */
    const char *help;         /* one line, no full stop */
};

/* The value of one option, in the order of the table. */
struct pd_value {
    uint64_t number;  /* 0 where not set */
    const char *text; /* NULL where not set; owned by the host */
    bool given;       /* false: neither in a file nor by default */
};

/* ---- what a policy is told ---- */

struct pd_host;

/* Every callback's first argument: who is called, and when. */
struct pd_turn {
    const struct pd_host *host; /* what may be called, below */
    void *self;                 /* this instance's state: `instance_size` bytes, zeroed at start */
    uint64_t now_us;
};

struct pd_start {
    const char *instance;          /* "srtt", "srtt:overseas" */
    const struct pd_value *values; /* one per option; stays valid until stop */
    uint64_t sample_interval_us;   /* the usual time between two rows of a peer */
    uint64_t close_interval_us;    /* the same under a close look */
};

/* The node beside us came up (again). */
struct pd_node_event {
    const char *node;
    uint32_t uid;   /* of the node's process, UINT32_MAX: not known */
    bool same_boot; /* connections told again are the ones known before */
};

enum pd_peer_change {
    PD_PEER_UP,       /* a new connection */
    PD_PEER_TOLD,     /* told again after the node's socket was down: the same connection */
    PD_PEER_DOWN,     /* gone; its state is freed after this call */
    PD_PEER_PATH,     /* the node says that its path changed */
    PD_PEER_MIGRATED, /* a migration of ours succeeded */
    PD_PEER_MISSING,  /* a complete round of summaries had no row for it */
};

struct pd_peer_event {
    enum pd_peer_change change;
    const struct pd_peer *peer;
    void *state; /* this trigger's state of the peer: `peer_size` bytes, zeroed at PD_PEER_UP */
    /* of PD_PEER_MIGRATED: what the request asked for. The node may have told it before this, or
     * tell it later: what is in force is peer->path->via */
    const char *via; /* NULL: it named none */
    bool asked;      /* by an operator */
};

/* A relay that connections may go over. */
struct pd_relay {
    const char *name;    /* as in `via`, never "direct" */
    const char *address; /* in its usual form, with a port */
    const char *speaks;  /* "reg-ack" or "pilot" */
};

/* What the node says of relays; all of it, each time. */
struct pd_relays {
    bool obeys; /* it has the feature "relay": it obeys `via` */
    bool told;  /* it has sent a list, maybe an empty one; false: it leaves that to others */
    const struct pd_relay *list;
    size_t n;
    const uint8_t *key; /* of the node, for a choice that differs between nodes; NULL: not told */
    size_t n_key;
};

/*
 * A row came. What the node says is in `row`; the rest is what pathdog makes of it.
 * Acknowledged and heard are two things: `acknowledged` says that the peer got something
 * of ours, `heard` that packets of the peer arrive here.
 *
 * Ages and times are microseconds, as of the row's arrival (turn->now_us). An age can
 * only be seen in rows: none is longer than it really was. PD_UNKNOWN is "not known",
 * never 0.
 */
struct pd_sample {
    const struct pd_peer *peer;
    void *state;
    const struct pd_row *row;
    uint32_t columns;      /* bit per pd_column that the node reports at all */
    bool fresh;            /* measured, and with a new RTT sample since the last row */
    bool acknowledged;     /* fresh, or acked_bytes grew */
    bool heard;            /* bytes_received grew, or silent_ms is since the last row */
    bool one_way;          /* heard, but nothing acknowledged, and application data is
                            * unacknowledged for at least 1.5 s and 6 PTO */
    bool starved;          /* starved_us is at least 3 s and 6 PTO: small packets get through */
    bool progress;         /* acknowledged or heard, and neither one-way nor starved */
    bool application;      /* what is unacknowledged holds application data; else it is at most a
                            * keep-alive. Where the node does not say it: judged by its size */
    bool deserted;         /* others left the uplink that this connection uses, since nothing gets
                            * through there, and nothing was acknowledged over it since */
    bool in_flight;        /* a request of ours for this connection is open */
    bool regular;          /* the one row of each sample_interval: fast polls, and what the node
                            * sends unasked less than 4/5 of it after the last such, are not */
    uint64_t last_look_us; /* when the row before this one came; 0: this is the first */

    /* Since the last packet came from the peer. The node's own silent_ms of this row;
     * PD_UNKNOWN: the row does not say it. */
    uint64_t silent_us;

    /* Since the last row with progress; before there was one, since the first row.
     * Always known; 0 in a row with progress. Another path does not begin it anew. */
    uint64_t stalled_us;

    /* Since the oldest application data that is not acknowledged was sent: the node's own
     * unacked_ms, where the row has it. Else for how long something has been unacknowledged
     * without a break: since the first row, from the last acknowledged one on, after which each
     * had bytes in flight (RFC 9002 §2) or a probe timeout (pto_count, RFC 9002 §6.2). Goes on
     * where the peer is heard. 0: nothing is, or (without unacked_ms) this row is the first that
     * shows it; PD_UNKNOWN: the row has none of the three. */
    uint64_t unacked_us;

    /* For how long acked_bytes has stood still while application data was unacknowledged; 0: it
     * grew, or there is none; PD_UNKNOWN: the row lacks acked_bytes or unacked_ms. */
    uint64_t starved_us;

    /* The probe timeout without back-off: the node's pto_us, else by RFC 9002 §6.2.1 from what
     * the row has. Always known. */
    uint64_t pto_us;

    /* The time, not the age, of the row since which there has been no progress though
     * something is outstanding: bytes in flight or a probe timeout in every row, or
     * bytes_sent growing after it. Begins anew with progress, with another path, and
     * with the end of a request of ours. 0: nothing is outstanding. */
    uint64_t outstanding_since_us;
    uint32_t outstanding_rows; /* from that row on, with it; more than 255 are not counted */
};

/* From this trigger's source. `query` is the id that is answered, 0 for none. */
struct pd_signal {
    const char *kind;
    uint64_t query;
    const struct pd_field *fields;
    size_t n_fields;
};

/* ---- what a policy may call; only from within a callback ---- */

/* What advice is about. The gate treats them by strength: moved, dead, degraded, better. */
enum pd_kind {
    PD_KIND_OPERATOR, /* reserved: only pathdog itself */
    PD_KIND_MOVED,    /* the network under the connection changed */
    PD_KIND_DEAD,     /* the path in use is not getting through */
    PD_KIND_DEGRADED, /* it got worse */
    PD_KIND_BETTER,   /* nothing is wrong with it, but another one is to be preferred */
    PD_KIND_COUNT
};

/* Everything is copied (equal neighbours in one turn are stored once). */
struct pd_advice {
    enum pd_kind kind;
    uint64_t cause;     /* from open_cause, 0: this peer by itself */
    const char *reason; /* one short sentence with numbers, no full stop */
    const struct pd_field *evidence;
    size_t n_evidence;
    bool no_target;        /* this trigger knows that there is nowhere else to go */
    const char *interface; /* where to: NULL lets the route table decide */
    const char *local;
    const char *via;
};

/* A question to this trigger's source; it answers with a signal of the same id. */
struct pd_query {
    uint64_t id; /* chosen by the policy, not 0 */
    const struct pd_field *fields;
    size_t n_fields;
};

struct pd_host {
    uint32_t size; /* of this struct: later members may be missing in an older pathdog */

    /* Say that a connection should be moved. Decided after the callback has
     * returned. `advice` NULL: the same as was said last in this callback, of
     * another peer; for thousands of them. 0; -EINVAL: no such peer, kind or
     * reason, or a field's name is not as above (return it, and it counts as a
     * failure). */
    int (*advise)(struct pd_turn *turn, uint32_t peer, const struct pd_advice *advice);

    /* Take back what this instance advised and what still waits (queued or
     * remembered): the reason for it has gone. */
    void (*withdraw)(struct pd_turn *turn, uint32_t peer);

    /* One cause for advice to many peers; its record with the counts is
     * written when it is closed. Returns its number, 0 if too many are open. */
    uint64_t (*open_cause)(struct pd_turn *turn, const char *reason);
    void (*close_cause)(struct pd_turn *turn, uint64_t cause);

    /* Ask for close looks at this peer until `until_us`; 0 ends them. */
    void (*look)(struct pd_turn *turn, uint32_t peer, uint64_t until_us);

    /* Call `timer` at this time, once; a new time replaces the old, 0 is never. */
    void (*set_timer)(struct pd_turn *turn, uint64_t at_us);

    /* Ask the source. Fields are copied. In a replay nothing is asked: the
     * recorded signals come instead. */
    void (*query)(struct pd_turn *turn, const struct pd_query *query);

    /* A connection by its index, NULL if there is none; and this trigger's
     * state of it (NULL if another instance of the trigger has it). Valid
     * until the callback returns. */
    const struct pd_peer *(*peer)(struct pd_turn *turn, uint32_t peer);
    void *(*state)(struct pd_turn *turn, uint32_t peer);

    /* Is a request of ours for this connection open? */
    bool (*in_flight)(struct pd_turn *turn, uint32_t peer);

    /* Something an operator should know; said once per `what` and minute.
     * `what`: [a-z][a-z0-9-]*. */
    void (*notice)(struct pd_turn *turn, enum pd_level level, const char *what, const char *text);

    /* Does advice of this instance for this connection wait, remembered or queued? `moved` advice
     * that was given while a request was open, and does not wait, was asked for instead of that:
     * where it leads elsewhere, the open request is taken back for it. */
    bool (*waits)(struct pd_turn *turn, uint32_t peer);

    /* Have the node send something that the peer must acknowledge, so that a connection
     * with nothing outstanding shows in its rows whether it lives. Nothing happens where
     * the node has no feature "probe", in mode observe, nor for a peer that is held. */
    void (*probe)(struct pd_turn *turn, uint32_t peer);

    /* The peer has most likely given this connection up: from now on `moved` and `dead`
     * advice of any trigger dials it anew rather than migrates it, where the node can and the
     * configuration does not say `prefer = migrate`. False: it has not, after all. */
    void (*given_up)(struct pd_turn *turn, uint32_t peer, bool given_up);

    /* The kernel has no route to this peer: the connection is not closed and dialled anew until
     * there is one. False: there is one again, or it works again; what waits on it is tried at
     * once, when the callback has returned. */
    void (*no_route)(struct pd_turn *turn, uint32_t peer, bool none);
};

/* ---- the descriptor ---- */

/* The longest text that `save` and `tell` may write, with its NUL. */
#define PD_SAVED_MAX 512u

/* For operators: a relay that a trigger knows. Texts live until the trigger's next callback. */
struct pd_relay_report {
    struct pd_relay relay;
    const char *from;     /* who named it: "config", "node", "file", "cache" */
    const char *left_out; /* why no connection is sent over it; NULL: it may be used */
    uint64_t rtt_ns;      /* PD_UNKNOWN: not known */
    const char *error;    /* why not, as of the last probe; NULL: none failed */
    uint64_t probed_us;   /* when it was probed last; 0: never */
    bool pick;            /* the next connection that needs a relay goes over this one */
    const char *why;      /* of the pick: why this one; else NULL */
};

/* For operators: a connection that goes over a relay. Of several triggers each says what it
 * knows. */
struct pd_relayed_report {
    bool pinned;      /* it does not go back by itself */
    const char *rule; /* what sent it there: "silence", "operator", …; NULL: not known */
    /* what is left of its lease there; PD_UNKNOWN: not known, or no limit */
    uint64_t lease_ms, lease_sent_bytes, lease_received_bytes;
};

/*
 * A callback returns 0, or a negative errno: that counts against the instance,
 * and after a few the instance is closed and the reason recorded. Any callback
 * may be NULL. Where `start` failed nothing else is called, `stop` included.
 */
struct pd_trigger {
    uint32_t abi;     /* PD_TRIGGER_ABI */
    uint32_t size;    /* sizeof(struct pd_trigger): later members may be missing in an older one */
    const char *name; /* [a-z][a-z0-9-]{0,31}, the file's name without .so */
    const char *summary;
    const struct pd_option *options; /* ended by a NULL name; NULL: none */
    size_t instance_size;
    size_t peer_size;

    int (*start)(struct pd_turn *turn, const struct pd_start *start);
    void (*stop)(struct pd_turn *turn);
    int (*node)(struct pd_turn *turn, const struct pd_node_event *event);
    int (*peer)(struct pd_turn *turn, const struct pd_peer_event *event);
    int (*sample)(struct pd_turn *turn, const struct pd_sample *sample);
    int (*signal)(struct pd_turn *turn, const struct pd_signal *signal);
    int (*timer)(struct pd_turn *turn);

    /* Across a restart of pathdog, both or none: what must still be known of a
     * connection then, as a text of the trigger's own. `save` changes nothing
     * and has nobody to call; it writes at most `size` bytes with the NUL and
     * returns the text's length, 0 for nothing; a negative errno counts as
     * nothing. `restore` is called right after PD_PEER_UP of the same
     * connection. The text comes from a file: it must be checked, and -EINVAL
     * is noticed but does not count against the instance. */
    int (*save)(const void *self, const struct pd_peer *peer, const void *state, char *text,
                size_t size);
    int (*restore)(struct pd_turn *turn, const struct pd_peer_event *event, const char *text);

    /* For operators ("pathdogctl explain"): what is known of a connection, and how
     * far it is from advice, as a short phrase without full stop ("1 of 2
     * strikes"). As `save` it changes nothing and has nobody to call; it returns
     * the text's length, 0 for nothing to say. */
    int (*tell)(const void *self, const struct pd_peer *peer, const void *state, uint64_t now_us,
                char *text, size_t size);

    /* It finds every path on which nothing comes any more, whatever the cause (a black
     * hole, too). Where no open instance does, "pathdogctl status" says so. */
    bool finds_dead;

    /* From here on: newer than the first descriptors of this ABI, which end at PD_TRIGGER_SIZE_MIN.
     * A trigger that was built with these lacks them. */

    /* What the node says of relays: after each `node`, and whenever it sends another list. */
    int (*relays)(struct pd_turn *turn, const struct pd_relays *relays);

    /* For operators ("pathdogctl relays"), as `tell`: the relay at that place, in the trigger's
     * own order, false where there are no more; and why a connection is on a relay and what is left
     * there, false where it is on none. What is not known is left as it is given. */
    bool (*tell_relay)(const void *self, size_t place, struct pd_relay_report *ret);
    bool (*tell_relayed)(const void *self, const struct pd_peer *peer, const void *state,
                         struct pd_relayed_report *ret);
};

/* The least `size` of a descriptor. */
#define PD_TRIGGER_SIZE_MIN offsetof(struct pd_trigger, relays)

/* Defines the descriptor: PD_TRIGGER(srtt) = { .abi = PD_TRIGGER_ABI, … };
 * A static build (tests, replay) links many triggers and so needs many names. */
#ifdef PD_TRIGGER_STATIC
#define PD_TRIGGER(id)                                                                             \
    extern const struct pd_trigger pathdog_trigger_##id;                                           \
    const struct pd_trigger pathdog_trigger_##id
#else
#define PD_TRIGGER(id)                                                                             \
    extern __attribute__((visibility("default"))) const struct pd_trigger pathdog_trigger;         \
    const struct pd_trigger pathdog_trigger
#endif

#endif
