/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One trace: the network, the node with its connections, the far ends, and time. Everything
 * happens as a call at a time; equal times in the order in which they were asked for. So a seed
 * gives the same trace on every machine, and each policy meets the same faults.
 */
#ifndef SCORE_WORLD_H
#define SCORE_WORLD_H

#include "network.h"
#include "recovery.h"
#include "scorer.h"
#include "stream.h"

#include <pathdog/path.h>

struct world;
struct conn;
struct policy;

/* ---- time ---- */

typedef void (*call_fn)(struct world *world, void *object, uint64_t argument);

struct call {
    uint64_t at_us, sequence;
    call_fn function;
    void *object;
    uint64_t argument;
    bool owned; /* `object` is freed with it */
};

/* ---- connections ---- */

/* One end of a connection. */
struct end {
    struct conn *conn;
    bool is_host;
    bool alive; /* it would answer */
    bool ended; /* and will not any more */
    struct recovery recovery;
    struct path path;  /* where the host's end is, as this end knows it */
    uint32_t mtu;      /* of what it sends */
    uint64_t mtu_us;   /* when it has found that more is possible */
    uint64_t armed_us; /* its timer is asked for at this time; NEVER: it is not */
    uint64_t heard_us; /* the last packet came */
    uint64_t idle_us;  /* the idle time-out counts from here */
    uint64_t highest;  /* packet number that came, plus 1: what a migration follows */
    bool spoke;        /* ack-eliciting, since the last packet came */
    bool congested;    /* there is more to send than the window takes */
    uint64_t bytes_sent, bytes_received, packets_sent;
    uint32_t send_errors;
    uint64_t push_us, push_gap_us; /* the last row sent unasked, and how long until the next */
};

/* A migration of the host's. */
struct move {
    bool active, immediate;
    uint64_t request; /* to be answered; 0: was */
    struct path path, old;
    uint64_t begun_us, deadline_us, escalate_us, challenge_us, gap_us;
    uint64_t token;
};

struct conn {
    struct conn *next; /* of all there were */
    uint64_t number;   /* as the node says it; 0: not up yet */
    uint64_t epoch;    /* the order of dials */
    unsigned peer;
    bool client;    /* the host dialled it */
    bool confirmed; /* the dialler has its answer */
    uint64_t dial_until_us, hello_us, hello_at_us, hello_gap_us;
    uint64_t up_us;
    struct end host, far;
    struct move move;
};

/* How an application speaks. */
struct traffic {
    uint64_t interval_us; /* from one message to the next, on average */
    uint64_t spread_us;   /* plus or minus */
    uint32_t bytes;
    uint64_t bulk_from_us, bulk_until_us; /* as much as goes */
};

/* A peer of the node. */
struct peer {
    char name[16];
    bool dialled; /* by the host, as configured; else the peer dials */
    bool reconnectable;
    struct traffic traffic[2]; /* OUT, IN */
    struct stream streams[2];
    struct conn *live, *dial; /* of the host */
    struct conn *far_live, *far_dial;
    uint64_t redial_us, redial_gap_us;         /* host's time */
    uint64_t far_redial_us, far_redial_gap_us; /* true time */
    unsigned far_uplink;                       /* that it dials next */
    uint64_t reconnect_request, reconnect_until_us;
};

/* ---- what a policy hears ---- */

enum news_type {
    NEWS_UP,     /* of `conn` */
    NEWS_DOWN,   /* the same; `text`: why */
    NEWS_PATH,   /* the same */
    NEWS_ANSWER, /* to `request`: `code` 0 or an error of the node protocol */
    NEWS_PROBED, /* `request`; `code` 0 and `rtt_us`, or an error */
    NEWS_PUSH,   /* a row of `conn`, unasked */
    NEWS_KERNEL, /* addresses, carrier or routes are different now */
    NEWS_RESUMED,
};

struct news {
    enum news_type type;
    struct conn *conn;
    const char *text;
    uint64_t request, rtt_us;
    int code;
    bool validated;
};

/* What the node knows and does: each as the one before, but for what is said of it. */
enum node_kind {
    NODE_NEW,
    NODE_NO_PUSH, /* sends no rows unasked */
    NODE_OLD,     /* has no columns of application data, packets sent and the probe timeout */
};

struct world {
    struct network network;
    struct call *calls; /* a heap */
    size_t n_calls, calls_capacity;
    uint64_t sequence;
    uint64_t now_us, end_us;
    struct choice random; /* of applications: the same whatever a policy does */

    bool asleep;
    uint64_t sleep_us, wake_us; /* from, to; sleep_us NEVER: not */
    uint64_t slept_us;          /* the host's clock is behind by this */

    struct peer peers[PEERS];
    struct conn *conns;
    uint64_t last_number, last_epoch, last_request;
    uint32_t last_port;

    const struct policy *policy;
    void *self;         /* the policy's state */
    uint64_t policy_us; /* its timer, host's time; NEVER: none */
    const char *config; /* of pathdog, as text; NULL: all triggers with their defaults */
    enum node_kind node;

    struct score score;
    bool trace; /* print what happens */
};

void world_init(struct world *world, unsigned n_uplinks, uint64_t seed);
void world_run(struct world *world);
void world_done(struct world *world);

/* `at_us`: true time. */
void world_at(struct world *world, uint64_t at_us, call_fn function, void *object,
              uint64_t argument);

/* The same; `object` is freed afterwards. */
void world_give(struct world *world, uint64_t at_us, call_fn function, void *object);

/* The host's CLOCK_MONOTONIC stands still while it sleeps. */
static inline uint64_t host_now(const struct world *world)
{
    return world->now_us - world->slept_us;
}

/* A new port: the milliseconds of now, so that a class can say which ports are older than a time.
 */
uint32_t world_port(struct world *world);

/* Asks for the policy's timer; a new time replaces the old. */
void world_policy_at(struct world *world, uint64_t host_us);
void world_news(struct world *world, const struct news *news);
void world_say(const struct world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
