/* SPDX-License-Identifier: Apache-2.0 */
/* Instances: which one has a peer, and what becomes of one that fails. */
#include <errno.h>

#include "engine-lab.h"
#include "util/glob.h"

static int plain_setup(void **state)
{
    struct lab *lab = memory_new(1, sizeof(*lab));

    lab_init(lab);
    *state = lab;
    return 0;
}

#define PLAIN_TEST(function) cmocka_unit_test_setup_teardown(function, plain_setup, lab_teardown)

static void told_everything(void **state)
{
    struct lab *lab = *state;

    assert_int_equal(lab->poke.called[POKE_IN_START], 1);
    assert_string_equal(lab->poke.node.node, "node");
    assert_int_equal(lab->poke.node.uid, 7);
    lab_peer_up(lab, "a", 17);
    lab_row(lab, 17, "srtt=5");
    assert_int_equal(lab->poke.called[POKE_IN_SAMPLE], 1);
    lab_event(lab, &(struct event){
                       .type = EVENT_SIGNAL,
                       .signal = {.trigger = "poke", .kind = "way-out", .query = 9},
                   });
    assert_int_equal(lab->poke.signal.query, 9);
    lab_event(lab, &(struct event){
                       .type = EVENT_SIGNAL,
                       .signal = {.trigger = "nobody", .kind = "way-out"},
                   });
    assert_int_equal(engine_counts(lab->engine).ignored, 1);
}

static void timers(void **state)
{
    struct lab *lab = *state;
    uint64_t begin_us = lab->now_us;

    lab_step(lab, POKE_TIMER, 0)->number = begin_us + SEC;
    lab_step(lab, POKE_TIMER, 0)->number = begin_us + 2 * SEC; /* in its place */
    lab_signal(lab);
    lab_time(lab, 3 * SEC);
    assert_int_equal(lab->poke.called[POKE_IN_TIMER], 1);
    assert_int_equal(lab->poke.timer_us, begin_us + 2 * SEC);
    lab_step(lab, POKE_TIMER, 0)->number = lab->now_us + SEC;
    lab_step(lab, POKE_TIMER, 0)->number = 0;
    lab_signal(lab);
    lab_time(lab, 3 * SEC);
    assert_int_equal(lab->poke.called[POKE_IN_TIMER], 1);
    /* a time that is over is soon, but never in the same turn */
    lab_step(lab, POKE_TIMER, 0)->number = 1;
    poke_add(&lab->poke, POKE_IN_TIMER, POKE_TIMER)->number = 1;
    lab_signal(lab);
    lab->now_us += MS;
    lab_event(lab, &(struct event){.type = EVENT_TIMER});
    assert_int_equal(lab->poke.called[POKE_IN_TIMER], 2);
    lab_time(lab, MS);
    assert_int_equal(lab->poke.called[POKE_IN_TIMER], 3);
}

static void queries(void **state)
{
    struct lab *lab = *state;
    struct poke_step *step = lab_step(lab, POKE_QUERY, 0);

    step->number = 42;
    step->text = "10.0.0.1";
    lab_signal(lab);
    assert_int_equal(lab_find_action(lab, ACTION_QUERY)->request, 42);
    assert_string_equal(lab_find_action(lab, ACTION_QUERY)->reason, "10.0.0.1");
}

static void bad_advice(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    lab_advise_full(lab, 99, &(struct pd_advice){PD_KIND_MOVED, .reason = "r"});
    assert_int_equal(lab->poke.last_result, -EINVAL);
    lab_advise_full(lab, 17, &(struct pd_advice){PD_KIND_OPERATOR, .reason = "r"});
    assert_int_equal(lab->poke.last_result, -EINVAL);
    lab_advise_full(lab, 17, &(struct pd_advice){PD_KIND_COUNT, .reason = "r"});
    assert_int_equal(lab->poke.last_result, -EINVAL);
    lab_advise_full(lab, 17, &(struct pd_advice){PD_KIND_MOVED, .reason = NULL});
    assert_int_equal(lab->poke.last_result, -EINVAL);
    lab_step(lab, POKE_ADVISE_SAME, 17); /* as nothing was said in this callback */
    lab_signal(lab);
    assert_int_equal(lab->poke.last_result, -EINVAL);
    expect_no_decision(lab);
}

