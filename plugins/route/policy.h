/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of the route policy (plugins/route*.c): the keys that are looked up,
 * the next hops that the answers name, and one evaluation of a key's peers.
 * Pure; the source (source.c) shares only the names of the fields.
 */
#ifndef ROUTE_H
#define ROUTE_H

#include "../ip-text.h"

#include <pathdog/trigger.h>

/* No index of a key or of a peer. */
#define ROUTE_NONE UINT32_MAX

/* Queries that may be unanswered at a time: the size of a slice. */
#define ROUTE_SLICE 256u

/* How soon a lookup that could not be made is made again. */
#define ROUTE_RETRY_US 10000u

/* ---- next hops: few, shared, counted (nexthops.c) ---- */

/* What the kernel answers: where a packet would go now. Texts may be "". */
struct nexthop {
    uint32_t oif; /* interface index; 0: the address is on no interface */
    char ifname[16];
    char gateway[IP_TEXT_SIZE]; /* "": on the link itself */
    char source[IP_TEXT_SIZE];
    char also[96]; /* the other family's next hop, where both count */
};

struct nexthop_slot {
    struct nexthop nexthop;
    uint32_t refs;
    uint16_t next;    /* in its hash chain, or in the list of free ones */
    bool source_gone; /* no interface has `source` any more */
    bool source_cut;  /* none that has it has carrier */
    uint32_t ticket;  /* of the question whether it has; 0: none is open */
};

/* Next hop 0 is "none". */
struct nexthops {
    struct nexthop_slot *slots;
    size_t capacity;
    uint32_t n_slots;
    uint16_t free;
    uint16_t buckets[256];
};

/* Returns the number of the next hop, with one reference more, or 0 if there are too many. */
uint16_t nexthops_intern(struct nexthops *nexthops, const struct nexthop *nexthop);
/* Frees a next hop that nobody refers to any more. */
void nexthops_release(struct nexthops *nexthops, uint16_t nexthop);
void nexthops_done(struct nexthops *nexthops);

static inline struct nexthop_slot *nexthops_slot(const struct nexthops *nexthops, uint16_t nexthop)
{
    return &nexthops->slots[nexthop];
}

static inline void nexthops_ref(struct nexthops *nexthops, uint16_t nexthop)
{
    if (nexthop)
        nexthops->slots[nexthop].refs++;
}

static inline void nexthops_unref(struct nexthops *nexthops, uint16_t nexthop)
{
    if (nexthop && !--nexthops->slots[nexthop].refs)
        nexthops_release(nexthops, nexthop);
}

/* Drops what `*slot` refers to, and refers to `nexthop` instead. */
static inline void nexthops_set(struct nexthops *nexthops, uint16_t *slot, uint16_t nexthop)
{
    nexthops_ref(nexthops, nexthop);
    nexthops_unref(nexthops, *slot);
    *slot = nexthop;
}

/* Interface and gateway are the same. */
bool nexthops_same(const struct nexthops *nexthops, uint16_t a, uint16_t b);

/* One behind the other, as far as there is room: a reaction waits for these, and
 * printf takes a thousand instructions for each. */
void texts_join(char *text, size_t size, const char *const *parts, size_t n_parts);

/* "up0 via 10.0.1.1" */
void nexthop_text(const struct nexthop *nexthop, char *text, size_t size);

/* ---- keys: what is asked, once for all peers that share it (keys.c) ---- */

struct key_name {
    uint8_t destination[16];
    uint8_t source[16];
    char scope[16]; /* interface of a link-local destination, or that it is bound to */
    uint16_t sport, dport;
    uint8_t family; /* of the default next hop, where there is no destination; 0: both */
    uint8_t destination_family; /* 0: the default next hop */
    uint8_t source_family;      /* 0: any */
    uint8_t bound;              /* `scope` is what a move was asked to use. Compared as bytes */
};

/* What the interface of an answer has to send from: the source's numbers. */
enum provisional {
    PROVISIONAL_NOT,       /* an address that can be used */
    PROVISIONAL_TENTATIVE, /* one for which duplicates are looked for */
    PROVISIONAL_NONE,      /* the kernel would take one of another interface */
};

/* Why a connection is no longer bound to the interface that it was bound to. */
enum cut {
    CUT_NOT,
    CUT_NO_CARRIER,
    CUT_GONE, /* there is no such interface */
    CUT_NO_ADDRESS,
    CUT_NO_ROUTE,
};

