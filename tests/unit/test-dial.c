/* SPDX-License-Identifier: Apache-2.0 */
/* engine/liveness/dial.[ch]: does anything say that a new connection can work, and how long is it
 * waited for that. */
#include "engine/liveness/dial.h"
#include "engine/uplinks/evidence.h"
#include "uplinks-lab.h"

static enum dial judged(struct lab *lab, uint64_t conn)
{
    return dial_judge(lab->engine, lab_peer(lab, conn));
}

/* Of the connection 17; -1: never. */
static int64_t after_us(struct lab *lab, enum dial dial)
{
    uint64_t after = dial_after_us(lab->engine, lab_peer(lab, 17), dial);

    return after == NEVER ? -1 : (int64_t)after;
}

/* One of that role, without an answer to what it sent, advised so. */
static void advised(struct lab *lab, enum pd_role role, const struct pd_advice *advice)
{
    lab_peer_up_role(lab, "a", 17, role);
    lab_fresh(lab, 17, 50 * MS);
    lab_advise_full(lab, 17, advice);
    lab_time(lab, MS);
    lab_silent(lab, 17);
}

static const struct pd_field unreachable[] = {{.name = "oif_before", .text = "up0"},
                                              {.name = "proof", .text = "unreachable"}};
static const struct pd_field silent[] = {{.name = "proof", .text = "silent"}};
static const struct pd_field number[] = {{.name = "proof", .number = 1}};
static const struct pd_field other[] = {{.name = "oif_before", .text = "unreachable"}};

static const struct pd_advice dead = {.kind = PD_KIND_DEAD, .reason = "dead"};
static const struct pd_advice moved = {.kind = PD_KIND_MOVED, .reason = "moved"};
static const struct pd_advice lost = {.kind = PD_KIND_MOVED, .reason = "lost", .no_target = true};
static const struct pd_advice gone = {
    .kind = PD_KIND_MOVED,
    .reason = "gone",
    .evidence = unreachable,
    .n_evidence = ARRAY_SIZE(unreachable),
};

/* ---- why ---- */

static void a_change_of_the_route_is_a_sign(void **state)
{
    struct lab *lab = *state;

    advised(lab, PD_ROLE_CLIENT, &moved);
    assert_int_equal(judged(lab, 17), DIAL_SIGN);
}

static void dead_alone_is_none(void **state)
{
    struct lab *lab = *state;

    advised(lab, PD_ROLE_CLIENT, &dead);
    assert_int_equal(judged(lab, 17), DIAL_BLIND);
}

static void nothing_without_a_way_out(void **state)
{
    struct lab *lab = *state;

    advised(lab, PD_ROLE_CLIENT, &gone);
    lab_answer_ok(lab, expect_migrate(lab, 17));
    lab_advise_full(lab, 17, &lost);
    assert_int_equal(judged(lab, 17), DIAL_NEVER);
    lab_advise_full(lab, 17, &dead); /* that says nothing of the route */
    assert_int_equal(judged(lab, 17), DIAL_NEVER);
    lab_row(lab, 17, "in_flight=0"); /* nor that it is idle */
    assert_int_equal(judged(lab, 17), DIAL_NEVER);
    lab_advise_full(lab, 17, &moved);
    lab_silent(lab, 17);
    assert_int_equal(judged(lab, 17), DIAL_SIGN);
}

/* An inbound one, too: the way back is the same. */
static void inbound_without_a_way_out(void **state)
{
    struct lab *lab = *state;

    advised(lab, PD_ROLE_SERVER, &lost);
    assert_int_equal(judged(lab, 17), DIAL_NEVER);
    lab_advise_full(lab, 17, &gone);
    assert_int_equal(judged(lab, 17), DIAL_GONE);
    lab_advise_full(lab, 17, &lost);
    assert_int_equal(judged(lab, 17), DIAL_NEVER);
}

static void only_a_keep_alive_waits(void **state)
{
    struct lab *lab = *state;

    advised(lab, PD_ROLE_CLIENT, &moved);
    lab_row(lab, 17, "srtt=50000 samples=1 unacked=0");
    assert_int_equal(judged(lab, 17), DIAL_IDLE);
    lab_row(lab, 17, "srtt=50000 samples=1 unacked=1");
    assert_int_equal(judged(lab, 17), DIAL_SIGN);
}

