/* SPDX-License-Identifier: Apache-2.0 */
/* engine/peers/ping.[ch]: when a node is asked for a PING, so that a path that works again is found
 * before the stack's own probe timeout, which has backed off. */
#include "uplinks-lab.h"

static unsigned pings(const struct lab *lab, uint64_t conn)
{
    unsigned count = 0;

    for (size_t i = 0; i < lab->n_actions; i++)
        for (size_t k = 0; lab->actions[i].type == ACTION_PROBE && k < lab->actions[i].n_conns; k++)
            count += lab->actions[i].conns[k] == conn;
    return count;
}

static const char data[] = "srtt=50000 samples=1 in_flight=1200 pto=1";
static const char keep_alive[] = "srtt=50000 samples=1 in_flight=40 pto=1";

static void begin_with(struct lab *lab, const char *row)
{
    lab->features |= NODE_PROBE;
    lab_node_up(lab, "boot");
    lab_snapshot(lab);
    lab_peer_up(lab, "a", 17);
    lab_fresh(lab, 17, 50000);
    lab_row(lab, 17, row);
    lab_advise(lab, 17, PD_KIND_DEAD);
    assert_int_equal(pings(lab, 17), 0);
}

/* ---- while it is dead: first after 4 s ---- */

static void each_two_seconds(void **state)
{
    struct lab *lab = *state;
    uint64_t from_us = lab->now_us, gap_us = 4 * SEC;

    begin_with(lab, data);
    for (unsigned i = 0; i < 20; i++) { /* whether a request is open or not */
        lab_time(lab, from_us + gap_us - 1 - lab->now_us);
        lab_row(lab, 17, data);
        assert_int_equal(pings(lab, 17), i);
        lab_time(lab, 1);
        lab_row(lab, 17, data);
        assert_int_equal(pings(lab, 17), i + 1);
        lab_row(lab, 17, data);
        assert_int_equal(pings(lab, 17), i + 1);
        from_us = lab->now_us;
        gap_us = 2 * SEC;
    }
    lab_time(lab, 10 * SEC);
    lab_fresh(lab, 17, 50001); /* it lives */
    lab_row(lab, 17, data);
    assert_int_equal(pings(lab, 17), 20);
}

static void not_for_a_keep_alive(void **state)
{
    struct lab *lab = *state;

    begin_with(lab, keep_alive);
    for (unsigned i = 0; i < 20; i++) {
        lab_time(lab, SEC);
        lab_row(lab, 17, keep_alive);
    }
    assert_int_equal(pings(lab, 17), 0);
}

static void not_where_the_node_cannot(void **state)
{
    struct lab *lab = *state;

    begin_with(lab, data);
    lab->features &= ~(uint32_t)NODE_PROBE;
    lab_node_up(lab, "boot");
    lab_peer_up(lab, "a", 17);
    lab_snapshot(lab);
    for (unsigned i = 0; i < 5; i++) {
        lab_time(lab, SEC);
        lab_row(lab, 17, data);
    }
    assert_int_equal(pings(lab, 17), 0);
}

/* What an operator wants to be left alone. */
static void not_while_it_is_held(void **state)
{
    struct lab *lab = *state;

    begin_with(lab, data);
    lab_hold(lab, "a", 0);
    lab_time(lab, 5 * SEC);
    lab_row(lab, 17, data);
    assert_int_equal(pings(lab, 17), 0);
    lab_release(lab, "a");
    lab_row(lab, 17, data);
    assert_int_equal(pings(lab, 17), 1);
    lab_observe(lab, true);
    lab_time(lab, 5 * SEC);
    lab_row(lab, 17, data);
    assert_int_equal(pings(lab, 17), 1);
}

/* ---- a way out comes back ---- */

static int uplinks_with_probe(void **state)
{
    struct lab *lab = memory_new(1, sizeof(*lab));

    uplinks_init(lab, BINDS | NODE_PROBE);
    uplinks_begin(lab);
    *state = lab;
    return 0;
}

