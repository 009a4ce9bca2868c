/* SPDX-License-Identifier: Apache-2.0 */
/* metrics/counts.c, metrics/labels.c, metrics/text.c: which record counts as what. */
#include "check.h"
#include "engine/base/text.h"
#include "metrics/counts.h"
#include "metrics/text.h"
#include "util/util.h"

#define MS UINT64_C(1000)

static const uint64_t key[2] = {1, 2};
static struct text *peer;

static int setup(void **state)
{
    struct counts *counts = malloc(sizeof(*counts));

    peer = text_new("bravo@h");
    counts_init(counts, key);
    *state = counts;
    return 0;
}

static int teardown(void **state)
{
    counts_clear(*state);
    free(*state);
    peer = text_unref(peer);
    return 0;
}

static struct record decision(enum pd_kind kind, enum verdict verdict, uint64_t cause,
                              uint64_t cause_age_us, uint64_t request)
{
    return (struct record){.type = RECORD_DECISION,
                           .time_us = 1000 * MS,
                           .decision = {.subject = {.peer = peer},
                                        .trigger = "route",
                                        .kind = kind,
                                        .verdict = verdict,
                                        .cause = cause,
                                        .cause_age_us = cause_age_us,
                                        .request = request}};
}

static size_t trigger_of(struct counts *counts, const char *name)
{
    return labels_place(&counts->triggers, name);
}

static void test_decisions(void **state)
{
    struct counts *counts = *state;
    struct record record = decision(PD_KIND_MOVED, VERDICT_COOLING, 0, RECORD_AGE_UNKNOWN, 0);

    counts_take(counts, &record, 0);
    record.decision.repeats = 41;
    counts_take(counts, &record, 0);
    assert_int_equal(counts->decisions[PD_KIND_MOVED][VERDICT_COOLING], 42);
    assert_int_equal(counts->trigger_decisions[trigger_of(counts, "route")], 42);
    assert_int_equal(counts->requests[BY_MIGRATE], 0);
    for (size_t i = 0; i <= reaction_bounds.n; i++)
        assert_int_equal(counts->reaction[PD_KIND_MOVED].counts[i], 0);
}

static void test_reaction_from_the_cause(void **state)
{
    struct counts *counts = *state;
    struct record record = decision(PD_KIND_MOVED, VERDICT_MIGRATE, 9, 3 * MS, 1);

    counts_take(counts, &record, MS / 2);
    assert_int_equal(counts->reaction[PD_KIND_MOVED].sum_us, 7 * MS / 2);
    assert_int_equal(counts->reaction[PD_KIND_MOVED].counts[2], 1); /* 2 ms … 5 ms */
    /* one that waited in the queue until its cause was closed */
    record.decision.cause_age_us = RECORD_AGE_UNKNOWN;
    record.time_us += 100 * MS;
    counts_take(counts, &record, 0);
    assert_int_equal(counts->reaction[PD_KIND_MOVED].sum_us, 7 * MS / 2 + 103 * MS);
    /* one whose cause nobody remembers is not timed */
    record.decision.cause = 9 + COUNTED_CAUSES;
    counts_take(counts, &record, 0);
    assert_int_equal(counts->reaction[PD_KIND_MOVED].sum_us, 7 * MS / 2 + 103 * MS);
    assert_int_equal(counts->requests[BY_MIGRATE], 3);
}

static void test_reaction_from_the_silence(void **state)
{
    struct counts *counts = *state;
    struct record record = decision(PD_KIND_DEAD, VERDICT_MIGRATE, 0, RECORD_AGE_UNKNOWN, 1);
    struct evidence *evidence = calloc(1, sizeof(*evidence) + sizeof(evidence->fields[0]));

    evidence->n_fields = 1;
    evidence->fields[0] = (struct pd_field){.name = "silent_ms", .number = 800};
    record.decision.evidence = evidence;
    counts_take(counts, &record, MS);
    assert_int_equal(counts->reaction[PD_KIND_DEAD].sum_us, 801 * MS);
    record = decision(PD_KIND_DEGRADED, VERDICT_MIGRATE, 0, RECORD_AGE_UNKNOWN, 2);
    counts_take(counts, &record, MS); /* nothing but the event itself */
    assert_int_equal(counts->reaction[PD_KIND_DEGRADED].sum_us, MS);
    free(evidence);
}

static void test_outcomes(void **state)
{
    struct counts *counts = *state;
    struct record record = {.type = RECORD_OUTCOME,
                            .outcome = {.subject = {.peer = peer},
                                        .by = BY_RECONNECT,
                                        .attempt = 1,
                                        .outcome = OUTCOME_TIMEOUT,
                                        .elapsed_us = 50 * MS}};

    counts_take(counts, &record, 0);
    assert_int_equal(counts->outcomes[BY_RECONNECT][OUTCOME_TIMEOUT], 1);
    assert_int_equal(counts->requests[BY_RECONNECT], 0);
    assert_int_equal(counts->migration[BY_RECONNECT].sum_us, 0);
    record.outcome.attempt = 2;
    record.outcome.outcome = OUTCOME_RECONNECTED;
    counts_take(counts, &record, 0);
    assert_int_equal(counts->requests[BY_RECONNECT], 1);
    assert_int_equal(counts->migration[BY_RECONNECT].sum_us, 50 * MS);
    assert_int_equal(counts->migration[BY_RECONNECT].counts[3], 1);
}

