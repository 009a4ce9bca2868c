/* SPDX-License-Identifier: Apache-2.0 */
/* control/filter.c: outcomes and effects belong to their decisions. */
#include "check.h"
#include "control/filter.h"
#include "engine/base/text.h"
#include "util/util.h"

static struct text *peer;

static int setup(void **state)
{
    peer = text_new("a@h");
    return 0;
}

static int teardown(void **state)
{
    peer = text_unref(peer);
    return 0;
}

static struct record decision(uint64_t number, const char *trigger, enum verdict verdict)
{
    return (struct record){
        .type = RECORD_DECISION,
        .time_us = number,
        .decision = {.subject = {.peer = peer},
                     .decision = number,
                     .trigger = trigger,
                     .verdict = verdict},
    };
}

static struct record outcome(uint64_t number)
{
    return (struct record){
        .type = RECORD_OUTCOME,
        .time_us = number,
        .outcome = {.subject = {.peer = peer}, .decision = number},
    };
}

static struct record effect(uint64_t number)
{
    return (struct record){
        .type = RECORD_EFFECT,
        .time_us = number,
        .effect = {.subject = {.peer = peer}, .decision = number},
    };
}

static struct filter filter_of(const char *trigger, int verdict)
{
    struct filter filter = {.verdict = verdict, .types = UINT32_MAX};

    filter.trigger = string_copy(trigger);
    if (filter_notes(&filter))
        filter.noted = memory_new(1, sizeof(*filter.noted));
    return filter;
}

static bool goes(struct filter *filter, struct record record)
{
    filter_note(filter, &record);
    return filter_fits(filter, &record);
}

static void without_them_all_fit(void **state)
{
    struct filter filter = filter_of(NULL, -1);

    assert_false(filter_notes(&filter));
    assert_true(goes(&filter, outcome(7)));
    assert_true(goes(&filter, effect(7)));
    filter_clear(&filter);
}

static void by_trigger(void **state)
{
    struct filter filter = filter_of("srtt", -1);

    assert_true(goes(&filter, decision(1, "srtt", VERDICT_MIGRATE)));
    assert_false(goes(&filter, decision(2, "route", VERDICT_MIGRATE)));
    assert_true(goes(&filter, decision(3, "srtt:overseas", VERDICT_MIGRATE)));
    assert_false(goes(&filter, decision(4, "srttx", VERDICT_MIGRATE)));
    assert_true(goes(&filter, outcome(1)));
    assert_false(goes(&filter, outcome(2)));
    assert_true(goes(&filter, outcome(3)));
    assert_true(goes(&filter, effect(3)));
    assert_false(goes(&filter, effect(4)));
    assert_false(goes(&filter, effect(5))); /* not known at all */
    assert_false(goes(&filter, (struct record){.type = RECORD_NOTICE}));
    filter_clear(&filter);
}

/* Written again out of the queue: what it became is what has outcomes. */
static void by_verdict(void **state)
{
    struct filter filter = filter_of(NULL, VERDICT_MIGRATE);

    assert_false(goes(&filter, decision(1, "srtt", VERDICT_QUEUED)));
    assert_false(goes(&filter, outcome(1)));
    assert_false(goes(&filter, decision(2, "srtt", VERDICT_COOLING)));
    assert_true(goes(&filter, decision(1, "srtt", VERDICT_MIGRATE)));
    assert_true(goes(&filter, outcome(1)));
    assert_false(goes(&filter, outcome(2)));
    filter_clear(&filter);
}

static struct record among(uint64_t number, struct text *uplink, struct text *target)
{
    struct record record = decision(number, "stall", VERDICT_MIGRATE);

    record.decision.uplink = uplink;
    record.decision.target = target;
    return record;
}

/* What uses it, what was to move to it, what came of those, and what happened to the uplink. */
static void by_uplink(void **state)
{
    struct text *home = text_new("home"), *lte = text_new("lte");
    const struct record silent = {.type = RECORD_UPLINK, .uplink = {.uplink = home}},
                        other = {.type = RECORD_UPLINK, .uplink = {.uplink = lte}};
    struct filter filter = filter_of(NULL, -1);
    struct glob *all = glob_new("*");

    assert_true(goes(&filter, silent));
    assert_true(goes(&filter, other));
    filter.uplink = string_copy("home");
    assert_true(filter_notes(&filter));
    filter.noted = memory_new(1, sizeof(*filter.noted));
    assert_true(goes(&filter, among(1, home, lte)));
    assert_true(goes(&filter, among(2, lte, home)));
    assert_false(goes(&filter, among(3, lte, lte)));
    assert_false(goes(&filter, among(4, lte, NULL)));
    assert_false(goes(&filter, among(5, NULL, NULL)));
    assert_true(goes(&filter, outcome(1)));
    assert_true(goes(&filter, effect(2)));
    assert_false(goes(&filter, outcome(3)));
    assert_false(goes(&filter, effect(5)));
    assert_true(goes(&filter, silent));
    assert_false(goes(&filter, other));
    assert_false(goes(&filter, (struct record){.type = RECORD_NOTICE}));
    filter.verdict = VERDICT_COOLING; /* that is about decisions */
    assert_false(goes(&filter, silent));
    assert_false(goes(&filter, among(6, home, NULL)));
    filter.verdict = -1;
    filter.peer = all; /* an uplink is no peer */
    assert_false(goes(&filter, silent));
    filter.peer = NULL;
    filter.types = 1u << RECORD_DECISION;
    assert_false(goes(&filter, silent));
    filter_clear(&filter);
    glob_free(all);
    text_unref(home);
    text_unref(lte);
}