static void probes(void **state)
{
    struct lab *lab = *state;
    const struct lab_action *probe;

    lab_peer_up(lab, "a", 17);
    lab_step(lab, POKE_PROBE, 17);
    lab_signal(lab);
    assert_null(lab_find_action(lab, ACTION_PROBE)); /* the node cannot */
    lab->features |= NODE_PROBE;
    lab_node_up(lab, "boot");
    lab_peer_up(lab, "a", 17);
    lab_snapshot(lab);
    lab_step(lab, POKE_PROBE, 17);
    lab_step(lab, POKE_PROBE, 0)->peer = 99; /* nobody */
    lab_signal(lab);
    probe = lab_find_action(lab, ACTION_PROBE);
    assert_non_null(probe);
    assert_int_equal(probe->n_conns, 1);
    assert_int_equal(probe->conns[0], 17);
}

static void no_probes_in_mode_observe(void **state)
{
    struct lab *lab = *state;

    lab->features |= NODE_PROBE;
    lab_node_up(lab, "boot");
    lab_peer_up(lab, "a", 17);
    lab_snapshot(lab);
    lab_observe(lab, true);
    lab_step(lab, POKE_PROBE, 17);
    lab_signal(lab);
    assert_null(lab_find_action(lab, ACTION_PROBE));
    lab_observe(lab, false);
    lab_step(lab, POKE_PROBE, 17);
    lab_signal(lab);
    assert_non_null(lab_find_action(lab, ACTION_PROBE));
}

static void no_probe_of_one_that_is_held(void **state)
{
    struct lab *lab = *state;

    lab->features |= NODE_PROBE;
    lab_node_up(lab, "boot");
    lab_peer_up(lab, "a", 17);
    lab_snapshot(lab);
    lab_hold(lab, "a", 0);
    lab_step(lab, POKE_PROBE, 17);
    lab_signal(lab);
    assert_null(lab_find_action(lab, ACTION_PROBE));
    lab_release(lab, "a");
    lab_step(lab, POKE_PROBE, 17);
    lab_signal(lab);
    assert_non_null(lab_find_action(lab, ACTION_PROBE));
}

/* In the last callback of a connection: it is gone when the node would be asked. */
static void probe_of_one_that_goes(void **state)
{
    struct lab *lab = *state;

    lab->features |= NODE_PROBE;
    lab_node_up(lab, "boot");
    lab_peer_up(lab, "a", 17);
    lab_peer_up(lab, "b", 18);
    lab_snapshot(lab);
    poke_add(&lab->poke, POKE_IN_PEER, POKE_PROBE)->peer = lab_peer(lab, 17)->view.index;
    poke_add(&lab->poke, POKE_IN_PEER, POKE_PROBE)->peer = lab_peer(lab, 18)->view.index;
    lab_peer_down(lab, 17);
    assert_int_equal(lab_find_action(lab, ACTION_PROBE)->n_conns, 1);
    assert_int_equal(lab_find_action(lab, ACTION_PROBE)->conns[0], 18);
}

static void moved(struct lab *lab, enum pd_kind kind, enum verdict verdict)
{
    lab_advise_full(lab, 17, &(struct pd_advice){kind, .reason = "r"});
    expect_decision(lab, 17, verdict);
    lab_peer_down(lab, 17);
}

static void given_up(struct lab *lab, const char *name, bool given_up_now)
{
    lab_peer_up(lab, name, 17);
    lab_step(lab, POKE_GIVEN_UP, 17)->number = 1;
    lab_step(lab, POKE_GIVEN_UP, 17)->number = given_up_now;
    lab_signal(lab);
}

/* Names differ: the gap between reconnects belongs to the name. */
static void given_up_by_the_peer(void **state)
{
    struct lab *lab = *state;

    given_up(lab, "a", true);
    moved(lab, PD_KIND_MOVED, VERDICT_RECONNECT);
    lab_peer_up(lab, "b", 17); /* another connection: nothing was said of it */
    moved(lab, PD_KIND_MOVED, VERDICT_MIGRATE);
    given_up(lab, "c", true);
    moved(lab, PD_KIND_DEGRADED, VERDICT_MIGRATE);
    given_up(lab, "d", false); /* it was not, after all */
    moved(lab, PD_KIND_DEAD, VERDICT_MIGRATE);
    lab->config.prefer = PREFER_MIGRATE; /* the operator's word */
    given_up(lab, "e", true);
    moved(lab, PD_KIND_MOVED, VERDICT_MIGRATE);
}

/* Where the node cannot dial it, it is moved. */
static void given_up_and_not_dialable(void **state)
{
    struct lab *lab = *state;

    lab->features &= ~(uint32_t)NODE_RECONNECT;
    lab_node_up(lab, "boot");
    lab_snapshot(lab);
    given_up(lab, "a", true);
    moved(lab, PD_KIND_MOVED, VERDICT_MIGRATE);
}

