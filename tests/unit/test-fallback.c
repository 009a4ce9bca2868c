/* SPDX-License-Identifier: Apache-2.0 */
/* After moved or dead advice: fast poll, dead or alive, and the fallback. */
#include "engine-lab.h"

/* An inbound connection: no migrate is possible, so its advice is refused. */
static void inbound(struct lab *lab, enum pd_kind kind)
{
    lab_peer_up_role(lab, "a", 17, PD_ROLE_SERVER);
    lab_fresh(lab, 17, 50000);
    lab_advise(lab, 17, kind);
    expect_decision(lab, 17, VERDICT_INBOUND);
}

/* Silent looks each `step`, as often as it takes to pass `span`. */
static void silence(struct lab *lab, uint64_t span_us, uint64_t step_us)
{
    for (uint64_t admitted = 0; admitted < span_us; admitted += step_us) {
        lab_silent(lab, 17);
        lab_time(lab, step_us);
    }
}

static void dead_inbound(void **state)
{
    struct lab *lab = *state;
    const struct record_decision *decision;

    inbound(lab, PD_KIND_MOVED);
    silence(lab, SEC, 250 * MS); /* of a change of our own network only we know */
    expect_no_decision(lab);
    lab_silent(lab, 17);
    decision = expect_decision(lab, 17, VERDICT_RECONNECT);
    assert_string_equal(decision->trigger, "fallback");
    assert_int_equal(decision->kind, PD_KIND_DEAD);
    assert_int_equal(decision->by, BY_RECONNECT);
    expect_reconnect(lab, 17);
}

/* Another connection makes progress: a dial can work. */
static void another_lives(struct lab *lab)
{
    lab_peer_up(lab, "z", 99);
    lab_fresh(lab, 99, 50000);
}

/* The other end may have a pathdog, too, that sees the same. */
static void dead_inbound_without_a_flip(void **state)
{
    struct lab *lab = *state;

    another_lives(lab);
    inbound(lab, PD_KIND_DEAD);
    for (unsigned i = 0; i < 6; i++) {
        lab_silent(lab, 17);
        lab_time(lab, SEC);
        lab_fresh(lab, 99, 50000);
    }
    expect_no_decision(lab);
    lab_silent(lab, 17);
    assert_string_equal(expect_decision(lab, 17, VERDICT_RECONNECT)->trigger, "fallback");
}

static void client(struct lab *lab) /* its migrate went "ok", and froze it */
{
    lab_peer_up(lab, "a", 17);
    lab_fresh(lab, 17, 50000);
    lab_migrated(lab, 17, PD_KIND_MOVED);
}

static void frozen_by_a_migration(void **state)
{
    struct lab *lab = *state;

    client(lab);
    silence(lab, 3 * SEC, SEC);
    expect_no_decision(lab);
    lab_silent(lab, 17);
    expect_decision(lab, 17, VERDICT_RECONNECT);
}

static void three_polls_at_least(void **state)
{
    struct lab *lab = *state;

    client(lab);
    lab_time(lab, 10 * SEC);
    lab_silent(lab, 17);
    lab_silent(lab, 17);
    expect_no_decision(lab);
    lab_silent(lab, 17);
    expect_decision(lab, 17, VERDICT_RECONNECT);
}

static void owes_nothing(void **state)
{
    struct lab *lab = *state;

    client(lab);
    for (unsigned i = 0; i < 20; i++) {
        lab_row(lab, 17, "srtt=50000 samples=1 in_flight=0 pto=0 sent=100");
        lab_time(lab, SEC);
    }
    expect_no_decision(lab);
}

static void owed_in_every_poll(void **state)
{
    struct lab *lab = *state;

    client(lab);
    silence(lab, 2 * SEC, SEC);
    lab_row(lab, 17, "srtt=50000 samples=1 in_flight=0"); /* once nothing was outstanding */
    lab_time(lab, SEC);
    silence(lab, 2 * SEC, SEC); /* it waits for an answer again, but not yet for fallback_after */
    expect_no_decision(lab);
    lab_silent(lab, 17);
    expect_decision(lab, 17, VERDICT_RECONNECT);
}

