/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Engine → plain values, and back. Values come from a file that may be old, or
 * have been edited: times are not believed where they cannot be.
 */
#include "learnt-keep.h"

#include "peers/name.h"
#include "peers/peer.h"
#include "peers/waiting.h"
#include "state.h"
#include "triggers/triggers.h"

#define NAMES_MORE 65536u /* a name may be held whose peer is not there */

/* ---- out ---- */

struct learnt engine_learnt(const struct engine *engine)
{
    const char *boot = engine->node.boot ? engine->node.boot->s : engine->restoring.boot;

    return (struct learnt){
        .node_boot = boot,
        .all_held = engine->all_held,
        .all_held_until_us = engine->all_held_until_us,
    };
}

void engine_learnt_names(const struct engine *engine,
                         void (*each)(void *user, const struct learnt_name *name), void *user)
{
    for (size_t i = 0; i < ARRAY_SIZE(engine->names.buckets); i++) {
        const struct name_state *state;

        for (state = engine->names.buckets[i]; state; state = state->next) {
            const struct learnt_name name = {
                .peer = state->name->s,
                .held = state->held,
                .held_until_us = state->held ? state->held_until_us : 0,
                .reconnect_us = state->reconnect_us,
                .gap_us = state->gap_us,
            };

            if (state->held || state->reconnect_us)
                each(user, &name);
        }
    }
}

static bool moves_values(const struct peer_moves *moves, struct learnt_peer *ret)
{
    ret->cooling_since_us = moves->cooling_since_us;
    ret->cooldown_doublings = moves->cooldown_doublings;
    for (size_t by = 0; by < 2; by++) {
        ret->backoff_until_us[by] = moves->backoff_until_us[by];
        ret->backoffs[by] = moves->backoffs[by];
    }
    ret->tokens_used = moves->tokens_used;
    ret->tokens_us = moves->tokens_used ? moves->tokens_us : 0;
    return ret->cooling_since_us || ret->cooldown_doublings || ret->backoffs[0] ||
           ret->backoffs[1] || ret->backoff_until_us[0] || ret->backoff_until_us[1] ||
           ret->tokens_used;
}

static bool shelved_values(const struct shelved *shelved, struct learnt_peer *ret)
{
    ret->cooling_since_us = shelved->cooling_since_us;
    ret->tokens_used = shelved->tokens_used;
    ret->tokens_us = shelved->tokens_used ? shelved->tokens_us : 0;
    return ret->cooling_since_us || ret->tokens_used;
}

static void give_peer(const struct engine *engine, struct peer *peer,
                      void (*each)(void *user, const struct learnt_peer *peer), void *user)
{
    struct learnt_saved saved[LEARNT_SAVED_MAX];
    char texts[LEARNT_SAVED_MAX * PD_SAVED_MAX];
    struct learnt_peer learnt = {
        .peer = peer->view.name,
        .conn = peer->view.conn,
        .disabled = peer->disabled,
        .undialable = peer->undialable,
        .saved = saved,
    };
    bool something = peer->disabled || peer->undialable;
    const struct shelved *shelved = shelf_find(engine, peer);

    if (peer->moves && moves_values(peer->moves, &learnt))
        something = true;
    else if (shelved && shelved_values(shelved, &learnt))
        something = true;
    learnt.n_saved = triggers_save(engine, peer, saved, texts);
    if (something || learnt.n_saved)
        each(user, &learnt);
}

bool engine_learnt_peers(const struct engine *engine, struct learnt_walk *walk, size_t most,
                         void (*each)(void *user, const struct learnt_peer *peer), void *user)
{
    const struct restoring *restoring = &engine->restoring;
    struct peer *peer = NULL;

    if (!engine_learnt(engine).node_boot)
        return false;
    for (; most && walk->waiting < restoring->n_peers; most--) {
        const struct waiting_peer *waiting = &restoring->peers[walk->waiting++];

        if (!waiting->used)
            each(user, &waiting->learnt);
    }
    for (; most && (peer = peers_next(engine, &walk->index)); most--)
        give_peer(engine, peer, each, user);
    return !most;
}

/* ---- in ---- */

static int compare_conns(const void *a, const void *b)
{
    uint64_t one = ((const struct waiting_peer *)a)->learnt.conn;
    uint64_t other = ((const struct waiting_peer *)b)->learnt.conn;

    return one < other ? -1 : one > other;
}

