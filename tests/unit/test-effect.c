/* SPDX-License-Identifier: Apache-2.0 */
/* Did it help? Medians, windows, and the cool-down that follows from it. */
#include "engine-lab.h"

static void before(struct lab *lab, uint64_t conn, const uint64_t *rtts, size_t count)
{
    for (size_t i = 0; i < count; i++)
        lab_fresh(lab, conn, rtts[i]);
}

static const struct record_effect *moved(struct lab *lab, enum pd_kind kind, uint64_t rtt_before_us,
                                         uint64_t rtt_after_us, enum effect effect)
{
    lab_fresh(lab, 17, rtt_before_us);
    lab_fresh(lab, 17, rtt_before_us);
    lab_fresh(lab, 17, rtt_before_us);
    lab_migrated(lab, 17, kind);
    for (unsigned i = 0; i < 3; i++) {
        expect_no_effect(lab);
        lab_fresh(lab, 17, rtt_after_us);
    }
    return expect_effect(lab, 17, effect);
}

static void medians(void **state)
{
    struct lab *lab = *state;
    const struct record_effect *effect;
    uint64_t decision;

    lab_peer_up(lab, "a", 17);
    before(lab, 17, (uint64_t[]){1, 312000, 900000, 100000}, 4); /* the last three count */
    decision = lab_migrated(lab, 17, PD_KIND_DEGRADED);
    before(lab, 17, (uint64_t[]){5000, 41000}, 2);
    expect_no_effect(lab);
    lab_row(lab, 17, "srtt=3 latest=3 samples=6"); /* not fresh: the same sample */
    expect_no_effect(lab);
    lab_fresh(lab, 17, 800000);
    effect = expect_effect(lab, 17, EFFECT_BETTER);
    assert_int_equal(effect->decision, decision);
    assert_int_equal(effect->rtt_before_us, 312000);
    assert_int_equal(effect->rtt_after_us, 41000);
    assert_int_equal(effect->samples_before, 3);
    assert_int_equal(effect->samples_after, 3);
    assert_int_equal(engine_counts(lab->engine).effects, 0);
}

static void all_orders(void **state)
{
    static const uint64_t orders[][3] = {{10, 20, 30}, {10, 30, 20}, {20, 10, 30},
                                         {20, 30, 10}, {30, 10, 20}, {30, 20, 10},
                                         {20, 20, 10}, {30, 20, 20}, {20, 20, 20}};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(orders); i++) {
        struct lab lab;

        lab_init(&lab);
        lab_begin(&lab);
        lab_peer_up(&lab, "a", 17);
        before(&lab, 17, orders[i], 3);
        lab_migrated(&lab, 17, PD_KIND_DEGRADED);
        before(&lab, 17, orders[ARRAY_SIZE(orders) - 1 - i], 3);
        assert_int_equal(expect_effect(&lab, 17, EFFECT_SAME)->rtt_before_us, 20);
        lab_end(&lab);
    }
}

static void few_samples(void **state)
{
    struct lab *lab = *state;
    const struct record_effect *effect;

    lab_peer_up(lab, "a", 17);
    before(lab, 17, (uint64_t[]){100, 301}, 2);
    lab_migrated(lab, 17, PD_KIND_DEGRADED);
    lab_fresh(lab, 17, 300);
    lab_time(lab, 10 * SEC - 1);
    expect_no_effect(lab);
    lab_time(lab, 1);
    effect = expect_effect(lab, 17, EFFECT_WORSE);
    assert_int_equal(effect->rtt_before_us, 200);
    assert_int_equal(effect->rtt_after_us, 300);
    assert_int_equal(effect->samples_before, 2);
    assert_int_equal(effect->samples_after, 1);
}

static void limits(void **state)
{
    static const struct {
        uint64_t before_us, after_us;
        enum effect effect;
    } cases[] = {
        {1000, 800, EFFECT_BETTER}, {1000, 801, EFFECT_SAME},
        {1000, 1249, EFFECT_SAME},  {1000, 1250, EFFECT_WORSE},
        {1000, 1000, EFFECT_SAME},  {4000000000, 3200000000, EFFECT_BETTER},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct lab lab;

        lab_init(&lab);
        lab_begin(&lab);
        lab_peer_up(&lab, "a", 17);
        moved(&lab, PD_KIND_DEGRADED, cases[i].before_us, cases[i].after_us, cases[i].effect);
        lab_end(&lab);
    }
}

