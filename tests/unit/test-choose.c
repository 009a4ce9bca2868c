/* SPDX-License-Identifier: Apache-2.0 */
/* engine/uplinks/choose.[ch]: where a connection is to go, and what is said of those not taken. */
#include "uplinks-lab.h"

#include "engine/uplinks/choose.h"
#include "engine/uplinks/evidence.h"

/* ---- dead ---- */

static void primary_before_spare(void **state)
{
    struct lab *lab = *state;

    uplinks_peer(lab, 2, ON_SAT);
    uplinks_time(lab, 60 * SEC);
    uplinks_dead(lab, 2);
    expect_choice(lab, 2, VERDICT_MIGRATE, "home", "home: primary");
    expect_move_over(lab, 2, "up0");
}

static void file_order_among_equals(void **state)
{
    struct lab *lab = *state;

    uplinks_dead(lab, 1);
    expect_choice(lab, 1, VERDICT_MIGRATE, "fibre", "fibre: spare");
    expect_move_over(lab, 1, "up1");
}

static void living_before_unknown(void **state)
{
    struct lab *lab = *state;

    uplinks_peer(lab, 2, ON_SAT);
    uplinks_dead(lab, 1);
    expect_choice(lab, 1, VERDICT_MIGRATE, "sat", "sat: spare, lives");
    expect_move_over(lab, 1, "up2");
}

/* What was heard more than two rounds ago is no news. */
static void old_news_is_none(void **state)
{
    struct lab *lab = *state;

    uplinks_peer(lab, 2, ON_SAT);
    uplinks_time(lab, 11 * SEC);
    uplinks_dead(lab, 1);
    expect_choice(lab, 1, VERDICT_MIGRATE, "fibre", "fibre: spare");
}

static void the_fastest_of_the_living(void **state)
{
    struct lab *lab = *state;

    uplinks_peer(lab, 2, ON_FIBRE);
    uplinks_peer(lab, 3, ON_SAT);
    for (unsigned i = 0; i < 20; i++)
        lab_fresh(lab, 3, 20 * MS);
    uplinks_dead(lab, 1);
    expect_choice(lab, 1, VERDICT_MIGRATE, "sat", "sat: spare, lives");
}

/* It lives, and the others may: it costs money all the same. */
static void metered_is_the_last(void **state)
{
    struct lab *lab = *state;

    uplinks_peer(lab, 2, ON_LTE);
    uplinks_dead(lab, 1);
    expect_choice(lab, 1, VERDICT_MIGRATE, "fibre", "fibre: spare");
}

static void metered_where_nothing_else_can_be_used(void **state)
{
    struct lab *lab = *state;

    uplinks_host(lab, "up1 up2");
    uplinks_dead(lab, 1);
    expect_choice(lab, 1, VERDICT_MIGRATE, "lte",
                  "lte: metered; not fibre: no-carrier; not sat: no-carrier");
    expect_move_over(lab, 1, "wwan0");
}

/* The trigger route: nothing gets out where it is. */
static void no_gateway(struct lab *lab, uint64_t conn)
{
    const struct pd_field evidence = {.name = "proof", .text = "no-gateway"};

    lab_advise_full(lab, conn,
                    &(struct pd_advice){.kind = PD_KIND_DEAD,
                                        .reason = "gateway 10.0.0.1 on up0 does not answer ARP",
                                        .evidence = &evidence,
                                        .n_evidence = 1});
}

/* A new port would be behind the same gateway. One that comes up is used at once. */
static void no_new_port_behind_a_gateway_that_fails(void **state)
{
    struct lab *lab = *state;

    uplinks_host(lab, "up1 up2 wwan0");
    no_gateway(lab, 1);
    expect_choice(lab, 1, VERDICT_NO_TARGET, "",
                  "home: its gateway does not answer, no other can be used; not fibre: no-carrier; "
                  "not sat: no-carrier; not lte: no-carrier");
    uplinks_host(lab, "up1 up2");
    expect_choice(lab, 1, VERDICT_MIGRATE, "lte",
                  "lte: metered; not fibre: no-carrier; not sat: no-carrier");
    expect_move_over(lab, 1, "wwan0");
}

static void another_uplink_where_a_gateway_fails(void **state)
{
    struct lab *lab = *state;

    no_gateway(lab, 1);
    expect_choice(lab, 1, VERDICT_MIGRATE, "fibre", "fibre: spare");
    expect_move_over(lab, 1, "up1");
}

