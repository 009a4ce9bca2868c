/* SPDX-License-Identifier: Apache-2.0 */
/* Another config for a running engine: what was learnt stays. */
#include <errno.h>

#include "engine-lab.h"
#include "util/glob.h"

static void reload(struct lab *lab, const struct engine_config *config)
{
    assert_int_equal(engine_configure(lab->engine, config), 0);
    lab_command(lab, &(struct event_command){.type = COMMAND_CONFIG});
}

static void what_was_learnt_stays(void **state)
{
    struct lab *lab = *state;
    struct engine_config *config = &lab->next[0];

    *config = lab->config;
    lab_peer_up(lab, "disabled", 17);
    lab_peer_up(lab, "asked", 18);
    lab_peer_up(lab, "held", 19);
    lab_advise(lab, 17, PD_KIND_MOVED);
    lab_answer_error(lab, 1, NODE_NOT_MIGRATABLE);
    lab_advise(lab, 18, PD_KIND_MOVED);
    lab_hold(lab, "held", 0);
    lab_skip(lab);
    config->migrate_timeout_us = 2 * SEC;
    reload(lab, config);
    assert_int_equal(lab->poke.called[POKE_IN_START], 1); /* set as before: it goes on */
    assert_int_equal(lab->poke.stops, 0);
    assert_int_equal(lab->poke.changes[PD_PEER_UP], 3);
    lab_advise(lab, 17, PD_KIND_MOVED);
    expect_decision(lab, 17, VERDICT_DISABLED);
    lab_advise(lab, 18, PD_KIND_DEGRADED);
    expect_decision(lab, 18, VERDICT_IN_FLIGHT);
    lab_advise(lab, 19, PD_KIND_MOVED);
    expect_decision(lab, 19, VERDICT_HELD);
    lab_answer_ok(lab, 2);
    expect_outcome(lab, 18, OUTCOME_MIGRATED);
    lab_operator(lab, "asked", COMMAND_BY_DEFAULT);
    assert_int_equal(expect_decision(lab, 18, VERDICT_MIGRATE)->timeout_ms, 2000);
}

static void modes(void **state)
{
    struct lab *lab = *state;
    struct engine_config *config = &lab->next[0], *observing = &lab->next[1];

    *config = *observing = lab->config;
    observing->mode = MODE_OBSERVE;
    lab_peer_up(lab, "a", 17);
    lab_observe(lab, true);
    reload(lab, config); /* the same mode: what an operator has set stays */
    lab_advise(lab, 17, PD_KIND_MOVED);
    expect_decision(lab, 17, VERDICT_OBSERVING);
    reload(lab, observing);
    reload(lab, config);
    lab_advise(lab, 17, PD_KIND_MOVED);
    expect_decision(lab, 17, VERDICT_MIGRATE);
}

static void instances_come_and_go(void **state)
{
    struct lab *lab = *state;
    struct engine_config *config = &lab->next[0];

    *config = lab->config;
    lab_peer_up(lab, "a", 17);
    config->instances = &lab->instances[1]; /* prod in the place of poke */
    reload(lab, config);
    assert_int_equal(lab->poke.stops, 1);
    assert_int_equal(lab->second.called[POKE_IN_START], 1);
    assert_int_equal(lab->second.called[POKE_IN_NODE], 1);
    assert_int_equal(lab->second.changes[PD_PEER_UP], 1);
    assert_true(lab->second.state_was_zero);
    lab_row(lab, 17, "srtt=1");
    assert_int_equal(lab->second.called[POKE_IN_SAMPLE], 1);
    assert_int_equal(lab->poke.called[POKE_IN_SAMPLE], 0);
}