/* Who was idle for long has not been silent for long: its packet was just sent. */
static void idle_and_then_sends(void **state)
{
    struct lab *lab = *state;

    client(lab);
    for (unsigned i = 0; i < 20; i++) {
        lab_row(lab, 17, "srtt=50000 samples=1 in_flight=0 sent=100 received=100");
        lab_time(lab, SEC);
    }
    for (unsigned i = 0; i < 2; i++) {
        lab_row(lab, 17, "srtt=50000 samples=1 in_flight=500 sent=600 received=100");
        expect_no_decision(lab);
        lab_time(lab, SEC);
    }
    lab_row(lab, 17, "srtt=50000 samples=1 in_flight=500 sent=600 received=100");
    expect_decision(lab, 17, VERDICT_RECONNECT);
}

static void owed_by_pto_and_by_sending(void **state)
{
    static const char *const rows[][2] = {
        {"srtt=1 samples=1 pto=1 in_flight=900", "srtt=1 samples=1 pto=2 in_flight=900"},
        {"srtt=1 samples=1 sent=100", "srtt=1 samples=1 sent=1200"},
        {"srtt=1 samples=1 unacked_bytes=1", "srtt=1 samples=1 unacked_bytes=1 pto=1"},
        {"srtt=1 samples=1 unacked=1", "srtt=1 samples=1 unacked=1000"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct lab lab;

        lab_init(&lab);
        lab_begin(&lab);
        client(&lab);
        for (unsigned k = 0; k < 4; k++) {
            lab_row(&lab, 17, rows[i][k > 0]);
            lab_time(&lab, SEC);
        }
        expect_decision(&lab, 17, VERDICT_RECONNECT);
        lab_end(&lab);
    }
}

static void any_progress_clears(void **state)
{
    static const char *const rows[] = {
        "srtt=50000 samples=2 in_flight=1200",              /* fresh */
        "srtt=50000 samples=1 in_flight=1200 received=200", /* grew */
        "srtt=50000 samples=1 in_flight=1200 silent=10",    /* heard since the last look */
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct lab lab;

        lab_init(&lab);
        lab_begin(&lab);
        lab_peer_up(&lab, "a", 17);
        lab_row(&lab, 17, "srtt=50000 samples=1 received=100");
        lab_migrated(&lab, 17, PD_KIND_MOVED);
        for (unsigned k = 0; k < 3; k++) {
            lab_row(&lab, 17,
                    k < 2 ? "srtt=50000 samples=1 in_flight=0 received=100"
                          : "srtt=50000 samples=1 in_flight=1200 received=100");
            lab_time(&lab, 990 * MS);
        }
        lab_row(&lab, 17, rows[i]);
        for (unsigned k = 0; k < 20; k++) {
            lab_time(&lab, SEC);
            lab_row(&lab, 17,
                    i == 0 ? "srtt=50000 samples=2 in_flight=1200"
                           : "srtt=50000 samples=1 in_flight=1200 received=200 silent=90000");
        }
        expect_no_decision(&lab); /* 1 s after the advice: it is known to live */
        lab_end(&lab);
    }
}

/* Progress within a second of the advice may be left from before it. */
static void progress_too_soon(void **state)
{
    struct lab *lab = *state;

    inbound(lab, PD_KIND_MOVED);
    lab_time(lab, SEC);
    lab_fresh(lab, 17, 50000);
    assert_true(lab_peer(lab, 17)->moves->watch.on);
    lab_time(lab, 1);
    lab_fresh(lab, 17, 50000);
    assert_false(lab_peer(lab, 17)->moves->watch.on);
}

/* A row covers all the time since the one before it: in a storm the first look at a
 * connection comes late, and what it shows is from before the advice. */
static void progress_from_before_the_advice(void **state)
{
    struct lab *lab = *state;

    lab_peer_up_role(lab, "a", 17, PD_ROLE_SERVER);
    lab_row(lab, 17, "srtt=50000 samples=1 in_flight=1200 received=100");
    lab_time(lab, 4 * SEC);
    lab_advise(lab, 17, PD_KIND_MOVED);
    expect_decision(lab, 17, VERDICT_INBOUND);
    lab_time(lab, 2 * SEC);
    lab_row(lab, 17, "srtt=50000 samples=1 in_flight=1200 received=500");
    assert_true(lab_peer(lab, 17)->moves->watch.on);
    for (unsigned i = 0; i < 6; i++) {
        lab_time(lab, SEC);
        lab_row(lab, 17, "srtt=50000 samples=1 in_flight=1200 received=500");
    }
    expect_decision(lab, 17, VERDICT_RECONNECT);
}

/* Where the node says when the last packet came, the first look is enough. */
static void progress_that_says_when(void **state)
{
    struct lab *lab = *state;

    inbound(lab, PD_KIND_MOVED);
    lab_time(lab, 2 * SEC);
    lab_row(lab, 17, "srtt=50000 samples=1 in_flight=0 silent=1100"); /* too soon */
    assert_true(lab_peer(lab, 17)->moves->watch.on);
    lab_advise(lab, 17, PD_KIND_MOVED);
    lab_time(lab, 2 * SEC);
    lab_row(lab, 17, "srtt=50000 samples=1 in_flight=0 silent=900");
    assert_false(lab_peer(lab, 17)->moves->watch.on);
}

/* Who says again that it is dead does not make it live. */
static void said_dead_again_and_again(void **state)
{
    struct lab *lab = *state;

    another_lives(lab);
    inbound(lab, PD_KIND_DEAD);
    for (unsigned i = 0; i < 6; i++) {
        lab_silent(lab, 17);
        lab_advise(lab, 17, PD_KIND_DEAD);
        lab_time(lab, SEC);
        lab_fresh(lab, 99, 50000);
    }
    expect_no_decision(lab); /* the refusals are counted */
    lab_silent(lab, 17);
    assert_string_equal(expect_decision(lab, 17, VERDICT_RECONNECT)->trigger, "fallback");
}

/* A route that flaps faster than fallback_after does not keep it from being healed. */
static void said_moved_again_and_again(void **state)
{
    struct lab *lab = *state;

    inbound(lab, PD_KIND_MOVED);
    for (unsigned i = 0; i < 4; i++) {
        lab_silent(lab, 17);
        lab_advise(lab, 17, PD_KIND_MOVED);
        lab_time(lab, 250 * MS);
    }
    expect_no_decision(lab); /* the refusals are counted */
    lab_silent(lab, 17);
    assert_string_equal(expect_decision(lab, 17, VERDICT_RECONNECT)->trigger, "fallback");
}

static void an_answer_counts_as_well(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    lab_advise(lab, 17, PD_KIND_MOVED);
    lab_time(lab, 3 * SEC);
    lab_fresh(lab, 17, 50000);
    assert_true(lab_peer(lab, 17)->moves->watch.on); /* it is still asked */
    lab_answer_ok(lab, 1);
    lab_time(lab, SEC);
    lab_fresh(lab, 17, 50000);
    assert_true(lab_peer(lab, 17)->moves->watch.on);
    lab_time(lab, 1);
    lab_fresh(lab, 17, 50000);
    assert_false(lab_peer(lab, 17)->moves->watch.on);
}

static void sixty_seconds(void **state)
{
    struct lab *lab = *state;

    inbound(lab, PD_KIND_MOVED);
    lab_time(lab, 59 * SEC);
    assert_true(lab_peer(lab, 17)->moves->polled);
    lab_time(lab, 5 * SEC); /* also if no row ever came */
    assert_false(lab_peer(lab, 17)->moves->watch.on);
    assert_false(lab_peer(lab, 17)->moves->polled);
}

static void not_watched(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    lab_hold(lab, "a", 0);
    lab_advise(lab, 17, PD_KIND_MOVED);
    assert_false(lab_peer(lab, 17)->moves->watch.on);
    lab_withdraw(lab, 17); /* else it is given again */
    lab_release(lab, "a");
    lab_observe(lab, true);
    lab_advise(lab, 17, PD_KIND_DEAD);
    assert_false(lab_peer(lab, 17)->moves->watch.on);
    lab_withdraw(lab, 17);
    lab_observe(lab, false);
    lab_advise(lab, 17, PD_KIND_DEGRADED);
    assert_false(lab_peer(lab, 17)->moves->watch.on);
}

/* ---- a request in flight is never interrupted; it is evaluated when it ends ---- */

static void evaluated_before_a_retry(void **state)
{
    struct lab *lab = *state;

    another_lives(lab);
    lab_peer_up(lab, "a", 17);
    lab_fresh(lab, 17, 50000);
    lab_advise(lab, 17, PD_KIND_DEAD);
    expect_decision(lab, 17, VERDICT_MIGRATE);
    silence(lab, 5 * SEC, SEC);
    lab_fresh(lab, 99, 50000);
    expect_no_decision(lab);
    lab_answer_error(lab, expect_migrate(lab, 17), NODE_TIMEOUT);
    expect_outcome(lab, 17, OUTCOME_TIMEOUT);
    assert_string_equal(expect_decision(lab, 17, VERDICT_RECONNECT)->trigger, "fallback");
    expect_reconnect(lab, 17); /* in place of the second attempt */
    expect_no_move(lab);
}

static void retried_where_it_lives(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    lab_fresh(lab, 17, 50000);
    lab_advise(lab, 17, PD_KIND_DEAD);
    silence(lab, 3 * SEC, SEC);
    lab_fresh(lab, 17, 50000);
    lab_answer_error(lab, expect_migrate(lab, 17), NODE_TIMEOUT);
    expect_migrate(lab, 17);
}

/* ---- where it may not be, or is called off ---- */

static void impossible(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        struct lab lab;

        lab_init(&lab);
        if (i == 0)
            lab.features = 0;
        if (i == 1)
            lab.config.fallback = FALLBACK_OFF;
        lab_begin(&lab);
        lab_peer_told(&lab, &(struct event_peer_up){
                                .peer = "a",
                                .conn = 17,
                                .migratable = true,
                                .reconnectable = i != 2,
                            });
        lab_fresh(&lab, 17, 50000);
        lab_migrated(&lab, 17, PD_KIND_MOVED);
        silence(&lab, 30 * SEC, SEC);
        expect_no_decision(&lab);
        lab_end(&lab);
    }
}