static void no_route_by_a_trigger_that_is_closed(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    lab_step(lab, POKE_NO_ROUTE, 17)->number = true;
    lab_signal(lab);
    assert_true(lab_peer(lab, 17)->unrouted);
    for (unsigned i = 0; i < 5; i++) {
        lab_step(lab, POKE_FAIL, 0);
        lab_signal(lab);
    }
    assert_false(lab_peer(lab, 17)->unrouted);
}

/* Another trigger is closed, or replaced at a reload: the route is still missing. */
static void no_route_when_another_trigger_is_closed(void **state)
{
    struct lab *lab = *state;
    struct poke_step *step;

    lab->config.n_instances = 2;
    lab_begin(lab);
    lab_peer_up(lab, "a", 17);
    step = poke_add(&lab->second, POKE_IN_SAMPLE, POKE_NO_ROUTE);
    step->peer = lab_peer(lab, 17)->view.index;
    step->number = true;
    lab_row(lab, 17, "srtt=1");
    assert_true(lab_peer(lab, 17)->unrouted);
    for (unsigned i = 0; i < 5; i++) {
        lab_step(lab, POKE_FAIL, 0);
        lab_signal(lab);
    }
    assert_non_null(lab_notice(lab, "trigger-closed"));
    assert_true(lab_peer(lab, 17)->unrouted);
}

/* What it said does not outlive it. */
static void given_up_by_a_trigger_that_is_closed(void **state)
{
    struct lab *lab = *state;

    given_up(lab, "a", true);
    assert_true(lab_peer(lab, 17)->given_up);
    for (unsigned i = 0; i < 5; i++) {
        lab_step(lab, POKE_FAIL, 0);
        lab_signal(lab);
    }
    assert_non_null(lab_notice(lab, "trigger-closed"));
    assert_false(lab_peer(lab, 17)->given_up);
}

static void in_its_last_callback(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    *poke_add(&lab->poke, POKE_IN_PEER, POKE_ADVISE) = (struct poke_step){
        .what = POKE_ADVISE,
        .peer = lab_peer(lab, 17)->view.index,
        .advice = {.kind = PD_KIND_MOVED, .reason = "r"},
    };
    lab_peer_down(lab, 17);
    expect_decision(lab, 17, VERDICT_GONE);
}

/* ---- whose peer ---- */

static void matches(void **state)
{
    struct globs *east = globs_new("*@au-* *@nz-*"), *some = globs_new("b*");
    struct lab *lab = *state;

    lab->instances[1] = (struct instance_config){&pathdog_trigger_poke, "poke:east", east, NULL};
    lab->instances[2] = (struct instance_config){&pathdog_trigger_prod, "prod:some", some, NULL};
    lab->config.n_instances = 3;
    lab_begin(lab);
    lab_peer_up(lab, "a@nz-1", 1); /* the instance that matches, though it is not the first */
    assert_int_equal(lab->poke.changes[PD_PEER_UP], 0);
    assert_int_equal(lab->second.changes[PD_PEER_UP], 1);
    lab_peer_up(lab, "a@eu-1", 2); /* none matches: the one without `match`, of this kind */
    assert_int_equal(lab->poke.changes[PD_PEER_UP], 1);
    assert_int_equal(lab->second.changes[PD_PEER_UP], 1);
    lab_peer_up(lab, "b@au-1", 3); /* one of each kind */
    assert_int_equal(lab->second.changes[PD_PEER_UP], 3);
    lab_stop(lab);
    lab->engine = engine_free(lab->engine); /* before what it points to */
    globs_free(east);
    globs_free(some);
}

/* ---- failures ---- */

static void fails(struct lab *lab)
{
    lab_step(lab, POKE_FAIL, 0);
    lab_signal(lab);
}

