/* SPDX-License-Identifier: Apache-2.0 */
#include "report-common.h"

#include "../util/format.h"
#include "../util/util.h"
#include "report.h"

#define GAP_US     UINT64_C(30000000)  /* so long without any: it is over */
#define LONGEST_US UINT64_C(600000000) /* then another begins */
#define SHARED_MAX 5u

/* What may be shared, in the order in which it says more. */
static const char *const whats[] = {"gateway", "uplink", "peer", "reason"};

struct incident {
    uint64_t from_us, until_us, n_decisions;
    json_t *machines; /* name → true */
    json_t *facts; /* "what value" → {"what", "value", "rank", "count", "of": {machine: true}} */
};

static bool is_one_of(const char *word, const char *const *words)
{
    for (; *words; words++)
        if (!strcmp(word, *words))
            return true;
    return false;
}

/* Not what an operator asked for, and not the way back. */
static bool is_bad_decision(const json_t *record)
{
    static const char *const kinds[] = {"dead", "moved", "degraded", NULL};

    return !strcmp(record_word(record, "record"), "decision") &&
           is_one_of(record_word(record, "kind"), kinds) &&
           strcmp(record_word(record, "trigger"), "return") != 0;
}

static bool is_bad_change(const json_t *record)
{
    static const char *const changes[] = {"down", "silent", "slow", "penalty", NULL};

    return !strcmp(record_word(record, "record"), "uplink") &&
           is_one_of(record_word(record, "change"), changes);
}

/* ---- facts ---- */

static void note(struct incident *incident, const char *machine, size_t what, const char *value)
{
    CLEANUP_FREE char *key = string_format("%s %s", whats[what], value);
    json_t *fact = json_object_get(incident->facts, key);

    if (!*value)
        return;
    if (!fact) {
        fact = json_pack("{s:s,s:s,s:i,s:i,s:{}}", "what", whats[what], "value", value, "rank",
                         (int)what, "count", 0, "of");
        if (!fact) /* no text */
            return;
        json_object_set_new(incident->facts, key, fact);
    }
    json_object_set_new(fact, "count", json_integer((json_int_t)record_number(fact, "count") + 1));
    json_object_set_new(json_object_get(fact, "of"), machine, json_true());
}

static void note_decision(struct incident *incident, const char *machine, const json_t *record)
{
    static const char *const gateways[] = {"gateway", "gateway_before"};
    CLEANUP_FREE char *pattern = report_pattern(record_word(record, "reason"));
    CLEANUP_FREE char *reason = string_format("%s %s: %s", record_word(record, "trigger"),
                                              record_word(record, "kind"), pattern);
    const json_t *evidence = json_object_get(record, "evidence");

    for (size_t i = 0; i < ARRAY_SIZE(gateways); i++)
        note(incident, machine, 0, record_word(evidence, gateways[i]));
    note(incident, machine, 1, record_word(record, "uplink"));
    note(incident, machine, 2, record_word(record, "peer"));
    note(incident, machine, 3, reason);
    incident->n_decisions += max_u64(record_number(record, "repeats"), 1);
}

/* ---- which of them are shared ---- */

static int compare_facts(const void *a, const void *b)
{
    const json_t *one = *(json_t *const *)a, *other = *(json_t *const *)b;
    size_t n_one = json_object_size(json_object_get(one, "of")),
           n_other = json_object_size(json_object_get(other, "of"));
    uint64_t one_rank = record_number(one, "rank"), other_rank = record_number(other, "rank"),
             one_count = record_number(one, "count"), other_count = record_number(other, "count");

    if (n_one != n_other)
        return n_one < n_other ? 1 : -1;
    if (one_rank != other_rank)
        return one_rank < other_rank ? -1 : 1;
    if (one_count != other_count)
        return one_count < other_count ? 1 : -1;
    return strcmp(record_word(one, "value"), record_word(other, "value"));
}

static json_t *shared(const json_t *facts)
{
    size_t n = 0, room = json_object_size(facts);
    CLEANUP_FREE json_t **sorted = memory_new(room, sizeof(json_t *));
    json_t *ret = json_array(), *fact;
    const char *key;

    json_object_foreach((json_t *)facts, key, fact)
    {
        if (json_object_size(json_object_get(fact, "of")) > 1)
            sorted[n++] = fact;
    }
    qsort(sorted, n, sizeof(json_t *), compare_facts);
    for (size_t i = 0; i < n && i < SHARED_MAX; i++)
        json_array_append_new(
            ret, json_pack("{s:O,s:O,s:I,s:O}", "what", json_object_get(sorted[i], "what"), "value",
                           json_object_get(sorted[i], "value"), "machines",
                           (json_int_t)json_object_size(json_object_get(sorted[i], "of")), "count",
                           json_object_get(sorted[i], "count")));
    return ret;
}

