/* SPDX-License-Identifier: Apache-2.0 */
/* Moves: the budget, the queue and its order, how an entry leaves it. */
#include "engine-lab.h"

/* Three peers, a budget of one, and a request open for the first: 10. */
static int full_setup(void **state)
{
    struct lab *lab = memory_new(1, sizeof(*lab));

    lab_init(lab);
    lab->config.max_in_flight = 1;
    lab_begin(lab);
    lab_peer_up(lab, "z", 10);
    lab_peer_up(lab, "a", 17);
    lab_peer_up(lab, "b", 18);
    lab_advise(lab, 10, PD_KIND_MOVED);
    expect_decision(lab, 10, VERDICT_MIGRATE);
    expect_migrate(lab, 10);
    *state = lab;
    return 0;
}

#define FULL_TEST(function) cmocka_unit_test_setup_teardown(function, full_setup, lab_teardown)

static void room(struct lab *lab) /* request 1 ends */
{
    lab_answer_error(lab, 1, NODE_NOT_MIGRATABLE);
}

static void out_as_migrate(void **state)
{
    struct lab *lab = *state;
    const struct record_decision *decision;
    uint64_t id;

    lab_advise(lab, 17, PD_KIND_MOVED);
    decision = expect_decision(lab, 17, VERDICT_QUEUED);
    id = decision->decision;
    assert_int_equal(decision->request, 0);
    assert_int_equal(decision->attempt, 0);
    assert_int_equal(decision->timeout_ms, 0);
    expect_no_move(lab);
    room(lab);
    decision = expect_decision(lab, 17, VERDICT_MIGRATE);
    assert_int_equal(decision->decision, id);
    assert_int_equal(decision->request, 2);
    assert_int_equal(decision->attempt, 1);
    expect_migrate(lab, 17);
}

static void out_as_gone(void **state)
{
    struct lab *lab = *state;

    lab_advise(lab, 17, PD_KIND_MOVED);
    expect_decision(lab, 17, VERDICT_QUEUED);
    lab_peer_down(lab, 17);
    assert_int_equal(expect_decision(lab, 17, VERDICT_GONE)->decision, 2);
    room(lab);
    expect_no_move(lab);
}

static void out_as_held(void **state)
{
    struct lab *lab = *state;

    lab_advise(lab, 17, PD_KIND_MOVED);
    lab_advise(lab, 18, PD_KIND_MOVED);
    lab_skip(lab);
    lab_hold(lab, "a", 0);
    assert_int_equal(expect_decision(lab, 17, VERDICT_HELD)->decision, 2);
    expect_no_decision(lab);
    lab_hold(lab, NULL, 0);
    assert_int_equal(expect_decision(lab, 18, VERDICT_HELD)->decision, 3);
    room(lab);
    expect_no_move(lab);
}

static void out_as_superseded(void **state)
{
    struct lab *lab = *state;

    lab_advise(lab, 17, PD_KIND_DEGRADED);
    expect_decision(lab, 17, VERDICT_QUEUED);
    lab_advise(lab, 17, PD_KIND_DEAD);
    assert_int_equal(expect_decision(lab, 17, VERDICT_SUPERSEDED)->decision, 2);
    assert_int_equal(expect_decision(lab, 17, VERDICT_QUEUED)->decision, 3);
    lab_advise(lab, 17, PD_KIND_MOVED);
    assert_int_equal(expect_decision(lab, 17, VERDICT_SUPERSEDED)->decision, 3);
    assert_int_equal(expect_decision(lab, 17, VERDICT_QUEUED)->decision, 4);
    lab_operator(lab, "a", COMMAND_BY_DEFAULT);
    assert_int_equal(expect_decision(lab, 17, VERDICT_SUPERSEDED)->decision, 4);
    assert_int_equal(expect_decision(lab, 17, VERDICT_QUEUED)->decision, 5);
    assert_int_equal(engine_counts(lab->engine).queued, 1);
}

static void weaker_and_equal_join(void **state)
{
    struct lab *lab = *state;

    lab_advise(lab, 17, PD_KIND_MOVED);
    expect_decision(lab, 17, VERDICT_QUEUED);
    lab_advise(lab, 17, PD_KIND_DEAD);
    assert_int_equal(expect_decision(lab, 17, VERDICT_MERGED)->into, 2);
    lab_time(lab, 61 * SEC); /* the fold is over, and so is the entry */
    lab_peer_down(lab, 10);  /* whose request failed, and is made again */
    lab_peer_down(lab, 17);
    lab_skip(lab);
    lab_advise(lab, 18, PD_KIND_DEGRADED);
    expect_decision(lab, 18, VERDICT_MIGRATE);
}

