/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of connections: blocks of equal-sized slots at fixed addresses, a
 * dense index, and two hash indices over it.
 */
#include "peer.h"

#include "../../util/address.h"
#include "../base/outbox.h"
#include "../state.h"
#include "index.h"

size_t peers_stride(size_t slots_size)
{
    return (offsetof(struct peer, slots) + slots_size + 7) & ~(size_t)7;
}

void peers_init(struct engine *engine)
{
    struct peers *peers = &engine->peers;

    peers->stride = peers_stride(engine->triggers.slots_size);
    pool_init(&peers->moves, sizeof(struct peer_moves));
    shelf_init(engine);
}

void peers_clear(struct engine *engine)
{
    struct peers *peers = &engine->peers;

    for (size_t i = 0; i < peers->n_blocks; i++)
        free(peers->blocks[i]);
    free(peers->blocks);
    free(peers->free);
    index_clear(&peers->by_conn);
    index_clear(&peers->by_name);
    pool_clear(&peers->moves);
    shelf_clear(engine);
}

static bool match_conn(const struct peer *peer, const void *key)
{
    return peer->view.conn == *(const uint64_t *)key;
}

static bool match_name(const struct peer *peer, const void *key)
{
    return strcmp(peer->view.name, key) == 0;
}

static uint64_t hash_peer_conn(const struct peer *peer)
{
    return hash_conn(peer->view.conn);
}

static uint64_t hash_peer_name(const struct peer *peer)
{
    return hash_name(peer->view.name);
}

/* NULL if none has the key. Inline, so that `match` is, too. */
static inline struct peer *find(const struct engine *engine, const struct index *index,
                                uint64_t hash,
                                bool (*match)(const struct peer *peer, const void *key),
                                const void *key)
{
    if (!index->capacity)
        return NULL;
    for (size_t i = hash & (index->capacity - 1);; i = (i + 1) & (index->capacity - 1)) {
        uint32_t slot = index->slots[i];

        if (slot == INDEX_EMPTY)
            return NULL;
        if (slot != INDEX_TOMBSTONE && match(peer_at(engine, slot - 1), key))
            return peer_at(engine, slot - 1);
    }
}

struct peer *peers_find(const struct engine *engine, uint64_t conn)
{
    return find(engine, &engine->peers.by_conn, hash_conn(conn), match_conn, &conn);
}

struct peer *peers_find_name(const struct engine *engine, const char *name)
{
    return find(engine, &engine->peers.by_name, hash_name(name), match_name, name);
}

struct peer *peers_next(const struct engine *engine, uint32_t *index)
{
    while (*index < engine->peers.top) {
        struct peer *peer = peer_at(engine, (*index)++);

        if (peer->state != PEER_REMOVED)
            return peer;
    }
    return NULL;
}

static const struct pd_path not_reported;

/* A path and its strings in one block; nothing of its own where nothing was told. */
static const struct pd_path *path_new(const char *local, const char *remote, const char *via,
                                      const char *interface)
{
    const char *texts[] = {local, remote, via, interface};
    const char *copies[ARRAY_SIZE(texts)] = {0};
    size_t size = sizeof(struct pd_path);
    struct pd_path *path;
    char *end;

    if (!local && !remote && !via && !interface)
        return &not_reported;
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        size += texts[i] ? strlen(texts[i]) + 1 : 0;
    path = memory_check(malloc(size));
    end = (char *)(path + 1);
    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        if (texts[i]) {
            copies[i] = end;
            end = stpcpy(end, texts[i]) + 1;
        }
    *path = (struct pd_path){
        .local_text = copies[0],
        .remote_text = copies[1],
        .via = copies[2],
        .interface = copies[3],
    };
    if (local)
        (void)address_parse(local, &path->local); /* absent if it cannot be read */
    if (remote)
        (void)address_parse(remote, &path->remote);
    return path;
}

static void path_free(const struct pd_path *path)
{
    if (path != &not_reported)
        free((void *)path);
}

void peer_texts_free(struct peer *peer)
{
    path_free(peer->view.path);
    text_unref(peer_name(peer));
    peer->view.path = NULL;
    peer->view.name = NULL;
}

static uint32_t take_index(struct peers *peers)
{
    if (peers->n_free)
        return peers->free[--peers->n_free];
    if (peers->top == peers->n_blocks * PEERS_PER_BLOCK) {
        peers->blocks = array_reserve(peers->blocks, &peers->blocks_capacity, peers->n_blocks + 1,
                                      sizeof(char *));
        peers->blocks[peers->n_blocks++] = memory_new(PEERS_PER_BLOCK, peers->stride);
    }
    return peers->top++;
}

static bool is_over_relay(const struct pd_path *path)
{
    return path->via && !string_equal(path->via, "direct");
}

struct peer *peer_add(struct engine *engine, const struct event_peer_up *event)
{
    struct peers *peers = &engine->peers;
    uint32_t index = take_index(peers);
    struct peer *peer = peer_at(engine, index);

