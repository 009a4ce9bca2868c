/* SPDX-License-Identifier: Apache-2.0 */
/* Move states that nothing depends on, in less room. See shelf.h. */
#include "shelf.h"

#include "../state.h"
#include "peer.h"

void shelf_init(struct engine *engine)
{
    pool_init(&engine->peers.shelf.pool, sizeof(struct shelved));
}

void shelf_clear(struct engine *engine)
{
    struct shelf *shelf = &engine->peers.shelf;

    for (size_t i = 0; i < shelf->n_places; i++)
        free(shelf->places[i]);
    free(shelf->places);
    pool_clear(&shelf->pool);
    *shelf = (struct shelf){0};
}

static struct shelved **place_of(const struct shelf *shelf, uint32_t index)
{
    size_t block = index / PEERS_PER_BLOCK;

    if (block >= shelf->n_places || !shelf->places[block])
        return NULL;
    return &shelf->places[block][index % PEERS_PER_BLOCK];
}

static struct shelved **place_make(struct shelf *shelf, uint32_t index)
{
    size_t block = index / PEERS_PER_BLOCK;

    while (shelf->n_places <= block) {
        shelf->places = array_reserve(shelf->places, &shelf->places_capacity, shelf->n_places + 1,
                                      sizeof(*shelf->places));
        shelf->places[shelf->n_places++] = NULL;
    }
    if (!shelf->places[block])
        shelf->places[block] = memory_new(PEERS_PER_BLOCK, sizeof(struct shelved *));
    return &shelf->places[block][index % PEERS_PER_BLOCK];
}

void shelf_put(struct engine *engine, struct peer *peer)
{
    struct shelf *shelf = &engine->peers.shelf;
    struct peer_moves *moves = peer->moves;
    struct shelved *shelved = pool_take(&shelf->pool);

    *shelved = (struct shelved){
        .cooling_since_us = moves->cooling_since_us,
        .tokens_us = moves->tokens_us,
        .last_request_us = moves->last_request_us,
        .last_decision = moves->last_decision,
        .moved_us = moves->moved_us,
        .tokens_used = moves->tokens_used,
    };
    *place_make(shelf, peer->view.index) = shelved;
    peer->moves = NULL;
    pool_give(&engine->peers.moves, moves);
}

const struct shelved *shelf_find(const struct engine *engine, const struct peer *peer)
{
    struct shelved **place = place_of(&engine->peers.shelf, peer->view.index);

    return place ? *place : NULL;
}

void shelf_forget(struct engine *engine, struct peer *peer)
{
    struct shelf *shelf = &engine->peers.shelf;
    struct shelved **place = place_of(shelf, peer->view.index);

    if (!place || !*place)
        return;
    pool_give(&shelf->pool, *place);
    *place = NULL;
}

void shelf_take(struct engine *engine, struct peer *peer, struct peer_moves *moves)
{
    const struct shelved *shelved = shelf_find(engine, peer);

    if (!shelved)
        return;
    moves->cooling_since_us = shelved->cooling_since_us;
    moves->tokens_us = shelved->tokens_us;
    moves->last_request_us = shelved->last_request_us;
    moves->last_decision = shelved->last_decision;
    moves->moved_us = shelved->moved_us;
    moves->tokens_used = shelved->tokens_used;
    shelf_forget(engine, peer);
}
