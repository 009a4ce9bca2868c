/* SPDX-License-Identifier: Apache-2.0 */
/* See fate.h. */
#include "fate.h"

#include <inttypes.h>
#include <stdio.h>

#include "../base/cause.h"
#include "../peers/peer.h"
#include "../peers/poll.h"
#include "../state.h"
#include "../uplinks/choose.h"
#include "../uplinks/groups.h"
#include "held.h"

/* Connections that did not get as far as an effect are replaced by another one, so often. */
#define TRIES_MAX 2u
/* So many are looked at for one that can go elsewhere. */
#define LOOKED_AT_MAX 64u
/* What is judged so within so many rounds is the same event. */
#define EVENT_ROUNDS 6u
/* While one is on its way it is looked at so often. */
#define LOOK_US UINT64_C(1000000)
/* Where no round is complete it is judged by what is known, after so many. */
#define ROUNDS_MAX 3u

static const char shared_name[] = "shared";

void fate_init(struct engine *engine)
{
    pool_init(&engine->fate.pool, sizeof(struct held));
}

void fate_clear(struct engine *engine)
{
    for (size_t i = 0; engine->fate.of && i <= GROUPS_MAX; i++) {
        text_unref(engine->fate.of[i].text);
        text_unref(engine->fate.of[i].name);
    }
    free(engine->fate.of);
    pool_clear(&engine->fate.pool);
}

/* What is known of a group; not of another one that had its place before. */
static struct shared *shared_of(struct engine *engine, uint8_t number)
{
    const struct group *group = group_at(engine, number);
    struct shared *shared;

    if (!engine->fate.of)
        engine->fate.of = memory_new(GROUPS_MAX + 1, sizeof(struct shared));
    shared = &engine->fate.of[number];
    if (shared->serial == group->serial || shared->pending.n || shared->awaiting.n)
        return shared;
    text_unref(shared->text);
    text_unref(shared->name);
    *shared = (struct shared){.serial = group->serial};
    return shared;
}

static const struct shared *known_of(const struct engine *engine, uint8_t number)
{
    return engine->fate.of && number ? &engine->fate.of[number] : NULL;
}

static void wake_at(struct engine *engine, uint64_t at_us)
{
    struct deadline *wake = &engine->groups.wake;

    if (!deadline_is_on(wake) || wake->at_us > at_us)
        deadline_set(&engine->deadlines, wake, at_us);
}

static uint64_t pending_until_us(const struct engine *engine, const struct shared *shared)
{
    return add_u64(shared->pending_since_us, ROUNDS_MAX * engine->config->sample_interval_us);
}

/* ---- the cause, and all that have it ---- */

static void open_cause(struct engine *engine, struct shared *shared, const char *what)
{
    char text[400];

    snprintf(text, sizeof(text), "%s; %s", shared->text->s, what);
    shared->cause = cause_open_own(engine, shared_name, text);
}

static void close_cause(struct engine *engine, const struct shared *shared)
{
    cause_close(engine, NULL, shared->cause);
}

/* All of a list are decided now, in their order. */
static void release_all(struct engine *engine, const struct shared *shared, struct held_list *list,
                        enum fate fate, struct text *text)
{
    bool counts = cause_find(engine, shared->cause);
    struct reason *from = NULL, *to = NULL; /* neighbours mostly have the same */

    while (list->first) {
        struct held *held = list->first;

        if (held->reason != from) {
            reason_unref(from);
            reason_unref(to);
            from = reason_ref(held->reason);
            to = fate == FATE_ALONE && !counts ? reason_ref(from)
                                               : reason_again(from, shared->cause, text);
        }
        held->again &= !counts;
        held_release(engine, held, reason_ref(to), fate, false);
    }
    reason_unref(from);
    reason_unref(to);
}

/* The move of the first one is over: whoever is left is decided by that. */
static void conclude(struct engine *engine, struct shared *shared, struct group *group,
                     enum fate fate, const char *what)
{
    struct text *text = NULL;
    char why[400];

    group_watch(engine, group, 0);
    shared->scout = 0;
    if (shared->pending.n + shared->awaiting.n) {
        if (!cause_find(engine, shared->cause))
            open_cause(engine, shared, what);
        if (fate == FATE_COOLS) {
            snprintf(why, sizeof(why), "%s; %s", shared->text->s, what);
            text = text_new(why);
        }
        release_all(engine, shared, &shared->awaiting, fate, text);
        release_all(engine, shared, &shared->pending, fate, text);
        text_unref(text);
    }
    close_cause(engine, shared);
}

