/* SPDX-License-Identifier: Apache-2.0 */
/* A reconnect that dials first: when it is asked so, and what follows where the old connection
 * lives after all, or the dial fails. */
#include "uplinks-lab.h"

#define KEEPS (NODE_RECONNECT | NODE_MAKE_BEFORE_BREAK)

static void begin(struct lab *lab, uint32_t features, bool prefer_reconnect)
{
    lab_init(lab);
    lab->features = features;
    lab->prefer_reconnect = prefer_reconnect;
    lab_begin(lab);
}

static int setup(void **state)
{
    struct lab *lab = memory_new(1, sizeof(*lab));

    begin(lab, KEEPS, false);
    *state = lab;
    return 0;
}

/* The next move, which must be a reconnect of that connection. */
static const struct lab_action *reconnect(struct lab *lab, uint64_t conn)
{
    const struct lab_action *action = lab_next_move(lab);

    assert_non_null(action);
    assert_int_equal(action->type, ACTION_RECONNECT);
    assert_int_equal(action->conn, conn);
    return action;
}

/* An inbound connection that no migrate can help, silent until the fallback asks. */
static const struct lab_action *fallback(struct lab *lab)
{
    lab_peer_up_role(lab, "a", 17, PD_ROLE_SERVER);
    lab_fresh(lab, 17, 50000);
    lab_advise(lab, 17, PD_KIND_MOVED);
    expect_decision(lab, 17, VERDICT_INBOUND);
    for (unsigned i = 0; i < 3; i++) {
        lab_silent(lab, 17);
        lab_time(lab, SEC);
    }
    lab_silent(lab, 17);
    expect_decision(lab, 17, VERDICT_RECONNECT);
    return reconnect(lab, 17);
}

static void asked_by_the_fallback(void **state)
{
    assert_true(fallback(*state)->keep_old);
}

/* `moved` and `dead` of a node that prefers reconnects. */
static void asked_by_rule(void **state)
{
    (void)state;
    for (enum pd_kind kind = PD_KIND_MOVED; kind <= PD_KIND_DEAD; kind++) {
        struct lab lab;

        begin(&lab, KEEPS, true);
        lab_peer_up(&lab, "a", 17);
        lab_advise(&lab, 17, kind);
        assert_true(reconnect(&lab, 17)->keep_old);
        lab_end(&lab);
    }
}

/* An operator wants another connection, whether this one lives or not. */
static void not_by_an_operator(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    lab_operator(lab, "a", COMMAND_BY_RECONNECT);
    assert_false(reconnect(lab, 17)->keep_old);
}

static void not_without_the_feature(void **state)
{
    struct lab lab;

    (void)state;
    begin(&lab, NODE_RECONNECT, true);
    lab_peer_up(&lab, "a", 17);
    lab_advise(&lab, 17, PD_KIND_DEAD);
    assert_false(reconnect(&lab, 17)->keep_old);
    lab_end(&lab);
}

/* What its uplink cannot carry any more is not kept; nor what has to leave it by an operator's
 * will. */
static void not_where_it_must_leave(void **state)
{
    (void)state;
    for (unsigned held = 0; held < 3; held++) {
        struct lab lab;

        uplinks_init(&lab, KEEPS | NODE_BIND);
        lab.prefer_reconnect = true;
        uplinks_begin(&lab);
        if (held == 1)
            uplinks_hold(&lab, "home", 0);
        else if (held == 2)
            uplinks_host(&lab, "up0");
        if (held != 1)
            uplinks_led(&lab, 1, "up1");
        assert_int_equal(reconnect(&lab, 1)->keep_old, !held);
        lab_end(&lab);
    }
}