/* Nothing but the clock: requests that are never answered, one after another. */
static void expires_after_its_time(void **state)
{
    struct lab *lab = *state;
    uint64_t begin_us = lab->now_us;
    const struct record *record;
    bool degraded = false, moved = false;

    lab->config.migrate_timeout_us = 100 * SEC;
    lab_operator(lab, "z", COMMAND_BY_DEFAULT);
    lab_answer_ok(lab, 1); /* the operator's is next, with 100 s */
    lab_answer_ok(lab, 2);
    lab_operator(lab, "z", COMMAND_BY_DEFAULT);
    begin_us = lab->now_us;
    lab_skip(lab);
    lab_advise(lab, 17, PD_KIND_MOVED);
    lab_advise(lab, 18, PD_KIND_DEGRADED);
    expect_decision(lab, 17, VERDICT_QUEUED);
    expect_decision(lab, 18, VERDICT_QUEUED);
    lab_time(lab, 70 * SEC);
    while ((record = lab_next(lab, RECORD_DECISION))) {
        assert_int_equal(record->decision.verdict, VERDICT_EXPIRED);
        if (record->decision.subject.conn == 18) {
            assert_int_equal(record->time_us - begin_us, 10 * SEC);
            degraded = true;
        } else {
            assert_int_equal(record->time_us - begin_us, 60 * SEC);
            moved = true;
        }
    }
    assert_true(degraded && moved);
    assert_int_equal(engine_counts(lab->engine).queued, 0);
}

static void withdrawn_is_superseded(void **state)
{
    struct lab *lab = *state;

    lab_advise(lab, 17, PD_KIND_MOVED);
    expect_decision(lab, 17, VERDICT_QUEUED);
    lab_operator(lab, "b", COMMAND_BY_DEFAULT);
    expect_decision(lab, 18, VERDICT_QUEUED);
    lab_withdraw(lab, 17);
    assert_int_equal(expect_decision(lab, 17, VERDICT_SUPERSEDED)->decision, 2);
    lab_withdraw(lab, 18); /* is not its own */
    expect_no_decision(lab);
}

/* What the move of such a node has lost is lost, also when the way is back. */
/* What a policy withdrew is over before anything else of the same turn happens. */
static void withdrawn_in_time(void **state)
{
    struct lab *lab = *state;

    lab_advise(lab, 17, PD_KIND_MOVED);
    expect_decision(lab, 17, VERDICT_QUEUED);
    lab_step(lab, POKE_TIMER, NONE)->number = lab->now_us + 59 * SEC;
    lab_signal(lab);
    poke_add(&lab->poke, POKE_IN_TIMER, POKE_WITHDRAW)->peer = lab_peer(lab, 17)->view.index;
    lab->now_us += 70 * SEC; /* a late timer: the policy's, then the end of its time in the queue */
    lab_event(lab, &(struct event){.type = EVENT_TIMER});
    expect_decision(lab, 17, VERDICT_SUPERSEDED);
}

/* The policies hear of the other path before advice that waited for the answer is given again. */
static void withdrawn_when_moved(void **state)
{
    struct lab *lab = *state;

    room(lab);
    lab_advise(lab, 17, PD_KIND_MOVED);
    expect_decision(lab, 17, VERDICT_MIGRATE);
    lab_advise(lab, 17, PD_KIND_DEAD);
    expect_decision(lab, 17, VERDICT_IN_FLIGHT);
    poke_add(&lab->poke, POKE_IN_PEER, POKE_WITHDRAW)->peer = lab_peer(lab, 17)->view.index;
    lab_answer_ok(lab, lab->actions[lab->n_actions - 1].request);
    expect_no_decision(lab);
}

static void reconnects_are_not_withdrawn(void **state)
{
    struct lab *lab = memory_new(1, sizeof(*lab));
    uint64_t id;

    *state = lab;
    lab_init(lab);
    lab->config.max_in_flight = 1;
    lab->prefer_reconnect = true;
    lab->features |= NODE_RECONNECT;
    lab_begin(lab);
    lab_peer_up(lab, "a", 17);
    lab_peer_up(lab, "b", 18);
    lab_advise(lab, 17, PD_KIND_MOVED);
    expect_decision(lab, 17, VERDICT_RECONNECT);
    lab_advise(lab, 18, PD_KIND_MOVED);
    id = expect_decision(lab, 18, VERDICT_QUEUED)->decision;
    lab_withdraw(lab, 18);
    expect_no_decision(lab);
    lab_advise(lab, 17, PD_KIND_MOVED);
    expect_decision(lab, 17, VERDICT_IN_FLIGHT);
    lab_withdraw(lab, 17);
    assert_int_equal(engine_counts(lab->engine).remembered, 1);
    lab_answer_error(lab, expect_reconnect(lab, 17), NODE_NOT_CONNECTED);
    assert_int_equal(expect_decision(lab, 18, VERDICT_RECONNECT)->decision, id);
    expect_reconnect(lab, 18);
    lab_peer_up(lab, "c", 19);
    lab_advise(lab, 19, PD_KIND_DEAD); /* of what is dead the return is a proof */
    expect_decision(lab, 19, VERDICT_QUEUED);
    lab_withdraw(lab, 19);
    expect_decision(lab, 19, VERDICT_SUPERSEDED);
}

