/* SPDX-License-Identifier: Apache-2.0 */
/* See scout.h. */
#include "scout.h"

#include <stdio.h>

#include "../base/cause.h"
#include "../peers/peer.h"
#include "../state.h"
#include "../uplinks/choose.h"
#include "../uplinks/groups.h"

/* Scouts of one event that did not get as far as an effect. */
#define TRIES_MAX 2u
/* So many are asked whether they can go elsewhere. */
#define CANDIDATES_MAX 64u

static const char shared_name[] = "shared";

void scout_wake(struct engine *engine, uint64_t at_us)
{
    struct deadline *wake = &engine->groups.wake;

    if (!deadline_is_on(wake) || wake->at_us > at_us)
        deadline_set(&engine->deadlines, wake, at_us);
}

uint8_t scout_group(const struct engine *engine, const struct peer *peer)
{
    for (uint8_t i = 1; engine->groups.scouts && i && i <= engine->groups.n; i++)
        if (group_at(engine, i)->scout == peer->view.conn)
            return i;
    return 0;
}

/* ---- which one ---- */

static uint64_t sent_bytes(const struct peer *peer)
{
    return peer->bytes_sent == PD_UNKNOWN ? 0 : peer->bytes_sent;
}

static bool busier(const struct peer *a, const struct peer *b)
{
    return a->in_flight_bytes != b->in_flight_bytes ? a->in_flight_bytes > b->in_flight_bytes
                                                    : sent_bytes(a) > sent_bytes(b);
}

/* To another uplink; or the node is asked first whether one is better. */
static bool goes_elsewhere(const struct engine *engine, const struct deferred *deferred)
{
    const struct peer *peer = peer_at(engine, deferred->peer);
    struct choice choice;

    return peer->state == PEER_UP && !peer_in_flight(peer) &&
           peer_movable(engine, peer, BY_MIGRATE) &&
           choose_uplink(engine, peer, deferred->reason, NULL, &choice) &&
           (choice.probe || (choice.to && choice.to != choice.from));
}

/* The busiest that can go elsewhere; NULL: none can. */
static struct deferred *choose_scout(const struct engine *engine, const struct deferred_list *list)
{
    struct deferred *best = NULL;
    unsigned candidates = 0;

    if (!uplinks_chosen(engine))
        return NULL;
    for (struct deferred *deferred = list->first; deferred && candidates < CANDIDATES_MAX;
         deferred = deferred->next) {
        if (best && !busier(peer_at(engine, deferred->peer), peer_at(engine, best->peer)))
            continue;
        candidates++;
        if (goes_elsewhere(engine, deferred))
            best = deferred;
    }
    return best;
}

bool scout_possible(const struct engine *engine, const struct shared_fate *fate)
{
    return choose_scout(engine, &fate->pending);
}

/* ---- the record of the event ---- */

static void open_cause(struct engine *engine, struct shared_fate *fate, const char *what)
{
    char text[400];

    snprintf(text, sizeof(text), "%s; %s", fate->summary->s, what);
    fate->cause = cause_open_own(engine, shared_name, text);
}

static void release_all(struct engine *engine, struct shared_fate *fate, enum fate decided,
                        struct text *text)
{
    deferred_release_all(engine, &fate->awaiting, decided, text, fate->cause);
    deferred_release_all(engine, &fate->pending, decided, text, fate->cause);
}

void scout_conclude(struct engine *engine, struct shared_fate *fate, struct group *group,
                    enum fate decided, const char *what)
{
    struct text *text = NULL;
    char why[400];

    group_watch(engine, group, 0);
    fate->scout = 0;
    if (fate->pending.n + fate->awaiting.n) {
        if (!fate->cause)
            open_cause(engine, fate, what);
        if (decided == FATE_COOLS || decided == FATE_NOWHERE) {
            snprintf(why, sizeof(why), "%s; %s", fate->summary->s, what);
            text = text_new(why);
        }
        release_all(engine, fate, decided, text);
        text_unref(text);
    }
    cause_close(engine, NULL, fate->cause);
}

/* ---- the wait after a scout that did not help ---- */

static uint64_t cooling_us(const struct engine *engine, const struct shared_fate *fate)
{
    uint64_t cooling_us = engine->config->cooldown_us;

    for (unsigned i = 0; i < fate->doublings; i++)
        cooling_us = min_u64(cooling_us * 2, engine->config->cooldown_max_us);
    return cooling_us;
}