    memset(peer, 0, peers->stride);
    peer->state = PEER_REMOVED;
    peer->view = (struct pd_peer){
        .index = index,
        .role = event->role,
        .conn = event->conn,
        .name = text_new(event->peer)->s,
        .path = path_new(event->local, event->remote, event->via, event->interface),
    };
    peer->interface_reported = event->interface != NULL;
    peer->over_relay = is_over_relay(peer->view.path);
    peer_set_able(peer, event->migratable, event->reconnectable);
    memset(peer->rtt, 0xff, sizeof(peer->rtt));
    memset(peer->rtt_last, 0xff, sizeof(peer->rtt_last));
    peer->bytes_received = peer->bytes_sent = PD_UNKNOWN;
    peer->round = engine->polls.round;
    peer->up_us = engine->now_us;
    index_add(engine, &peers->by_conn, hash_conn(peer->view.conn), index, hash_peer_conn);
    index_add(engine, &peers->by_name, hash_name(peer->view.name), index, hash_peer_name);
    peers->count++;
    peer_set_state(engine, peer, PEER_UP, NULL);
    return peer;
}

static void write_record(struct engine *engine, const struct peer *peer, bool up,
                         const char *reason)
{
    struct record *record = outbox_record(engine, RECORD_PEER);

    /* The snapshot of a large node is one thing that happened, not thousands. */
    record->bulk = !engine->node.reported && engine->peers_reported > 1000;
    record->peer = (struct record_peer){
        .subject = peer_subject(peer),
        .up = up,
        .role = peer->view.role,
        .reason = text_new(reason),
    };
}

static void take_out(struct engine *engine, struct peer *peer)
{
    struct peers *peers = &engine->peers;

    index_remove(&peers->by_conn, hash_conn(peer->view.conn), peer->view.index);
    index_remove(&peers->by_name, hash_name(peer->view.name), peer->view.index);
    pool_give(&peers->moves, peer->moves);
    peer->moves = NULL;
    shelf_forget(engine, peer);
    peer_texts_free(peer);
    peers->free =
        array_reserve(peers->free, &peers->free_capacity, peers->n_free + 1, sizeof(uint32_t));
    peers->free[peers->n_free++] = peer->view.index;
    peers->count--;
}

void peer_set_state(struct engine *engine, struct peer *peer, enum peer_state state,
                    const char *reason)
{
    enum peer_state old = peer->state;

    if (old == state)
        return;
    peer->state = (uint8_t)state & 3;
    if (old == PEER_REMOVED)
        write_record(engine, peer, true, reason);
    if (state == PEER_REMOVED) {
        write_record(engine, peer, false, reason);
        take_out(engine, peer);
    }
}

bool peer_set_path(struct peer *peer, const char *local, const char *remote, const char *via,
                   const char *interface)
{
    const struct pd_path *old = peer->view.path;
    bool reported = interface != NULL, same, bound_same;

    local = local ? local : old->local_text;
    remote = remote ? remote : old->remote_text;
    via = via ? via : old->via;
    same = string_equal(local, old->local_text) && string_equal(remote, old->remote_text) &&
           string_equal(via, old->via);
    if (same && !interface) {
        interface = old->interface;
        reported = peer->interface_reported;
    }
    bound_same = string_equal(interface, old->interface);
    if (same && bound_same && reported == peer->interface_reported)
        return false;
    peer->view.path = path_new(local, remote, via, interface);
    peer->interface_reported = reported;
    peer->over_relay = is_over_relay(peer->view.path);
    path_free(old);
    return !same || !bound_same;
}

void peer_set_interface(struct peer *peer, const char *interface)
{
    const struct pd_path *old = peer->view.path;

    if (peer->interface_reported || string_equal(interface, old->interface))
        return;
    peer->view.path = path_new(old->local_text, old->remote_text, old->via, interface);
    path_free(old);
}

void peer_set_able(struct peer *peer, bool migratable, bool reconnectable)
{
    peer->migratable = migratable;
    peer->reconnectable = reconnectable;
}

void peer_set_given_up(struct peer *peer, bool given_up)
{
    peer->given_up = given_up;
}

void peer_set_unrouted(struct peer *peer, bool unrouted)
{
    peer->unrouted = unrouted;
}

void peer_refuse(struct peer *peer, enum by by)
{
    if (by == BY_RECONNECT)
        peer->undialable = true;
    else
        peer->disabled = true;
}

bool peer_movable(const struct engine *engine, const struct peer *peer, enum by by)
{
    if (by == BY_MIGRATE)
        return peer->migratable && !peer->disabled;
    return (engine->node.features & NODE_RECONNECT) && peer->reconnectable && !peer->undialable;
}

struct peer_moves *peer_moves(struct engine *engine, struct peer *peer)
{
    if (!peer->moves) {
        peer->moves = pool_take(&engine->peers.moves);
        peer->moves->peer = peer;
        shelf_take(engine, peer, peer->moves);
    }
    return peer->moves;
}

struct record_subject peer_subject(const struct peer *peer)
{
    return (struct record_subject){.peer = text_ref(peer_name(peer)), .conn = peer->view.conn};
}
