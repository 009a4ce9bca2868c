/* SPDX-License-Identifier: Apache-2.0 */
/* See fate.h. */
#include "fate.h"

#include <inttypes.h>
#include <stdio.h>

#include "../peers/peer.h"
#include "../state.h"
#include "../uplinks/groups.h"
#include "scout.h"

/* A group that is found worse again within so many rounds is still in the same event. */
#define EVENT_ROUNDS 6u
/* If no round is complete, advice is evaluated after so many by what is known then. */
#define ROUNDS_MAX 3u

void fate_init(struct engine *engine)
{
    pool_init(&engine->fates.pool, sizeof(struct deferred));
}

void fate_clear(struct engine *engine)
{
    for (size_t i = 0; engine->fates.of && i <= GROUPS_MAX; i++) {
        text_unref(engine->fates.of[i].summary);
        text_unref(engine->fates.of[i].scout_name);
    }
    free(engine->fates.of);
    pool_clear(&engine->fates.pool);
}

/* Of that group; what is known of another one that had its number before is dropped. */
static struct shared_fate *fate_of(struct engine *engine, uint8_t number)
{
    const struct group *group = group_at(engine, number);
    struct shared_fate *fate;

    if (!engine->fates.of)
        engine->fates.of = memory_new(GROUPS_MAX + 1, sizeof(struct shared_fate));
    fate = &engine->fates.of[number];
    if (fate->serial == group->serial || fate->pending.n || fate->awaiting.n)
        return fate;
    text_unref(fate->summary);
    text_unref(fate->scout_name);
    *fate = (struct shared_fate){.serial = group->serial};
    return fate;
}

static const struct shared_fate *known_of(const struct engine *engine, uint8_t number)
{
    return engine->fates.of && number ? &engine->fates.of[number] : NULL;
}

static uint64_t pending_until_us(const struct engine *engine, const struct shared_fate *fate)
{
    return add_u64(fate->pending_since_us, ROUNDS_MAX * engine->config->sample_interval_us);
}

/* ---- evaluation ---- */

static bool is_same_event(const struct engine *engine, const struct shared_fate *fate)
{
    return fate->found_us &&
           engine->now_us <=
               add_u64(fate->found_us, EVENT_ROUNDS * engine->config->sample_interval_us);
}

static void summarize(struct engine *engine, struct shared_fate *fate, const struct group *group)
{
    char name[64], text[256];

    snprintf(text, sizeof(text), "%.100s: %u of %u peers got slower",
             group_name(engine, group, name, sizeof(name)), group->worse, group->measured);
    text_unref(fate->summary);
    fate->summary = text_new(text);
}

/* The link is the cause. An event has one record; one more if a scout goes again in it. */
static void evaluate_together(struct engine *engine, struct shared_fate *fate, struct group *group)
{
    bool same = is_same_event(engine, fate), cools = scout_cools(engine, fate);

    fate->found_us = engine->now_us;
    fate->extended = false;
    fate->tries = 0;
    summarize(engine, fate, group);
    if (!same || (!cools && scout_possible(engine, fate)))
        fate->cause = 0;
    if (cools)
        scout_conclude(engine, fate, group, FATE_COOLS,
                       "the last move to another uplink did not help");
    else
        scout_send(engine, fate, group);
}

/* They have nothing in common. */
static void evaluate_alone(struct engine *engine, struct shared_fate *fate)
{
    fate->extended = false;
    fate->found_us = 0;
    fate->cause = 0;
    deferred_release_all(engine, &fate->pending, FATE_ALONE, NULL, 0);
}

/* `last`: it is not put off for another round. */
static void evaluate(struct engine *engine, struct shared_fate *fate, struct group *group,
                     bool last)
{
    const struct engine_config *config = engine->config;
    uint64_t measured = group->measured, worse = group->worse;
    bool enough = config->shared_peers && measured >= config->shared_peers;

    if (!fate->pending.n || fate->scout)
        return;
    if (enough && worse * 1000 >= measured * config->shared_fraction)
        evaluate_together(engine, fate, group);
    else if (enough && worse * 2 >= measured && !fate->extended && !last)
        fate->extended = true; /* the others may show it one round later */
    else
        evaluate_alone(engine, fate);
}

/* Returns whether no round was complete for so long that some were evaluated without. */
static bool evaluate_all(struct engine *engine, bool round)
{
    bool late, any_late = false;

    for (uint8_t i = 1; engine->fates.of && i && i <= engine->groups.n; i++) {
        struct shared_fate *fate = &engine->fates.of[i];
        struct group *group = group_at(engine, i);

        if (fate->scout && !engine->n_advice) /* else that may be what is decided now */
            scout_check(engine, fate, group);
        late = !round && fate->pending.n && engine->now_us >= pending_until_us(engine, fate);
        if (round || late)
            evaluate(engine, fate, group, late);
        any_late |= late;
        if (!fate->scout && fate->pending.n)
            scout_wake(engine,
                       max_u64(pending_until_us(engine, fate), engine->now_us + SCOUT_CHECK_US));
        else if (fate->scout)
            scout_wake(engine, engine->now_us + SCOUT_CHECK_US);
    }
    return any_late;
}

