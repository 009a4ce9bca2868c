/* SPDX-License-Identifier: Apache-2.0 */
/* engine/uplinks/members.[ch]: which connection uses which uplink, and where it belongs. */
#include "uplinks-lab.h"

#include "engine/uplinks/members.h"

static uint32_t peers(const struct lab *lab, const char *name)
{
    return uplinks_get(lab, name)->n_peers;
}

/* Where a connection uses to be; "none". */
static const char *uses(struct lab *lab, uint64_t conn)
{
    const struct uplink *uplink = uplink_at(lab->engine, lab_peer(lab, conn)->uplink);

    return uplink ? uplink->name->s : "none";
}

static const char *wants(struct lab *lab, uint64_t conn)
{
    const struct uplink *uplink = members_wanted(lab->engine, lab_peer(lab, conn));

    return uplink ? uplink->name->s : "none";
}

static void counted(void **state)
{
    struct lab *lab = *state;

    assert_int_equal(peers(lab, "home"), 1);
    uplinks_peer(lab, 2, ON_HOME);
    uplinks_peer(lab, 3, ON_SAT);
    uplinks_peer(lab, 4, "10.77.0.1:9");
    assert_int_equal(peers(lab, "home"), 2);
    assert_int_equal(peers(lab, "sat"), 1);
    assert_string_equal(uses(lab, 4), "none");
    lab_event(
        lab, &(struct event){.type = EVENT_PEER_PATH, .peer_path = {.conn = 2, .local = ON_FIBRE}});
    assert_string_equal(uses(lab, 2), "fibre");
    assert_int_equal(peers(lab, "home"), 1);
    lab_peer_down(lab, 2);
    lab_peer_down(lab, 3);
    assert_int_equal(peers(lab, "fibre"), 0);
    assert_int_equal(peers(lab, "sat"), 0);
}

static void moved_counts_there(void **state)
{
    struct lab *lab = *state;

    uplinks_leave(lab, 1, "up1", ON_FIBRE);
    assert_string_equal(uses(lab, 1), "fibre");
    assert_int_equal(peers(lab, "home"), 0);
    assert_int_equal(peers(lab, "fibre"), 1);
    assert_string_equal(wants(lab, 1), "home");
}

/* Off one, and off the next: it belongs where it was first. */
static void home_is_where_it_was_first(void **state)
{
    struct lab *lab = *state;

    uplinks_peer(lab, 2, ON_FIBRE);
    uplinks_time(lab, 11 * SEC);
    lab->config.n_uplinks = 0;
    uplinks_config(lab); /* without classes: nothing but its home counts */
    uplinks_hold(lab, "up0", 0);
    lab_skip(lab);
    uplinks_leave(lab, 2, "up2", ON_SAT);
    assert_string_equal(wants(lab, 2), "up1");
    uplinks_time(lab, 3 * SEC);
    uplinks_hold(lab, "up1", 0);
    assert_string_equal(wants(lab, 2), "none"); /* it is held */
    uplinks_leave(lab, 2, "wwan0", ON_LTE);
    uplinks_release(lab, "up1");
    assert_string_equal(wants(lab, 2), "up1");
}

static void an_operator_makes_it_the_home(void **state)
{
    struct lab *lab = *state;

    lab_command(lab, &(struct event_command){
                         .type = COMMAND_MOVE, .peer = "p1", .interface = "up2", .who = "uid 7"});
    uplinks_moved(lab, expect_move_over(lab, 1, "up2"), ON_SAT);
    assert_string_equal(uses(lab, 1), "sat");
    assert_string_equal(wants(lab, 1), "none"); /* not even to a primary */
    uplinks_time(lab, 3 * SEC);
    uplinks_leave(lab, 1, "up0", ON_HOME);
    assert_string_equal(wants(lab, 1), "none"); /* a primary is better than a spare home */
}

/* What began on a spare belongs to the primary. */
static void a_better_class_is_wanted(void **state)
{
    struct lab *lab = *state;

    uplinks_peer(lab, 2, ON_SAT);
    assert_string_equal(wants(lab, 2), "home");
    uplinks_host(lab, "up0");
    assert_string_equal(wants(lab, 2), "none");
    uplinks_peer(lab, 3, ON_LTE);
    assert_string_equal(wants(lab, 3), "fibre");
    uplinks_hold(lab, "fibre", 0);
    assert_string_equal(wants(lab, 3), "sat");
}

static void learned_ones_are_equal(void **state)
{
    struct lab *lab = *state;

    uplinks_peer(lab, 2, ON_SAT);
    uplinks_peer(lab, 3, ON_LTE);
    assert_string_equal(wants(lab, 2), "none");
    assert_string_equal(wants(lab, 3), "none");
}

