/* SPDX-License-Identifier: Apache-2.0 */
/* watchdog/ctl/history.c: order over runs, doubles, filters. */
#include "check.h"

#include "ctl/history.h"
#include "engine/record.h"

static json_t *decision(const char *run, int time_us, int number, const char *verdict)
{
    return json_pack("{s:s,s:s,s:i,s:i,s:s,s:s,s:s}", "record", "decision", "run", run, "time_us",
                     time_us, "decision", number, "verdict", verdict, "trigger", "srtt:overseas",
                     "peer", "bravo@h");
}

static json_t *came_of(const char *record, const char *run, int time_us, int number)
{
    return json_pack("{s:s,s:s,s:i,s:i,s:i,s:s}", "record", record, "run", run, "time_us", time_us,
                     "decision", number, "request", number, "peer", "bravo@h");
}

static json_t *cause(int time_us, int advised)
{
    return json_pack("{s:s,s:s,s:i,s:i,s:i}", "record", "cause", "run", "a", "time_us", time_us,
                     "cause", 1, "advised", advised);
}

static json_t *uplink(int time_us, const char *name, const char *change)
{
    return json_pack("{s:s,s:s,s:i,s:s,s:s}", "record", "uplink", "run", "a", "time_us", time_us,
                     "uplink", name, "change", change);
}

/* "a1d a1o": run, decision, kind of record. */
static void assert_history(const struct history *history, const char *expected)
{
    char text[256] = "";
    size_t at = 0;

    for (size_t i = 0; i < history->n_records; i++) {
        json_t *record = history->records[i];

        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s%d%.1s", i ? " " : "",
                               json_string_value(json_object_get(record, "run")),
                               (int)json_integer_value(json_object_get(record, "decision")),
                               json_string_value(json_object_get(record, "record")));
    }
    assert_string_equal(text, expected);
}

/* What both the journal and the memory have, in two orders. */
static void merged(void **state)
{
    struct history history = {0};
    json_t *again = came_of("outcome", "b", 30, 1);

    history_add(&history, came_of("effect", "b", 30, 1));
    history_add(&history, came_of("outcome", "b", 30, 1));
    history_add(&history, decision("b", 20, 1, "migrate"));
    history_add(&history, decision("a", 10, 2, "queued"));
    history_add(&history, decision("a", 10, 1, "migrate"));
    history_order(&history);
    assert_history(&history, "a1d a2d b1d b1o b1e");
    assert_true(history_has(&history, again));
    json_decref(again);
    history_add(&history, decision("a", 10, 2, "queued"));
    history_add(&history, decision("a", 10, 2, "migrate")); /* it left the queue at once */
    history_add(&history, decision("b", 20, 1, "migrate"));
    history_add(&history, decision("b", 10, 1, "migrate")); /* of the same number, another time */
    history_order(&history);
    assert_history(&history, "a1d a2d a2d b1d b1d b1o b1e");
    assert_int_equal(history_runs(&history), 2);
    history_last(&history, 3);
    assert_history(&history, "b1d b1o b1e");
    assert_int_equal(history_runs(&history), 1);
    history_last(&history, 0);
    assert_history(&history, "");
    assert_int_equal(history_runs(&history), 0);
    history_order(&history);
    history_clear(&history);
}

/* The same number in two runs are two decisions. */
static void what_came_of_what_fits(void **state)
{
    const struct history_filter filter = {.verdict = "migrate", .trigger = "srtt"};
    struct history history = {0};

    history_add(&history, decision("a", 10, 1, "migrate"));
    history_add(&history, came_of("outcome", "a", 11, 1));
    history_add(&history, came_of("outcome", "b", 12, 1));
    history_add(&history, came_of("effect", "a", 13, 1));
    history_order(&history);
    history_narrow(&history, &filter);
    assert_history(&history, "a1d a1o a1e");
    history_clear(&history);
}

/* Of one uplink: what used it or was to move to it, what came of that, and its own records; two of
 * one moment are two. */
