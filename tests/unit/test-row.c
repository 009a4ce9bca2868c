/* SPDX-License-Identifier: Apache-2.0 */
/* What a row says: fresh, progress, first looks, columns that are missing. */
#include "engine-lab.h"

static void expect_row(struct lab *lab, const char *row, bool fresh, bool progress)
{
    lab_row(lab, 17, row);
    if (lab->poke.sample.fresh != fresh || lab->poke.sample.progress != progress)
        print_error("row %s\n", row);
    assert_int_equal(lab->poke.sample.fresh, fresh);
    assert_int_equal(lab->poke.sample.progress, progress);
    lab_time(lab, SEC);
}

static void fresh(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    expect_row(lab, "samples=3", false, false);        /* without an SRTT: not measured */
    expect_row(lab, "srtt=9 samples=0", false, false); /* nor without samples */
    expect_row(lab, "srtt=9 samples=3", true, true);
    expect_row(lab, "srtt=9 samples=3", false, false);
    expect_row(lab, "srtt=10 samples=3", false, false); /* the count says it is the same */
    expect_row(lab, "srtt=10 samples=4", true, true);
    expect_row(lab, "srtt=10 samples=2", true, true); /* another path: in either direction */
    expect_row(lab, "srtt=10 samples=2", false, false);
}

static void first_measured(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    expect_row(lab, "srtt=9", true, true);
    lab_peer_up(lab, "b", 18);
    lab_row(lab, 18, "samples=3");
    assert_false(lab->poke.sample.fresh);
    lab_row(lab, 18, "srtt=9 samples=3"); /* the count is the same, but it is the first */
    assert_true(lab->poke.sample.fresh);
}

static void fresh_without_samples(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    expect_row(lab, "srtt=9 latest=8 rttvar=7", true, true);
    expect_row(lab, "srtt=9 latest=8 rttvar=7", false, false);
    expect_row(lab, "srtt=9 latest=7 rttvar=8", true, true);
    expect_row(lab, "srtt=9 latest=7", false, false);        /* of what it lacks it says nothing */
    expect_row(lab, "srtt=9 latest=7 rttvar=0", true, true); /* 0 is not unknown */
    expect_row(lab, "srtt=8 latest=7 rttvar=0", true, true);
    expect_row(lab, "srtt=8 latest=7 rttvar=0 min=5", false, false);
}

static void progress(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    expect_row(lab, "received=100", false, false); /* the first: compared with nothing */
    expect_row(lab, "received=100", false, false);
    expect_row(lab, "received=101", false, true);
    expect_row(lab, "received=7", false, false); /* it never shrinks: not progress */
    expect_row(lab, "received=8", false, true);
    expect_row(lab, "", false, false);
    expect_row(lab, "received=8", false, false); /* compared with the last that was told */
    expect_row(lab, "received=9", false, true);
}

static void silence(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    expect_row(lab, "silent=0", false, false); /* no look before: compared with nothing */
    expect_row(lab, "silent=999", false, true);
    expect_row(lab, "silent=1000", false, false); /* exactly as long ago as the last look */
    expect_row(lab, "silent=2000", false, false);
}

static void last_poll(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    lab_row(lab, 17, "srtt=1");
    assert_int_equal(lab->poke.sample.last_look_us, 0);
    lab_time(lab, 3 * SEC);
    lab_row(lab, 17, "srtt=1");
    assert_int_equal(lab->poke.sample.last_look_us, lab->now_us - 3 * SEC);
    assert_false(lab->poke.sample.in_flight);
    lab_advise(lab, 17, PD_KIND_MOVED);
    lab_row_only(lab, 17, "srtt=1");
    assert_true(lab->poke.sample.in_flight);
    assert_int_equal(lab->poke.sample.columns, 1u << PD_SRTT_US);
}

static void unknown_connections(void **state)
{
    struct lab *lab = *state;

    lab_row(lab, 99, "srtt=1");
    assert_int_equal(engine_counts(lab->engine).ignored, 1);
    lab_peer_up(lab, "a", 17);
    lab_node_down(lab);
    lab_row(lab, 17, "srtt=1");
    assert_int_equal(lab->poke.called[POKE_IN_SAMPLE], 0);
}