struct key {
    struct key_name name;
    uint32_t next;        /* in its hash chain, or in the list of free ones */
    uint32_t first, last; /* peers, linked through their state */
    uint32_t n_peers;
    uint32_t ticket;    /* of the open question; 0: none */
    uint32_t evaluated; /* its place among route.evaluated, from 1; 0: none */
    uint32_t asked_at;  /* epoch when the open question was asked */
    uint32_t epoch;     /* when the present answer was asked for; 0: never answered */
    uint16_t answer;    /* the last next hop */
    uint16_t before;    /* and the one before it */
    bool live : 1;
    bool queued : 1;         /* waits to be asked */
    bool again : 1;          /* to be asked again when it has been answered */
    bool no_route : 1;       /* the last answer was an error */
    bool unsettled : 1;      /* some peer was not evaluated by the present answer */
    bool source_gone : 1;    /* no interface has the name's source */
    bool elsewhere : 1;      /* that one is on another interface than the answer's */
    bool redirected : 1;     /* packets go through another gateway of the link than the answer's */
    bool unsaid : 1;         /* it has no route, and no notice has said so */
    bool by_default : 1;     /* the present answer is by a default route */
    bool default_before : 1; /* so was the one before */
    uint8_t error;           /* why not: route_error_number() */
    uint8_t provisional;     /* enum provisional */
    uint64_t held_since_us;  /* what the answer means waits since then; 0: does not */
    uint64_t token;          /* of the last answer: an equal one says "the same" */
    uint64_t in_flight_bytes;
};

struct keys {
    struct key *slots;
    size_t capacity;
    uint32_t n_slots, n_live, n_no_route, n_unsaid;
    uint32_t free;
    uint32_t *buckets;
    uint32_t n_buckets; /* a power of two */
};

/* This trigger's state of a connection. */
struct route_peer {
    uint32_t key;
    uint32_t next, previous; /* peers of the same key */
    uint32_t in_flight_bytes;
    uint16_t known; /* the next hop it is known to use; 0: not seen yet */
    uint16_t asked; /* the last one it was advised to move to; 0: none */
    uint16_t open;  /* the one that its open request goes to; 0: not known */
    uint16_t
        bound; /* a next hop of which only the interface is known, that it was moved to; 0: none */
    bool linked : 1;
    bool adopt : 1;       /* it was moved: its source address is not known yet */
    bool moved : 1;       /* and that a moment ago: not evaluated since */
    bool provisional : 1; /* advised while its source was none of the interface */
    bool dead : 1;        /* advised because its gateway does not answer */
    bool no_route : 1;    /* the host was told so */
    uint8_t cut : 3;      /* enum cut */
};

/* `interface`: that it was moved to, "": where the route table leads. */
void key_name_of(const struct pd_peer *peer, const char *interface, bool ports,
                 struct key_name *ret_name);
/* Finds or makes the key. */
uint32_t keys_find(struct keys *keys, const struct key_name *name);
void keys_done(struct keys *keys);
/* Forgets a key that no peer has and no question is open about. */
void keys_release(struct keys *keys, struct nexthops *nexthops, uint32_t index);

/* ---- one instance (route.c) ---- */

/* A key whose peers are to be evaluated; the prefix that its answer goes by, NULL: not
 * told. It lives as long as the callback. */
struct evaluated {
    uint32_t key;
    const char *prefix;
};

/* An address or a route of this interface was taken away, and it has carrier: mostly a lease that
 * is set again. Or a gateway there failed, and may answer at once when it is asked again. */
struct route_loss {
    uint32_t oif;
    uint64_t until_us;
};

#define ROUTE_LOSSES 8u

/* A gateway that does not answer. */
struct route_gateway {
    uint32_t oif; /* 0: none */
    char gateway[IP_TEXT_SIZE];
    uint64_t cause; /* of what was advised lately because of it; 0: nothing was */
    uint64_t cause_until_us;
};

#define ROUTE_GATEWAYS 16u

struct route_round {
    bool active; /* something waits to be asked, or to be answered */
    bool full;   /* for all keys, by an event */
    bool fires;  /* it opened the window, or ends it: what changed is advised at once */
    bool fired;
    bool closing; /* at the window's end */
    uint64_t began_us;
    uint64_t heard_us; /* the last answer */
};

struct route {
    uint64_t settle_us;
    uint32_t uid; /* UINT32_MAX: not known */
    bool uid_given;
    bool mark_given;
    uint32_t mark;
    bool ports; /* the host has rules that look at ports */

    struct keys keys;
    struct nexthops nexthops;

    uint32_t *queue; /* index << 1 | is it a next hop's source */
    size_t queue_capacity;
    uint32_t n_queue, queue_head;
    uint32_t outstanding;
    uint32_t ticket;

    uint32_t epoch;       /* counts events; an answer is current if it was asked for in this one */
    uint32_t round_epoch; /* of the last full round */
    struct route_round round;
    bool deferred;          /* something changed within the window */
    uint64_t window_end_us; /* 0: no window */
    uint64_t not_before_us; /* of the next full round */
    uint64_t cause;
    uint64_t timer_us;

    struct evaluated *evaluated; /* by what was answered in this callback */
    size_t n_evaluated, evaluated_capacity;
    uint32_t n_indices; /* of peers, that were ever used */

