/* SPDX-License-Identifier: Apache-2.0 */
/* The node's relays, handed to the triggers; and advice that names one. */
#include "engine-lab.h"
#include "engine/inspect.h"

static int relay_setup(void **state)
{
    struct lab *lab = memory_new(1, sizeof(*lab));

    lab_init(lab);
    lab->features |= NODE_RELAY;
    lab_begin(lab);
    *state = lab;
    return 0;
}

static int plain_setup(void **state)
{
    struct lab *lab = memory_new(1, sizeof(*lab));

    lab_init(lab);
    lab_begin(lab);
    *state = lab;
    return 0;
}

#define RELAY_TEST(function) cmocka_unit_test_setup_teardown(function, relay_setup, lab_teardown)
#define PLAIN_TEST(function) cmocka_unit_test_setup_teardown(function, plain_setup, lab_teardown)

static const struct pd_relay two[] = {{"n1", "192.0.2.1:1", "reg-ack"},
                                      {"n2", "192.0.2.2:1", "pilot"}};

static void told(struct lab *lab, size_t n, const char *key)
{
    lab_event(lab, &(struct event){.type = EVENT_RELAYS, .relays = {two, n, key}});
}

static void peer_on(struct lab *lab, uint64_t conn, const char *via)
{
    lab_peer_told(
        lab, &(struct event_peer_up){
                 .peer = "a", .conn = conn, .via = via, .migratable = true, .reconnectable = true});
}

static void path_to(struct lab *lab, uint64_t conn, const char *via)
{
    lab_event(lab,
              &(struct event){.type = EVENT_PEER_PATH, .peer_path = {.conn = conn, .via = via}});
}

static void advise_via(struct lab *lab, uint64_t conn, enum pd_kind kind, const char *via)
{
    lab_advise_full(lab, conn, &(struct pd_advice){.kind = kind, .reason = "over", .via = via});
}

/* ---- the list ---- */

static void list_goes_to_the_triggers(void **state)
{
    struct lab *lab = *state;

    assert_int_equal(lab->poke.relays_told, 1); /* with the node, before it has told any */
    assert_true(lab->poke.relays.obeys);
    assert_false(lab->poke.relays.told);
    told(lab, 2, "fF00");
    assert_int_equal(lab->poke.relays_told, 2);
    assert_true(lab->poke.relays.told);
    assert_int_equal(lab->poke.relays.n, 2);
    assert_string_equal(lab->poke.first_relay, "n1 192.0.2.1:1 reg-ack");
    assert_int_equal(lab->poke.relays.n_key, 2);
    assert_int_equal(lab->poke.first_key, 0xff);
    told(lab, 0, NULL); /* an empty one is one */
    assert_true(lab->poke.relays.told);
    assert_int_equal(lab->poke.relays.n, 0);
    assert_null(lab->poke.relays.key);
}

static void without_the_feature(void **state)
{
    struct lab *lab = *state;

    assert_int_equal(lab->poke.relays_told, 1);
    assert_false(lab->poke.relays.obeys);
}

static void kept_with_the_boot(void **state)
{
    struct lab *lab = *state;

    told(lab, 1, "0a");
    lab_node_down(lab);
    told(lab, 2, NULL); /* by nobody: ignored */
    assert_int_equal(lab->poke.relays_told, 2);
    lab_node_up(lab, "boot");
    assert_int_equal(lab->poke.relays_told, 3);
    assert_int_equal(lab->poke.relays.n, 1);
    lab_node_down(lab);
    lab_node_up(lab, "another");
    assert_false(lab->poke.relays.told);
    assert_int_equal(lab->poke.relays.n, 0);
    assert_int_equal(lab->poke.relays.n_key, 0);
}

/* A trigger that is new after a reload is told what is known. */
static void told_after_a_reload(void **state)
{
    struct lab *lab = *state;
    struct engine_config *config = &lab->next[0];

    told(lab, 1, NULL);
    *config = lab->config;
    lab->instances[2] = (struct instance_config){
        .name = "prod", .trigger = &pathdog_trigger_prod, .values = &lab->values[2]};
    lab->values[2] = poke_value(&lab->second);
    config->instances = lab->instances + 2;
    config->n_instances = 1;
    assert_int_equal(engine_configure(lab->engine, config), 0);
    lab_command(lab, &(struct event_command){.type = COMMAND_CONFIG});
    assert_int_equal(lab->second.relays_told, 1);
    assert_string_equal(lab->second.first_relay, "n1 192.0.2.1:1 reg-ack");
}