static void latest_else_srtt(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    lab_row(lab, 17, "srtt=500 latest=100 samples=1");
    lab_migrated(lab, 17, PD_KIND_DEGRADED);
    lab_row(lab, 17, "srtt=100 samples=2");
    lab_time(lab, 10 * SEC);
    expect_effect(lab, 17, EFFECT_SAME);
}

static void any_progress_after_moved(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    moved(lab, PD_KIND_MOVED, 1000, 9000, EFFECT_BETTER);
    moved(lab, PD_KIND_DEAD, 1000, 9000, EFFECT_BETTER);
}

/* The row before the move, and two after it. */
static const struct record_effect *moved_rows(struct lab *lab, const char *const *rows,
                                              enum effect effect)
{
    lab_peer_up(lab, "a", 17);
    lab_row(lab, 17, rows[0]);
    lab_migrated(lab, 17, PD_KIND_MOVED);
    lab_time(lab, SEC);
    lab_row(lab, 17, rows[1]);
    lab_time(lab, SEC);
    lab_row(lab, 17, rows[2]);
    lab_time(lab, 8 * SEC - 1);
    expect_no_effect(lab);
    lab_time(lab, 1);
    return expect_effect(lab, 17, effect);
}

static void something_acknowledged(void **state)
{
    static const struct {
        const char *rows[3];
        enum effect effect;
    } cases[] = {
        /* fresh, in the first row, too */
        {{"srtt=9 samples=1", "srtt=9 samples=2", "srtt=9 samples=2"}, EFFECT_BETTER},
        {{"srtt=9 samples=1", "srtt=9 samples=1", "srtt=9 samples=2"}, EFFECT_BETTER},
        /* application data: in the first row it may be from before the move */
        {{"acked=1", "acked=1", "acked=2"}, EFFECT_BETTER},
        {{"acked=1", "acked=2", "acked=2"}, EFFECT_UNKNOWN},
        {{"acked=1", "acked=2 silent=999", "acked=2"}, EFFECT_BETTER},
        {{"acked=1", "acked=2 silent=1000", "acked=2"}, EFFECT_UNKNOWN},
        /* packets of the peer that arrive do not prove that ours do */
        {{"srtt=9 samples=1 received=1", "srtt=9 samples=1 received=2",
          "srtt=9 samples=1 received=3"},
         EFFECT_UNKNOWN},
        {{"srtt=9 samples=1", "srtt=9 samples=1 silent=0", "srtt=9 samples=1 silent=0"},
         EFFECT_UNKNOWN},
        {{"acked=1 received=1", "acked=1 received=2", "acked=1 received=3"}, EFFECT_UNKNOWN},
        {{"srtt=9 samples=1 received=1 unacked=1", "srtt=9 samples=1 received=2 unacked=1000",
          "srtt=9 samples=1 received=3 unacked=2000"},
         EFFECT_STALLED},
        /* where the node tells of no acknowledgement, what arrives has to do */
        {{"received=1", "received=2", "received=3"}, EFFECT_BETTER},
        {{"received=1", "received=2", "received=2"}, EFFECT_UNKNOWN},
        {{"received=1", "received=1 silent=0", "received=1"}, EFFECT_BETTER},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct lab lab;

        lab_init(&lab);
        lab_begin(&lab);
        (void)moved_rows(&lab, cases[i].rows, cases[i].effect);
        lab_end(&lab);
    }
}

/* Small packets are acknowledged, and data is not. */
static void starved(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    lab_row(lab, 17, "srtt=9 samples=1 acked=1 unacked=1");
    lab_time(lab, 3 * SEC);
    lab_migrated(lab, 17, PD_KIND_MOVED);
    lab_row(lab, 17, "srtt=9 samples=2 acked=1 unacked=3000");
    lab_row(lab, 17, "srtt=9 samples=3 acked=1 unacked=3000");
    lab_time(lab, 10 * SEC);
    expect_effect(lab, 17, EFFECT_STALLED);
}

static void without_rtt(void **state)
{
    struct lab *lab = *state;
    const char *const rows[] = {"received=1", "received=2", "received=3"};

    assert_int_equal(moved_rows(lab, rows, EFFECT_BETTER)->rtt_after_us, PD_UNKNOWN);
}

