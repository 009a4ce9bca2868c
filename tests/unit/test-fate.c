/* SPDX-License-Identifier: Apache-2.0 */
/* engine/stages/fate.[ch]: when many connections over one uplink get slow at once. Connections 1 to
 * 10 are on home; 20 is on fibre, which is fast. */
#include "uplinks-lab.h"

#include "engine/stages/fate.h"

#define PEERS 10u
#define FAST  (50 * MS)
#define SLOW  (450 * MS)

static int setup_lab(void **state, uint32_t features, bool fibre)
{
    struct lab *lab = memory_new(1, sizeof(*lab));

    uplinks_init(lab, features);
    lab->config.shared_peers = 5;
    lab->config.shared_fraction = 800;
    lab->config.cooldown_us = 30 * SEC;
    lab->config.returns = RETURN_NEVER;
    uplinks_begin(lab);
    for (uint64_t conn = 2; conn <= PEERS; conn++)
        uplinks_peer(lab, conn, ON_HOME);
    if (fibre)
        uplinks_peer(lab, 20, ON_FIBRE);
    lab_skip(lab);
    *state = lab;
    return 0;
}

static int setup(void **state)
{
    return setup_lab(state, BINDS, true);
}

static int setup_alone(void **state)
{
    return setup_lab(state, BINDS, false);
}

static int setup_probes(void **state)
{
    return setup_lab(state, PROBES, false);
}

static uint64_t poll_of_all(const struct lab *lab)
{
    for (size_t i = lab->n_actions; i-- > 0;)
        if (lab->actions[i].type == ACTION_SUMMARY && lab->actions[i].all)
            return lab->actions[i].poll;
    fail_msg("no poll of all");
    return 0;
}

static void end_round(struct lab *lab)
{
    lab_summary_done(lab, poll_of_all(lab), false);
    lab_event(lab, &(struct event){.type = EVENT_TIMER}); /* what is due at once */
}

static void rows(struct lab *lab, uint64_t n_slow, uint64_t rtt_us)
{
    char text[96];

    for (uint64_t conn = 1; conn <= PEERS; conn++) {
        const struct peer *peer = peers_find(lab->engine, conn);

        if (!peer || peer->state != PEER_UP)
            continue;
        snprintf(text, sizeof(text), "srtt=%lu latest=%lu samples=%u sent=%u",
                 (unsigned long)(conn <= n_slow ? rtt_us : FAST),
                 (unsigned long)(conn <= n_slow ? rtt_us : FAST), peer->rtt_samples + 1,
                 conn == 7 ? 9000 : 1000);
        lab_row(lab, conn, text);
    }
    if (peers_find(lab->engine, 20))
        lab_fresh(lab, 20, FAST);
}

/* A round in which the first so many are slow, and those on home are advised so; it is not
 * complete. */
static void slow_round(struct lab *lab, uint64_t n_slow)
{
    lab_time(lab, 5 * SEC);
    lab_skip(lab);
    rows(lab, n_slow, SLOW);
    for (uint64_t conn = 1; conn <= n_slow; conn++)
        if (peers_find(lab->engine, conn) && lab_peer(lab, conn)->uplink == 1)
            lab_advise(lab, conn, PD_KIND_DEGRADED);
}

static void expect_cause(struct lab *lab, const char *reason)
{
    const struct record *record = lab_next(lab, RECORD_CAUSE);

    assert_non_null(record);
    assert_string_equal(record->cause->trigger, "shared");
    assert_string_equal(record->cause->reason->s, reason);
}

static unsigned count(struct lab *lab, enum verdict verdict)
{
    const struct record *record;
    unsigned n = 0;

    while ((record = lab_next(lab, RECORD_DECISION)))
        n += record->decision.verdict == verdict && !record->decision.repeats;
    return n;
}

/* All are slow, 7 goes first: its request. */
static uint64_t first_goes(struct lab *lab)
{
    slow_round(lab, PEERS);
    expect_no_decision(lab);
    end_round(lab);
    return expect_move_over(lab, 7, "up1");
}

/* Its effect, by three rows. */
static void effect(struct lab *lab, uint64_t conn, uint64_t rtt_us)
{
    for (unsigned i = 0; i < 3; i++)
        lab_fresh(lab, conn, rtt_us);
    lab_event(lab, &(struct event){.type = EVENT_TIMER});
}

/* ---- without another uplink ---- */

static void nobody_is_moved_to_nowhere(void **state)
{
    struct lab *lab = *state;

    slow_round(lab, PEERS);
    expect_no_decision(lab);
    end_round(lab);
    expect_no_move(lab);
    assert_int_equal(count(lab, VERDICT_NO_TARGET), PEERS);
    expect_cause(lab, "home: 10 of 10 peers got slower; no other uplink is known to be faster");
    lab_expect_nothing(lab, RECORD_CAUSE, __FILE__, __LINE__);
}

