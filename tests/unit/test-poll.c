/* SPDX-License-Identifier: Apache-2.0 */
/* Rounds of all, fast polls of some, one outstanding at a time. */
#include "engine-lab.h"
#include "engine/inspect.h"

#include <inttypes.h>

static const struct lab_action *answered(struct lab *lab)
{
    const struct lab_action *poll = lab_next_poll(lab);

    assert_non_null(poll);
    lab_summary_done(lab, poll->poll, false);
    return poll;
}

static void a_round_each_interval(void **state)
{
    struct lab *lab = *state;
    uint64_t begin_us = lab->now_us;

    lab_peer_up(lab, "a", 17);
    for (unsigned i = 1; i <= 3; i++) {
        lab_time(lab, begin_us + i * 5 * SEC - lab->now_us - 1);
        assert_null(lab_next_poll(lab));
        lab_time(lab, 1);
        assert_true(answered(lab)->all);
        lab_row(lab, 17, "srtt=1");
    }
}

static void the_first_at_once(void **state)
{
    struct lab *lab = *state;

    lab_node_down(lab);
    lab_skip(lab);
    lab_node_up(lab, "boot");
    assert_null(lab_next_poll(lab));
    lab_snapshot(lab);
    assert_true(lab_next_poll(lab)->all);
}

static void one_at_a_time(void **state)
{
    struct lab *lab = *state;
    const struct lab_action *poll;

    lab_time(lab, 5 * SEC);
    poll = lab_next_poll(lab);
    lab_time(lab, 20 * SEC);
    assert_null(lab_next_poll(lab)); /* these rounds are skipped */
    lab_summary_done(lab, poll->poll + 1, false);
    assert_int_equal(engine_counts(lab->engine).ignored, 1);
    lab_summary_done(lab, poll->poll, true);
    assert_null(lab_next_poll(lab)); /* and not made up for */
    lab_time(lab, 5 * SEC);
    assert_non_null(lab_next_poll(lab));
}

static uint64_t silent_us(const struct lab *lab)
{
    return inspect_status(lab->engine, lab->now_us).silent_us;
}

static void given_up(struct lab *lab, uint64_t poll)
{
    lab_event(lab, &(struct event){.type = EVENT_SUMMARY_DONE,
                                   .summary_done = {poll, .failed = true, .unanswered = true}});
}

static void a_node_that_answers_nothing(void **state)
{
    struct lab *lab = *state;
    const struct lab_action *poll;

    lab_peer_up(lab, "a", 17);
    lab_time(lab, 5 * SEC);
    poll = lab_next_poll(lab);
    lab_time(lab, 5 * SEC - 1);
    assert_int_equal(silent_us(lab), 0);
    assert_int_equal(lab->box->wake_at_us, lab->now_us + 1); /* so that it can be said at once */
    lab_time(lab, 1);
    assert_int_equal(silent_us(lab), 5 * SEC);
    lab_time(lab, 10 * SEC);
    given_up(lab, poll->poll); /* nobody answered, so it goes on */
    assert_int_equal(silent_us(lab), 15 * SEC);
    lab_peer_up(lab, "b", 18); /* nor does this answer it */
    lab_time(lab, 5 * SEC);
    poll = lab_next_poll(lab);
    assert_int_equal(silent_us(lab), 20 * SEC);
    lab_row(lab, 17, "srtt=1"); /* a part of the answer: the rest is waited for anew */
    assert_int_equal(silent_us(lab), 0);
    lab_time(lab, 5 * SEC);
    assert_int_equal(silent_us(lab), 5 * SEC);
    lab_summary_done(lab, poll->poll, true); /* an error is an answer, too */
    assert_int_equal(silent_us(lab), 0);
    lab_time(lab, 20 * SEC);
    assert_in_range(silent_us(lab), 15 * SEC, 20 * SEC);
    lab_node_down(lab); /* that is another matter */
    assert_int_equal(silent_us(lab), 0);
}

static void a_late_loop_makes_up_for_nothing(void **state)
{
    struct lab *lab = *state;

    lab->now_us += 60 * SEC;
    lab_event(lab, &(struct event){.type = EVENT_TIMER});
    answered(lab);
    assert_null(lab_next_poll(lab));
    lab_time(lab, 5 * SEC - 1);
    assert_null(lab_next_poll(lab));
    lab_time(lab, 1);
    answered(lab);
}

