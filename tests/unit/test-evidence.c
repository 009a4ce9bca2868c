/* SPDX-License-Identifier: Apache-2.0 */
/* engine/uplinks/evidence.[ch]: what is known of an uplink: which failures speak against it, and
 * when it is tried again. */
#include "uplinks-lab.h"

#include "engine/uplinks/evidence.h"

static const struct uplink_config sections[] = {
    {"home", "up0", UPLINK_PRIMARY},
    {"lte", "wwan0", UPLINK_METERED},
};

static void host(struct lab *lab, bool home)
{
    const struct event_interface list[] = {
        {"up0", "10.0.0.2", home, false, true, false},
        {"wwan0", "10.9.0.7", true, true, true, false},
    };

    lab_event(lab, &(struct event){.type = EVENT_INTERFACES, .interfaces = {list, 2}});
}

static int setup(void **state)
{
    struct lab *lab = memory_new(1, sizeof(*lab));

    lab_init(lab);
    lab->config.uplinks = sections;
    lab->config.n_uplinks = ARRAY_SIZE(sections);
    lab->config.fallback = FALLBACK_OFF;
    lab->features = NODE_BIND;
    lab_begin(lab);
    host(lab, true);
    *state = lab;
    return 0;
}

static void on_home(struct lab *lab, const char *name, uint64_t conn)
{
    lab_peer_told(lab, &(struct event_peer_up){.peer = name,
                                               .conn = conn,
                                               .local = "10.0.0.2:9",
                                               .remote = "192.0.2.1:443",
                                               .migratable = true});
}

static struct inspect_uplink uplink(const struct lab *lab, const char *name)
{
    struct inspect_uplink found;

    assert_true(inspect_uplink_find(lab->engine, lab->now_us, name, &found));
    return found;
}

/* The next request names this interface. */
static uint64_t asked(struct lab *lab, const char *interface)
{
    const struct lab_action *move = lab_next_move(lab);

    assert_non_null(move);
    assert_string_equal(move->interface, interface);
    return move->request;
}

static void moved(struct lab *lab, uint64_t request, const char *local)
{
    lab_answer(lab, &(struct event_answer){
                        .request = request, .ok = true, .validated = true, .local = local});
}

/* Requests that were on their way together fail for the same cause: it counts once. */
static void one_fault_is_one_penalty(void **state)
{
    struct lab *lab = *state;
    uint64_t requests[4];

    for (uint64_t i = 0; i < ARRAY_SIZE(requests); i++) {
        const char *const names[] = {"a", "b", "c", "d"};

        on_home(lab, names[i], i + 1);
    }
    lab_time(lab, 10 * SEC);
    for (uint64_t i = 0; i < ARRAY_SIZE(requests); i++) {
        lab_advise(lab, i + 1, PD_KIND_DEAD);
        requests[i] = asked(lab, "wwan0");
    }
    lab_time(lab, 2 * SEC);
    for (uint64_t i = 0; i < ARRAY_SIZE(requests); i++)
        lab_answer_error(lab, requests[i], NODE_TIMEOUT);
    assert_int_equal(uplink(lab, "lte").penalty_us, 8 * SEC);
    /* one that began later is another */
    lab_time(lab, 9 * SEC);
    assert_int_equal(uplink(lab, "lte").penalty_us, 0);
}

/* What gets a new port where it is and fails, was silent before: nothing new is learnt. */
static void a_new_port_is_no_penalty(void **state)
{
    struct lab *lab = *state;

    on_home(lab, "a", 1);
    lab_time(lab, 10 * SEC);
    lab_advise(lab, 1, PD_KIND_DEAD);
    moved(lab, asked(lab, "wwan0"), "10.9.0.7:9");
    host(lab, false);
    lab_time(lab, 60 * SEC);
    lab_advise(lab, 1, PD_KIND_DEAD);
    lab_answer_error(lab, asked(lab, "wwan0"), NODE_TIMEOUT);
    assert_int_equal(uplink(lab, "lte").penalty_us, 0);
}