static void order(void **state)
{
    struct lab *lab = *state;
    static const uint64_t expected[] = {23, 22, 17, 20, 18, 19, 21};

    lab_peer_up(lab, "c", 19);
    lab_peer_up(lab, "d", 20);
    lab_peer_up(lab, "e", 21);
    lab_peer_up(lab, "f", 22);
    lab_peer_up(lab, "g", 23);
    lab_row(lab, 20, "srtt=1000 samples=1 in_flight=5000");
    lab_row(lab, 18, "srtt=1000 samples=1 in_flight=100");
    lab_row(lab, 22, "srtt=1000 samples=1 in_flight=9000");
    lab_advise(lab, 21, PD_KIND_DEGRADED);
    lab_advise(lab, 18, PD_KIND_DEAD);
    lab_advise(lab, 19, PD_KIND_DEAD);
    lab_advise(lab, 20, PD_KIND_DEAD);
    lab_advise(lab, 17, PD_KIND_MOVED);
    lab_advise(lab, 22, PD_KIND_MOVED);
    lab_operator(lab, "g", COMMAND_BY_DEFAULT);
    room(lab);
    for (size_t i = 0; i < ARRAY_SIZE(expected); i++)
        lab_answer_error(lab, expect_migrate(lab, expected[i]), NODE_NOT_MIGRATABLE);
}

static void order_follows_the_rows(void **state)
{
    struct lab *lab = *state;

    lab_row(lab, 17, "srtt=1000 samples=1 in_flight=5000");
    lab_advise(lab, 17, PD_KIND_MOVED);
    lab_advise(lab, 18, PD_KIND_MOVED);
    lab_row(lab, 17, "srtt=1000 samples=2 in_flight=10");
    lab_row(lab, 18, "srtt=1000 samples=1 in_flight=11");
    room(lab);
    expect_migrate(lab, 18);
}

/* Of one turn the strongest are asked, and only the others are `queued`. */
static void one_turn(void **state)
{
    struct lab *lab = *state;

    room(lab);
    lab_skip(lab);
    lab_step(lab, POKE_ADVISE, 17)->advice =
        (struct pd_advice){.kind = PD_KIND_DEGRADED, .reason = "r"};
    lab_step(lab, POKE_ADVISE, 18)->advice =
        (struct pd_advice){.kind = PD_KIND_MOVED, .reason = "r"};
    lab_step(lab, POKE_ADVISE, 18)->advice =
        (struct pd_advice){.kind = PD_KIND_DEAD, .reason = "r"};
    lab_signal(lab);
    expect_migrate(lab, 18);
    expect_no_move(lab);
    expect_decision(lab, 18, VERDICT_MERGED);
    expect_decision(lab, 18, VERDICT_MIGRATE);
    expect_decision(lab, 17, VERDICT_QUEUED);
}

static void whose_budget(void **state)
{
    struct lab lab;

    (void)state;
    lab_init(&lab);
    lab_begin(&lab);
    assert_int_equal(lab.engine->migration.budget, 1024);
    lab_event(&lab, &(struct event){
                        .type = EVENT_NODE_UP,
                        .node_up = {.node = "n", .boot = "b", .max_in_flight = 256},
                    });
    assert_int_equal(lab.engine->migration.budget, 256);
    lab.config.max_in_flight = 7;
    lab_event(&lab, &(struct event){
                        .type = EVENT_NODE_UP,
                        .node_up = {.node = "n", .boot = "b", .max_in_flight = 256},
                    });
    assert_int_equal(lab.engine->migration.budget, 7);
    lab_end(&lab);
}

