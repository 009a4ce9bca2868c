/* SPDX-License-Identifier: Apache-2.0 */
/* engine/uplinks/return.[ch]: when connections come back to an uplink, and in which order. */
#include "uplinks-lab.h"

/* Time passes; each probe is answered like this, and what is fresh is heard where it is. */
static void live(struct lab *lab, uint64_t span_us, uint64_t rtt_us)
{
    const struct uplinks *uplinks = &lab->engine->uplinks;

    for (uint64_t passed_us = 0; passed_us < span_us; passed_us += 100 * MS) {
        uplinks_time(lab, 100 * MS);
        while (uplinks->n_probes)
            uplinks_probed(lab, uplinks->probes[0].number, rtt_us);
    }
}

/* How long until a move is asked for, in ms; `most`: none was. */
static uint64_t until_move(struct lab *lab, uint64_t most_ms, uint64_t rtt_us)
{
    for (uint64_t ms = 0; ms < most_ms; ms += 100) {
        size_t read = lab->read_moves;

        if (lab_next_move(lab)) {
            lab->read_moves = read;
            return ms;
        }
        live(lab, 100 * MS, rtt_us);
    }
    return most_ms;
}

/* It comes back, and is heard there: the effect is known. */
static void comes_back(struct lab *lab, uint64_t conn)
{
    uplinks_moved(lab, expect_move_over(lab, conn, "up0"), ON_HOME);
    lab_fresh(lab, conn, 50 * MS);
    live(lab, 11 * SEC, 50 * MS);
}

static void proven_by_ten_good_probes_over_15_s(void **state)
{
    struct lab *lab = *state;
    const struct record_decision *decision;

    uplinks_leave(lab, 1, "up1", ON_FIBRE);
    assert_in_range(until_move(lab, 60000, 50 * MS), 15000, 17000);
    assert_string_equal(expect_change(lab, "home", UPLINK_CHANGE_PROVEN),
                        "11 good probes over 15 s; p1 goes first");
    decision = expect_decision(lab, 1, VERDICT_MIGRATE);
    assert_int_equal(decision->kind, PD_KIND_BETTER);
    assert_string_equal(decision->trigger, "return");
    assert_string_equal(decision->reason->s, "home lives again: 11 good probes over 15 s");
    comes_back(lab, 1);
    assert_false(uplinks_inspect(lab, "home").suspect);
    expect_no_move(lab);
}

static void a_bad_probe_begins_it_anew(void **state)
{
    struct lab *lab = *state;

    uplinks_leave(lab, 1, "up1", ON_FIBRE);
    live(lab, 12 * SEC, 50 * MS);
    assert_in_range(uplinks_inspect(lab, "home").proof_good, 7, 9);
    live(lab, 2 * SEC, 0);
    assert_int_equal(uplinks_inspect(lab, "home").proof_good, 0);
    assert_in_range(until_move(lab, 60000, 50 * MS), 15000, 18000);
}

/* A radio that fades answers late, and then no more: 10 good ones in a row are more than a sign. */
static void a_late_answer_is_not_good(void **state)
{
    struct lab *lab = *state;

    uplinks_leave(lab, 1, "up1", ON_FIBRE);
    live(lab, 12 * SEC, 50 * MS);
    assert_in_range(uplinks_inspect(lab, "home").proof_good, 7, 9);
    live(lab, 2 * SEC, 400 * MS);
    assert_int_equal(uplinks_inspect(lab, "home").proof_good, 0);
    assert_in_range(until_move(lab, 60000, 240 * MS), 15000, 18000);
}

/* The preferred one may be slower than the spare: that is its owner's choice. */
static void slow_from_the_beginning_is_good(void **state)
{
    struct lab *lab = *state;

    uplinks_leave(lab, 1, "up1", ON_FIBRE);
    assert_in_range(until_move(lab, 60000, 600 * MS), 15000, 18000);
}

/* Another network than before, and a longer way: after a while that is what is usual there. */
static void what_stays_late_is_usual_in_the_end(void **state)
{
    struct lab *lab = *state;

    uplinks_leave(lab, 1, "up1", ON_FIBRE);
    live(lab, 5 * SEC, 50 * MS);
    assert_in_range(until_move(lab, 120000, 500 * MS), 25000, 45000);
}

/* The peer is far away, and its answers are late for others only. */
static void a_far_peer_proves_as_well_as_a_near_one(void **state)
{
    struct lab *lab = *state;

    uplinks_leave(lab, 1, "up1", ON_FIBRE);
    live(lab, 5 * SEC, 10 * MS);
    lab_fresh(lab, 1, 300 * MS);
    live(lab, 5 * SEC, 300 * MS);
    assert_in_range(uplinks_inspect(lab, "home").proof_good, 7, 11);
}

