/* SPDX-License-Identifier: Apache-2.0 */
/* What a history comes to. */
#include "report.h"

#include "../util/util.h"
#include "report-top.h"
#include "report-uplinks.h"

/* Rows by a key, in the order in which they came; each is an object. */
struct rows {
    json_t *rows;   /* an array */
    json_t *places; /* key → index */
};

struct report {
    json_t *verdicts, *outcomes, *effects, *notices; /* name → how often */
    json_t *finals; /* "run number" → the last verdict of a decision that was written twice */
    json_t *runs;   /* run → {"run", the runs of "runs" */
    json_t *units_seen;
    json_t *storms; /* "run cause" → its verdicts, less those that are in the history */
    struct rows peers, reasons;
    json_t *causes; /* an array */
    struct outages *outages;
    uint64_t n_decisions, n_outcomes, n_restored, n_only_counted;
    struct rows nodes; /* by unit */
    json_t *uplinks;
    const json_t *units;
};

static void add(json_t *counts, const char *name, uint64_t count)
{
    uint64_t sum = record_number(counts, name) + count;

    json_object_set_new(counts, name, json_integer((json_int_t)sum));
}

static bool is_any(const char *text, const char *a, const char *b)
{
    return !strcmp(text, a) || !strcmp(text, b);
}

static void key_of(char out[160], const json_t *record, const char *name)
{
    snprintf(out, 160, "%s %llu", record_word(record, "run"),
             (unsigned long long)record_number(record, name));
}

/* The row of that key; `*ret_new`: it was not there. */
static json_t *row_of(struct rows *rows, const char *key, bool *ret_new)
{
    const json_t *place = json_object_get(rows->places, key);

    *ret_new = !place;
    if (place)
        return json_array_get(rows->rows, (size_t)json_integer_value(place));
    json_object_set_new(rows->places, key, json_integer((json_int_t)json_array_size(rows->rows)));
    json_array_append_new(rows->rows, json_object());
    return json_array_get(rows->rows, json_array_size(rows->rows) - 1);
}

/* ---- reasons ---- */

static bool is_number(const char *word, size_t length)
{
    size_t digits = 0, points = 0;

    for (size_t i = 0; i < length; i++) {
        digits += word[i] >= '0' && word[i] <= '9';
        points += word[i] == '.';
    }
    return digits && points <= 1 && digits + points == length;
}

char *report_pattern(const char *reason)
{
    static const char ends[] = " ,;()%=";
    char *out = memory_new(strlen(reason) + 1, 1), *to = out;

    while (*reason) {
        size_t length = strcspn(reason, ends);
        /* "41:" is a number with a colon behind it */
        size_t bare = length && reason[length - 1] == ':' ? length - 1 : length;

        if (is_number(reason, bare))
            *to++ = 'N';
        else
            to = mempcpy(to, reason, bare);
        reason += bare;
        to = mempcpy(to, reason, length - bare + (reason[length - bare] != '\0'));
        reason += length - bare;
        if (*reason)
            reason++;
    }
    *to = '\0';
    return out;
}

static void take_reason(struct report *report, const json_t *record, uint64_t count)
{
    CLEANUP_FREE char *pattern = report_pattern(record_word(record, "reason"));
    CLEANUP_FREE char *key = NULL;
    json_t *row;
    bool is_new;

    if (asprintf(&key, "%s %s %s", record_word(record, "trigger"), record_word(record, "kind"),
                 pattern) < 0)
        memory_out();
    row = row_of(&report->reasons, key, &is_new);
    add(row, "count", count);
    json_object_set(row, "trigger", json_object_get(record, "trigger"));
    json_object_set(row, "kind", json_object_get(record, "kind"));
    /* of several, the last one stands for all */
    json_object_set_new(row, "alike",
                        json_boolean(is_new || (json_is_true(json_object_get(row, "alike")) &&
                                                !strcmp(record_word(row, "reason"),
                                                        record_word(record, "reason")))));
    json_object_set(row, "reason", json_object_get(record, "reason"));
}

/* ---- decisions and what came of them ---- */

static void take_peer(struct report *report, const json_t *record, const char *what, uint64_t count)
{
    static const char *const members[] = {"decisions", "dead", "moves", "failed", "not_helped"};
    const char *peer = record_word(record, "peer");
    json_t *row;
    bool is_new;

    row = row_of(&report->peers, peer, &is_new);
    if (is_new) {
        json_object_set_new(row, "peer", json_string(peer));
        for (size_t i = 0; i < ARRAY_SIZE(members); i++)
            json_object_set_new(row, members[i], json_integer(0));
    }
    add(row, what, count);
}