static void test_an_outage(void **state)
{
    struct counts *counts = *state;
    struct record record = decision(PD_KIND_DEAD, VERDICT_OBSERVING, 0, RECORD_AGE_UNKNOWN, 0);

    counts_take(counts, &record, 0);
    record = (struct record){
        .type = RECORD_PEER, .time_us = 1300 * MS, .peer = {.subject = {.peer = peer}, .up = true}};
    counts_take(counts, &record, 0);
    assert_int_equal(counts->outage.sum_us, 300 * MS);
    assert_int_equal(counts->outage.counts[1], 1);
    assert_int_equal(counts->peers[1], 1);
}

static void note(struct counts *counts, enum pd_level level, const char *what)
{
    struct text *text = text_new(what);
    struct record record = {.type = RECORD_NOTICE,
                            .notice = {.level = level, .what = text, .count = 2}};

    counts_take(counts, &record, 0);
    text_unref(text);
}

static void test_notices_are_bounded(void **state)
{
    struct counts *counts = *state;
    char what[80];

    for (unsigned i = 0; i < COUNTED_NOTICES + 5; i++) {
        snprintf(what, sizeof(what), "kind-%u", i);
        note(counts, PD_LEVEL_WARNING, what);
    }
    assert_int_equal(counts->notices.n, COUNTED_NOTICES);
    assert_int_equal(counts->other_notices[1], 10);
    note(counts, PD_LEVEL_WARNING, "kind-0");
    assert_int_equal(counts->notice[0], 4);
    memset(what, 'x', sizeof(what) - 1);
    what[sizeof(what) - 1] = '\0';
    note(counts, PD_LEVEL_ERROR, what); /* too long for a name */
    assert_int_equal(counts->other_notices[0], 2);
}

static void test_labels(void **state)
{
    struct labels labels = {.most = 2};

    assert_int_equal(labels_place(&labels, "a"), 0);
    assert_int_equal(labels_place(&labels, LABELS_OTHER), 2); /* it would come twice */
    assert_int_equal(labels_place(&labels, "b"), 1);
    assert_int_equal(labels_place(&labels, "c"), 2);
    assert_int_equal(labels_place(&labels, "a"), 0);
    labels_clear(&labels);
    assert_int_equal(labels_place(&labels, "c"), 0);
    labels_clear(&labels);
}

static void test_uplinks(void **state)
{
    struct counts *counts = *state;
    struct text *name = text_new("home");
    struct record record = {.type = RECORD_UPLINK,
                            .uplink = {.uplink = name, .change = UPLINK_CHANGE_SILENT}};

    counts_take(counts, &record, 0);
    assert_int_equal(
        counts->uplink_changes[labels_place(&counts->uplinks, "home")][UPLINK_CHANGE_SILENT], 1);
    text_unref(name);
}

static void test_text(void **state)
{
    static const struct bounds bounds = {2, {MS, 2500 * MS}};
    struct histogram histogram = {0};
    struct buffer out = {0};
    struct text_out text = {.out = &out, .form = FORM_PROMETHEUS};

    text_family(&text, METRIC_OUTAGE);
    histogram_add(&histogram, &bounds, MS);
    histogram_add(&histogram, &bounds, MS + 1);
    histogram_add(&histogram, &bounds, UINT64_MAX / 2);
    histogram.sum_us = 1230001;
    out.length = 0;
    text_histogram(&text, &(struct label){"a", "b\"\\\n\xff"}, &histogram, &bounds);
    text_seconds(&text, NULL, 1500000);
    text_end(&text);
    buffer_append(&out, "", 1);
    assert_string_equal(
        buffer_bytes(&out),
        "pathdog_outage_seconds_bucket{a=\"b\\\"\\\\\\n\xef\xbf\xbd\",le=\"0.001\"} 1\n"
        "pathdog_outage_seconds_bucket{a=\"b\\\"\\\\\\n\xef\xbf\xbd\",le=\"2.5\"} 2\n"
        "pathdog_outage_seconds_bucket{a=\"b\\\"\\\\\\n\xef\xbf\xbd\",le=\"+Inf\"} 3\n"
        "pathdog_outage_seconds_sum{a=\"b\\\"\\\\\\n\xef\xbf\xbd\"} 1.230001\n"
        "pathdog_outage_seconds_count{a=\"b\\\"\\\\\\n\xef\xbf\xbd\"} 3\n"
        "pathdog_outage_seconds 1.5\n");
    buffer_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_decisions, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reaction_from_the_cause, setup, teardown),
        cmocka_unit_test_setup_teardown(test_reaction_from_the_silence, setup, teardown),
        cmocka_unit_test_setup_teardown(test_outcomes, setup, teardown),
        cmocka_unit_test_setup_teardown(test_an_outage, setup, teardown),
        cmocka_unit_test_setup_teardown(test_notices_are_bounded, setup, teardown),
        cmocka_unit_test(test_labels),
        cmocka_unit_test_setup_teardown(test_uplinks, setup, teardown),
        cmocka_unit_test(test_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
