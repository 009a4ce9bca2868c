/* SPDX-License-Identifier: Apache-2.0 */
/* The gate: by what means, tokens, gaps, back-off, what is remembered. */
#include "engine-lab.h"

/* ---- by ---- */

static void choose_by(enum prefer config, bool node, bool feature, bool reconnectable,
                      enum pd_kind kind, enum by expected)
{
    struct lab lab;

    lab_init(&lab);
    lab.config.prefer = config;
    lab.prefer_reconnect = node;
    lab.features = feature ? NODE_RECONNECT : 0;
    lab_begin(&lab);
    lab_peer_told(&lab, &(struct event_peer_up){
                            .peer = "a",
                            .conn = 17,
                            .migratable = true,
                            .reconnectable = reconnectable,
                        });
    lab_advise(&lab, 17, kind);
    if (expected == BY_RECONNECT) {
        assert_int_equal(expect_decision(&lab, 17, VERDICT_RECONNECT)->by, BY_RECONNECT);
        expect_reconnect(&lab, 17);
    } else {
        assert_int_equal(expect_decision(&lab, 17, VERDICT_MIGRATE)->by, BY_MIGRATE);
        expect_migrate(&lab, 17);
    }
    lab_end(&lab);
}

static void by(void **state)
{
    (void)state;
    choose_by(PREFER_NODE, false, true, true, PD_KIND_MOVED, BY_MIGRATE);
    choose_by(PREFER_NODE, true, true, true, PD_KIND_MOVED, BY_RECONNECT);
    choose_by(PREFER_NODE, true, true, true, PD_KIND_DEAD, BY_RECONNECT);
    choose_by(PREFER_NODE, true, true, true, PD_KIND_DEGRADED, BY_MIGRATE);
    choose_by(PREFER_MIGRATE, true, true, true, PD_KIND_MOVED, BY_MIGRATE);
    choose_by(PREFER_RECONNECT, false, true, true, PD_KIND_MOVED, BY_RECONNECT);
    choose_by(PREFER_RECONNECT, false, false, true, PD_KIND_MOVED, BY_MIGRATE);
    choose_by(PREFER_RECONNECT, false, true, false, PD_KIND_DEAD, BY_MIGRATE);
}

/* ---- tokens ---- */

static void tokens(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    for (unsigned i = 0; i < 5; i++)
        lab_migrated(lab, 17, PD_KIND_DEAD);
    lab_advise(lab, 17, PD_KIND_DEAD);
    expect_decision(lab, 17, VERDICT_DAMPED);
    assert_int_equal(engine_counts(lab->engine).remembered, 1);
    lab_time(lab, 10 * SEC - 1);
    expect_no_decision(lab);
    lab_time(lab, 1); /* one is back, and what was remembered is advised again */
    assert_int_equal(expect_decision(lab, 17, VERDICT_MIGRATE)->kind, PD_KIND_DEAD);
    lab_answer_ok(lab, expect_migrate(lab, 17));
    assert_int_equal(engine_counts(lab->engine).remembered, 0);
    lab_time(lab, 50 * SEC); /* all are back, and no more than that */
    for (unsigned i = 0; i < 5; i++)
        lab_migrated(lab, 17, PD_KIND_DEAD);
    lab_advise(lab, 17, PD_KIND_DEAD);
    expect_decision(lab, 17, VERDICT_DAMPED);
}

/* What the kernel did: one a second while rows show progress, five at once at most. */
static void tokens_of_moved(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    for (unsigned i = 0; i < 5; i++)
        lab_migrated(lab, 17, PD_KIND_MOVED);
    for (unsigned i = 0; i < 3; i++) {
        lab_advise(lab, 17, PD_KIND_MOVED);
        expect_decision(lab, 17, VERDICT_DAMPED);
        lab_time(lab, SEC - 1);
        lab_fresh(lab, 17, 50000 + i);
        expect_no_decision(lab);
        lab_time(lab, 1);
        expect_decision(lab, 17, VERDICT_MIGRATE);
        lab_answer_ok(lab, expect_migrate(lab, 17));
        lab_skip(lab);
        lab_time(lab, 61 * SEC); /* the counting of repeats is over */
        for (unsigned k = 0; k < 5; k++)
            lab_migrated(lab, 17, PD_KIND_MOVED);
    }
    for (unsigned i = 0; i < 5; i++) /* they took none of these */
        lab_migrated(lab, 17, PD_KIND_DEAD);
}

