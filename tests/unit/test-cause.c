/* SPDX-License-Identifier: Apache-2.0 */
/* Causes: counted, and written after the decisions that they count. */
#include "engine-lab.h"

static struct pd_advice moved(uint64_t cause)
{
    return (struct pd_advice){.kind = PD_KIND_MOVED, .reason = "flip", .cause = cause};
}

static uint64_t open_cause(struct lab *lab)
{
    lab_step(lab, POKE_OPEN_CAUSE, 0)->text = "route flip";
    lab_signal(lab);
    return lab->poke.last_cause;
}

static void close_cause(struct lab *lab, uint64_t cause)
{
    lab_step(lab, POKE_CLOSE_CAUSE, 0)->number = cause;
    lab_signal(lab);
}

static void counted(void **state)
{
    struct lab *lab = *state;
    const struct record *record;
    const struct record_cause *cause;

    lab_peer_up(lab, "a", 17);
    lab_peer_up(lab, "b", 18);
    lab_peer_up_role(lab, "c", 19, PD_ROLE_SERVER);
    lab_peer_up(lab, "d", 20);
    lab_step(lab, POKE_OPEN_CAUSE, 0)->text = "route flip";
    lab_step(lab, POKE_ADVISE, 17)->advice = moved(UINT64_MAX);
    lab_step(lab, POKE_ADVISE_SAME, 18);
    lab_step(lab, POKE_ADVISE_SAME, 19);
    lab_step(lab, POKE_CLOSE_CAUSE, 0);
    lab_signal(lab);
    record = lab_next(lab, RECORD_CAUSE);
    assert_non_null(record);
    for (const struct record *later = record; later < lab->records + lab->n_records; later++)
        assert_int_not_equal(later->type, RECORD_DECISION); /* they come before */
    cause = record->cause;
    assert_int_equal(cause->cause, 1);
    assert_string_equal(cause->trigger, "poke");
    assert_string_equal(cause->reason->s, "route flip");
    assert_int_equal(cause->peers, 4);
    assert_int_equal(cause->advised, 3);
    assert_int_equal(cause->verdicts[VERDICT_MIGRATE], 2);
    assert_int_equal(cause->verdicts[VERDICT_INBOUND], 1);
    assert_int_equal(expect_decision(lab, 19, VERDICT_INBOUND)->cause, 1);
    assert_int_equal(expect_decision(lab, 17, VERDICT_MIGRATE)->cause, 1);
    assert_int_equal(engine_counts(lab->engine).causes, 0);
}

/* Only the first verdict of each advice: not what the queue ends in, not advice
 * that is given again, not the fallback. */
static void first_verdicts(void **state)
{
    struct lab *lab = *state;
    const struct record_cause *record;
    uint64_t cause;

    lab->config.max_in_flight = 1;
    lab_node_up(lab, "boot");
    lab_snapshot(lab);
    lab_peer_up(lab, "a", 17);
    lab_peer_up(lab, "b", 18);
    cause = open_cause(lab);
    lab_advise_full(lab, 17, (struct pd_advice[]){moved(cause)});
    lab_advise_full(lab, 18, (struct pd_advice[]){moved(cause)});
    lab_advise_full(lab, 17, (struct pd_advice[]){moved(cause)}); /* remembered */
    lab_skip(lab);
    lab_answer_ok(lab, 1);
    expect_decision(lab, 18, VERDICT_MIGRATE);
    assert_int_equal(expect_decision(lab, 17, VERDICT_QUEUED)->cause, cause);
    lab_answer_ok(lab, 2);
    close_cause(lab, cause);
    record = lab_next(lab, RECORD_CAUSE)->cause;
    assert_int_equal(record->advised, 3);
    assert_int_equal(record->verdicts[VERDICT_MIGRATE], 1);
    assert_int_equal(record->verdicts[VERDICT_QUEUED], 1);
    assert_int_equal(record->verdicts[VERDICT_IN_FLIGHT], 1);
}