/* One event, one record, as long as it lasts. */
static void the_cause_is_recorded_once(void **state)
{
    struct lab *lab = *state;

    slow_round(lab, PEERS);
    end_round(lab);
    for (unsigned i = 0; i < 8; i++) {
        slow_round(lab, i % 2 ? PEERS : 0);
        rows(lab, PEERS, SLOW);
        end_round(lab);
        lab_expect_nothing(lab, RECORD_CAUSE, __FILE__, __LINE__);
        expect_no_move(lab);
    }
    for (unsigned i = 0; i < 8; i++) { /* and when it was over it is another one */
        lab_time(lab, 5 * SEC);
        rows(lab, 0, 0);
        end_round(lab);
    }
    slow_round(lab, PEERS);
    end_round(lab);
    expect_cause(lab, "home: 10 of 10 peers got slower; no other uplink is known to be faster");
}

static void four_fifths_are_needed(void **state)
{
    struct lab *lab = *state;

    slow_round(lab, 8);
    end_round(lab);
    assert_int_equal(count(lab, VERDICT_NO_TARGET), 8);
    expect_cause(lab, "home: 8 of 10 peers got slower; no other uplink is known to be faster");
}

/* More than half: the others may be later. */
static void doubtful_for_one_round(void **state)
{
    struct lab *lab = *state;

    slow_round(lab, 7);
    end_round(lab);
    expect_no_decision(lab);
    lab_time(lab, 5 * SEC);
    rows(lab, 7, SLOW);
    end_round(lab);
    assert_int_equal(count(lab, VERDICT_MIGRATE), 7);
    lab_expect_nothing(lab, RECORD_CAUSE, __FILE__, __LINE__);
}

/* Their strikes are one round apart: those of the first round wait for the others. */
static void they_come_in_two_rounds(void **state)
{
    struct lab *lab = *state;

    lab_time(lab, 5 * SEC);
    rows(lab, 6, SLOW);
    for (uint64_t conn = 1; conn <= 5; conn++)
        lab_advise(lab, conn, PD_KIND_DEGRADED);
    end_round(lab);
    expect_no_decision(lab);
    lab_time(lab, 5 * SEC);
    rows(lab, PEERS, SLOW);
    for (uint64_t conn = 6; conn <= PEERS; conn++)
        lab_advise(lab, conn, PD_KIND_DEGRADED);
    end_round(lab);
    expect_no_move(lab);
    assert_int_equal(count(lab, VERDICT_NO_TARGET), PEERS);
}

/* Less than half: moved at the end of the same round. */
static void outliers_are_moved(void **state)
{
    struct lab *lab = *state;

    slow_round(lab, 2);
    expect_no_move(lab);
    end_round(lab);
    expect_migrate(lab, 1);
    expect_migrate(lab, 2);
    assert_int_equal(count(lab, VERDICT_MIGRATE), 2);
}

static void small_groups_are_not_judged(void **state)
{
    struct lab *lab = *state;

    for (uint64_t conn = 5; conn <= PEERS; conn++)
        lab_peer_down(lab, conn);
    slow_round(lab, 4);
    assert_int_equal(count(lab, VERDICT_MIGRATE), 4);
}

static void switched_off(void **state)
{
    struct lab *lab = *state;

    lab->config.shared_peers = 0;
    uplinks_config(lab);
    slow_round(lab, PEERS);
    assert_int_equal(count(lab, VERDICT_MIGRATE), PEERS);
}

static void without_a_complete_round(void **state)
{
    struct lab *lab = *state;

    slow_round(lab, PEERS);
    lab_time(lab, 14 * SEC);
    expect_no_decision(lab);
    lab_time(lab, SEC);
    assert_int_equal(count(lab, VERDICT_NO_TARGET), PEERS);
}

/* ---- one goes first ---- */

static void the_busiest_goes_first(void **state)
{
    struct lab *lab = *state;
    const struct record *record;
    uint64_t decision;

    (void)first_goes(lab);
    expect_no_move(lab);
    decision = expect_decision(lab, 7, VERDICT_MIGRATE)->decision;
    while ((record = lab_next(lab, RECORD_DECISION))) {
        assert_int_equal(record->decision.verdict, VERDICT_AWAITING);
        assert_int_equal(record->decision.into, decision);
    }
    expect_cause(lab, "home: 10 of 10 peers got slower; p7 goes first");
}

