/* SPDX-License-Identifier: Apache-2.0 */
/* engine/uplinks/groups.[ch]: which connections share a link, and how many of them got worse. */
#include "uplinks-lab.h"

#include "engine/uplinks/groups.h"

static struct group *group_of(struct lab *lab, uint64_t conn)
{
    return group_at(lab->engine, lab_peer(lab, conn)->group);
}

static void by_uplink(void **state)
{
    struct lab *lab = *state;
    char text[64];

    uplinks_peer(lab, 2, ON_HOME);
    uplinks_peer(lab, 3, ON_FIBRE);
    assert_ptr_equal(group_of(lab, 1), group_of(lab, 2));
    assert_ptr_not_equal(group_of(lab, 1), group_of(lab, 3));
    assert_int_equal(group_of(lab, 1)->n_peers, 2);
    assert_string_equal(group_name(lab->engine, group_of(lab, 1), text, sizeof(text)), "home");
    lab_peer_down(lab, 2);
    assert_int_equal(group_of(lab, 1)->n_peers, 1);
}

static void a_move_changes_it(void **state)
{
    struct lab *lab = *state;

    uplinks_peer(lab, 2, ON_FIBRE);
    uplinks_leave(lab, 1, "up1", ON_FIBRE);
    assert_ptr_equal(group_of(lab, 1), group_of(lab, 2));
}

/* Whatever its port is; IPv4-mapped is IPv4. */
static void by_address(void **state)
{
    struct lab *lab = *state;
    char text[64];

    uplinks_peer(lab, 2, "198.51.100.7:1");
    uplinks_peer(lab, 3, "198.51.100.7:2");
    uplinks_peer(lab, 4, "198.51.100.8:1");
    uplinks_peer(lab, 5, "[2001:db8::1]:1");
    assert_ptr_equal(group_of(lab, 2), group_of(lab, 3));
    assert_ptr_not_equal(group_of(lab, 3), group_of(lab, 4));
    assert_string_equal(group_name(lab->engine, group_of(lab, 3), text, sizeof(text)),
                        "198.51.100.7");
    assert_string_equal(group_name(lab->engine, group_of(lab, 5), text, sizeof(text)),
                        "2001:db8::1");
}

static void without_an_address(void **state)
{
    struct lab *lab = *state;
    char text[64];

    lab_peer_up(lab, "x", 2);
    lab_peer_told(lab, &(struct event_peer_up){.peer = "x", .conn = 3});
    lab_peer_told(lab, &(struct event_peer_up){.peer = "y", .conn = 4});
    assert_ptr_equal(group_of(lab, 3), group_of(lab, 4));
    assert_string_equal(group_name(lab->engine, group_of(lab, 3), text, sizeof(text)), "this host");
}

/* Of the only uplink, too, all its addresses are one link; and it may be known only later. */
static void one_uplink_is_one_group(void **state)
{
    struct lab *lab = *state;
    struct event_interface list[] = {
        {"eth0", "192.0.2.7 2001:db8::7", true, false, true, true},
    };

    lab_peer_told(lab, &(struct event_peer_up){.peer = "a", .conn = 1, .local = "192.0.2.7:1"});
    lab_peer_told(lab, &(struct event_peer_up){.peer = "b", .conn = 2, .local = "[2001:db8::7]:1"});
    assert_ptr_not_equal(group_of(lab, 1), group_of(lab, 2));
    lab_event(lab, &(struct event){.type = EVENT_INTERFACES, .interfaces = {list, 1}});
    assert_ptr_equal(group_of(lab, 1), group_of(lab, 2));
    assert_int_equal(group_of(lab, 1)->n_peers, 2);
}

/* More than there are places for: those are alone. */
static void places_are_bounded(void **state)
{
    struct lab *lab = *state;
    char local[32];

    for (unsigned i = 0; i < GROUPS_MAX; i++) {
        snprintf(local, sizeof(local), "198.51.100.%u:1", i);
        uplinks_peer(lab, 2 + i, local);
    }
    assert_int_equal(lab->engine->groups.n, GROUPS_MAX);
    assert_null(group_of(lab, 1 + GROUPS_MAX));
    lab_peer_down(lab, 2); /* its place is used again */
    uplinks_peer(lab, 1000, "198.51.100.254:1");
    assert_ptr_equal(group_of(lab, 1000), group_at(lab->engine, 2));
    assert_int_equal(group_of(lab, 1000)->n_peers, 1);
}