static void stalled(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    lab_fresh(lab, 17, 50000);
    lab_migrated(lab, 17, PD_KIND_DEGRADED);
    lab_silent(lab, 17);
    lab_time(lab, 5 * SEC);
    lab_silent(lab, 17);
    lab_time(lab, 5 * SEC);
    assert_int_equal(expect_effect(lab, 17, EFFECT_STALLED)->rtt_before_us, 50000);
}

static void unknown(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    lab_migrated(lab, 17, PD_KIND_DEGRADED);
    lab_fresh(lab, 17, 1000); /* nothing to compare it with */
    lab_time(lab, 10 * SEC);
    expect_effect(lab, 17, EFFECT_UNKNOWN);
    lab_time(lab, 60 * SEC);
    lab_fresh(lab, 17, 1000);
    lab_migrated(lab, 17, PD_KIND_DEGRADED);
    lab_row(lab, 17, "srtt=50000 samples=2 in_flight=0"); /* idle, waits for an answer nothing */
    lab_time(lab, 10 * SEC);
    expect_effect(lab, 17, EFFECT_UNKNOWN);
}

static void down_before_anything_is_known(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    lab_migrated(lab, 17, PD_KIND_MOVED);
    lab_peer_down(lab, 17);
    expect_effect(lab, 17, EFFECT_STALLED);
    assert_int_equal(engine_counts(lab->engine).effects, 0);
}

static void polled_at_closely(void **state)
{
    struct lab *lab = *state;
    const struct lab_action *poll;

    lab_peer_up(lab, "a", 17);
    lab_migrated(lab, 17, PD_KIND_DEGRADED);
    lab_time(lab, 20 * MS);
    poll = lab_next_poll(lab);
    assert_non_null(poll);
    assert_int_equal(poll->n_conns, 1);
    assert_int_equal(poll->conns[0], 17);
}

/* ---- reconnects ---- */

static void reconnect(struct lab *lab, bool up_first)
{
    lab_peer_up(lab, "a", 17);
    lab_fresh(lab, 17, 5000);
    lab_operator(lab, "a", COMMAND_BY_RECONNECT);
    expect_decision(lab, 17, VERDICT_RECONNECT);
    lab_peer_down(lab, 17);
    if (up_first)
        lab_peer_up(lab, "a", 31);
    lab_answer_conn(lab, expect_reconnect(lab, 17), 31);
    if (!up_first)
        lab_peer_up(lab, "a", 31);
}

static void new_connection(void **state)
{
    struct lab *lab = *state;

    reconnect(lab, true);
    lab_row(lab, 31, "received=10");
    expect_no_effect(lab);
    lab_row(lab, 31, "received=11"); /* its first progress */
    expect_effect(lab, 31, EFFECT_BETTER);
}

static void new_connection_stalled(void **state)
{
    struct lab *lab = *state;

    reconnect(lab, false);
    lab_row(lab, 31, "in_flight=1200");
    lab_time(lab, 5 * SEC);
    lab_row(lab, 31, "in_flight=1200");
    lab_time(lab, 5 * SEC);
    expect_effect(lab, 31, EFFECT_STALLED);
}

static void new_connection_idle(void **state)
{
    struct lab *lab = *state;

    reconnect(lab, false);
    lab_time(lab, 10 * SEC);
    expect_effect(lab, 31, EFFECT_UNKNOWN);
}

/* What it receives is no proof where acknowledgements would show. */
static void new_connection_acknowledged(void **state)
{
    struct lab *lab = *state;

    reconnect(lab, true);
    lab_row(lab, 31, "received=10 acked=0");
    lab_row(lab, 31, "received=11 acked=0");
    expect_no_effect(lab);
    lab_row(lab, 31, "received=11 acked=1");
    expect_effect(lab, 31, EFFECT_BETTER);
}

/* All that it shows came on the new path. */
static void new_connection_at_once(void **state)
{
    struct lab *lab = *state;

    reconnect(lab, true);
    lab_row(lab, 31, "srtt=9 samples=1 silent=0");
    expect_effect(lab, 31, EFFECT_BETTER);
}

/* The answer names no connection, or one that has been followed by another. */
static void new_connection_by_name(void **state)
{
    struct lab *lab = *state;

    for (uint64_t answered = 0; answered <= 31; answered += 31) {
        lab_peer_up(lab, "a", 17);
        lab_operator(lab, "a", COMMAND_BY_RECONNECT);
        expect_decision(lab, 17, VERDICT_RECONNECT);
        lab_peer_up(lab, "a", 32);
        lab_answer_conn(lab, expect_reconnect(lab, 17), answered);
        lab_fresh(lab, 32, 1000);
        expect_effect(lab, 32, EFFECT_BETTER);
        lab_peer_down(lab, 32);
    }
}

