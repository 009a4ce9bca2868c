/* SPDX-License-Identifier: Apache-2.0 */
/* engine/stages/scout.[ch]: the connection that goes first, and the others that wait for its
 * effect. */
#include "fate-lab.h"
#include "kept.h"

static void the_busiest_goes_first(void **state)
{
    struct lab *lab = *state;
    const struct record *record;
    uint64_t decision;

    (void)fate_scout_goes(lab);
    expect_no_move(lab);
    decision = expect_decision(lab, 7, VERDICT_MIGRATE)->decision;
    while ((record = lab_next(lab, RECORD_DECISION))) {
        assert_int_equal(record->decision.verdict, VERDICT_AWAITING);
        assert_int_equal(record->decision.into, decision);
    }
    fate_expect_cause(lab, "home: 10 of 10 peers got slower; p7 goes first");
}

/* Nothing is known of what it sent: that is not more than the others did. */
static void one_that_does_not_report_it_is_not_the_busiest(void **state)
{
    struct lab *lab = *state;

    fate_slow_round(lab, PEERS);
    uplinks_peer(lab, 11, ON_HOME);
    for (unsigned i = 0; i < 3; i++)
        lab_fresh(lab, 11, SLOW);
    lab_advise(lab, 11, PD_KIND_DEGRADED);
    fate_end_round(lab);
    expect_move_over(lab, 7, "up1");
    expect_no_move(lab);
}

/* They are more than the list of advice has room for when the scout is decided: it grows then, and
 * may be somewhere else after that. AddressSanitizer sees who goes on in the old place. */
static void so_many_that_the_list_grows(void **state)
{
    struct lab *lab = *state;

    for (uint64_t conn = 11; conn <= 100; conn++)
        uplinks_peer(lab, conn, ON_HOME);
    fate_slow_round(lab, 100);
    fate_end_round(lab);
    expect_move_over(lab, 7, "up1");
    expect_no_move(lab);
    assert_int_equal(fate_count(lab, VERDICT_AWAITING), 99);
}

static void if_it_helps_the_others_follow(void **state)
{
    struct lab *lab = *state;
    uint64_t request = fate_scout_goes(lab);

    uplinks_moved(lab, request, ON_FIBRE);
    lab_skip(lab);
    fate_effect(lab, 7, FAST);
    assert_int_equal(fate_count(lab, VERDICT_MIGRATE), PEERS - 1);
    fate_expect_cause(lab,
                      "home: 10 of 10 peers got slower; the first move helped: the others follow");
}

static void if_not_they_stay(void **state)
{
    struct lab *lab = *state;
    uint64_t request = fate_scout_goes(lab);
    const struct record_decision *decision;

    uplinks_moved(lab, request, ON_FIBRE);
    lab_skip(lab);
    fate_effect(lab, 7, 900 * MS);
    decision = expect_decision(lab, 1, VERDICT_COOLING);
    assert_string_equal(decision->reason->s, "home: 10 of 10 peers got slower; the move of p7, "
                                             "which went first, had the effect worse");
    assert_int_equal(1 + fate_count(lab, VERDICT_COOLING), PEERS - 1);
    lab_expect_nothing(lab, RECORD_CAUSE, __FILE__, __LINE__); /* it was recorded already */
    expect_no_move(lab);
}

/* For the cool-down, then for twice as long. */
static void then_none_for_a_while(void **state)
{
    struct lab *lab = *state;
    static const unsigned spans[] = {30, 60};
    unsigned conn = 7;

    uplinks_moved(lab, fate_scout_goes(lab), ON_FIBRE);
    fate_effect(lab, 7, 900 * MS);
    for (unsigned i = 0; i < ARRAY_SIZE(spans); i++) {
        uint64_t since_us = lab->now_us;
        const struct lab_action *move = NULL;

        while (!move) {
            fate_slow_round(lab, PEERS);
            fate_end_round(lab);
            move = lab_next_move(lab);
            assert_true(lab->now_us < since_us + (spans[i] + 11) * SEC);
        }
        assert_true(lab->now_us >= since_us + spans[i] * SEC);
        assert_int_not_equal(move->conn, conn);
        conn = (unsigned)move->conn;
        expect_no_move(lab);
        uplinks_moved(lab, move->request, ON_FIBRE);
        fate_effect(lab, conn, 900 * MS);
    }
}

