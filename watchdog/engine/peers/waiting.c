/* SPDX-License-Identifier: Apache-2.0 */
/* Cool-down, back-off and tokens of a connection (docs/decisions.md, "Waiting"). */
#include "waiting.h"

#include "../state.h"
#include "name.h"
#include "peer.h"

#define DOUBLINGS_MAX 32u
/* The trigger route reports one change a second at most: more often is no news of the kernel. */
#define MOVED_REFILL_US 1000000u
/* A dead connection is lost already: it does not wait for longer than this after a failure. */
#define DEAD_BACKOFF_US 30000000u

uint64_t waiting_cooldown_us(const struct engine *engine, const struct peer_moves *moves)
{
    uint64_t cooldown = engine->config->cooldown_us;

    for (unsigned i = 0; i < moves->cooldown_doublings; i++)
        cooldown = min_u64(cooldown * 2, engine->config->cooldown_max_us);
    return cooldown;
}

bool waiting_cooling(const struct engine *engine, const struct peer_moves *moves)
{
    return moves->cooling_since_us &&
           engine->now_us < add_u64(moves->cooling_since_us, waiting_cooldown_us(engine, moves));
}

struct tokens waiting_tokens(const struct engine *engine, const struct peer_moves *moves)
{
    uint64_t refill = engine->config->move_refill_us;
    uint64_t refilled = (engine->now_us - moves->tokens_us) / refill;
    struct tokens tokens = {.since_us = engine->now_us};

    if (refilled < moves->tokens_used) {
        tokens.used = moves->tokens_used - (uint32_t)refilled;
        tokens.since_us = moves->tokens_us + refilled * refill;
    }
    return tokens;
}

static uint64_t moved_refill_us(const struct engine *engine)
{
    return min_u64(engine->config->move_refill_us, MOVED_REFILL_US);
}

/* Those of `moved` are of their own: what the kernel did takes none from `dead`. */
static void take_moved(const struct engine *engine, struct peer_moves *moves)
{
    uint64_t refill_us = moved_refill_us(engine);

    moves->moved_tokens_us = min_u64(max_u64(moves->moved_tokens_us, engine->now_us) + refill_us,
                                     engine->now_us + engine->config->move_burst * refill_us);
}

void waiting_take_token(const struct engine *engine, struct peer_moves *moves, enum pd_kind kind)
{
    struct tokens tokens = waiting_tokens(engine, moves);

    if (kind == PD_KIND_MOVED) {
        take_moved(engine, moves);
        return;
    }
    moves->tokens_used = tokens.used + 1;
    moves->tokens_us = tokens.since_us;
}

/* When there is a token; 0: now. */
static uint64_t token_at_us(const struct engine *engine, const struct peer_moves *moves)
{
    struct tokens tokens = waiting_tokens(engine, moves);

    return tokens.used < engine->config->move_burst
               ? 0
               : tokens.since_us + engine->config->move_refill_us;
}

uint64_t waiting_moved_at_us(const struct engine *engine, const struct peer_moves *moves)
{
    uint64_t ahead_us = (engine->config->move_burst - 1) * moved_refill_us(engine);
    uint64_t at_us = sub_u64(moves->moved_tokens_us, ahead_us);

    return at_us > engine->now_us && !moves->stalled ? at_us : 0;
}

uint64_t waiting_damped_until_us(const struct engine *engine, const struct peer *peer,
                                 enum pd_kind kind, bool gone, enum by by)
{
    uint64_t until_us = 0;

    if (peer->moves && !(gone && kind == PD_KIND_MOVED))
        until_us = kind == PD_KIND_MOVED ? waiting_moved_at_us(engine, peer->moves)
                                         : token_at_us(engine, peer->moves);
    if (by == BY_RECONNECT)
        until_us = max_u64(until_us, name_reconnect_allowed_us(engine, peer->view.name));
    return until_us;
}

