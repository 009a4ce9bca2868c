/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The last decisions are open: their outcomes and effects are still to come. Each has the slot of
 * its number; whoever comes after so many others gets it, and the one before is weighed against
 * those that are kept.
 *
 * A record as JSON is two dozen pieces of memory, and thousands of them are more than what the
 * processor's caches hold: what is shown of one is packed into a single piece, and unpacked at the
 * end.
 */
#include "deeds.h"

#include "../util/util.h"
#include "history.h"

#define OPEN    4096u
#define WORDS   8u
#define NUMBERS 4u

/* What is shown of a kind of record. Of an outcome's error the members have other names here. */
struct form {
    const char *words[WORDS + 1], *numbers[NUMBERS + 1]; /* each ends in NULL */
};

static const struct form decisions = {
    {"run", "peer", "trigger", "kind", "verdict", "reason", "target", "choice", NULL},
    {"time_us", "decision", "into", "repeats", NULL}};
static const struct form outcomes = {{"outcome", "local_before", "local_after", NULL},
                                     {"elapsed_us", NULL}};
static const struct form errors = {{"message", NULL}, {"code", NULL}};
static const struct form effects = {{"effect", NULL}, {"rtt_before_us", "rtt_after_us", NULL}};

struct packed {
    uint64_t numbers[NUMBERS];
    char words[]; /* one behind the other, each with its NUL */
};

struct slot {
    struct packed *decision, *outcome, *error, *effect; /* NULL: there is none */
    uint64_t n_failed;
    unsigned weight; /* of the decision; what came of it adds to that */
    bool failed, not_helped;
};

struct deeds {
    struct slot open[OPEN];
    struct slot kept[DEEDS_SHOWN]; /* a heap: the lightest, and of those the oldest, is the first */
    struct deed shown[DEEDS_SHOWN];
    size_t n_kept, n_shown;
    uint64_t n_all;
};

struct deeds *deeds_new(void)
{
    return memory_new(1, sizeof(struct deeds));
}

static void drop(struct slot *slot)
{
    free(slot->decision);
    free(slot->outcome);
    free(slot->error);
    free(slot->effect);
    *slot = (struct slot){0};
}

struct deeds *deeds_free(struct deeds *deeds)
{
    if (!deeds)
        return NULL;
    for (size_t i = 0; i < OPEN; i++)
        drop(&deeds->open[i]);
    for (size_t i = 0; i < deeds->n_kept; i++)
        drop(&deeds->kept[i]);
    for (size_t i = 0; i < deeds->n_shown; i++) {
        json_decref(deeds->shown[i].decision);
        json_decref(deeds->shown[i].outcome);
        json_decref(deeds->shown[i].effect);
    }
    free(deeds);
    return NULL;
}

/* ---- packing ---- */

static struct packed *pack(const struct form *form, const json_t *record)
{
    const char *words[WORDS];
    size_t lengths[WORDS], size = 0, n = 0;
    struct packed *packed;
    char *to;

    for (; form->words[n]; n++) {
        words[n] = record_word(record, form->words[n]);
        lengths[n] = strlen(words[n]) + 1;
        size += lengths[n];
    }
    packed = memory_new(1, sizeof(*packed) + size);
    to = packed->words;
    for (size_t i = 0; i < n; i++)
        to = mempcpy(to, words[i], lengths[i]);
    for (size_t i = 0; form->numbers[i]; i++)
        packed->numbers[i] = record_number(record, form->numbers[i]);
    return packed;
}

/* Members that were not there are not there again. */
static json_t *unpack(const struct form *form, const struct packed *packed)
{
    const char *word = packed ? packed->words : NULL;
    json_t *ret = packed ? json_object() : NULL;

    if (!packed)
        return NULL;
    for (size_t i = 0; form->words[i]; i++, word += strlen(word) + 1)
        if (*word)
            json_object_set_new(ret, form->words[i], json_string(word));
    for (size_t i = 0; form->numbers[i]; i++)
        if (packed->numbers[i])
            json_object_set_new(ret, form->numbers[i],
                                json_integer((json_int_t)packed->numbers[i]));
    return ret;
}

