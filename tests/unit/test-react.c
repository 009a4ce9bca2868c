/* SPDX-License-Identifier: Apache-2.0 */
/* engine/uplinks/react.[ch]: what follows when an uplink comes up, goes down, is held or released.
 */
#include "engine/liveness/dial.h"
#include "uplinks-lab.h"

/* ---- down ---- */

static const char *proof_of(const struct record_decision *decision)
{
    const struct evidence *evidence = decision->evidence;

    for (uint32_t i = 0; evidence && i < evidence->n_fields; i++)
        if (!strcmp(evidence->fields[i].name, "proof"))
            return evidence->fields[i].text;
    return "";
}

static void off_one_that_went(void **state)
{
    struct lab *lab = *state;
    const struct record_decision *decision;

    uplinks_peer(lab, 2, ON_SAT);
    lab_skip(lab);
    uplinks_host(lab, "up0");
    assert_string_equal(expect_change(lab, "home", UPLINK_CHANGE_DOWN), "no carrier");
    uplinks_time(lab, 49 * MS);
    expect_no_decision(lab); /* a contact may bounce */
    uplinks_time(lab, 2 * MS);
    decision = expect_decision(lab, 1, VERDICT_MIGRATE);
    assert_int_equal(decision->kind, PD_KIND_MOVED);
    assert_string_equal(decision->trigger, "uplink");
    assert_string_equal(decision->reason->s, "uplink home: no carrier");
    assert_string_equal(proof_of(decision), "no-carrier");
    expect_no_decision(lab); /* of the other one */
}

/* Without a route to everywhere something may arrive still, and the trigger route has its time. */
static void off_one_without_a_route(void **state)
{
    struct event_interface list[] = {{"up0", "10.0.0.2", true, false, false, false},
                                     {"up1", "10.0.1.2", true, false, true, false}};
    struct lab *lab = *state;

    lab_event(lab,
              &(struct event){.type = EVENT_INTERFACES, .interfaces = {list, ARRAY_SIZE(list)}});
    lab_skip(lab);
    uplinks_time(lab, 299 * MS);
    expect_no_decision(lab);
    uplinks_time(lab, 2 * MS);
    assert_string_equal(proof_of(expect_decision(lab, 1, VERDICT_MIGRATE)), "");
}

/* What the peer opened cannot be moved, and nothing can arrive: it is dialled at once. */
static void inbound_on_one_that_went(void **state)
{
    struct lab *lab = *state;

    uplinks_peer_role(lab, 2, ON_HOME, PD_ROLE_SERVER);
    lab_skip(lab);
    uplinks_host(lab, "up0");
    uplinks_time(lab, 51 * MS);
    lab_skip(lab);
    assert_int_equal(dial_judge(lab->engine, lab_peer(lab, 2)), DIAL_GONE);
    uplinks_host(lab, ""); /* it is back: nothing is proven any more */
    assert_int_equal(dial_judge(lab->engine, lab_peer(lab, 2)), DIAL_SIGN);
}

/* Each gets its own time. */
static void two_that_went_one_after_the_other(void **state)
{
    struct lab *lab = *state;

    uplinks_peer(lab, 2, ON_FIBRE);
    lab_skip(lab);
    uplinks_host(lab, "up0");
    uplinks_time(lab, 30 * MS);
    uplinks_host(lab, "up0 up1");
    uplinks_time(lab, 21 * MS);
    expect_move_over(lab, 1, "up2");
    uplinks_time(lab, 28 * MS);
    expect_no_move(lab);
    uplinks_time(lab, 2 * MS);
    expect_move_over(lab, 2, "up2");
}

static void not_if_it_comes_back_at_once(void **state)
{
    struct lab *lab = *state;

    uplinks_host(lab, "up0");
    uplinks_time(lab, 49 * MS);
    uplinks_host(lab, "");
    uplinks_time(lab, SEC);
    expect_no_decision(lab);
}

static void not_if_the_route_was_faster(void **state)
{
    struct lab *lab = *state;

    uplinks_host(lab, "up0");
    uplinks_time(lab, 40 * MS);
    uplinks_led(lab, 1, "up1");
    uplinks_moved(lab, expect_move_over(lab, 1, "up1"), ON_FIBRE);
    lab_skip(lab);
    uplinks_time(lab, SEC);
    expect_no_decision(lab);
}