bool scout_cools(const struct engine *engine, const struct shared_fate *fate)
{
    return fate->cools_since_us &&
           engine->now_us < add_u64(fate->cools_since_us, cooling_us(engine, fate));
}

static void begin_cooling(struct engine *engine, struct shared_fate *fate)
{
    if (engine->now_us > add_u64(fate->cools_since_us, engine->config->cooldown_max_us))
        fate->doublings = 0;
    else if (fate->cools_since_us && cooling_us(engine, fate) < engine->config->cooldown_max_us)
        fate->doublings++;
    fate->cools_since_us = engine->now_us;
}

static void did_not_help(struct engine *engine, struct shared_fate *fate, struct group *group,
                         const char *what)
{
    char text[256];

    snprintf(text, sizeof(text), "the move of %.100s, which went first, %s", fate->scout_name->s,
             what);
    begin_cooling(engine, fate);
    scout_conclude(engine, fate, group, FATE_COOLS, text);
}

/* ---- its move ---- */

void scout_send(struct engine *engine, struct shared_fate *fate, struct group *group)
{
    struct deferred *scout;
    struct reason *reason;
    struct peer *peer;
    char text[256];

    deferred_join(&fate->pending, &fate->awaiting);
    scout = choose_scout(engine, &fate->pending);
    if (!scout) {
        scout_conclude(engine, fate, group, FATE_NOWHERE, "no other uplink is known to be faster");
        return;
    }
    peer = peer_at(engine, scout->peer);
    text_unref(fate->scout_name);
    fate->scout_name = text_ref(peer_name(peer));
    fate->scout = peer->view.conn;
    fate->decision = 0;
    fate->tries++;
    group_watch(engine, group, fate->scout);
    if (!fate->cause) {
        snprintf(text, sizeof(text), "%.100s goes first", fate->scout_name->s);
        open_cause(engine, fate, text);
    }
    if (cause_find(engine, fate->cause))
        scout->again = false;
    reason = reason_again(scout->reason, fate->cause, NULL);
    reason->bulk = false;
    deferred_release(engine, scout, reason, FATE_SCOUT, false);
    scout_wake(engine, engine->now_us + SCOUT_CHECK_US);
}

/* The scout did not get as far as an effect. */
static void send_another(struct engine *engine, struct shared_fate *fate, struct group *group,
                         const char *what)
{
    if (fate->tries < TRIES_MAX)
        scout_send(engine, fate, group);
    else
        did_not_help(engine, fate, group, what);
}

/* Is its move still to come, or its effect? */
static bool is_on_its_way(const struct peer *peer)
{
    const struct peer_moves *moves = peer ? peer->moves : NULL;

    if (!moves)
        return false;
    if (moves->deferred && !moves->deferred->awaits)
        return true;
    return peer->state == PEER_UP &&
           (moves->move || moves->effect ||
            (moves->remembered && moves->remembered_as == VERDICT_PROBING));
}

void scout_check(struct engine *engine, struct shared_fate *fate, struct group *group)
{
    struct peer *peer = peers_find(engine, fate->scout);
    char text[64];

    if (group->effect_known && group->effect == EFFECT_BETTER) {
        fate->doublings = 0;
        fate->cools_since_us = fate->found_us = 0;
        fate->cause = 0; /* what follows has a record of its own, with its verdicts */
        scout_conclude(engine, fate, group, FATE_ALONE, "the first move helped: the others follow");
    } else if (group->effect_known && peer) {
        snprintf(text, sizeof(text), "had the effect %s", effect_name(group->effect));
        did_not_help(engine, fate, group, text);
    } else if (!is_on_its_way(peer)) {
        send_another(engine, fate, group, peer ? "failed" : "ended with its connection");
    }
}

void scout_decided(struct engine *engine, struct shared_fate *fate, struct group *group,
                   uint64_t decision, enum verdict verdict)
{
    fate->decision = decision;
    if (verdict == VERDICT_MIGRATE || verdict == VERDICT_PROBING) {
        deferred_release_all(engine, &fate->pending, FATE_AWAITS, NULL, fate->cause);
        cause_close(engine, NULL, fate->cause);
    } else if (verdict == VERDICT_OBSERVING) { /* there will be no effect */
        begin_cooling(engine, fate);
        scout_conclude(engine, fate, group, FATE_AWAITS, "");
    } else if (verdict == VERDICT_NO_TARGET) {
        scout_conclude(engine, fate, group, FATE_NOWHERE, "no other uplink is known to be faster");
    } else {
        send_another(engine, fate, group, "is not possible now");
    }
}
