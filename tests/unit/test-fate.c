/* SPDX-License-Identifier: Apache-2.0 */
/* engine/stages/fate.[ch]: do most connections of an uplink get slow at once? What then, is in
 * test-scout.c. */
#include "fate-lab.h"

static void nobody_is_moved_to_nowhere(void **state)
{
    struct lab *lab = *state;

    fate_slow_round(lab, PEERS);
    expect_no_decision(lab);
    fate_end_round(lab);
    expect_no_move(lab);
    assert_string_equal(expect_decision(lab, 1, VERDICT_NO_TARGET)->reason->s,
                        "home: 10 of 10 peers got slower; no other uplink is known to be faster");
    assert_int_equal(1 + fate_count(lab, VERDICT_NO_TARGET), PEERS);
    fate_expect_cause(lab,
                      "home: 10 of 10 peers got slower; no other uplink is known to be faster");
    lab_expect_nothing(lab, RECORD_CAUSE, __FILE__, __LINE__);
}

/* One event, one record, as long as it lasts. */
static void the_cause_is_recorded_once(void **state)
{
    struct lab *lab = *state;

    fate_slow_round(lab, PEERS);
    fate_end_round(lab);
    for (unsigned i = 0; i < 8; i++) {
        fate_slow_round(lab, i % 2 ? PEERS : 0);
        fate_rows(lab, PEERS, SLOW);
        fate_end_round(lab);
        lab_expect_nothing(lab, RECORD_CAUSE, __FILE__, __LINE__);
        expect_no_move(lab);
    }
    for (unsigned i = 0; i < 8; i++) { /* and when it was over it is another one */
        lab_time(lab, 5 * SEC);
        fate_rows(lab, 0, 0);
        fate_end_round(lab);
    }
    fate_slow_round(lab, PEERS);
    fate_end_round(lab);
    fate_expect_cause(lab,
                      "home: 10 of 10 peers got slower; no other uplink is known to be faster");
}

static void four_fifths_are_needed(void **state)
{
    struct lab *lab = *state;

    fate_slow_round(lab, 8);
    fate_end_round(lab);
    assert_int_equal(fate_count(lab, VERDICT_NO_TARGET), 8);
    fate_expect_cause(lab, "home: 8 of 10 peers got slower; no other uplink is known to be faster");
}

/* More than half: the others may be later. */
static void doubtful_for_one_round(void **state)
{
    struct lab *lab = *state;

    fate_slow_round(lab, 7);
    fate_end_round(lab);
    expect_no_decision(lab);
    lab_time(lab, 5 * SEC);
    fate_rows(lab, 7, SLOW);
    fate_end_round(lab);
    assert_int_equal(fate_count(lab, VERDICT_MIGRATE), 7);
    lab_expect_nothing(lab, RECORD_CAUSE, __FILE__, __LINE__);
}

/* Their strikes are one round apart: those of the first round wait for the others. */
static void they_come_in_two_rounds(void **state)
{
    struct lab *lab = *state;

    lab_time(lab, 5 * SEC);
    fate_rows(lab, 6, SLOW);
    for (uint64_t conn = 1; conn <= 5; conn++)
        lab_advise(lab, conn, PD_KIND_DEGRADED);
    fate_end_round(lab);
    expect_no_decision(lab);
    lab_time(lab, 5 * SEC);
    fate_rows(lab, PEERS, SLOW);
    for (uint64_t conn = 6; conn <= PEERS; conn++)
        lab_advise(lab, conn, PD_KIND_DEGRADED);
    fate_end_round(lab);
    expect_no_move(lab);
    assert_int_equal(fate_count(lab, VERDICT_NO_TARGET), PEERS);
}

/* Less than half: moved at the end of the same round. */
static void outliers_are_moved(void **state)
{
    struct lab *lab = *state;

    fate_slow_round(lab, 2);
    expect_no_move(lab);
    fate_end_round(lab);
    expect_migrate(lab, 1);
    expect_migrate(lab, 2);
    assert_int_equal(fate_count(lab, VERDICT_MIGRATE), 2);
}

static void small_groups_are_not_evaluated(void **state)
{
    struct lab *lab = *state;

    for (uint64_t conn = 5; conn <= PEERS; conn++)
        lab_peer_down(lab, conn);
    fate_slow_round(lab, 4);
    assert_int_equal(fate_count(lab, VERDICT_MIGRATE), 4);
}

static void switched_off(void **state)
{
    struct lab *lab = *state;

    lab->config.shared_peers = 0;
    uplinks_config(lab);
    fate_slow_round(lab, PEERS);
    assert_int_equal(fate_count(lab, VERDICT_MIGRATE), PEERS);
}

static void without_a_complete_round(void **state)
{
    struct lab *lab = *state;

    fate_slow_round(lab, PEERS);
    lab_time(lab, 14 * SEC);
    expect_no_decision(lab);
    lab_time(lab, SEC);
    assert_int_equal(fate_count(lab, VERDICT_NO_TARGET), PEERS);
}

static void moved_and_dead_do_not_wait(void **state)
{
    struct lab *lab = *state;

    fate_slow_round(lab, PEERS);
    lab_advise(lab, 3, PD_KIND_MOVED);
    expect_migrate(lab, 3);
    lab_advise(lab, 4, PD_KIND_DEAD);
    assert_int_equal(lab_next_move(lab)->conn, 4);
}

