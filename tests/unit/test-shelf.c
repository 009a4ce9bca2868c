/* SPDX-License-Identifier: Apache-2.0 */
/* Move states that nothing depends on are put away, and nobody can tell. */
#include "engine-lab.h"
#include "engine/inspect.h"

static const struct pd_advice moved = {PD_KIND_DEAD, .reason = "moved"};

/* Of a connection that was moved, and of which all that followed is over. */
static void moved_and_over(struct lab *lab, uint64_t after_us)
{
    lab_peer_up(lab, "a", 1);
    lab_step(lab, POKE_ADVISE, 1)->advice = moved;
    lab_signal(lab);
    expect_decision(lab, 1, VERDICT_MIGRATE);
    lab_answer_ok(lab, expect_migrate(lab, 1));
    expect_outcome(lab, 1, OUTCOME_MIGRATED);
    lab_time(lab, after_us);
}

static void not_while_it_matters(void **state)
{
    struct lab *lab = *state;

    moved_and_over(lab, 20 * SEC); /* cooldown is 30 s */
    shelve(lab->engine, 1000);
    assert_non_null(lab_peer(lab, 1)->moves);
    assert_null(shelf_find(lab->engine, lab_peer(lab, 1)));
}

static void put_away_and_back(void **state)
{
    struct lab *lab = *state;
    struct inspect_explain before, after;
    struct peer_moves was;

    moved_and_over(lab, 90 * SEC);
    if (lab_peer(lab, 1)->moves) /* a tick may have done it */
        shelve(lab->engine, 1000);
    assert_null(lab_peer(lab, 1)->moves);
    assert_int_equal(lab->engine->peers.moves.in_use, 0);
    assert_true(inspect_explain(lab->engine, lab->now_us, "a", &before));
    assert_true(before.moved_ago_us != INSPECT_NEVER);
    assert_true(before.requested_ago_us >= before.moved_ago_us);
    was = *peer_moves(lab->engine, lab_peer(lab, 1));
    assert_null(shelf_find(lab->engine, lab_peer(lab, 1)));
    assert_true(was.moved_us && was.last_request_us && was.cooling_since_us);
    assert_int_equal(was.tokens_used, 1);
    assert_true(inspect_explain(lab->engine, lab->now_us, "a", &after));
    assert_int_equal(before.moved_ago_us, after.moved_ago_us);
    assert_int_equal(before.requested_ago_us, after.requested_ago_us);
    assert_int_equal(before.tokens, after.tokens);
}

static void goes_with_its_connection(void **state)
{
    struct lab *lab = *state;

    moved_and_over(lab, 90 * SEC);
    shelve(lab->engine, 1000);
    assert_int_equal(lab->engine->peers.shelf.pool.in_use, 1);
    lab_peer_down(lab, 1);
    assert_int_equal(lab->engine->peers.shelf.pool.in_use, 0);
    lab_peer_up(lab, "b", 2); /* in its place of the table */
    assert_null(shelf_find(lab->engine, lab_peer(lab, 2)));
}

static void comes_back_by_advice(void **state)
{
    struct lab *lab = *state;

    moved_and_over(lab, 90 * SEC);
    shelve(lab->engine, 1000);
    lab_step(lab, POKE_ADVISE, 1)->advice = moved;
    lab_signal(lab);
    expect_decision(lab, 1, VERDICT_MIGRATE);
    assert_true(lab_peer(lab, 1)->moves->moved_us);
    expect_migrate(lab, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(not_while_it_matters),
        LAB_TEST(put_away_and_back),
        LAB_TEST(goes_with_its_connection),
        LAB_TEST(comes_back_by_advice),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