/* At a flip nothing is known of the new route. The first row without progress tells. */
static void moved_without_progress(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    for (unsigned i = 0; i < 5; i++)
        lab_migrated(lab, 17, PD_KIND_MOVED);
    lab_fresh(lab, 17, 50000);
    lab_silent(lab, 17); /* before the flip */
    lab_advise(lab, 17, PD_KIND_MOVED);
    expect_decision(lab, 17, VERDICT_DAMPED);
    lab_fresh(lab, 17, 50001); /* what came before it, maybe */
    expect_no_decision(lab);
    lab_time(lab, 10 * MS);
    lab_silent(lab, 17);
    expect_decision(lab, 17, VERDICT_MIGRATE);
    lab_answer_ok(lab, expect_migrate(lab, 17));
    assert_int_equal(engine_counts(lab->engine).remembered, 0);
}

/* Where the kernel has proven that nothing can arrive on the old path, no row is waited for. */
static void moved_off_what_is_gone(void **state)
{
    static const char *const proofs[] = {"silent", "unreachable"};
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    for (unsigned i = 0; i < 5; i++)
        lab_migrated(lab, 17, PD_KIND_MOVED);
    for (unsigned i = 0; i < 2; i++) {
        const struct pd_field proof = {"proof", proofs[i], 0};

        lab_fresh(lab, 17, 50000 + i);
        lab_advise_full(
            lab, 17,
            &(struct pd_advice){
                .kind = PD_KIND_MOVED, .reason = "flip", .evidence = &proof, .n_evidence = 1});
        expect_decision(lab, 17, i ? VERDICT_MIGRATE : VERDICT_DAMPED);
    }
    lab_answer_ok(lab, expect_migrate(lab, 17));
    expect_no_move(lab);
}

/* What stall advises of a path that stays dead, each time after twice as long: every one of them
 * gets a new port, whose way may be another. */
static void new_ports_are_not_damped(void **state)
{
    static const unsigned at_s[] = {0, 1, 3, 7, 15, 31, 61, 91, 121, 151};
    struct lab *lab = *state;
    uint64_t begin_us = lab->now_us;

    lab_peer_up(lab, "a", 17);
    for (unsigned i = 0; i < ARRAY_SIZE(at_s); i++) {
        lab_time(lab, begin_us + at_s[i] * SEC - lab->now_us);
        lab_migrated(lab, 17, PD_KIND_DEAD);
        lab_silent(lab, 17);
    }
}

/* The request of one that was damped is open, and `dead` is damped still. */
static void dead_without_progress_is_damped(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    for (unsigned i = 0; i < 5; i++)
        lab_migrated(lab, 17, PD_KIND_DEAD);
    lab_advise(lab, 17, PD_KIND_DEAD);
    expect_decision(lab, 17, VERDICT_DAMPED);
    lab_time(lab, 10 * MS);
    lab_silent(lab, 17);
    expect_no_decision(lab);
}

static void degraded_takes_no_token(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    for (unsigned i = 0; i < 8; i++) {
        lab_migrated(lab, 17, PD_KIND_DEGRADED);
        lab_time(lab, 31 * SEC);
    }
    for (unsigned i = 0; i < 5; i++)
        lab_migrated(lab, 17, PD_KIND_DEAD);
    lab_advise(lab, 17, PD_KIND_DEAD);
    expect_decision(lab, 17, VERDICT_DAMPED);
}

