/* SPDX-License-Identifier: Apache-2.0 */
/* engine/uplinks/evidence.[ch]: one connection is dead on an uplink: does that speak against the
 * uplink, who else is looked at there, and what do those that stay learn of it. */
#include "uplinks-lab.h"

#include "engine/uplinks/evidence.h"

#define NEITHER UINT64_MAX

/* The connection 1 can migrate off home, and 2 cannot. */
static int setup(void **state)
{
    struct lab *lab = memory_new(1, sizeof(*lab));

    uplinks_init(lab, BINDS | NODE_PROBE);
    uplinks_begin(lab);
    uplinks_peer_role(lab, 2, ON_HOME, PD_ROLE_SERVER);
    uplinks_time(lab, 20 * SEC);
    lab_skip(lab);
    *state = lab;
    return 0;
}

static struct uplink *home(const struct lab *lab)
{
    return uplinks_get(lab, "home");
}

static void doubt(struct lab *lab)
{
    evidence_doubt(lab->engine, lab_peer(lab, 2));
}

static bool doubted(const struct lab *lab)
{
    return home(lab)->is.doubted_us == lab->engine->now_us;
}

/* Something got through to others so long after the row in which 2 has this to say; or never. */
static void heard_after(struct lab *lab, const char *row, uint64_t span_us)
{
    lab_row(lab, 2, row);
    if (span_us != NEITHER) {
        uplinks_time(lab, span_us);
        lab_fresh(lab, 1, 50 * MS);
    }
    uplinks_time(lab, SEC);
}

/* Others were heard, and a second later that one sends something which is not acknowledged. */
static void waits(struct lab *lab, uint64_t conn)
{
    uplinks_time(lab, SEC);
    lab_silent(lab, conn);
    uplinks_time(lab, SEC);
}

/* ---- since when one waits ---- */

/* What was on its way to others when the path died is acknowledged up to an RTT later: with 100 ms
 * at least, and twice the RTT, since the oldest data was sent. That was in this row. */
static const struct {
    const char *row;
    uint64_t late_us;
} late[] = {
    {"srtt=50000 samples=9 unacked=1", 99 * MS},  {"srtt=50001 samples=9 unacked=1", 99 * MS + 2},
    {"srtt=80000 samples=9 unacked=1", 159 * MS}, {"srtt=80000 samples=9 unacked=100", 60 * MS},
    {"srtt=1 samples=9 unacked=1", 99 * MS},
};

/* What such a connection would wait for, if `more` than that has passed: doubt, and leave. */
static void expect_late(size_t i, uint64_t more, bool leaves)
{
    void *state;
    struct lab *lab;

    (void)setup(&state);
    lab = state;
    heard_after(lab, late[i].row, late[i].late_us + more);
    if (leaves)
        evidence_leaving(lab->engine, lab_peer(lab, 2), home(lab), PD_KIND_DEAD);
    else
        doubt(lab);
    assert_int_equal(leaves ? home(lab)->is.suspect : doubted(lab), !more);
    (void)lab_teardown(&state);
}

static void others_are_late(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(late); i++)
        for (unsigned leaves = 0; leaves < 2; leaves++) {
            expect_late(i, 0, leaves);
            expect_late(i, 1, leaves);
        }
}

/* Its RTT is not known: 100 ms. */
static void of_unknown_rtt(void **state)
{
    (void)state;
    for (unsigned more = 0; more < 2; more++) {
        void *state_of_one;
        struct lab *lab;

        (void)setup(&state_of_one);
        lab = state_of_one;
        lab_peer_down(lab, 2);
        lab_peer_told(lab, &(struct event_peer_up){
                               .peer = "few",
                               .conn = 2,
                               .role = PD_ROLE_SERVER,
                               .local = ON_HOME,
                               .remote = "192.0.2.1:443",
                           });
        heard_after(lab, "unacked=1", 99 * MS + more);
        doubt(lab);
        assert_int_equal(doubted(lab), !more);
        (void)lab_teardown(&state_of_one);
    }
}

/* Nothing is unacknowledged: its own last progress counts, to the moment. */
static void since_its_last_progress(void **state)
{
    struct lab *lab = *state;

    heard_after(lab, "srtt=50000 samples=9 unacked=0", NEITHER);
    doubt(lab);
    assert_true(doubted(lab));
    uplinks_time(lab, 10 * SEC);
    heard_after(lab, "srtt=50000 samples=10 unacked=0", 1);
    doubt(lab);
    assert_false(doubted(lab));
}