static void down_it_begins_anew(void **state)
{
    struct lab *lab = *state;

    uplinks_leave(lab, 1, "up1", ON_FIBRE);
    live(lab, 12 * SEC, 50 * MS);
    uplinks_host(lab, "up0");
    live(lab, SEC, 50 * MS);
    uplinks_host(lab, "");
    assert_int_equal(uplinks_inspect(lab, "home").proof_good, 0);
    assert_in_range(until_move(lab, 60000, 50 * MS), 14000, 17000);
}

static void one_goes_first(void **state)
{
    struct lab *lab = *state;

    uplinks_peer(lab, 2, ON_HOME);
    uplinks_peer(lab, 3, ON_HOME);
    for (uint64_t conn = 1; conn <= 3; conn++)
        uplinks_leave(lab, conn, "up1", ON_FIBRE);
    assert_in_range(until_move(lab, 60000, 50 * MS), 14000, 17000);
    expect_move_over(lab, 1, "up0");
    live(lab, 3 * SEC, 50 * MS);
    expect_no_move(lab); /* not answered */
    uplinks_moved(lab, lab_find_action(lab, ACTION_MIGRATE)->request, ON_HOME);
    live(lab, 3 * SEC, 50 * MS);
    expect_no_move(lab); /* and no effect is known */
    lab_fresh(lab, 1, 50 * MS);
    assert_true(until_move(lab, 9000, 50 * MS) < 9000);
    expect_move_over(lab, 2, "up0");
    expect_move_over(lab, 3, "up0");
}

/* The first that went got through to nobody: the others stay, and the next one waits longer. */
static void without_effect_the_others_stay(void **state)
{
    struct lab *lab = *state;

    uplinks_peer(lab, 2, ON_HOME);
    uplinks_leave(lab, 1, "up1", ON_FIBRE);
    uplinks_leave(lab, 2, "up1", ON_FIBRE);
    until_move(lab, 60000, 50 * MS);
    uplinks_moved(lab, expect_move_over(lab, 1, "up0"), ON_HOME);
    lab_skip(lab);
    lab_silent(lab, 1);
    live(lab, SEC, 50 * MS);
    lab_silent(lab, 1);
    live(lab, 9500 * MS, 50 * MS);
    expect_effect(lab, 1, EFFECT_STALLED);
    assert_int_equal(uplinks_inspect(lab, "home").proof_us, 30 * SEC);
    assert_in_range(until_move(lab, 60000, 50 * MS), 25000, 33000);
    expect_move_over(lab, 2, "up0");
}

static void a_return_that_fails_waits_longer(void **state)
{
    struct lab *lab = *state;

    uplinks_leave(lab, 1, "up1", ON_FIBRE);
    until_move(lab, 60000, 50 * MS);
    lab_answer_error(lab, expect_move_over(lab, 1, "up0"), NODE_TIMEOUT);
    assert_in_range(until_move(lab, 60000, 50 * MS), 29000, 33000);
}

/* Who waits for a return goes one at a time again where one failed, though another had come back
 * before, and is no more. */
static void a_failed_return_ends_the_trust(void **state)
{
    struct lab *lab = *state;
    uint64_t request;

    uplinks_leave(lab, 1, "up1", ON_FIBRE);
    until_move(lab, 60000, 50 * MS);
    comes_back(lab, 1);
    lab_peer_down(lab, 1);
    uplinks_peer(lab, 2, ON_FIBRE);
    uplinks_host(lab, ""); /* whoever wants back is looked for */
    assert_true(until_move(lab, 9000, 0) < 9000);
    request = expect_move_over(lab, 2, "up0");
    live(lab, 2 * SEC, 0);
    lab_answer_error(lab, request, NODE_TIMEOUT);
    uplinks_peer(lab, 3, ON_FIBRE);
    live(lab, 5 * SEC, 50 * MS);
    expect_no_move(lab);
}

/* A peer that refuses to be migrated says nothing of the uplink. */
static void a_refused_return_is_no_failure(void **state)
{
    struct lab *lab = *state;

    uplinks_leave(lab, 1, "up1", ON_FIBRE);
    until_move(lab, 60000, 50 * MS);
    lab_answer_error(lab, expect_move_over(lab, 1, "up0"), NODE_PEER_DISABLE_MIGRATION);
    assert_int_equal(uplinks_inspect(lab, "home").proof_us, 15 * SEC);
}

/* Back, and off again: twice as long. */
static void one_that_did_not_last_waits_longer(void **state)
{
    struct lab *lab = *state;

    uplinks_leave(lab, 1, "up1", ON_FIBRE);
    until_move(lab, 60000, 50 * MS);
    comes_back(lab, 1);
    uplinks_leave(lab, 1, "up1", ON_FIBRE);
    assert_in_range(until_move(lab, 60000, 50 * MS), 30000, 34000);
    comes_back(lab, 1);
    live(lab, 31 * MIN, 50 * MS);
    lab_fresh(lab, 1, 50 * MS);
    lab_skip(lab);
    uplinks_dead(lab, 1);
    live(lab, SEC, 50 * MS);
    uplinks_moved(lab, expect_move_over(lab, 1, "up1"), ON_FIBRE);
    assert_in_range(until_move(lab, 60000, 50 * MS), 14000, 17000);
}