static void through_the_gate(void **state)
{
    struct lab *lab = *state;

    inbound(lab, PD_KIND_MOVED);
    silence(lab, 2 * SEC, SEC);
    lab_hold(lab, "a", 0);
    silence(lab, 5 * SEC, SEC);
    expect_decision(lab, 17, VERDICT_HELD);
    expect_no_decision(lab); /* once for this silence */
    expect_no_move(lab);
}

/* On another path what was refused is forgotten; if that does not help, it is given again. */
static void again_after_a_move(void **state)
{
    struct lab *lab = *state;

    inbound(lab, PD_KIND_MOVED);
    lab_hold(lab, "a", 0);
    silence(lab, 4 * SEC, SEC);
    expect_decision(lab, 17, VERDICT_HELD);
    lab_event(lab, &(struct event){.type = EVENT_PEER_PATH,
                                   .peer_path = {.conn = 17, .local = "10.0.0.9:1"}});
    lab_release(lab, "a");
    silence(lab, 4 * SEC, SEC);
    expect_no_decision(lab);
    lab_advise(lab, 17, PD_KIND_MOVED);
    lab_silent(lab, 17);
    assert_string_equal(expect_decision(lab, 17, VERDICT_RECONNECT)->trigger, "fallback");
}

static void queued_fallback_of_a_living_one(void **state)
{
    struct lab *lab = *state;

    lab->config.max_in_flight = 1;
    lab->config.migrate_timeout_us = 30 * SEC;
    lab_node_up(lab, "boot");
    lab_snapshot(lab);
    lab_peer_up(lab, "z", 10);
    lab_operator(lab, "z", COMMAND_BY_DEFAULT);
    lab_skip(lab);
    inbound(lab, PD_KIND_MOVED);
    silence(lab, 3 * SEC, SEC);
    lab_silent(lab, 17);
    expect_decision(lab, 17, VERDICT_QUEUED);
    lab_fresh(lab, 17, 50000);
    expect_decision(lab, 17, VERDICT_SUPERSEDED);
    assert_int_equal(engine_counts(lab->engine).queued, 0);
}

