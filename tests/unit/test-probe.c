/* SPDX-License-Identifier: Apache-2.0 */
/* engine/uplinks/probe.[ch]: which paths are asked about, and what an answer, or none, leads to. */
#include "engine-lab.h"

#define ON_HOME "10.0.0.2:9001"

static const struct uplink_config sections[] = {
    {"home", "up0", UPLINK_PRIMARY},
    {"fibre", "up1", UPLINK_SPARE},
    {"sat", "up2", UPLINK_SPARE},
};

static const struct event_interface interfaces[] = {
    {"up0", "10.0.0.2", true, false, true, false},
    {"up1", "10.0.1.2", true, false, true, false},
    {"up2", "10.0.2.2", true, false, true, false},
};

static void peer(struct lab *lab, uint64_t conn)
{
    char name[16];

    snprintf(name, sizeof(name), "p%u", (unsigned)conn);
    lab_peer_told(lab, &(struct event_peer_up){.peer = name,
                                               .conn = conn,
                                               .role = PD_ROLE_CLIENT,
                                               .local = ON_HOME,
                                               .remote = "192.0.2.1:443",
                                               .migratable = true,
                                               .reconnectable = true});
    lab_fresh(lab, conn, 50000);
}

static int setup_burst(void **state, uint32_t move_burst)
{
    struct lab *lab = memory_new(1, sizeof(*lab));

    lab_init(lab);
    if (move_burst == 1) /* two pieces of advice soon after a move */
        lab->config.merge_window_us = lab->config.cooldown_us = 0;
    lab->config.move_burst = move_burst;
    lab->features = NODE_RECONNECT | NODE_BIND | NODE_PROBE_PATH;
    lab->config.uplinks = sections;
    lab->config.n_uplinks = ARRAY_SIZE(sections);
    lab_begin(lab);
    lab_event(lab, &(struct event){.type = EVENT_INTERFACES,
                                   .interfaces = {interfaces, ARRAY_SIZE(interfaces)}});
    peer(lab, 1);
    lab_skip(lab);
    *state = lab;
    return 0;
}

static int setup(void **state)
{
    return setup_burst(state, 5);
}

/* One `moved` a second. */
static int setup_slow(void **state)
{
    return setup_burst(state, 1);
}

/* The last probe over that interface; the test fails where there is none since `since`. */
static uint64_t asked(const struct lab *lab, size_t since, const char *interface)
{
    for (size_t i = lab->n_actions; i-- > since;)
        if (lab->actions[i].type == ACTION_PROBE_PATH &&
            !strcmp(lab->actions[i].interface, interface))
            return lab->actions[i].request;
    fail_msg("no probe over %s", interface);
    return 0;
}

static unsigned count(const struct lab *lab, size_t since)
{
    unsigned n = 0;

    for (size_t i = since; i < lab->n_actions; i++)
        n += lab->actions[i].type == ACTION_PROBE_PATH;
    return n;
}

static void probed(struct lab *lab, uint64_t probe, uint64_t rtt_us, int64_t code)
{
    lab_event(lab,
              &(struct event){
                  .type = EVENT_PROBED,
                  .probed = {.probe = probe, .ok = rtt_us > 0, .rtt_us = rtt_us, .code = code}});
}

/* Where the next move leads, "": nowhere in particular. */
static void expect_move_to(struct lab *lab, const char *interface)
{
    const struct lab_action *move = lab_next_move(lab);

    assert_non_null(move);
    assert_string_equal(move->interface, interface);
}

static void the_first_that_lives(void **state)
{
    struct lab *lab = *state;
    size_t since = lab->n_actions;
    uint64_t ignored = engine_counts(lab->engine).ignored, fibre, sat;

    lab_advise(lab, 1, PD_KIND_DEAD);
    expect_decision(lab, 1, VERDICT_PROBING);
    expect_no_move(lab);
    assert_int_equal(count(lab, since), 2);
    fibre = asked(lab, since, "up1");
    sat = asked(lab, since, "up2");
    lab_time(lab, 50 * MS);
    probed(lab, sat, 41200, 0);
    expect_move_to(lab, "up2");
    probed(lab, fibre, 0, NODE_TIMEOUT);
    assert_int_equal(engine_counts(lab->engine).ignored, ignored);
    probed(lab, fibre, 5, 0); /* nobody waits for it */
    assert_int_equal(engine_counts(lab->engine).ignored, ignored + 1);
    expect_no_move(lab);
}

