/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last decisions are open: their outcomes and effects are still to come. Each has the slot of
 * its number; whoever comes after so many others gets it, and the one before is weighed against
 * those that are kept.
 */
#include "deeds.h"

#include "../util/util.h"
#include "history.h"

#define OPEN 4096u

struct deeds {
    struct deed open[OPEN];
    struct deed kept[DEEDS_SHOWN]; /* a heap: the lightest, and of those the oldest, is the first */
    size_t n_kept;
    uint64_t n_all;
};

struct deeds *deeds_new(void)
{
    return memory_new(1, sizeof(struct deeds));
}

static void drop(struct deed *deed)
{
    json_decref(deed->decision);
    json_decref(deed->outcome);
    json_decref(deed->effect);
    *deed = (struct deed){0};
}

struct deeds *deeds_free(struct deeds *deeds)
{
    if (!deeds)
        return NULL;
    for (size_t i = 0; i < OPEN; i++)
        drop(&deeds->open[i]);
    for (size_t i = 0; i < deeds->n_kept; i++)
        drop(&deeds->kept[i]);
    free(deeds);
    return NULL;
}

/* ---- which are kept ---- */

static bool is_lighter(const struct deed *a, const struct deed *b)
{
    if (a->weight != b->weight)
        return a->weight < b->weight;
    return record_number(a->decision, "time_us") < record_number(b->decision, "time_us");
}

static void swap(struct deed *a, struct deed *b)
{
    struct deed other = *a;

    *a = *b;
    *b = other;
}

static void sink(struct deeds *deeds, size_t i)
{
    for (;;) {
        size_t lightest = i;

        for (size_t child = 2 * i + 1; child <= 2 * i + 2 && child < deeds->n_kept; child++)
            if (is_lighter(&deeds->kept[child], &deeds->kept[lightest]))
                lightest = child;
        if (lightest == i)
            return;
        swap(&deeds->kept[i], &deeds->kept[lightest]);
        i = lightest;
    }
}

static unsigned weight_of(const struct deed *deed)
{
    const char *verdict = record_word(deed->decision, "verdict");
    const char *outcome = record_word(deed->outcome, "outcome");
    const char *effect = record_word(deed->effect, "effect");
    unsigned weight = !strcmp(record_word(deed->decision, "kind"), "dead") ? 2 : 1;

    if (!strcmp(verdict, "migrate") || !strcmp(verdict, "reconnect"))
        weight += 2;
    if (*outcome && strcmp(outcome, "migrated") != 0 && strcmp(outcome, "reconnected") != 0 &&
        !record_proves_nothing(outcome))
        weight += 3;
    if (!strcmp(effect, "stalled") || !strcmp(effect, "worse"))
        weight += 4;
    return weight;
}

/* Takes what is in the slot out of it. */
static void weigh(struct deeds *deeds, struct deed *slot)
{
    struct deed deed = *slot;

    *slot = (struct deed){0};
    if (!deed.decision)
        return;
    deed.weight = weight_of(&deed);
    if (deeds->n_kept < DEEDS_SHOWN) {
        size_t i = deeds->n_kept++;

        deeds->kept[i] = deed;
        while (i && is_lighter(&deeds->kept[i], &deeds->kept[(i - 1) / 2])) {
            swap(&deeds->kept[i], &deeds->kept[(i - 1) / 2]);
            i = (i - 1) / 2;
        }
        return;
    }
    if (is_lighter(&deeds->kept[0], &deed)) {
        swap(&deeds->kept[0], &deed);
        sink(deeds, 0);
    }
    drop(&deed);
}

/* ---- what comes in ---- */

static bool is_of(const struct deed *deed, const json_t *record)
{
    return deed->decision &&
           record_number(deed->decision, "decision") == record_number(record, "decision") &&
           !strcmp(record_word(deed->decision, "run"), record_word(record, "run"));
}

static void put(json_t **member, const json_t *record)
{
    json_decref(*member);
    *member = json_incref((json_t *)record);
}

void deeds_take(struct deeds *deeds, const json_t *record)
{
    struct deed *slot = &deeds->open[record_number(record, "decision") % OPEN];
    const char *kind = record_word(record, "record");
    bool known = is_of(slot, record);

    if (!strcmp(kind, "decision")) {
        if (!known) {
            weigh(deeds, slot);
            deeds->n_all++;
        }
        put(&slot->decision,
            record); /* one that left the queue is the same, with its last verdict */
    } else if (known && !strcmp(kind, "outcome")) {
        slot->n_failed += slot->outcome != NULL;
        put(&slot->outcome, record);
    } else if (known && !strcmp(kind, "effect")) {
        put(&slot->effect, record);
    }
}

static int compare(const void *a, const void *b)
{
    const struct deed *one = a, *other = b;
    uint64_t time_us = record_number(one->decision, "time_us"),
             other_us = record_number(other->decision, "time_us");

    return time_us == other_us ? 0 : time_us < other_us ? -1 : 1;
}

const struct deed *deeds_end(struct deeds *deeds, size_t *ret_n, uint64_t *ret_n_more)
{
    for (size_t i = 0; i < OPEN; i++)
        weigh(deeds, &deeds->open[i]);
    qsort(deeds->kept, deeds->n_kept, sizeof(deeds->kept[0]), compare);
    *ret_n = deeds->n_kept;
    *ret_n_more = deeds->n_all - deeds->n_kept;
    return deeds->kept;
}