/* It may have been the wrong one, and is to be tried in another way: as the routes lead. */
static void a_retry_where_a_gateway_fails(void **state)
{
    struct lab *lab = *state;

    lab->config.retries = 1;
    uplinks_config(lab);
    uplinks_host(lab, "up2 wwan0");
    no_gateway(lab, 1);
    lab_answer_error(lab, expect_move_over(lab, 1, "up1"), NODE_TIMEOUT);
    uplinks_time(lab, 2 * SEC);
    expect_move_over(lab, 1, "");
}

/* ---- why not the others ---- */

static void not_one_that_is_held(void **state)
{
    struct lab *lab = *state;

    uplinks_hold(lab, "fibre", 0);
    uplinks_dead(lab, 1);
    expect_choice(lab, 1, VERDICT_MIGRATE, "sat", "sat: spare; not fibre: held");
}

static void not_one_in_penalty(void **state)
{
    struct lab *lab = *state;

    uplinks_dead(lab, 1);
    lab_answer_error(lab, expect_move_over(lab, 1, "up1"), NODE_NO_PATH);
    uplinks_peer(lab, 2, ON_HOME);
    uplinks_time(lab, 2 * SEC);
    lab_skip(lab);
    uplinks_dead(lab, 2);
    expect_choice(lab, 2, VERDICT_MIGRATE, "sat", "sat: spare; not fibre: in penalty");
}

/* Where nothing else is left it is asked, and an answer counts for more than the penalty. */
static void one_in_penalty_that_answers(void **state)
{
    struct lab *lab = *state;
    size_t since;

    uplinks_host(lab, "up2 wwan0");
    uplinks_dead(lab, 1);
    lab_answer_error(lab, expect_move_over(lab, 1, "up1"), NODE_NO_PATH);
    uplinks_peer(lab, 2, ON_HOME);
    uplinks_time(lab, 3 * SEC);
    lab_skip(lab);
    since = lab->n_actions;
    uplinks_dead(lab, 2);
    expect_choice(lab, 2, VERDICT_PROBING, "", "the others are asked first");
    uplinks_probed(lab, uplinks_find_probe(lab, since, "up1"), 20 * MS);
    expect_choice(lab, 2, VERDICT_MIGRATE, "fibre",
                  "fibre: spare, answers again; not sat: no-carrier; not lte: no-carrier");
    expect_move_over(lab, 2, "up1");
}

static void not_one_that_others_left(void **state)
{
    struct lab *lab = *state;

    uplinks_time(lab, SEC);
    uplinks_leave(lab, 1, "up1", ON_FIBRE);
    uplinks_time(lab, 10 * SEC);
    uplinks_dead(lab, 1);
    expect_choice(lab, 1, VERDICT_MIGRATE, "sat", "sat: spare; not home: silent");
}

static void not_one_without_the_family(void **state)
{
    struct lab *lab = *state;
    const struct event_interface list[] = {
        {"up0", "2001:db8::2", true, false, false, true},
        {"up1", "10.0.1.2", true, false, true, false},
        {"up2", "10.0.2.2 2001:db8:2::2", true, false, true, true},
        {"wwan0", "10.0.3.2", true, true, true, false},
    };

    lab_peer_told(lab, &(struct event_peer_up){.peer = "six",
                                               .conn = 6,
                                               .role = PD_ROLE_CLIENT,
                                               .local = "[2001:db8::2]:9",
                                               .remote = "[2001:db8:9::1]:443",
                                               .migratable = true});
    lab_event(lab,
              &(struct event){.type = EVENT_INTERFACES, .interfaces = {list, ARRAY_SIZE(list)}});
    uplinks_dead(lab, 6);
    expect_choice(lab, 6, VERDICT_MIGRATE, "sat",
                  "sat: spare; not fibre: no IPv6 route; not lte: no IPv6 route");
    uplinks_peer(lab, 2, ON_LTE);
    uplinks_dead(lab, 2);
    expect_choice(lab, 2, VERDICT_MIGRATE, "fibre", "fibre: spare; not home: no IPv4 route");
}

