/* SPDX-License-Identifier: Apache-2.0 */
/* Notices: each kind once, then once a minute with its count. */
#include "engine-lab.h"

static void see(struct lab *lab, enum pd_level level, const char *what, uint64_t count)
{
    lab_event(lab, &(struct event){
                       .type = EVENT_NOTICE,
                       .notice = {.level = level, .what = what, .text = "text", .count = count},
                   });
}

static void once_a_minute(void **state)
{
    struct lab *lab = *state;

    see(lab, PD_LEVEL_WARNING, "bad-row", 3);
    assert_int_equal(lab_notice(lab, "bad-row")->count, 3);
    see(lab, PD_LEVEL_WARNING, "bad-row", 2);
    see(lab, PD_LEVEL_WARNING, "bad-row", 5);
    lab_time(lab, MIN - 1);
    assert_null(lab_notice(lab, "bad-row"));
    lab_time(lab, 1);
    assert_int_equal(lab_notice(lab, "bad-row")->count, 7);
    lab_time(lab, 5 * MIN);
    assert_null(lab_notice(lab, "bad-row"));
    see(lab, PD_LEVEL_WARNING, "bad-row", 1);
    assert_int_equal(lab_notice(lab, "bad-row")->count, 1);
}

static void kinds_are_apart(void **state)
{
    struct lab *lab = *state;

    see(lab, PD_LEVEL_WARNING, "bad-row", 1);
    see(lab, PD_LEVEL_INFO, "bad-peer", 1);
    assert_non_null(lab_notice(lab, "bad-row"));
    assert_int_equal(lab_notice(lab, "bad-peer")->level, PD_LEVEL_INFO);
}

static void the_rest_at_stop(void **state)
{
    struct lab *lab = *state;

    see(lab, PD_LEVEL_WARNING, "bad-row", 1);
    see(lab, PD_LEVEL_WARNING, "bad-row", 4);
    lab_skip(lab);
    lab_stop(lab);
    assert_int_equal(lab_notice(lab, "bad-row")->count, 4);
}

/* However many kinds somebody makes up, the table is bounded and all are counted. */
static void too_many_kinds(void **state)
{
    struct lab *lab = *state;
    const struct record *record;
    uint64_t count = 0;
    bool more = false;

    for (unsigned i = 0; i < 500; i++) {
        char what[16];

        snprintf(what, sizeof(what), "kind-%u", i);
        see(lab, PD_LEVEL_WARNING, what, 1);
    }
    lab_stop(lab);
    while ((record = lab_next(lab, RECORD_NOTICE))) {
        count += record->notice.count;
        more |= strcmp(record->notice.what->s, "more") == 0;
    }
    assert_int_equal(count, 500);
    assert_true(more);
    assert_int_equal(lab->engine->notices.count, 64);
}

static void of_a_trigger(void **state)
{
    struct lab *lab = *state;

    lab_step(lab, POKE_NOTICE, 0)->text = "said";
    lab_step(lab, POKE_NOTICE, 0)->text = NULL;
    lab_signal(lab);
    assert_string_equal(lab_notice(lab, "poke")->text->s, "poke: said");
    assert_null(lab_notice(lab, "poke"));
    /* the same kind of somebody else is another */
    see(lab, PD_LEVEL_WARNING, "poke", 1);
    assert_string_equal(lab_notice(lab, "poke")->text->s, "text");
}

static void what_operators_did_is_said_each_time(void **state)
{
    static const char *const kinds[] = {"reloaded", "restart-needed", "hold",
                                        "release",  "mode",           "exec-stderr"};
    struct lab *lab = *state;

    for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
        for (unsigned k = 0; k < 3; k++) {
            see(lab, PD_LEVEL_NOTICE, kinds[i], 1);
            assert_int_equal(lab_notice(lab, kinds[i])->count, 1);
        }
    }
    lab_time(lab, 2 * MIN);
    lab_stop(lab);
    assert_null(lab_notice(lab, "reloaded"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(once_a_minute),    LAB_TEST(kinds_are_apart),
        LAB_TEST(the_rest_at_stop), LAB_TEST(too_many_kinds),
        LAB_TEST(of_a_trigger),     LAB_TEST(what_operators_did_is_said_each_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
