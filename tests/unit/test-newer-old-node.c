/* SPDX-License-Identifier: Apache-2.0 */
/* The newer word, where the node knows no cancel, or where the connection, the socket or the peer
 * is not free for it. */
#include "newer-lab.h"

/* ---- a node that does not know it ---- */

/* It is busy with the old request: the new one is asked when that is over. */
static void old_node_is_busy(void **state)
{
    struct lab *lab = *state;
    uint64_t first, second = taken_back(lab, &first);
    const struct lab_action *again;

    assert_null(lab_find_action(lab, ACTION_CANCEL));
    lab_answer_error(lab, second, NODE_BUSY);
    expect_outcome(lab, 17, OUTCOME_BUSY);
    lab_time(lab, 3 * SEC);
    expect_no_move(lab); /* instead of attempts that are refused */
    lab_answer_error(lab, first, NODE_TIMEOUT);
    lab_time(lab, 0);
    again = lab_next_move(lab);
    assert_non_null(again);
    assert_string_equal(again->reason, "two");
    lab_answer_ok(lab, again->request);
    assert_int_equal(expect_outcome(lab, 17, OUTCOME_MIGRATED)->attempt, 2);
}

/* It counts among no retries. */
static void old_node_retries(void **state)
{
    struct lab *lab = *state;
    uint64_t first, second = taken_back(lab, &first);

    lab_answer_error(lab, second, NODE_BUSY);
    lab_answer_error(lab, first, NODE_TIMEOUT);
    lab_time(lab, 0);
    for (unsigned i = 0; i < 3; i++) {
        lab_answer_error(lab, expect_migrate(lab, 17), NODE_BUSY); /* with something else */
        lab_time(lab, 10 * MS);
        expect_no_move(lab);
        lab_time(lab, 2 * SEC);
    }
    expect_no_move(lab);
}

/* The connection moved to where the network led before: the new one is asked nevertheless. */
static void old_node_migrates_late(void **state)
{
    struct lab *lab = *state;
    uint64_t first, second = taken_back(lab, &first);

    lab_answer_error(lab, second, NODE_BUSY);
    lab_answer(lab, &(struct event_answer){.request = first, .ok = true, .local = "10.0.7.7:1"});
    lab_time(lab, 0);
    lab_answer_ok(lab, expect_migrate(lab, 17));
    lab_skip(lab);
    assert_string_equal(lab_peer(lab, 17)->view.path->local_text, "10.0.2.2:51313");
}

/* It never answers the old one: its time is over then. */
static void old_node_never_answers(void **state)
{
    struct lab *lab = *state;
    uint64_t first, second = taken_back(lab, &first);

    lab_answer_error(lab, second, NODE_BUSY);
    lab_time(lab, 6 * SEC - 1);
    expect_no_move(lab);
    lab_time(lab, 1);
    lab_answer_error(lab, expect_migrate(lab, 17), NODE_BUSY);
    lab_time(lab, 100 * MS); /* as ever: it is not waited for twice */
    expect_migrate(lab, 17);
}

/* Two were taken back, and the node is busy with the first of them. */
static void old_node_two_in_a_row(void **state)
{
    struct lab *lab = *state;
    uint64_t first, second = taken_back(lab, &first), third;

    lab_time(lab, 10 * MS);
    moved(lab, 17, "three");
    third = expect_migrate(lab, 17);
    lab_answer_error(lab, second, NODE_BUSY);
    lab_answer_error(lab, third, NODE_BUSY);
    lab_time(lab, SEC);
    expect_no_move(lab);
    lab_answer_error(lab, first, NODE_TIMEOUT);
    lab_time(lab, 0);
    expect_migrate(lab, 17);
}

/* While it waits there is no request, and newer advice takes its place as ever. */
static void old_node_and_a_third(void **state)
{
    struct lab *lab = *state;
    uint64_t first, second = taken_back(lab, &first);

    lab_answer_error(lab, second, NODE_BUSY);
    lab_skip(lab);
    lab_time(lab, 10 * MS);
    moved(lab, 17, "three");
    expect_decision(lab, 17, VERDICT_MIGRATE);
    lab_answer_error(lab, expect_migrate(lab, 17), NODE_BUSY);
    lab_time(lab, SEC);
    expect_no_move(lab);
    lab_answer_error(lab, first, NODE_TIMEOUT);
    lab_time(lab, 0);
    assert_string_equal(lab_next_move(lab)->reason, "three");
}

/* ---- something ends, or is held ---- */

static void the_connection_ends(void **state)
{
    struct lab *lab = *state;
    uint64_t first, second = taken_back(lab, &first);

    lab_peer_down(lab, 17);
    assert_int_equal(expect_outcome(lab, 17, OUTCOME_GONE)->request, second);
    lab_answer_error(lab, first, CANCELLED);
    lab_answer_error(lab, second, NODE_NO_CONN);
    expect_no_outcome(lab);
    lab_peer_up(lab, "a", 18);
    expect_no_decision(lab); /* it was no reconnect: whatever ended it was not ours */
}

static void it_ends_while_it_waits(void **state)
{
    struct lab *lab = *state;
    uint64_t first, second = taken_back(lab, &first);

    lab_answer_error(lab, second, NODE_BUSY);
    lab_peer_down(lab, 17);
    assert_int_equal(engine_counts(lab->engine).retrying, 0);
    lab_answer_error(lab, first, NODE_TIMEOUT);
    lab_time(lab, 10 * SEC);
    expect_no_move(lab);
}

