/* SPDX-License-Identifier: Apache-2.0 */
/* engine/liveness/fallback.[ch]: when a connection is closed and dialled anew, by what says that
 * this can work (engine/liveness/dial.[ch]). */
#include "uplinks-lab.h"

static const struct pd_field proof[] = {{.name = "proof", .text = "unreachable"}};

static const struct pd_advice lost = {.kind = PD_KIND_MOVED, .reason = "lost", .no_target = true};
static const struct pd_advice gone = {
    .kind = PD_KIND_MOVED,
    .reason = "the local address is on no interface",
    .evidence = proof,
    .n_evidence = ARRAY_SIZE(proof),
};

static void up(struct lab *lab, enum pd_role role)
{
    lab_peer_up_role(lab, "a", 17, role);
    lab_fresh(lab, 17, 50 * MS);
}

/* An inbound connection: no migrate is possible, so its advice is refused. */
static void inbound(struct lab *lab, const struct pd_advice *advice)
{
    up(lab, PD_ROLE_SERVER);
    lab_advise_full(lab, 17, advice);
    expect_decision(lab, 17, VERDICT_INBOUND);
}

/* A client whose migrate is open. */
static void client(struct lab *lab, enum pd_kind kind)
{
    up(lab, PD_ROLE_CLIENT);
    lab_advise(lab, 17, kind);
    expect_decision(lab, 17, VERDICT_MIGRATE);
}

/* Rows like that each second; `columns` NULL: nothing gets through. */
static void rows(struct lab *lab, unsigned seconds, const char *columns)
{
    for (unsigned i = 0; i < seconds; i++) {
        if (columns)
            lab_row(lab, 17, columns);
        else
            lab_silent(lab, 17);
        lab_time(lab, SEC);
    }
}

/* Its evidence has why. */
static void expect_fallback(struct lab *lab, uint64_t conn, const char *dial)
{
    const struct record_decision *decision = expect_decision(lab, conn, VERDICT_RECONNECT);

    assert_string_equal(decision->trigger, "fallback");
    assert_string_equal(decision->evidence->fields[0].name, "dial");
    assert_string_equal(decision->evidence->fields[0].text, dial);
    /* nothing need be outstanding where nothing can arrive, and then none is claimed to be */
    assert_int_equal(!strstr(decision->reason->s, "something is outstanding"),
                     !strcmp(dial, "unreachable"));
}

static void expect_no_fallback(struct lab *lab)
{
    for (size_t i = 0; i < lab->n_records; i++)
        if (lab->records[i].type == RECORD_DECISION)
            assert_string_not_equal(lab->records[i].decision.trigger, "fallback");
}

/* ---- no way out ---- */

static void never_without_a_way_out(void **state)
{
    struct lab *lab = *state;

    inbound(lab, &lost);
    lab_peer_up(lab, "z", 99);
    for (unsigned i = 0; i < 59; i++) { /* as long as it is watched */
        lab_fresh(lab, 99, 50 * MS);
        rows(lab, 1, NULL);
    }
    assert_true(lab_peer(lab, 17)->moves->watch.on);
    expect_no_decision(lab);
}

/* There is one again: it has waited long enough by then. */
static void with_a_way_out_again(void **state)
{
    struct lab *lab = *state;

    inbound(lab, &lost);
    rows(lab, 30, NULL);
    lab_advise(lab, 17, PD_KIND_MOVED);
    expect_no_decision(lab); /* the refusals are counted */
    lab_silent(lab, 17);
    expect_fallback(lab, 17, "sign");
}

/* Said by a trigger: the kernel has no route to it, or has one again. */
static void routed(struct lab *lab, bool none)
{
    lab_step(lab, POKE_NO_ROUTE, 17)->number = none;
    lab_signal(lab);
}

/* What was advised does not say it, but the kernel has no route. Once it has one, the time begins
 * anew: the connection may live. */
