/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One flow's move to another uplink: set, then proven by the server's answers there, or put back.
 * What is known of servers that do not follow is kept here, too. Pure: no I/O and no clock.
 */
#ifndef FLOW_NODE_MOVES_H
#define FLOW_NODE_MOVES_H

#include <net/if.h>
#include <stdbool.h>
#include <stdint.h>

#include "tuple.h"

/* So long a server that does not follow is not asked again; so long it is known that one did. */
#define MOVES_FORBIDDEN_US UINT64_C(3600000000)
#define MOVES_REFUSALS     2u
/* So many servers at once; the oldest gives way. */
#define MOVES_SERVERS_MOST 1024u
#define MOVES_PLACES_MOST  64u
/* Packets without an answer that are enough to put a flow back before its time; and so long after
 * the first of them, or so many probe timeouts, whichever is longer. */
#define MOVES_TRIES       3u
#define MOVES_PATIENCE_US UINT64_C(500000)
#define MOVES_PTOS        4u
/* Who was answered within that time is answered still. */
#define MOVES_STILL_US UINT64_C(300000)

enum move_state {
    MOVE_NONE,
    MOVE_SET,      /* it goes the new way */
    MOVE_RETURNED, /* it was put back; does it get answers again? */
};

struct move {
    enum move_state state;
    uint64_t token;                          /* of the request */
    char from[IF_NAMESIZE], to[IF_NAMESIZE]; /* "": where the routes lead */
    char way[IF_NAMESIZE];                   /* the uplink, also where the routes lead there */
    bool committed;                          /* the caller's: the kernel has it */
    uint8_t place[16];                       /* the address that the server is to see */
    uint8_t before[16];                      /* that it saw when the move was asked for */
    uint64_t begun_us, until_us;
    uint64_t answers_us;          /* of its port */
    uint64_t patience_us;         /* so long after the first packet there may be no answer */
    uint64_t first_us, enough_us; /* when the first, and MOVES_TRIES packets had been sent; 0 */
    bool was_answered;            /* on the way of before, right before */
    bool others;                  /* were answered there while it was not */
    /* When it was set or put back: */
    uint64_t sent_packets; /* of the flow */
    uint64_t received;     /* packets, of its entry then */
    uint32_t id;
    uint8_t seen_at[16];
};

/* What is seen of the flow at one moment. */
struct move_look {
    bool there;            /* it has an entry */
    bool on_way;           /* the server sees it at an address of move.way */
    bool was_answered;     /* at the begin: the way of before lives */
    uint64_t pto_us;       /* at the begin; UINT64_MAX: not known */
    uint64_t answers_us;   /* its protocol may take so long to answer */
    uint32_t id;           /* of the entry */
    uint8_t seen_at[16];   /* of the entry */
    uint64_t received;     /* packets of the entry */
    uint64_t sent_packets; /* of the flow */
};

enum move_verdict {
    MOVE_GOES_ON,
    MOVE_PROVEN,   /* the server has answered there */
    MOVE_UNPROVEN, /* nothing was sent, or the way of before was no better; it stays there */
    MOVE_PUT_BACK, /* call move_put_back(), or move_end() where nothing is to be learnt from it */
    MOVE_TIMEOUT,  /* put back, and no answer there either */
    MOVE_REFUSED,  /* put back, and it is answered again: moves_refused() */
};

/* `way`: the uplink, `place`: its address; `to`: "" where the routes lead there. */
void move_begin(struct move *move, uint64_t token, const char *from, const char *to,
                const char *way, const uint8_t place[static 16], const struct move_look *look,
                uint64_t now_us, uint64_t timeout_us);
enum move_verdict move_look(struct move *move, const struct move_look *look, uint64_t now_us);
/* It goes the way of before: it is on its way where the server sees it at move.before. */
void move_put_back(struct move *move, const struct move_look *look, uint64_t now_us);
void move_end(struct move *move);

/* ---- what flows show of each other ---- */

struct moves;

struct moves *moves_new(void);
struct moves *moves_free(struct moves *moves);

/* The flow `conn` was answered at that address of ours. */
void moves_answered(struct moves *moves, const uint8_t place[static 16], uint64_t conn,
                    uint64_t now_us);
/* Was another one, since then, and still is? */
bool moves_others(const struct moves *moves, const uint8_t place[static 16], uint64_t conn,
                  uint64_t since_us, uint64_t now_us);

/* The flow's server has followed a move: it is not forbidden for MOVES_FORBIDDEN_US. */
void moves_followed(struct moves *moves, const struct flow_tuple *tuple, uint64_t now_us);
/* It has not, though the new way carried others and the old one itself. With the second time it is
 * forbidden; true: it is now. */
bool moves_refused(struct moves *moves, const struct flow_tuple *tuple, uint64_t now_us);
bool moves_is_forbidden(const struct moves *moves, const struct flow_tuple *tuple, uint64_t now_us);

#endif