static void who_goes_is_gone(void **state)
{
    struct lab *lab = *state;

    fate_slow_round(lab, PEERS);
    lab_peer_down(lab, 3);
    expect_decision(lab, 3, VERDICT_GONE);
    lab_node_down(lab);
    assert_int_equal(fate_count(lab, VERDICT_GONE), PEERS - 1);
}

static void stopped(void **state)
{
    struct lab *lab = *state;

    fate_slow_round(lab, PEERS);
    lab_stop(lab);
    assert_int_equal(fate_count(lab, VERDICT_EXPIRED), PEERS);
}

/* The boundary, to one connection of a hundred. */
static void exactly_four_fifths(void **state)
{
    struct lab *lab = *state;

    for (uint64_t conn = PEERS + 1; conn <= 100; conn++)
        uplinks_peer(lab, conn, ON_HOME);
    for (uint64_t slow = 79; slow <= 80; slow++) {
        fate_slow_round(lab, slow);
        fate_end_round(lab);
        lab_time(lab, 5 * SEC); /* 79 are doubtful for one more round */
        fate_rows(lab, slow, SLOW);
        fate_end_round(lab);
        if (slow == 80) {
            assert_int_equal(fate_count(lab, VERDICT_NO_TARGET), 80);
            expect_no_move(lab);
            fate_expect_cause(
                lab, "home: 80 of 100 peers got slower; no other uplink is known to be faster");
            continue;
        }
        assert_int_equal(fate_count(lab, VERDICT_MIGRATE), 79);
        lab_expect_nothing(lab, RECORD_CAUSE, __FILE__, __LINE__);
        while (lab_next_move(lab))
            ;
        lab_time(lab, MIN); /* unanswered, and their back-off is over */
        for (unsigned i = 0; i < 6; i++) {
            lab_time(lab, 5 * SEC);
            fate_rows(lab, 0, 0);
            fate_end_round(lab);
        }
    }
}

/* Only those count that were measured in the round: here four of ten. */
static void who_was_not_measured_does_not_count(void **state)
{
    struct lab *lab = *state;
    const struct peer *peer;

    lab_time(lab, 5 * SEC);
    lab_skip(lab);
    for (uint64_t conn = 1; conn <= 4; conn++) {
        lab_fresh(lab, conn, SLOW);
        lab_advise(lab, conn, PD_KIND_DEGRADED);
    }
    for (uint32_t i = 0; (peer = peers_next(lab->engine, &i));)
        if (peer->view.conn > 4)
            lab_row(lab, peer->view.conn, "srtt=50000 samples=1");
    fate_end_round(lab);
    assert_int_equal(fate_count(lab, VERDICT_MIGRATE), 4);
    lab_expect_nothing(lab, RECORD_CAUSE, __FILE__, __LINE__);
}

/* What is deferred is decided by the new configuration. */
static void switched_off_meanwhile(void **state)
{
    struct lab *lab = *state;

    fate_slow_round(lab, PEERS);
    lab->config.shared_peers = 0;
    uplinks_config(lab);
    fate_end_round(lab);
    assert_int_equal(fate_count(lab, VERDICT_MIGRATE), PEERS);
}

/* Above a thousand the journal has the cause in their stead. */
static void many_are_one_record(void **state)
{
    struct lab *lab = *state;
    const struct record *record;
    unsigned n = 0;

    for (uint64_t conn = 2000; conn < 3100; conn++)
        uplinks_peer(lab, conn, ON_HOME);
    fate_slow_round(lab, SLOW_ALL);
    fate_end_round(lab);
    for (unsigned i = 0; i < 2; i++) { /* again in the same event, when there is no new record */
        while ((record = lab_next(lab, RECORD_DECISION))) {
            assert_true(record->bulk);
            n++;
        }
        if (i == 0)
            fate_expect_cause(
                lab, "home: 1110 of 1110 peers got slower; no other uplink is known to be faster");
        lab_expect_nothing(lab, RECORD_CAUSE, __FILE__, __LINE__);
        lab_time(lab, 5 * SEC);
        fate_slow_round(lab, SLOW_ALL);
        fate_end_round(lab);
    }
    assert_true(n >= 1110);
    expect_no_move(lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FATE_ALONE_TEST(nobody_is_moved_to_nowhere),
        FATE_ALONE_TEST(the_cause_is_recorded_once),
        FATE_ALONE_TEST(four_fifths_are_needed),
        FATE_ALONE_TEST(doubtful_for_one_round),
        FATE_ALONE_TEST(they_come_in_two_rounds),
        FATE_ALONE_TEST(outliers_are_moved),
        FATE_ALONE_TEST(small_groups_are_not_evaluated),
        FATE_ALONE_TEST(switched_off),
        FATE_ALONE_TEST(without_a_complete_round),
        FATE_TEST(moved_and_dead_do_not_wait),
        FATE_TEST(who_goes_is_gone),
        FATE_TEST(stopped),
        FATE_ALONE_TEST(exactly_four_fifths),
        FATE_ALONE_TEST(who_was_not_measured_does_not_count),
        FATE_ALONE_TEST(switched_off_meanwhile),
        FATE_ALONE_TEST(many_are_one_record),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