/* Before the first row it is taken for one that sends. */
static void no_row_yet(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    lab_advise(lab, 17, PD_KIND_DEAD);
    assert_int_equal(judged(lab, 17), DIAL_BLIND);
}

/* The kernel has proven that nothing can arrive: only what cannot migrate is dialled for that. */
static void unreachable_and_cannot_migrate(void **state)
{
    struct lab *lab = *state;

    advised(lab, PD_ROLE_CLIENT, &gone);
    assert_int_equal(judged(lab, 17), DIAL_SIGN);
    lab_answer_error(lab, expect_migrate(lab, 17), NODE_PEER_DISABLE_MIGRATION);
    assert_int_equal(judged(lab, 17), DIAL_GONE);
    lab_row(lab, 17, "srtt=50000 samples=1 unacked=0"); /* an idle one, too */
    assert_int_equal(judged(lab, 17), DIAL_GONE);
}

static void unreachable_and_inbound(void **state)
{
    struct lab *lab = *state;

    advised(lab, PD_ROLE_SERVER, &gone);
    assert_int_equal(judged(lab, 17), DIAL_GONE);
    lab_advise_full(lab, 17, &dead);
    assert_int_equal(judged(lab, 17), DIAL_GONE);
    lab_advise_full(lab, 17, &moved); /* another change: that proves nothing of the kind */
    assert_int_equal(judged(lab, 17), DIAL_SIGN);
}

/* Without carrier: what can migrate may leave another way. What cannot is dialled. */
static void no_carrier_and_cannot_migrate(void **state)
{
    static const struct pd_field proof = {.name = "proof", .text = "no-carrier"};
    struct lab *lab = *state;

    advised(lab, PD_ROLE_CLIENT,
            &(struct pd_advice){
                .kind = PD_KIND_MOVED, .reason = "cut", .evidence = &proof, .n_evidence = 1});
    assert_int_equal(judged(lab, 17), DIAL_SIGN);
    lab_answer_error(lab, expect_migrate(lab, 17), NODE_PEER_DISABLE_MIGRATION);
    assert_int_equal(judged(lab, 17), DIAL_GONE);
    lab_advise_full(lab, 17, &moved);
    assert_int_equal(judged(lab, 17), DIAL_SIGN);
}

static void another_proof_is_not_unreachable(void **state)
{
    const struct pd_advice others[] = {
        {.kind = PD_KIND_MOVED, .reason = "x", .evidence = silent, .n_evidence = 1},
        {.kind = PD_KIND_MOVED, .reason = "x", .evidence = number, .n_evidence = 1},
        {.kind = PD_KIND_MOVED, .reason = "x", .evidence = other, .n_evidence = 1},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
        struct lab lab;

        lab_init(&lab);
        lab_begin(&lab);
        advised(&lab, PD_ROLE_SERVER, &others[i]);
        assert_int_equal(judged(&lab, 17), DIAL_SIGN);
        lab_end(&lab);
    }
}

/* ---- others that live ---- */

/* Another connection has something acknowledged: at that time, within twice fallback_after, and
 * after the last progress of this one. */
static void another_one_lives(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "z", 99);
    advised(lab, PD_ROLE_CLIENT, &dead);
    lab_time(lab, 10 * SEC);
    assert_int_equal(judged(lab, 17), DIAL_BLIND);
    lab_fresh(lab, 99, 50 * MS);
    assert_int_equal(judged(lab, 17), DIAL_SIGN);
    lab_time(lab, 6 * SEC - 1);
    lab_silent(lab, 17);
    assert_int_equal(judged(lab, 17), DIAL_SIGN);
    lab_time(lab, 1);
    lab_silent(lab, 17);
    assert_int_equal(judged(lab, 17), DIAL_BLIND);
}

static void another_one_that_lived_before(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "z", 99);
    lab_fresh(lab, 99, 50 * MS);
    advised(lab, PD_ROLE_CLIENT, &dead); /* its last progress is of the same moment */
    assert_int_equal(judged(lab, 17), DIAL_BLIND);
    lab_fresh(lab, 99, 50 * MS);
    assert_int_equal(judged(lab, 17), DIAL_SIGN);
}