static void later_ones_wait_with_them(void **state)
{
    struct lab *lab = *state;
    uint64_t request;

    fate_slow_round(lab, 9);
    fate_end_round(lab);
    request = expect_move_over(lab, 7, "up1");
    lab_skip(lab);
    lab_advise(lab, 10, PD_KIND_DEGRADED);
    expect_decision(lab, 10, VERDICT_AWAITING);
    uplinks_moved(lab, request, ON_FIBRE);
    lab_skip(lab);
    fate_effect(lab, 7, FAST);
    assert_int_equal(fate_count(lab, VERDICT_MIGRATE), PEERS - 1);
}

static void a_refused_one_is_replaced_once(void **state)
{
    struct lab *lab = *state;
    const struct lab_action *move;

    lab_answer_error(lab, fate_scout_goes(lab), NODE_NOT_MIGRATABLE);
    lab_time(lab, 2 * SEC);
    move = lab_next_move(lab);
    assert_non_null(move);
    assert_int_not_equal(move->conn, 7);
    expect_no_move(lab);
    lab_skip(lab);
    lab_answer_error(lab, move->request, NODE_NO_PATH);
    lab_time(lab, 2 * SEC);
    expect_no_move(lab);
    assert_int_equal(fate_count(lab, VERDICT_COOLING), PEERS - 2);
}

static void one_that_ends_is_replaced(void **state)
{
    struct lab *lab = *state;

    uplinks_moved(lab, fate_scout_goes(lab), ON_FIBRE);
    lab_time(lab, SEC);
    lab_fresh(lab, ON_FAST, FAST); /* so it was not fibre */
    lab_peer_down(lab, 7);
    lab_time(lab, 2 * SEC);
    assert_non_null(lab_next_move(lab));
    expect_no_move(lab);
}

static void one_without_an_answer_is_replaced(void **state)
{
    struct lab *lab = *state;

    (void)fate_scout_goes(lab);
    lab_time(lab, 8 * SEC);
    expect_outcome(lab, 7, OUTCOME_UNANSWERED);
    assert_non_null(lab_next_move(lab));
    expect_no_move(lab);
}

/* Nothing is known of the other uplinks: they are asked first. */
static void it_is_measured_first(void **state)
{
    struct lab *lab = *state;
    uint64_t probe;
    size_t since;

    lab_time(lab, 5 * SEC);
    since = lab->n_actions;
    fate_slow_round(lab, PEERS);
    fate_end_round(lab);
    expect_decision(lab, 7, VERDICT_PROBING);
    assert_int_equal(fate_count(lab, VERDICT_AWAITING), PEERS - 1);
    probe = uplinks_find_probe(lab, since, "up1");
    assert_int_not_equal(probe, 0);
    uplinks_probed(lab, probe, FAST);
    probe = uplinks_find_probe(lab, since, "up2");
    uplinks_probed(lab, probe, 0);
    lab_time(lab, 3 * SEC);
    expect_move_over(lab, 7, "up1");
    expect_no_move(lab);
}

static void and_none_is_better(void **state)
{
    struct lab *lab = *state;
    size_t since;

    lab_time(lab, 5 * SEC);
    since = lab->n_actions;
    fate_slow_round(lab, PEERS);
    fate_end_round(lab);
    lab_skip(lab);
    uplinks_probed(lab, uplinks_find_probe(lab, since, "up1"), SLOW);
    uplinks_probed(lab, uplinks_find_probe(lab, since, "up2"), SLOW);
    lab_time(lab, 3 * SEC);
    expect_no_move(lab);
    assert_int_equal(fate_count(lab, VERDICT_NO_TARGET), PEERS);
}

static void observed(void **state)
{
    struct lab *lab = *state;

    lab_observe(lab, true);
    fate_slow_round(lab, PEERS);
    fate_end_round(lab);
    expect_decision(lab, 7, VERDICT_OBSERVING);
    assert_int_equal(fate_count(lab, VERDICT_AWAITING), PEERS - 1);
    fate_expect_none_waits(lab);
}

/* What was decided already has its record. */
static void who_awaits_goes_silently(void **state)
{
    struct lab *lab = *state;

    (void)fate_scout_goes(lab);
    lab_skip(lab);
    lab_peer_down(lab, 3);
    lab_node_down(lab);
    expect_no_decision(lab);
    fate_expect_none_waits(lab);
    lab_node_up(lab, "another boot");
    lab_snapshot(lab);
    lab_time(lab, MIN);
    expect_no_move(lab);
}

static void withdrawn(void **state)
{
    struct lab *lab = *state;

    fate_slow_round(lab, PEERS);
    lab_withdraw(lab, 3);
    expect_decision(lab, 3, VERDICT_SUPERSEDED);
    fate_end_round(lab);
    assert_int_equal(1 + fate_count(lab, VERDICT_AWAITING), PEERS - 1);
    lab_withdraw(lab, 4);
    expect_no_decision(lab);
    assert_null(lab_peer(lab, 4)->moves->deferred);
}