/* As a page is read: the newest first. */
static void in_any_order(void **state)
{
    struct filter filter = filter_of("srtt", VERDICT_MIGRATE);

    for (uint64_t i = 5000; i > 0; i--)
        assert_int_equal(goes(&filter, decision(i, i % 3 ? "srtt" : "route", VERDICT_MIGRATE)),
                         i % 3 != 0);
    for (uint64_t i = 1; i <= 5000; i++)
        assert_int_equal(goes(&filter, outcome(i)), i % 3 != 0);
    assert_false(goes(&filter, outcome(0)));
    assert_false(goes(&filter, outcome(5001)));
    filter_clear(&filter);
}

/* Of a million decisions back it is known, and never is one taken for another. */
static void numbers_that_fall_out(void **state)
{
    struct filter filter = filter_of("srtt", -1);
    const uint64_t last = 3 * NOTED_DECISIONS + 77;

    assert_true(goes(&filter, decision(5, "srtt", VERDICT_MIGRATE)));
    assert_true(goes(&filter, decision(NOTED_DECISIONS + 4, "srtt", VERDICT_MIGRATE)));
    assert_true(goes(&filter, outcome(5)));
    assert_true(goes(&filter, decision(NOTED_DECISIONS + 6, "srtt", VERDICT_MIGRATE)));
    assert_false(goes(&filter, outcome(5)));
    assert_false(goes(&filter, outcome(NOTED_DECISIONS + 5)));
    assert_true(goes(&filter, outcome(NOTED_DECISIONS + 4)));
    assert_false(goes(&filter, decision(last, "route", VERDICT_MIGRATE)));
    for (uint64_t i = last - NOTED_DECISIONS - 2; i <= last + 2; i++)
        assert_false(goes(&filter, outcome(i)));
    assert_true(goes(&filter, decision(6, "srtt", VERDICT_MIGRATE))); /* old, but it fits itself */
    assert_false(goes(&filter, outcome(6)));
    filter_clear(&filter);
}

static void filters(void **state)
{
    struct record decision = {
        .type = RECORD_DECISION,
        .time_us = 1000,
        .decision = {.subject = {.peer = text_new("a@h")},
                     .decision = 7,
                     .trigger = "srtt:overseas",
                     .verdict = VERDICT_COOLING},
    };
    struct record notice = {.type = RECORD_NOTICE, .time_us = 1000};
    struct filter filter = {.verdict = -1, .types = 1u << RECORD_DECISION | 1u << RECORD_OUTCOME};
    struct glob *a = glob_new("a@*"), *b = glob_new("b@*"), *all = glob_new("*");

    assert_true(filter_fits(&filter, &decision));
    assert_false(filter_fits(&filter, &notice));
    filter.trigger = (char *)"srtt";
    assert_true(filter_fits(&filter, &decision));
    filter.trigger = (char *)"srt";
    assert_false(filter_fits(&filter, &decision));
    filter.trigger = (char *)"srtt:overseas";
    filter.verdict = VERDICT_COOLING;
    filter.peer = a;
    filter.decision = 7;
    filter.since_us = 1000;
    assert_true(filter_fits(&filter, &decision));
    filter.since_us = 1001;
    assert_false(filter_fits(&filter, &decision));
    filter.since_us = 0;
    filter.verdict = VERDICT_MIGRATE;
    assert_false(filter_fits(&filter, &decision));
    filter.verdict = -1;
    filter.peer = b;
    assert_false(filter_fits(&filter, &decision));
    filter = (struct filter){.verdict = -1, .types = UINT32_MAX, .peer = all};
    assert_false(filter_fits(&filter, &notice)); /* it is about nobody */
    text_unref(decision.decision.subject.peer);
    glob_free(a);
    glob_free(b);
    glob_free(all);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(filters),
        cmocka_unit_test(without_them_all_fit),
        cmocka_unit_test(by_trigger),
        cmocka_unit_test(by_verdict),
        cmocka_unit_test(by_uplink),
        cmocka_unit_test(in_any_order),
        cmocka_unit_test(numbers_that_fall_out),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