/* Packets that arrive do not prove that ours do. */
static void another_one_that_is_heard(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "z", 99);
    lab_row(lab, 99, "srtt=50000 samples=1 received=1");
    lab_time(lab, SEC);
    advised(lab, PD_ROLE_CLIENT, &dead);
    lab_time(lab, SEC);
    lab_row(lab, 99, "srtt=50000 samples=1 received=2");
    assert_int_equal(judged(lab, 17), DIAL_BLIND);
}

/* Its own small packets are acknowledged, and its data is not: so it would be on a new one. */
static void starve(struct lab *lab, uint64_t conn)
{
    lab_row(lab, conn, "srtt=50000 samples=100 acked=1 unacked=1");
    lab_advise(lab, conn, PD_KIND_DEAD);
    for (unsigned i = 101; i < 110; i++) {
        char row[64];

        uplinks_time(lab, SEC);
        snprintf(row, sizeof(row), "srtt=50000 samples=%u acked=1 unacked=9000", i);
        lab_row(lab, conn, row);
    }
    assert_true(lab->poke.sample.starved);
    assert_true(lab->poke.sample.acknowledged);
}

static void a_starved_one_is_no_sign(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 17);
    starve(lab, 17);
    assert_int_equal(judged(lab, 17), DIAL_BLIND);
}

/* ---- the same, with uplinks: the connection 1 is on home ---- */

static void dead_on_home(struct lab *lab)
{
    uplinks_time(lab, 20 * SEC);
    lab_silent(lab, 1);
    uplinks_dead(lab, 1);
}

static void another_uplink_lives(void **state)
{
    struct lab *lab = *state;

    uplinks_peer(lab, 2, ON_SAT);
    dead_on_home(lab);
    assert_int_equal(judged(lab, 1), DIAL_BLIND);
    lab_fresh(lab, 2, 50 * MS);
    assert_int_equal(judged(lab, 1), DIAL_SIGN);
    uplinks_time(lab, 6 * SEC - 1);
    assert_int_equal(judged(lab, 1), DIAL_SIGN);
    uplinks_time(lab, 1);
    assert_int_equal(judged(lab, 1), DIAL_BLIND);
}

/* Its own as well: then it is the path beyond, or the peer. */
static void its_uplink_lives(void **state)
{
    struct lab *lab = *state;

    uplinks_peer(lab, 2, ON_HOME);
    dead_on_home(lab);
    assert_int_equal(judged(lab, 1), DIAL_BLIND);
    lab_fresh(lab, 2, 50 * MS);
    assert_int_equal(judged(lab, 1), DIAL_SIGN);
}

/* What lived and is down now carries no new connection. */
static void an_uplink_that_is_down(void **state)
{
    struct lab *lab = *state;

    uplinks_peer(lab, 2, ON_SAT);
    dead_on_home(lab);
    lab_fresh(lab, 2, 50 * MS);
    uplinks_host(lab, "up2");
    assert_int_equal(judged(lab, 1), DIAL_BLIND);
    uplinks_host(lab, "");
    assert_int_equal(judged(lab, 1), DIAL_SIGN);
}

/* An uplink that was heard before the last progress says nothing of the time since. */
static void an_uplink_that_was_heard_before(void **state)
{
    struct lab *lab = *state;

    uplinks_time(lab, 20 * SEC);
    uplinks_peer(lab, 2, ON_SAT);
    lab_fresh(lab, 1, 50 * MS);
    uplinks_dead(lab, 1);
    uplinks_time(lab, SEC);
    lab_silent(lab, 1);
    assert_int_equal(judged(lab, 1), DIAL_BLIND);
    uplinks_get(lab, "sat")->is.heard_us = lab_peer(lab, 1)->progress_us + 1;
    assert_int_equal(judged(lab, 1), DIAL_SIGN);
}