/* Where no trigger knows relays, the node's are shown. */
static void shown_to_operators(void **state)
{
    struct lab *lab = *state;
    struct inspect_relay_walk walk = {0};
    struct inspect_relay relay;
    struct inspect_relayed relayed;

    assert_false(inspect_relay(lab->engine, lab->now_us, &walk, &relay));
    told(lab, 2, NULL);
    walk = (struct inspect_relay_walk){0};
    assert_true(inspect_relay(lab->engine, lab->now_us, &walk, &relay));
    assert_null(relay.trigger);
    assert_string_equal(relay.report.relay.name, "n1");
    assert_string_equal(relay.report.from, "node");
    assert_true(relay.report.rtt_ns == PD_UNKNOWN);
    assert_true(relay.probed_ago_us == INSPECT_NEVER);
    assert_true(inspect_relay(lab->engine, lab->now_us, &walk, &relay));
    assert_string_equal(relay.report.relay.speaks, "pilot");
    assert_false(inspect_relay(lab->engine, lab->now_us, &walk, &relay));
    peer_on(lab, 17, "n1");
    assert_true(inspect_relayed(lab->engine, lab_peer(lab, 17)->view.index, &relayed));
    assert_null(relayed.report.rule);
    assert_true(relayed.report.lease_ms == PD_UNKNOWN);
    path_to(lab, 17, "direct");
    assert_false(inspect_relayed(lab->engine, lab_peer(lab, 17)->view.index, &relayed));
    assert_false(inspect_relayed(lab->engine, 4711, &relayed));
}

/* ---- advice with via ---- */

static void advice_goes_there_by_migration(void **state)
{
    struct lab *lab = *state;
    const struct lab_action *action;

    peer_on(lab, 17, "direct");
    advise_via(lab, 17, PD_KIND_DEAD, "n1");
    expect_decision(lab, 17, VERDICT_MIGRATE);
    action = lab_find_action(lab, ACTION_MIGRATE);
    assert_non_null(action);
    assert_string_equal(action->via, "n1");
    path_to(lab, 17, "n1");
    lab_answer_ok(lab, expect_migrate(lab, 17));
    expect_outcome(lab, 17, OUTCOME_MIGRATED);
    assert_int_equal(lab->poke.change, PD_PEER_MIGRATED);
    assert_string_equal(lab->poke.change_via, "n1");
    assert_false(lab->poke.change_asked);
}

/* Also where the node prefers to reconnect: a reconnect goes over no relay. */
static void advice_is_no_reconnect(void **state)
{
    struct lab *lab = *state;

    lab->prefer_reconnect = true;
    lab_node_down(lab);
    lab_node_up(lab, "boot");
    lab_snapshot(lab);
    peer_on(lab, 17, NULL);
    advise_via(lab, 17, PD_KIND_DEAD, "n1");
    expect_decision(lab, 17, VERDICT_MIGRATE);
    lab_answer_ok(lab, expect_migrate(lab, 17));
    lab_peer_down(lab, 17);
    peer_on(lab, 18, NULL);
    lab_advise(lab, 18, PD_KIND_DEAD); /* any other is one */
    expect_decision(lab, 18, VERDICT_RECONNECT);
}

static void no_target_without_the_feature(void **state)
{
    struct lab *lab = *state;
    const struct record_decision *decision;

    peer_on(lab, 17, "direct");
    advise_via(lab, 17, PD_KIND_DEAD, "n1");
    decision = expect_decision(lab, 17, VERDICT_NO_TARGET);
    assert_string_equal(decision->choice->s, "the node does not offer the feature \"relay\"");
    expect_no_move(lab);
    assert_int_equal(engine_counts(lab->engine).remembered, 0); /* nothing will change that */
}

static void no_target_where_it_is_there_already(void **state)
{
    struct lab *lab = *state;
    const struct record_decision *decision;

    peer_on(lab, 17, "n1");
    advise_via(lab, 17, PD_KIND_DEAD, "n1");
    decision = expect_decision(lab, 17, VERDICT_NO_TARGET);
    assert_string_equal(decision->choice->s, "the connection is on n1 already");
    peer_on(lab, 18, NULL); /* not told: it is direct */
    advise_via(lab, 18, PD_KIND_BETTER, "direct");
    decision = expect_decision(lab, 18, VERDICT_NO_TARGET);
    assert_string_equal(decision->choice->s, "the connection is direct already");
    expect_no_move(lab);
}

/* Another connection than the one that goes there: the next relay. */
static void from_relay_to_relay(void **state)
{
    struct lab *lab = *state;

    peer_on(lab, 17, "n1");
    advise_via(lab, 17, PD_KIND_DEAD, "n2");
    expect_decision(lab, 17, VERDICT_MIGRATE);
    assert_string_equal(lab_find_action(lab, ACTION_MIGRATE)->via, "n2");
}

/* One port after the other is tried while a relay is known to be there: that is ended for it, at
 * once and not after its back-off. What goes there already goes on. */