static void if_it_helps_the_others_follow(void **state)
{
    struct lab *lab = *state;
    uint64_t request = first_goes(lab);

    uplinks_moved(lab, request, ON_FIBRE);
    lab_skip(lab);
    effect(lab, 7, FAST);
    assert_int_equal(count(lab, VERDICT_MIGRATE), PEERS - 1);
    expect_cause(lab, "home: 10 of 10 peers got slower; the first move helped: the others follow");
}

static void if_not_they_stay(void **state)
{
    struct lab *lab = *state;
    uint64_t request = first_goes(lab);
    const struct record_decision *decision;

    uplinks_moved(lab, request, ON_FIBRE);
    lab_skip(lab);
    effect(lab, 7, 900 * MS);
    decision = expect_decision(lab, 1, VERDICT_COOLING);
    assert_string_equal(decision->reason->s, "home: 10 of 10 peers got slower; the move of p7, "
                                             "which went first, had the effect worse");
    assert_int_equal(1 + count(lab, VERDICT_COOLING), PEERS - 1);
    expect_cause(lab, "home: 10 of 10 peers got slower; the move of p7, which went first, had the "
                      "effect worse");
    expect_no_move(lab);
}

/* For the cool-down, then for twice as long. */
static void then_none_for_a_while(void **state)
{
    struct lab *lab = *state;
    static const unsigned spans[] = {30, 60};
    unsigned conn = 7;

    uplinks_moved(lab, first_goes(lab), ON_FIBRE);
    effect(lab, 7, 900 * MS);
    for (unsigned i = 0; i < ARRAY_SIZE(spans); i++) {
        uint64_t since_us = lab->now_us;
        const struct lab_action *move = NULL;

        while (!move) {
            slow_round(lab, PEERS);
            end_round(lab);
            move = lab_next_move(lab);
            assert_true(lab->now_us < since_us + (spans[i] + 11) * SEC);
        }
        assert_true(lab->now_us >= since_us + spans[i] * SEC);
        assert_int_not_equal(move->conn, conn);
        conn = (unsigned)move->conn;
        expect_no_move(lab);
        uplinks_moved(lab, move->request, ON_FIBRE);
        effect(lab, conn, 900 * MS);
    }
}

static void later_ones_wait_with_them(void **state)
{
    struct lab *lab = *state;
    uint64_t request;

    slow_round(lab, 9);
    end_round(lab);
    request = expect_move_over(lab, 7, "up1");
    lab_skip(lab);
    lab_advise(lab, 10, PD_KIND_DEGRADED);
    expect_decision(lab, 10, VERDICT_AWAITING);
    uplinks_moved(lab, request, ON_FIBRE);
    lab_skip(lab);
    effect(lab, 7, FAST);
    assert_int_equal(count(lab, VERDICT_MIGRATE), PEERS - 1);
}

static void a_refused_one_is_replaced_once(void **state)
{
    struct lab *lab = *state;
    const struct lab_action *move;

    lab_answer_error(lab, first_goes(lab), NODE_NOT_MIGRATABLE);
    lab_time(lab, 2 * SEC);
    move = lab_next_move(lab);
    assert_non_null(move);
    assert_int_not_equal(move->conn, 7);
    expect_no_move(lab);
    lab_skip(lab);
    lab_answer_error(lab, move->request, NODE_NO_PATH);
    lab_time(lab, 2 * SEC);
    expect_no_move(lab);
    assert_int_equal(count(lab, VERDICT_COOLING), PEERS - 2);
}

static void one_that_ends_is_replaced(void **state)
{
    struct lab *lab = *state;

    uplinks_moved(lab, first_goes(lab), ON_FIBRE);
    lab_time(lab, SEC);
    lab_fresh(lab, 20, FAST); /* so it was not fibre */
    lab_peer_down(lab, 7);
    lab_time(lab, 2 * SEC);
    assert_non_null(lab_next_move(lab));
    expect_no_move(lab);
}

static void one_without_an_answer_is_replaced(void **state)
{
    struct lab *lab = *state;

    (void)first_goes(lab);
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
    slow_round(lab, PEERS);
    end_round(lab);
    expect_decision(lab, 7, VERDICT_PROBING);
    assert_int_equal(count(lab, VERDICT_AWAITING), PEERS - 1);
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
    slow_round(lab, PEERS);
    end_round(lab);
    lab_skip(lab);
    uplinks_probed(lab, uplinks_find_probe(lab, since, "up1"), SLOW);
    uplinks_probed(lab, uplinks_find_probe(lab, since, "up2"), SLOW);
    lab_time(lab, 3 * SEC);
    expect_no_move(lab);
    assert_int_equal(count(lab, VERDICT_NO_TARGET), PEERS);
}