static bool regular(struct lab *lab)
{
    lab_row(lab, 17, "srtt=1");
    return lab->poke.sample.regular;
}

static const struct lab_action *polled(struct lab *lab, bool all)
{
    const struct lab_action *poll = lab_next_poll(lab);

    assert_non_null(poll);
    assert_int_equal(poll->all, all);
    return poll;
}

/* One row of each round, also where fast polls come between. */
static void regular_rows(void **state)
{
    struct lab *lab = *state;
    const struct lab_action *poll;
    uint64_t begin_us = lab->now_us;
    unsigned rounds = 0, fast_polls = 0;

    lab_peer_up(lab, "a", 17);
    lab_time(lab, 5 * SEC);
    poll = polled(lab, true);
    assert_true(regular(lab));
    assert_false(regular(lab)); /* the same moment */
    lab_summary_done(lab, poll->poll, false);
    lab_step(lab, POKE_POLL, 17)->number = lab->now_us + 30 * SEC;
    lab_signal(lab);
    while (lab->now_us - begin_us < 20 * SEC) {
        bool all;

        lab_time(lab, lab->config.close_interval_us);
        poll = lab_next_poll(lab);
        if (!poll)
            continue;
        all = poll->all;
        rounds += all;
        fast_polls += !all;
        assert_int_equal(regular(lab), all);
        lab_summary_done(lab, poll->poll, false);
    }
    assert_true(rounds > 1);
    assert_true(fast_polls > 20);
}

/* Nobody asked: such a row is a regular one 4 s after the last, with rounds of 5 s. */
static void unasked_rows(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    assert_true(regular(lab));
    lab_time(lab, 4 * SEC - 1);
    assert_false(regular(lab));
    lab_time(lab, 1);
    assert_true(regular(lab));
    lab_time(lab, 1);
    assert_false(regular(lab));
}

static void expect_ages(struct lab *lab, const char *row, uint64_t stalled_us, uint64_t unacked_us,
                        uint64_t outstanding_us, uint32_t rows)
{
    const struct pd_sample *sample = &lab->poke.sample;

    lab_time(lab, SEC);
    lab_row(lab, 17, row);
    if (sample->stalled_us != stalled_us || sample->unacked_us != unacked_us)
        print_error("row %s\n", row);
    assert_int_equal(sample->stalled_us, stalled_us);
    assert_int_equal(sample->unacked_us, unacked_us);
    assert_int_equal(sample->outstanding_rows, rows);
    if (rows)
        assert_int_equal(sample->outstanding_since_us, lab->now_us - outstanding_us);
    else
        assert_int_equal(sample->outstanding_since_us, 0);
}

static void ages(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    expect_ages(lab, "srtt=9 samples=1", 0, PD_UNKNOWN, 0, 0);
    expect_ages(lab, "srtt=9 samples=1 in_flight=0", SEC, 0, 0, 0); /* idle */
    expect_ages(lab, "srtt=9 samples=1 in_flight=9", 2 * SEC, 0, 0, 1);
    expect_ages(lab, "srtt=9 samples=1 in_flight=9", 3 * SEC, SEC, SEC, 2);
    expect_ages(lab, "srtt=9 samples=1 in_flight=0 pto=1", 4 * SEC, 2 * SEC, 2 * SEC, 3);
    expect_ages(lab, "srtt=9 samples=1 pto=0", 5 * SEC, 0, 0, 0);
    expect_ages(lab, "srtt=9 samples=1 pto=2", 6 * SEC, 0, 0, 1);
    expect_ages(lab, "srtt=9 samples=2 in_flight=9", 0, 0, 0, 0); /* the rest still is */
    expect_ages(lab, "srtt=9 samples=2 in_flight=9", SEC, SEC, 0, 1);
    expect_ages(lab, "srtt=9 samples=2", 2 * SEC, PD_UNKNOWN, 0, 0); /* not every row */
}