/* ---- doubt ---- */

static void only_where_it_cannot_leave(void **state)
{
    struct lab *lab = *state;

    uplinks_host(lab, "up1 up2 wwan0"); /* or 1 would leave, and that is more than doubt */
    uplinks_dead(lab, 1);
    assert_int_equal(home(lab)->is.doubted_us, 0);
    lab_advise(lab, 2, PD_KIND_MOVED); /* the route changed: nothing is dead */
    assert_int_equal(home(lab)->is.doubted_us, 0);
    uplinks_dead(lab, 2);
    assert_true(doubted(lab));
    assert_false(home(lab)->is.suspect);
}

static void of_no_known_uplink(void **state)
{
    struct lab *lab = *state;

    uplinks_peer_role(lab, 3, "10.0.9.9:9001", PD_ROLE_SERVER);
    lab_advise(lab, 3, PD_KIND_DEAD);
    for (size_t i = 0; i < lab->engine->uplinks.n; i++)
        assert_int_equal(lab->engine->uplinks.list[i].is.doubted_us, 0);
    assert_null(lab_find_action(lab, ACTION_PROBE));
}

/* Not more than once in 5 s. */
static void once_in_a_while(void **state)
{
    struct lab *lab = *state;
    uint64_t first_us = lab->engine->now_us;

    doubt(lab);
    assert_int_equal(home(lab)->is.doubted_us, first_us);
    uplinks_time(lab, 5 * SEC - 1);
    doubt(lab);
    assert_int_equal(home(lab)->is.doubted_us, first_us);
    uplinks_time(lab, 1);
    doubt(lab);
    assert_int_equal(home(lab)->is.doubted_us, first_us + 5 * SEC);
}

/* All there are asked at the next round, and that is in a moment. */
static void the_next_round_is_near(void **state)
{
    struct lab *lab = *state;
    uint64_t at_us = lab->engine->polls.tick.at_us;

    assert_true(at_us > lab->engine->now_us + 50 * MS);
    doubt(lab);
    assert_int_equal(lab->engine->polls.tick.at_us, lab->engine->now_us + 50 * MS);
}

static void not_where_it_is_nearer(void **state)
{
    struct lab *lab = *state;
    uint64_t at_us = lab->engine->polls.tick.at_us;

    uplinks_time(lab, at_us - 50 * MS - lab->engine->now_us);
    doubt(lab);
    assert_int_equal(lab->engine->polls.tick.at_us, at_us);
}

/* So many more on home, and one on another. */
static void many(struct lab *lab, unsigned stay)
{
    for (unsigned i = 0; i < stay; i++)
        uplinks_peer(lab, 100 + i, ON_HOME);
    uplinks_peer(lab, 200, ON_SAT);
    uplinks_time(lab, 20 * SEC);
}

static void probes_are_of(struct lab *lab, size_t count)
{
    const struct lab_action *probe = lab_find_action(lab, ACTION_PROBE);

    assert_non_null(probe);
    assert_int_equal(probe->n_conns, count);
    for (size_t i = 0; i < min_u64(count, ARRAY_SIZE(probe->conns)); i++)
        assert_true(probe->conns[i] != 200 && lab_peer(lab, probe->conns[i])->state == PEER_UP);
}

/* Who is idle has nothing outstanding, and would never be found dead: sixteen at most are probed,
 * of those that are there. */
static void some_are_probed(void **state)
{
    struct lab *lab = *state;

    many(lab, 13);
    waits(lab, 2);
    uplinks_dead(lab, 2);
    probes_are_of(lab, 15);
    uplinks_peer(lab, 120, ON_HOME);
    uplinks_peer(lab, 121, ON_HOME);
    uplinks_time(lab, 5 * SEC);
    lab_row(lab, 2, "srtt=50000 samples=1 in_flight=0");
    waits(lab, 2);
    uplinks_dead(lab, 2);
    probes_are_of(lab, 16);
}

/* Who answered that it is not connected is not asked. */
static void those_that_are_up_are_probed(void **state)
{
    struct lab *lab = *state;

    lab_operator(lab, "p1", COMMAND_BY_MIGRATE);
    lab_answer_error(lab, lab_find_action(lab, ACTION_MIGRATE)->request, NODE_NOT_CONNECTED);
    assert_int_equal(lab_peer(lab, 1)->state, PEER_GONE);
    uplinks_dead(lab, 2);
    probes_are_of(lab, 1);
}

