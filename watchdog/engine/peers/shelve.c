/* SPDX-License-Identifier: Apache-2.0 */
/* Which move states can be put away, and when they have to come back. See shelf.h. */
#include "../state.h"
#include "peer.h"
#include "shelf.h"
#include "waiting.h"

/* Could a new one with the same `shelved` be told from it, as long as the configuration stays? */
static bool is_over(const struct engine *engine, const struct peer_moves *moves)
{
    return !moves->move && !moves->deferred && !moves->polled && !moves->remembered &&
           !moves->repeats && !moves->effect && !moves->again && !moves->watch.on &&
           !deadline_is_on(&moves->watch.deadline) &&
           !deadline_is_on(&moves->remembered_deadline) && !moves->cooldown_doublings &&
           !moves->backoffs[0] && !moves->backoffs[1] &&
           moves->backoff_until_us[0] <= engine->now_us &&
           moves->backoff_until_us[1] <= engine->now_us && moves->poll_until_us <= engine->now_us &&
           moves->moved_tokens_us <= engine->now_us && !waiting_cooling(engine, moves) &&
           !waiting_tokens(engine, moves).used &&
           engine->now_us >= add_u64(moves->last_request_us, engine->config->merge_window_us);
}

void shelve(struct engine *engine, uint32_t most)
{
    struct peers *peers = &engine->peers;

    for (most = (uint32_t)min_u64(most, peers->top); most && peers->moves.in_use; most--) {
        struct peer *peer;

        if (peers->shelf.next >= peers->top)
            peers->shelf.next = 0;
        peer = peer_at(engine, peers->shelf.next++);
        if (peer->state != PEER_REMOVED && peer->moves && is_over(engine, peer->moves))
            shelf_put(engine, peer);
    }
}

void shelve_none(struct engine *engine)
{
    struct peer *peer;

    for (uint32_t i = 0; engine->peers.shelf.pool.in_use && (peer = peers_next(engine, &i));)
        if (shelf_find(engine, peer))
            (void)peer_moves(engine, peer);
}
