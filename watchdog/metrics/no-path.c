/* SPDX-License-Identifier: Apache-2.0 */
/* A table of those that are silent, by a hash of the name: most of the time it is empty. */
#include "no-path.h"

#include "../util/siphash.h"
#include "../util/util.h"

/* Dead again after so long without a word: the time between is not known to be silent. */
#define GAP_US UINT64_C(10000000)
/* Nobody said anything of it for so long: it went, and left its place. */
#define FORGET_US UINT64_C(3600000000)
#define LEAST     64u

struct silent {
    uint64_t key; /* 0: free */
    uint64_t from_us;
    uint64_t dead_us;  /* the last decision that found it dead */
    uint64_t moved_us; /* 0, or a move that is not evaluated yet */
    uint64_t decision; /* of that move */
};

struct no_path {
    uint64_t key[2];
    struct silent *slots;
    uint32_t n_slots; /* a power of two, at most half of it taken */
    uint32_t n;
    uint64_t n_unknown;
    uint64_t swept_us;
};

struct no_path *no_path_new(const uint64_t key[2])
{
    struct no_path *no_path = memory_new(1, sizeof(*no_path));

    memcpy(no_path->key, key, sizeof(no_path->key));
    return no_path;
}

struct no_path *no_path_free(struct no_path *no_path)
{
    if (no_path)
        free(no_path->slots);
    free(no_path);
    return NULL;
}

uint32_t no_path_open(const struct no_path *no_path)
{
    return no_path->n;
}

uint64_t no_path_unknown(const struct no_path *no_path)
{
    return no_path->n_unknown;
}

/* ---- the table ---- */

/* Its lowest bit is always set. */
static uint32_t home_of(const struct no_path *no_path, uint64_t key)
{
    return (uint32_t)(key >> 1) & (no_path->n_slots - 1);
}

static struct silent *slot_of(const struct no_path *no_path, uint64_t key)
{
    uint32_t at = home_of(no_path, key);

    while (no_path->slots[at].key && no_path->slots[at].key != key)
        at = (at + 1) & (no_path->n_slots - 1);
    return &no_path->slots[at];
}

static struct silent *find(const struct no_path *no_path, const struct record_subject *subject)
{
    uint64_t key;
    struct silent *slot;

    if (!no_path->n || !subject->peer)
        return NULL;
    key = siphash(no_path->key, subject->peer->s, subject->peer->length) | 1;
    slot = slot_of(no_path, key);
    return slot->key ? slot : NULL;
}

static void resize(struct no_path *no_path, uint32_t n_slots)
{
    struct silent *old = no_path->slots;
    uint32_t n_old = no_path->n_slots;

    no_path->slots = memory_new(n_slots, sizeof(*no_path->slots));
    no_path->n_slots = n_slots;
    for (uint32_t i = 0; i < n_old; i++)
        if (old[i].key)
            *slot_of(no_path, old[i].key) = old[i];
    free(old);
}

/* Those behind it move up, so that they are still found. */
static void take_out(struct no_path *no_path, struct silent *slot)
{
    uint32_t mask = no_path->n_slots - 1, hole = (uint32_t)(slot - no_path->slots), at = hole;

    for (;;) {
        uint32_t home;

        at = (at + 1) & mask;
        if (!no_path->slots[at].key)
            break;
        home = home_of(no_path, no_path->slots[at].key);
        if (((at - home) & mask) < ((at - hole) & mask))
            continue;
        no_path->slots[hole] = no_path->slots[at];
        hole = at;
    }
    no_path->slots[hole] = (struct silent){0};
    if (--no_path->n == 0) {
        free(no_path->slots);
        no_path->slots = NULL;
        no_path->n_slots = 0;
    }
}

/* Those that nothing is heard of any more make room. */
static void sweep(struct no_path *no_path, uint64_t now_us)
{
    if (now_us - no_path->swept_us < FORGET_US / 60)
        return;
    no_path->swept_us = now_us;
    for (uint32_t i = 0; i < no_path->n_slots;) {
        struct silent *slot = &no_path->slots[i];

        if (!slot->key || sub_u64(now_us, slot->dead_us) < FORGET_US) {
            i++;
            continue;
        }
        no_path->n_unknown++;
        take_out(no_path, slot); /* another one may be there now */
    }
}