/* One that leaves because nothing gets through: all of them. */
static void all_are_probed_where_one_leaves(void **state)
{
    struct lab *lab = *state;

    many(lab, 30);
    waits(lab, 1);
    uplinks_dead(lab, 1);
    probes_are_of(lab, 32);
}

/* An operator wants it to be left alone: the place among the sixteen is another's. */
static void held_ones_are_not_probed(void **state)
{
    struct lab *lab = *state;

    many(lab, 20);
    lab_hold(lab, "p100", 0);
    lab_hold(lab, "p101", 0);
    waits(lab, 2);
    uplinks_dead(lab, 2);
    probes_are_of(lab, 16);
    for (size_t i = 0; i < 16; i++)
        assert_true(lab_find_action(lab, ACTION_PROBE)->conns[i] != 100 &&
                    lab_find_action(lab, ACTION_PROBE)->conns[i] != 101);
}

/* No request is sent then. */
static void none_in_mode_observe(void **state)
{
    struct lab *lab = *state;

    lab_observe(lab, true);
    waits(lab, 2);
    uplinks_dead(lab, 2);
    assert_true(doubted(lab));
    assert_null(lab_find_action(lab, ACTION_PROBE));
}

static void not_without_the_feature(void **state)
{
    struct lab lab;

    (void)state;
    uplinks_init(&lab, BINDS);
    uplinks_begin(&lab);
    uplinks_peer_role(&lab, 2, ON_HOME, PD_ROLE_SERVER);
    uplinks_time(&lab, 20 * SEC);
    uplinks_dead(&lab, 2);
    assert_true(doubted(&lab));
    assert_int_equal(lab.engine->polls.tick.at_us, lab.engine->now_us + 50 * MS);
    assert_null(lab_find_action(&lab, ACTION_PROBE));
    lab_end(&lab);
}

/* ---- silent for all ---- */

/* So many on home, with 1 and 2, wait since a moment after anybody was heard. */
static void all_wait(struct lab *lab, unsigned count)
{
    for (unsigned conn = 3; conn <= count; conn++)
        uplinks_peer(lab, conn, ON_HOME);
    for (unsigned conn = 1; conn <= count; conn++)
        lab_silent(lab, conn);
    uplinks_time(lab, SEC);
    for (unsigned conn = 1; conn <= count; conn++)
        lab_silent(lab, conn);
}

static bool all_silent(struct lab *lab, uint64_t conn)
{
    return evidence_all_silent(lab->engine, lab_peer(lab, conn));
}

static void silent_for_five(void **state)
{
    struct lab *lab = *state;

    uplinks_peer(lab, 9, ON_SAT); /* one that waits elsewhere is no fifth */
    lab_silent(lab, 9);
    all_wait(lab, 5);
    lab_silent(lab, 9);
    assert_true(all_silent(lab, 1));
    assert_true(all_silent(lab, 2));
    assert_false(all_silent(lab, 9));
    lab_row(lab, 5, "srtt=50000 samples=1 in_flight=0");
    assert_false(all_silent(lab, 1));
    lab_silent(lab, 5);
    assert_true(all_silent(lab, 1));
    lab_peer_down(lab, 5);
    assert_false(all_silent(lab, 1));
}

/* Who is idle, or not connected, is no witness. */
static void silent_for_those_that_wait(void **state)
{
    struct lab *lab = *state;

    all_wait(lab, 5);
    assert_true(all_silent(lab, 1));
    lab_row(lab, 5, "srtt=50000 samples=1 in_flight=0");
    assert_false(all_silent(lab, 1));
    lab_silent(lab, 5);
    assert_true(all_silent(lab, 1));
    lab_operator(lab, "p5", COMMAND_BY_MIGRATE);
    lab_answer_error(lab, lab_find_action(lab, ACTION_MIGRATE)->request, NODE_NOT_CONNECTED);
    assert_int_equal(lab_peer(lab, 5)->state, PEER_GONE);
    assert_false(all_silent(lab, 1));
}

/* What was on its way to another is acknowledged up to 100 ms after this one began to wait. */
static void silent_since_it_waits(void **state)
{
    struct lab *lab = *state;
    uint64_t since_us;

    all_wait(lab, 6);
    since_us = lab_peer(lab, 1)->unacked_since_us;
    assert_int_equal(since_us, lab->engine->now_us - SEC);
    evidence_heard(home(lab), since_us + 100 * MS);
    assert_true(all_silent(lab, 1));
    evidence_heard(home(lab), since_us + 100 * MS + 1);
    assert_false(all_silent(lab, 1));
}