static void told_of(void **state)
{
    struct lab *lab = *state;
    struct inspect_explain explain;

    fate_slow_round(lab, PEERS);
    assert_true(inspect_explain(lab->engine, lab->now_us, "p3", &explain));
    assert_string_equal(explain.waits,
                        "for the end of the round: do others over home get slower, too?");
    fate_end_round(lab);
    assert_true(inspect_explain(lab->engine, lab->now_us, "p3", &explain));
    assert_string_equal(explain.waits, "for the effect of the move of p7, which goes first");
    assert_int_equal(explain.verdicts[2].verdict, VERDICT_AWAITING);
}

/* Only `better` lets the others follow. Its RTT before was 50 and 450 ms. */
static void any_other_effect(void **state)
{
    struct lab *lab = *state;

    uplinks_moved(lab, fate_scout_goes(lab), ON_FIBRE);
    lab_skip(lab);
    fate_effect(lab, 7, 250 * MS);
    expect_effect(lab, 7, EFFECT_SAME);
    assert_int_equal(fate_count(lab, VERDICT_COOLING), PEERS - 1);
    expect_no_move(lab);
}

/* No row comes after the move. */
static void an_unknown_effect(void **state)
{
    struct lab *lab = *state;

    uplinks_moved(lab, fate_scout_goes(lab), ON_FIBRE);
    lab_skip(lab);
    lab_time(lab, 11 * SEC);
    expect_effect(lab, 7, EFFECT_UNKNOWN);
    assert_int_equal(fate_count(lab, VERDICT_COOLING), PEERS - 1);
    expect_no_move(lab);
}

/* Each uplink has its own scout, its own effect, and its own record. */
static void two_uplinks_at_once(void **state)
{
    struct lab *lab = *state;
    uint64_t home, sat;

    for (uint64_t conn = 11; conn <= 16; conn++)
        uplinks_peer(lab, conn, ON_SAT);
    fate_slow_round(lab, SLOW_ALL);
    expect_no_decision(lab);
    fate_end_round(lab);
    home = expect_move_over(lab, 7, "up1");
    sat = expect_move_over(lab, 11, "up1");
    expect_no_move(lab);
    fate_expect_cause(lab, "home: 10 of 10 peers got slower; p7 goes first");
    fate_expect_cause(lab, "sat: 6 of 6 peers got slower; p11 goes first");
    lab_skip(lab);
    uplinks_moved(lab, home, ON_FIBRE);
    uplinks_moved(lab, sat, ON_FIBRE);
    fate_effect(lab, 11, FAST);
    assert_int_equal(fate_count(lab, VERDICT_MIGRATE), 5);
    for (uint64_t conn = 12; conn <= 16; conn++)
        expect_move_over(lab, conn, "up1");
    fate_effect(lab, 7, 900 * MS);
    assert_int_equal(fate_count(lab, VERDICT_COOLING), PEERS - 1);
    expect_no_move(lab);
    fate_expect_none_waits(lab);
}

/* It came up on the slow link while the others wait. */
static void a_new_one_waits_with_them(void **state)
{
    struct lab *lab = *state;
    uint64_t request = fate_scout_goes(lab), decision;

    decision = expect_decision(lab, 7, VERDICT_MIGRATE)->decision;
    lab_skip(lab);
    uplinks_peer(lab, 11, ON_HOME);
    lab_advise(lab, 11, PD_KIND_DEGRADED);
    assert_int_equal(expect_decision(lab, 11, VERDICT_AWAITING)->into, decision);
    uplinks_moved(lab, request, ON_FIBRE);
    lab_skip(lab);
    fate_effect(lab, 7, FAST);
    assert_int_equal(fate_count(lab, VERDICT_MIGRATE), PEERS);
    fate_expect_none_waits(lab);
}

/* The hold of one is for that one. */
static void one_that_waits_is_held(void **state)
{
    struct lab *lab = *state;
    uint64_t request = fate_scout_goes(lab);
    const struct record *record;
    unsigned migrated = 0;

    lab_hold(lab, "p3", 0);
    uplinks_moved(lab, request, ON_FIBRE);
    lab_skip(lab);
    fate_effect(lab, 7, FAST);
    while ((record = lab_next(lab, RECORD_DECISION))) {
        bool held = record->decision.subject.conn == 3;

        assert_int_equal(record->decision.verdict, held ? VERDICT_HELD : VERDICT_MIGRATE);
        migrated += !held;
    }
    assert_int_equal(migrated, PEERS - 2);
    lab_release(lab, "p3"); /* the next row gives it again, if it is still so */
    expect_no_decision(lab);
    fate_expect_none_waits(lab);
}