static void the_fallback_has_the_cause(void **state)
{
    struct lab *lab = *state;
    uint64_t cause = open_cause(lab);

    lab_peer_up(lab, "a", 17);
    lab_fresh(lab, 17, 1000);
    lab_advise_full(lab, 17, (struct pd_advice[]){moved(cause)});
    lab_answer_ok(lab, 1);
    for (unsigned i = 0; i < 4; i++) {
        lab_silent(lab, 17);
        lab_time(lab, SEC);
    }
    expect_decision(lab, 17, VERDICT_MIGRATE);
    assert_int_equal(expect_decision(lab, 17, VERDICT_RECONNECT)->cause, cause);
    close_cause(lab, cause);
    assert_int_equal(lab_next(lab, RECORD_CAUSE)->cause->advised, 1);
}

static size_t storm(struct lab *lab, unsigned count, bool same)
{
    size_t bulk = 0;
    const struct record *record;
    char name[16], reason[32];

    for (unsigned i = 1; i <= count; i++) {
        snprintf(name, sizeof(name), "n%u", i);
        lab_peer_up(lab, name, i);
    }
    open_cause(lab);
    for (unsigned i = 1; i <= count; i++) { /* in turns of the steps that there is room for */
        snprintf(reason, sizeof(reason), "flip %u", same ? 0 : i);
        lab_step(lab, POKE_ADVISE, i)->advice =
            (struct pd_advice){.kind = PD_KIND_MOVED, .reason = reason, .cause = 1};
        if (i % 50 == 0 || !same)
            lab_signal(lab);
    }
    close_cause(lab, 1);
    assert_int_equal(lab_next(lab, RECORD_CAUSE)->cause->advised, count);
    while ((record = lab_next(lab, RECORD_DECISION)))
        bulk += record->bulk;
    return bulk;
}

static void bulk(void **state)
{
    struct lab *lab = *state;

    assert_int_equal(storm(lab, 1000, true), 0);
}

static void bulk_above(void **state)
{
    struct lab *lab = *state;

    assert_int_equal(storm(lab, 1050, true), 50);
    /* what comes of them is bulk too */
    lab_answer_ok(lab, sequence_last(&lab->engine->migration.requests));
    assert_int_equal(engine_counts(lab->engine).effects, 1);
    lab_time(lab, 11 * SEC);
    assert_true(lab_next(lab, RECORD_OUTCOME)->bulk);
    assert_true(lab_next(lab, RECORD_EFFECT)->bulk);
}

static void too_many_open(void **state)
{
    struct lab *lab = *state;

    for (uint64_t i = 1; i <= 64; i++)
        assert_int_equal(open_cause(lab), i);
    assert_int_equal(open_cause(lab), 0);
    close_cause(lab, 5);
    assert_int_equal(open_cause(lab), 65);
    lab_skip(lab);
    lab_stop(lab);
    for (unsigned i = 0; i < 64; i++)
        assert_non_null(lab_next(lab, RECORD_CAUSE));
    assert_null(lab_next(lab, RECORD_CAUSE));
    assert_int_equal(engine_counts(lab->engine).causes, 0);
}

static void only_its_own(void **state)
{
    struct lab *lab = *state;
    uint64_t cause;

    lab_end(lab);
    lab_init(lab);
    lab->config.n_instances = 2;
    lab_begin(lab);
    cause = open_cause(lab);
    *poke_add(&lab->second, POKE_IN_SIGNAL, POKE_CLOSE_CAUSE) =
        (struct poke_step){.what = POKE_CLOSE_CAUSE, .number = cause};
    lab_event(lab, &(struct event){
                       .type = EVENT_SIGNAL,
                       .signal = {.trigger = "prod", .kind = "go"},
                   });
    assert_int_equal(engine_counts(lab->engine).causes, 1);
    close_cause(lab, 99); /* never opened */
    close_cause(lab, cause);
    assert_int_equal(engine_counts(lab->engine).causes, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(counted),      LAB_TEST(first_verdicts), LAB_TEST(the_fallback_has_the_cause),
        LAB_TEST(bulk),         LAB_TEST(bulk_above),     LAB_TEST(too_many_open),
        LAB_TEST(only_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