static void never(void **state)
{
    struct lab *lab = *state;
    size_t since;

    lab->config.returns = RETURN_NEVER;
    uplinks_config(lab);
    uplinks_leave(lab, 1, "up1", ON_FIBRE);
    since = lab->n_actions;
    assert_int_equal(until_move(lab, 60000, 50 * MS), 60000);
    assert_int_equal(uplinks_count_probes(lab, since), 0);
}

static void only_if_better(void **state)
{
    struct lab *lab = *state;

    lab->config.returns = RETURN_BETTER;
    uplinks_config(lab);
    uplinks_leave(lab, 1, "up1", ON_FIBRE);
    lab_fresh(lab, 1, 40 * MS); /* where it is */
    assert_int_equal(until_move(lab, 60000, 40 * MS), 60000);
    assert_in_range(until_move(lab, 60000, 39 * MS), 15000, 17000);
}

/* It was left because it was slow, and still is. */
static void slow_is_not_proven(void **state)
{
    struct lab *lab = *state;

    uplinks_peer(lab, 2, ON_FIBRE);
    lab_fresh(lab, 1, 200 * MS);
    lab_skip(lab);
    lab_advise(lab, 1, PD_KIND_DEGRADED);
    expect_decision(lab, 1, VERDICT_PROBING);
    live(lab, 100 * MS, 100 * MS);
    uplinks_moved(lab, expect_move_over(lab, 1, "up1"), ON_FIBRE);
    lab_peer_down(lab, 2);
    assert_int_equal(until_move(lab, 60000, 161 * MS), 60000);
    assert_in_range(until_move(lab, 60000, 160 * MS), 15000, 17000);
}

static void from_metered_at_the_first(void **state)
{
    struct lab *lab = *state;

    uplinks_host(lab, "up1 up2");
    uplinks_leave(lab, 1, "wwan0", ON_LTE);
    live(lab, 20 * SEC, 0);
    expect_no_move(lab);
    assert_in_range(until_move(lab, 60000, 50 * MS), 100, 3000);
    expect_move_over(lab, 1, "up0");
}

/* Only home answers. How long until a move is asked for, in ms; `most_ms`: none was. */
static uint64_t until_home(struct lab *lab, uint64_t most_ms)
{
    const struct uplinks *uplinks = &lab->engine->uplinks;
    uint8_t home = uplink_place(lab->engine, uplinks_get(lab, "home"));

    for (uint64_t ms = 0; ms < most_ms; ms += 100) {
        size_t read = lab->read_moves;

        if (lab_next_move(lab)) {
            lab->read_moves = read;
            return ms;
        }
        uplinks_time(lab, 100 * MS);
        while (uplinks->n_probes)
            uplinks_probed(lab, uplinks->probes[0].number,
                           uplinks->probes[0].uplink == home ? 50 * MS : 0);
    }
    return most_ms;
}

/* One sign of life is enough for who pays for where he is, and not for the others. */
static void the_first_sign_is_for_metered_alone(void **state)
{
    struct lab *lab = *state;

    uplinks_host(lab, "up1 up2");
    uplinks_leave(lab, 1, "wwan0", ON_LTE);
    uplinks_host(lab, "up2");
    uplinks_peer(lab, 2, ON_FIBRE);
    live(lab, 40 * SEC, 0);
    assert_in_range(until_home(lab, 60000), 100, 3000);
    uplinks_moved(lab, expect_move_over(lab, 1, "up0"), ON_HOME);
    for (unsigned i = 0; i < 4; i++) {
        lab_time(lab, SEC / 4);
        lab_fresh(lab, 1, 50 * MS);
    }
    assert_in_range(until_home(lab, 60000), 10000, 17000);
    expect_move_over(lab, 2, "up0");
}

/* Home stays silent: a spare one that lives does. */
static void from_metered_to_what_lives(void **state)
{
    struct lab *lab = *state;
    const struct uplinks *uplinks = &lab->engine->uplinks;
    uint8_t sat;

    uplinks_host(lab, "up1 up2");
    uplinks_leave(lab, 1, "wwan0", ON_LTE);
    live(lab, 20 * SEC, 0);
    uplinks_host(lab, "");
    sat = uplink_place(lab->engine, uplinks_get(lab, "sat"));
    for (unsigned i = 0; i < 50; i++) {
        uplinks_time(lab, 100 * MS);
        while (uplinks->n_probes)
            uplinks_probed(lab, uplinks->probes[0].number,
                           uplinks->probes[0].uplink == sat ? 50 * MS : 0);
    }
    expect_move_over(lab, 1, "up2");
}