static void cannot_evaluate(void **state)
{
    struct lab *lab = *state;
    unsigned notices = 0;

    lab_peer_up(lab, "a", 17);
    lab_row_only(lab, 17, "srtt=50000 latest=50000 in_flight=1200");
    lab_migrated(lab, 17, PD_KIND_MOVED);
    for (unsigned i = 0; i < 30; i++) {
        lab_row_only(lab, 17, "srtt=50000 latest=50000 in_flight=1200");
        lab_time(lab, SEC);
    }
    expect_no_decision(lab);
    lab_time(lab, 5 * MIN);
    while (lab_notice(lab, "cannot-judge"))
        notices++;
    assert_int_equal(notices, 1);
}

/* ---- probes ---- */

static void probed_once(void **state)
{
    struct lab *lab = *state;
    const struct lab_action *probe;

    lab->features |= NODE_PROBE;
    lab_node_up(lab, "boot");
    lab_snapshot(lab);
    inbound(lab, PD_KIND_MOVED);
    for (unsigned i = 0; i < 3; i++) {
        lab_row(lab, 17, "srtt=50000 samples=1 in_flight=0");
        lab_time(lab, SEC);
    }
    probe = lab_find_action(lab, ACTION_PROBE);
    assert_non_null(probe);
    assert_int_equal(probe->n_conns, 1);
    assert_int_equal(probe->conns[0], 17);
    for (size_t i = 0; i < lab->n_actions; i++)
        assert_true(lab->actions[i].type != ACTION_PROBE || &lab->actions[i] == probe);
    silence(lab, 2 * SEC, SEC); /* it waits for an answer the probe's answer from then on */
    expect_no_decision(lab);    /* but was idle in looks after it */
    lab_silent(lab, 17);
    expect_decision(lab, 17, VERDICT_RECONNECT);
}

