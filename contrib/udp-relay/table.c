/* SPDX-License-Identifier: Apache-2.0 */
/* See table.h. */
#include "table.h"

#include "util/siphash.h"

#include <errno.h>
#include <stdlib.h>

static uint32_t hash_endpoint(const struct table *table, const struct endpoint *at, uint16_t port)
{
    uint8_t words[24] = {0};

    memcpy(words, at->ip, 16);
    memcpy(words + 16, &at->scope, 4);
    memcpy(words + 20, &port, 2);
    return (uint32_t)siphash(table->key, words, sizeof(words)) & table->mask;
}

static uint32_t hash_id(const struct table *table, const char *id, size_t size)
{
    return (uint32_t)siphash(table->key, id, size) & table->mask;
}

static void *array_new(struct table *table, size_t n, size_t size)
{
    table->memory_bytes += n * size;
    return calloc(n, size);
}

int table_init(struct table *table, uint32_t n_sessions, const uint64_t key[static 2])
{
    size_t n_chains = 64;

    while (n_chains < (size_t)n_sessions * 2)
        n_chains *= 2;
    *table = (struct table){.key = {key[0], key[1]},
                            .n_places = n_sessions,
                            .free_session = NONE,
                            .free_host = NONE,
                            .oldest = NONE,
                            .newest = NONE,
                            .mask = (uint32_t)n_chains - 1};
    table->by_id = array_new(table, n_chains, sizeof(uint32_t));
    table->by_endpoint = array_new(table, n_chains, sizeof(uint32_t));
    table->by_ip = array_new(table, n_chains, sizeof(uint32_t));
    table->sessions = array_new(table, n_sessions, sizeof(struct session));
    table->hosts = array_new(table, (size_t)n_sessions * 2, sizeof(struct host));
    if (!table->by_id || !table->by_endpoint || !table->by_ip || !table->sessions || !table->hosts)
        return -ENOMEM;
    return 0;
}

void table_free(struct table *table)
{
    free(table->by_id);
    free(table->by_endpoint);
    free(table->by_ip);
    free(table->sessions);
    free(table->hosts);
    *table = (struct table){0};
}

/* ---- finding ---- */

struct session *table_find_id(const struct table *table, const char *id, size_t size)
{
    uint32_t at = table->by_id[hash_id(table, id, size)];

    while (at) {
        struct session *session = &table->sessions[at - 1];

        if (session->id_size == size && !memcmp(session->id, id, size))
            return session;
        at = session->next;
    }
    return NULL;
}

uint32_t table_find_endpoint(const struct table *table, const struct endpoint *endpoint)
{
    uint32_t at = table->by_endpoint[hash_endpoint(table, endpoint, endpoint->port)];

    while (at) {
        const struct member *member = table_member(table, at - 1);

        if (endpoint_equal(&member->at, endpoint))
            return at - 1;
        at = member->next;
    }
    return NONE;
}

struct host *table_find_ip(const struct table *table, const struct endpoint *ip)
{
    uint32_t at = table->by_ip[hash_endpoint(table, ip, 0)];

    while (at) {
        struct host *host = &table->hosts[at - 1];

        if (ip_equal(&host->ip, ip))
            return host;
        at = host->next;
    }
    return NULL;
}

/* ---- the chains ---- */

static void member_link(struct table *table, uint32_t number)
{
    struct member *member = table_member(table, number);
    uint32_t *chain = &table->by_endpoint[hash_endpoint(table, &member->at, member->at.port)];

    member->next = *chain;
    *chain = number + 1;
}

static void member_unlink(struct table *table, uint32_t number)
{
    struct member *member = table_member(table, number);
    uint32_t *link = &table->by_endpoint[hash_endpoint(table, &member->at, member->at.port)];

    while (*link != number + 1)
        link = &table_member(table, *link - 1)->next;
    *link = member->next;
}

static void session_unlink(struct table *table, const struct session *session)
{
    uint32_t number = table_number(table, session);
    uint32_t *link = &table->by_id[hash_id(table, session->id, session->id_size)];

    while (*link != number + 1)
        link = &table->sessions[*link - 1].next;
    *link = session->next;
}

static void host_unlink(struct table *table, const struct host *host)
{
    uint32_t number = (uint32_t)(host - table->hosts);
    uint32_t *link = &table->by_ip[hash_endpoint(table, &host->ip, 0)];

    while (*link != number + 1)
        link = &table->hosts[*link - 1].next;
    *link = host->next;
}