    struct route_loss losses[ROUTE_LOSSES]; /* the oldest makes room */
    uint64_t held_us;                       /* when what is held is evaluated; 0: nothing is */
    struct route_gateway gateways[ROUTE_GATEWAYS]; /* that do not answer; more are ignored */
    uint32_t n_gateways;
};

/* ---- evaluating (evaluate.c, and the window in rounds.c) ---- */

/* Have the peers of this key evaluated by its answer, with the next route_evaluate. */
void route_evaluate_key(struct route *route, uint32_t key, const char *prefix);

/* Compares what the peers of these keys use with the answers, and advises.
 * Returns 0, or what the host refused advice with. */
int route_evaluate(struct pd_turn *turn);

/* Whether what changed may be advised now, or waits for the window's end. */
bool route_may_fire(const struct route *route);

/* A cause to advise under; opens the window with the first. */
uint64_t route_fire(struct pd_turn *turn, const char *reason);

/* ---- what may be over in a moment (hold.c) ---- */

void route_loss(struct route *route, uint32_t oif, uint64_t now_us);
/* It has no carrier, or is gone: nothing is set again. */
void route_loss_ends(struct route *route, uint32_t oif);
/* Until when what was lost may come back, 0: nothing was. `oif` 0: of any interface. */
uint64_t route_losing(const struct route *route, uint32_t oif, uint64_t now_us);
/* Does the answer of this key have to wait, for those that use `oif`? Then it is evaluated again
 * in time. */
bool route_hold(struct route *route, struct key *key, uint32_t oif, uint64_t now_us);

/* ---- gateways that do not answer (gateway.c) ---- */

void route_gateway(struct pd_turn *turn, uint32_t oif, const char *gateway, bool failed);
/* None is known to fail any more. */
void route_gateways_forget(struct pd_turn *turn);
/* Closes the causes that are over. Returns when the next is, 0: none is open. */
uint64_t route_gateways_due(struct pd_turn *turn);
void route_gateways_close(struct pd_turn *turn);
/* Does the gateway that this connection sends through not answer? */
bool route_gateway_failed(const struct route *route, const struct route_peer *peer);
/* Only where one fails. Returns 1 if a cause was opened: route_step() waits for its end. */
int route_gateway_row(struct pd_turn *turn, const struct pd_sample *sample);

/* ---- keys without a route (lost.c) ---- */

/* The name's number, 0: it is none of those that are an answer, but means that we could not ask. */
uint8_t route_error_number(const char *error);
void key_lost(struct route *route, struct key *key, uint8_t error);
void key_not_lost(struct route *route, struct key *key);
/* The host is told whether there is a route to this peer; to all peers of this key. */
void route_tell(struct pd_turn *turn, uint32_t index, struct route_peer *peer);
void route_tell_key(struct pd_turn *turn, uint32_t key);
/* Says which keys have lost their route since the last time. */
void route_say_lost(struct pd_turn *turn);

/* ---- a peer's place (peers.c) ---- */

int route_peer_event(struct pd_turn *turn, const struct pd_peer_event *event);
/* A request is open: is it the one that was advised last? It is, if that does not wait. */
void route_open(struct pd_turn *turn, uint32_t index, struct route_peer *peer);
/* Across a restart of pathdog (saved.c). */
int route_save(const void *self, const struct pd_peer *who, const void *state, char *text,
               size_t size);

/* For operators (report.c). */
int route_report(const void *self, const struct pd_peer *who, const void *state, uint64_t now_us,
                 char *text, size_t size);
int route_restore(struct pd_turn *turn, const struct pd_peer_event *event, const char *text);
/* It is bound to an interface, of whose next hop only that is known. */
void route_bind(struct pd_turn *turn, const struct pd_peer *who, const struct nexthop *interface);
/* The interface that these are bound to cannot be used any more: they are evaluated as all others.
 */
void route_unbind(struct pd_turn *turn, uint32_t key, enum cut why);
/* Puts every peer under the key that it has now. */
void route_rekey(struct pd_turn *turn);

/* ---- asking (rounds.c) ---- */

/* A query's id: ticket, index, and whether it is about a next hop's source. Below 2^53. */
#define ROUTE_ID_INDEX_BITS  24
#define ROUTE_ID_TICKET_MASK 0xfffffffu

/* Have this key asked; what changes is evaluated when the answer comes. */
void route_ask(struct pd_turn *turn, uint32_t key);
/* Puts it at the end of the queue, no more. */
void route_queue(struct route *route, uint32_t key);
/* Asks on, as far as a slice allows. */
void route_pump(struct pd_turn *turn);
/* Ends a round that is over, begins the next where one is due, sets the timer. */
void route_step(struct pd_turn *turn);
/* Anything may be different now. */
void route_changed(struct pd_turn *turn);
void route_timer_due(struct pd_turn *turn);
void route_close_cause(struct pd_turn *turn);

#endif