/* Heard and acknowledged are two things. */
static void heard(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    expect_ages(lab, "srtt=9 samples=1 received=1 in_flight=9", 0, 0, 0, 0);
    assert_true(lab->poke.sample.fresh);
    assert_false(lab->poke.sample.heard);
    assert_int_equal(lab->poke.sample.silent_us, PD_UNKNOWN);
    for (unsigned i = 1; i < 5; i++) {
        char row[64];

        snprintf(row, sizeof(row), "srtt=9 samples=1 received=%u in_flight=9 silent=%u", i + 1, i);
        expect_ages(lab, row, 0, i * SEC, 0, 0);
        assert_true(lab->poke.sample.heard);
        assert_true(lab->poke.sample.progress);
        assert_false(lab->poke.sample.fresh);
        assert_int_equal(lab->poke.sample.silent_us, i * MS);
    }
}

static void another_path(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    expect_ages(lab, "srtt=9 samples=1 in_flight=9", 0, 0, 0, 0);
    expect_ages(lab, "srtt=9 samples=1 in_flight=9", SEC, SEC, 0, 1);
    expect_ages(lab, "srtt=9 samples=1 in_flight=9", 2 * SEC, 2 * SEC, SEC, 2);
    lab_event(lab, &(struct event){.type = EVENT_PEER_PATH,
                                   .peer_path = {.conn = 17, .local = "10.0.0.9:1"}});
    expect_ages(lab, "srtt=9 samples=1 in_flight=9", 3 * SEC, 3 * SEC, 0, 1);
    /* A request of ours: what it comes to is seen when it has ended. */
    lab_advise(lab, 17, PD_KIND_MOVED);
    expect_ages(lab, "srtt=9 samples=1 in_flight=9", 4 * SEC, 4 * SEC, 0, 0);
}

/* Where the node does not say what is in flight. */
static void sent_bytes(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    expect_ages(lab, "received=1 sent=100", 0, PD_UNKNOWN, 0, 0);
    expect_ages(lab, "received=1 sent=100", SEC, PD_UNKNOWN, 0, 0);
    expect_ages(lab, "received=1 sent=200", 2 * SEC, PD_UNKNOWN, 0, 1);
    /* It may have been acknowledged, and nothing new sent since. */
    expect_ages(lab, "received=1 sent=200", 3 * SEC, PD_UNKNOWN, 0, 0);
    expect_ages(lab, "received=1 sent=300", 4 * SEC, PD_UNKNOWN, 0, 1);
    expect_ages(lab, "received=1 sent=400", 5 * SEC, PD_UNKNOWN, SEC, 2);
    expect_ages(lab, "received=1 sent=400", 6 * SEC, PD_UNKNOWN, 2 * SEC, 3);
    expect_ages(lab, "received=1", 7 * SEC, PD_UNKNOWN, 3 * SEC, 4);
    /* On another path it is still not acknowledged. */
    lab_event(lab, &(struct event){.type = EVENT_PEER_PATH,
                                   .peer_path = {.conn = 17, .local = "10.0.0.9:1"}});
    expect_ages(lab, "received=1 sent=400", 8 * SEC, PD_UNKNOWN, 0, 1);
    expect_ages(lab, "received=1 sent=400", 9 * SEC, PD_UNKNOWN, 0, 0);
    expect_ages(lab, "received=2 sent=400", 0, PD_UNKNOWN, 0, 0);
    lab_event(lab, &(struct event){.type = EVENT_PEER_PATH,
                                   .peer_path = {.conn = 17, .local = "10.0.0.8:1"}});
    expect_ages(lab, "received=2 sent=400", SEC, PD_UNKNOWN, 0, 0); /* all was */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(fresh),
        LAB_TEST(first_measured),
        LAB_TEST(fresh_without_samples),
        LAB_TEST(progress),
        LAB_TEST(silence),
        LAB_TEST(last_poll),
        LAB_TEST(unknown_connections),
        LAB_TEST(regular_rows),
        LAB_TEST(unasked_rows),
        LAB_TEST(ages),
        LAB_TEST(heard),
        LAB_TEST(another_path),
        LAB_TEST(sent_bytes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