static void none_lives(void **state)
{
    struct lab *lab = *state;
    size_t since = lab->n_actions;

    lab_advise(lab, 1, PD_KIND_DEAD);
    probed(lab, asked(lab, since, "up1"), 0, NODE_NO_PATH);
    expect_no_move(lab);
    probed(lab, asked(lab, since, "up2"), 0, 0); /* nonsense */
    expect_move_to(lab, "");
    assert_int_equal(count(lab, since), 2);
}

/* Should no answer come at all, it is decided without. */
static void nobody_answers(void **state)
{
    struct lab *lab = *state;

    lab_advise(lab, 1, PD_KIND_DEAD);
    lab_time(lab, 900 * MS);
    expect_no_move(lab);
    lab_time(lab, 600 * MS);
    expect_move_to(lab, "");
}

/* Those that are open when the node goes are forgotten, and say nothing of the paths. */
static void the_node_goes(void **state)
{
    struct lab *lab = *state;
    size_t since = lab->n_actions;
    uint64_t ignored, old;

    lab_advise(lab, 1, PD_KIND_DEAD);
    old = asked(lab, since, "up1");
    lab_node_down(lab);
    lab_time(lab, 1200 * MS);
    since = lab->n_actions;
    lab_node_up(lab, "boot");
    peer(lab, 1);
    lab_snapshot(lab);
    ignored = engine_counts(lab->engine).ignored;
    probed(lab, old, 5, 0);
    assert_int_equal(engine_counts(lab->engine).ignored, ignored + 1);
    lab_advise(lab, 1, PD_KIND_DEAD);
    expect_no_move(lab);
    assert_int_equal(count(lab, since), 2);
    assert_true(asked(lab, since, "up1") > old);
    probed(lab, asked(lab, since, "up1"), 41200, 0);
    expect_move_to(lab, "up1");
}

/* A few ask for all: one answer is enough for every connection that waits. */
static void many_ask_together(void **state)
{
    struct lab *lab = *state;
    size_t since = lab->n_actions;

    for (uint64_t conn = 2; conn <= 20; conn++)
        peer(lab, conn);
    lab_skip(lab);
    for (uint64_t conn = 1; conn <= 20; conn++)
        lab_advise(lab, conn, PD_KIND_DEAD);
    assert_int_equal(count(lab, since), 2 * 3);
    probed(lab, asked(lab, since, "up2"), 41200, 0);
    for (uint64_t conn = 1; conn <= 20; conn++)
        expect_move_to(lab, "up2");
}

static void a_node_that_cannot(void **state)
{
    struct lab *lab = *state;

    lab_node_down(lab);
    lab->features = NODE_RECONNECT | NODE_BIND;
    lab_node_up(lab, "boot");
    peer(lab, 1);
    lab_snapshot(lab);
    lab_skip(lab);
    lab_advise(lab, 1, PD_KIND_DEAD);
    expect_move_to(lab, "up1");
    assert_int_equal(count(lab, 0), 0);
}

/* What shows progress before an answer comes stays. */
static void progress_ends_the_wait(void **state)
{
    struct lab *lab = *state;
    size_t since = lab->n_actions;

    lab_silent(lab, 1);
    lab_advise(lab, 1, PD_KIND_DEAD);
    expect_decision(lab, 1, VERDICT_PROBING);
    lab_time(lab, 50 * MS);
    lab_fresh(lab, 1, 50000);
    probed(lab, asked(lab, since, "up1"), 41200, 0);
    probed(lab, asked(lab, since, "up2"), 41200, 0);
    lab_time(lab, 5 * SEC);
    expect_no_move(lab);
    expect_no_decision(lab);
}