static void where_to(void **state)
{
    const struct lab_action *action;
    struct lab lab;

    (void)state;
    for (uint32_t features = 0; features < 16; features++) {
        const struct pd_advice advice = {
            .kind = PD_KIND_MOVED,
            .reason = "r",
            .interface = "up1",
            .local = "10.0.2.2",
            .via = "relay-1",
        };

        lab_init(&lab);
        lab.features = features;
        lab_begin(&lab);
        lab_peer_up(&lab, "a", 17);
        lab_advise_full(&lab, 17, &advice);
        action = lab_next_move(&lab);
        if (features & NODE_RELAY) {
            assert_string_equal(action->reason, "r");
            assert_int_equal(action->timeout_ms, 5000);
            assert_string_equal(action->interface, features & NODE_BIND ? "up1" : "");
            assert_string_equal(action->local, features & NODE_BIND ? "10.0.2.2" : "");
            assert_string_equal(action->via, "relay-1");
        } else {
            assert_null(action); /* it would not go there */
        }
        lab_end(&lab);
    }
}

/* Where advice leads over a relay. */
static void lab_advise_via(struct lab *lab, enum pd_kind kind, const char *via)
{
    const struct pd_advice advice = {.kind = kind, .reason = "r", .via = via};

    lab_advise_full(lab, 17, &advice);
}

static void over_relays(void **state)
{
    struct lab lab;

    (void)state;
    lab_init(&lab);
    lab.features = NODE_RELAY | NODE_RECONNECT;
    lab_begin(&lab);
    lab_peer_told(
        &lab,
        &(struct event_peer_up){
            .peer = "a", .conn = 17, .via = "relay-1", .migratable = true, .reconnectable = true});
    /* There it is already; a new circuit over the same one is something else. */
    lab_advise_via(&lab, PD_KIND_DEAD, "relay-1");
    expect_decision(&lab, 17, VERDICT_NO_TARGET);
    lab_advise_via(&lab, PD_KIND_MOVED, "relay-1");
    expect_decision(&lab, 17, VERDICT_MIGRATE);
    lab_answer_ok(&lab, expect_migrate(&lab, 17));
    lab_skip(&lab);
    /* Nothing validates a path of a connection that the peer has forgotten. */
    lab_step(&lab, POKE_GIVEN_UP, 17)->number = 1;
    lab_signal(&lab);
    lab_advise_via(&lab, PD_KIND_MOVED, "relay-2");
    expect_decision(&lab, 17, VERDICT_RECONNECT);
    lab_end(&lab);
}

/* Where the node has no path to the relay, and then does not know it. */
static void refused_by_a_relay(void **state)
{
    struct lab lab;

    (void)state;
    lab_init(&lab);
    lab.features = NODE_RELAY;
    lab_begin(&lab);
    lab_peer_up(&lab, "a", 17);
    lab_advise_via(&lab, PD_KIND_MOVED, "relay-1");
    for (int attempt = 0; attempt < 3; attempt++) {
        lab_answer_error(&lab, expect_migrate(&lab, 17), -32007);
        lab_time(&lab, 2 * SEC);
    }
    expect_no_move(&lab);
    lab_advise_via(&lab, PD_KIND_MOVED, "relay-1"); /* what the trigger says is not held back */
    lab_answer_error(&lab, expect_migrate(&lab, 17), -32008);
    lab_time(&lab, 9 * SEC);
    expect_no_move(&lab);
    lab_end(&lab);
}

/* What became impossible while it waited is not asked. */
static void impossible_meanwhile(void **state)
{
    struct lab *lab = *state;

    lab_advise(lab, 17, PD_KIND_MOVED);
    lab_peer_told(lab, &(struct event_peer_up){.peer = "a", .conn = 17, .reconnectable = true});
    lab_skip(lab);
    room(lab);
    expect_decision(lab, 17, VERDICT_SUPERSEDED);
    expect_no_move(lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FULL_TEST(out_as_migrate),
        FULL_TEST(out_as_gone),
        FULL_TEST(out_as_held),
        FULL_TEST(out_as_superseded),
        FULL_TEST(weaker_and_equal_join),
        FULL_TEST(expires_after_its_time),
        FULL_TEST(withdrawn_is_superseded),
        FULL_TEST(withdrawn_in_time),
        FULL_TEST(withdrawn_when_moved),
        cmocka_unit_test_teardown(reconnects_are_not_withdrawn, lab_teardown),
        FULL_TEST(order),
        FULL_TEST(order_follows_the_rows),
        FULL_TEST(one_turn),
        cmocka_unit_test(whose_budget),
        cmocka_unit_test(where_to),
        cmocka_unit_test(over_relays),
        cmocka_unit_test(refused_by_a_relay),
        FULL_TEST(impossible_meanwhile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