/* ---- what is counted ---- */

static void expect_counts(struct lab *lab, unsigned measured, unsigned worse)
{
    assert_int_equal(group_of(lab, 1)->measured, measured);
    assert_int_equal(group_of(lab, 1)->worse, worse);
}

static void next_window(struct lab *lab)
{
    groups_window(lab->engine);
    lab_time(lab, 5 * SEC);
}

static void each_once_in_a_window(void **state)
{
    struct lab *lab = *state;

    next_window(lab);
    expect_counts(lab, 0, 0);
    lab_fresh(lab, 1, 75 * MS); /* 50 ms before */
    expect_counts(lab, 1, 1);
    groups_advised(lab->engine, lab_peer(lab, 1));
    lab_time(lab, 5 * SEC);
    lab_fresh(lab, 1, 75 * MS);
    expect_counts(lab, 1, 1);
}

static void half_more_is_worse(void **state)
{
    struct lab *lab = *state;

    next_window(lab);
    lab_fresh(lab, 1, 74 * MS);
    expect_counts(lab, 1, 0);
}

/* Rows of fast polls, and those without a new RTT sample, count for nothing. */
static void only_regular_and_fresh_rows(void **state)
{
    struct lab *lab = *state;

    next_window(lab);
    lab_row(lab, 1, "srtt=90000");
    groups_window(lab->engine);
    lab_time(lab, SEC);
    lab_fresh(lab, 1, 900 * MS);
    expect_counts(lab, 0, 0);
}

/* A trigger repeats its advice only after some rounds. */
static void advice_lasts_four_windows(void **state)
{
    struct lab *lab = *state;

    groups_advised(lab->engine, lab_peer(lab, 1));
    for (unsigned i = 0; i < 5; i++) {
        next_window(lab);
        lab_fresh(lab, 1, 50 * MS);
        expect_counts(lab, 1, i < 3);
    }
}

static void until_it_is_faster(void **state)
{
    struct lab *lab = *state;

    groups_advised(lab->engine, lab_peer(lab, 1));
    next_window(lab);
    lab_fresh(lab, 1, 40 * MS);
    expect_counts(lab, 1, 0);
}

/* The number of a window is used again after 255 of them. */
static void windows_wrap(void **state)
{
    struct lab *lab = *state;

    for (unsigned i = 0; i < 600; i++) {
        next_window(lab);
        assert_int_not_equal(lab->engine->groups.window, 0);
        lab_fresh(lab, 1, 50 * MS);
        expect_counts(lab, 1, 0);
    }
}

static void only_of_who_is_watched(void **state)
{
    struct lab *lab = *state;
    struct group *group = group_of(lab, 1);

    groups_effect(lab->engine, 1, EFFECT_BETTER);
    assert_false(group->effect_known);
    group_watch(lab->engine, group, 1);
    groups_effect(lab->engine, 2, EFFECT_SAME);
    assert_false(group->effect_known);
    groups_effect(lab->engine, 1, EFFECT_WORSE);
    assert_true(group->effect_known);
    assert_int_equal(group->effect, EFFECT_WORSE);
    group_watch(lab->engine, group, 0);
    assert_int_equal(lab->engine->groups.scouts, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UPLINKS_TEST(by_uplink),
        UPLINKS_TEST(a_move_changes_it),
        UPLINKS_TEST(by_address),
        UPLINKS_TEST(without_an_address),
        LAB_TEST(one_uplink_is_one_group),
        UPLINKS_TEST(places_are_bounded),
        UPLINKS_TEST(each_once_in_a_window),
        UPLINKS_TEST(half_more_is_worse),
        UPLINKS_TEST(only_regular_and_fresh_rows),
        UPLINKS_TEST(advice_lasts_four_windows),
        UPLINKS_TEST(until_it_is_faster),
        UPLINKS_TEST(windows_wrap),
        UPLINKS_TEST(only_of_who_is_watched),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
