/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Relays that speak REG/ACK (quic-relay, udp-relay): what the files about them share. A relay
 * forwards between the two sockets that registered one id. How both ends come to the same id:
 *
 *   a meeting  for a connection that is dialled through the relay: both make the id from a secret
 *              that they were given, and their names (meet.c)
 *   a stand    for a connection that is there: the dialler draws a key, and says in the connection
 *              which number of it is next at which relay; the peer registers there ahead, so that
 *              the connection can be moved when nothing gets through on its present path (agree.c,
 *              stand.c). No id is used twice.
 */
#ifndef QUIC_NODE_RELAY_H
#define QUIC_NODE_RELAY_H

#include "relay_text.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct conn;
struct node;
struct peer;
struct udp;
struct address;
struct options;
struct relay_option;
struct meet_option;

#define RELAY_WHY_SIZE 80u
/* Numbers of a meeting. Where one was used, and its dialler may come back from another address, its
 * session is full until the relay ends it; the others are free. */
#define MEET_NUMBERS 3u
/* So many times as many there are. An accepting end whose address is another goes on to the next:
 * the sessions of those before are full of its old address. */
#define MEET_WINDOWS 3u

enum registration_state {
    REGISTRATION_ASKED,
    REGISTRATION_HELD,
    REGISTRATION_REFUSED,
};

/* Of one socket, which is connected to the relay. */
struct registration {
    const struct relay_option *relay;
    char id[RELAY_ID_SIZE];
    enum registration_state state;
    char why[RELAY_WHY_SIZE]; /* it is not held */
    bool quiet;               /* nothing keeps it: another address may take it when it has ended */
    unsigned tries;           /* unanswered */
    uint64_t due_ns;          /* the next REG, where it is not held by traffic */
    uint64_t asked_ns;        /* the last REG */
    struct {
        bool known;
        unsigned unanswered;
        uint64_t due_ns;
        uint64_t bytes, ms, at_ns; /* as it was answered then */
        uint64_t sent_bytes, received_bytes;
    } lease;
};

/* What is left on the relay; UINT64_MAX: no limit, or not known. */
struct relay_lease {
    uint64_t ms, sent_bytes, received_bytes;
};

/* A socket of the accepting end, registered and waiting; or in use. */
struct stand {
    struct stand *next;
    struct node *node;
    const struct relay_option *relay;
    struct peer *peer;              /* whose connections may come here; NULL: a meeting */
    const struct meet_option *meet; /* NULL: none */
    struct udp *u;                  /* NULL: it could not be opened */
    char key[RELAY_ID_SIZE];        /* the peer's */
    uint64_t number;
    uint64_t retry_ns;         /* the socket, again */
    uint64_t used_ns;          /* a packet came; 0: never */
    uint64_t close_at_ns;      /* 0: it is wanted */
    char told[RELAY_WHY_SIZE]; /* to the peer, of that number; empty: nothing yet */
    uint64_t told_number;
};

/* At a relay, of the connections that this node dials to a peer. */
struct peer_relay {
    uint64_t number;          /* the next one to use */
    bool answered;            /* the peer has said how it stands there */
    char why[RELAY_WHY_SIZE]; /* empty: it is registered */
};

/* relay.c: registrations */
int relay_register(struct udp *u, const struct relay_option *relay, const char *id);
/* Now; the id may be another. */
void relay_register_again(struct udp *u, const char *id);
/* true: it was the relay's, or another question; false: the other end's. */
bool relay_received(struct udp *u, const uint8_t *data, size_t len);
void relay_turn(struct node *node);
uint64_t relay_next_ns(const struct node *node);
/* The registration of the path that the connection is on; NULL: it is direct. */
struct registration *relay_of(const struct conn *c);
const char *relay_via(const struct conn *c);
/* Of the connection's present path: its lease, and a registration that may be lost. */
void relay_path_check(struct conn *c);
uint64_t relay_path_next_ns(const struct conn *c);
struct relay_lease relay_lease(const struct conn *c);
/* Where it is dialled or moved to. NULL: no such relay. */
const struct relay_option *relay_find(const struct options *o, const char *name);

/* relay_id.c */
void relay_hex(char ret[static RELAY_ID_SIZE], const uint8_t data[static RELAY_ID_BYTES]);
void relay_random(char ret[static RELAY_ID_SIZE]);
void relay_id_meet(char ret[static RELAY_ID_SIZE], const char *secret, const char *dialler,
                   const char *listener, uint64_t number);
void relay_id_stand(char ret[static RELAY_ID_SIZE], const char *key, const char *relay,
                    uint64_t number);

/* meet.c: dialling, directly or through a relay */
int meet_init(struct node *node);
/* interface and local may be NULL, as of udp_dial(). */
int meet_dial(struct peer *p, const char *interface, const struct address *local,
              const char **ret_why);
void meet_check(struct conn *c);
uint64_t meet_next_ns(const struct conn *c);

/* stand.c: the accepting end */
struct stand *stand_new(struct node *node, const struct relay_option *relay);
void stand_open(struct stand *s); /* also again, when its number is another */
void stand_received(struct udp *u);
void stand_turn(struct node *node);
uint64_t stand_next_ns(const struct node *node);
void stands_free(struct node *node);

struct via_target {
    const struct relay_option *relay; /* NULL: directly */
    const struct address *remote;
};

/* migrate_via.c: where a migration goes. What is wrong is in move.why.
 * 0 or the code to refuse with: */
int via_target(struct conn *c, const char *via, struct via_target *ret);
/* Of move.path, which is connected to the relay; NULL: there is none. -errno. */
int via_register(struct conn *c, const struct relay_option *relay, uint64_t timeout_ns);
/* 1: it may go there; 0: not yet; else the code to refuse with. `dead`: the present path. */
int via_ready(struct conn *c, bool dead);
void via_done(struct conn *c); /* it went there, or that was given up */

/* agree.c: what both ends say of it in the connection */
void agree_begin(struct conn *c);                                    /* it is up */
int agree_asked(struct conn *c, const uint8_t *body, size_t len);    /* frame R */
int agree_answered(struct conn *c, const uint8_t *body, size_t len); /* frame S */
void agree_turn(struct node *node);
/* The id of the next number there. */
void agree_id(struct peer *p, const struct relay_option *relay, char ret[static RELAY_ID_SIZE]);
void agree_used(struct conn *c, const struct relay_option *relay);
void agree_again(struct conn *c, const struct relay_option *relay); /* it may be otherwise by now */
/* 1: the peer stands there; 0: it has not said so yet; else the code to refuse with. */
int agree_ready(const struct conn *c, const struct relay_option *relay, const char **ret_why);

#endif
