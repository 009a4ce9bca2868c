/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The flows that are looked at: which are told as peers, what is known of each, when one has ended.
 * Pure: no I/O and no clock; times are microseconds of any clock that only grows.
 *
 * Nothing is kept of a flow that is short, so a flood of short ones needs no memory. Where the
 * kernel does not say how old an entry is, as many young ones are kept as flows may be told.
 */
#ifndef FLOW_NODE_FLOWS_H
#define FLOW_NODE_FLOWS_H

#include <net/if.h>
#include <stddef.h>

#include "moves.h"
#include "tuple.h"

#define FLOW_UNKNOWN    UINT64_MAX
#define FLOW_LIMIT_MOST (1u << 18)
#define FLOW_PORTS_MOST 64u
#define FLOW_NAME_SIZE  256u /* the contract's limit of a peer's name, and a NUL */
/* One that was moved has no entry until it sends something, and would lose its way: so many times
 * end_us. */
#define FLOW_END_MOVED_FACTOR 4u

enum flow_direction {
    FLOW_SENT, /* towards the server */
    FLOW_RECEIVED,
};

/* Server ports, and within which time their protocol answers all that is sent to it; 0: at once. */
struct flow_port {
    uint16_t first, last;
    uint64_t answers_us;
};

struct flow_settings {
    struct flow_port ports[FLOW_PORTS_MOST];
    size_t n_ports; /* 0: every port */
    uint32_t limit; /* told at a time */
    uint64_t min_age_us, min_bytes;
    uint64_t end_us; /* one without an entry, and without a packet for so long, has ended */
    uint64_t key[2]; /* secret, of the hash */
};

/* What conntrack says of a flow at one moment. */
struct flow_entry {
    struct flow_tuple tuple;
    uint8_t seen_at[16]; /* its source as the server sees it */
    uint16_t seen_port;
    uint32_t id;
    bool counted;      /* bytes and packets are known */
    uint64_t age_us;   /* FLOW_UNKNOWN: the kernel keeps no time */
    uint64_t start_ns; /* when it began, by the kernel's clock; 0: the same */
    uint64_t bytes[2], packets[2];
};

enum flow_state {
    FLOW_YOUNG,
    FLOW_READY, /* long enough; whose it is has to be found out: flow_tell() or flow_leave() */
    FLOW_TOLD,
    FLOW_LEFT, /* not one of ours */
};

struct flow {
    struct flow_tuple tuple;
    enum flow_state state;
    uint64_t answers_us; /* of its port */
    uint64_t conn;       /* 0: was never told */
    char name[FLOW_NAME_SIZE];
    char interface[IF_NAMESIZE]; /* it was moved there; "": it goes where the routes lead */
    bool forwarded;
    char lan[IF_NAMESIZE]; /* of a forwarded one: where it comes from */
    uint8_t local[16];     /* where the server sees it, or will */
    uint16_t local_port;
    struct flow_entry entry;                     /* as of sampled_us */
    bool there;                                  /* there was an entry at the last look */
    uint64_t before_bytes[2], before_packets[2]; /* of the entries before this one */
    uint64_t first_us, sampled_us;
    uint64_t returned_us;          /* put back to a way that lived; 0: never */
    uint64_t sent_us, received_us; /* the sample that showed it */
    /* Since the sample that showed the last packet of the peer: */
    uint64_t sent_packets;   /* sent */
    uint64_t answer_packets; /* received, in the interval that ended with it */
    uint64_t since_us;       /* the first one that awaits an answer was sent; 0: none */
    unsigned tries;          /* intervals in which such were sent */
    uint64_t tried_us;       /* when such were sent last */
    uint64_t pushed_us;      /* unacked age of the last push; 0: none */
    /* How long answers take: */
    uint64_t asked_us;  /* the sample before the first packet that was sent since; 0: none was */
    uint64_t answer_us; /* the longest time of late, as far as samples can tell */
    unsigned n_answers;
    struct move move;
    struct flow *next, *next_short;
};

struct flow_row {
    uint64_t bytes_sent, bytes_received, packets_sent; /* FLOW_UNKNOWN: not known */
    uint64_t silent_us, unacked_us;
    uint64_t pto_us; /* within this time it was answered, with the least that RFC 9002 adds */
};

struct flows;

struct flows *flows_new(const struct flow_settings *settings);
struct flows *flows_free(struct flows *flows);

/* The port's settings; NULL: flows to it are not looked at. */
const struct flow_port *flow_port_find(const struct flow_settings *settings, uint16_t port);

struct flow *flows_find(const struct flows *flows, const struct flow_tuple *tuple);
struct flow *flows_find_conn(const struct flows *flows, uint64_t conn);
/* The told one with the least conn above `after`. */
struct flow *flows_next(const struct flows *flows, uint64_t after);
size_t flows_told(const struct flows *flows);
/* Place `i` of flows_told(), by conn. */
struct flow *flows_at(const struct flows *flows, size_t i);
/* Long flows that found no place, since the start. */
uint64_t flows_over_limit(const struct flows *flows);

/* Takes what conntrack says. Returns its flow; NULL: it is short, or no place is left. */
struct flow *flows_sample(struct flows *flows, const struct flow_entry *entry, uint64_t now_us);
/* The same of one that must have a place: it was moved by the process before this one. */
struct flow *flows_adopt(struct flows *flows, const struct flow_entry *entry, const char *interface,
                         uint64_t now_us);
/* It goes another way from now on: what was sent before is not outstanding on this one. */
void flow_rerouted(struct flow *flow);
/* It was put back to a way that lived when it left. */
void flow_returned(struct flow *flow, uint64_t now_us);
/* It was answered lately, and awaits nothing: its way lives. Of one that was put back the way lives
 * until there was time for an answer. */
bool flow_is_answered(const struct flow_settings *settings, const struct flow *flow);
/* It has no entry now. */
void flow_missing(struct flow *flow, uint64_t now_us);
bool flow_has_ended(const struct flow_settings *settings, const struct flow *flow, uint64_t now_us);

/* The next one in state FLOW_READY; NULL: there is none. */
struct flow *flows_ready(const struct flows *flows);
/* It is told from now on, with the next conn. `owner`: of the name; NULL: not known. */
void flow_tell(struct flows *flows, struct flow *flow, const char *owner);
void flow_leave(struct flows *flows, struct flow *flow);
void flow_remove(struct flows *flows, struct flow *flow);
/* Calls for each flow that was not sampled since then, told or not; `function` may remove it. */
void flows_each_older(struct flows *flows, uint64_t sampled_us,
                      void (*function)(struct flow *flow, void *user), void *user);

/* Of the flow as it was sampled last. */
void flow_row(const struct flow_settings *settings, const struct flow *flow, struct flow_row *ret);

#endif