static struct silent *make(struct no_path *no_path, const struct record_subject *subject,
                           uint64_t now_us)
{
    uint64_t key = siphash(no_path->key, subject->peer->s, subject->peer->length) | 1;
    struct silent *slot;

    if (no_path->n == NO_PATH_MAX)
        sweep(no_path, now_us);
    if (no_path->n == NO_PATH_MAX) {
        no_path->n_unknown++;
        return NULL;
    }
    if (2 * (no_path->n + 1) > no_path->n_slots)
        resize(no_path, no_path->n_slots ? 2 * no_path->n_slots : LEAST);
    slot = slot_of(no_path, key);
    no_path->n++;
    slot->key = key;
    return slot;
}

/* ---- records ---- */

uint64_t silence_us(const struct evidence *evidence)
{
    static const char *const spans[] = {"stalled_us", "silence_us", "unacked_us", "waited_us"};
    uint64_t longest_us = 0;

    for (uint32_t i = 0; evidence && i < evidence->n_fields; i++) {
        const struct pd_field *field = &evidence->fields[i];

        if (field->text || field->number == PD_UNKNOWN)
            continue;
        if (!strcmp(field->name, "starved_us")) /* what is unacknowledged may be older */
            return field->number;
        if (!strcmp(field->name, "silent_ms") && field->number < UINT64_MAX / 1000)
            longest_us = max_u64(longest_us, field->number * 1000);
        for (size_t k = 0; k < ARRAY_SIZE(spans); k++)
            if (!strcmp(field->name, spans[k]))
                longest_us = max_u64(longest_us, field->number);
    }
    return longest_us;
}

static void take_decision(struct no_path *no_path, const struct record_decision *decision,
                          uint64_t time_us)
{
    struct silent *slot = find(no_path, &decision->subject);
    uint64_t begin_us;

    if (decision->kind != PD_KIND_DEAD) {
        /* Fresh samples, and slow ones: it was heard, and no record says when. */
        if (slot && decision->kind == PD_KIND_DEGRADED) {
            no_path->n_unknown++;
            take_out(no_path, slot);
        }
        return;
    }
    begin_us = sub_u64(time_us, silence_us(decision->evidence));
    if (slot && begin_us > add_u64(slot->dead_us, GAP_US)) {
        no_path->n_unknown++;
        slot->from_us = begin_us;
        slot->moved_us = 0;
    } else if (!slot) {
        slot = make(no_path, &decision->subject, time_us);
        if (!slot)
            return;
        slot->from_us = begin_us;
    }
    slot->dead_us = time_us;
}

static void take_outcome(struct no_path *no_path, const struct record_outcome *outcome,
                         uint64_t time_us)
{
    struct silent *slot = find(no_path, &outcome->subject);

    if (!slot || (outcome->outcome != OUTCOME_MIGRATED && outcome->outcome != OUTCOME_RECONNECTED))
        return;
    slot->decision = outcome->decision;
    slot->moved_us = time_us;
}

static struct no_path_end end_at(struct no_path *no_path, struct silent *slot, uint64_t until_us)
{
    struct no_path_end end = {true, sub_u64(until_us, slot->from_us)};

    take_out(no_path, slot);
    return end;
}

struct no_path_end no_path_take(struct no_path *no_path, const struct record *record)
{
    struct silent *slot;

    switch (record->type) {
    case RECORD_DECISION:
        take_decision(no_path, &record->decision, record->time_us);
        break;
    case RECORD_OUTCOME:
        take_outcome(no_path, &record->outcome, record->time_us);
        break;
    case RECORD_EFFECT:
        slot = find(no_path, &record->effect.subject);
        if (!slot || !slot->moved_us || slot->decision != record->effect.decision)
            break;
        if (record->effect.effect <= EFFECT_WORSE)
            return end_at(no_path, slot, slot->moved_us);
        slot->moved_us = 0;
        break;
    case RECORD_PEER:
        slot = record->peer.up ? find(no_path, &record->peer.subject) : NULL;
        if (slot)
            return end_at(no_path, slot, record->time_us);
        break;
    default:
        break;
    }
    return (struct no_path_end){0};
}
