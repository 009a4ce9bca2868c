/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The relay without its sockets: who is registered, what becomes of a datagram, when a session
 * ends. No I/O and no clock; all memory is taken in relay_new(), so that nobody can make it grow
 * and no datagram costs an allocation. Not for several threads at once: server.h has the lock.
 *
 * Times are microseconds of one clock that does not go back.
 */
#ifndef UDP_RELAY_RELAY_H
#define UDP_RELAY_RELAY_H

#include "endpoint.h"

#include <stddef.h>

#define RELAY_ID_MAX     128u /* bytes of UTF-8, white space at both ends not counted */
#define RELAY_ANSWER_MAX 64u
#define RELAY_LEASE_MIN  64u /* a shorter question about the lease is data */

#define RELAY_SILENT_US        UINT64_C(2000000) /* a member may be moved after that */
#define RELAY_REG_PER_S        20u               /* registrations, per address */
#define RELAY_REG_BURST        100u
#define RELAY_PENDING_PER_HOST 16u /* registrations without a peer, per address */
#define RELAY_PENDING_FACTOR   4u  /* of them in all, times max_circuits */
#define RELAY_CIRCUITS_MOST    262144u
#define RELAY_DATAGRAM_MOST    65507u

enum relay_rebind {
    RELAY_REBIND_SAME_IP,  /* data from another port of a silent member's address moves it, too */
    RELAY_REBIND_REGISTER, /* only a registration does */
};

struct relay_settings {
    uint64_t session_timeout_us;
    uint64_t max_data_bytes;  /* payload, per direction; 0: no limit */
    uint64_t max_duration_us; /* from the second member's registration; 0: no limit */
    uint64_t reservation_ttl_us;
    uint32_t max_circuits; /* 1 to RELAY_CIRCUITS_MOST */
    uint32_t max_circuits_per_address;
    uint32_t max_datagram_bytes; /* larger ones are dropped */
    enum relay_rebind rebind;
    bool service; /* false: no registration at all */
};

struct members;
struct relay;

/* `key`: 16 random bytes, so that nobody can choose what collides. Returns NULL: no memory. */
struct relay *relay_new(const struct relay_settings *settings, const uint8_t key[static 16]);
/* NULL is fine; frees the members too. Returns NULL. */
struct relay *relay_free(struct relay *relay);

/* Memory that relay_new() has asked for, and of it what one session takes. */
size_t relay_memory_bytes(const struct relay *relay);
size_t relay_session_bytes(void);

/* Who may register from now on; NULL: everybody. The relay owns it; returns the one before, to be
 * freed. Running circuits go on; registrations without a peer that it does not allow end, within
 * four ticks or as soon as somebody asks for them. */
struct members *relay_members_set(struct relay *relay, struct members *members);
const struct members *relay_members(const struct relay *relay);

/* ---- datagrams ---- */

enum relay_action {
    RELAY_DROP,
    RELAY_FORWARD, /* what was handled goes to `to`, byte for byte */
    RELAY_ANSWER,  /* `answer` goes to `to` */
};

struct relay_out {
    enum relay_action action;
    struct endpoint to;
    struct endpoint
        from; /* the address of ours it leaves from: the one that `to` has asked; no port */
    uint8_t answer_size;
    char answer[RELAY_ANSWER_MAX];
};

/*
 * A datagram, or a train of them: `size` bytes that are datagrams of `segment` bytes each, the last
 * may be shorter; `segment` 0: it is one datagram. `to` is the address of ours that was asked.
 * Returns how many bytes, of whole datagrams, were handled, as `*out` says: all, or those that
 * share their fate; then it is to be called again with the rest.
 */
size_t relay_receive(struct relay *relay, uint64_t now_us, const struct endpoint *from,
                     const struct endpoint *to, const void *payload, size_t size, size_t segment,
                     struct relay_out *out);

/* Ends what has timed out. To be called about four times a second, each time until it returns
 * false: then it has looked at a quarter of all. One call is short, however many there are. */
bool relay_tick(struct relay *relay, uint64_t now_us);

/* ---- what happened ---- */

enum relay_event_kind {
    RELAY_REGISTERED, /* the first member came */
    RELAY_OPENED,     /* the second came */
    RELAY_MOVED,      /* a member has another port; member[0] from, member[1] to */
    RELAY_LIMITED,    /* member[0] has sent all that its direction may */
    RELAY_ENDED,
    RELAY_REFUSED, /* a registration of member[0] */
    RELAY_EVENT_KINDS,
};