static void missing(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    lab_peer_up(lab, "b", 18);
    lab_time(lab, 5 * SEC);
    lab_row(lab, 17, "srtt=1");
    answered(lab);
    assert_int_equal(lab->poke.changes[PD_PEER_MISSING], 1);
    assert_int_equal(lab->poke.change_conn, 18);
    lab_time(lab, 5 * SEC);
    lab_peer_up(lab, "c", 19); /* came during the round */
    lab_row(lab, 17, "srtt=1");
    lab_row(lab, 18, "srtt=1");
    answered(lab);
    assert_int_equal(lab->poke.changes[PD_PEER_MISSING], 1);
    lab_time(lab, 5 * SEC);
    lab_summary_done(lab, lab_next_poll(lab)->poll, true); /* given up: nobody is missing */
    assert_int_equal(lab->poke.changes[PD_PEER_MISSING], 1);
}

static void poll_at(struct lab *lab, uint64_t conn, uint64_t until_us)
{
    lab_step(lab, POKE_POLL, conn)->number = until_us;
    lab_signal(lab);
}

static void close_polls(void **state)
{
    struct lab *lab = *state;
    const struct lab_action *poll;
    uint64_t count = 0;

    lab_peer_up(lab, "a", 17);
    lab_peer_up(lab, "b", 18);
    poll_at(lab, 18, lab->now_us + 2 * SEC);
    lab_time(lab, 0);
    poll = lab_next_poll(lab); /* at once */
    assert_int_equal(poll->n_conns, 1);
    assert_int_equal(poll->conns[0], 18);
    lab_summary_done(lab, poll->poll, false);
    lab_time(lab, 500 * MS - 1);
    assert_null(lab_next_poll(lab));
    lab_time(lab, 1);
    answered(lab);
    for (unsigned i = 0; i < 8; i++) {
        lab_time(lab, 500 * MS);
        poll = lab_next_poll(lab);
        if (poll && !poll->all)
            count++;
        if (poll)
            lab_summary_done(lab, poll->poll, false);
    }
    assert_int_equal(count, 2); /* at 1 s and 1.5 s: then the wish is over */
    poll_at(lab, 17, lab->now_us + 60 * SEC);
    poll_at(lab, 17, 0);
    lab_skip(lab);
    lab_time(lab, SEC);
    poll = lab_next_poll(lab);
    assert_true(!poll || poll->all);
}

static void a_round_comes_first(void **state)
{
    struct lab *lab = *state;
    const struct lab_action *poll;

    lab_peer_up(lab, "a", 17);
    poll_at(lab, 17, lab->now_us + 60 * SEC);
    lab_time(lab, 5 * SEC + 1); /* nothing was answered: the fast poll of the beginning is open */
    poll = lab_next_poll(lab);
    assert_false(poll->all);
    assert_null(lab_next_poll(lab));
    lab_summary_done(lab, poll->poll, false);
    assert_true(answered(lab)->all);
    lab_time(lab, SEC);
    assert_false(lab_next_poll(lab)->all);
}

static void they_take_turns(void **state)
{
    struct lab *lab = *state;
    unsigned seen[10] = {0};

    lab->config.close_max = 3;
    for (uint64_t conn = 1; conn <= 9; conn++) {
        char name[8];

        snprintf(name, sizeof(name), "%" PRIu64, conn);
        lab_peer_up(lab, name, conn);
        poll_at(lab, conn, lab->now_us + 60 * SEC);
    }
    for (unsigned polls = 0; polls < 6;) {
        const struct lab_action *poll;

        lab_time(lab, 500 * MS);
        poll = lab_next_poll(lab);
        if (!poll)
            continue;
        lab_summary_done(lab, poll->poll, false);
        if (poll->all)
            continue;
        assert_int_equal(poll->n_conns, 3);
        for (size_t i = 0; i < 3; i++)
            seen[poll->conns[i]]++;
        polls++;
    }
    for (uint64_t conn = 1; conn <= 9; conn++)
        assert_int_equal(seen[conn], 2);
}

static void nothing_while_the_node_is_down(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    poll_at(lab, 17, lab->now_us + 600 * SEC);
    lab_node_down(lab);
    lab_skip(lab);
    lab_time(lab, 60 * SEC);
    assert_null(lab_next_poll(lab));
    lab_node_up(lab, "boot");
    lab_peer_up(lab, "a", 17);
    lab_snapshot(lab);
    assert_true(answered(lab)->all);
    lab_time(lab, 20 * MS);
    assert_int_equal(lab_next_poll(lab)->conns[0], 17); /* the wish is still there */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(a_round_each_interval),
        LAB_TEST(the_first_at_once),
        LAB_TEST(one_at_a_time),
        LAB_TEST(a_node_that_answers_nothing),
        LAB_TEST(a_late_loop_makes_up_for_nothing),
        LAB_TEST(missing),
        LAB_TEST(close_polls),
        LAB_TEST(a_round_comes_first),
        LAB_TEST(they_take_turns),
        LAB_TEST(nothing_while_the_node_is_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
