/* SPDX-License-Identifier: Apache-2.0 */
/* How long peers were without a working path. */
#include "outage.h"

#include "../util/format.h"
#include "report.h"

/* Dead again after so long without a word: the time between is not known to be silent. */
#define GAP_US UINT64_C(10000000)

struct outage {
    char *peer;
    uint64_t from_us;  /* 0: none */
    uint64_t dead_us;  /* the last decision that found it dead */
    uint64_t moved_us; /* 0, or a move that is not evaluated yet */
    uint64_t decision; /* of that move */
    char *run;
    bool unknown; /* one before had no end that is known */
};

struct outages {
    struct outage *all;
    size_t count, capacity;
    json_t *places;   /* unit and name → index */
    const char *unit; /* of the record that is being taken */
    uint64_t n_ended, n_unknown;
    uint64_t longest_us, longest_from_us;
    char *longest_peer; /* NULL: none ended */
    const struct outage_watch *watch;
};

struct outages *outages_new(const struct outage_watch *watch)
{
    struct outages *outages = memory_new(1, sizeof(*outages));

    outages->places = json_object();
    outages->watch = watch;
    return outages;
}

struct outages *outages_free(struct outages *outages)
{
    if (!outages)
        return NULL;
    for (size_t i = 0; i < outages->count; i++) {
        free(outages->all[i].peer);
        free(outages->all[i].run);
    }
    free(outages->all);
    free(outages->longest_peer);
    json_decref(outages->places);
    free(outages);
    return NULL;
}

static struct outage *outage_of(struct outages *outages, const char *peer, bool make)
{
    CLEANUP_FREE char *key = string_format("%s %s", outages->unit, peer);
    const json_t *place = json_object_get(outages->places, key);

    if (place)
        return &outages->all[json_integer_value(place)];
    if (!make)
        return NULL;
    json_object_set_new(outages->places, key, json_integer((json_int_t)outages->count));
    outages->all =
        array_reserve(outages->all, &outages->capacity, outages->count + 1, sizeof(*outages->all));
    outages->all[outages->count] = (struct outage){.peer = string_copy(peer)};
    return &outages->all[outages->count++];
}

static void outage_end(struct outages *outages, struct outage *outage, uint64_t until_us)
{
    uint64_t length_us = sub_u64(until_us, outage->from_us);

    if (!outage->from_us)
        return;
    outages->n_ended++;
    if (outages->watch)
        outages->watch->ended(outages->watch->user, outage->peer, outage->from_us, until_us);
    if (length_us > outages->longest_us) {
        outages->longest_us = length_us;
        outages->longest_from_us = outage->from_us;
        free(outages->longest_peer);
        outages->longest_peer = string_copy(outage->peer);
    }
    outage->from_us = outage->moved_us = 0;
}

/* It was heard at some time, no record says when. */
static void outage_drop(struct outages *outages, struct outage *outage)
{
    if (!outage->from_us)
        return;
    outages->n_unknown++;
    outage->unknown = true;
    outage->from_us = outage->moved_us = 0;
}

/* So long nothing got through to it, or no data, as the trigger or the fallback says. */
static uint64_t silence_us(const json_t *record)
{
    static const char *const spans[] = {"stalled_us", "silence_us", "unacked_us", "waited_us"};
    const json_t *evidence = json_object_get(record, "evidence");
    uint64_t longest_us = record_number(evidence, "silent_ms") * 1000;

    if (json_object_get(evidence, "starved_us")) /* what is unacknowledged may be older */
        return record_number(evidence, "starved_us");
    for (size_t i = 0; i < ARRAY_SIZE(spans); i++)
        longest_us = max_u64(longest_us, record_number(evidence, spans[i]));
    return longest_us;
}

static void take_decision(struct outages *outages, const json_t *record)
{
    bool dead = !strcmp(record_word(record, "kind"), "dead");
    struct outage *outage = outage_of(outages, record_word(record, "peer"), dead);
    uint64_t time_us = record_number(record, "time_us"), begin_us;

    if (!dead) {
        /* Fresh samples, and slow ones: it was heard. */
        if (outage && !strcmp(record_word(record, "kind"), "degraded"))
            outage_drop(outages, outage);
        return;
    }
    begin_us = sub_u64(time_us, silence_us(record));
    if (outage->from_us && begin_us > add_u64(outage->dead_us, GAP_US))
        outage_drop(outages, outage);
    if (!outage->from_us)
        outage->from_us = begin_us;
    outage->dead_us = time_us;
}

static void take_outcome(struct outages *outages, const json_t *record)
{
    struct outage *outage = outage_of(outages, record_word(record, "peer"), false);
    const char *outcome = record_word(record, "outcome");

    if (!outage || !outage->from_us ||
        (strcmp(outcome, "migrated") != 0 && strcmp(outcome, "reconnected") != 0))
        return;
    free(outage->run);
    outage->run = string_copy(record_word(record, "run"));
    outage->decision = record_number(record, "decision");
    outage->moved_us = record_number(record, "time_us");
}

static void take_effect(struct outages *outages, const json_t *record)
{
    static const char *const heard[] = {"better", "same", "worse"};
    struct outage *outage = outage_of(outages, record_word(record, "peer"), false);

    if (!outage || !outage->moved_us || outage->decision != record_number(record, "decision") ||
        !string_equal(outage->run, record_word(record, "run")))
        return;
    for (size_t i = 0; i < ARRAY_SIZE(heard); i++)
        if (!strcmp(heard[i], record_word(record, "effect"))) {
            outage_end(outages, outage, outage->moved_us);
            return;
        }
    outage->moved_us = 0;
}

void outages_take(struct outages *outages, const char *unit, const json_t *record)
{
    const char *kind = record_word(record, "record");
    struct outage *outage;

    outages->unit = unit;
    if (!strcmp(kind, "decision")) {
        take_decision(outages, record);
    } else if (!strcmp(kind, "outcome")) {
        take_outcome(outages, record);
    } else if (!strcmp(kind, "effect")) {
        take_effect(outages, record);
    } else if (!strcmp(kind, "peer") && !strcmp(record_word(record, "state"), "up")) {
        outage = outage_of(outages, record_word(record, "peer"), false);
        if (outage)
            outage_end(outages, outage, record_number(record, "time_us"));
    }
}

json_t *outages_result(const struct outages *outages)
{
    uint64_t until_us = outages->longest_from_us + outages->longest_us;
    json_t *peers = json_array(), *longest = json_null();
    uint64_t n_unknown = outages->n_unknown;

    for (size_t i = 0; i < outages->count; i++) {
        const struct outage *outage = &outages->all[i];

        n_unknown += outage->from_us != 0;
        if ((outage->unknown || outage->from_us) && json_array_size(peers) < REPORT_LIST)
            json_array_append_new(peers, json_string(outage->peer));
    }
    if (outages->longest_peer)
        longest = json_pack("{s:s,s:I,s:I}", "peer", outages->longest_peer, "from_us",
                            (json_int_t)outages->longest_from_us, "until_us", (json_int_t)until_us);
    return json_pack("{s:I,s:I,s:o,s:o}", "ended", (json_int_t)outages->n_ended, "unknown",
                     (json_int_t)n_unknown, "unknown_peers", peers, "longest", longest);
}