/* ---- the cool-down ---- */

/* After how long the next degraded advice is followed, tried at 30 s, 60 s, 120 s … */
static uint64_t cooldown_of(struct lab *lab)
{
    struct peer_moves *moves = lab_peer(lab, 17)->moves;
    uint64_t begin_us = moves->cooling_since_us;

    for (uint64_t span_us = 30 * SEC; span_us <= 32 * MIN; span_us *= 2) {
        uint64_t last = lab->engine->last_decision;

        if (lab->now_us < begin_us + span_us)
            lab_time(lab, begin_us + span_us - lab->now_us);
        lab_skip(lab);
        lab_advise(lab, 17, PD_KIND_DEGRADED);
        assert_int_equal(lab->engine->last_decision, last + 1);
        if (lab_next_move(lab)) {
            lab_answer_ok(lab, sequence_last(&lab->engine->migration.requests));
            lab_skip(lab);
            return span_us;
        }
    }
    return 0;
}

static void three(struct lab *lab, uint64_t rtt_us)
{
    for (unsigned i = 0; i < 3; i++)
        lab_fresh(lab, 17, rtt_us);
}

static void cooldown_doubles(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    three(lab, 100000);
    lab_migrated(lab, 17, PD_KIND_DEGRADED);
    three(lab, 100000); /* same */
    expect_effect(lab, 17, EFFECT_SAME);
    assert_int_equal(cooldown_of(lab), 60 * SEC);
    three(lab, 200000); /* worse */
    assert_int_equal(cooldown_of(lab), 120 * SEC);
    three(lab, 200000);
    assert_int_equal(cooldown_of(lab), 240 * SEC);
    three(lab, 200000);
    assert_int_equal(cooldown_of(lab), 480 * SEC);
    three(lab, 200000);
    assert_int_equal(cooldown_of(lab), 960 * SEC); /* asked at 480 and 960: 15 min by then */
    three(lab, 200000);
    assert_int_equal(cooldown_of(lab), 960 * SEC);
    three(lab, 1000); /* better */
    assert_int_equal(cooldown_of(lab), 30 * SEC);
}

static void cooldown_max(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    three(lab, 100000);
    lab_migrated(lab, 17, PD_KIND_DEGRADED);
    three(lab, 100000);
    for (unsigned i = 0; i < 6; i++) {
        lab_time(lab, 15 * MIN);
        lab_skip(lab);
        lab_migrated(lab, 17, PD_KIND_DEGRADED);
        three(lab, 100000);
    }
    lab_time(lab, 15 * MIN - 1);
    lab_skip(lab);
    lab_advise(lab, 17, PD_KIND_DEGRADED);
    expect_decision(lab, 17, VERDICT_COOLING);
    lab_time(lab, 1);
    lab_advise(lab, 17, PD_KIND_DEGRADED);
    expect_decision(lab, 17, VERDICT_MIGRATE);
}

static void not_doubled_by_the_rest(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    lab_migrated(lab, 17, PD_KIND_DEGRADED);
    lab_time(lab, 10 * SEC);
    expect_effect(lab, 17, EFFECT_UNKNOWN);
    assert_int_equal(cooldown_of(lab), 30 * SEC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(medians),
        cmocka_unit_test(all_orders),
        LAB_TEST(few_samples),
        cmocka_unit_test(limits),
        LAB_TEST(latest_else_srtt),
        LAB_TEST(any_progress_after_moved),
        cmocka_unit_test(something_acknowledged),
        LAB_TEST(starved),
        LAB_TEST(without_rtt),
        LAB_TEST(stalled),
        LAB_TEST(unknown),
        LAB_TEST(down_before_anything_is_known),
        LAB_TEST(polled_at_closely),
        LAB_TEST(new_connection),
        LAB_TEST(new_connection_acknowledged),
        LAB_TEST(new_connection_at_once),
        LAB_TEST(new_connection_stalled),
        LAB_TEST(new_connection_idle),
        LAB_TEST(new_connection_by_name),
        LAB_TEST(cooldown_doubles),
        LAB_TEST(cooldown_max),
        LAB_TEST(not_doubled_by_the_rest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
