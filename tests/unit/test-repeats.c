/* SPDX-License-Identifier: Apache-2.0 */
/* The same refusal again and again: said once, then once a minute. */
#include "engine-lab.h"

static void an_hour(void **state)
{
    struct lab *lab = *state;
    const struct record *record;
    unsigned records = 0;
    uint64_t repeats = 0;

    lab_peer_up_role(lab, "a", 17, PD_ROLE_SERVER);
    for (unsigned i = 0; i < 720; i++) {
        lab_advise(lab, 17, PD_KIND_DEGRADED);
        lab_time(lab, 5 * SEC);
    }
    lab_stop(lab);
    while ((record = lab_next(lab, RECORD_DECISION))) {
        assert_int_equal(record->decision.verdict, VERDICT_INBOUND);
        repeats += record->decision.repeats;
        records++;
    }
    assert_in_range(records, 2, 62);
    assert_int_equal(repeats + 1, 720);
}

static void once_a_minute(void **state)
{
    struct lab *lab = *state;
    const struct record_decision *decision;

    lab_peer_up_role(lab, "a", 17, PD_ROLE_SERVER);
    lab_advise(lab, 17, PD_KIND_DEGRADED);
    assert_int_equal(expect_decision(lab, 17, VERDICT_INBOUND)->repeats, 0);
    lab_advise_full(lab, 17, &(struct pd_advice){PD_KIND_DEGRADED, .reason = "second"});
    lab_advise_full(lab, 17, &(struct pd_advice){PD_KIND_DEGRADED, .reason = "third"});
    assert_int_equal(engine_counts(lab->engine).suppressed, 1);
    lab_time(lab, MIN - 1);
    expect_no_decision(lab);
    lab_time(lab, 1);
    decision = expect_decision(lab, 17, VERDICT_INBOUND);
    assert_int_equal(decision->repeats, 2);
    assert_int_equal(decision->decision, 3);
    assert_string_equal(decision->reason->s, "third");
    lab_time(lab, MIN);
    expect_no_decision(lab);
    assert_int_equal(engine_counts(lab->engine).suppressed, 0); /* over */
    lab_advise(lab, 17, PD_KIND_DEGRADED);
    assert_int_equal(expect_decision(lab, 17, VERDICT_INBOUND)->repeats, 0);
}

/* Other peers, triggers and verdicts are other refusals. */
static void kept_apart(void **state)
{
    struct lab *lab = *state;

    lab_end(lab);
    lab_init(lab);
    lab->config.n_instances = 2;
    lab_begin(lab);
    lab_peer_up_role(lab, "a", 17, PD_ROLE_SERVER);
    lab_peer_up_role(lab, "b", 18, PD_ROLE_SERVER);
    lab_advise(lab, 17, PD_KIND_DEGRADED);
    expect_decision(lab, 17, VERDICT_INBOUND);
    lab_advise(lab, 18, PD_KIND_DEGRADED);
    expect_decision(lab, 18, VERDICT_INBOUND);
    *poke_add(&lab->second, POKE_IN_SIGNAL, POKE_ADVISE) = (struct poke_step){
        .what = POKE_ADVISE,
        .peer = lab_peer(lab, 17)->view.index,
        .advice = {.kind = PD_KIND_DEGRADED, .reason = "r"},
    };
    lab_event(lab, &(struct event){
                       .type = EVENT_SIGNAL,
                       .signal = {.trigger = "prod", .kind = "go"},
                   });
    assert_string_equal(expect_decision(lab, 17, VERDICT_INBOUND)->trigger, "prod");
    lab_node_down(lab);
    lab_advise(lab, 17, PD_KIND_DEGRADED);
    expect_decision(lab, 17, VERDICT_GONE);
    assert_int_equal(engine_counts(lab->engine).suppressed, 4);
}

static void asked_is_never_suppressed(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(lab_migrated(lab, 17, PD_KIND_MOVED), i + 1);
}

static void said_when_the_connection_goes(void **state)
{
    struct lab *lab = *state;

    lab_peer_up_role(lab, "a", 17, PD_ROLE_SERVER);
    for (unsigned i = 0; i < 5; i++)
        lab_advise(lab, 17, PD_KIND_DEGRADED);
    expect_decision(lab, 17, VERDICT_INBOUND);
    lab_peer_down(lab, 17);
    assert_int_equal(expect_decision(lab, 17, VERDICT_INBOUND)->repeats, 4);
    assert_int_equal(engine_counts(lab->engine).suppressed, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(an_hour),
        LAB_TEST(once_a_minute),
        LAB_TEST(kept_apart),
        LAB_TEST(asked_is_never_suppressed),
        LAB_TEST(said_when_the_connection_goes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