/* What cannot be migrated does not come back. */
static void only_what_can_migrate(void **state)
{
    struct lab *lab = *state;

    uplinks_peer_role(lab, 2, ON_SAT, PD_ROLE_SERVER);
    assert_string_equal(wants(lab, 2), "none");
    lab_peer_told(lab, &(struct event_peer_up){.peer = "fixed",
                                               .conn = 3,
                                               .role = PD_ROLE_CLIENT,
                                               .local = ON_SAT,
                                               .remote = "192.0.2.1:443"});
    assert_string_equal(wants(lab, 3), "none");
}

/* The node moved it by itself: that is its business. */
static void moved_by_the_node_it_is_at_home(void **state)
{
    struct lab *lab = *state;

    lab->config.n_uplinks = 0;
    uplinks_config(lab);
    uplinks_leave(lab, 1, "up1", ON_FIBRE);
    assert_string_equal(wants(lab, 1), "up0");
    lab_event(lab,
              &(struct event){.type = EVENT_PEER_PATH, .peer_path = {.conn = 1, .local = ON_SAT}});
    assert_string_equal(wants(lab, 1), "none");
}

static void told(struct lab *lab, uint64_t conn)
{
    lab_peer_told(lab, &(struct event_peer_up){.peer = "p2",
                                               .conn = conn,
                                               .role = PD_ROLE_CLIENT,
                                               .remote = "192.0.2.1:443",
                                               .migratable = true});
}

/* What the peer opened is dialled over the uplink that others left its own for. */
static uint64_t redial(struct lab *lab)
{
    uplinks_peer_role(lab, 2, ON_HOME, PD_ROLE_SERVER);
    uplinks_time(lab, 15 * SEC);
    uplinks_leave(lab, 1, "up1", ON_FIBRE);
    uplinks_time(lab, SEC);
    lab_fresh(lab, 1, 50 * MS);
    uplinks_dead(lab, 2);
    return expect_move_over(lab, 2, "up1");
}

/* It is bound to that, whatever address it has; told after the answer, or before. */
static void a_redialled_connection_is_bound(void **state)
{
    struct lab *lab = *state;

    lab_answer_conn(lab, redial(lab), 22);
    told(lab, 22);
    assert_string_equal(uses(lab, 22), "fibre");
    assert_string_equal(wants(lab, 22), "home");
}

static void told_before_the_answer_it_is_bound(void **state)
{
    struct lab *lab = *state;
    uint64_t request = redial(lab);

    told(lab, 22);
    assert_string_equal(uses(lab, 22), "none");
    lab_answer_conn(lab, request, 22);
    assert_string_equal(uses(lab, 22), "fibre");
    assert_string_equal(wants(lab, 22), "home");
}

/* A later one of that name is another. */
static void another_connection_is_not_bound(void **state)
{
    struct lab *lab = *state;

    lab_answer_conn(lab, redial(lab), 22);
    told(lab, 23);
    assert_string_equal(uses(lab, 23), "none");
}

/* By their interfaces, under other names and at other places. */
static void a_reload_keeps_who_uses_what(void **state)
{
    struct lab *lab = *state;
    static const struct uplink_config other[] = {
        {"mobile", "wwan0", UPLINK_METERED},
        {"glass", "up1", UPLINK_SPARE},
        {"cable", "up0", UPLINK_PRIMARY},
    };

    uplinks_peer(lab, 2, ON_SAT);
    uplinks_leave(lab, 1, "up2", ON_SAT);
    uplinks_time(lab, 2 * SEC);
    lab_advise_full(lab, 1, &(struct pd_advice){.kind = PD_KIND_DEAD, .reason = "dead"});
    uplinks_moved(lab, expect_move_over(lab, 1, "up1"), ON_FIBRE);
    lab->config.uplinks = other;
    lab->config.n_uplinks = ARRAY_SIZE(other);
    uplinks_config(lab);
    assert_string_equal(uses(lab, 1), "glass");
    assert_string_equal(wants(lab, 1), "cable");
    assert_string_equal(uses(lab, 2), "none"); /* up2 has no section any more */
    assert_int_equal(peers(lab, "glass"), 1);
    assert_int_equal(peers(lab, "cable") + peers(lab, "mobile"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UPLINKS_TEST(counted),
        UPLINKS_TEST(moved_counts_there),
        UPLINKS_TEST(home_is_where_it_was_first),
        UPLINKS_TEST(an_operator_makes_it_the_home),
        UPLINKS_TEST(a_better_class_is_wanted),
        UPLINKS_LEARNED_TEST(learned_ones_are_equal),
        UPLINKS_TEST(only_what_can_migrate),
        UPLINKS_TEST(moved_by_the_node_it_is_at_home),
        UPLINKS_TEST(a_redialled_connection_is_bound),
        UPLINKS_TEST(told_before_the_answer_it_is_bound),
        UPLINKS_TEST(another_connection_is_not_bound),
        UPLINKS_TEST(a_reload_keeps_who_uses_what),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