static void never_without_a_route(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "z", 99);
    inbound(lab, &(struct pd_advice){.kind = PD_KIND_DEAD, .reason = "silent"});
    routed(lab, true);
    for (unsigned i = 0; i < 50; i++) { /* others live: a sign */
        lab_fresh(lab, 99, 50 * MS);
        rows(lab, 1, NULL);
    }
    assert_true(lab_peer(lab, 17)->moves->watch.on);
    expect_no_decision(lab);
    routed(lab, false);
    expect_decision(lab, 17, VERDICT_INBOUND); /* tried at once */
    lab_silent(lab, 17);
    for (unsigned i = 0; i < 3; i++) {
        lab_time(lab, 333 * MS);
        lab_silent(lab, 17);
    }
    expect_no_decision(lab);
    lab_time(lab, MS);
    lab_silent(lab, 17);
    expect_fallback(lab, 17, "sign");
}

/* It lives: it had only been waiting for a route. */
static void alive_with_a_route_again(void **state)
{
    struct lab *lab = *state;

    inbound(lab, &(struct pd_advice){.kind = PD_KIND_DEAD, .reason = "silent"});
    routed(lab, true);
    rows(lab, 14, NULL);
    routed(lab, false);
    lab_silent(lab, 17);
    for (unsigned i = 0; i < 30; i++) {
        lab_time(lab, 500 * MS);
        lab_fresh(lab, 17, 50 * MS);
    }
    expect_no_fallback(lab);
    assert_false(lab_peer(lab, 17)->moves->watch.on);
}

/* What waits to be dialled anew is not, while there is no route: it would be closed for nothing. */
static void called_off_without_a_route(void **state)
{
    struct lab *lab = *state;

    lab->config.max_in_flight = 1;
    lab_node_up(lab, "boot");
    lab_snapshot(lab);
    lab_peer_up(lab, "z", 99);
    lab_fresh(lab, 99, 50 * MS);
    inbound(lab, &(struct pd_advice){.kind = PD_KIND_MOVED, .reason = "moved"});
    lab_advise(lab, 99, PD_KIND_MOVED); /* takes the only place */
    expect_decision(lab, 99, VERDICT_MIGRATE);
    rows(lab, 4, NULL);
    expect_decision(lab, 17, VERDICT_QUEUED);
    routed(lab, true);
    lab_silent(lab, 17);
    expect_decision(lab, 17, VERDICT_SUPERSEDED);
    rows(lab, 4, NULL);
    expect_no_decision(lab);
}

/* Nor by anybody else but an operator; it is decided again when there is a route. */
static void not_dialled_without_a_route(void **state)
{
    struct lab *lab = *state;

    lab->config.prefer = PREFER_RECONNECT;
    up(lab, PD_ROLE_CLIENT);
    routed(lab, true);
    lab_advise(lab, 17, PD_KIND_DEAD);
    expect_decision(lab, 17, VERDICT_NO_TARGET);
    routed(lab, true); /* said twice */
    expect_no_decision(lab);
    routed(lab, false);
    expect_decision(lab, 17, VERDICT_RECONNECT);
}

static void dialled_by_an_operator(void **state)
{
    struct lab *lab = *state;

    up(lab, PD_ROLE_CLIENT);
    routed(lab, true);
    lab_operator(lab, "a", COMMAND_BY_RECONNECT);
    expect_decision(lab, 17, VERDICT_RECONNECT);
}

/* A client whose window is full cannot send a PING: it is moved to another port. */
static void moved_with_a_route_again(void **state)
{
    struct lab *lab = *state;

    up(lab, PD_ROLE_CLIENT);
    routed(lab, true);
    rows(lab, 3, NULL);
    routed(lab, false);
    assert_string_equal(expect_decision(lab, 17, VERDICT_MIGRATE)->reason->s,
                        "its route works again, and nothing got through for 3.0 s");
}