static void refused_and_retried_take_no_token(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    lab_hold(lab, "a", 0);
    for (unsigned i = 0; i < 7; i++)
        lab_advise(lab, 17, PD_KIND_DEAD);
    lab_withdraw(lab, 17); /* else it is given again */
    lab_release(lab, "a");
    lab_skip(lab);
    lab_advise(lab, 17, PD_KIND_DEAD);
    expect_decision(lab, 17, VERDICT_MIGRATE);
    lab_answer_error(lab, expect_migrate(lab, 17), NODE_TIMEOUT);
    lab_answer_error(lab, expect_migrate(lab, 17), NODE_TIMEOUT);
    lab_answer_ok(lab, expect_migrate(lab, 17));
    lab_skip(lab);
    for (unsigned i = 0; i < 4; i++)
        lab_migrated(lab, 17, PD_KIND_DEAD);
    lab_advise(lab, 17, PD_KIND_DEAD);
    expect_decision(lab, 17, VERDICT_DAMPED);
}

/* ---- reconnects of one name ---- */

static uint64_t reconnect(struct lab *lab, uint64_t conn)
{
    expect_decision(lab, conn, VERDICT_RECONNECT);
    lab_peer_down(lab, conn);
    lab_peer_up(lab, "a", conn + 1);
    lab_answer_conn(lab, expect_reconnect(lab, conn), conn + 1);
    return conn + 1;
}

static void reconnect_gap(void **state)
{
    struct lab *lab = *state;
    uint64_t gap_us = 10 * SEC;
    uint64_t conn = 1;

    lab->config.prefer = PREFER_RECONNECT;
    lab_peer_up(lab, "a", conn);
    lab_advise(lab, conn, PD_KIND_MOVED);
    conn = reconnect(lab, conn);
    for (unsigned i = 0; i < 4; i++) { /* 10, 20, 30, 30 s */
        lab_advise(lab, conn, PD_KIND_DEAD);
        expect_decision(lab, conn, VERDICT_DAMPED);
        lab_time(lab, gap_us - 1);
        expect_no_decision(lab);
        lab_time(lab, 1);
        conn = reconnect(lab, conn);
        gap_us = min_u64(gap_us * 2, 30 * SEC);
    }
    /* a connection that has lived 60 s resets it */
    lab_time(lab, 60 * SEC);
    lab_advise(lab, conn, PD_KIND_DEAD);
    conn = reconnect(lab, conn);
    lab_advise(lab, conn, PD_KIND_DEAD);
    expect_decision(lab, conn, VERDICT_DAMPED);
    lab_time(lab, 10 * SEC);
    reconnect(lab, conn);
}

/* Nine flips in 72 s, and each is followed at once; a flip right after a reconnect waits for the
 * rest of its second. */
static void flips_are_followed(void **state)
{
    struct lab *lab = *state;
    uint64_t conn = 1;

    lab->config.prefer = PREFER_RECONNECT;
    lab_peer_up(lab, "a", conn);
    for (unsigned i = 0; i < 9; i++) {
        lab_advise(lab, conn, PD_KIND_MOVED);
        conn = reconnect(lab, conn);
        lab_time(lab, 8 * SEC);
        lab_skip(lab);
    }
    lab_advise(lab, conn, PD_KIND_MOVED);
    conn = reconnect(lab, conn);
    lab_time(lab, 100 * MS);
    lab_advise(lab, conn, PD_KIND_MOVED);
    expect_decision(lab, conn, VERDICT_DAMPED);
    lab_time(lab, 900 * MS);
    reconnect(lab, conn);
}

static void lived_before_it_went(void **state)
{
    struct lab *lab = *state;

    lab->config.prefer = PREFER_RECONNECT;
    lab_peer_up(lab, "a", 1);
    lab_advise(lab, 1, PD_KIND_MOVED);
    reconnect(lab, 1);
    lab_time(lab, 61 * SEC);
    lab_peer_down(lab, 2); /* by itself, after a life */
    lab_peer_up(lab, "a", 3);
    lab_advise(lab, 3, PD_KIND_MOVED);
    reconnect(lab, 3);
    lab_advise(lab, 4, PD_KIND_DEAD);
    expect_decision(lab, 4, VERDICT_DAMPED);
    lab_time(lab, 10 * SEC); /* not 20 */
    reconnect(lab, 4);
}