/* Seconds until it is asked to go home, which it cannot; it is heard where it is. */
static unsigned fails_to_return(struct lab *lab)
{
    for (unsigned seconds = 1; seconds < 300; seconds++) {
        const struct lab_action *move;

        lab_time(lab, SEC);
        lab_fresh(lab, 1, 30 * MS);
        move = lab_next_move(lab);
        if (!move)
            continue;
        assert_string_equal(move->interface, "up0");
        lab_answer_error(lab, move->request, NODE_TIMEOUT);
        return seconds;
    }
    return 300;
}

/* Without probes one connection tries; where that fails, the next try waits for twice as long. */
static void a_failed_return_waits(void **state)
{
    struct lab *lab = *state;
    unsigned first;

    on_home(lab, "a", 1);
    lab_time(lab, 10 * SEC);
    lab_advise(lab, 1, PD_KIND_DEAD);
    moved(lab, asked(lab, "wwan0"), "10.9.0.7:9");
    first = fails_to_return(lab);
    assert_in_range(first, 15, 60); /* its cool-down is over, too */
    assert_in_range(fails_to_return(lab), 29, 33);
    assert_in_range(fails_to_return(lab), 59, 63);
}

/* ---- by its calls alone ---- */

static void fails_from(struct lab *lab, const char *name, const char *from, uint64_t began_us)
{
    const struct destination destination = {
        .uplink = from ? uplinks_get(lab, from)->name : NULL,
        .target = uplinks_get(lab, name)->name,
        .interface = uplinks_get(lab, name)->interface,
    };

    evidence_failed(lab->engine, &destination, 4, began_us, "the migrate of p1 ended as timeout");
}

static void fails(struct lab *lab, const char *name)
{
    fails_from(lab, name, NULL, lab->engine->now_us);
}

static uint64_t left(const struct lab *lab, const char *name, unsigned family)
{
    return evidence_penalty_us(uplinks_get(lab, name), family, lab->engine->now_us);
}

static void a_penalty_doubles_and_more(void **state)
{
    struct lab *lab = *state;
    static const unsigned seconds[] = {8, 24, 56, 120, 248, 504, 600, 600};

    for (size_t i = 0; i < ARRAY_SIZE(seconds); i++) {
        uplinks_time(lab, 1); /* nearly nothing drains */
        fails(lab, "fibre");
        assert_in_range(left(lab, "fibre", 4), seconds[i] * SEC - 100, seconds[i] * SEC);
    }
    assert_int_equal(left(lab, "fibre", 6), 0); /* each family by itself */
    assert_int_equal(left(lab, "fibre", 0), left(lab, "fibre", 4));
    assert_int_equal(left(lab, "sat", 0), 0);
}

static void it_drains_while_the_uplink_is_up(void **state)
{
    struct lab *lab = *state;

    fails(lab, "fibre");
    uplinks_time(lab, 3 * SEC);
    assert_int_equal(left(lab, "fibre", 4), 5 * SEC);
    uplinks_host(lab, "up1");
    uplinks_time(lab, 60 * SEC);
    assert_int_equal(left(lab, "fibre", 4), 5 * SEC);
    uplinks_host(lab, "");
    uplinks_time(lab, 4 * SEC);
    assert_int_equal(left(lab, "fibre", 4), SEC);
    uplinks_time(lab, SEC);
    assert_int_equal(left(lab, "fibre", 4), 0);
}

static void none_where_others_got_through(void **state)
{
    struct lab *lab = *state;
    uint64_t began_us;

    uplinks_time(lab, SEC);
    began_us = lab->engine->now_us;
    uplinks_time(lab, SEC);
    uplinks_peer(lab, 2, ON_FIBRE);
    fails_from(lab, "fibre", NULL, began_us);
    assert_int_equal(left(lab, "fibre", 4), 0);
    /* or through the one that it came from: it is the peer */
    fails_from(lab, "sat", "fibre", began_us);
    assert_int_equal(left(lab, "sat", 4), 0);
    fails_from(lab, "sat", "home", began_us);
    assert_int_equal(left(lab, "sat", 4), 8 * SEC);
}

static void a_penalty_is_a_record(void **state)
{
    struct lab *lab = *state;

    uplinks_dead(lab, 1);
    lab_skip(lab);
    uplinks_time(lab, SEC);
    lab_answer_error(lab, lab_find_action(lab, ACTION_MIGRATE)->request, NODE_NO_PATH);
    assert_string_equal(expect_change(lab, "fibre", UPLINK_CHANGE_PENALTY),
                        "the migrate of p1 ended as no-path: not used for 8 s");
}

