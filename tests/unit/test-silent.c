/* SPDX-License-Identifier: Apache-2.0 */
/* Connections that share their only link, and nothing gets through to any of them: engine/uplinks
 * (evidence_group_silent), and what the gate and the fallback make of it. */
#include "engine-lab.h"

#include "engine/inspect.h"

#define PEERS 6u

static void all_up(struct lab *lab, uint64_t count, enum pd_role role)
{
    char name[] = "a";

    lab->config.retries = 0;
    for (uint64_t conn = 1; conn <= count; conn++, name[0]++) {
        lab_peer_up_role(lab, name, conn, role);
        lab_fresh(lab, conn, 50 * MS);
    }
}

static void all_silent(struct lab *lab, uint64_t count, unsigned seconds)
{
    for (unsigned i = 0; i < seconds; i++) {
        lab_time(lab, SEC);
        for (uint64_t conn = 1; conn <= count; conn++)
            lab_silent(lab, conn);
    }
}

static void advise_dead(struct lab *lab, uint64_t count)
{
    for (uint64_t conn = 1; conn <= count; conn++)
        lab_advise(lab, conn, PD_KIND_DEAD);
}

/* Each is moved once, which nothing comes of. */
static void moved_once(struct lab *lab, uint64_t count)
{
    all_up(lab, count, PD_ROLE_CLIENT);
    all_silent(lab, count, 2);
    advise_dead(lab, count);
    for (uint64_t conn = 1; conn <= count; conn++) {
        expect_decision(lab, conn, VERDICT_MIGRATE);
        lab_answer_error(lab, expect_migrate(lab, conn), NODE_TIMEOUT);
    }
    all_silent(lab, count, 2);
}

/* The first port may have been the fault; another one then is no way out. */
static void another_port_once(void **state)
{
    struct inspect_explain explain;
    struct lab *lab = *state;

    moved_once(lab, PEERS);
    advise_dead(lab, PEERS);
    for (uint64_t conn = 1; conn <= PEERS; conn++)
        assert_string_equal(expect_decision(lab, conn, VERDICT_NO_TARGET)->choice->s,
                            "nothing was heard from any of 6 peers on 10.0.1.2");
    assert_null(lab_next_move(lab));
    all_silent(lab, PEERS, 1);
    assert_true(inspect_explain(lab->engine, lab->now_us, "a", &explain));
    assert_string_equal(explain.dial_why,
                        "nothing gets through to any connection that shares its link");
}

/* Those that are so few may each have a cause of their own. */
static void few_of_them(void **state)
{
    struct lab *lab = *state;

    moved_once(lab, 4);
    all_silent(lab, 4, 6); /* the back-off */
    advise_dead(lab, 4);
    expect_decision(lab, 1, VERDICT_MIGRATE);
}

/* Something got through to one: the link carries. */
static void one_is_heard(void **state)
{
    struct lab *lab = *state;

    moved_once(lab, PEERS);
    all_silent(lab, PEERS - 1, 6);
    lab_fresh(lab, PEERS, 50 * MS);
    advise_dead(lab, 1);
    expect_decision(lab, 1, VERDICT_MIGRATE);
}

/* It is in another one's row that something gets through again: those that waited are tried. */
static void tried_when_one_is_heard(void **state)
{
    struct lab *lab = *state;

    moved_once(lab, PEERS);
    advise_dead(lab, 1);
    expect_decision(lab, 1, VERDICT_NO_TARGET);
    lab_silent(lab, 1);
    assert_null(lab_next_move(lab));
    lab_fresh(lab, PEERS, 50 * MS);
    lab_silent(lab, 1);
    expect_decision(lab, 1, VERDICT_MIGRATE);
}

static unsigned closed(const struct lab *lab)
{
    unsigned count = 0;

    for (size_t i = 0; i < lab->n_records; i++)
        count += lab->records[i].type == RECORD_DECISION &&
                 lab->records[i].decision.verdict == VERDICT_RECONNECT;
    return count;
}

static void inbound(struct lab *lab, uint64_t count, unsigned seconds)
{
    all_up(lab, count, PD_ROLE_SERVER);
    all_silent(lab, count, 2);
    advise_dead(lab, count);
    all_silent(lab, count, seconds);
}

/* However long it lasts; and then they have the usual time to show that they live. */
static void nothing_is_closed(void **state)
{
    struct lab *lab = *state;

    inbound(lab, PEERS, 50);
    assert_int_equal(closed(lab), 0);
    for (unsigned i = 0; i < 6; i++) {
        lab_fresh(lab, PEERS, 50 * MS);
        all_silent(lab, PEERS - 1, 1);
        assert_int_equal(closed(lab), 0);
    }
    lab_fresh(lab, PEERS, 50 * MS);
    all_silent(lab, PEERS - 1, 1);
    assert_int_equal(closed(lab), PEERS - 1);
}

static void few_are_closed(void **state)
{
    struct lab *lab = *state;

    inbound(lab, 4, 21);
    assert_int_equal(closed(lab), 4);
}

/* The kernel leads elsewhere: what was silent there says nothing. */
static void closed_on_another_route(void **state)
{
    struct lab *lab = *state;

    inbound(lab, PEERS, 30);
    assert_int_equal(closed(lab), 0);
    lab_advise(lab, 1, PD_KIND_MOVED);
    all_silent(lab, PEERS, 2);
    assert_int_equal(closed(lab), 1);
}

/* With another path it is another link. */
static void on_another_path(void **state)
{
    struct lab *lab = *state;

    moved_once(lab, PEERS);
    assert_int_equal(lab->engine->groups.list[0].stuck, PEERS);
    lab_peer_down(lab, 1);
    assert_int_equal(lab->engine->groups.list[0].stuck, PEERS - 1);
    lab_fresh(lab, 2, 50 * MS);
    assert_int_equal(lab->engine->groups.list[0].stuck, PEERS - 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(another_port_once),       LAB_TEST(few_of_them),       LAB_TEST(one_is_heard),
        LAB_TEST(tried_when_one_is_heard), LAB_TEST(nothing_is_closed), LAB_TEST(few_are_closed),
        LAB_TEST(closed_on_another_route), LAB_TEST(on_another_path),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