static void observed(void **state)
{
    struct lab *lab = *state;

    lab_observe(lab, true);
    slow_round(lab, PEERS);
    end_round(lab);
    expect_decision(lab, 7, VERDICT_OBSERVING);
    assert_int_equal(count(lab, VERDICT_AWAITING), PEERS - 1);
    for (uint64_t conn = 1; conn <= PEERS; conn++)
        assert_null(lab_peer(lab, conn)->moves->deferred);
}

/* ---- what else happens meanwhile ---- */

static void moved_and_dead_do_not_wait(void **state)
{
    struct lab *lab = *state;

    slow_round(lab, PEERS);
    lab_advise(lab, 3, PD_KIND_MOVED);
    expect_migrate(lab, 3);
    lab_advise(lab, 4, PD_KIND_DEAD);
    assert_int_equal(lab_next_move(lab)->conn, 4);
}

static void who_goes_is_gone(void **state)
{
    struct lab *lab = *state;

    slow_round(lab, PEERS);
    lab_peer_down(lab, 3);
    expect_decision(lab, 3, VERDICT_GONE);
    lab_node_down(lab);
    assert_int_equal(count(lab, VERDICT_GONE), PEERS - 1);
}

/* What was decided already has its record. */
static void who_awaits_goes_silently(void **state)
{
    struct lab *lab = *state;

    (void)first_goes(lab);
    lab_skip(lab);
    lab_peer_down(lab, 3);
    lab_node_down(lab);
    expect_no_decision(lab);
    for (uint64_t conn = 1; conn <= PEERS; conn++)
        if (peers_find(lab->engine, conn))
            assert_null(lab_peer(lab, conn)->moves->deferred);
    lab_node_up(lab, "another boot");
    lab_snapshot(lab);
    lab_time(lab, MIN);
    expect_no_move(lab);
}

static void withdrawn(void **state)
{
    struct lab *lab = *state;

    slow_round(lab, PEERS);
    lab_withdraw(lab, 3);
    expect_decision(lab, 3, VERDICT_SUPERSEDED);
    end_round(lab);
    assert_int_equal(1 + count(lab, VERDICT_AWAITING), PEERS - 1);
    lab_withdraw(lab, 4);
    expect_no_decision(lab);
    assert_null(lab_peer(lab, 4)->moves->deferred);
}

static void stopped(void **state)
{
    struct lab *lab = *state;

    slow_round(lab, PEERS);
    lab_stop(lab);
    assert_int_equal(count(lab, VERDICT_EXPIRED), PEERS);
}

static void told_of(void **state)
{
    struct lab *lab = *state;
    struct inspect_explain explain;

    slow_round(lab, PEERS);
    assert_true(inspect_explain(lab->engine, lab->now_us, "p3", &explain));
    assert_string_equal(explain.waits,
                        "for the end of the round: do others over home get slower, too?");
    end_round(lab);
    assert_true(inspect_explain(lab->engine, lab->now_us, "p3", &explain));
    assert_string_equal(explain.waits, "for the effect of the move of p7, which goes first");
    assert_int_equal(explain.verdicts[2].verdict, VERDICT_AWAITING);
}

#define TEST(function)       cmocka_unit_test_setup_teardown(function, setup, lab_teardown)
#define TEST_ALONE(function) cmocka_unit_test_setup_teardown(function, setup_alone, lab_teardown)
#define TEST_PROBE(function) cmocka_unit_test_setup_teardown(function, setup_probes, lab_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_ALONE(nobody_is_moved_to_nowhere),
        TEST_ALONE(the_cause_is_recorded_once),
        TEST_ALONE(four_fifths_are_needed),
        TEST_ALONE(doubtful_for_one_round),
        TEST_ALONE(they_come_in_two_rounds),
        TEST_ALONE(outliers_are_moved),
        TEST_ALONE(small_groups_are_not_judged),
        TEST_ALONE(switched_off),
        TEST_ALONE(without_a_complete_round),
        TEST(the_busiest_goes_first),
        TEST(if_it_helps_the_others_follow),
        TEST(if_not_they_stay),
        TEST(then_none_for_a_while),
        TEST(later_ones_wait_with_them),
        TEST(a_refused_one_is_replaced_once),
        TEST(one_that_ends_is_replaced),
        TEST(one_without_an_answer_is_replaced),
        TEST_PROBE(it_is_measured_first),
        TEST_PROBE(and_none_is_better),
        TEST(observed),
        TEST(moved_and_dead_do_not_wait),
        TEST(who_goes_is_gone),
        TEST(who_awaits_goes_silently),
        TEST(withdrawn),
        TEST(stopped),
        TEST(told_of),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