/* ---- the wait after one that did not help ---- */

static uint64_t cooling_us(const struct engine *engine, const struct shared *shared)
{
    uint64_t cooling_us = engine->config->cooldown_us;

    for (unsigned i = 0; i < shared->doublings; i++)
        cooling_us = min_u64(cooling_us * 2, engine->config->cooldown_max_us);
    return cooling_us;
}

static bool is_cooling(const struct engine *engine, const struct shared *shared)
{
    return shared->cools_since_us &&
           engine->now_us < add_u64(shared->cools_since_us, cooling_us(engine, shared));
}

static void begin_cooling(struct engine *engine, struct shared *shared)
{
    if (engine->now_us > add_u64(shared->cools_since_us, engine->config->cooldown_max_us))
        shared->doublings = 0;
    else if (shared->cools_since_us && cooling_us(engine, shared) < engine->config->cooldown_max_us)
        shared->doublings++;
    shared->cools_since_us = engine->now_us;
}

static void did_not_help(struct engine *engine, struct shared *shared, struct group *group,
                         const char *what)
{
    char text[256];

    snprintf(text, sizeof(text), "the move of %.100s, which went first, %s", shared->name->s, what);
    begin_cooling(engine, shared);
    conclude(engine, shared, group, FATE_COOLS, text);
}

/* ---- the one that goes first ---- */

static bool busier(const struct peer *a, const struct peer *b)
{
    return a->in_flight_bytes != b->in_flight_bytes ? a->in_flight_bytes > b->in_flight_bytes
                                                    : a->bytes_sent > b->bytes_sent;
}

/* To another uplink; or it is asked first whether one is better. */
static bool goes_elsewhere(const struct engine *engine, const struct held *held)
{
    const struct peer *peer = peer_at(engine, held->peer);
    struct choice choice;

    return peer->state == PEER_UP && !peer_in_flight(peer) &&
           peer_movable(engine, peer, BY_MIGRATE) &&
           choose_uplink(engine, peer, held->reason, NULL, &choice) &&
           (choice.probe || (choice.to && choice.to != choice.from));
}

/* The busiest that can go elsewhere. */
static struct held *choose_first(const struct engine *engine, const struct held_list *list)
{
    struct held *best = NULL;
    unsigned looked_at = 0;

    if (!uplinks_chosen(engine))
        return NULL;
    for (struct held *held = list->first; held && looked_at < LOOKED_AT_MAX; held = held->next) {
        if (best && !busier(peer_at(engine, held->peer), peer_at(engine, best->peer)))
            continue;
        looked_at++;
        if (goes_elsewhere(engine, held))
            best = held;
    }
    return best;
}

static void send_first(struct engine *engine, struct shared *shared, struct group *group)
{
    struct held *first;
    struct peer *peer;
    char text[256];

    held_join(&shared->pending, &shared->awaiting);
    first = choose_first(engine, &shared->pending);
    if (!first) {
        conclude(engine, shared, group, FATE_NOWHERE, "no other uplink is known to be faster");
        return;
    }
    peer = peer_at(engine, first->peer);
    text_unref(shared->name);
    shared->name = text_ref(peer_name(peer));
    shared->scout = peer->view.conn;
    shared->decision = 0;
    shared->tries++;
    group_watch(engine, group, shared->scout);
    if (!cause_find(engine, shared->cause)) {
        snprintf(text, sizeof(text), "%.100s goes first", shared->name->s);
        open_cause(engine, shared, text);
    }
    first->again = false;
    held_release(engine, first, reason_again(first->reason, shared->cause, NULL), FATE_FIRST,
                 false);
    wake_at(engine, engine->now_us + LOOK_US);
}

/* The one that goes first did not get as far as an effect. */
static void send_another(struct engine *engine, struct shared *shared, struct group *group,
                         const char *what)
{
    if (shared->tries < TRIES_MAX)
        send_first(engine, shared, group);
    else
        did_not_help(engine, shared, group, what);
}

/* Is its move still to come, or its effect? */
static bool is_on_its_way(const struct engine *engine, const struct peer *peer)
{
    const struct peer_moves *moves = peer ? peer->moves : NULL;

    if (!moves)
        return false;
    if (moves->held && !moves->held->awaits)
        return true;
    return peer->state == PEER_UP &&
           (moves->move || moves->effect ||
            (moves->remembered && moves->remembered_as == VERDICT_PROBING));
}

