/* SPDX-License-Identifier: Apache-2.0 */
/* Order, doubles, filters. */
#include "history.h"

#include "../util/glob.h"
#include "../util/util.h"

uint64_t record_number(const json_t *record, const char *name)
{
    return (uint64_t)json_integer_value(json_object_get(record, name));
}

const char *record_word(const json_t *record, const char *name)
{
    const char *text = json_string_value(json_object_get(record, name));

    return text ? text : "";
}

bool record_is_restored(const json_t *effect)
{
    uint64_t before_us = record_number(effect, "rtt_before_us"),
             after_us = record_number(effect, "rtt_after_us");

    return !strcmp(record_word(effect, "effect"), "better") &&
           (!before_us || !after_us || after_us * 10 > before_us * 8);
}

bool record_proves_nothing(const char *outcome)
{
    static const char *const outcomes[] = {"gone", "old-lives", "cancelled"};

    for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++)
        if (!strcmp(outcome, outcomes[i]))
            return true;
    return false;
}

void history_add(struct history *history, json_t *record)
{
    history->records = array_reserve(history->records, &history->capacity, history->n_records + 1,
                                     sizeof(json_t *));
    history->records[history->n_records++] = record;
}

/* ---- order ---- */

/* A decision comes before its outcome, and that before its effect. */
static int rank(const json_t *record)
{
    static const char *const kinds[] = {"node",     "notice",  "peer",   "uplink",
                                        "decision", "outcome", "effect", "cause"};
    const char *kind = record_word(record, "record");

    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (!strcmp(kind, kinds[i]))
            return (int)i;
    return (int)ARRAY_SIZE(kinds);
}

static int compare_numbers(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* 0: they are the same record. */
static int compare(const json_t *a, const json_t *b)
{
    static const char *const numbers[] = {"decision", "request", "cause", "conn"};
    static const char *const words[] = {"verdict", "state", "uplink", "change", "what", "text"};
    int r = compare_numbers(record_number(a, "time_us"), record_number(b, "time_us"));

    if (r == 0)
        r = strcmp(record_word(a, "run"), record_word(b, "run"));
    if (r == 0)
        r = compare_numbers(record_number(a, "decision"), record_number(b, "decision"));
    if (r == 0)
        r = rank(a) - rank(b);
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(numbers); i++)
        r = compare_numbers(record_number(a, numbers[i]), record_number(b, numbers[i]));
    for (size_t i = 0; r == 0 && i < ARRAY_SIZE(words); i++)
        r = strcmp(record_word(a, words[i]), record_word(b, words[i]));
    return r;
}

static int compare_places(const void *a, const void *b)
{
    return compare(*(json_t *const *)a, *(json_t *const *)b);
}

void history_order(struct history *history)
{
    size_t kept = 0;

    if (!history->n_records)
        return;
    qsort(history->records, history->n_records, sizeof(json_t *), compare_places);
    for (size_t i = 1; i < history->n_records; i++)
        if (compare(history->records[kept], history->records[i]) == 0)
            json_decref(history->records[i]);
        else
            history->records[++kept] = history->records[i];
    history->n_records = kept + 1;
}

bool history_has(const struct history *history, const json_t *record)
{
    return history->n_records &&
           bsearch(&record, history->records, history->n_records, sizeof(json_t *), compare_places);
}

/* ---- what is wanted ---- */

static bool is_trigger(const char *wanted, const char *instance)
{
    size_t length = strlen(wanted);

    return !strncmp(wanted, instance, length) && (!instance[length] || instance[length] == ':');
}

static bool decision_fits(const struct history_filter *filter, const json_t *record)
{
    if (filter->verdict && strcmp(filter->verdict, record_word(record, "verdict")) != 0)
        return false;
    if (filter->uplink && strcmp(filter->uplink, record_word(record, "uplink")) != 0 &&
        strcmp(filter->uplink, record_word(record, "target")) != 0)
        return false;
    return !filter->trigger || is_trigger(filter->trigger, record_word(record, "trigger"));
}

bool history_is_storm(const json_t *record)
{
    return record_number(record, "advised") > CAUSE_LISTED;
}

static bool is_uplink(const json_t *record)
{
    return !strcmp(record_word(record, "record"), "uplink");
}

bool history_may_fit(const struct history_filter *filter, const json_t *record)
{
    uint64_t time_us = record_number(record, "time_us");
    bool decides = record_number(record, "decision") != 0;
    bool asked_for = filter->uplink && is_uplink(record) &&
                     !strcmp(filter->uplink, record_word(record, "uplink"));

    if (time_us < filter->since_us || (filter->until_us && time_us > filter->until_us))
        return false;
    if (!decides && (filter->trigger || filter->verdict || (filter->uplink && !asked_for)))
        return false;
    if (!decides && !filter->everything && !asked_for &&
        (filter->no_storms || !history_is_storm(record)))
        return false;
    if (!strcmp(record_word(record, "record"), "decision") && !decision_fits(filter, record))
        return false;
    return !filter->peer || glob_matches_once(filter->peer, record_word(record, "peer"));
}

static void key_of(char out[160], const json_t *record)
{
    snprintf(out, 160, "%s %llu", record_word(record, "run"),
             (unsigned long long)record_number(record, "decision"));
}

bool history_fits(const struct history_filter *filter, json_t *decisions, const json_t *record)
{
    char key[160];

    if ((!filter->trigger && !filter->verdict && !filter->uplink) || is_uplink(record))
        return true;
    key_of(key, record);
    if (!strcmp(record_word(record, "record"), "decision"))
        json_object_set_new(decisions, key, json_true());
    return json_object_get(decisions, key);
}

void history_narrow(struct history *history, const struct history_filter *filter)
{
    json_t *decisions = json_object();
    size_t kept = 0;

    for (size_t i = 0; i < history->n_records; i++)
        if (history_fits(filter, decisions, history->records[i]))
            history->records[kept++] = history->records[i];
        else
            json_decref(history->records[i]);
    history->n_records = kept;
    json_decref(decisions);
}

void history_last(struct history *history, uint64_t count)
{
    size_t over;

    if (history->n_records <= count)
        return;
    over = history->n_records - (size_t)count;
    for (size_t i = 0; i < over; i++)
        json_decref(history->records[i]);
    memmove(history->records, history->records + over, (size_t)count * sizeof(json_t *));
    history->n_records = (size_t)count;
}

unsigned history_runs(const struct history *history)
{
    for (size_t i = 1; i < history->n_records; i++)
        if (strcmp(record_word(history->records[0], "run"),
                   record_word(history->records[i], "run")) != 0)
            return 2;
    return history->n_records ? 1 : 0;
}

bool history_is_verdict(const char *text, char **ret_list)
{
    static const char *const verdicts[] = {
        "gone",    "inbound", "disabled",    "held",      "no-target",  "in-flight",
        "merged",  "cooling", "backing-off", "damped",    "awaiting",   "observing",
        "probing", "queued",  "migrate",     "reconnect", "superseded", "expired"};
    char list[256] = "";
    size_t at = 0;

    for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++) {
        if (!strcmp(text, verdicts[i]))
            return true;
        at += (size_t)snprintf(list + at, sizeof(list) - at, "%s%s", i ? ", " : "", verdicts[i]);
    }
    *ret_list = string_copy(list);
    return false;
}

void history_clear(struct history *history)
{
    for (size_t i = 0; i < history->n_records; i++)
        json_decref(history->records[i]);
    free(history->records);
    *history = (struct history){0};
}