enum relay_reason {
    RELAY_REASON_NONE,
    RELAY_REASON_TIMEOUT,     /* no activity */
    RELAY_REASON_DURATION,    /* max_duration */
    RELAY_REASON_RESERVATION, /* no peer came in time */
    RELAY_REASON_DATA,        /* max_data */
    RELAY_REASON_FULL,        /* the session has its two members */
    RELAY_REASON_DENIED,      /* not in the list of members */
    RELAY_REASON_LIMIT,       /* of circuits, registrations */
    RELAY_REASON_RATE,        /* of registrations per second */
    RELAY_REASON_OFF,         /* no service */
    RELAY_REASON_BY_REG,      /* of a move */
    RELAY_REASON_BY_DATA,     /* of a move */
    RELAY_REASONS,
};

/* "timeout"; never NULL. */
const char *relay_event_name(enum relay_event_kind kind);
const char *relay_reason_name(enum relay_reason reason);

struct relay_event {
    enum relay_event_kind kind;
    enum relay_reason reason;
    uint64_t at_us, age_us;          /* age: of the session, since its first registration */
    uint64_t bytes[2], datagrams[2]; /* forwarded, from each member */
    struct endpoint member[2];
    unsigned n_members;
    uint8_t id_size;
    char id[RELAY_ID_MAX]; /* any UTF-8, also NUL; not terminated */
};

/* Takes the oldest. A bounded number is kept; RELAY_COUNT_EVENTS_LOST counts the others. */
bool relay_event_next(struct relay *relay, struct relay_event *ret);

/* ---- counters ---- */

enum relay_count {
    RELAY_COUNT_FORWARDED_DATAGRAMS,
    RELAY_COUNT_FORWARDED_BYTES,
    RELAY_COUNT_ACKS,   /* registrations answered with ACK, repeated ones too */
    RELAY_COUNT_LEASES, /* questions about a lease answered */
    RELAY_COUNT_OPENED, /* circuits */
    RELAY_COUNT_MOVED_BY_REG,
    RELAY_COUNT_MOVED_BY_DATA,
    RELAY_COUNT_ENDED_TIMEOUT, /* circuits and registrations, by what ended them: */
    RELAY_COUNT_ENDED_DURATION,
    RELAY_COUNT_ENDED_RESERVATION,
    RELAY_COUNT_ENDED_DENIED,
    RELAY_COUNT_REFUSED_FULL, /* registrations, by reason: */
    RELAY_COUNT_REFUSED_DENIED,
    RELAY_COUNT_REFUSED_LIMIT,
    RELAY_COUNT_REFUSED_RATE,
    RELAY_COUNT_REFUSED_OFF,
    RELAY_COUNT_DROPPED_UNKNOWN, /* datagrams that were not forwarded, by reason: */
    RELAY_COUNT_DROPPED_NO_PEER,
    RELAY_COUNT_DROPPED_LIMIT,
    RELAY_COUNT_DROPPED_TOO_LARGE,
    RELAY_COUNT_DROPPED_BAD_ID,   /* REG: without a proper id */
    RELAY_COUNT_ANSWERS_WITHHELD, /* a refusal longer than its question, or too soon after another
                                   */
    RELAY_COUNT_EVENTS_LOST,
    RELAY_COUNTS,
};

/* "forwarded_datagrams"; never NULL. */
const char *relay_count_name(enum relay_count count);
uint64_t relay_count(const struct relay *relay, enum relay_count count);
uint32_t relay_circuits(const struct relay *relay); /* with two members */
uint32_t relay_pending(const struct relay *relay);  /* with one */

/* ---- sessions ---- */

struct relay_member_view {
    struct endpoint at;
    struct endpoint asked; /* the address of ours; no port */
    uint64_t heard_us;
    uint64_t bytes, datagrams; /* forwarded, from it */
    uint64_t left_bytes;       /* that it may still send; UINT64_MAX: no limit */
    bool ended;                /* its direction is at its limit */
};

struct relay_session_view {
    uint64_t registered_us; /* the first member */
    uint64_t opened_us;     /* the second; 0: there is none yet */
    uint64_t active_us;
    uint64_t ends_us; /* when it would end if nothing came any more */
    uint64_t left_us; /* of max_duration; UINT64_MAX: no limit */
    unsigned n_members;
    struct relay_member_view member[2];
    uint8_t id_size;
    char id[RELAY_ID_MAX];
};

/* The next session from place `*cursor` on, 0 at first; false: there is no more. Sessions may come
 * and go between two calls: those that stay are told once. */
bool relay_session_next(const struct relay *relay, uint64_t now_us, size_t *cursor,
                        struct relay_session_view *ret);

#endif