static void replace(struct packed **place, const struct form *form, const json_t *record)
{
    free(*place);
    *place = pack(form, record);
}

/* ---- which are kept ---- */

static uint64_t time_of(const struct slot *slot)
{
    return slot->decision->numbers[0];
}

static unsigned weight_of(const struct slot *slot)
{
    return slot->weight + (slot->failed ? 3 : 0) + (slot->not_helped ? 4 : 0);
}

static bool is_lighter(const struct slot *a, const struct slot *b)
{
    if (weight_of(a) != weight_of(b))
        return weight_of(a) < weight_of(b);
    return time_of(a) < time_of(b);
}

static void swap(struct slot *a, struct slot *b)
{
    struct slot other = *a;

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

/* Takes what is in the slot out of it. */
static void weigh(struct deeds *deeds, struct slot *slot)
{
    struct slot deed = *slot;

    *slot = (struct slot){0};
    if (!deed.decision)
        return;
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

static bool is_of(const struct slot *slot, const json_t *record)
{
    return slot->decision && slot->decision->numbers[1] == record_number(record, "decision") &&
           !strcmp(slot->decision->words, record_word(record, "run"));
}

static bool is_any(const char *word, const char *a, const char *b)
{
    return !strcmp(word, a) || !strcmp(word, b);
}

static void take_outcome(struct slot *slot, const json_t *record)
{
    const char *outcome = record_word(record, "outcome");
    const json_t *error = json_object_get(record, "error");

    slot->n_failed += slot->outcome != NULL;
    slot->failed = !is_any(outcome, "migrated", "reconnected") && !record_proves_nothing(outcome);
    replace(&slot->outcome, &outcomes, record);
    free(slot->error);
    slot->error = json_is_object(error) ? pack(&errors, error) : NULL;
}

void deeds_take(struct deeds *deeds, const json_t *record)
{
    struct slot *slot = &deeds->open[record_number(record, "decision") % OPEN];
    const char *kind = record_word(record, "record");
    bool known = is_of(slot, record);

    if (!strcmp(kind, "decision")) {
        if (!known) {
            weigh(deeds, slot);
            deeds->n_all++;
        }
        slot->weight = (!strcmp(record_word(record, "kind"), "dead") ? 2 : 1) +
                       (is_any(record_word(record, "verdict"), "migrate", "reconnect") ? 2 : 0);
        /* one that left the queue is the same, with its last verdict */
        replace(&slot->decision, &decisions, record);
    } else if (known && !strcmp(kind, "outcome")) {
        take_outcome(slot, record);
    } else if (known && !strcmp(kind, "effect")) {
        slot->not_helped = is_any(record_word(record, "effect"), "worse", "stalled");
        replace(&slot->effect, &effects, record);
    }
}

static int compare(const void *a, const void *b)
{
    const struct slot *one = a, *other = b;
    int r = (time_of(one) > time_of(other)) - (time_of(one) < time_of(other));

    return r ? r
             : (one->decision->numbers[1] > other->decision->numbers[1]) -
                   (one->decision->numbers[1] < other->decision->numbers[1]);
}

const struct deed *deeds_end(struct deeds *deeds, size_t *ret_n, uint64_t *ret_n_more)
{
    for (size_t i = 0; i < OPEN; i++)
        weigh(deeds, &deeds->open[i]);
    qsort(deeds->kept, deeds->n_kept, sizeof(deeds->kept[0]), compare);
    for (; deeds->n_shown < deeds->n_kept; deeds->n_shown++) {
        const struct slot *slot = &deeds->kept[deeds->n_shown];
        struct deed *deed = &deeds->shown[deeds->n_shown];

        *deed = (struct deed){unpack(&decisions, slot->decision), unpack(&outcomes, slot->outcome),
                              unpack(&effects, slot->effect), slot->n_failed};
        if (slot->error)
            json_object_set_new(deed->outcome, "error", unpack(&errors, slot->error));
    }
    *ret_n = deeds->n_shown;
    *ret_n_more = deeds->n_all - deeds->n_shown;
    return deeds->shown;
}