static void probed_and_dead(void **state)
{
    struct lab *lab = *state;

    lab->features |= NODE_PROBE;
    lab_node_up(lab, "boot");
    lab_snapshot(lab);
    inbound(lab, PD_KIND_MOVED);
    lab_row(lab, 17, "srtt=50000 samples=1 in_flight=0");
    assert_non_null(lab_find_action(lab, ACTION_PROBE));
    lab_time(lab, 100 * MS);
    silence(lab, 3 * SEC, SEC);
    lab_silent(lab, 17);
    expect_decision(lab, 17, VERDICT_RECONNECT);
}

static void busy_ones_are_not_probed(void **state)
{
    static const char *const rows[] = {"srtt=50000 samples=1 in_flight=1",
                                       "srtt=50000 samples=1 in_flight=0 pto=1",
                                       "srtt=50000 samples=1 in_flight=0 unacked=1"};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct lab lab;

        lab_init(&lab);
        lab.features |= NODE_PROBE;
        lab_begin(&lab);
        inbound(&lab, PD_KIND_MOVED);
        for (unsigned k = 0; k < 2; k++) {
            lab_row(&lab, 17, rows[i]);
            lab_time(&lab, SEC);
        }
        assert_null(lab_find_action(&lab, ACTION_PROBE));
        lab_end(&lab);
    }
}

static unsigned probes(const struct lab *lab)
{
    unsigned n = 0;

    for (size_t i = 0; i < lab->n_actions; i++)
        n += lab->actions[i].type == ACTION_PROBE;
    return n;
}

/* Nothing is in flight now, but more was sent since nothing came. */
static void nor_one_that_has_sent(void **state)
{
    struct lab *lab = *state;

    lab->features |= NODE_PROBE;
    lab_node_up(lab, "boot");
    lab_snapshot(lab);
    inbound(lab, PD_KIND_MOVED);
    for (unsigned sent = 100; sent <= 300; sent += 100) {
        char row[64];

        snprintf(row, sizeof(row), "srtt=50000 samples=1 in_flight=0 sent=%u", sent);
        lab_row(lab, 17, row);
        lab_time(lab, 100 * MS);
    }
    assert_int_equal(probes(lab), 1);
    lab_advise(lab, 17, PD_KIND_MOVED);
    lab_row(lab, 17, "srtt=50000 samples=1 in_flight=0 sent=300");
    assert_int_equal(probes(lab), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(dead_inbound),
        LAB_TEST(dead_inbound_without_a_flip),
        LAB_TEST(frozen_by_a_migration),
        LAB_TEST(three_polls_at_least),
        LAB_TEST(owes_nothing),
        LAB_TEST(owed_in_every_poll),
        LAB_TEST(idle_and_then_sends),
        cmocka_unit_test(owed_by_pto_and_by_sending),
        cmocka_unit_test(any_progress_clears),
        LAB_TEST(progress_too_soon),
        LAB_TEST(progress_from_before_the_advice),
        LAB_TEST(progress_that_says_when),
        LAB_TEST(said_dead_again_and_again),
        LAB_TEST(said_moved_again_and_again),
        LAB_TEST(an_answer_counts_as_well),
        LAB_TEST(sixty_seconds),
        LAB_TEST(not_watched),
        LAB_TEST(evaluated_before_a_retry),
        LAB_TEST(retried_where_it_lives),
        cmocka_unit_test(impossible),
        LAB_TEST(through_the_gate),
        LAB_TEST(again_after_a_move),
        LAB_TEST(queued_fallback_of_a_living_one),
        LAB_TEST(cannot_evaluate),
        LAB_TEST(probed_once),
        LAB_TEST(probed_and_dead),
        cmocka_unit_test(busy_ones_are_not_probed),
        LAB_TEST(nor_one_that_has_sent),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