/* Of one that is known to live nothing is asked, nor where there is one only. */
static void not_where_it_is_known(void **state)
{
    struct lab *lab = *state;
    size_t since;

    lab_peer_told(lab, &(struct event_peer_up){.peer = "sat",
                                               .conn = 9,
                                               .role = PD_ROLE_CLIENT,
                                               .local = "10.0.2.2:9",
                                               .remote = "192.0.2.1:443",
                                               .migratable = true});
    lab_fresh(lab, 9, 50000);
    since = lab->n_actions;
    lab_advise(lab, 1, PD_KIND_DEAD);
    expect_move_to(lab, "up2");
    assert_int_equal(count(lab, since), 0);
}

static void not_where_there_is_one_only(void **state)
{
    struct lab *lab = *state;
    size_t since;

    lab_event(lab, &(struct event){.type = EVENT_INTERFACES, .interfaces = {interfaces, 2}});
    since = lab->n_actions;
    lab_advise(lab, 1, PD_KIND_DEAD);
    expect_move_to(lab, "up1");
    assert_int_equal(count(lab, since), 0);
}

/* The route has changed, and the connection waits to follow it: that some uplink may be faster does
 * not end this wait. */
static void moved_stays_remembered(void **state)
{
    struct lab *lab = *state;

    lab_advise(lab, 1, PD_KIND_MOVED);
    lab_answer_ok(lab, lab_next_move(lab)->request);
    lab_skip(lab);
    lab_fresh(lab, 1, 50000);
    lab_advise(lab, 1, PD_KIND_MOVED);
    expect_decision(lab, 1, VERDICT_DAMPED);
    lab_advise(lab, 1, PD_KIND_DEGRADED);
    expect_decision(lab, 1, VERDICT_PROBING);
    lab_time(lab, 1100 * MS);
    expect_decision(lab, 1, VERDICT_MIGRATE);
    assert_non_null(lab_next_move(lab));
}

/* For degraded the others are measured first: only one that is faster is taken. */
static void degraded_is_measured(void **state)
{
    struct lab *lab = *state;
    size_t since = lab->n_actions;

    lab_advise(lab, 1, PD_KIND_DEGRADED);
    expect_decision(lab, 1, VERDICT_PROBING);
    probed(lab, asked(lab, since, "up1"), 45000, 0);
    expect_no_move(lab);
    probed(lab, asked(lab, since, "up2"), 0, NODE_TIMEOUT);
    expect_move_to(lab, ""); /* none is */
    peer(lab, 2);
    lab_skip(lab);
    lab_time(lab, 15 * SEC);
    lab_fresh(lab, 2, 50000);
    since = lab->n_actions;
    lab_advise(lab, 2, PD_KIND_DEGRADED);
    probed(lab, asked(lab, since, "up2"), 20000, 0);
    probed(lab, asked(lab, since, "up1"), 30000, 0);
    expect_move_to(lab, "up2");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_first_that_lives, setup, lab_teardown),
        cmocka_unit_test_setup_teardown(none_lives, setup, lab_teardown),
        cmocka_unit_test_setup_teardown(nobody_answers, setup, lab_teardown),
        cmocka_unit_test_setup_teardown(the_node_goes, setup, lab_teardown),
        cmocka_unit_test_setup_teardown(many_ask_together, setup, lab_teardown),
        cmocka_unit_test_setup_teardown(a_node_that_cannot, setup, lab_teardown),
        cmocka_unit_test_setup_teardown(progress_ends_the_wait, setup, lab_teardown),
        cmocka_unit_test_setup_teardown(not_where_it_is_known, setup, lab_teardown),
        cmocka_unit_test_setup_teardown(not_where_there_is_one_only, setup, lab_teardown),
        cmocka_unit_test_setup_teardown(moved_stays_remembered, setup_slow, lab_teardown),
        cmocka_unit_test_setup_teardown(degraded_is_measured, setup, lab_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