static void copy_peer(const struct learnt_peer *from, struct waiting_peer *to)
{
    size_t n_saved = min_u64(from->n_saved, LEARNT_SAVED_MAX);
    struct learnt_saved *saved = n_saved ? memory_new(n_saved, sizeof(*saved)) : NULL;

    for (size_t i = 0; i < n_saved; i++)
        saved[i] = (struct learnt_saved){
            .trigger = string_copy(from->saved[i].trigger),
            .text = string_copy(from->saved[i].text),
        };
    to->learnt = *from;
    to->learnt.peer = string_copy(from->peer);
    to->learnt.saved = saved;
    to->learnt.n_saved = n_saved;
}

static void restore_name(struct engine *engine, const struct learnt_name *learnt)
{
    if (!learnt->held && !learnt->reconnect_us)
        return;
    if (learnt->held)
        name_hold(engine, learnt->peer, learnt->held_until_us);
    name_restore_gap(engine, learnt->peer, learnt->reconnect_us, learnt->gap_us);
}

void learnt_restore(struct engine *engine, const struct learnt *learnt)
{
    struct restoring *restoring = &engine->restoring;
    size_t n_names = min_u64(learnt->n_names, (uint64_t)engine->config->max_peers + NAMES_MORE);

    learnt_clear(engine);
    if (learnt->all_held)
        name_hold(engine, NULL, learnt->all_held_until_us);
    for (size_t i = 0; i < n_names; i++)
        restore_name(engine, &learnt->names[i]);
    /* once a node is there, its connections are what this run has seen of them */
    if (!learnt->node_boot || !*learnt->node_boot || engine->node.up || engine->node.boot)
        return;
    restoring->boot = string_copy(learnt->node_boot);
    restoring->n_peers = min_u64(learnt->n_peers, engine->config->max_peers);
    restoring->peers = memory_new(restoring->n_peers, sizeof(*restoring->peers));
    for (size_t i = 0; i < restoring->n_peers; i++)
        copy_peer(&learnt->peers[i], &restoring->peers[i]);
    qsort(restoring->peers, restoring->n_peers, sizeof(*restoring->peers), compare_conns);
}

void learnt_node_up(struct engine *engine)
{
    const struct text *boot = engine->node.boot;

    if (engine->restoring.boot && (!boot || strcmp(boot->s, engine->restoring.boot) != 0))
        learnt_clear(engine);
}

static bool moves_needed(const struct learnt_peer *learnt)
{
    return learnt->cooling_since_us || learnt->cooldown_doublings || learnt->backoffs[0] ||
           learnt->backoffs[1] || learnt->backoff_until_us[0] || learnt->backoff_until_us[1] ||
           learnt->tokens_used;
}

const struct learnt_peer *learnt_take(struct engine *engine, struct peer *peer)
{
    const struct restoring *restoring = &engine->restoring;
    const struct waiting_peer key = {.learnt.conn = peer->view.conn};
    struct waiting_peer *waiting;

    if (!restoring->n_peers)
        return NULL;
    waiting = bsearch(&key, restoring->peers, restoring->n_peers, sizeof(key), compare_conns);
    if (!waiting || waiting->used || strcmp(waiting->learnt.peer, peer->view.name) != 0)
        return NULL;
    waiting->used = true;
    if (waiting->learnt.disabled)
        peer_refuse(peer, BY_MIGRATE);
    if (waiting->learnt.undialable)
        peer_refuse(peer, BY_RECONNECT);
    if (moves_needed(&waiting->learnt))
        waiting_restore(engine, peer, &waiting->learnt);
    return &waiting->learnt;
}

void learnt_clear(struct engine *engine)
{
    struct restoring *restoring = &engine->restoring;

    for (size_t i = 0; i < restoring->n_peers; i++) {
        struct learnt_peer *learnt = &restoring->peers[i].learnt;

        for (size_t k = 0; k < learnt->n_saved; k++) {
            free((char *)learnt->saved[k].trigger);
            free((char *)learnt->saved[k].text);
        }
        free((struct learnt_saved *)learnt->saved);
        free((char *)learnt->peer);
    }
    free(restoring->peers);
    free(restoring->boot);
    *restoring = (struct restoring){0};
}