static void leaves(struct lab *lab, enum pd_kind kind)
{
    evidence_leaving(lab->engine, lab_peer(lab, 1), uplinks_get(lab, "home"), kind);
}

/* One came back, and has to leave again after that time. */
static uint64_t returns_for(struct lab *lab, uint64_t span_us)
{
    struct uplink *home = uplinks_get(lab, "home");

    uplinks_time(lab, 60 * SEC);
    evidence_trust(home);
    home->is.proof.returned_us = lab->engine->now_us;
    uplinks_time(lab, span_us);
    leaves(lab, PD_KIND_DEAD);
    return home->is.proof.hold_us / SEC;
}

static void the_ladder(void **state)
{
    struct lab *lab = *state;
    static const unsigned seconds[] = {30, 60, 120, 240, 480, 480};

    leaves(lab, PD_KIND_DEAD);
    assert_int_equal(uplinks_inspect(lab, "home").proof_us, 15 * SEC);
    for (size_t i = 0; i < ARRAY_SIZE(seconds); i++)
        assert_int_equal(returns_for(lab, 299 * SEC), seconds[i]);
    assert_int_equal(returns_for(lab, 301 * SEC), 480); /* no step up, and none down */
    assert_int_equal(returns_for(lab, 31 * MIN), 15);
}

/* All that leave in one fault are one step. */
static void many_that_leave_are_one_step(void **state)
{
    struct lab *lab = *state;

    leaves(lab, PD_KIND_DEAD);
    (void)returns_for(lab, 10 * SEC);
    for (unsigned i = 0; i < 20; i++)
        leaves(lab, PD_KIND_DEAD);
    assert_int_equal(uplinks_inspect(lab, "home").proof_us, 30 * SEC);
}

/* Others are heard there after this one was: its peer is away. */
static void one_of_many_does_not_speak_against_it(void **state)
{
    struct lab *lab = *state;

    uplinks_time(lab, SEC);
    uplinks_peer(lab, 2, ON_HOME);
    uplinks_dead(lab, 1);
    assert_false(uplinks_inspect(lab, "home").suspect);
    assert_int_equal(uplinks_inspect(lab, "home").proof_us,
                     15 * SEC); /* its return takes as long */
    uplinks_time(lab, SEC);
    lab_fresh(lab, 2, 50 * MS);
    assert_true(evidence_lives(lab->engine, uplinks_get(lab, "home")));
}

static void slow_and_silent_are_said(void **state)
{
    struct lab *lab = *state;

    uplinks_peer(lab, 2, ON_SAT);
    lab_fresh(lab, 1, 400 * MS);
    lab_advise(lab, 1, PD_KIND_DEGRADED);
    assert_string_equal(expect_change(lab, "home", UPLINK_CHANGE_SLOW),
                        "p1 got slow: 400.0 ms; the connection goes elsewhere");
    uplinks_dead(lab, 2);
    assert_string_equal(expect_change(lab, "sat", UPLINK_CHANGE_SILENT),
                        "nothing gets through to p2; the connection goes elsewhere");
}

/* ---- what is heard ---- */

/* A row that is late says itself when something came. */
static void heard_is_as_old_as_the_row_says(void **state)
{
    struct lab *lab = *state;

    uplinks_time(lab, 20 * SEC);
    lab_row(lab, 1, "srtt=50000 latest=50000 samples=9 silent=4000");
    assert_int_equal(uplinks_inspect(lab, "home").heard_us, 4 * SEC);
}

/* What a row acknowledges came before the data that still waits, or an RTT after it. The peer goes
 * on to be heard where only one direction is dead. */
static void heard_is_no_later_than_what_waits_allows(void **state)
{
    struct lab *lab = *state;

    uplinks_time(lab, 20 * SEC);
    lab_row(lab, 1, "srtt=50000 samples=9 silent=10 unacked=700");
    assert_int_equal(uplinks_inspect(lab, "home").heard_us, 650 * MS);
    lab_row(lab, 1, "srtt=50000 samples=10 silent=300 unacked=340"); /* on its way, and no more */
    assert_int_equal(uplinks_inspect(lab, "home").heard_us, 300 * MS);
    lab_row(lab, 1, "srtt=50000 samples=11 silent=10 unacked=0");
    assert_int_equal(uplinks_inspect(lab, "home").heard_us, 10 * MS);
}