/* The same one: the cable was out. Nothing is sent while it is. */
static void the_same_one(void **state)
{
    struct lab *lab = *state;

    lab_fresh(lab, 1, 50000);
    lab_row(lab, 1, data);
    uplinks_host(lab, "up0 up1 up2 wwan0");
    for (unsigned i = 0; i < 10; i++) {
        uplinks_time(lab, SEC);
        lab_row(lab, 1, data);
    }
    assert_int_equal(pings(lab, 1), 0);
    uplinks_host(lab, "up1 up2 wwan0");
    assert_int_equal(pings(lab, 1), 1);
    uplinks_time(lab, 2 * SEC - 1);
    lab_row(lab, 1, data);
    assert_int_equal(pings(lab, 1), 1);
    uplinks_time(lab, 1);
    lab_row(lab, 1, data);
    assert_int_equal(pings(lab, 1), 2);
}

/* Nothing waits; or it is on another one, which may carry it. */
static void only_who_waits_for_it(void **state)
{
    struct lab *lab = *state;

    uplinks_host(lab, "up1 up2 wwan0");
    uplinks_peer(lab, 2, ON_HOME);
    lab_fresh(lab, 1, 50000);
    lab_row(lab, 1, data);
    lab_fresh(lab, 2, 50000);
    uplinks_host(lab, "up0 up1 up2 wwan0");
    uplinks_host(lab, "up1 up2 wwan0");
    assert_int_equal(pings(lab, 1), 1);
    assert_int_equal(pings(lab, 2), 0);
    uplinks_host(lab, "up1 wwan0");
    assert_int_equal(pings(lab, 1), 1);
}

/* The only uplink, which nobody has named: while it is gone it is in no list. */
static void only_uplink(struct lab *lab, bool there)
{
    struct event_interface up0 = {"up0", "10.0.0.2", true, false, true, false};

    lab_event(lab, &(struct event){.type = EVENT_INTERFACES, .interfaces = {&up0, there}});
}

static void begin_with_one(struct lab *lab, uint32_t features)
{
    uplinks_init(lab, features);
    lab->config.n_uplinks = 0;
    lab_begin(lab);
    lab_peer_up(lab, "a", 17);
    lab_fresh(lab, 17, 50000);
    lab_row(lab, 17, data);
    only_uplink(lab, true); /* the first list is no news */
    assert_int_equal(pings(lab, 17), 0);
}

static void the_only_one(void **state)
{
    struct lab lab;

    (void)state;
    begin_with_one(&lab, NODE_PROBE | NODE_BIND);
    for (unsigned i = 1; i < 4; i++) {
        only_uplink(&lab, false);
        only_uplink(&lab, false);
        lab_time(&lab, 300 * MS);
        lab_row(&lab, 17, data);
        assert_int_equal(pings(&lab, 17), i - 1);
        only_uplink(&lab, true);
        assert_int_equal(pings(&lab, 17), i);
    }
    expect_no_decision(&lab);
    lab_end(&lab);
}

/* Where nothing got through for a second: another port, too. */
static void another_port(void **state)
{
    const struct record_decision *decision;
    struct lab lab;

    (void)state;
    begin_with_one(&lab, NODE_BIND);
    only_uplink(&lab, false);
    lab_time(&lab, SEC - 1);
    only_uplink(&lab, true);
    expect_no_decision(&lab);
    only_uplink(&lab, false);
    lab_time(&lab, 1);
    only_uplink(&lab, true);
    decision = expect_decision(&lab, 17, VERDICT_MIGRATE);
    assert_int_equal(decision->kind, PD_KIND_DEAD);
    assert_string_equal(decision->reason->s,
                        "uplink up0 came up, and nothing got through for 1.0 s");
    assert_int_equal(pings(&lab, 17), 0); /* it cannot */
    lab_end(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(each_two_seconds),
        LAB_TEST(not_for_a_keep_alive),
        LAB_TEST(not_where_the_node_cannot),
        LAB_TEST(not_while_it_is_held),
        cmocka_unit_test(the_only_one),
        cmocka_unit_test(another_port),
        cmocka_unit_test_setup_teardown(the_same_one, uplinks_with_probe, lab_teardown),
        cmocka_unit_test_setup_teardown(only_who_waits_for_it, uplinks_with_probe, lab_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