static void an_old_connection_has_a_gap_too(void **state)
{
    struct lab *lab = *state;

    lab->config.prefer = PREFER_RECONNECT;
    lab_peer_up(lab, "a", 1);
    lab_time(lab, 10 * MIN);
    lab_advise(lab, 1, PD_KIND_DEAD);
    expect_decision(lab, 1, VERDICT_RECONNECT);
    lab_answer_error(lab, expect_reconnect(lab, 1), NODE_DIAL_FAILED);
    lab_time(lab, 7 * SEC); /* the back-off is over, the gap is not */
    lab_skip(lab);
    lab_advise(lab, 1, PD_KIND_DEAD);
    expect_decision(lab, 1, VERDICT_DAMPED);
    lab_time(lab, 10 * SEC);
    expect_decision(lab, 1, VERDICT_RECONNECT);
}

/* ---- back-off ---- */

static void backoff_doubles(void **state)
{
    struct lab *lab = *state;
    uint64_t usual_us = 5 * SEC;

    lab_peer_up(lab, "a", 17);
    for (unsigned i = 0; i < 10; i++) {
        uint64_t until_us;

        lab_advise(lab, 17, PD_KIND_DEGRADED);
        expect_decision(lab, 17, VERDICT_MIGRATE);
        lab_answer_error(lab, expect_migrate(lab, 17), -1);
        expect_outcome(lab, 17, OUTCOME_FAILED);
        until_us = lab_peer(lab, 17)->moves->backoff_until_us[BY_MIGRATE];
        assert_in_range(until_us - lab->now_us, usual_us * 4 / 5, usual_us * 6 / 5);
        lab_time(lab, 2 * SEC); /* past the merge window */
        lab_advise(lab, 17, PD_KIND_DEGRADED);
        lab_time(lab, until_us - lab->now_us - 1);
        lab_advise(lab, 17, PD_KIND_DEGRADED);
        lab_time(lab, 1);
        lab_skip(lab);
        usual_us = min_u64(usual_us * 2, 5 * MIN);
    }
    /* a move resets it */
    lab_migrated(lab, 17, PD_KIND_DEGRADED);
    lab_fresh(lab, 17, 1);
    lab_time(lab, 31 * SEC);
    lab_advise(lab, 17, PD_KIND_DEGRADED);
    expect_decision(lab, 17, VERDICT_MIGRATE);
    lab_answer_error(lab, expect_migrate(lab, 17), -1);
    assert_in_range(lab_peer(lab, 17)->moves->backoff_until_us[BY_MIGRATE] - lab->now_us, 4 * SEC,
                    6 * SEC);
}

/* A connection that is dead does not wait for minutes, however often it has failed before. */
static void backoff_of_dead(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    for (unsigned i = 0; i < 8; i++) {
        lab_time(lab, 10 * MIN);
        lab_skip(lab);
        lab_advise(lab, 17, PD_KIND_DEGRADED);
        lab_answer_error(lab, expect_migrate(lab, 17), -1);
    }
    lab_time(lab, 30 * SEC - 1);
    lab_skip(lab);
    lab_advise(lab, 17, PD_KIND_DEAD);
    expect_decision(lab, 17, VERDICT_BACKING_OFF);
    lab_time(lab, 1);
    assert_true(lab_peer(lab, 17)->moves->backoff_until_us[BY_MIGRATE] > lab->now_us);
    lab_advise(lab, 17, PD_KIND_DEAD);
    expect_decision(lab, 17, VERDICT_MIGRATE);
}

/* Failures on another route say nothing of this one. */
static void a_changed_route_ends_the_backoff(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    lab_advise(lab, 17, PD_KIND_DEGRADED);
    lab_answer_error(lab, expect_migrate(lab, 17), -1);
    lab_skip(lab);
    lab_time(lab, SEC);
    lab_advise(lab, 17, PD_KIND_DEAD);
    expect_decision(lab, 17, VERDICT_BACKING_OFF);
    lab_hold(lab, "a", 0); /* whatever the verdict */
    lab_advise(lab, 17, PD_KIND_MOVED);
    lab_withdraw(lab, 17);
    lab_release(lab, "a");
    lab_skip(lab);
    lab_advise(lab, 17, PD_KIND_DEAD);
    expect_decision(lab, 17, VERDICT_MIGRATE);
}

/* ---- what is remembered ---- */