static void look_at_first(struct engine *engine, struct shared *shared, struct group *group)
{
    struct peer *peer = peers_find(engine, shared->scout);
    char text[64];

    if (group->effect_known && group->effect == EFFECT_BETTER) {
        shared->doublings = 0;
        shared->cools_since_us = shared->seen_us = 0;
        conclude(engine, shared, group, FATE_ALONE, "the first move helped: the others follow");
    } else if (group->effect_known && peer) {
        snprintf(text, sizeof(text), "had the effect %s", effect_name(group->effect));
        did_not_help(engine, shared, group, text);
    } else if (!is_on_its_way(engine, peer)) {
        send_another(engine, shared, group, peer ? "failed" : "ended with its connection");
    }
}

/* ---- judging ---- */

static bool is_same_event(const struct engine *engine, const struct shared *shared)
{
    return shared->seen_us &&
           engine->now_us <=
               add_u64(shared->seen_us, EVENT_ROUNDS * engine->config->sample_interval_us);
}

static void say_event(struct engine *engine, struct shared *shared, const struct group *group)
{
    char name[64], text[256];

    snprintf(text, sizeof(text), "%.100s: %u of %u peers got slower",
             group_name(engine, group, name, sizeof(name)), group->worse, group->measured);
    text_unref(shared->text);
    shared->text = text_new(text);
}

/* They have one cause. It is recorded once in an event, and each time that one is sent first. */
static void together(struct engine *engine, struct shared *shared, struct group *group)
{
    bool same = is_same_event(engine, shared);

    shared->seen_us = engine->now_us;
    shared->longer = false;
    shared->tries = 0;
    say_event(engine, shared, group);
    if (same && (is_cooling(engine, shared) || !choose_first(engine, &shared->pending))) {
        release_all(engine, shared, &shared->pending,
                    is_cooling(engine, shared) ? FATE_COOLS : FATE_NOWHERE, NULL);
    } else if (is_cooling(engine, shared)) {
        conclude(engine, shared, group, FATE_COOLS, "a move away from there did not help lately");
    } else {
        send_first(engine, shared, group);
    }
}

static void judge(struct engine *engine, struct shared *shared, struct group *group, bool last)
{
    const struct engine_config *config = engine->config;
    uint64_t measured = group->measured, worse = group->worse;
    bool enough = config->shared_peers && measured >= config->shared_peers;

    if (!shared->pending.n || shared->scout)
        return;
    if (enough && worse * 1000 >= measured * config->shared_fraction) {
        together(engine, shared, group);
    } else if (enough && worse * 2 >= measured && !shared->longer && !last) {
        shared->longer = true; /* the others may only be later */
    } else {
        shared->longer = false;
        shared->seen_us = 0;
        shared->cause = 0;
        release_all(engine, shared, &shared->pending, FATE_ALONE, NULL);
    }
}

/* Returns whether no round was complete for so long that some were judged without. */
static bool judge_all(struct engine *engine, bool round)
{
    bool late, any_late = false;

    for (uint8_t i = 1; engine->fate.of && i && i <= engine->groups.n; i++) {
        struct shared *shared = &engine->fate.of[i];
        struct group *group = group_at(engine, i);

        if (shared->scout && !engine->n_advice) /* else that may be what is decided now */
            look_at_first(engine, shared, group);
        late = !round && shared->pending.n && engine->now_us >= pending_until_us(engine, shared);
        if (round || late)
            judge(engine, shared, group, late);
        any_late |= late;
        if (shared->scout)
            wake_at(engine, engine->now_us + LOOK_US);
        else if (shared->pending.n)
            wake_at(engine, max_u64(pending_until_us(engine, shared), engine->now_us + LOOK_US));
    }
    return any_late;
}

void fate_round(struct engine *engine)
{
    (void)judge_all(engine, true);
    groups_window(engine);
}

void fate_due(struct engine *engine)
{
    if (judge_all(engine, false))
        groups_window(engine);
}

/* ---- advice ---- */

/* Of which group it is the one that goes first; 0: of none. */
static uint8_t group_of_first(const struct engine *engine, uint64_t conn)
{
    for (uint8_t i = 1; engine->groups.scouts && i && i <= engine->groups.n; i++)
        if (group_at(engine, i)->scout == conn)
            return i;
    return 0;
}

void fate_advised(struct engine *engine, struct peer *peer, struct advice *advice)
{
    const struct shared *shared = known_of(engine, peer->group);

    if (!advice->again && advice->fate == FATE_NEW)
        groups_advised(engine, peer);
    if (advice->fate != FATE_NEW)
        return;
    if (advice->again) /* it waited for probes, and was judged before */
        advice->fate = group_of_first(engine, peer->view.conn) ? FATE_FIRST : FATE_ALONE;
    else if ((peer->moves && peer->moves->held) || (shared && shared->scout && shared->decision))
        advice->fate = FATE_AWAITS;
}

