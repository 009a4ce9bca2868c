/* SPDX-License-Identifier: Apache-2.0 */
/* engine/uplinks/react.[ch]: connections that the peer opened, when others have left their uplink.
 */
#include "uplinks-lab.h"

/* It cannot migrate: it is dialled over one that lives, once others left its uplink for that. */
static void what_the_peer_opened_follows(void **state)
{
    struct lab *lab = *state;

    uplinks_peer_role(lab, 2, ON_HOME, PD_ROLE_SERVER);
    uplinks_time(lab, 5 * SEC);
    lab_skip(lab);
    uplinks_dead(lab, 2);
    expect_decision(lab, 2, VERDICT_INBOUND);
    uplinks_go(lab, 1, "up1", ON_FIBRE);
    expect_choice(lab, 2, VERDICT_RECONNECT, "fibre", "fibre: spare, lives");
    expect_move_over(lab, 2, "up1");
    assert_int_equal(lab_find_action(lab, ACTION_RECONNECT)->conn, 2);
}

/* It waits on home, dead, while another is there that can migrate. */
static void inbound_waits(struct lab *lab, uint64_t conn)
{
    uplinks_peer_role(lab, conn, ON_HOME, PD_ROLE_SERVER);
    lab_fresh(lab, 1, 50 * MS);
    uplinks_time(lab, 5 * SEC);
    lab_skip(lab);
    uplinks_dead(lab, conn);
    expect_decision(lab, conn, VERDICT_INBOUND);
}

/* 1 leaves home for fibre, and the node answers that. */
static void leaves(struct lab *lab, const struct event_answer *answer)
{
    struct event_answer given = *answer;

    uplinks_dead(lab, 1);
    given.request = expect_move_over(lab, 1, "up1");
    lab_skip(lab);
    uplinks_time(lab, SEC);
    lab_answer(lab, &given);
}

/* That alone does not say that the new path works: it is a sign where the node has validated it. */
static void not_before_the_path_is_validated(void **state)
{
    struct lab *lab = *state;

    inbound_waits(lab, 2);
    leaves(lab, &(struct event_answer){.ok = true, .local = ON_FIBRE});
    assert_int_equal(uplinks_get(lab, "fibre")->is.heard_us, 0);
    expect_no_decision(lab);
    expect_no_move(lab);
    uplinks_time(lab, SEC); /* until something comes of it */
    uplinks_dead(lab, 2);
    expect_no_move(lab);
    lab_fresh(lab, 1, 50 * MS);
    uplinks_dead(lab, 2);
    expect_move_over(lab, 2, "up1");
}

static void a_validated_path_lives(void **state)
{
    struct lab *lab = *state;

    inbound_waits(lab, 2);
    leaves(lab, &(struct event_answer){.ok = true, .validated = true, .local = ON_FIBRE});
    assert_int_equal(uplinks_get(lab, "fibre")->is.heard_us, lab->engine->now_us);
    expect_move_over(lab, 2, "up1");
    expect_no_move(lab);
}

static void not_after_a_failure(void **state)
{
    struct lab *lab = *state;

    inbound_waits(lab, 2);
    leaves(lab, &(struct event_answer){.code = NODE_TIMEOUT, .validated = true});
    assert_int_equal(uplinks_get(lab, "fibre")->is.heard_us, 0);
    expect_no_move(lab);
}

/* A dial that worked is a proof, whatever is said of it. */
static void a_reconnect_lives(void **state)
{
    struct lab *lab = *state;

    inbound_waits(lab, 2);
    lab->config.prefer = PREFER_RECONNECT;
    uplinks_config(lab);
    leaves(lab, &(struct event_answer){.ok = true, .conn = 31});
    assert_int_equal(lab_find_action(lab, ACTION_RECONNECT)->conn, 2);
    assert_int_equal(uplinks_get(lab, "fibre")->is.heard_us, lab->engine->now_us);
    expect_move_over(lab, 2, "up1");
}

