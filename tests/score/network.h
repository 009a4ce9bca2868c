/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The network of one trace: a host with up to four uplinks, six peers behind them. What an
 * uplink is like at a time is told by its timeline, which a class fills before the trace begins:
 * so the truth is known at every moment, the future included. Microseconds, bytes.
 */
#ifndef SCORE_NETWORK_H
#define SCORE_NETWORK_H

#include "sim/choice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UPLINKS_MAX 4
#define PEERS       6
#define ANYWHERE    PEERS /* a public host that is always there: what probes of uplinks ask */
#define NO_UPLINK   (-1)
#define MS          UINT64_C(1000)
#define SECOND      UINT64_C(1000000)
#define NEVER       UINT64_MAX

/* One direction of an uplink. */
struct way {
    bool dead;         /* whatever is sent vanishes */
    uint32_t loss;     /* of a million packets */
    uint32_t mtu;      /* what is longer vanishes; 0: nothing does */
    uint64_t delay_us; /* to the other end of the access link */
    uint64_t rate;     /* bytes in a second; 0: vanishes */
    uint64_t queue;    /* bytes that may wait */
};

/* An uplink as it is from a time on, until the next entry of its timeline. */
struct condition {
    uint64_t from_us;
    bool carrier;        /* the interface is up */
    bool address;        /* and has its address */
    bool route;          /* and a default route of its own */
    uint32_t metric;     /* of that; the least one is used */
    uint32_t ports_from; /* mappings of ports below this are forgotten (a NAT); see world_port() */
    struct way out, in;
};

struct uplink {
    struct condition *timeline; /* by time; the first is from 0 on */
    size_t n_conditions, capacity;
    size_t now;          /* the one that is in force */
    uint64_t best_us;    /* the least delay that it ever has, both ways */
    uint64_t free_us[2]; /* when the queue of a direction is empty */
};

/* Beyond the uplinks: what is the peer's own, the same over every uplink. */
struct far {
    uint64_t from_us;
    bool away;
    uint32_t loss;
    uint64_t delay_us;
};

struct peer_far {
    struct far *timeline;
    size_t n, capacity, now;
};

struct network {
    struct choice random; /* of losses */
    unsigned n_uplinks;
    bool source_rules; /* ip rule from ADDRESS: a packet leaves by the uplink of its source */
    struct uplink uplinks[UPLINKS_MAX];
    struct peer_far peers[PEERS + 1];
    uint64_t arrived_us[PEERS + 1][UPLINKS_MAX][2]; /* the last one of each path: none overtakes */
};

enum direction {
    OUT,
    IN,
};

/* The host's end of a path. */
struct path {
    uint8_t source; /* the uplink that its address belongs to */
    int8_t bound;   /* the interface that its socket is bound to, NO_UPLINK: the table decides */
    uint32_t port;
};

enum transit {
    TRANSIT_ARRIVES,
    TRANSIT_LOST,
    TRANSIT_REFUSED, /* by the kernel: the sender sees an error */
};

/* ---- making it: for classes ---- */

void network_init(struct network *network, unsigned n_uplinks, uint64_t seed);
void network_done(struct network *network);

/*
 * The entry of the timeline that begins at `from_us`, made if there is none, and the end of the
 * entries up to `to_us`: what is changed in all of them holds from the one time to the other.
 *
 *     struct condition *end, *at;
 *     for (at = network_spell(uplink, from, to, &end); at < end; at++)
 *         at->out.dead = true;
 */
struct condition *network_spell(struct uplink *uplink, uint64_t from_us, uint64_t to_us,
                                struct condition **ret_end);
struct far *network_far_spell(struct peer_far *peer, uint64_t from_us, uint64_t to_us,
                              struct far **ret_end);

/* ---- as time goes ---- */

/* After the timelines are filled. */
void network_begin(struct network *network);

/* The next entry of any uplink's timeline. */
uint64_t network_next_us(const struct network *network);
/* Puts what is due in force. Returns true where the kernel's view has changed: carrier, address,
 * route or metric. */
bool network_advance(struct network *network, uint64_t now_us);

/* ---- the kernel ---- */

/* Where a packet from this source leaves: the lowest metric that is there, unless rules say
 * otherwise. NO_UPLINK: no route. `source` NO_UPLINK: a socket without an address yet. */
int network_route(const struct network *network, int source);
/* An address, carrier, a route of its own. */
bool network_usable(const struct network *network, unsigned uplink);

static inline const struct condition *network_condition(const struct network *network,
                                                        unsigned uplink)
{
    return &network->uplinks[uplink].timeline[network->uplinks[uplink].now];
}

static inline const struct far *network_far(const struct network *network, unsigned peer)
{
    return &network->peers[peer].timeline[network->peers[peer].now];
}

/* ---- packets ---- */

enum transit network_send(struct network *network, unsigned peer, const struct path *path,
                          enum direction direction, uint32_t bytes, uint64_t now_us,
                          uint64_t *ret_arrival_us);

/* ---- the truth ---- */

enum quality {
    QUALITY_DEAD, /* nothing comes through, or only small or one-way packets */
    QUALITY_BAD,  /* 5 % loss or more, or 150 ms more than this path has at its best */
    QUALITY_GOOD,
};

/* Of a path as it is at this time, the queues that the host itself has filled left out. */
enum quality network_quality(const struct network *network, unsigned peer, const struct path *path,
                             uint64_t at_us);
/* Both ways with nothing in the queues. */
uint64_t network_rtt(const struct network *network, unsigned peer, unsigned uplink, uint64_t at_us);
/* How long from `at_us` on it stays dead. */
uint64_t network_dead_until(const struct network *network, unsigned peer, const struct path *path,
                            uint64_t at_us);

#endif
