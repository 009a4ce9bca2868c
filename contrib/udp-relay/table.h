/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sessions, their members, and the addresses that have members, each found by a hash. All places
 * are made at the start; those that were never used are never touched. Knows no rule. Pure.
 *
 * Numbers name places: a session's, and of member i of session s: 2 * s + i. NONE is none.
 */
#ifndef UDP_RELAY_TABLE_H
#define UDP_RELAY_TABLE_H

#include "rate.h"
#include "relay.h"

#define NONE UINT32_MAX

struct member {
    struct endpoint at, asked;
    uint64_t heard_us;
    uint64_t bytes, datagrams; /* forwarded, from it */
    uint64_t told_us;          /* ERR:limit; 0: never */
    uint32_t host, next;       /* next: in the chain of its hash */
    bool ended;
};

struct session {
    struct member members[2];
    uint64_t registered_us;
    uint64_t opened_us; /* 0: one member */
    uint64_t active_us;
    uint32_t list;     /* the list of members that allowed the first one, by its number */
    uint32_t next;     /* in the chain of its hash, or of free places */
    uint8_t n_members; /* 0: the place is free */
    uint8_t id_size;
    char id[RELAY_ID_MAX];
};

/* An address with members. */
struct host {
    struct endpoint ip; /* no port */
    struct rate rate;
    uint32_t next;
    uint32_t n_members, n_circuits, n_pending;
    uint32_t members_xor; /* of their numbers: the only one's where there is one */
};

struct table {
    uint64_t key[2];
    uint32_t n_places; /* of sessions; there are twice as many of hosts */
    uint32_t n_sessions_touched, n_hosts_touched;
    uint32_t free_session, free_host;
    uint32_t mask; /* of the three arrays of chains, each element a number + 1; 0: none */
    uint32_t *by_id, *by_endpoint, *by_ip;
    struct session *sessions;
    struct host *hosts;
    uint32_t n_circuits, n_pending;
    size_t memory_bytes;
};

/* Returns 0 or -ENOMEM. In either case it is to be freed. */
int table_init(struct table *table, uint32_t n_sessions, const uint64_t key[static 2]);
void table_free(struct table *table);

struct session *table_find_id(const struct table *table, const char *id, size_t size);
/* The member's number. */
uint32_t table_find_endpoint(const struct table *table, const struct endpoint *endpoint);
struct host *table_find_ip(const struct table *table, const struct endpoint *ip);

static inline struct member *table_member(const struct table *table, uint32_t number)
{
    return &table->sessions[number / 2].members[number % 2];
}

static inline struct host *table_host(const struct table *table, const struct member *member)
{
    return &table->hosts[member->host];
}

/* A session without members; its first member is to be added at once. NULL: there is no place. */
struct session *table_add_session(struct table *table, const char *id, size_t size);
/* With `rate` where its address is new. The endpoint must be nobody's. */
struct member *table_add_member(struct table *table, struct session *session,
                                const struct endpoint *at, const struct rate *rate);
/* To another port of its address. */
void table_move_member(struct table *table, uint32_t number, const struct endpoint *at);
/* With its members. `gone` is told of each address that has no member any more. */
void table_remove_session(struct table *table, struct session *session,
                          void (*gone)(void *user, const struct host *host), void *user);

static inline uint32_t table_number(const struct table *table, const struct session *session)
{
    return (uint32_t)(session - table->sessions);
}

#endif