static void a_starved_one_on_an_uplink(void **state)
{
    struct lab *lab = *state;
    uint64_t heard_us;

    starve(lab, 1);
    assert_int_equal(judged(lab, 1), DIAL_BLIND);
    heard_us = uplinks_get(lab, "home")->is.heard_us;
    assert_in_range(lab->engine->now_us - heard_us, 8 * SEC,
                    9 * SEC); /* before what waits was sent */
}

/* One whose uplink is not known may be anywhere; the uplink of this one is. */
static void another_one_on_no_known_uplink(void **state)
{
    struct lab *lab = *state;

    uplinks_peer(lab, 2, "10.0.9.9:9001");
    uplinks_peer(lab, 3, "10.0.9.9:9002");
    dead_on_home(lab);
    lab_silent(lab, 3);
    uplinks_dead(lab, 3);
    lab_fresh(lab, 2, 50 * MS);
    assert_int_equal(judged(lab, 1), DIAL_BLIND);
    assert_int_equal(judged(lab, 3), DIAL_SIGN);
    uplinks_time(lab, 6 * SEC);
    assert_int_equal(judged(lab, 3), DIAL_BLIND);
    evidence_heard(uplinks_get(lab, "lte"), lab->engine->now_us);
    assert_int_equal(judged(lab, 3), DIAL_SIGN);
}

/* ---- how long ---- */

static void times(void **state)
{
    struct lab *lab = *state;

    advised(lab, PD_ROLE_CLIENT, &moved);
    assert_int_equal(after_us(lab, DIAL_GONE), 50 * MS);
    assert_int_equal(after_us(lab, DIAL_SIGN), 3 * SEC);
    assert_int_equal(after_us(lab, DIAL_BLIND), 20 * SEC);
    assert_int_equal(after_us(lab, DIAL_IDLE), 30 * SEC);
    assert_int_equal(after_us(lab, DIAL_NEVER), -1);
    lab->config.fallback_blind_us = 3 * SEC - 1; /* fallback_after is the least */
    assert_int_equal(after_us(lab, DIAL_BLIND), 3 * SEC);
    lab->config.fallback_after_us = 31 * SEC;
    assert_int_equal(after_us(lab, DIAL_GONE), 50 * MS);
    assert_int_equal(after_us(lab, DIAL_SIGN), 31 * SEC);
    assert_int_equal(after_us(lab, DIAL_IDLE), 31 * SEC);
}

/* Both ends may have a pathdog. Of a change of this end's network only this one knows. */
static void twice_for_what_the_peer_opened(void **state)
{
    struct lab *lab = *state;

    advised(lab, PD_ROLE_SERVER, &dead);
    assert_int_equal(after_us(lab, DIAL_SIGN), 6 * SEC);
    assert_int_equal(after_us(lab, DIAL_GONE), 50 * MS);
    assert_int_equal(after_us(lab, DIAL_BLIND), 20 * SEC);
    assert_int_equal(after_us(lab, DIAL_IDLE), 30 * SEC);
    lab_advise_full(lab, 17, &moved); /* it cannot be tried elsewhere but by a dial: once */
    assert_int_equal(after_us(lab, DIAL_SIGN), SEC);
    lab->config.fallback_after_us = 999 * MS;
    assert_int_equal(after_us(lab, DIAL_SIGN), 999 * MS);
    lab->config.fallback_after_us = 3 * SEC;
    lab_peer(lab, 17)->moves->watch.untried = false;
    assert_int_equal(after_us(lab, DIAL_SIGN), 3 * SEC);
    lab_advise_full(lab, 17, &lost);
    assert_int_equal(after_us(lab, DIAL_SIGN), 6 * SEC);
}

/* Where nothing else is heard over its uplink either, a new connection does not work better. */
static void idle_on_an_uplink(void **state)
{
    struct lab *lab = *state;
    const struct peer *peer = lab_peer(lab, 1);

    uplinks_peer(lab, 2, ON_HOME);
    uplinks_peer(lab, 3, ON_SAT);
    dead_on_home(lab);
    lab_fresh(lab, 3, 50 * MS);
    assert_true(dial_after_us(lab->engine, peer, DIAL_IDLE) == NEVER);
    uplinks_time(lab, MS); /* it has left by now */
    lab_fresh(lab, 2, 50 * MS);
    assert_int_equal(dial_after_us(lab->engine, peer, DIAL_IDLE), 30 * SEC);
    uplinks_time(lab, 10 * SEC - 1); /* two rounds */
    assert_int_equal(dial_after_us(lab->engine, peer, DIAL_IDLE), 30 * SEC);
    uplinks_time(lab, 1);
    assert_true(dial_after_us(lab->engine, peer, DIAL_IDLE) == NEVER);
}