static void not_one_that_did_not_answer(void **state)
{
    struct lab *lab = *state;
    size_t since = lab->n_actions;

    uplinks_dead(lab, 1);
    expect_choice(lab, 1, VERDICT_PROBING, "", "the others are asked first");
    uplinks_probed(lab, uplinks_find_probe(lab, since, "up1"), 0);
    uplinks_probed(lab, uplinks_find_probe(lab, since, "up2"), 41 * MS);
    expect_choice(lab, 1, VERDICT_MIGRATE, "sat", "sat: spare, lives; not fibre: no answer");
}

/* The kernel says that nothing can arrive where it is: a question would cost a round trip. */
static void none_is_asked_where_it_has_to_leave(void **state)
{
    static const struct pd_field proof = {.name = "proof", .text = "unreachable"};
    struct lab *lab = *state;

    uplinks_peer(lab, 2, ON_HOME);
    lab_advise_full(
        lab, 2,
        &(struct pd_advice){
            .kind = PD_KIND_MOVED, .reason = "cut", .evidence = &proof, .n_evidence = 1});
    lab_answer_error(lab, expect_move_over(lab, 2, ""), NODE_PEER_DISABLE_MIGRATION);
    lab_skip(lab);
    uplinks_dead(lab, 2);
    expect_choice(lab, 2, VERDICT_DISABLED, "fibre", "fibre: spare");
}

static void an_attempt_that_failed_goes_elsewhere(void **state)
{
    struct lab *lab = *state;

    lab->config.retries = 2;
    uplinks_config(lab);
    uplinks_dead(lab, 1);
    lab_answer_error(lab, expect_move_over(lab, 1, "up1"), NODE_TIMEOUT);
    uplinks_time(lab, 2 * SEC);
    lab_answer_error(lab, expect_move_over(lab, 1, "up2"), NODE_TIMEOUT);
    uplinks_time(lab, 2 * SEC);
    expect_move_over(lab, 1, "wwan0");
}

static void none_is_left(void **state)
{
    struct lab *lab = *state;

    uplinks_host(lab, "up1 up2 wwan0");
    uplinks_dead(lab, 1);
    expect_choice(lab, 1, VERDICT_MIGRATE, "",
                  "home: a new port, no other can be used; not fibre: no-carrier; "
                  "not sat: no-carrier; not lte: no-carrier");
    expect_move_over(lab, 1, "");
}

/* `count` connections on the only uplink; a round found nothing acknowledged for all of them. */
static void silent_for(struct lab *lab, uint64_t count)
{
    for (uint64_t conn = 2; conn <= count; conn++)
        uplinks_peer(lab, conn, ON_HOME);
    uplinks_host(lab, "up1 up2 wwan0");
    for (unsigned round = 0; round < 2; round++) {
        uplinks_time(lab, SEC);
        for (uint64_t conn = 1; conn <= count; conn++)
            lab_silent(lab, conn);
    }
    lab_skip(lab);
}

static void silent_for_everybody(void **state)
{
    struct lab *lab = *state;

    silent_for(lab, 5);
    uplinks_dead(lab, 1);
    expect_choice(lab, 1, VERDICT_NO_TARGET, "",
                  "nothing was heard from any of 5 peers on home; not fibre: no-carrier; "
                  "not sat: no-carrier; not lte: no-carrier");
    expect_no_move(lab);
    lab_fresh(lab, 3, 30 * MS);
    lab_skip(lab);
    uplinks_dead(lab, 1);
    expect_move_over(lab, 1, ""); /* another one lives: a new port may help */
}

static void silent_for_a_few(void **state)
{
    struct lab *lab = *state;

    silent_for(lab, 4);
    uplinks_dead(lab, 1);
    expect_move_over(lab, 1, "");
}

static void silent_for_everybody_until_another_comes(void **state)
{
    struct lab *lab = *state;

    silent_for(lab, 5);
    uplinks_dead(lab, 1);
    expect_no_move(lab);
    uplinks_host(lab, "up2 wwan0");
    expect_move_over(lab, 1, "up1");
}

/* ---- degraded ---- */

static void slow(struct lab *lab, uint64_t conn, uint64_t rtt_us)
{
    lab_fresh(lab, conn, rtt_us);
    lab_skip(lab);
    lab_advise(lab, conn, PD_KIND_DEGRADED);
}

static void faster_by_a_fifth(void **state)
{
    struct lab *lab = *state;

    uplinks_peer(lab, 2, ON_SAT); /* 50 ms */
    slow(lab, 1, 62400);
    expect_move_over(lab, 1, "");
    uplinks_peer(lab, 3, ON_HOME);
    slow(lab, 3, 62600);
    expect_choice(lab, 3, VERDICT_MIGRATE, "sat", "sat: spare, faster");
    expect_move_over(lab, 3, "up2");
}