/* The node knows none: a dial would find none either. */
static void after_no_path(void **state)
{
    const struct record *record;
    struct lab *lab = *state;

    lab->config.retries = 0;
    client(lab, PD_KIND_MOVED);
    rows(lab, 5, NULL);
    lab_answer_error(lab, expect_migrate(lab, 17), NODE_NO_PATH);
    for (unsigned i = 0; i < 40; i++) {
        const struct lab_action *move;

        rows(lab, 1, NULL);
        while ((move = lab_next_move(lab))) { /* the same again, each 10 s */
            assert_int_equal(move->type, ACTION_MIGRATE);
            lab_answer_error(lab, move->request, NODE_NO_PATH);
        }
    }
    assert_true(lab_peer(lab, 17)->moves->watch.on);
    while ((record = lab_next(lab, RECORD_DECISION)))
        assert_string_not_equal(record->decision.trigger, "fallback");
}

/* It had no spare connection id, or no path at that time. Others have one since: a dial can work.
 */
static void after_no_path_and_others_live(void **state)
{
    struct lab *lab = *state;

    lab->config.retries = 0;
    client(lab, PD_KIND_MOVED);
    lab_peer_up(lab, "z", 99);
    lab_fresh(lab, 99, 50 * MS);
    rows(lab, 5, NULL);
    lab_answer_error(lab, expect_migrate(lab, 17), NODE_NO_PATH);
    expect_decision(lab, 17, VERDICT_BACKING_OFF);
    rows(lab, 4, NULL);
    expect_no_decision(lab); /* they lived before */
    lab_fresh(lab, 99, 50 * MS);
    rows(lab, 1, NULL);
    expect_fallback(lab, 17, "sign");
}

/* The last answer counts. */
static void after_no_path_and_a_timeout(void **state)
{
    struct lab *lab = *state;

    lab->config.retries = 1;
    client(lab, PD_KIND_MOVED);
    rows(lab, 5, NULL);
    lab_answer_error(lab, expect_migrate(lab, 17), NODE_NO_PATH);
    lab_time(lab, SEC);
    expect_no_decision(lab);
    lab_answer_error(lab, expect_migrate(lab, 17), NODE_TIMEOUT);
    expect_decision(lab, 17, VERDICT_BACKING_OFF); /* it is given again later */
    expect_fallback(lab, 17, "sign");
}

static void after_no_path_and_another_route(void **state)
{
    struct lab *lab = *state;

    lab->config.retries = 0;
    client(lab, PD_KIND_MOVED);
    rows(lab, 5, NULL);
    lab_answer_error(lab, expect_migrate(lab, 17), NODE_NO_PATH);
    rows(lab, 4, NULL);
    expect_decision(lab, 17, VERDICT_BACKING_OFF);
    expect_no_decision(lab);
    lab_advise(lab, 17, PD_KIND_MOVED);
    expect_decision(lab, 17, VERDICT_MIGRATE);
    lab_answer_error(lab, expect_migrate(lab, 17), NODE_DIAL_FAILED);
    expect_fallback(lab, 17, "sign");
}

/* ---- unreachable ---- */

static void unreachable_after_50_ms(void **state)
{
    struct lab *lab = *state;

    inbound(lab, &gone);
    lab_time(lab, 50 * MS - 1);
    lab_silent(lab, 17);
    expect_no_decision(lab);
    lab_time(lab, 1);
    lab_silent(lab, 17);
    expect_fallback(lab, 17, "unreachable");
    expect_reconnect(lab, 17);
}

/* A poll comes at that time; its row is enough. */
static void unreachable_after_one_row(void **state)
{
    struct lab *lab = *state;

    const struct lab_action *poll;

    inbound(lab, &gone);
    lab_time(lab, 20 * MS);
    poll = lab_next_poll(lab);
    assert_non_null(poll);
    lab_summary_done(lab, poll->poll, false);
    lab_time(lab, 30 * MS - 1);
    assert_null(lab_next_poll(lab));
    lab_time(lab, 1);
    assert_non_null(lab_next_poll(lab));
    expect_no_decision(lab);
    lab_silent(lab, 17);
    expect_fallback(lab, 17, "unreachable");
}

