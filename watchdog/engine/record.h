/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was decided, asked, answered and found: the records, as values. How
 * they look as JSON, text or journal fields is watchdog/out/'s business.
 */
#ifndef ENGINE_RECORD_H
#define ENGINE_RECORD_H

#include <pathdog/trigger.h>

/* The gate's answers, in the order in which they are tried (docs/decisions.md). */
enum verdict {
    VERDICT_GONE,
    VERDICT_INBOUND,
    VERDICT_DISABLED,
    VERDICT_HELD,
    VERDICT_NO_TARGET,
    VERDICT_IN_FLIGHT,
    VERDICT_MERGED,
    VERDICT_COOLING,
    VERDICT_BACKING_OFF,
    VERDICT_DAMPED,
    VERDICT_AWAITING, /* others over its uplink got worse, too: one of them goes first */
    VERDICT_OBSERVING,
    VERDICT_PROBING, /* other uplinks are asked whether they live; decided again by the answers */
    VERDICT_QUEUED,
    VERDICT_MIGRATE,
    VERDICT_RECONNECT,
    /* only as the end of a queued entry */
    VERDICT_SUPERSEDED,
    VERDICT_EXPIRED,
    VERDICT_COUNT
};

enum outcome {
    OUTCOME_MIGRATED,
    OUTCOME_RECONNECTED,
    OUTCOME_DISABLED,
    OUTCOME_NOT_MIGRATABLE,
    OUTCOME_GONE,
    OUTCOME_TIMEOUT,
    OUTCOME_BUSY,
    OUTCOME_NO_PATH,
    OUTCOME_DIAL_FAILED,
    OUTCOME_FAILED,
    OUTCOME_UNANSWERED,
    OUTCOME_LINK_LOST,
    OUTCOME_OLD_LIVES, /* nothing failed: the old connection was acknowledged, and stays */
    OUTCOME_CANCELLED, /* taken back: newer advice is asked instead */
    OUTCOME_COUNT
};

enum effect {
    EFFECT_BETTER,
    EFFECT_SAME,
    EFFECT_WORSE,
    EFFECT_STALLED,
    EFFECT_UNKNOWN,
    EFFECT_COUNT
};

enum by {
    BY_MIGRATE,
    BY_RECONNECT,
};

/* The one table of each kind of name; "?" for what is out of range. */
const char *verdict_name(enum verdict verdict);
const char *outcome_name(enum outcome outcome);
const char *effect_name(enum effect effect);
const char *kind_name(enum pd_kind kind);
const char *by_name(enum by by);

/* A string that several owners share; immutable once made. */
struct text {
    uint32_t refs;
    uint32_t length;
    char s[];
};

/* Where a move goes, shared by all that go there in one turn. */
struct destination {
    uint32_t refs;
    struct text *uplink;    /* by name, that the connection uses; NULL: not known */
    struct text *target;    /* by name, that it is asked to move to; NULL: none is named */
    struct text *interface; /* of the target */
    struct text *choice;    /* why that one, or why none: a phrase */
};

/* Evidence, shared like a text: flat fields, copied. */
struct evidence {
    uint32_t refs;
    uint32_t n_fields;
    struct pd_field fields[];
};

enum record_type {
    RECORD_DECISION,
    RECORD_OUTCOME,
    RECORD_EFFECT,
    RECORD_CAUSE,
    RECORD_NODE,
    RECORD_PEER,
    RECORD_UPLINK,
    RECORD_NOTICE,
};

/* Which connection a record is about. */
struct record_subject {
    struct text *peer;
    uint64_t conn;
};

/* A cause's, where it is not known. */
#define RECORD_AGE_UNKNOWN UINT64_MAX

struct record_decision {
    struct record_subject subject;
    uint64_t decision;
    uint64_t cause;        /* 0: none */
    uint64_t cause_age_us; /* for the metrics, not written anywhere */
    const char *trigger;   /* instance, "operator" or "fallback"; lives as long as the engine */
    enum pd_kind kind;
    enum by by;
    enum verdict verdict;
    struct text *reason;
    struct evidence *evidence; /* NULL: none */
    uint64_t request;          /* 0: not asked; then attempt and timeout_ms are 0 too */
    uint32_t attempt;
    uint32_t timeout_ms;
    uint64_t into;       /* the decision that it was merged into, 0: not merged */
    struct text *uplink; /* that the connection uses, by name; NULL: not known, or none to choose */
    struct text *target; /* that it is asked to move to; NULL: the route table decides */
    struct text
        *choice;      /* why that one, or why none: a phrase; NULL: there was nothing to choose */
    uint64_t repeats; /* folded repeats that this record stands for, 0: none */
};

struct record_outcome {
    struct record_subject subject;
    uint64_t decision;
    uint64_t request;
    uint32_t attempt;
    enum by by;
    enum outcome outcome;
    bool validated;
    uint64_t elapsed_us;
    struct text *local_before; /* NULL: not known */
    struct text *local_after;  /* NULL: not known */
    struct text *target;       /* the uplink that it was asked to move to; NULL: none was named */
    uint64_t conn_new;         /* 0: none */
    bool error;                /* one was answered; else code and message mean nothing */
    int64_t error_code;
    struct text *error_message;
};

struct record_effect {
    struct record_subject subject;
    uint64_t decision;
    enum effect effect;
    uint64_t rtt_before_us; /* PD_UNKNOWN: nothing measured */
    uint64_t rtt_after_us;
    uint32_t samples_before;
    uint32_t samples_after;
};

struct record_cause {
    uint64_t cause;
    const char *trigger;
    struct text *reason;
    uint64_t peers;                   /* that were up */
    uint64_t advised;                 /* advice given for this cause */
    uint64_t verdicts[VERDICT_COUNT]; /* first verdicts */
};

struct record_node {
    bool up;
    struct text *node, *implementation, *boot, *reason; /* NULL: not known */
};

struct record_peer {
    struct record_subject subject;
    bool up;
    enum pd_role role;
    struct text *reason; /* NULL: none */
};

/* What happened to an uplink; names.c has the words. */
enum uplink_change {
    UPLINK_CHANGE_UP,       /* it can be used again: carrier, address, route */
    UPLINK_CHANGE_DOWN,     /* it cannot: the reason says what is missing */
    UPLINK_CHANGE_SILENT,   /* connections are leaving it because nothing gets through */
    UPLINK_CHANGE_SLOW,     /* connections are leaving it because it got worse */
    UPLINK_CHANGE_PENALTY,  /* a move to it failed: not tried again for a while */
    UPLINK_CHANGE_PROVEN,   /* it lives: connections come back */
    UPLINK_CHANGE_HELD,     /* by an operator: connections leave it, none come */
    UPLINK_CHANGE_RELEASED, /* by an operator, or the hold is over */
    UPLINK_CHANGE_COUNT
};

const char *uplink_change_name(enum uplink_change change);

struct record_uplink {
    struct text *uplink, *interface;
    enum uplink_change change;
    struct text *reason;
    uint64_t peers; /* connections that use it now */
};

struct record_notice {
    enum pd_level level;
    struct text *what;
    struct text *text;
    uint64_t count;
};

struct record {
    enum record_type type;
    bool bulk; /* one of more than a thousand of one cause: journald gets the cause instead */
    uint64_t time_us; /* CLOCK_REALTIME */
    union {
        struct record_decision decision;
        struct record_outcome outcome;
        struct record_effect effect;
        struct record_cause *cause; /* large and rare, so apart */
        struct record_node node;
        struct record_peer peer;
        struct record_uplink uplink;
        struct record_notice notice;
    };
};

#endif