static void closed_after_a_few(void **state)
{
    struct lab *lab = *state;
    uint64_t calls;

    lab->config.n_instances = 2;
    lab_begin(lab);
    lab_step(lab, POKE_OPEN_CAUSE, 0)->text = "flip";
    lab_step(lab, POKE_TIMER, 0)->number = lab->now_us + SEC;
    lab_signal(lab);
    for (unsigned i = 0; i < 4; i++)
        fails(lab);
    assert_non_null(lab_notice(lab, "trigger-failed"));
    assert_null(lab_notice(lab, "trigger-closed"));
    assert_null(lab_find_action(lab, ACTION_CLOSE));
    lab->read[RECORD_NOTICE] = 0;
    fails(lab);
    assert_int_equal(lab_notice(lab, "trigger-closed")->level, PD_LEVEL_ERROR);
    assert_non_null(lab_find_action(lab, ACTION_CLOSE)); /* its source stops */
    assert_non_null(lab_next(lab, RECORD_CAUSE));        /* nobody else can close it */
    calls = lab->poke.called[POKE_IN_SIGNAL];
    lab_signal(lab);
    lab_peer_up(lab, "a", 17);
    lab_row(lab, 17, "srtt=1");
    lab_time(lab, 2 * SEC);
    assert_int_equal(lab->poke.called[POKE_IN_SIGNAL], calls);
    assert_int_equal(lab->poke.called[POKE_IN_SAMPLE], 0);
    assert_int_equal(lab->poke.called[POKE_IN_TIMER], 0);
    assert_int_equal(lab->second.called[POKE_IN_SAMPLE], 1); /* that instance alone */
}

static void a_start_that_failed(void **state)
{
    struct lab *lab = *state;

    poke_add(&lab->poke, POKE_IN_START, POKE_FAIL);
    lab->config.n_instances = 2;
    lab_new_engine(lab);
    assert_non_null(lab_notice(lab, "trigger-closed"));
    lab_node_up(lab, "boot");
    lab_peer_up(lab, "a", 17);
    assert_int_equal(lab->poke.called[POKE_IN_NODE] + lab->poke.called[POKE_IN_PEER], 0);
    assert_int_equal(lab->second.called[POKE_IN_PEER], 1);
    lab->engine = engine_free(lab->engine);
    assert_int_equal(lab->poke.stops, 0);
    assert_int_equal(lab->second.stops, 1);
}

static void too_large(void **state)
{
    static const struct pd_trigger huge = {
        .abi = PD_TRIGGER_ABI,
        .size = sizeof(huge),
        .name = "huge",
        .peer_size = 20000,
    };
    struct lab *lab = *state;
    struct engine *engine = NULL;

    lab->instances[0] = (struct instance_config){.trigger = &huge, .name = "huge"};
    lab->config.instances = lab->instances;
    assert_int_equal(engine_new(&lab->config, 1, 1, &engine), -EINVAL);
    assert_null(engine);
}

/* The states of a connection follow each other without a hole, each where it may stand. */
static void laid_out(void **state)
{
    static const struct {
        size_t size, alignment;
    } states[] = {{24, 8}, {1, 1}, {28, 4}, {0, 1}, {2, 2}, {8, 8}, {3, 1}, {12, 4}};
    struct pd_trigger kinds[ARRAY_SIZE(states)] = {0};
    struct instance_config instances[ARRAY_SIZE(states)] = {0};
    struct engine_config config = {.instances = instances, .n_instances = ARRAY_SIZE(states)};
    uint8_t taken[256] = {0};
    struct triggers triggers;
    size_t sum = ARRAY_SIZE(states);

    for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
        kinds[i].peer_size = states[i].size;
        instances[i].trigger = &kinds[i];
        sum += states[i].size;
    }
    assert_int_equal(triggers_lay_out(&config, &triggers), 0);
    assert_true(triggers.slots_size < sum + 8);
    memset(taken, 1, ARRAY_SIZE(states)); /* their instances stand first */
    for (size_t i = 0; i < ARRAY_SIZE(states); i++) {
        size_t at = triggers.kinds[i].offset;

        assert_int_equal((offsetof(struct peer, slots) + at) % states[i].alignment, 0);
        assert_true(at + states[i].size <= triggers.slots_size);
        for (size_t k = 0; k < states[i].size; k++)
            assert_int_equal(taken[at + k]++, 0);
    }
    free(triggers.kinds);
    free(triggers.instances);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(told_everything),
        LAB_TEST(timers),
        LAB_TEST(queries),
        LAB_TEST(probes),
        LAB_TEST(no_probes_in_mode_observe),
        LAB_TEST(no_probe_of_one_that_is_held),
        LAB_TEST(probe_of_one_that_goes),
        LAB_TEST(given_up_by_the_peer),
        LAB_TEST(given_up_and_not_dialable),
        LAB_TEST(given_up_by_a_trigger_that_is_closed),
        LAB_TEST(no_route_by_a_trigger_that_is_closed),
        LAB_TEST(bad_advice),
        LAB_TEST(in_its_last_callback),
        PLAIN_TEST(matches),
        PLAIN_TEST(no_route_when_another_trigger_is_closed),
        PLAIN_TEST(closed_after_a_few),
        PLAIN_TEST(a_start_that_failed),
        PLAIN_TEST(too_large),
        PLAIN_TEST(laid_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
