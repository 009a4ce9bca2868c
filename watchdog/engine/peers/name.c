/* SPDX-License-Identifier: Apache-2.0 */
/* What belongs to a peer's name. Few names have anything to remember. */
#include "name.h"

#include "../state.h"
#include "index.h"

#define LIVED_US     60000000u
#define SWEEP_ABOVE  1024u
#define HOLD_FOREVER 0u

static struct name_state **bucket_of(const struct engine *engine, const char *name)
{
    size_t bucket = hash_name(name) % ARRAY_SIZE(engine->names.buckets);

    return (struct name_state **)&engine->names.buckets[bucket];
}

struct name_state *name_find(const struct engine *engine, const char *name)
{
    struct name_state *state = *bucket_of(engine, name);

    while (state && strcmp(state->name->s, name) != 0)
        state = state->next;
    return state;
}

struct name_state *name_get(struct engine *engine, const char *name)
{
    struct name_state *state = name_find(engine, name);
    struct name_state **bucket;

    if (state)
        return state;
    if (engine->names.count >= SWEEP_ABOVE && engine->names.count >= engine->names.sweep_above) {
        names_sweep(engine);
        engine->names.sweep_above = engine->names.count * 2; /* so that many names stay cheap */
    }
    bucket = bucket_of(engine, name);
    state = memory_new(1, sizeof(*state));
    state->name = text_new(name);
    state->next = *bucket;
    *bucket = state;
    engine->names.count++;
    return state;
}

static bool hold_over(const struct engine *engine, const struct name_state *state)
{
    return !state->held ||
           (state->held_until_us != HOLD_FOREVER && state->held_until_us <= engine->now_us);
}

static bool nothing_left(const struct engine *engine, const struct name_state *state)
{
    return hold_over(engine, state) && !state->orphan && !state->awaited &&
           (!state->left || engine->now_us >= state->left_until_us) &&
           engine->now_us >= state->routes_us &&
           engine->now_us >= add_u64(state->reconnect_us, state->gap_us + LIVED_US);
}

static void state_free(struct name_state *state)
{
    text_unref(state->name);
    reason_unref(state->left);
    free(state);
}

void name_release(struct engine *engine, struct name_state *state)
{
    struct name_state **link;

    if (!nothing_left(engine, state))
        return;
    for (link = bucket_of(engine, state->name->s); *link != state; link = &(*link)->next)
        ;
    *link = state->next;
    state_free(state);
    engine->names.count--;
}

void names_sweep(struct engine *engine)
{
    for (size_t i = 0; i < ARRAY_SIZE(engine->names.buckets); i++) {
        struct name_state *next;

        for (struct name_state *state = engine->names.buckets[i]; state; state = next) {
            next = state->next;
            name_release(engine, state);
        }
    }
}

void names_clear(struct engine *engine)
{
    for (size_t i = 0; i < ARRAY_SIZE(engine->names.buckets); i++) {
        struct name_state *next;

        for (struct name_state *state = engine->names.buckets[i]; state; state = next) {
            next = state->next;
            state_free(state);
        }
        engine->names.buckets[i] = NULL;
    }
}

void name_hold(struct engine *engine, const char *name, uint64_t until_us)
{
    struct name_state *state;

    if (!name) {
        engine->all_held = true;
        engine->all_held_until_us = until_us;
        return;
    }
    state = name_get(engine, name);
    state->held = true;
    state->held_until_us = until_us;
}

void name_unhold(struct engine *engine, const char *name)
{
    struct name_state *state;

    if (!name) {
        engine->all_held = false;
        return;
    }
    state = name_find(engine, name);
    if (state) {
        state->held = false;
        name_release(engine, state);
    }
}

static uint64_t hold_end(bool held, uint64_t until_us)
{
    if (!held)
        return 0;
    return until_us == HOLD_FOREVER ? NEVER : until_us;
}

uint64_t name_held_until_us(const struct engine *engine, const char *name)
{
    const struct name_state *state = engine->names.count ? name_find(engine, name) : NULL;
    uint64_t all_us = hold_end(engine->all_held, engine->all_held_until_us);

    return state ? max_u64(all_us, hold_end(state->held, state->held_until_us)) : all_us;
}

bool name_held(const struct engine *engine, const char *name)
{
    return name_held_until_us(engine, name) > engine->now_us;
}

uint64_t name_reconnect_allowed_us(const struct engine *engine, const char *name)
{
    const struct name_state *state = engine->names.count ? name_find(engine, name) : NULL;
    uint64_t allowed_us;

    if (!state || !state->reconnect_us)
        return 0;
    allowed_us = state->reconnect_us + state->gap_us;
    return allowed_us > engine->now_us ? allowed_us : 0;
}

static uint64_t gap_most_us(const struct engine *engine)
{
    return max_u64(NAME_GAP_MAX_US, engine->config->reconnect_gap_us);
}

void name_reconnecting(struct engine *engine, const char *name, bool another_attempt)
{
    struct name_state *state = name_get(engine, name);

    if (!state->reconnect_us)
        state->gap_us = engine->config->reconnect_gap_us;
    else if (!another_attempt)
        state->gap_us = max_u64(engine->config->reconnect_gap_us,
                                min_u64(state->gap_us * 2, gap_most_us(engine)));
    state->reconnect_us = engine->now_us;
}

void name_kept(struct engine *engine, const char *name)
{
    struct name_state *state = name_find(engine, name);

    if (state)
        state->gap_us = max_u64(state->gap_us / 2, engine->config->reconnect_gap_us);
}

void name_leave(struct engine *engine, const char *name, struct reason *reason, uint64_t until_us)
{
    struct name_state *state = name_get(engine, name);

    reason_ref(reason);
    reason_unref(state->left);
    state->left = reason;
    state->left_until_us = until_us;
}

struct reason *name_left(struct engine *engine, const char *name)
{
    struct name_state *state = engine->names.count ? name_find(engine, name) : NULL;
    struct reason *reason = state ? state->left : NULL;

    if (!reason)
        return NULL;
    state->left = NULL;
    if (engine->now_us >= state->left_until_us)
        reason = reason_unref(reason);
    name_release(engine, state);
    return reason;
}

void name_route_changed(struct engine *engine, const char *name)
{
    struct name_state *state = engine->names.count ? name_find(engine, name) : NULL;
    uint64_t all_us;

    if (!state || state->gap_us <= NAME_GAP_ROUTE_US)
        return;
    all_us = max_u64(state->routes_us, engine->now_us) + NAME_ROUTE_REFILL_US;
    if (all_us > engine->now_us + NAME_ROUTE_BURST * NAME_ROUTE_REFILL_US)
        return;
    state->routes_us = all_us;
    state->gap_us = NAME_GAP_ROUTE_US;
}

void name_restore_gap(struct engine *engine, const char *name, uint64_t reconnect_us,
                      uint64_t gap_us)
{
    struct name_state *state = name_get(engine, name);

    state->reconnect_us = min_u64(reconnect_us, engine->now_us);
    state->gap_us = reconnect_us ? min_u64(gap_us, gap_most_us(engine)) : 0;
}

void name_lived(struct engine *engine, const char *name, uint64_t up_us)
{
    struct name_state *state = engine->names.count ? name_find(engine, name) : NULL;

    if (state && engine->now_us - max_u64(up_us, state->reconnect_us) >= LIVED_US) {
        state->reconnect_us = 0;
        state->gap_us = 0;
    }
}
