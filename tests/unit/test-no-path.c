/* SPDX-License-Identifier: Apache-2.0 */
/* metrics/no-path.c: when an outage begins and ends, and how many are followed. */
#include "check.h"
#include "engine/base/text.h"
#include "metrics/no-path.h"
#include "util/util.h"

#define SEC UINT64_C(1000000)

static const uint64_t key[2] = {3, 4};

struct rig {
    struct no_path *no_path;
    struct text *peer;
    uint64_t now_us;
};

static int setup(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));

    rig->no_path = no_path_new(key);
    rig->peer = text_new("bravo@h");
    rig->now_us = 1000 * SEC;
    *state = rig;
    return 0;
}

static int teardown(void **state)
{
    struct rig *rig = *state;

    no_path_free(rig->no_path);
    text_unref(rig->peer);
    free(rig);
    return 0;
}

static struct evidence *silent_for(uint64_t ms)
{
    struct evidence *evidence = calloc(1, sizeof(*evidence) + sizeof(evidence->fields[0]));

    evidence->n_fields = 1;
    evidence->fields[0] = (struct pd_field){.name = "silent_ms", .number = ms};
    return evidence;
}

static void decided(struct rig *rig, struct text *peer, enum pd_kind kind, uint64_t silent_ms)
{
    struct evidence *evidence = silent_for(silent_ms);
    struct record record = {
        .type = RECORD_DECISION,
        .time_us = rig->now_us,
        .decision = {.subject = {.peer = peer}, .kind = kind, .evidence = evidence}};

    assert_false(no_path_take(rig->no_path, &record).ended);
    free(evidence);
}

static void moved(struct rig *rig, uint64_t decision)
{
    struct record record = {.type = RECORD_OUTCOME,
                            .time_us = rig->now_us,
                            .outcome = {.subject = {.peer = rig->peer},
                                        .decision = decision,
                                        .outcome = OUTCOME_MIGRATED}};

    assert_false(no_path_take(rig->no_path, &record).ended);
}

static struct no_path_end effect(struct rig *rig, uint64_t decision, enum effect effect)
{
    struct record record = {
        .type = RECORD_EFFECT,
        .time_us = rig->now_us,
        .effect = {.subject = {.peer = rig->peer}, .decision = decision, .effect = effect}};

    return no_path_take(rig->no_path, &record);
}

static struct no_path_end came(struct rig *rig)
{
    struct record record = {.type = RECORD_PEER,
                            .time_us = rig->now_us,
                            .peer = {.subject = {.peer = rig->peer}, .up = true}};

    return no_path_take(rig->no_path, &record);
}

static void test_from_the_silence_to_the_move(void **state)
{
    struct rig *rig = *state;
    struct no_path_end end;

    decided(rig, rig->peer, PD_KIND_DEAD, 3000);
    assert_int_equal(no_path_open(rig->no_path), 1);
    rig->now_us += SEC;
    moved(rig, 7);
    rig->now_us += 5 * SEC;
    assert_false(effect(rig, 6, EFFECT_BETTER).ended); /* of another move */
    end = effect(rig, 7, EFFECT_SAME);
    assert_true(end.ended);
    assert_int_equal(end.span_us, 4 * SEC);
    assert_int_equal(no_path_open(rig->no_path), 0);
    assert_int_equal(no_path_unknown(rig->no_path), 0);
}

static void test_a_move_that_did_not_help(void **state)
{
    struct rig *rig = *state;

    decided(rig, rig->peer, PD_KIND_DEAD, 1000);
    moved(rig, 7);
    assert_false(effect(rig, 7, EFFECT_STALLED).ended);
    rig->now_us += 2 * SEC;
    decided(rig, rig->peer, PD_KIND_DEAD, 3000);
    rig->now_us += SEC;
    moved(rig, 8);
    assert_int_equal(effect(rig, 8, EFFECT_BETTER).span_us, 4 * SEC); /* since the first one */
}