static void takes_the_place_of_another_port(void **state)
{
    struct lab *lab = *state;
    uint64_t first;

    peer_on(lab, 17, "direct");
    lab_advise(lab, 17, PD_KIND_DEAD);
    expect_decision(lab, 17, VERDICT_MIGRATE);
    first = expect_migrate(lab, 17);
    lab_time(lab, 10000);
    advise_via(lab, 17, PD_KIND_DEAD, "n1");
    assert_int_equal(expect_outcome(lab, 17, OUTCOME_CANCELLED)->request, first);
    expect_decision(lab, 17, VERDICT_MIGRATE);
    assert_string_equal(lab_find_action(lab, ACTION_MIGRATE)->via, "n1");
    (void)expect_migrate(lab, 17);
    lab_time(lab, 10000);
    advise_via(lab, 17, PD_KIND_DEAD, "n1");
    lab_advise(lab, 17, PD_KIND_DEAD);
    expect_no_outcome(lab);
    expect_no_move(lab);
}

/* Of two that say in one turn that the path is dead, the one that names a relay is asked, though
 * the other one was first. */
static void goes_first_within_a_turn(void **state)
{
    struct lab *lab = *state;

    peer_on(lab, 17, "direct");
    lab_step(lab, POKE_ADVISE, 17)->advice =
        (struct pd_advice){.kind = PD_KIND_DEAD, .reason = "another port"};
    lab_step(lab, POKE_ADVISE, 17)->advice =
        (struct pd_advice){.kind = PD_KIND_DEAD, .reason = "over", .via = "n1"};
    lab_signal(lab);
    assert_string_equal(lab_find_action(lab, ACTION_MIGRATE)->via, "n1");
    (void)expect_migrate(lab, 17);
    expect_no_move(lab);
}

static void is_not_backed_off_for_another_port(void **state)
{
    struct lab *lab = *state;

    lab->config.retries = 0;
    peer_on(lab, 17, "direct");
    lab_advise(lab, 17, PD_KIND_DEAD);
    expect_decision(lab, 17, VERDICT_MIGRATE);
    lab_answer_error(lab, expect_migrate(lab, 17), -32099);
    expect_outcome(lab, 17, OUTCOME_FAILED);
    lab_time(lab, 10000);
    lab_advise(lab, 17, PD_KIND_DEAD);
    expect_decision(lab, 17, VERDICT_BACKING_OFF);
    advise_via(lab, 17, PD_KIND_DEAD, "n1");
    expect_decision(lab, 17, VERDICT_MIGRATE);
    assert_string_equal(lab_find_action(lab, ACTION_MIGRATE)->via, "n1");
}

static void operator_is_told_apart(void **state)
{
    struct lab *lab = *state;

    peer_on(lab, 17, "n1");
    lab_command(lab, &(struct event_command){.type = COMMAND_MOVE, .peer = "a", .via = "n1"});
    /* who asks gets it, there already or not */
    assert_string_equal(expect_decision(lab, 17, VERDICT_MIGRATE)->reason->s,
                        "asked by an operator, over relay n1");
    lab_answer_ok(lab, expect_migrate(lab, 17));
    assert_string_equal(lab->poke.change_via, "n1");
    assert_true(lab->poke.change_asked);
    lab_time(lab, MIN);
    lab_advise(lab, 17, PD_KIND_MOVED);
    lab_answer_ok(lab, expect_migrate(lab, 17));
    assert_string_equal(lab->poke.change_via, "-");
    assert_false(lab->poke.change_asked);
}

static void unknown_via_is_not_retried(void **state)
{
    struct lab *lab = *state;

    peer_on(lab, 17, "direct");
    advise_via(lab, 17, PD_KIND_DEAD, "odd");
    expect_decision(lab, 17, VERDICT_MIGRATE);
    lab_answer_error(lab, expect_migrate(lab, 17), NODE_UNKNOWN_VIA);
    expect_outcome(lab, 17, OUTCOME_FAILED);
    assert_non_null(lab_notice(lab, "unknown-via"));
    expect_no_move(lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RELAY_TEST(list_goes_to_the_triggers),
        PLAIN_TEST(without_the_feature),
        RELAY_TEST(kept_with_the_boot),
        RELAY_TEST(told_after_a_reload),
        RELAY_TEST(shown_to_operators),
        RELAY_TEST(advice_goes_there_by_migration),
        RELAY_TEST(advice_is_no_reconnect),
        PLAIN_TEST(no_target_without_the_feature),
        RELAY_TEST(no_target_where_it_is_there_already),
        RELAY_TEST(from_relay_to_relay),
        RELAY_TEST(takes_the_place_of_another_port),
        RELAY_TEST(goes_first_within_a_turn),
        RELAY_TEST(is_not_backed_off_for_another_port),
        RELAY_TEST(operator_is_told_apart),
        RELAY_TEST(unknown_via_is_not_retried),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