static void degraded_never_to_a_metered_one(void **state)
{
    struct lab *lab = *state;

    uplinks_peer(lab, 2, ON_LTE);
    slow(lab, 1, 900 * MS);
    expect_choice(lab, 1, VERDICT_MIGRATE, "", "");
    expect_move_over(lab, 1, "");
}

static void degraded_not_where_nothing_is_measured(void **state)
{
    struct lab *lab = *state;

    slow(lab, 1, 900 * MS);
    expect_move_over(lab, 1, "");
}

static void degraded_not_among_the_learned(void **state)
{
    struct lab *lab = *state;

    uplinks_peer(lab, 2, ON_SAT);
    slow(lab, 1, 900 * MS);
    expect_move_over(lab, 1, "");
    uplinks_peer(lab, 3, ON_HOME);
    lab_skip(lab);
    uplinks_dead(lab, 3); /* but dead is */
    expect_choice(lab, 3, VERDICT_MIGRATE, "up2", "up2: spare, lives");
}

/* ---- moved ---- */

static void where_the_kernel_leads(void **state)
{
    struct lab *lab = *state;

    uplinks_led(lab, 1, "up2");
    expect_choice(lab, 1, VERDICT_MIGRATE, "sat", "sat: spare, the route leads there");
    expect_move_over(lab, 1, "up2");
}

static void stays_where_the_kernel_leads_into_a_penalty(void **state)
{
    struct lab *lab = *state;

    uplinks_dead(lab, 1);
    lab_answer_error(lab, expect_move_over(lab, 1, "up1"), NODE_NO_PATH);
    uplinks_time(lab, SEC);
    uplinks_peer(lab, 2, ON_HOME); /* it is heard there */
    lab_skip(lab);
    uplinks_led(lab, 2, "up1");
    expect_choice(lab, 2, VERDICT_MIGRATE, "home",
                  "home: primary, it still lives; not fibre: in penalty");
    expect_move_over(lab, 2, "up0");
}

static void moved_off_one_that_went(void **state)
{
    struct lab *lab = *state;

    uplinks_host(lab, "up0");
    uplinks_hold(lab, "fibre", 0);
    lab_skip(lab);
    uplinks_led(lab, 1, "up1");
    expect_choice(lab, 1, VERDICT_MIGRATE, "sat", "sat: spare; not fibre: held");
}

/* Over a tunnel, or nothing told: that is the routes' business. */
static void where_no_uplink_is_nothing_is_named(void **state)
{
    struct lab *lab = *state;

    uplinks_led(lab, 1, "tun7");
    expect_choice(lab, 1, VERDICT_MIGRATE, "", "");
    expect_move_over(lab, 1, "");
    uplinks_peer(lab, 2, ON_HOME);
    lab_advise(lab, 2, PD_KIND_MOVED);
    expect_move_over(lab, 2, "");
}

/* ---- where there is nothing to choose ---- */

static void nothing_is_named(struct lab *lab)
{
    lab_skip(lab);
    uplinks_peer(lab, 2, ON_SAT);
    uplinks_dead(lab, 1);
    expect_choice(lab, 1, VERDICT_MIGRATE, "", "");
    expect_move_over(lab, 1, "");
}

static void not_by_a_node_that_cannot_bind(void **state)
{
    struct lab *lab = *state;

    lab_node_down(lab);
    lab->features = NODE_RECONNECT;
    lab_node_up(lab, "other");
    assert_non_null(lab_notice(lab, "no-bind"));
    uplinks_peer(lab, 1, ON_HOME);
    lab_snapshot(lab);
    nothing_is_named(lab);
}

static void not_where_the_operator_says_no(void **state)
{
    struct lab *lab = *state;

    lab->config.choose = false;
    uplinks_config(lab);
    nothing_is_named(lab);
}

static void not_with_one_uplink(void **state)
{
    struct lab *lab = *state;

    lab->config.n_uplinks = 1;
    uplinks_config(lab);
    nothing_is_named(lab);
}

static void not_where_the_connection_uses_none(void **state)
{
    struct lab *lab = *state;

    uplinks_peer(lab, 2, "10.77.0.1:9");
    uplinks_dead(lab, 2);
    expect_move_over(lab, 2, "");
}