uint64_t waiting_backoff_until_us(const struct peer_moves *moves, enum pd_kind kind, enum by by)
{
    if (kind != PD_KIND_DEAD)
        return moves->backoff_until_us[by];
    return min_u64(moves->backoff_until_us[by], moves->failed_us + DEAD_BACKOFF_US);
}

static void backoff_end(struct peer_moves *moves)
{
    memset(moves->backoffs, 0, sizeof(moves->backoffs));
    memset(moves->backoff_until_us, 0, sizeof(moves->backoff_until_us));
}

void waiting_route_changed(struct engine *engine, struct peer *peer)
{
    name_route_changed(engine, peer->view.name);
    if (!peer->moves)
        return;
    backoff_end(peer->moves);
    peer->moves->stalled = false;
}

void waiting_row(struct peer *peer, bool progress)
{
    peer->moves->stalled = !progress;
}

void waiting_moved(struct engine *engine, struct peer *peer)
{
    struct peer_moves *moves = peer_moves(engine, peer);

    moves->cooling_since_us = moves->moved_us = engine->now_us;
    backoff_end(moves);
}

void waiting_observed(struct engine *engine, struct peer *peer)
{
    peer_moves(engine, peer)->cooling_since_us = engine->now_us;
}

void waiting_seed(struct engine *engine, uint64_t seed)
{
    engine->random ^= seed;
    if (!engine->random)
        engine->random = 1;
}

/* xorshift64*, from the engine's own state: the same events, the same jitter. */
static uint64_t next_random(struct engine *engine)
{
    uint64_t x = engine->random;

    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    engine->random = x;
    return x * 0x2545f4914f6cdd1du;
}

void waiting_failed(struct engine *engine, struct peer *peer, enum by by)
{
    struct peer_moves *moves = peer_moves(engine, peer);
    uint64_t backoff = engine->config->backoff_min_us;

    for (unsigned i = 0; i < moves->backoffs[by]; i++)
        backoff = min_u64(backoff * 2, engine->config->backoff_max_us);
    if (backoff < engine->config->backoff_max_us)
        moves->backoffs[by]++;
    backoff = backoff - backoff / 5 + next_random(engine) % (2 * (backoff / 5) + 1);
    moves->backoff_until_us[by] = engine->now_us + backoff;
    moves->failed_us = engine->now_us;
}

void waiting_evaluated(struct engine *engine, struct peer *peer, enum effect effect)
{
    struct peer_moves *moves = peer_moves(engine, peer);

    if (effect == EFFECT_BETTER)
        moves->cooldown_doublings = 0;
    else if ((effect == EFFECT_SAME || effect == EFFECT_WORSE) &&
             waiting_cooldown_us(engine, moves) < engine->config->cooldown_max_us)
        moves->cooldown_doublings++;
}

void waiting_restore(struct engine *engine, struct peer *peer, const struct learnt_peer *learnt)
{
    const struct engine_config *config = engine->config;
    struct peer_moves *moves = peer_moves(engine, peer);
    /* the longest that a failure now could give, with its jitter */
    uint64_t latest_us =
        add_u64(engine->now_us, config->backoff_max_us + config->backoff_max_us / 5);

    moves->cooling_since_us = min_u64(learnt->cooling_since_us, engine->now_us);
    moves->cooldown_doublings = (uint8_t)min_u64(learnt->cooldown_doublings, DOUBLINGS_MAX);
    for (size_t by = 0; by < 2; by++) {
        moves->backoff_until_us[by] = min_u64(learnt->backoff_until_us[by], latest_us);
        moves->backoffs[by] = (uint8_t)min_u64(learnt->backoffs[by], DOUBLINGS_MAX);
    }
    moves->failed_us = engine->now_us;
    moves->tokens_used = (uint32_t)min_u64(learnt->tokens_used, config->move_burst);
    moves->tokens_us = min_u64(learnt->tokens_us, engine->now_us);
}