/* Where its uplink is not known, or there is one only: over any. */
static void idle_on_no_known_uplink(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "z", 99);
    advised(lab, PD_ROLE_CLIENT, &dead);
    lab_time(lab, 20 * SEC);
    assert_int_equal(after_us(lab, DIAL_IDLE), -1);
    lab_fresh(lab, 99, 50 * MS);
    assert_int_equal(after_us(lab, DIAL_IDLE), 30 * SEC);
    uplinks_time(lab, 10 * SEC - 1);
    assert_int_equal(after_us(lab, DIAL_IDLE), 30 * SEC);
    uplinks_time(lab, 1);
    assert_int_equal(after_us(lab, DIAL_IDLE), -1);
}

/* Nothing was ever acknowledged; and the clock has just begun. */
static void idle_at_first(void **state)
{
    struct lab lab;

    (void)state;
    lab_init(&lab);
    lab.now_us = SEC;
    lab_begin(&lab);
    lab_peer_up(&lab, "a", 17);
    assert_int_equal(after_us(&lab, DIAL_IDLE), -1);
    lab_fresh(&lab, 17, 50 * MS);
    assert_int_equal(after_us(&lab, DIAL_IDLE), 30 * SEC);
    lab_end(&lab);
}

static void rows(void **state)
{
    (void)state;
    assert_int_equal(dial_rows(DIAL_GONE), 1);
    assert_int_equal(dial_rows(DIAL_SIGN), 3);
    assert_int_equal(dial_rows(DIAL_BLIND), 3);
    assert_int_equal(dial_rows(DIAL_IDLE), 3);
}

static void words(void **state)
{
    (void)state;
    assert_string_equal(dial_name(DIAL_GONE), "unreachable");
    assert_string_equal(dial_name(DIAL_SIGN), "sign");
    assert_string_equal(dial_name(DIAL_BLIND), "blind");
    assert_string_equal(dial_name(DIAL_IDLE), "idle");
    assert_string_equal(dial_name(DIAL_NEVER), "never");
    for (enum dial dial = DIAL_GONE; dial < DIAL_NEVER; dial++)
        assert_string_not_equal(dial_text(dial), dial_text(dial + 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(a_change_of_the_route_is_a_sign),
        LAB_TEST(dead_alone_is_none),
        LAB_TEST(nothing_without_a_way_out),
        LAB_TEST(inbound_without_a_way_out),
        LAB_TEST(only_a_keep_alive_waits),
        LAB_TEST(no_row_yet),
        LAB_TEST(unreachable_and_cannot_migrate),
        LAB_TEST(unreachable_and_inbound),
        LAB_TEST(no_carrier_and_cannot_migrate),
        cmocka_unit_test(another_proof_is_not_unreachable),
        LAB_TEST(another_one_lives),
        LAB_TEST(another_one_that_lived_before),
        LAB_TEST(another_one_that_is_heard),
        LAB_TEST(a_starved_one_is_no_sign),
        UPLINKS_TEST(another_uplink_lives),
        UPLINKS_TEST(its_uplink_lives),
        UPLINKS_TEST(an_uplink_that_is_down),
        UPLINKS_TEST(an_uplink_that_was_heard_before),
        UPLINKS_TEST(a_starved_one_on_an_uplink),
        UPLINKS_TEST(another_one_on_no_known_uplink),
        LAB_TEST(times),
        LAB_TEST(twice_for_what_the_peer_opened),
        UPLINKS_TEST(idle_on_an_uplink),
        LAB_TEST(idle_on_no_known_uplink),
        cmocka_unit_test(idle_at_first),
        cmocka_unit_test(rows),
        cmocka_unit_test(words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