static void cooling_or_held_it_waits(void **state)
{
    struct lab *lab = *state;

    uplinks_leave(lab, 1, "up1", ON_FIBRE);
    lab_hold(lab, "p1", 40 * SEC);
    assert_in_range(until_move(lab, 60000, 50 * MS), 40000, 42000);
}

/* It was sent there. */
static void not_from_where_the_operator_wants_it(void **state)
{
    struct lab *lab = *state;

    lab_command(lab, &(struct event_command){
                         .type = COMMAND_MOVE, .peer = "p1", .interface = "up2", .who = "uid 7"});
    uplinks_moved(lab, expect_move_over(lab, 1, "up2"), ON_SAT);
    assert_int_equal(until_move(lab, 120000, 50 * MS), 120000);
}

/* ---- a node that cannot probe ---- */

/* Nobody is there who could prove it: one may try after the time that proof would take. */
static void without_probes_after_a_while(void **state)
{
    struct lab *lab = *state;

    uplinks_leave(lab, 1, "up1", ON_FIBRE);
    assert_in_range(until_move(lab, 60000, 0), 15000, 17000);
    assert_string_equal(expect_decision(lab, 1, VERDICT_MIGRATE)->reason->s,
                        "home may live again: left 15 s ago");
    assert_null(lab_next(lab, RECORD_UPLINK)); /* nothing is proven */
}

/* One that has nothing outstanding, and so was not moved, hears nothing for that reason alone. */
static void without_probes_beside_an_idle_one(void **state)
{
    struct lab *lab = *state;

    uplinks_peer(lab, 2, ON_HOME);
    uplinks_time(lab, 30 * SEC);
    uplinks_leave(lab, 1, "up1", ON_FIBRE);
    lab_row_only(lab, 2, "unacked=0 silent=60000 sent=5000 received=5000");
    assert_in_range(until_move(lab, 60000, 0), 15000, 17000);
    expect_move_over(lab, 1, "up0");
}

/* Another connection that is still there gets through again. */
static void without_probes_by_others(void **state)
{
    struct lab *lab = *state;
    bool moved = false;

    uplinks_peer(lab, 2, ON_HOME);
    uplinks_time(lab, 30 * SEC);
    uplinks_leave(lab, 1, "up1", ON_FIBRE);
    lab_row(lab, 2, "srtt=50000 samples=1 silent=4000 unacked=4000");
    assert_int_equal(until_move(lab, 60000, 0), 60000); /* it waits, and hears nothing */
    for (unsigned seconds = 0; seconds < 30 && !moved; seconds += 5) {
        lab_fresh(lab, 2, 50 * MS);
        moved = until_move(lab, 5000, 0) < 5000;
    }
    assert_true(moved);
    expect_move_over(lab, 1, "up0");
    expect_change(lab, "home", UPLINK_CHANGE_PROVEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UPLINKS_PROBE_TEST(proven_by_ten_good_probes_over_15_s),
        UPLINKS_PROBE_TEST(a_bad_probe_begins_it_anew),
        UPLINKS_PROBE_TEST(down_it_begins_anew),
        UPLINKS_PROBE_TEST(one_goes_first),
        UPLINKS_PROBE_TEST(without_effect_the_others_stay),
        UPLINKS_PROBE_TEST(a_return_that_fails_waits_longer),
        UPLINKS_PROBE_TEST(a_failed_return_ends_the_trust),
        UPLINKS_PROBE_TEST(a_refused_return_is_no_failure),
        UPLINKS_PROBE_TEST(one_that_did_not_last_waits_longer),
        UPLINKS_PROBE_TEST(never),
        UPLINKS_PROBE_TEST(only_if_better),
        UPLINKS_PROBE_TEST(a_late_answer_is_not_good),
        UPLINKS_PROBE_TEST(slow_from_the_beginning_is_good),
        UPLINKS_PROBE_TEST(what_stays_late_is_usual_in_the_end),
        UPLINKS_PROBE_TEST(a_far_peer_proves_as_well_as_a_near_one),
        UPLINKS_PROBE_TEST(slow_is_not_proven),
        UPLINKS_PROBE_TEST(from_metered_at_the_first),
        UPLINKS_PROBE_TEST(the_first_sign_is_for_metered_alone),
        UPLINKS_PROBE_TEST(from_metered_to_what_lives),
        UPLINKS_PROBE_TEST(cooling_or_held_it_waits),
        UPLINKS_PROBE_TEST(not_from_where_the_operator_wants_it),
        UPLINKS_TEST(without_probes_after_a_while),
        UPLINKS_TEST(without_probes_beside_an_idle_one),
        UPLINKS_TEST(without_probes_by_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
