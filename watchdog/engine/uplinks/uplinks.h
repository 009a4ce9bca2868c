/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The uplinks of this host: the interfaces over which it reaches the internet. Those of the
 * configuration's [uplink:NAME] sections; without any, the interfaces that have a route of their
 * own to everywhere. What they have at present comes as an event, whole each time.
 *
 *   uplinks.c    the table: names, what the host says of each
 *   members.c    which connection uses which, and where it belongs
 *   evidence.c   what is known of an uplink: heard, left, in penalty, held
 *   candidates.c which uplinks it may go to, in which order
 *   choose.c     where a connection is to go
 *   probe.c      asking whether a path lives
 *   return.c     how connections come back: proof, one of them first, then the others
 *   react.c      what follows when an uplink comes up, goes down, is held
 */
#ifndef ENGINE_UPLINKS_H
#define ENGINE_UPLINKS_H

#include "../base/deadline.h"
#include "../config.h"
#include "../event.h"
#include "../record.h"

struct engine;
struct peer;

/* Where there are more, the rest is not chosen among. */
#define UPLINKS_CHOSEN_MAX 64u

/* So much of a penalty was left at that time; it drains while the uplink is up. */
struct penalty {
    uint64_t left_us, at_us;
};

/* Whether connections may come back to an uplink: return.c. */
struct proof {
    uint64_t since_us;    /* of the first good probe in a row */
    uint32_t good;        /* in a row */
    uint64_t next_us;     /* the next probe; 0: at once */
    uint64_t hold_us;     /* it takes so long; doubled where it did not last */
    uint64_t returned_us; /* the last time that one came back, 0: none since connections left */
    uint64_t tried_us;    /* the last try to come back that failed, 0: none */
    uint64_t scout;       /* the connection that goes first, 0: none */
    bool open;            /* its move helped: the others follow */
    bool brief;           /* it came from a metered one, without the whole proof: so do those */
};

/* What is remembered of an uplink while it keeps its interface, also under another name. */
struct uplink_history {
    uint64_t since_us; /* of its condition; the engine's clock */
    uint64_t heard_us; /* something got through: an acknowledgement, an answered probe; 0: never */
    uint64_t asked_us; /* the last probe or move over it began, 0: none */
    uint64_t unanswered_us; /* the last probe without an answer, 0: none */
    uint64_t left_us;       /* connections left it because it did not do, 0: never */
    uint64_t doubted_us;    /* one is dead on it that cannot leave; 0: never */
    bool suspect;           /* since then it has not been proven */
    uint64_t slow_us;       /* it was left because of this RTT; 0: for another cause */
    uint64_t probe_rtt_us, probe_rtt_at_us; /* of the last answered probe */
    uint64_t probe_usual_us;                /* the lowest of late, 0: none */
    uint32_t rtt_us;                        /* of connections on it, smoothed; 0: not measured */
    struct penalty penalty[2];              /* by family: IPv4, IPv6 */
    struct proof proof;
    bool held;              /* an operator holds it */
    uint64_t held_until_us; /* 0: until released */
    /* the last record */
    enum uplink_change change;
    struct text *change_reason; /* NULL: none yet */
    uint64_t change_us;
};

struct uplink {
    struct text *name, *interface;
    enum uplink_class class;
    bool configured; /* by a section; else learned */
    enum uplink_condition condition;
    bool route4, route6; /* to everywhere, by family */
    struct pd_address *addresses;
    size_t n_addresses;
    uint32_t n_peers; /* connections that use it; kept only where there is something to choose */
    struct uplink_history is;
};

/* A probe of a path that is not answered. */
struct uplink_probe {
    uint64_t number;
    uint64_t conn;
    uint64_t until_us; /* given up then, should the shell have lost it */
    uint8_t uplink;    /* place + 1; 0: it is gone */
    bool for_return;   /* counts for the proof */
};

/* Owns all that it holds. */
struct uplinks {
    struct uplink *list;
    size_t n;
    struct event_interfaces host; /* as last told; owned: a copy */
    /* probe.c */
    struct uplink_probe *probes;
    size_t n_probes, probes_capacity;
    uint64_t last_probe;
    uint32_t deciding; /* connections whose advice waits for probes, at most */
    /* choose.c: what was last made, since many connections go the same way in one turn */
    struct destination *destination;
    /* return.c */
    struct deadline tick;
    uint32_t cursor; /* of its walk over the connections */
    bool away;       /* the last walk found a connection that wants back */
    /* react.c: who is left on an uplink that went down; the end of a hold */
    struct deadline check;
    bool listed; /* the host has reported its interfaces */
};

static inline unsigned family_place(unsigned family)
{
    return family == 6;
}

/* ---- uplinks.c ---- */

/* What the host has now; or the configuration is another. `before` gets the old list, which the
 * caller lets go of by uplinks_list_clear(). */
void uplinks_take(struct engine *engine, const struct event_interfaces *host,
                  struct uplinks *before);
void uplinks_configure(struct engine *engine, struct uplinks *before);
void uplinks_list_clear(struct uplinks *uplinks);

void uplinks_clear(struct engine *engine);

/* The uplink that a connection uses: the one that it was moved to, else the one that has its local
 * address. NULL: none, or two have that address. */
const struct uplink *uplinks_of(const struct engine *engine, const struct pd_path *path);

/* By its name, else by its interface's. NULL: none. */
const struct uplink *uplinks_find(const struct engine *engine, const char *name);

/* By its interface's name alone; in an old list, or in the present one. */
struct uplink *uplinks_on(const struct uplinks *uplinks, const char *interface);
struct uplink *uplinks_by_interface(const struct engine *engine, const char *interface);

/* The one that a destination names; NULL: none is named, or it is none any more. */
struct uplink *uplinks_target(const struct engine *engine, const struct destination *destination);

/* Is there something to choose, and does the node do as it is told? */
bool uplinks_chosen(const struct engine *engine);

/* Can it be used at all for this family (4, 6; 0: any)? Carrier, address, route; nobody holds it.
 */
bool uplink_serves(const struct uplink *uplink, unsigned family, uint64_t now_us);
bool uplink_held(const struct uplink *uplink, uint64_t now_us);

/* How much is left of a penalty, by family_place(). */
uint64_t uplink_penalty_us(const struct uplink *uplink, unsigned place, uint64_t now_us);

/* The family of a connection's addresses; 0: not known. */
unsigned uplinks_family(const struct peer *peer);

/* The place in the list + 1. */
uint8_t uplink_place(const struct engine *engine, const struct uplink *uplink);

/* NULL for 0. */
struct uplink *uplink_at(const struct engine *engine, uint8_t place);

#endif
