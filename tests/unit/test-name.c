/* SPDX-License-Identifier: Apache-2.0 */
/* What belongs to a name: holds, and gaps between reconnects. */
#include "engine-lab.h"

#include "engine/peers/name.h"

static void gaps(void **state)
{
    struct lab *lab = *state;
    uint64_t gap_us = 10 * SEC;

    assert_int_equal(name_reconnect_allowed_us(lab->engine, "a"), 0);
    for (unsigned i = 0; i < 12; i++) {
        name_reconnecting(lab->engine, "a", false);
        assert_int_equal(name_reconnect_allowed_us(lab->engine, "a"), lab->engine->now_us + gap_us);
        assert_int_equal(name_reconnect_allowed_us(lab->engine, "b"), 0);
        lab->engine->now_us += gap_us;
        assert_int_equal(name_reconnect_allowed_us(lab->engine, "a"), 0);
        gap_us = min_u64(gap_us * 2, 30 * SEC);
    }
}

/* Who configures a longer one gets it, and it does not grow. */
static void a_long_gap_stays(void **state)
{
    struct lab *lab = *state;

    lab->config.reconnect_gap_us = 2 * MIN;
    for (unsigned i = 0; i < 3; i++) {
        name_reconnecting(lab->engine, "a", false);
        assert_int_equal(name_reconnect_allowed_us(lab->engine, "a"),
                         lab->engine->now_us + 2 * MIN);
        lab->engine->now_us += 2 * MIN;
    }
}

/* A change of the route: a second after the last one; and the gap grows from its beginning. */
static void a_changed_route_shortens_it(void **state)
{
    struct lab *lab = *state;
    uint64_t at_us = lab->engine->now_us;

    name_route_changed(lab->engine, "a"); /* nothing is known of it */
    assert_null(name_find(lab->engine, "a"));
    for (unsigned i = 0; i < 4; i++)
        name_reconnecting(lab->engine, "a", false);
    assert_int_equal(name_reconnect_allowed_us(lab->engine, "a"), at_us + 30 * SEC);
    name_route_changed(lab->engine, "b");
    assert_int_equal(name_reconnect_allowed_us(lab->engine, "a"), at_us + 30 * SEC);
    name_route_changed(lab->engine, "a");
    assert_int_equal(name_reconnect_allowed_us(lab->engine, "a"), at_us + SEC);
    name_reconnecting(lab->engine, "a", false);
    assert_int_equal(name_reconnect_allowed_us(lab->engine, "a"), at_us + 10 * SEC);
}

/* Whose route changes all the time: twenty times, and then once each five seconds. */
static void not_without_end(void **state)
{
    struct lab *lab = *state;
    unsigned soon = 0;

    name_reconnecting(lab->engine, "a", false);
    for (unsigned second = 0; second < 3600; second++) {
        lab->engine->now_us += SEC;
        name_route_changed(lab->engine, "a");
        if (name_reconnect_allowed_us(lab->engine, "a"))
            continue;
        name_reconnecting(lab->engine, "a", false);
        soon++;
    }
    assert_in_range(soon, 720, 760);
}

static uint64_t reconnects_in_an_hour(struct lab *lab)
{
    uint64_t end_us = lab->engine->now_us + 60 * MIN, count = 0;

    for (; lab->engine->now_us < end_us; lab->engine->now_us += SEC) {
        if (name_reconnect_allowed_us(lab->engine, "a"))
            continue;
        name_reconnecting(lab->engine, "a", false);
        count++;
    }
    return count;
}

/* Each new connection dies at once: 10, 20, 30, 30, … seconds. */
static void a_node_that_loops(void **state)
{
    assert_int_equal(reconnects_in_an_hour(*state), 121);
}

static void lived(void **state)
{
    struct lab *lab = *state;
    uint64_t up_us = lab->engine->now_us;

    lab->engine->now_us += 100 * SEC;
    name_reconnecting(lab->engine, "a", false);
    name_reconnecting(lab->engine, "a", false); /* 20 s */
    name_lived(lab->engine, "a", up_us);        /* that was before */
    assert_int_equal(name_reconnect_allowed_us(lab->engine, "a"), lab->engine->now_us + 20 * SEC);
    up_us = lab->engine->now_us;
    lab->engine->now_us += 60 * SEC - 1;
    name_lived(lab->engine, "a", up_us);
    name_reconnecting(lab->engine, "a", false); /* 40 s, and no more than 30 */
    assert_int_equal(name_reconnect_allowed_us(lab->engine, "a"), lab->engine->now_us + 30 * SEC);
    lab->engine->now_us += 60 * SEC;
    name_lived(lab->engine, "a", up_us);
    name_reconnecting(lab->engine, "a", false);
    assert_int_equal(name_reconnect_allowed_us(lab->engine, "a"), lab->engine->now_us + 10 * SEC);
}

static void holds(void **state)
{
    struct lab *lab = *state;

    assert_false(name_held(lab->engine, "a"));
    lab_hold(lab, "a", 10 * SEC);
    assert_true(name_held(lab->engine, "a"));
    assert_false(name_held(lab->engine, "b"));
    lab->engine->now_us += 10 * SEC;
    assert_false(name_held(lab->engine, "a"));
    lab_hold(lab, NULL, 10 * SEC);
    assert_true(name_held(lab->engine, "b"));
    lab->engine->now_us += 10 * SEC;
    assert_false(name_held(lab->engine, "b"));
}

/* A name that nothing is remembered of costs nothing. */
static void forgotten(void **state)
{
    struct lab *lab = *state;
    uint32_t most = 0;

    lab_hold(lab, "kept", 0);
    for (unsigned i = 0; i < 5000; i++) {
        char name[16];

        snprintf(name, sizeof(name), "n%u", i);
        lab_hold(lab, name, SEC);
        lab->now_us += SEC;
        most = lab->engine->names.count > most ? lab->engine->names.count : most;
    }
    assert_true(most <= 1025);
    assert_true(name_held(lab->engine, "kept"));
    lab_release(lab, "kept");
    assert_null(name_find(lab->engine, "kept"));
    lab_release(lab, "never");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(gaps),
        LAB_TEST(a_long_gap_stays),
        LAB_TEST(a_changed_route_shortens_it),
        LAB_TEST(not_without_end),
        LAB_TEST(a_node_that_loops),
        LAB_TEST(lived),
        LAB_TEST(holds),
        LAB_TEST(forgotten),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