static void test_a_new_connection(void **state)
{
    struct rig *rig = *state;

    assert_false(came(rig).ended);
    decided(rig, rig->peer, PD_KIND_DEAD, 500);
    rig->now_us += SEC;
    assert_int_equal(came(rig).span_us, 3 * SEC / 2);
    assert_false(came(rig).ended);
}

static void test_unknown_ends(void **state)
{
    struct rig *rig = *state;

    decided(rig, rig->peer, PD_KIND_DEAD, 500);
    decided(rig, rig->peer, PD_KIND_DEGRADED, 0); /* it was heard */
    assert_int_equal(no_path_open(rig->no_path), 0);
    assert_int_equal(no_path_unknown(rig->no_path), 1);
    decided(rig, rig->peer, PD_KIND_DEAD, 500);
    rig->now_us += 60 * SEC;
    decided(rig, rig->peer, PD_KIND_DEAD, 500); /* dead again: another one */
    assert_int_equal(no_path_unknown(rig->no_path), 2);
    assert_int_equal(came(rig).span_us, SEC / 2);
}

static void test_silence(void **state)
{
    struct evidence *evidence = calloc(1, sizeof(*evidence) + 3 * sizeof(evidence->fields[0]));

    assert_int_equal(silence_us(NULL), 0);
    evidence->n_fields = 3;
    evidence->fields[0] = (struct pd_field){.name = "stalled_us", .number = 5};
    evidence->fields[1] = (struct pd_field){.name = "silent_ms", .number = 2};
    evidence->fields[2] = (struct pd_field){.name = "stalled_us", .text = "x", .number = 9999};
    assert_int_equal(silence_us(evidence), 2000);
    evidence->fields[0].number = PD_UNKNOWN;
    assert_int_equal(silence_us(evidence), 2000);
    evidence->fields[2] = (struct pd_field){.name = "starved_us", .number = 7};
    assert_int_equal(silence_us(evidence), 7);
    free(evidence);
}

/* The table grows and shrinks, and everybody is found again, whoever went meanwhile. */
static void test_many(void **state)
{
    struct rig *rig = *state;
    struct text *peer = rig->peer;
    char name[32];

    for (unsigned i = 0; i < 3000; i++) {
        snprintf(name, sizeof(name), "p%u", i);
        rig->peer = text_new(name);
        decided(rig, rig->peer, PD_KIND_DEAD, 0);
        text_unref(rig->peer);
    }
    assert_int_equal(no_path_open(rig->no_path), 3000);
    for (unsigned i = 0; i < 3000; i++) {
        snprintf(name, sizeof(name), "p%u", i * 7 % 3000);
        rig->peer = text_new(name);
        if (!came(rig).ended)
            fail_msg("%s was lost", name);
        text_unref(rig->peer);
        rig->peer = peer;
    }
    assert_int_equal(no_path_open(rig->no_path), 0);
}

static void test_the_bound(void **state)
{
    struct rig *rig = *state;
    char name[32];

    for (unsigned i = 0; i < NO_PATH_MAX + 10; i++) {
        struct text *peer;

        snprintf(name, sizeof(name), "p%u", i);
        peer = text_new(name);
        decided(rig, peer, PD_KIND_DEAD, 0);
        text_unref(peer);
    }
    assert_int_equal(no_path_open(rig->no_path), NO_PATH_MAX);
    assert_int_equal(no_path_unknown(rig->no_path), 10);
    /* those that nobody heard of for long make room */
    rig->now_us += 7200 * SEC;
    decided(rig, rig->peer, PD_KIND_DEAD, 0);
    assert_int_equal(no_path_open(rig->no_path), 1);
    assert_int_equal(no_path_unknown(rig->no_path), 10 + NO_PATH_MAX);
    assert_true(came(rig).ended);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_from_the_silence_to_the_move, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_move_that_did_not_help, setup, teardown),
        cmocka_unit_test_setup_teardown(test_a_new_connection, setup, teardown),
        cmocka_unit_test_setup_teardown(test_unknown_ends, setup, teardown),
        cmocka_unit_test(test_silence),
        cmocka_unit_test_setup_teardown(test_many, setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_bound, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