static void each_cause_is_said(void **state)
{
    struct lab *lab = *state;
    struct event_interface list[] = {
        {"up1", "10.0.1.2", true, false, true, false},
        {"up2", "", true, false, true, false},
        {"wwan0", "10.0.3.2", true, true, false, false},
    };

    lab_event(lab,
              &(struct event){.type = EVENT_INTERFACES, .interfaces = {list, ARRAY_SIZE(list)}});
    assert_string_equal(expect_change(lab, "home", UPLINK_CHANGE_DOWN), "the interface is gone");
    assert_string_equal(expect_change(lab, "sat", UPLINK_CHANGE_DOWN), "no address");
    assert_string_equal(expect_change(lab, "lte", UPLINK_CHANGE_DOWN),
                        "no route to everywhere leads over it");
    uplinks_host(lab, "up1");
    expect_change(lab, "home", UPLINK_CHANGE_UP);
    assert_string_equal(expect_change(lab, "fibre", UPLINK_CHANGE_DOWN), "no carrier");
}

/* ---- up ---- */

/* Its uplink went and there was no other: it is given again when one comes. */
static void without_a_target_it_waits(void **state)
{
    struct lab *lab = *state;

    uplinks_host(lab, "up0 up1 up2 wwan0");
    uplinks_time(lab, 400 * MS);
    expect_decision(lab, 1, VERDICT_NO_TARGET);
    uplinks_time(lab, 60 * SEC);
    expect_no_move(lab);
    uplinks_host(lab, "up0 up1 wwan0");
    expect_move_over(lab, 1, "up2");
}

/* What failed for good is given again at once: there may be a route for it now. */
static void what_failed_for_good(void **state)
{
    struct lab *lab = *state;

    lab->config.retries = 0;
    uplinks_config(lab);
    lab_silent(lab, 1);
    uplinks_led(lab, 1, "up1");
    lab_answer_error(lab, expect_move_over(lab, 1, "up1"), NODE_NO_PATH);
    uplinks_time(lab, SEC);
    expect_no_move(lab);
    uplinks_host(lab, "up2"); /* one went: no news for it */
    expect_no_move(lab);
    uplinks_host(lab, "");
    lab_answer_error(lab, expect_move_over(lab, 1, "up2"), NODE_NO_PATH); /* up1 is in penalty */
    uplinks_time(lab, 10 * SEC - 1);
    expect_no_move(lab);
    uplinks_time(lab, 1);
    expect_migrate(lab, 1);
}

/* One that flaps does not make it more than one request a second. */
static void what_failed_while_one_flaps(void **state)
{
    struct lab *lab = *state;
    unsigned requests = 0;

    lab->config.retries = 0;
    uplinks_config(lab);
    lab_silent(lab, 1);
    uplinks_led(lab, 1, "up1");
    lab_answer_error(lab, expect_move_over(lab, 1, "up1"), NODE_NO_PATH);
    for (unsigned i = 0; i < 50; i++) {
        const struct lab_action *move;

        uplinks_host(lab, "wwan0");
        uplinks_time(lab, 100 * MS);
        uplinks_host(lab, "");
        while ((move = lab_next_move(lab))) {
            requests += !strstr(move->reason, "came up"); /* `dead` has its tokens */
            lab_answer_error(lab, move->request, NODE_NO_PATH);
        }
    }
    assert_int_equal(requests, 5);
}

/* Failures before say nothing of it: neither back-off nor gap is left. */
static void nothing_is_waited_for(void **state)
{
    struct lab *lab = *state;

    lab->config.retries = 0;
    lab->config.prefer = PREFER_RECONNECT;
    uplinks_config(lab);
    uplinks_host(lab, "up2");
    lab_advise(lab, 1, PD_KIND_DEAD);
    lab_answer_error(lab, expect_reconnect(lab, 1), NODE_DIAL_FAILED);
    uplinks_time(lab, SEC);
    lab_skip(lab);
    lab_advise(lab, 1, PD_KIND_DEAD);
    expect_decision(lab, 1, VERDICT_BACKING_OFF);
    uplinks_host(lab, "");
    lab_skip(lab);
    lab_advise(lab, 1, PD_KIND_DEAD);
    expect_decision(lab, 1, VERDICT_RECONNECT);
    expect_reconnect(lab, 1);
}