/* Nothing need be outstanding: what it waits for cannot come. */
static void unreachable_and_idle(void **state)
{
    struct lab *lab = *state;

    inbound(lab, &gone);
    lab_time(lab, 50 * MS - 1);
    lab_row(lab, 17, "srtt=50000 samples=1 in_flight=0 unacked=0");
    expect_no_decision(lab);
    lab_time(lab, 1);
    lab_row(lab, 17, "srtt=50000 samples=1 in_flight=0 unacked=0");
    expect_fallback(lab, 17, "unreachable");
}

/* The reason says nothing of what is outstanding: it may be nothing. */
static void unreachable_in_words(void **state)
{
    struct lab *lab = *state;

    inbound(lab, &gone);
    lab_time(lab, 50 * MS);
    lab_row(lab, 17, "srtt=50000 samples=1 in_flight=0 unacked=0");
    assert_string_equal(expect_decision(lab, 17, VERDICT_RECONNECT)->reason->s,
                        "no progress for 50 ms in 1 poll; the kernel says that nothing can arrive, "
                        "and the connection cannot be migrated");
}

/* For pathdogctl explain: when it would be closed, and why; `after_us` INSPECT_NEVER: not now. */
static void expect_plan(struct lab *lab, const char *dial, uint64_t after_us, const char *why)
{
    struct inspect_explain explain;

    assert_true(inspect_explain(lab->engine, lab->now_us, "a", &explain));
    assert_string_equal(explain.dial, dial);
    assert_string_equal(explain.dial_why, why);
    assert_int_equal(explain.dial_after_us, after_us);
}

static void told_of(void **state)
{
    struct lab *lab = *state;
    struct inspect_explain explain;

    up(lab, PD_ROLE_SERVER);
    assert_true(inspect_explain(lab->engine, lab->now_us, "a", &explain));
    assert_null(explain.dial); /* it is not watched */
    lab_advise(lab, 17, PD_KIND_DEAD);
    lab_time(lab, 20 * SEC);
    lab_silent(lab, 17);
    expect_plan(lab, "blind", 20 * SEC, "nothing says that a new connection can work");
    lab_advise_full(lab, 17, &lost);
    expect_plan(lab, "never", INSPECT_NEVER, "there is no way out");
    lab_advise(lab, 17, PD_KIND_MOVED);
    expect_plan(lab, "sign", SEC, "a new connection can work");
    lab_advise_full(lab, 17, &gone);
    expect_plan(lab, "unreachable", 50 * MS,
                "the kernel says that nothing can arrive, and the connection cannot be migrated");
    lab->config.fallback = FALLBACK_OFF;
    uplinks_config(lab);
    assert_true(inspect_explain(lab->engine, lab->now_us, "a", &explain));
    assert_null(explain.dial);
}

/* Where it may not be dialled it is polled no faster for that. */
static void unreachable_and_idle_for_long(void **state)
{
    (void)state;
    for (unsigned held = 0; held < 2; held++) {
        struct lab lab;
        unsigned polls = 0;

        lab_init(&lab);
        if (!held)
            lab.features = 0;
        lab_begin(&lab);
        inbound(&lab, &gone);
        if (held)
            lab_hold(&lab, "a", 0);
        for (unsigned i = 0; i < 1000; i++) {
            const struct lab_action *poll;

            lab_time(&lab, 10 * MS);
            while ((poll = lab_next_poll(&lab))) {
                lab_row(&lab, 17, "srtt=50000 samples=1 in_flight=0 unacked=0");
                lab_summary_done(&lab, poll->poll, false);
                polls++;
            }
        }
        if (held)
            expect_decision(&lab, 17, VERDICT_HELD);
        expect_no_decision(&lab);
        assert_in_range(polls, 20, 25);
        lab_end(&lab);
    }
}