static void of_an_uplink(void **state)
{
    static const struct {
        struct history_filter filter;
        const char *expected;
    } rows[] = {
        {{.uplink = "home"}, "a0u a0u a1d a2d a1o a2e"},
        {{.uplink = "lte"}, "a1d a2d a0u a1o a2e"},
        {{.uplink = "lte", .trigger = "srtt"}, "a1d a2d a1o a2e"},
        {{.uplink = "lte", .verdict = "held"}, "a2d a2e"},
        {{.uplink = "none"}, ""},
        {{.peer = "bravo@h"}, "a1d a2d a3d a1o a2e a3o"},
        {{.everything = true}, "a0u a0u a1d a2d a3d a0u a1o a2e a3o"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        json_t *from = decision("a", 10, 1, "migrate"), *to = decision("a", 10, 2, "held");
        json_t *all[] = {came_of("outcome", "a", 12, 1),
                         uplink(11, "lte", "down"),
                         came_of("effect", "a", 13, 2),
                         uplink(9, "home", "up"),
                         came_of("outcome", "a", 14, 3),
                         uplink(9, "home", "down"),
                         decision("a", 10, 3, "held"),
                         uplink(9, "home", "up"),
                         from,
                         to};
        struct history history = {0};

        json_object_set_new(from, "uplink", json_string("home"));
        json_object_set_new(from, "target", json_string("lte"));
        json_object_set_new(to, "uplink", json_string("lte"));
        json_object_set_new(to, "target", json_string("home"));
        for (size_t k = 0; k < sizeof(all) / sizeof(all[0]); k++)
            if (history_may_fit(&rows[i].filter, all[k]))
                history_add(&history, all[k]);
            else
                json_decref(all[k]);
        history_order(&history);
        history_narrow(&history, &rows[i].filter);
        assert_history(&history, rows[i].expected);
        history_clear(&history);
    }
}

static void filters(void **state)
{
    static const struct {
        struct history_filter filter;
        bool decision, outcome, storm, small;
    } rows[] = {
        {{0}, true, true, true, false},
        {{.everything = true}, true, true, true, true},
        {{.no_storms = true}, true, true, false, false},
        {{.peer = "br*"}, true, true, false, false},
        {{.peer = "x*"}, false, false, false, false},
        {{.trigger = "srtt"}, true, true, false, false},
        {{.trigger = "srt"}, false, true, false, false},
        {{.verdict = "held"}, false, true, false, false},
        {{.since_us = 10}, true, true, true, false},
        {{.since_us = 11}, false, false, false, false},
        {{.until_us = 10}, true, true, true, false},
        {{.until_us = 9}, false, false, false, false},
    };
    json_t *one = decision("a", 10, 1, "migrate"), *two = came_of("outcome", "a", 10, 1),
           *storm = cause(10, CAUSE_LISTED + 1), *small = cause(10, CAUSE_LISTED);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(history_may_fit(&rows[i].filter, one), rows[i].decision);
        assert_int_equal(history_may_fit(&rows[i].filter, two), rows[i].outcome);
        assert_int_equal(history_may_fit(&rows[i].filter, storm), rows[i].storm);
        assert_int_equal(history_may_fit(&rows[i].filter, small), rows[i].small);
    }
    json_decref(one);
    json_decref(two);
    json_decref(storm);
    json_decref(small);
}

/* pathdogctl does not link the gate: its words must be the same. */
static void verdicts_are_the_gates(void **state)
{
    char *list = NULL;

    for (int i = 0; i < VERDICT_COUNT; i++)
        assert_true(history_is_verdict(verdict_name((enum verdict)i), &list));
    assert_null(list);
    assert_false(history_is_verdict("migrat", &list));
    for (int i = 0; i < VERDICT_COUNT; i++)
        assert_non_null(strstr(list, verdict_name((enum verdict)i)));
    free(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(merged),
        cmocka_unit_test(what_came_of_what_fits),
        cmocka_unit_test(of_an_uplink),
        cmocka_unit_test(filters),
        cmocka_unit_test(verdicts_are_the_gates),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