/* Answers to what was asked before are never told on another socket. */
static void the_link_is_lost(void **state)
{
    struct lab *lab = *state;
    uint64_t first;

    (void)taken_back(lab, &first);
    lab_node_down(lab);
    expect_outcome(lab, 17, OUTCOME_LINK_LOST);
    lab_node_up(lab, "boot");
    lab_peer_up(lab, "a", 17);
    lab_snapshot(lab);
    lab_time(lab, 0);
    lab_answer_error(lab, expect_migrate(lab, 17), NODE_BUSY);
    lab_time(lab, 100 * MS);
    expect_migrate(lab, 17);
}

/* What waits for a late answer goes on when the socket is back. */
static void it_is_lost_while_it_waits(void **state)
{
    struct lab *lab = *state;
    uint64_t first, second = taken_back(lab, &first);

    lab_answer_error(lab, second, NODE_BUSY);
    lab_node_down(lab);
    lab_node_up(lab, "boot");
    lab_peer_up(lab, "a", 17);
    lab_snapshot(lab);
    lab_time(lab, 0);
    expect_migrate(lab, 17);
}

/* An operator holds the peer: what is open goes on, and the newer word waits for the release. */
static void it_is_held(void **state)
{
    struct lab *lab = *state;
    uint64_t first;

    moved(lab, 17, "one");
    first = expect_migrate(lab, 17);
    lab_skip(lab);
    lab_time(lab, 10 * MS);
    lab_hold(lab, "a", 0);
    moved(lab, 17, "two");
    expect_decision(lab, 17, VERDICT_HELD);
    assert_null(lab_find_action(lab, ACTION_CANCEL));
    lab_answer_error(lab, first, NODE_TIMEOUT);
    expect_outcome(lab, 17, OUTCOME_TIMEOUT);
    expect_no_move(lab);
    lab_release(lab, "a");
    assert_string_equal(expect_decision(lab, 17, VERDICT_MIGRATE)->reason->s, "two");
}

static void it_is_observed(void **state)
{
    struct lab *lab = *state;

    moved(lab, 17, "one");
    lab_skip(lab);
    lab_time(lab, 10 * MS);
    lab_observe(lab, true);
    moved(lab, 17, "two");
    expect_decision(lab, 17, VERDICT_OBSERVING);
    assert_null(lab_find_action(lab, ACTION_CANCEL));
    expect_no_outcome(lab);
}

/* And while the next attempt of the older one waits. */
static void it_is_held_between_attempts(void **state)
{
    struct lab *lab = *state;

    moved(lab, 17, "one");
    lab_answer_error(lab, expect_migrate(lab, 17), NODE_NO_PATH);
    lab_hold(lab, "a", 0);
    lab_skip(lab);
    moved(lab, 17, "two");
    expect_decision(lab, 17, VERDICT_HELD);
    lab_time(lab, SEC);
    expect_no_move(lab);
    lab_release(lab, "a");
    assert_string_equal(expect_decision(lab, 17, VERDICT_MIGRATE)->reason->s, "two");
}

/* Held while the node is busy with what was taken back: not asked again before the release. */
static void it_is_held_while_it_waits(void **state)
{
    struct lab *lab = *state;
    uint64_t first, second = taken_back(lab, &first);

    lab_answer_error(lab, second, NODE_BUSY);
    lab_skip(lab);
    lab_hold(lab, "a", 0);
    lab_answer_error(lab, first, NODE_TIMEOUT);
    lab_time(lab, 10 * SEC);
    expect_no_move(lab);
    assert_int_equal(engine_counts(lab->engine).retrying, 0);
    lab_release(lab, "a");
    assert_string_equal(expect_decision(lab, 17, VERDICT_MIGRATE)->reason->s, "two");
}

/* No token is left: what is open is not given up for something that may not be asked. */
static void it_is_damped(void **state)
{
    struct lab *lab = *state;
    char word[] = "0";
    uint64_t last = 0;

    for (unsigned i = 0; i < lab->config.move_burst; i++, word[0]++) {
        moved(lab, 17, word);
        last = expect_migrate(lab, 17);
        lab_time(lab, 10 * MS);
    }
    lab_skip(lab);
    moved(lab, 17, "one more");
    expect_decision(lab, 17, VERDICT_DAMPED);
    expect_no_outcome(lab);
    assert_int_equal(engine_counts(lab->engine).open, 1);
    lab_answer_ok(lab, last);
    expect_outcome(lab, 17, OUTCOME_MIGRATED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        OLD_TEST(old_node_is_busy),
        OLD_TEST(old_node_retries),
        OLD_TEST(old_node_migrates_late),
        OLD_TEST(old_node_never_answers),
        OLD_TEST(old_node_two_in_a_row),
        OLD_TEST(old_node_and_a_third),
        NEW_TEST(the_connection_ends),
        OLD_TEST(it_ends_while_it_waits),
        NEW_TEST(the_link_is_lost),
        OLD_TEST(it_is_lost_while_it_waits),
        NEW_TEST(it_is_held),
        NEW_TEST(it_is_held_between_attempts),
        NEW_TEST(it_is_observed),
        OLD_TEST(it_is_held_while_it_waits),
        NEW_TEST(it_is_damped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