/* On another uplink, or refused for another reason, it does not concern it. */
static void only_those_that_it_concerns(void **state)
{
    struct lab *lab = *state;
    const struct record_decision *decision;
    uint64_t last;

    lab_peer_told(lab, &(struct event_peer_up){.peer = "undialable",
                                               .conn = 4,
                                               .role = PD_ROLE_SERVER,
                                               .local = ON_HOME,
                                               .remote = "192.0.2.1:443"});
    uplinks_peer_role(lab, 3, ON_SAT, PD_ROLE_SERVER);
    uplinks_peer(lab, 5, ON_HOME);
    uplinks_time(lab, 10 * SEC); /* nothing is heard there any more */
    inbound_waits(lab, 2);
    uplinks_dead(lab, 3);
    expect_decision(lab, 3, VERDICT_INBOUND);
    uplinks_dead(lab, 4);
    expect_decision(lab, 4, VERDICT_INBOUND);
    assert_null(lab_peer(lab, 4)->moves->remembered);
    uplinks_dead(lab, 5);
    expect_decision(lab, 5, VERDICT_MIGRATE);
    uplinks_dead(lab, 5);
    expect_decision(lab, 5, VERDICT_IN_FLIGHT);
    assert_non_null(lab_peer(lab, 5)->moves->remembered);
    lab_skip(lab);
    last = lab->engine->last_decision;
    leaves(lab, &(struct event_answer){.ok = true, .validated = true, .local = ON_FIBRE});
    decision = expect_decision(lab, 2, VERDICT_RECONNECT);
    assert_int_equal(decision->decision, last + 2);
    assert_int_equal(lab->engine->last_decision, last + 2); /* with that of 1: no other */
    assert_non_null(lab_peer(lab, 3)->moves->remembered);
    assert_non_null(lab_peer(lab, 5)->moves->remembered);
}

/* The gate is asked as of any advice. */
static void not_one_that_is_held(void **state)
{
    struct lab *lab = *state;

    inbound_waits(lab, 2);
    lab_hold(lab, "p2", 0);
    leaves(lab, &(struct event_answer){.ok = true, .validated = true, .local = ON_FIBRE});
    expect_decision(lab, 2, VERDICT_HELD);
    expect_no_move(lab);
}

/* The route leads where it is: nothing was left, but it lives. */
static void not_by_a_move_to_where_it_is(void **state)
{
    struct lab *lab = *state;
    uint64_t last;

    inbound_waits(lab, 2);
    uplinks_led(lab, 1, "up0");
    last = lab->engine->last_decision;
    uplinks_moved(lab, expect_move_over(lab, 1, "up0"), ON_HOME);
    assert_int_equal(lab->engine->last_decision, last);
    assert_int_equal(uplinks_get(lab, "home")->is.heard_us, lab->engine->now_us);
    expect_no_move(lab);
}

/* Others follow the kernel, and home lives: it could not be decided otherwise. In a storm that
 * would be each of those that wait, with each answer. */
static void not_where_the_one_that_was_left_lives(void **state)
{
    struct lab *lab = *state;
    uint64_t request, last;

    uplinks_peer(lab, 3, ON_HOME);
    inbound_waits(lab, 2);
    uplinks_led(lab, 1, "up1");
    request = expect_move_over(lab, 1, "up1");
    uplinks_time(lab, SEC);
    lab_fresh(lab, 3, 50 * MS);
    last = lab->engine->last_decision;
    uplinks_moved(lab, request, ON_FIBRE);
    assert_int_equal(lab->engine->last_decision, last);
    assert_non_null(lab_peer(lab, 2)->moves->remembered);
    assert_int_equal(lab->engine->remembered_inbound, 1);
    lab_peer_down(lab, 2);
    assert_int_equal(lab->engine->remembered_inbound, 0);
}

/* What waits is over with progress, and said no second time. */
static void not_one_that_lives_by_then(void **state)
{
    struct lab *lab = *state;

    inbound_waits(lab, 2);
    uplinks_dead(lab, 1);
    lab_fresh(lab, 2, 50 * MS);
    lab_skip(lab);
    assert_null(lab_peer(lab, 2)->moves->remembered);
    uplinks_moved(lab, lab_find_action(lab, ACTION_MIGRATE)->request, ON_FIBRE);
    expect_no_decision(lab);
}

/* A new port where it is says nothing of another uplink. */
static void not_by_a_new_port(void **state)
{
    struct lab *lab = *state;
    uint64_t last;

    uplinks_host(lab, "up1 up2 wwan0");
    inbound_waits(lab, 2);
    uplinks_dead(lab, 1);
    last = lab->engine->last_decision;
    uplinks_moved(lab, lab_find_action(lab, ACTION_MIGRATE)->request, ON_HOME);
    assert_int_equal(lab->engine->last_decision, last);
    (void)lab_next_move(lab); /* that of 1 */
    expect_no_move(lab);
    assert_non_null(lab_peer(lab, 2)->moves->remembered);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UPLINKS_TEST(what_the_peer_opened_follows),
        UPLINKS_TEST(not_before_the_path_is_validated),
        UPLINKS_TEST(a_validated_path_lives),
        UPLINKS_TEST(not_after_a_failure),
        UPLINKS_TEST(a_reconnect_lives),
        UPLINKS_TEST(only_those_that_it_concerns),
        UPLINKS_TEST(not_one_that_is_held),
        UPLINKS_TEST(not_by_a_move_to_where_it_is),
        UPLINKS_TEST(not_one_that_lives_by_then),
        UPLINKS_TEST(not_where_the_one_that_was_left_lives),
        UPLINKS_TEST(not_by_a_new_port),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