void fate_round(struct engine *engine)
{
    (void)evaluate_all(engine, true);
    groups_window(engine);
}

void fate_due(struct engine *engine)
{
    if (evaluate_all(engine, false))
        groups_window(engine);
}

/* ---- advice ---- */

void fate_advised(struct engine *engine, struct peer *peer, struct advice *advice)
{
    const struct shared_fate *fate = known_of(engine, peer->group);

    if (advice->fate != FATE_NEW)
        return;
    if (!advice->again)
        groups_advised(engine, peer);
    if (advice->again) /* it waited for probes, and was evaluated before */
        advice->fate = scout_group(engine, peer) ? FATE_SCOUT : FATE_ALONE;
    else if ((peer->moves && peer->moves->deferred) || (fate && fate->scout && fate->decision))
        advice->fate = FATE_AWAITS;
}

/* Is it in a group that is evaluated as a whole? */
static bool is_shared(const struct engine *engine, const struct peer *peer)
{
    const struct group *group = group_at(engine, peer->group);

    return group && engine->config->shared_peers && group->n_peers >= engine->config->shared_peers;
}

static void defer_to_round(struct engine *engine, struct peer *peer, struct advice *advice)
{
    struct shared_fate *fate = fate_of(engine, peer->group);

    if (!fate->pending.n) {
        fate->pending_since_us = engine->now_us;
        scout_wake(engine, pending_until_us(engine, fate));
    }
    deferred_append(&fate->pending, deferred_new(engine, peer, advice));
}

bool fate_defers(struct engine *engine, struct peer *peer, struct advice *advice,
                 enum verdict verdict)
{
    if (advice->reason->kind != PD_KIND_DEGRADED ||
        (verdict != VERDICT_MIGRATE && verdict != VERDICT_PROBING && verdict != VERDICT_OBSERVING))
        return false;
    if (advice->fate == FATE_NEW && is_shared(engine, peer)) {
        defer_to_round(engine, peer, advice);
        return true;
    }
    if (verdict != VERDICT_MIGRATE || advice->quiet || !peer->busy ||
        (peer->moves && peer->moves->deferred))
        return false;
    deferred_until_quiet(engine, deferred_new(engine, peer, advice));
    return true;
}

void fate_decided(struct engine *engine, struct peer *peer, uint64_t decision, enum verdict verdict)
{
    uint8_t number = scout_group(engine, peer);

    if (number)
        scout_decided(engine, &engine->fates.of[number], group_at(engine, number), decision,
                      verdict);
}

uint64_t fate_into(const struct engine *engine, const struct peer *peer)
{
    const struct shared_fate *fate = known_of(engine, peer->group);

    return fate ? fate->decision : 0;
}

void fate_keep(struct engine *engine, struct peer *peer, struct reason *reason)
{
    const struct shared_fate *fate = known_of(engine, peer->group);
    struct advice advice = {.peer = peer->view.index, .again = true};
    struct deferred *deferred;

    if (!fate || !fate->scout || peer_moves(engine, peer)->deferred)
        return;
    advice.reason = reason_ref(reason);
    deferred = deferred_new(engine, peer, &advice);
    deferred->awaits = true;
    deferred_append(&engine->fates.of[peer->group].awaiting, deferred);
}

void fate_peer_gone(struct engine *engine, struct peer *peer)
{
    struct deferred *deferred = peer->moves ? peer->moves->deferred : NULL;
    const struct shared_fate *fate = known_of(engine, peer->group);

    if (deferred && deferred->awaits)
        deferred_dismiss(engine, deferred);
    else if (deferred)
        deferred_release(engine, deferred, reason_ref(deferred->reason), FATE_ALONE, true);
    if (fate && fate->scout && fate->scout == peer->view.conn)
        scout_wake(engine, engine->now_us);
}

void fate_report(const struct engine *engine, const struct peer *peer, char *text, size_t size)
{
    const struct deferred *deferred = peer->moves ? peer->moves->deferred : NULL;
    const struct shared_fate *fate = known_of(engine, peer->group);
    char name[64];

    text[0] = '\0';
    if (!deferred)
        return;
    if (!deferred->list)
        snprintf(text, size, "for a moment with nothing in flight, at most %" PRIu64 " ms more",
                 sub_u64(deferred->deadline.at_us, engine->now_us) / 1000);
    else if (fate && fate->scout && fate->scout_name)
        snprintf(text, size, "for the effect of the move of %.200s, which goes first",
                 fate->scout_name->s);
    else
        snprintf(text, size, "for the end of the round: do others over %.60s get slower, too?",
                 group_name(engine, group_at(engine, peer->group), name, sizeof(name)));
}
