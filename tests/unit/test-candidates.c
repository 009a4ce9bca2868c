/* SPDX-License-Identifier: Apache-2.0 */
/* engine/uplinks/candidates.[ch]: what speaks against an uplink, and the order of the others. */
#include "uplinks-lab.h"

#include "engine/base/text.h"
#include "engine/uplinks/candidates.h"

/* A connection on home is to go elsewhere. */
struct question {
    struct reason reason;
    struct choosing choosing;
};

static struct choosing *ask(struct lab *lab, struct question *question, enum reason_by by)
{
    *question = (struct question){.reason = {.kind = PD_KIND_DEAD, .by = by}};
    question->choosing = (struct choosing){
        .engine = lab->engine,
        .reason = &question->reason,
        .from = uplinks_get(lab, "home"),
        .family = 4,
    };
    return &question->choosing;
}

static void failed(struct lab *lab, const char *name, uint64_t at_us)
{
    uplinks_get(lab, name)->is.penalty[0] = (struct penalty){.left_us = 8 * SEC, .at_us = at_us};
}

static uint64_t bit_of(struct lab *lab, const char *name)
{
    return UINT64_C(1) << (uplink_place(lab->engine, uplinks_get(lab, name)) - 1);
}

/* Some were left, one was asked: the last of both counts. */
static void the_one_tried_longest_ago(void **state)
{
    struct lab *lab = *state;
    struct question question;
    const struct choosing *choosing = ask(lab, &question, REASON_BY_RULE);

    uplinks_get(lab, "fibre")->is.left_us = 1;
    uplinks_get(lab, "fibre")->is.asked_us = 9;
    uplinks_get(lab, "sat")->is.left_us = 5;
    uplinks_get(lab, "lte")->is.left_us = 7;
    assert_ptr_equal(candidates_least_doubtful(choosing), uplinks_get(lab, "sat"));
    uplinks_get(lab, "sat")->is.asked_us = 8;
    assert_ptr_equal(candidates_least_doubtful(choosing), uplinks_get(lab, "lte"));
    failed(lab, "lte", lab->now_us);
    assert_ptr_equal(candidates_least_doubtful(choosing), uplinks_get(lab, "sat"));
}

/* In penalty, and heard after that; not before it. */
static void one_that_answered_after_it_failed(void **state)
{
    struct lab *lab = *state;
    struct question question;
    struct choosing *choosing = ask(lab, &question, REASON_BY_RULE);

    failed(lab, "fibre", lab->now_us);
    uplinks_get(lab, "fibre")->is.heard_us = lab->now_us;
    assert_null(candidates_answered(choosing));
    uplinks_get(lab, "fibre")->is.penalty[0].at_us--;
    assert_ptr_equal(candidates_answered(choosing), uplinks_get(lab, "fibre"));
    assert_string_equal(candidate_objection(choosing, uplinks_get(lab, "fibre")), "in penalty");
    choosing->tried = uplinks_get(lab, "fibre");
    assert_null(candidates_answered(choosing));
}

/* A new connection can be dialled over the uplink of the one that is closed; a migration to where
 * it is changes nothing. */
static void only_a_reconnect_comes_to_where_it_was(void **state)
{
    struct lab *lab = *state;
    struct question question;
    unsigned count;

    uplinks_time(lab, SEC); /* after it came up */
    uplinks_get(lab, "home")->is.heard_us = lab->now_us;
    assert_null(candidates_answered(ask(lab, &question, REASON_BY_RULE)));
    assert_ptr_equal(candidates_answered(ask(lab, &question, REASON_BY_RECONNECT)),
                     uplinks_get(lab, "home"));
    uplinks_get(lab, "home")->is.heard_us = 0;
    assert_false(candidates_to_ask(ask(lab, &question, REASON_BY_RULE), true, &count) &
                 bit_of(lab, "home"));
    assert_true(candidates_to_ask(ask(lab, &question, REASON_BY_RECONNECT), true, &count) &
                bit_of(lab, "home"));
    assert_int_equal(count, 4);
}

static void others_are_those_that_can_be_used(void **state)
{
    struct lab *lab = *state;
    struct question question;

    uplinks_host(lab, "up1 up2 wwan0");
    assert_false(candidates_others(ask(lab, &question, REASON_BY_RULE)));
    uplinks_host(lab, "up1 up2");
    assert_true(candidates_others(ask(lab, &question, REASON_BY_RULE)));
}

/* It is known already of those that live; they count all the same. */
static void those_that_live_are_not_asked(void **state)
{
    struct lab *lab = *state;
    struct question question;
    const struct choosing *choosing = ask(lab, &question, REASON_BY_RULE);
    unsigned count;

    uplinks_get(lab, "lte")->is.heard_us = lab->now_us;
    assert_int_equal(candidates_to_ask(choosing, false, &count),
                     bit_of(lab, "fibre") | bit_of(lab, "sat"));
    assert_int_equal(count, 3);
    failed(lab, "sat", lab->now_us);
    assert_int_equal(candidates_to_ask(choosing, false, &count), bit_of(lab, "fibre"));
    assert_int_equal(count, 2);
    assert_int_equal(candidates_to_ask(choosing, true, &count),
                     bit_of(lab, "fibre") | bit_of(lab, "sat"));
    assert_int_equal(count, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        UPLINKS_TEST(the_one_tried_longest_ago),
        UPLINKS_TEST(one_that_answered_after_it_failed),
        UPLINKS_TEST(only_a_reconnect_comes_to_where_it_was),
        UPLINKS_TEST(others_are_those_that_can_be_used),
        UPLINKS_TEST(those_that_live_are_not_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