static void all_are_held(void **state)
{
    struct lab *lab = *state;
    uint64_t request = fate_scout_goes(lab);

    lab_hold(lab, NULL, 0);
    uplinks_moved(lab, request, ON_FIBRE);
    lab_skip(lab);
    fate_effect(lab, 7, FAST);
    assert_int_equal(fate_count(lab, VERDICT_HELD), PEERS - 1);
    fate_expect_none_waits(lab);
    lab_release(lab, NULL);
    expect_no_move(lab);
}

static void the_mode_is_observe_meanwhile(void **state)
{
    struct lab *lab = *state;
    uint64_t request = fate_scout_goes(lab);

    lab_observe(lab, true);
    uplinks_moved(lab, request, ON_FIBRE);
    lab_skip(lab);
    fate_effect(lab, 7, FAST);
    assert_int_equal(fate_count(lab, VERDICT_OBSERVING), PEERS - 1);
    expect_no_move(lab);
    fate_expect_none_waits(lab);
}

/* It has data in flight: it waits for a quiet moment, and the others for it. */
static void a_busy_scout(void **state)
{
    struct lab *lab = *state;
    struct inspect_explain explain;

    fate_slow_round(lab, SLOW_ALL);
    lab_row(lab, 2, "srtt=450000 samples=9 in_flight=9000");
    fate_end_round(lab);
    expect_no_move(lab);
    expect_no_decision(lab);
    assert_true(inspect_explain(lab->engine, lab->now_us, "p3", &explain));
    assert_string_equal(explain.waits, "for the effect of the move of p2, which goes first");
    lab_row(lab, 2, "srtt=450000 samples=9 in_flight=0");
    expect_move_over(lab, 2, "up1");
    assert_int_equal(fate_count(lab, VERDICT_AWAITING), PEERS - 1);
}

/* The hold of it comes first: another one goes. */
static void a_busy_scout_is_held(void **state)
{
    struct lab *lab = *state;

    fate_slow_round(lab, SLOW_ALL);
    lab_row(lab, 2, "srtt=450000 samples=9 in_flight=9000");
    fate_end_round(lab);
    lab_hold(lab, "p2", 0);
    lab_skip(lab);
    lab_row(lab, 2, "srtt=450000 samples=9 in_flight=0");
    expect_decision(lab, 2, VERDICT_HELD);
    expect_move_over(lab, 7, "up1");
    expect_no_move(lab);
    assert_int_equal(fate_count(lab, VERDICT_AWAITING), PEERS - 2);
}

/* The node's socket closes and opens again, with the same boot: nobody is moved for what was
 * before, and when they are still slow a scout goes again. */
static void the_node_comes_back(void **state)
{
    struct lab *lab = *state;
    const struct lab_action *move;

    (void)fate_scout_goes(lab);
    lab_node_down(lab);
    lab_node_up(lab, "boot");
    for (uint64_t conn = 1; conn <= PEERS; conn++)
        uplinks_peer(lab, conn, ON_HOME);
    uplinks_peer(lab, ON_FAST, ON_FIBRE);
    lab_snapshot(lab);
    lab_skip(lab);
    lab_time(lab, 20 * SEC);
    expect_no_move(lab);
    fate_expect_none_waits(lab);
    fate_rows(lab, 0, 0);
    fate_end_round(lab);
    fate_slow_round(lab, SLOW_ALL);
    fate_end_round(lab);
    move = lab_next_move(lab);
    assert_non_null(move);
    assert_string_equal(move->interface, "up1");
    expect_no_move(lab);
}

/* The uplinks are other ones after a reload: what waits is decided all the same. */
static void a_reload_meanwhile(void **state)
{
    struct lab *lab = *state;
    uint64_t request = fate_scout_goes(lab);

    lab->config.shared_peers = 0;
    lab->config.n_uplinks = 3;
    uplinks_config(lab);
    uplinks_moved(lab, request, ON_FIBRE);
    lab_skip(lab);
    fate_effect(lab, 7, FAST);
    assert_int_equal(fate_count(lab, VERDICT_MIGRATE), PEERS - 1);
    fate_expect_none_waits(lab);
}

/* Another run of pathdog begins with what this one has learnt. Who went first is still cooling;
 * what waited is not known any more, and nobody is moved until the rows show it again. */