/* The proof is of a path, and it is old: what comes proves more. */
static void unreachable_and_heard(void **state)
{
    struct lab *lab = *state;

    inbound(lab, &gone);
    lab_time(lab, 50 * MS);
    lab_fresh(lab, 17, 50 * MS);
    lab_time(lab, 50 * MS - 1);
    lab_silent(lab, 17);
    expect_no_decision(lab);
}

/* At once, and only once: what has failed waits as any other does. */
static void unreachable_is_no_reason_twice(void **state)
{
    struct lab *lab = *state;

    inbound(lab, &gone);
    lab_time(lab, 50 * MS);
    lab_silent(lab, 17);
    expect_fallback(lab, 17, "unreachable");
    lab_answer_error(lab, expect_reconnect(lab, 17), NODE_DIAL_FAILED);
    for (unsigned i = 0; i < 29; i++) {
        lab_time(lab, 100 * MS);
        lab_silent(lab, 17);
    }
    expect_no_decision(lab);
    lab_time(lab, 100 * MS);
    lab_silent(lab, 17);
    assert_string_equal(expect_decision(lab, 17, VERDICT_BACKING_OFF)->evidence->fields[0].text,
                        "sign");
}

/* ---- nothing says that it can work ---- */

static void blind_after_20_s(void **state)
{
    struct lab *lab = *state;

    inbound(lab, &(struct pd_advice){.kind = PD_KIND_DEAD, .reason = "dead"});
    rows(lab, 19, NULL);
    lab_time(lab, SEC - 1);
    lab_silent(lab, 17);
    expect_no_decision(lab);
    lab_time(lab, 1);
    lab_silent(lab, 17);
    expect_fallback(lab, 17, "blind");
}

/* A sign that comes meanwhile: it has waited long enough for that. */
static void no_longer_blind(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "z", 99);
    lab_silent(lab, 99);
    inbound(lab, &(struct pd_advice){.kind = PD_KIND_DEAD, .reason = "dead"});
    rows(lab, 10, NULL);
    expect_no_decision(lab);
    lab_fresh(lab, 99, 50 * MS);
    lab_silent(lab, 17);
    expect_fallback(lab, 17, "sign");
}

/* ---- idle ---- */

#define KEEP_ALIVE "srtt=50000 samples=1 in_flight=100 pto=1"

/* A keep-alive is not acknowledged, and others live. */
static void idle_after_30_s(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "z", 99);
    inbound(lab, &(struct pd_advice){.kind = PD_KIND_MOVED, .reason = "moved"});
    for (unsigned i = 0; i < 29; i++) {
        lab_fresh(lab, 99, 50 * MS);
        rows(lab, 1, KEEP_ALIVE);
    }
    lab_time(lab, SEC - 1);
    lab_row(lab, 17, KEEP_ALIVE);
    expect_no_decision(lab);
    lab_time(lab, 1);
    lab_row(lab, 17, KEEP_ALIVE);
    assert_string_equal(expect_decision(lab, 17, VERDICT_RECONNECT)->reason->s,
                        "no progress for 30.0 s in 31 polls, and something is outstanding; it is "
                        "only a keep-alive");
}

/* Nothing of anybody is acknowledged: a new connection would not work better. */
static void never_idle_where_nothing_is_heard(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "z", 99);
    inbound(lab, &(struct pd_advice){.kind = PD_KIND_MOVED, .reason = "moved"});
    rows(lab, 45, KEEP_ALIVE);
    expect_no_decision(lab);
    lab_fresh(lab, 99, 50 * MS);
    lab_row(lab, 17, KEEP_ALIVE);
    expect_fallback(lab, 17, "idle");
}