static void wait_link(struct table *table, struct session *session)
{
    uint32_t number = table_number(table, session);

    session->older = table->newest;
    session->newer = NONE;
    if (table->newest != NONE)
        table->sessions[table->newest].newer = number;
    else
        table->oldest = number;
    table->newest = number;
}

static void wait_unlink(struct table *table, const struct session *session)
{
    if (session->older != NONE)
        table->sessions[session->older].newer = session->newer;
    else
        table->oldest = session->newer;
    if (session->newer != NONE)
        table->sessions[session->newer].older = session->older;
    else
        table->newest = session->older;
}

void table_renew_session(struct table *table, struct session *session)
{
    if (session->n_members != 1)
        return;
    wait_unlink(table, session);
    wait_link(table, session);
}

struct session *table_oldest_waiting(const struct table *table)
{
    return table->oldest == NONE ? NULL : &table->sessions[table->oldest];
}

/* ---- changing ---- */

struct session *table_add_session(struct table *table, const char *id, size_t size)
{
    uint32_t number = table->free_session, *chain;
    struct session *session;

    if (number == NONE && table->n_sessions_touched == table->n_places)
        return NULL;
    if (number == NONE)
        number = table->n_sessions_touched++;
    else
        table->free_session = table->sessions[number].next;
    session = &table->sessions[number];
    *session = (struct session){.id_size = (uint8_t)size};
    memcpy(session->id, id, size);
    chain = &table->by_id[hash_id(table, id, size)];
    session->next = *chain;
    *chain = number + 1;
    return session;
}

/* There are as many places as members can be. */
static struct host *host_add(struct table *table, const struct endpoint *ip,
                             const struct rate *rate)
{
    uint32_t number = table->free_host, *chain;
    struct host *host;

    if (number == NONE)
        number = table->n_hosts_touched++;
    else
        table->free_host = table->hosts[number].next;
    host = &table->hosts[number];
    *host = (struct host){.ip = *ip, .rate = *rate};
    host->ip.port = 0;
    chain = &table->by_ip[hash_endpoint(table, ip, 0)];
    host->next = *chain;
    *chain = number + 1;
    return host;
}

/* What is counted of a session at the addresses of its members, and in all. */
static void count_session(struct table *table, const struct session *session, uint32_t by)
{
    struct host *first = table_host(table, &session->members[0]);

    if (session->n_members == 1) {
        first->n_pending += by;
        table->n_pending += by;
        return;
    }
    struct host *second = table_host(table, &session->members[1]);

    first->n_circuits += by;
    if (second != first)
        second->n_circuits += by;
    table->n_circuits += by;
}

struct member *table_add_member(struct table *table, struct session *session,
                                const struct endpoint *at, const struct rate *rate)
{
    uint32_t number = table_number(table, session) * 2 + session->n_members;
    struct member *member = table_member(table, number);
    struct host *host = table_find_ip(table, at);

    if (!host)
        host = host_add(table, at, rate);
    *member = (struct member){.at = *at, .host = (uint32_t)(host - table->hosts)};
    member_link(table, number);
    host->n_members++;
    host->members_xor ^= number;
    if (session->n_members) {
        count_session(table, session, (uint32_t)-1);
        wait_unlink(table, session);
    } else {
        wait_link(table, session);
    }
    session->n_members++;
    count_session(table, session, 1);
    return member;
}

void table_move_member(struct table *table, uint32_t number, const struct endpoint *at)
{
    member_unlink(table, number);
    table_member(table, number)->at = *at;
    member_link(table, number);
}

static void member_remove(struct table *table, uint32_t number,
                          void (*gone)(void *user, const struct host *host), void *user)
{
    struct host *host = table_host(table, table_member(table, number));

    member_unlink(table, number);
    host->members_xor ^= number;
    if (--host->n_members)
        return;
    gone(user, host);
    host_unlink(table, host);
    host->next = table->free_host;
    table->free_host = (uint32_t)(host - table->hosts);
}

void table_remove_session(struct table *table, struct session *session,
                          void (*gone)(void *user, const struct host *host), void *user)
{
    uint32_t number = table_number(table, session);

    count_session(table, session, (uint32_t)-1);
    if (session->n_members == 1)
        wait_unlink(table, session);
    for (unsigned i = 0; i < session->n_members; i++)
        member_remove(table, number * 2 + i, gone, user);
    session_unlink(table, session);
    session->n_members = 0;
    session->next = table->free_session;
    table->free_session = number;
}