static void a_restart_meanwhile(void **state)
{
    struct lab *lab = *state;
    struct event event = {.type = EVENT_RESTORE};
    const struct lab_action *move;
    struct kept kept;

    uplinks_moved(lab, fate_scout_goes(lab), ON_FIBRE);
    lab_stop(lab);
    kept_take(&kept, lab->engine, 3);
    lab->engine = engine_free(lab->engine);
    memset(&lab->poke, 0, sizeof(lab->poke));
    lab_new_engine(lab);
    event.restore = kept.learnt;
    lab_event(lab, &event);
    kept_free(&kept);
    lab_skip(lab);
    lab_node_up(lab, "boot");
    uplinks_host(lab, "");
    for (uint64_t conn = 1; conn <= PEERS; conn++)
        uplinks_peer(lab, conn, ON_HOME); /* the node took 7 back */
    uplinks_peer(lab, ON_FAST, ON_FIBRE);
    lab_snapshot(lab);
    expect_no_move(lab);
    fate_slow_round(lab, SLOW_ALL);
    fate_end_round(lab);
    expect_decision(lab, 7, VERDICT_COOLING);
    move = lab_next_move(lab);
    assert_non_null(move);
    assert_int_not_equal(move->conn, 7);
    expect_no_move(lab);
}

/* ---- replay ---- */

static void play(struct lab *lab)
{
    uint64_t request = fate_scout_goes(lab);

    uplinks_peer(lab, 11, ON_HOME);
    lab_advise(lab, 11, PD_KIND_DEGRADED);
    lab_answer_error(lab, request, NODE_NO_PATH);
    lab_time(lab, 2 * SEC);
    lab_hold(lab, "p4", 0);
    lab_peer_down(lab, 5);
    lab_time(lab, 20 * SEC);
    for (unsigned i = 0; i < 20; i++) {
        fate_slow_round(lab, i % 7 ? SLOW_ALL : 6);
        fate_end_round(lab);
    }
    lab_stop(lab);
}

/* The same events lead to the same records and requests. */
static void the_same_again(void **state)
{
    struct lab *lab = *state, *other;
    void *other_state = NULL;

    assert_int_equal(fate_setup(&other_state), 0);
    other = other_state;
    play(lab);
    play(other);
    assert_int_equal(lab->n_records, other->n_records);
    for (size_t i = 0; i < lab->n_records; i++) {
        const struct record *a = &lab->records[i], *b = &other->records[i];

        assert_int_equal(a->type, b->type);
        if (a->type != RECORD_DECISION)
            continue;
        assert_int_equal(a->decision.subject.conn, b->decision.subject.conn);
        assert_int_equal(a->decision.decision, b->decision.decision);
        assert_int_equal(a->decision.verdict, b->decision.verdict);
        assert_int_equal(a->decision.into, b->decision.into);
        assert_string_equal(a->decision.reason->s, b->decision.reason->s);
    }
    assert_int_equal(lab->n_actions, other->n_actions);
    for (size_t i = 0; i < lab->n_actions; i++)
        assert_memory_equal(&lab->actions[i], &other->actions[i], sizeof(lab->actions[i]));
    lab_teardown(&other_state);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FATE_TEST(the_busiest_goes_first),
        FATE_TEST(one_that_does_not_report_it_is_not_the_busiest),
        FATE_TEST(so_many_that_the_list_grows),
        FATE_TEST(if_it_helps_the_others_follow),
        FATE_TEST(if_not_they_stay),
        FATE_TEST(then_none_for_a_while),
        FATE_TEST(later_ones_wait_with_them),
        FATE_TEST(a_refused_one_is_replaced_once),
        FATE_TEST(one_that_ends_is_replaced),
        FATE_TEST(one_without_an_answer_is_replaced),
        FATE_PROBE_TEST(it_is_measured_first),
        FATE_PROBE_TEST(and_none_is_better),
        FATE_TEST(observed),
        FATE_TEST(who_awaits_goes_silently),
        FATE_TEST(withdrawn),
        FATE_TEST(told_of),
        FATE_TEST(any_other_effect),
        FATE_TEST(an_unknown_effect),
        FATE_TEST(two_uplinks_at_once),
        FATE_TEST(a_new_one_waits_with_them),
        FATE_TEST(one_that_waits_is_held),
        FATE_TEST(all_are_held),
        FATE_TEST(the_mode_is_observe_meanwhile),
        FATE_TEST(a_busy_scout),
        FATE_TEST(a_busy_scout_is_held),
        FATE_TEST(the_node_comes_back),
        FATE_TEST(a_reload_meanwhile),
        FATE_TEST(a_restart_meanwhile),
        FATE_TEST(the_same_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