/* Within two rounds: what was acknowledged before that is old. */
static void idle_where_others_were_heard(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "z", 99);
    inbound(lab, &(struct pd_advice){.kind = PD_KIND_MOVED, .reason = "moved"});
    rows(lab, 25, KEEP_ALIVE);
    lab_fresh(lab, 99, 50 * MS);
    rows(lab, 4, KEEP_ALIVE);
    lab_time(lab, 6 * SEC);
    lab_row(lab, 17, KEEP_ALIVE);
    expect_no_decision(lab);
    lab_fresh(lab, 99, 50 * MS);
    lab_time(lab, 10 * SEC - 1);
    lab_row(lab, 17, KEEP_ALIVE);
    expect_fallback(lab, 17, "idle");
}

static int setup_uplinks(void **state)
{
    struct lab *lab = memory_new(1, sizeof(*lab));

    uplinks_init(lab, BINDS);
    lab->config.fallback = FALLBACK_RECONNECT;
    uplinks_begin(lab);
    uplinks_peer_role(lab, 17, ON_HOME, PD_ROLE_SERVER);
    *state = lab;
    return 0;
}

/* Of others on its uplink, where that is known. */
static void never_idle_where_nothing_is_heard_on_its_uplink(void **state)
{
    struct lab *lab = *state;

    uplinks_peer(lab, 2, ON_SAT);
    lab_advise(lab, 17, PD_KIND_MOVED);
    lab_skip(lab);
    for (unsigned i = 0; i < 45; i++) {
        lab_fresh(lab, 2, 50 * MS);
        rows(lab, 1, KEEP_ALIVE);
    }
    expect_no_decision(lab);
    lab_fresh(lab, 1, 50 * MS);
    lab_row(lab, 17, KEEP_ALIVE);
    expect_fallback(lab, 17, "idle");
}

/* Application data is sent: from now on that waits, and not only a keep-alive. */
static void no_longer_idle(void **state)
{
    struct lab *lab = *state;

    inbound(lab, &(struct pd_advice){.kind = PD_KIND_MOVED, .reason = "moved"});
    rows(lab, 10, KEEP_ALIVE);
    expect_no_decision(lab);
    lab_silent(lab, 17);
    expect_fallback(lab, 17, "sign");
}

/* A poll comes when that has waited for long enough, by what waits now. */
static void polled_when_it_is_time(void **state)
{
    struct lab *lab = *state;
    const struct deadline *deadline;
    uint64_t began_us;

    lab_peer_up(lab, "z", 99);
    inbound(lab, &(struct pd_advice){.kind = PD_KIND_MOVED, .reason = "moved"});
    deadline = &lab_peer(lab, 17)->moves->watch.deadline;
    began_us = lab->now_us;
    assert_int_equal(deadline->at_us, began_us + SEC);
    lab_time(lab, 900 * MS);
    lab_fresh(lab, 99, 50 * MS);
    lab_row(lab, 17, KEEP_ALIVE);
    assert_int_equal(deadline->at_us, began_us + 30 * SEC);
    lab_time(lab, 90 * MS);
    lab_silent(lab, 17);
    assert_int_equal(deadline->at_us, began_us + SEC);
}

/* ---- a change of the route is a sign until something is acknowledged ---- */

static bool flipped(struct lab *lab)
{
    return lab_peer(lab, 17)->moves->watch.flipped;
}

static void flipped_until_it_is_acknowledged(void **state)
{
    struct lab *lab = *state;

    client(lab, PD_KIND_MOVED); /* the request stays open, so it is watched all the time */
    assert_true(flipped(lab));
    lab_row(lab, 17, "srtt=50000 samples=1 in_flight=100 received=1");
    lab_time(lab, 2 * SEC);
    lab_row(lab, 17, "srtt=50000 samples=1 in_flight=100 received=2");
    assert_true(flipped(lab)); /* heard */
    lab_row(lab, 17, "srtt=50000 samples=2 in_flight=100 received=2");
    assert_false(flipped(lab)); /* acknowledged */
    assert_true(lab_peer(lab, 17)->moves->watch.on);
}