static void take_decision(struct report *report, const json_t *record)
{
    uint64_t count = max_u64(record_number(record, "repeats"), 1);
    const char *verdict = record_word(record, "verdict"), *before;
    json_t *storm;
    char key[160];

    key_of(key, record, "decision");
    before = json_string_value(json_object_get(report->finals, key));
    if (before) { /* it left the queue, and is the same decision */
        json_object_set_new(report->verdicts, before,
                            json_integer((json_int_t)record_number(report->verdicts, before) - 1));
        if (!record_number(report->verdicts, before))
            json_object_del(report->verdicts, before);
        json_object_del(report->finals, key);
        add(report->verdicts, verdict, 1);
        return;
    }
    if (!strcmp(verdict, "queued"))
        json_object_set_new(report->finals, key, json_string(verdict));
    report->n_decisions += count;
    add(report->verdicts, verdict, count);
    take_peer(report, record, "decisions", count);
    if (!strcmp(record_word(record, "kind"), "dead"))
        take_peer(report, record, "dead", count);
    take_reason(report, record, count);
    key_of(key, record, "cause");
    storm = json_object_get(report->storms, key);
    if (storm && strcmp(record_word(record, "trigger"), "fallback") != 0)
        add(storm, verdict, (uint64_t)0 - count);
}

static void take_outcome(struct report *report, const json_t *record)
{
    const char *outcome = record_word(record, "outcome");
    bool moved = is_any(outcome, "migrated", "reconnected");

    report->n_outcomes++;
    add(report->outcomes, outcome, 1);
    if (moved)
        take_peer(report, record, "moves", 1);
    else if (!record_proves_nothing(outcome))
        take_peer(report, record, "failed", 1);
}

static void take_effect(struct report *report, const json_t *record)
{
    const char *effect = record_word(record, "effect");

    report->n_restored += record_is_restored(record);
    add(report->effects, effect, 1);
    if (is_any(effect, "worse", "stalled"))
        take_peer(report, record, "not_helped", 1);
}

/* ---- causes, the node, notices, runs ---- */

/* Causes come after their decisions, so those that stand for many are known before. */
static void note_storm(struct report *report, const json_t *record)
{
    char key[160];

    if (!history_is_storm(record))
        return;
    key_of(key, record, "cause");
    json_object_set_new(report->storms, key, json_deep_copy(json_object_get(record, "verdicts")));
}

/* Decisions that only the sums have. */
static void count_storms(struct report *report)
{
    const char *key, *verdict;
    json_t *storm, *left;

    json_object_foreach(report->storms, key, storm)
    {
        json_object_foreach(storm, verdict, left)
        {
            json_int_t count = json_integer_value(left);

            if (count <= 0)
                continue;
            add(report->verdicts, verdict, (uint64_t)count);
            report->n_decisions += (uint64_t)count;
            report->n_only_counted += (uint64_t)count;
        }
    }
}

static void take_cause(struct report *report, const json_t *record)
{
    json_t *cause;

    if (record_number(record, "advised") < 2)
        return;
    cause = json_copy((json_t *)record);
    json_object_del(cause, "record");
    json_array_append_new(report->causes, cause);
}

/* "" where it is none of systemd's. */
static const char *unit_of(const struct report *report, const json_t *record)
{
    return record_word(report->units, record_word(record, "run"));
}

static json_t *node_row(struct report *report, const json_t *record)
{
    const char *unit = unit_of(report, record);
    bool is_new;
    json_t *row = row_of(&report->nodes, unit, &is_new);

    if (is_new)
        json_object_update_new(row, json_pack("{s:s?,s:n,s:n,s:i,s:i,s:i,s:n}", "unit",
                                              *unit ? unit : NULL, "node", "boot", "restarts", 0,
                                              "away", 0, "away_longest_us", 0, "away_since_us"));
    return row;
}

static void take_node(struct report *report, const json_t *record)
{
    json_t *row = node_row(report, record);
    const char *boot = record_word(record, "boot"), *before = record_word(row, "boot");
    uint64_t time_us = record_number(record, "time_us"),
             since_us = record_number(row, "away_since_us");

    if (*record_word(record, "node"))
        json_object_set(row, "node", json_object_get(record, "node"));
    if (!strcmp(record_word(record, "state"), "down")) {
        if (since_us)
            return;
        add(row, "away", 1);
        json_object_set(row, "away_since_us", json_object_get(record, "time_us"));
        return;
    }
    if (since_us && sub_u64(time_us, since_us) > record_number(row, "away_longest_us"))
        json_object_set_new(row, "away_longest_us",
                            json_integer((json_int_t)sub_u64(time_us, since_us)));
    json_object_set_new(row, "away_since_us", json_null());
    if (*boot && *before && strcmp(boot, before) != 0)
        add(row, "restarts", 1);
    if (*boot)
        json_object_set(row, "boot", json_object_get(record, "boot"));
}