static void the_dead_are_looked_at(void **state)
{
    struct lab *lab = *state;
    const struct record_decision *decision;

    uplinks_host(lab, "up1 up2 wwan0");
    uplinks_peer(lab, 2, ON_HOME);
    lab_silent(lab, 1);
    uplinks_time(lab, 2 * SEC);
    lab_silent(lab, 1);
    lab_fresh(lab, 2, 50 * MS);
    lab_skip(lab);
    uplinks_host(lab, "up1 wwan0");
    decision = expect_decision(lab, 1, VERDICT_MIGRATE);
    assert_int_equal(decision->kind, PD_KIND_DEAD);
    assert_string_equal(decision->trigger, "uplink");
    assert_string_equal(decision->target->s, "sat");
    expect_no_decision(lab);
}

/* A moment of silence is none. */
static void not_those_that_are_silent_since_a_moment(void **state)
{
    struct lab *lab = *state;

    uplinks_host(lab, "up1");
    lab_silent(lab, 1);
    uplinks_time(lab, 900 * MS);
    lab_silent(lab, 1);
    lab_skip(lab);
    uplinks_host(lab, "");
    expect_no_decision(lab);
}

/* ---- holds ---- */

static void all_leave_one_that_is_held(void **state)
{
    struct lab *lab = *state;
    const struct record_decision *decision;

    uplinks_peer(lab, 2, ON_HOME);
    uplinks_peer(lab, 3, ON_SAT);
    lab_skip(lab);
    uplinks_hold(lab, "home", 0);
    assert_string_equal(expect_change(lab, "home", UPLINK_CHANGE_HELD),
                        "by uid 7, until it is released");
    decision = expect_decision(lab, 1, VERDICT_MIGRATE);
    assert_int_equal(decision->kind, PD_KIND_MOVED);
    assert_string_equal(decision->trigger, "operator");
    assert_string_equal(decision->reason->s, "uid 7 holds uplink home: connections leave it");
    expect_decision(lab, 2, VERDICT_MIGRATE);
    expect_no_decision(lab);
    assert_true(uplinks_inspect(lab, "home").held);
    assert_int_equal(uplinks_inspect(lab, "home").held_for_us, INSPECT_NEVER);
}

static void released(void **state)
{
    struct lab *lab = *state;

    uplinks_hold(lab, "fibre", 0);
    lab_skip(lab);
    uplinks_release(lab, "fibre");
    assert_string_equal(expect_change(lab, "fibre", UPLINK_CHANGE_RELEASED), "by uid 7");
    uplinks_release(lab, "fibre"); /* it is held no more: nothing to say */
    assert_null(lab_next(lab, RECORD_UPLINK));
    uplinks_dead(lab, 1);
    expect_move_over(lab, 1, "up1");
}

/* Over one that went down meanwhile nothing can arrive: what was proven stays, and nobody is tried.
 */
static void released_while_it_is_down(void **state)
{
    struct lab *lab = *state;

    uplinks_peer_role(lab, 2, ON_HOME, PD_ROLE_SERVER);
    uplinks_hold(lab, "home", 0);
    uplinks_host(lab, "up0");
    uplinks_time(lab, 51 * MS);
    lab_silent(lab, 2);
    uplinks_time(lab, 2 * SEC);
    lab_silent(lab, 2);
    lab_skip(lab);
    assert_int_equal(dial_judge(lab->engine, lab_peer(lab, 2)), DIAL_GONE);
    uplinks_release(lab, "home");
    assert_string_equal(expect_change(lab, "home", UPLINK_CHANGE_RELEASED), "by uid 7");
    assert_int_equal(dial_judge(lab->engine, lab_peer(lab, 2)), DIAL_GONE);
    expect_no_decision(lab);
    uplinks_host(lab, "");
    assert_int_equal(dial_judge(lab->engine, lab_peer(lab, 2)), DIAL_SIGN);
}