/* What an instance leaves behind is ended, and what it said last is decided. */
static void an_instance_that_leaves(void **state)
{
    struct lab *lab = *state;
    struct engine_config *config = &lab->next[0];
    const struct record_cause *cause;

    *config = lab->config;
    lab_peer_up_role(lab, "a", 17, PD_ROLE_SERVER);
    lab_step(lab, POKE_OPEN_CAUSE, 0)->text = "flip";
    lab_signal(lab);
    *poke_add(&lab->poke, POKE_IN_STOP, POKE_ADVISE) = (struct poke_step){
        .what = POKE_ADVISE,
        .peer = lab_peer(lab, 17)->view.index,
        .advice = {.kind = PD_KIND_MOVED, .reason = "last words", .cause = lab->poke.last_cause},
    };
    poke_add(&lab->poke, POKE_IN_STOP, POKE_QUERY)->number = 9;
    poke_add(&lab->poke, POKE_IN_STOP, POKE_OPEN_CAUSE)->text = "never closed";
    config->instances = &lab->instances[1];
    reload(lab, config);
    assert_string_equal(expect_decision(lab, 17, VERDICT_INBOUND)->trigger, "poke");
    cause = lab_next(lab, RECORD_CAUSE)->cause;
    assert_int_equal(cause->advised, 1);
    assert_int_equal(cause->verdicts[VERDICT_INBOUND], 1);
    assert_int_equal(engine_counts(lab->engine).causes, 0);
    assert_null(lab_find_action(lab, ACTION_QUERY)); /* its source is gone */
}

/* An instance at another place: its queries name the new one. */
static void instances_in_another_order(void **state)
{
    struct globs *nobody = globs_new("nobody");
    struct lab *lab = *state;
    struct engine_config *config = &lab->next[0];
    struct instance_config instances[2] = {lab->instances[1], lab->instances[0]};

    *config = lab->config;
    lab_peer_up(lab, "a", 17);
    instances[1].match = nobody; /* and the peer leaves it */
    config->instances = instances;
    config->n_instances = 2;
    poke_add(&lab->poke, POKE_IN_PEER, POKE_QUERY)->number = 9;
    assert_int_equal(engine_configure(lab->engine, config), 0);
    lab_command(lab, &(struct event_command){.type = COMMAND_CONFIG});
    assert_int_equal(lab->poke.changes[PD_PEER_DOWN], 1);
    assert_int_equal(lab->poke.stops, 0);
    assert_int_equal(lab->box->n_actions, 1);
    assert_int_equal(lab->box->actions[0].query.instance, 1);
    lab_stop(lab);
    lab->engine = engine_free(lab->engine); /* before what it points to */
    globs_free(nobody);
}

/* Set anew, an instance gets what the one before would have kept across a restart. */
static void what_an_instance_knows_is_carried(void **state)
{
    struct lab *lab = *state;
    struct engine_config *config = &lab->next[0], *slower = &lab->next[1];

    *config = *slower = lab->config;
    lab_peer_up(lab, "gone", 16);
    lab_peer_up(lab, "a", 17);
    lab_peer_up(lab, "b", 18);
    lab_peer_down(lab, 16); /* a place that is free */
    reload(lab, config);
    assert_int_equal(lab->poke.restored, 0); /* it goes on */
    slower->sample_interval_us *= 2;
    reload(lab, slower);
    assert_int_equal(lab->poke.stops, 1);
    assert_int_equal(lab->poke.restored, 2);
    assert_int_equal(lab->poke.restored_conn, 18);
}

static void refused(void **state)
{
    static const struct pd_trigger huge = {.abi = PD_TRIGGER_ABI, .peer_size = 20000};
    static const struct instance_config instance = {.trigger = &huge, .name = "huge"};
    struct lab *lab = *state;
    struct engine_config *config = &lab->next[0];

    *config = lab->config;
    config->instances = &instance;
    assert_int_equal(engine_configure(lab->engine, config), -EINVAL);
    lab_command(lab, &(struct event_command){.type = COMMAND_CONFIG}); /* nothing changes */
    lab_signal(lab);
    assert_int_equal(lab->poke.called[POKE_IN_SIGNAL], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(what_was_learnt_stays),
        LAB_TEST(modes),
        LAB_TEST(instances_come_and_go),
        LAB_TEST(an_instance_that_leaves),
        LAB_TEST(instances_in_another_order),
        LAB_TEST(refused),
        LAB_TEST(what_an_instance_knows_is_carried),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