/* What is acknowledged within a second of the advice may have been sent before it. */
static void flipped_while_that_is_not_sure(void **state)
{
    struct lab *lab = *state;

    client(lab, PD_KIND_MOVED);
    lab_fresh(lab, 17, 50 * MS);
    lab_time(lab, SEC);
    lab_fresh(lab, 17, 50 * MS);
    assert_true(flipped(lab));
    lab_time(lab, 1);
    lab_fresh(lab, 17, 50 * MS);
    assert_false(flipped(lab));
}

/* Nor is the proof that nothing arrives there any more true then; a migration is another path. */
static void unreachable_until_then(void **state)
{
    struct lab *lab = *state;
    const struct watch *watch;

    up(lab, PD_ROLE_CLIENT);
    lab_advise_full(lab, 17, &gone);
    watch = &lab_peer(lab, 17)->moves->watch;
    assert_true(watch->gone);
    lab_answer_ok(lab, expect_migrate(lab, 17));
    assert_false(watch->gone);
    assert_true(watch->flipped);
    lab_advise_full(lab, 17, &gone);
    (void)expect_migrate(lab, 17);
    lab_silent(lab, 17);
    lab_time(lab, 2 * SEC);
    assert_true(watch->gone);
    lab_fresh(lab, 17, 50 * MS);
    assert_false(watch->gone);
}

/* Advised anew after the watch: nothing is left of what was known before. */
static void a_new_watch_knows_nothing(void **state)
{
    struct lab *lab = *state;
    const struct watch *watch;

    inbound(lab, &gone);
    watch = &lab_peer(lab, 17)->moves->watch;
    lab_time(lab, 61 * SEC);
    assert_false(watch->on);
    lab_advise(lab, 17, PD_KIND_DEAD);
    assert_true(watch->on);
    assert_false(watch->gone);
    assert_false(watch->flipped);
    assert_true(watch->application);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(never_without_a_way_out),
        LAB_TEST(with_a_way_out_again),
        LAB_TEST(never_without_a_route),
        LAB_TEST(alive_with_a_route_again),
        LAB_TEST(called_off_without_a_route),
        LAB_TEST(not_dialled_without_a_route),
        LAB_TEST(dialled_by_an_operator),
        LAB_TEST(moved_with_a_route_again),
        LAB_TEST(after_no_path),
        LAB_TEST(after_no_path_and_others_live),
        LAB_TEST(after_no_path_and_a_timeout),
        LAB_TEST(after_no_path_and_another_route),
        LAB_TEST(unreachable_after_50_ms),
        LAB_TEST(unreachable_after_one_row),
        LAB_TEST(unreachable_and_idle),
        LAB_TEST(unreachable_in_words),
        LAB_TEST(told_of),
        cmocka_unit_test(unreachable_and_idle_for_long),
        LAB_TEST(unreachable_and_heard),
        LAB_TEST(unreachable_is_no_reason_twice),
        LAB_TEST(blind_after_20_s),
        LAB_TEST(no_longer_blind),
        LAB_TEST(idle_after_30_s),
        LAB_TEST(never_idle_where_nothing_is_heard),
        LAB_TEST(idle_where_others_were_heard),
        cmocka_unit_test_setup_teardown(never_idle_where_nothing_is_heard_on_its_uplink,
                                        setup_uplinks, lab_teardown),
        LAB_TEST(no_longer_idle),
        LAB_TEST(polled_when_it_is_time),
        LAB_TEST(flipped_until_it_is_acknowledged),
        LAB_TEST(flipped_while_that_is_not_sure),
        LAB_TEST(unreachable_until_then),
        LAB_TEST(a_new_watch_knows_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