/* ---- what the peer opened follows ---- */

/* Of home, and of the connection 1 on it, at times; fibre lives. */
static void who_follows(void **state)
{
    static const struct {
        bool suspect;
        uint64_t left_us, heard_us, progress_us;
        bool follows;
    } cases[] = {
        /* nobody was heard since the others left */
        {true, 7, 7, 5, true},
        {true, 7, 5, 3, true},
        {false, 7, 5, 3, false},
        /* nor since this one was, though others were after some had left */
        {true, 3, 7, 7, true},
        {true, 3, 7, 9, true},
        {true, 3, 7, 6, false},
        {false, 3, 7, 7, false},
    };
    struct lab *lab = *state;
    struct uplink *home = uplinks_get(lab, "home"), *fibre = uplinks_get(lab, "fibre");
    struct peer *peer = lab_peer(lab, 1);
    const struct choice choice = {.from = uplink_place(lab->engine, home),
                                  .to = uplink_place(lab->engine, fibre)},
                        still = {.from = choice.from, .to = choice.from},
                        nowhere = {.from = choice.from}, unknown = {.to = choice.to};

    evidence_heard(fibre, lab->engine->now_us);
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        home->is.suspect = cases[i].suspect;
        home->is.left_us = cases[i].left_us;
        home->is.heard_us = cases[i].heard_us;
        peer->progress_us = cases[i].progress_us;
        if (choose_follows(lab->engine, peer, &choice) != cases[i].follows)
            fail_msg("case %zu", i);
        assert_false(choose_follows(lab->engine, peer, &still));
        assert_false(choose_follows(lab->engine, peer, &nowhere));
        assert_false(choose_follows(lab->engine, peer, &unknown));
    }
    home->is.suspect = true;
    peer->progress_us = 7;
    assert_true(choose_follows(lab->engine, peer, &choice));
    uplinks_time(lab, 10 * SEC); /* fibre is not known to live any more */
    assert_false(choose_follows(lab->engine, peer, &choice));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UPLINKS_TEST(primary_before_spare),
        UPLINKS_TEST(file_order_among_equals),
        UPLINKS_TEST(living_before_unknown),
        UPLINKS_TEST(old_news_is_none),
        UPLINKS_TEST(the_fastest_of_the_living),
        UPLINKS_TEST(metered_is_the_last),
        UPLINKS_TEST(no_new_port_behind_a_gateway_that_fails),
        UPLINKS_TEST(another_uplink_where_a_gateway_fails),
        UPLINKS_TEST(a_retry_where_a_gateway_fails),
        UPLINKS_TEST(metered_where_nothing_else_can_be_used),
        UPLINKS_TEST(not_one_that_is_held),
        UPLINKS_TEST(not_one_in_penalty),
        UPLINKS_PROBE_TEST(one_in_penalty_that_answers),
        UPLINKS_TEST(not_one_that_others_left),
        UPLINKS_TEST(not_one_without_the_family),
        UPLINKS_PROBE_TEST(not_one_that_did_not_answer),
        UPLINKS_PROBE_TEST(none_is_asked_where_it_has_to_leave),
        UPLINKS_TEST(an_attempt_that_failed_goes_elsewhere),
        UPLINKS_TEST(none_is_left),
        UPLINKS_TEST(silent_for_everybody),
        UPLINKS_TEST(silent_for_a_few),
        UPLINKS_TEST(silent_for_everybody_until_another_comes),
        UPLINKS_TEST(faster_by_a_fifth),
        UPLINKS_TEST(degraded_never_to_a_metered_one),
        UPLINKS_TEST(degraded_not_where_nothing_is_measured),
        UPLINKS_LEARNED_TEST(degraded_not_among_the_learned),
        UPLINKS_TEST(where_the_kernel_leads),
        UPLINKS_TEST(stays_where_the_kernel_leads_into_a_penalty),
        UPLINKS_TEST(moved_off_one_that_went),
        UPLINKS_TEST(where_no_uplink_is_nothing_is_named),
        UPLINKS_TEST(not_by_a_node_that_cannot_bind),
        UPLINKS_TEST(not_where_the_operator_says_no),
        UPLINKS_TEST(not_with_one_uplink),
        UPLINKS_TEST(not_where_the_connection_uses_none),
        UPLINKS_TEST(who_follows),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