/* Over a relay the node itself goes on from another address: that an uplink went proves nothing. */
static void over_a_relay(void **state)
{
    (void)state;
    for (unsigned direct = 0; direct < 2; direct++) {
        struct lab lab;

        uplinks_init(&lab, KEEPS | NODE_BIND);
        lab.prefer_reconnect = true;
        uplinks_begin(&lab);
        lab_event(&lab, &(struct event){.type = EVENT_PEER_PATH,
                                        .peer_path = {.conn = 1, .via = direct ? "direct" : "eu"}});
        uplinks_host(&lab, "up0");
        uplinks_led(&lab, 1, "up1");
        assert_int_equal(reconnect(&lab, 1)->keep_old, !direct);
        lab_end(&lab);
    }
}

/* Nothing failed: no back-off, no further attempt, and the gap before the next is as it was. */
static void the_old_one_lives(void **state)
{
    struct lab *lab = *state;
    const struct record_outcome *outcome;
    uint64_t request = fallback(lab)->request;

    lab_answer_error(lab, request, NODE_OLD_LIVES);
    outcome = expect_outcome(lab, 17, OUTCOME_OLD_LIVES);
    assert_int_equal(outcome->by, BY_RECONNECT);
    assert_int_equal(outcome->conn_new, 0);
    assert_int_equal(outcome->error_code, NODE_OLD_LIVES);
    assert_int_equal(engine_counts(lab->engine).open, 0);
    assert_int_equal(engine_counts(lab->engine).effects, 0);
    assert_int_equal(lab_peer(lab, 17)->state, PEER_UP);
    lab_time(lab, 2 * SEC);
    expect_no_move(lab);
    expect_no_decision(lab);
    assert_int_equal(name_find(lab->engine, "a")->gap_us, lab->config.reconnect_gap_us);
    lab_fresh(lab, 17, 50000);
    lab_time(lab, 10 * SEC); /* the gap is over, and no back-off is left */
    lab_advise(lab, 17, PD_KIND_MOVED);
    for (unsigned i = 0; i < 3; i++) {
        lab_silent(lab, 17);
        lab_time(lab, SEC);
    }
    lab_silent(lab, 17);
    expect_decision(lab, 17, VERDICT_RECONNECT);
}

/* It was acknowledged on the path that is there since the route changed, and so that change is no
 * sign any more that a new one can work. It gets the whole time of the fallback anew, and is found
 * dead again if it is, also where no row has shown progress between. */
static void it_dies_after_all(void **state)
{
    struct lab *lab = *state;
    uint64_t request = fallback(lab)->request;

    lab_answer_error(lab, request, NODE_OLD_LIVES);
    assert_false(lab_peer(lab, 17)->moves->watch.flipped);
    for (unsigned i = 0; i < 20; i++) {
        lab_silent(lab, 17);
        lab_time(lab, SEC);
        expect_no_decision(lab);
    }
    lab_silent(lab, 17);
    expect_decision(lab, 17, VERDICT_RECONNECT);
}

/* It was acknowledged: that rows meanwhile did not show that is nothing to go by. */
static void it_was_silent_meanwhile(void **state)
{
    struct lab *lab = *state;
    uint64_t request = fallback(lab)->request;

    for (unsigned i = 0; i < 4; i++) {
        lab_time(lab, SEC);
        lab_silent(lab, 17);
    }
    lab_answer_error(lab, request, NODE_OLD_LIVES);
    expect_no_decision(lab);
    for (unsigned i = 0; i < 3; i++) {
        lab_silent(lab, 17);
        expect_no_decision(lab);
        lab_time(lab, SEC);
    }
    lab_silent(lab, 17);
    expect_no_decision(lab); /* the change of the route is no sign any more */
}

/* Another change of the route is a sign again. */
static void it_dies_after_another_change(void **state)
{
    struct lab *lab = *state;
    uint64_t request = fallback(lab)->request;

    lab_answer_error(lab, request, NODE_OLD_LIVES);
    lab_time(lab, 8 * SEC);
    lab_skip(lab);
    lab_advise(lab, 17, PD_KIND_MOVED);
    for (unsigned i = 0; i < 3; i++) {
        lab_silent(lab, 17);
        lab_time(lab, SEC);
    }
    lab_silent(lab, 17);
    expect_decision(lab, 17, VERDICT_RECONNECT);
}