static void remembered_in_flight(void **state)
{
    struct lab *lab = *state;
    const struct record_decision *again;

    lab_peer_up(lab, "a", 17);
    lab_advise(lab, 17, PD_KIND_DEGRADED);
    expect_decision(lab, 17, VERDICT_MIGRATE);
    lab_advise_full(lab, 17, &(struct pd_advice){PD_KIND_MOVED, .reason = "first"});
    assert_int_equal(expect_decision(lab, 17, VERDICT_IN_FLIGHT)->decision, 2);
    lab_advise_full(lab, 17, &(struct pd_advice){PD_KIND_DEAD, .reason = "latest"});
    expect_no_decision(lab); /* a repeat */
    lab_answer_ok(lab, expect_migrate(lab, 17));
    again = expect_decision(lab, 17, VERDICT_MIGRATE);
    assert_int_equal(again->decision, 4);
    assert_string_equal(again->reason->s, "latest");
    assert_int_equal(again->kind, PD_KIND_DEAD);
    lab_answer_ok(lab, expect_migrate(lab, 17));
    expect_no_decision(lab);
    expect_no_move(lab);
}

static void degraded_is_not_remembered(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    lab_advise(lab, 17, PD_KIND_MOVED);
    expect_decision(lab, 17, VERDICT_MIGRATE);
    lab_advise(lab, 17, PD_KIND_DEGRADED);
    expect_decision(lab, 17, VERDICT_IN_FLIGHT);
    lab_answer_ok(lab, expect_migrate(lab, 17));
    expect_no_decision(lab);
}

static void withdrawn(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    lab_advise(lab, 17, PD_KIND_MOVED);
    expect_decision(lab, 17, VERDICT_MIGRATE);
    lab_advise(lab, 17, PD_KIND_MOVED);
    expect_decision(lab, 17, VERDICT_IN_FLIGHT);
    lab_withdraw(lab, 17);
    assert_int_equal(engine_counts(lab->engine).remembered, 0);
    assert_int_equal(engine_counts(lab->engine).open, 1); /* what is asked is asked */
    lab_answer_ok(lab, expect_migrate(lab, 17));
    expect_no_decision(lab);
}

static void gone_until_it_lives(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    lab_advise(lab, 17, PD_KIND_DEGRADED);
    expect_decision(lab, 17, VERDICT_MIGRATE);
    lab_fresh(lab, 17, 50000);
    lab_answer_error(lab, expect_migrate(lab, 17), NODE_NO_CONN);
    expect_outcome(lab, 17, OUTCOME_GONE);
    lab_silent(lab, 17); /* an old row */
    lab_advise(lab, 17, PD_KIND_MOVED);
    expect_decision(lab, 17, VERDICT_GONE);
    lab_fresh(lab, 17, 50000);
    lab_advise(lab, 17, PD_KIND_MOVED);
    expect_decision(lab, 17, VERDICT_MIGRATE);
    lab_answer_error(lab, expect_migrate(lab, 17), NODE_NOT_CONNECTED);
    lab_advise(lab, 17, PD_KIND_MOVED);
    expect_no_decision(lab);   /* gone, once more */
    lab_peer_up(lab, "a", 17); /* the same, told again */
    lab_advise(lab, 17, PD_KIND_MOVED);
    expect_decision(lab, 17, VERDICT_MIGRATE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(by),
        LAB_TEST(tokens),
        LAB_TEST(tokens_of_moved),
        LAB_TEST(moved_without_progress),
        LAB_TEST(moved_off_what_is_gone),
        LAB_TEST(new_ports_are_not_damped),
        LAB_TEST(dead_without_progress_is_damped),
        LAB_TEST(degraded_takes_no_token),
        LAB_TEST(refused_and_retried_take_no_token),
        LAB_TEST(reconnect_gap),
        LAB_TEST(flips_are_followed),
        LAB_TEST(lived_before_it_went),
        LAB_TEST(an_old_connection_has_a_gap_too),
        LAB_TEST(backoff_doubles),
        LAB_TEST(backoff_of_dead),
        LAB_TEST(a_changed_route_ends_the_backoff),
        LAB_TEST(remembered_in_flight),
        LAB_TEST(degraded_is_not_remembered),
        LAB_TEST(withdrawn),
        LAB_TEST(gone_until_it_lives),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