/* "restart": another run of the same unit was before it. */
static json_t *run_new(struct report *report, const json_t *record)
{
    const char *unit = unit_of(report, record);
    bool restart = json_object_get(report->units_seen, unit);

    json_object_set_new(report->units_seen, unit, json_true());
    return json_pack("{s:s,s:s?,s:O,s:b,s:b}", "run", record_word(record, "run"), "unit",
                     *unit ? unit : NULL, "first_us", json_object_get(record, "time_us"), "restart",
                     restart, "after_unclean_stop", 0);
}

static void take_run(struct report *report, const json_t *record)
{
    const char *name = record_word(record, "run");
    json_t *run = json_object_get(report->runs, name);
    const json_t *time_us = json_object_get(record, "time_us");

    if (!run) {
        run = run_new(report, record);
        json_object_set_new(report->runs, name, run);
    }
    json_object_set(run, "last_us", (json_t *)time_us);
    if (!strcmp(record_word(record, "what"), "unclean-stop"))
        json_object_set_new(run, "after_unclean_stop", json_true());
}

static void take_notice(struct report *report, const json_t *record)
{
    if (is_any(record_word(record, "level"), "error", "warning"))
        add(report->notices, record_word(record, "what"),
            max_u64(record_number(record, "count"), 1));
}

void report_storms(struct report *report, const struct history *history)
{
    for (size_t i = 0; i < history->n_records; i++)
        note_storm(report, history->records[i]);
}

void report_take(struct report *report, const json_t *record)
{
    static const struct {
        const char *kind;
        void (*take)(struct report *report, const json_t *record);
    } kinds[] = {
        {"decision", take_decision}, {"outcome", take_outcome}, {"effect", take_effect},
        {"cause", take_cause},       {"node", take_node},       {"notice", take_notice},
    };

    take_run(report, record);
    outages_take(report->outages, unit_of(report, record), record);
    report_take_uplink(report->uplinks, unit_of(report, record), record);
    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
        if (!strcmp(record_word(record, "record"), kinds[i].kind))
            kinds[i].take(report, record);
}

/* ---- the result ---- */

static json_t *runs_result(const struct report *report)
{
    json_t *runs = json_array(), *run;
    const char *name;

    json_object_foreach(report->runs, name, run) json_array_append(runs, run);
    return runs;
}

static json_t *result(const struct report *report)
{
    uint64_t n_moves = record_number(report->outcomes, "migrated") +
                       record_number(report->outcomes, "reconnected");

    return json_pack(
        "{s:o,s:O,s:o,s:I,s:O,s:I,s:I,s:O,s:I,s:O,s:I,s:o,s:I,s:o,s:o,s:o,s:O}", "runs",
        runs_result(report), "nodes", report->nodes.rows, "uplinks",
        report_uplinks(report->uplinks), "decisions", (json_int_t)report->n_decisions, "verdicts",
        report->verdicts, "only_counted", (json_int_t)report->n_only_counted, "requests",
        (json_int_t)report->n_outcomes, "outcomes", report->outcomes, "moves", (json_int_t)n_moves,
        "effects", report->effects, "restored", (json_int_t)report->n_restored, "no_path",
        outages_result(report->outages), "n_peers", (json_int_t)json_array_size(report->peers.rows),
        "peers", report_worst_peers(report->peers.rows), "reasons",
        report_most_reasons(report->reasons.rows), "causes", report_largest_causes(report->causes),
        "notices", report->notices);
}

struct report *report_new(const json_t *units, const struct outage_watch *watch)
{
    struct report *report = memory_new(1, sizeof(*report));

    *report = (struct report){
        .verdicts = json_object(),
        .outcomes = json_object(),
        .effects = json_object(),
        .notices = json_object(),
        .finals = json_object(),
        .runs = json_object(),
        .units_seen = json_object(),
        .storms = json_object(),
        .peers = {json_array(), json_object()},
        .reasons = {json_array(), json_object()},
        .causes = json_array(),
        .nodes = {json_array(), json_object()},
        .uplinks = json_object(),
        .units = units,
        .outages = outages_new(watch),
    };
    return report;
}

json_t *report_end(struct report *report)
{
    json_t *ret, *const used[] = {
                     report->verdicts,     report->outcomes,       report->effects,
                     report->notices,      report->finals,         report->runs,
                     report->storms,       report->peers.rows,     report->peers.places,
                     report->reasons.rows, report->reasons.places, report->causes,
                     report->nodes.rows,   report->nodes.places,   report->units_seen,
                     report->uplinks};

    count_storms(report);
    ret = result(report);
    for (size_t i = 0; i < ARRAY_SIZE(used); i++)
        json_decref(used[i]);
    outages_free(report->outages);
    free(report);
    return ret;
}

json_t *report_make(const struct history *history, const json_t *units)
{
    struct report *report = report_new(units, NULL);

    report_storms(report, history);
    for (size_t i = 0; i < history->n_records; i++)
        report_take(report, history->records[i]);
    return report_end(report);
}
