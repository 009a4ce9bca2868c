/* SPDX-License-Identifier: Apache-2.0 */
/* ctl/deeds.c: which decisions are shown, and what came of them. */
#include "check.h"

#include "ctl/deeds.h"
#include "ctl/history.h"
#include "util/util.h"

static void take(struct deeds *deeds, json_t *record)
{
    assert_non_null(record);
    deeds_take(deeds, record);
    json_decref(record);
}

static void decision(struct deeds *deeds, const char *run, int number, const char *kind,
                     const char *verdict)
{
    take(deeds, json_pack("{s:s,s:s,s:i,s:i,s:s,s:s}", "record", "decision", "run", run, "decision",
                          number, "time_us", number, "kind", kind, "verdict", verdict));
}

static void outcome(struct deeds *deeds, const char *run, int number, const char *word)
{
    take(deeds, json_pack("{s:s,s:s,s:i,s:i,s:s}", "record", "outcome", "run", run, "decision",
                          number, "time_us", number, "outcome", word));
}

static void effect(struct deeds *deeds, const char *run, int number, const char *word)
{
    take(deeds, json_pack("{s:s,s:s,s:i,s:i,s:s}", "record", "effect", "run", run, "decision",
                          number, "time_us", number, "effect", word));
}

static void test_belongs_together(void **state)
{
    struct deeds *deeds = deeds_new();
    const struct deed *shown;
    uint64_t n_more;
    size_t n;

    (void)state;
    decision(deeds, "a", 1, "moved", "queued");
    decision(deeds, "a", 2, "dead", "cooling");
    decision(deeds, "a", 1, "moved", "migrate"); /* it left the queue */
    outcome(deeds, "a", 1, "timeout");
    outcome(deeds, "a", 1, "migrated");
    effect(deeds, "a", 1, "better");
    outcome(deeds, "b", 2, "migrated"); /* of another run */
    effect(deeds, "a", 3, "better");    /* of nobody */
    shown = deeds_end(deeds, &n, &n_more);
    assert_int_equal(n, 2);
    assert_int_equal(n_more, 0);
    assert_string_equal(record_word(shown[0].decision, "verdict"), "migrate");
    assert_string_equal(record_word(shown[0].outcome, "outcome"), "migrated");
    assert_int_equal(shown[0].n_failed, 1);
    assert_string_equal(record_word(shown[0].effect, "effect"), "better");
    assert_null(shown[1].outcome);
    deeds_free(deeds);
}

/* Of many: what did not help, though it came long before; and the latest of what is alike. */
static void test_worst_are_kept(void **state)
{
    struct deeds *deeds = deeds_new();
    const struct deed *shown;
    uint64_t n_more;
    size_t n, n_moves = 0;

    (void)state;
    for (int i = 1; i <= 20000; i++) {
        bool moves = i % 100 == 0;

        decision(deeds, "a", i, "degraded", moves ? "migrate" : "cooling");
        if (moves)
            outcome(deeds, "a", i, "migrated");
        if (i == 100)
            effect(deeds, "a", i, "stalled");
        if (i == 200)
            outcome(deeds, "a", i, "no-path");
    }
    shown = deeds_end(deeds, &n, &n_more);
    assert_int_equal(n, DEEDS_SHOWN);
    assert_int_equal(n_more, 20000 - DEEDS_SHOWN);
    assert_int_equal(record_number(shown[0].decision, "decision"), 100);
    assert_string_equal(record_word(shown[0].effect, "effect"), "stalled");
    assert_string_equal(record_word(shown[1].outcome, "outcome"), "no-path");
    for (size_t i = 0; i < n; i++) {
        bool moves = !strcmp(record_word(shown[i].decision, "verdict"), "migrate");

        n_moves += moves;
        assert_true(moves || record_number(shown[i].decision, "decision") > 19900);
        assert_true(!i || record_number(shown[i].decision, "time_us") >
                              record_number(shown[i - 1].decision, "time_us"));
    }
    assert_int_equal(n_moves, 200);
    deeds_free(deeds);
}

static void test_none(void **state)
{
    struct deeds *deeds = deeds_new();
    uint64_t n_more;
    size_t n;

    (void)state;
    deeds_end(deeds, &n, &n_more);
    assert_int_equal(n, 0);
    assert_int_equal(n_more, 0);
    assert_null(deeds_free(deeds));
    assert_null(deeds_free(NULL));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_belongs_together),
        cmocka_unit_test(test_worst_are_kept),
        cmocka_unit_test(test_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