/* Is it one of a group that is judged as a whole? */
static bool is_judged(const struct engine *engine, const struct peer *peer)
{
    const struct group *group = group_at(engine, peer->group);

    return group && engine->config->shared_peers && group->n_peers >= engine->config->shared_peers;
}

static void hold_pending(struct engine *engine, struct peer *peer, struct advice *advice)
{
    struct shared *shared = shared_of(engine, peer->group);

    if (!shared->pending.n) {
        shared->pending_since_us = engine->now_us;
        wake_at(engine, pending_until_us(engine, shared));
    }
    held_append(&shared->pending, held_new(engine, peer, advice));
}

bool fate_holds(struct engine *engine, struct peer *peer, struct advice *advice,
                enum verdict verdict)
{
    if (advice->reason->kind != PD_KIND_DEGRADED ||
        (verdict != VERDICT_MIGRATE && verdict != VERDICT_PROBING && verdict != VERDICT_OBSERVING))
        return false;
    if (advice->fate == FATE_NEW && is_judged(engine, peer)) {
        hold_pending(engine, peer, advice);
        return true;
    }
    if (verdict != VERDICT_MIGRATE || advice->quiet || !peer->busy ||
        (peer->moves && peer->moves->held))
        return false;
    held_until_quiet(engine, held_new(engine, peer, advice));
    return true;
}

void fate_decided(struct engine *engine, struct peer *peer, const struct advice *advice,
                  uint64_t decision, enum verdict verdict)
{
    uint8_t number = advice->fate == FATE_FIRST ? group_of_first(engine, peer->view.conn) : 0;
    struct group *group = group_at(engine, number);
    struct shared *shared;

    if (!group)
        return;
    shared = &engine->fate.of[number];
    shared->decision = decision;
    if (verdict == VERDICT_MIGRATE || verdict == VERDICT_PROBING) {
        release_all(engine, shared, &shared->pending, FATE_AWAITS, NULL);
        close_cause(engine, shared);
    } else if (verdict == VERDICT_OBSERVING) { /* there will be no effect */
        begin_cooling(engine, shared);
        conclude(engine, shared, group, FATE_AWAITS, "");
    } else if (verdict == VERDICT_NO_TARGET) {
        conclude(engine, shared, group, FATE_NOWHERE, "no other uplink is known to be faster");
    } else {
        send_another(engine, shared, group, "is not possible now");
    }
}

uint64_t fate_into(const struct engine *engine, const struct peer *peer)
{
    const struct shared *shared = known_of(engine, peer->group);

    return shared ? shared->decision : 0;
}

void fate_keep(struct engine *engine, struct peer *peer, struct reason *reason)
{
    const struct shared *shared = known_of(engine, peer->group);
    struct advice advice = {.peer = peer->view.index, .again = true};
    struct held *held;

    if (!shared || !shared->scout || peer_moves(engine, peer)->held)
        return;
    advice.reason = reason_ref(reason);
    held = held_new(engine, peer, &advice);
    held->awaits = true;
    held_append(&engine->fate.of[peer->group].awaiting, held);
}

void fate_peer_gone(struct engine *engine, struct peer *peer)
{
    struct held *held = peer->moves ? peer->moves->held : NULL;
    const struct shared *shared = known_of(engine, peer->group);

    if (held && held->awaits)
        held_dismiss(engine, held);
    else if (held)
        held_release(engine, held, reason_ref(held->reason), FATE_ALONE, true);
    if (shared && shared->scout && shared->scout == peer->view.conn)
        wake_at(engine, engine->now_us);
}

void fate_tell(const struct engine *engine, const struct peer *peer, char *text, size_t size)
{
    const struct held *held = peer->moves ? peer->moves->held : NULL;
    const struct shared *shared = known_of(engine, peer->group);
    char name[64];

    text[0] = '\0';
    if (!held)
        return;
    if (!held->list)
        snprintf(text, size, "for a moment with nothing in flight, at most %" PRIu64 " ms more",
                 sub_u64(held->deadline.at_us, engine->now_us) / 1000);
    else if (shared && shared->scout && shared->name)
        snprintf(text, size, "for the effect of the move of %.200s, which goes first",
                 shared->name->s);
    else
        snprintf(text, size, "for the end of the round: do others over %.60s get slower, too?",
                 group_name(engine, group_at(engine, peer->group), name, sizeof(name)));
}