static void silent_on_no_known_uplink(void **state)
{
    struct lab *lab = *state;

    all_wait(lab, 6);
    uplinks_peer(lab, 9, "10.0.9.9:9001");
    uplinks_time(lab, SEC);
    lab_silent(lab, 9);
    assert_false(all_silent(lab, 9));
    assert_true(all_silent(lab, 1));
}

/* ---- deserted: those that stay are told ---- */

/* By the next row of the connection 3, which is fresh or not. */
static bool is_deserted(struct lab *lab)
{
    assert_int_equal(evidence_deserted(home(lab)), lab->poke.sample.deserted);
    return lab->poke.sample.deserted;
}

static void deserted_by_doubt(void **state)
{
    struct lab *lab = *state;

    uplinks_peer(lab, 3, ON_HOME);
    assert_false(is_deserted(lab));
    waits(lab, 2);
    doubt(lab);
    lab_silent(lab, 3);
    assert_true(is_deserted(lab));
    evidence_heard(home(lab), home(lab)->is.doubted_us); /* of the same moment: no proof */
    lab_silent(lab, 3);
    assert_true(is_deserted(lab));
    evidence_heard(home(lab), home(lab)->is.doubted_us + 1);
    lab_silent(lab, 3);
    assert_false(is_deserted(lab));
}

static void deserted_by_those_that_left(void **state)
{
    struct lab *lab = *state;

    uplinks_peer(lab, 3, ON_HOME);
    waits(lab, 1);
    uplinks_dead(lab, 1);
    assert_true(home(lab)->is.suspect);
    assert_int_equal(home(lab)->is.doubted_us, 0);
    lab_silent(lab, 3);
    assert_true(is_deserted(lab));
    evidence_heard(home(lab), home(lab)->is.left_us);
    lab_silent(lab, 3);
    assert_true(is_deserted(lab));
    evidence_heard(home(lab), home(lab)->is.left_us + 1);
    lab_silent(lab, 3);
    assert_false(is_deserted(lab));
}

/* Trusted again, though nothing was heard since. */
static void not_one_that_is_trusted(void **state)
{
    struct lab *lab = *state;

    uplinks_peer(lab, 3, ON_HOME);
    waits(lab, 1);
    uplinks_dead(lab, 1);
    evidence_trust(home(lab));
    lab_silent(lab, 3);
    assert_false(is_deserted(lab));
}

/* It was left since it is slow: that gets through. */
static void not_one_that_is_slow(void **state)
{
    struct lab *lab = *state;

    uplinks_peer(lab, 3, ON_HOME);
    uplinks_peer(lab, 4, ON_FIBRE);
    lab_fresh(lab, 1, 400 * MS);
    lab_advise(lab, 1, PD_KIND_DEGRADED);
    assert_true(home(lab)->is.suspect);
    lab_silent(lab, 3);
    assert_false(is_deserted(lab));
}

static void not_those_elsewhere(void **state)
{
    struct lab *lab = *state;

    uplinks_peer(lab, 3, ON_SAT);
    uplinks_peer(lab, 4, "10.0.9.9:9001");
    doubt(lab);
    lab_silent(lab, 3);
    assert_false(lab->poke.sample.deserted);
    lab_silent(lab, 4);
    assert_false(lab->poke.sample.deserted);
    assert_false(evidence_deserted(NULL));
    assert_false(evidence_deserted(uplinks_get(lab, "lte"))); /* nobody was ever there */
    assert_true(evidence_deserted(home(lab)));
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, lab_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(others_are_late),
        cmocka_unit_test(of_unknown_rtt),
        TEST(since_its_last_progress),
        TEST(only_where_it_cannot_leave),
        TEST(of_no_known_uplink),
        TEST(once_in_a_while),
        TEST(the_next_round_is_near),
        TEST(not_where_it_is_nearer),
        TEST(some_are_probed),
        TEST(those_that_are_up_are_probed),
        TEST(all_are_probed_where_one_leaves),
        cmocka_unit_test(not_without_the_feature),
        TEST(held_ones_are_not_probed),
        TEST(none_in_mode_observe),
        TEST(silent_for_five),
        TEST(silent_for_those_that_wait),
        TEST(silent_since_it_waits),
        TEST(silent_on_no_known_uplink),
        TEST(deserted_by_doubt),
        TEST(deserted_by_those_that_left),
        TEST(not_one_that_is_trusted),
        TEST(not_one_that_is_slow),
        TEST(not_those_elsewhere),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