/* What is dead elsewhere is tried: it did not come up, and that is not said. */
static void released_is_worth_a_try(void **state)
{
    struct lab *lab = *state;
    const struct record_decision *decision;

    uplinks_host(lab, "up1 up2 wwan0");
    uplinks_hold(lab, "fibre", 0);
    uplinks_host(lab, "up2 wwan0");
    lab_silent(lab, 1);
    uplinks_time(lab, 2 * SEC);
    lab_silent(lab, 1);
    lab_skip(lab);
    uplinks_release(lab, "fibre");
    decision = expect_decision(lab, 1, VERDICT_MIGRATE);
    assert_string_equal(decision->reason->s,
                        "uplink fibre is released, and nothing got through for 2.0 s");
    assert_string_equal(decision->target->s, "fibre");
}

static void a_hold_is_over_by_time(void **state)
{
    struct lab *lab = *state;

    uplinks_hold(lab, "fibre", 30 * SEC);
    assert_string_equal(expect_change(lab, "fibre", UPLINK_CHANGE_HELD), "by uid 7, for a while");
    uplinks_time(lab, 29 * SEC);
    assert_true(uplinks_inspect(lab, "fibre").held);
    assert_int_equal(uplinks_inspect(lab, "fibre").held_for_us, SEC);
    uplinks_time(lab, SEC);
    assert_false(uplinks_inspect(lab, "fibre").held);
    assert_string_equal(expect_change(lab, "fibre", UPLINK_CHANGE_RELEASED), "the hold is over");
}

/* The last one is held: nothing is moved; it goes when another comes. */
static void nowhere_to_leave_to(void **state)
{
    struct lab *lab = *state;

    uplinks_host(lab, "up1 up2 wwan0");
    uplinks_hold(lab, "home", 0);
    expect_decision(lab, 1, VERDICT_NO_TARGET);
    expect_no_move(lab);
    uplinks_host(lab, "up2 wwan0");
    expect_move_over(lab, 1, "up1");
}

static void of_an_uplink_that_is_not_known(void **state)
{
    struct lab *lab = *state;

    uplinks_hold(lab, "nowhere", 0);
    uplinks_release(lab, "nowhere");
    assert_null(lab_next(lab, RECORD_UPLINK));
    expect_no_decision(lab);
}

/* ---- the node ---- */

static void one_that_cannot_bind_is_said_once(void **state)
{
    struct lab *lab = *state;

    lab_node_down(lab);
    lab->features = NODE_RECONNECT;
    lab_node_up(lab, "other");
    assert_non_null(lab_notice(lab, "no-bind"));
    uplinks_peer(lab, 1, ON_HOME);
    lab_snapshot(lab);
    uplinks_host(lab, "up0");
    uplinks_time(lab, SEC);
    uplinks_hold(lab, "fibre", 0);
    expect_no_decision(lab); /* none is chosen for */
    assert_null(lab_notice(lab, "no-bind"));
}

static void no_word_of_it_without_sections(void **state)
{
    struct lab *lab = *state;

    lab_node_down(lab);
    lab->features = NODE_RECONNECT;
    lab_node_up(lab, "other");
    assert_null(lab_notice(lab, "no-bind"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UPLINKS_TEST(off_one_that_went),
        UPLINKS_TEST(off_one_without_a_route),
        UPLINKS_TEST(inbound_on_one_that_went),
        UPLINKS_TEST(two_that_went_one_after_the_other),
        UPLINKS_TEST(not_if_it_comes_back_at_once),
        UPLINKS_TEST(not_if_the_route_was_faster),
        UPLINKS_TEST(each_cause_is_said),
        UPLINKS_TEST(without_a_target_it_waits),
        UPLINKS_TEST(what_failed_for_good),
        UPLINKS_TEST(what_failed_while_one_flaps),
        UPLINKS_TEST(nothing_is_waited_for),
        UPLINKS_TEST(the_dead_are_looked_at),
        UPLINKS_TEST(not_those_that_are_silent_since_a_moment),
        UPLINKS_TEST(all_leave_one_that_is_held),
        UPLINKS_TEST(released),
        UPLINKS_TEST(released_while_it_is_down),
        UPLINKS_TEST(released_is_worth_a_try),
        UPLINKS_TEST(a_hold_is_over_by_time),
        UPLINKS_TEST(nowhere_to_leave_to),
        UPLINKS_TEST(of_an_uplink_that_is_not_known),
        UPLINKS_TEST(one_that_cannot_bind_is_said_once),
        UPLINKS_LEARNED_TEST(no_word_of_it_without_sections),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