/* The first connection that leaves speaks against the uplink though another has had something
 * acknowledged in its last row, and was heard after that: that one is as dead. */
static void one_direction_is_dead_for_all(void **state)
{
    struct lab *lab = *state;

    uplinks_peer(lab, 2, ON_HOME);
    uplinks_time(lab, 5 * SEC);
    lab_row(lab, 1, "srtt=50000 samples=9 silent=250 unacked=500");
    lab_row(lab, 2, "srtt=50000 samples=9 silent=250 unacked=500");
    uplinks_time(lab, 400 * MS);
    uplinks_dead(lab, 1);
    assert_true(uplinks_inspect(lab, "home").suspect);
}

/* Packets that arrive do not prove that ours do. */
static void heard_alone_is_no_life(void **state)
{
    struct lab *lab = *state;

    lab_row(lab, 1, "srtt=50000 samples=5 received=100");
    uplinks_time(lab, 20 * SEC);
    lab_row(lab, 1, "srtt=50000 samples=5 received=9000");
    assert_int_equal(uplinks_inspect(lab, "home").heard_us, 20 * SEC);
}

/* Data that is acknowledged proves it, with a new RTT sample or without. */
static void acknowledged_is_life(void **state)
{
    struct lab *lab = *state;

    lab_row(lab, 1, "srtt=50000 samples=5 acked=100");
    uplinks_time(lab, 20 * SEC);
    lab_row(lab, 1, "srtt=50000 samples=5 acked=100");
    assert_int_equal(uplinks_inspect(lab, "home").heard_us, 20 * SEC);
    lab_row(lab, 1, "srtt=50000 samples=5 acked=101");
    assert_int_equal(uplinks_inspect(lab, "home").heard_us, 0);
}

/* Small packets are acknowledged, and data is not. */
static void starved_is_none(void **state)
{
    struct lab *lab = *state;

    lab_row(lab, 1, "srtt=50000 samples=5 acked=100 unacked=1");
    uplinks_time(lab, 20 * SEC);
    lab_row(lab, 1, "srtt=50000 samples=6 acked=100 unacked=9000");
    assert_int_equal(uplinks_inspect(lab, "home").heard_us, 20 * SEC);
}

/* Where a node never tells of samples it has to do. */
static void without_samples_heard_is_life(void **state)
{
    struct lab *lab = *state;

    lab_peer_told(lab, &(struct event_peer_up){.peer = "few",
                                               .conn = 2,
                                               .role = PD_ROLE_CLIENT,
                                               .local = ON_SAT,
                                               .remote = "192.0.2.1:443",
                                               .migratable = true});
    lab_row_only(lab, 2, "received=100");
    uplinks_time(lab, 20 * SEC);
    lab_row_only(lab, 2, "received=200");
    assert_int_equal(uplinks_inspect(lab, "sat").heard_us, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_fault_is_one_penalty, setup, lab_teardown),
        cmocka_unit_test_setup_teardown(a_new_port_is_no_penalty, setup, lab_teardown),
        cmocka_unit_test_setup_teardown(a_failed_return_waits, setup, lab_teardown),
        UPLINKS_TEST(a_penalty_doubles_and_more),
        UPLINKS_TEST(it_drains_while_the_uplink_is_up),
        UPLINKS_TEST(none_where_others_got_through),
        UPLINKS_TEST(a_penalty_is_a_record),
        UPLINKS_TEST(the_ladder),
        UPLINKS_TEST(many_that_leave_are_one_step),
        UPLINKS_TEST(one_of_many_does_not_speak_against_it),
        UPLINKS_TEST(slow_and_silent_are_said),
        UPLINKS_TEST(heard_is_as_old_as_the_row_says),
        UPLINKS_TEST(heard_is_no_later_than_what_waits_allows),
        UPLINKS_TEST(one_direction_is_dead_for_all),
        UPLINKS_TEST(heard_alone_is_no_life),
        UPLINKS_TEST(acknowledged_is_life),
        UPLINKS_TEST(starved_is_none),
        UPLINKS_TEST(without_samples_heard_is_life),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