/* ---- times of trouble ---- */

static void incident_begin(struct incident *incident, uint64_t time_us)
{
    *incident =
        (struct incident){.from_us = time_us, .machines = json_object(), .facts = json_object()};
}

static void incident_end(struct incident *incident, json_t *all)
{
    const char *machine;
    json_t *names, *value;

    if (json_object_size(incident->machines) > 1) {
        names = json_array();
        json_object_foreach(incident->machines, machine, value)
            json_array_append_new(names, json_string(machine));
        json_array_append_new(all, json_pack("{s:I,s:I,s:o,s:I,s:o}", "from_us",
                                             (json_int_t)incident->from_us, "until_us",
                                             (json_int_t)incident->until_us, "machines", names,
                                             "decisions", (json_int_t)incident->n_decisions,
                                             "shared", shared(incident->facts)));
    }
    json_decref(incident->machines);
    json_decref(incident->facts);
    *incident = (struct incident){0};
}

static void take(struct incident *incident, const json_t *record, const char *machine, json_t *all)
{
    uint64_t time_us = record_number(record, "time_us");

    if (incident->machines && (time_us > add_u64(incident->until_us, GAP_US) ||
                               time_us > add_u64(incident->from_us, LONGEST_US)))
        incident_end(incident, all);
    if (!incident->machines)
        incident_begin(incident, time_us);
    incident->until_us = time_us;
    json_object_set_new(incident->machines, machine, json_true());
    if (is_bad_change(record))
        note(incident, machine, 1, record_word(record, "uplink"));
    else
        note_decision(incident, machine, record);
}

static int compare_incidents(const void *a, const void *b)
{
    const json_t *one = *(json_t *const *)a, *other = *(json_t *const *)b;
    size_t n_one = json_array_size(json_object_get(one, "machines")),
           n_other = json_array_size(json_object_get(other, "machines"));
    uint64_t from_one = record_number(one, "from_us"), from_other = record_number(other, "from_us");

    if (n_one != n_other)
        return n_one < n_other ? 1 : -1;
    return (from_one > from_other) - (from_one < from_other);
}

static bool are_several(const json_t *names)
{
    const char *run, *first = NULL;
    json_t *name;

    json_object_foreach((json_t *)names, run, name)
    {
        if (!first)
            first = json_string_value(name);
        else if (strcmp(first, json_string_value(name)) != 0)
            return true;
    }
    return false;
}

json_t *report_common(const struct history *ordered, const json_t *names)
{
    struct incident incident = {0};
    json_t *all = json_array(), *ret = json_array(), **sorted;
    bool several = are_several(names);
    size_t n;

    for (size_t i = 0; several && i < ordered->n_records; i++) {
        const json_t *record = ordered->records[i];
        const char *machine = record_word(names, record_word(record, "run"));

        if (*machine && (is_bad_decision(record) || is_bad_change(record)))
            take(&incident, record, machine, all);
    }
    if (incident.machines)
        incident_end(&incident, all);
    n = json_array_size(all);
    sorted = memory_new(n, sizeof(json_t *));
    for (size_t i = 0; i < n; i++)
        sorted[i] = json_array_get(all, i);
    qsort(sorted, n, sizeof(json_t *), compare_incidents);
    for (size_t i = 0; i < n && i < REPORT_LIST; i++)
        json_array_append(ret, sorted[i]);
    free(sorted);
    json_decref(all);
    return ret;
}

/* ---- who there is ---- */

static void count(json_t *row, const char *name)
{
    json_object_set_new(row, name, json_integer((json_int_t)record_number(row, name) + 1));
}

json_t *report_machines(const struct history *ordered, const json_t *names)
{
    json_t *rows = json_object(), *runs = json_object(), *ret = json_array(), *row;
    const char *name;

    for (size_t i = 0; i < ordered->n_records; i++) {
        const json_t *record = ordered->records[i];
        const char *run = record_word(record, "run"), *machine = record_word(names, run);

        if (!*machine)
            continue;
        row = json_object_get(rows, machine);
        if (!row) {
            row = json_pack("{s:s,s:i,s:i,s:i}", "machine", machine, "runs", 0, "decisions", 0,
                            "dead", 0);
            json_object_set_new(rows, machine, row);
        }
        if (!json_object_get(runs, run))
            count(row, "runs");
        json_object_set_new(runs, run, json_true());
        if (strcmp(record_word(record, "record"), "decision") != 0)
            continue;
        count(row, "decisions");
        if (!strcmp(record_word(record, "kind"), "dead"))
            count(row, "dead");
    }
    json_object_foreach(rows, name, row) json_array_append(ret, row);
    json_decref(rows);
    json_decref(runs);
    return ret;
}