/* The kernel has proven that nothing can arrive: there is nothing to keep, nor to wait for. */
static void not_where_nothing_can_arrive(void **state)
{
    static const struct pd_field proof = {.name = "proof", .text = "unreachable"};
    struct lab *lab = *state;

    lab_peer_up_role(lab, "a", 17, PD_ROLE_SERVER);
    lab_fresh(lab, 17, 50000);
    lab_advise_full(lab, 17,
                    &(struct pd_advice){.kind = PD_KIND_MOVED,
                                        .reason = "the address is gone",
                                        .evidence = &proof,
                                        .n_evidence = 1});
    expect_decision(lab, 17, VERDICT_INBOUND);
    lab_time(lab, 60 * MS);
    lab_silent(lab, 17);
    expect_decision(lab, 17, VERDICT_RECONNECT);
    assert_false(reconnect(lab, 17)->keep_old);
}

/* What came meanwhile is decided: `moved`, but not `dead`, which is disproved. */
static void what_came_meanwhile(void **state)
{
    struct lab *lab = *state;
    uint64_t request = fallback(lab)->request;

    lab_advise(lab, 17, PD_KIND_DEAD);
    lab_skip(lab);
    lab_answer_error(lab, request, NODE_OLD_LIVES);
    assert_int_equal(engine_counts(lab->engine).remembered, 0);
    expect_no_decision(lab);
}

/* Of a node that has not the feature, or to another request, it is no such answer. */
static void to_what_did_not_ask(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    lab_operator(lab, "a", COMMAND_BY_RECONNECT);
    lab_answer_error(lab, reconnect(lab, 17)->request, NODE_OLD_LIVES);
    expect_outcome(lab, 17, OUTCOME_FAILED);
}

/* The old connection is still there: the dial is tried again as long as retries are left. */
static void the_dial_fails(void **state)
{
    struct lab *lab = *state;
    const struct lab_action *again;

    lab_answer_error(lab, fallback(lab)->request, NODE_DIAL_FAILED);
    expect_outcome(lab, 17, OUTCOME_DIAL_FAILED);
    expect_no_move(lab);
    lab_time(lab, 100 * MS);
    again = reconnect(lab, 17);
    assert_true(again->keep_old);
    lab_answer_error(lab, again->request, NODE_DIAL_FAILED);
    lab_time(lab, 400 * MS);
    lab_answer_error(lab, reconnect(lab, 17)->request, NODE_DIAL_FAILED);
    lab_time(lab, 4 * SEC);
    expect_no_move(lab);
}

/* The new one comes up, and that ends the old one. */
static void the_new_one_comes(void **state)
{
    struct lab *lab = *state;
    uint64_t request = fallback(lab)->request;

    lab_peer_up(lab, "a", 31);
    lab_answer_conn(lab, request, 31);
    assert_int_equal(expect_outcome(lab, 17, OUTCOME_RECONNECTED)->conn_new, 31);
    assert_null(lab_peer(lab, 17));
    lab_fresh(lab, 31, 10000);
    expect_effect(lab, 31, EFFECT_BETTER);
}

#define KEEP_TEST(function) cmocka_unit_test_setup_teardown(function, setup, lab_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        KEEP_TEST(asked_by_the_fallback),
        KEEP_TEST(asked_by_rule),
        KEEP_TEST(not_by_an_operator),
        KEEP_TEST(not_without_the_feature),
        KEEP_TEST(not_where_it_must_leave),
        KEEP_TEST(the_old_one_lives),
        KEEP_TEST(over_a_relay),
        KEEP_TEST(it_dies_after_all),
        KEEP_TEST(what_came_meanwhile),
        KEEP_TEST(to_what_did_not_ask),
        KEEP_TEST(the_dial_fails),
        KEEP_TEST(the_new_one_comes),
        KEEP_TEST(it_dies_after_another_change),
        KEEP_TEST(not_where_nothing_can_arrive),
        KEEP_TEST(it_was_silent_meanwhile),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
