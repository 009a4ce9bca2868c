/* SPDX-License-Identifier: Apache-2.0 */
/* watchdog/ctl/report.c: a night in numbers. */
#include "check.h"

#include "ctl/report.h"

/* Lines of JSON with ' for ", as records; → the report. */
static json_t *report_of(const char *const *lines, const char *units)
{
    struct history history = {0};
    json_t *known = units ? json_loads(units, 0, NULL) : NULL, *report;

    for (; *lines; lines++) {
        char text[512];
        json_t *record;

        snprintf(text, sizeof(text), "%s", *lines);
        for (char *at = text; *at; at++)
            *at = *at == '\'' ? '"' : *at;
        record = json_loads(text, 0, NULL);
        if (!record)
            fail_msg("no JSON: %s", text);
        history_add(&history, record);
    }
    history_order(&history);
    report = report_make(&history, known);
    history_clear(&history);
    json_decref(known);
    return report;
}

/* Members with ' for ". */
static void assert_member(const json_t *report, const char *name, const char *expected)
{
    char *got =
        json_dumps(json_object_get(report, name), JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);

    assert_non_null(got);
    for (char *at = got; *at; at++)
        *at = *at == '"' ? '\'' : *at;
    assert_string_equal(got, expected);
    free(got);
}

#define DECISION(run, time, number, peer, kind, verdict, reason, more)                             \
    "{'record':'decision','run':'" run "','time_us':" #time ",'decision':" #number                 \
    ",'peer':'" peer "','trigger':'t','kind':'" kind "','verdict':'" verdict "','reason':'" reason \
    "'" more "}"
#define OUTCOME(time, number, peer, outcome)                                                       \
    "{'record':'outcome','run':'a','time_us':" #time ",'decision':" #number ",'request':" #time    \
    ",'peer':'" peer "','outcome':'" outcome "'}"
#define EFFECT(time, number, peer, effect)                                                         \
    "{'record':'effect','run':'a','time_us':" #time ",'decision':" #number ",'peer':'" peer        \
    "','effect':'" effect "'}"
#define BETTER(time, number, before_us, after_us)                                                  \
    "{'record':'effect','run':'a','time_us':" #time ",'decision':" #number                         \
    ",'peer':'p','effect':'better','rtt_before_us':" #before_us ",'rtt_after_us':" #after_us "}"
#define NODE(run, time, state, boot)                                                               \
    "{'record':'node','run':'" run "','time_us':" #time ",'state':'" state                         \
    "','node':'alpha','boot':'" boot "'}"

/* What gets through again, and is not much faster, is counted apart. */
static void restored(void **state)
{
    static const char *const lines[] = {
        BETTER(1, 1, 100000, 80000), BETTER(2, 2, 100000, 80001), BETTER(3, 3, 20000, 300000),
        BETTER(4, 4, null, 5000),    EFFECT(5, 5, "p", "same"),   NULL,
    };
    json_t *report = report_of(lines, NULL);

    assert_member(report, "effects", "{'better':4,'same':1}");
    assert_member(report, "restored", "3");
    json_decref(report);
}

#define UPLINK(run, time, name, change)                                                            \
    "{'record':'uplink','run':'" run "','time_us':" #time ",'uplink':'" name "','interface':'e'"   \
    ",'change':'" change "','reason':'why " #time "','peers':2}"

/* What happened to each, by unit, and what was moved to it. */
static void uplinks(void **state)
{
    static const char *const lines[] = {
        UPLINK("a", 1, "home", "silent"),
        DECISION("a", 2, 1, "p", "dead", "migrate", "r", ",'uplink':'home','target':'lte'"),
        "{'record':'outcome','run':'a','time_us':3,'decision':1,'request':1,'peer':'p',"
        "'outcome':'timeout','target':'lte'}",
        "{'record':'outcome','run':'a','time_us':4,'decision':1,'request':2,'peer':'p',"
        "'outcome':'migrated','target':'lte'}",
        "{'record':'outcome','run':'a','time_us':5,'decision':2,'request':3,'peer':'q',"
        "'outcome':'gone','target':'lte'}",
        OUTCOME(6, 3, "q", "migrated"), /* by the route table */
        UPLINK("a", 7, "home", "silent"),
        UPLINK("b", 8, "home", "down"),
        UPLINK("a", 9, "home", "proven"),
        NULL,
    };
    json_t *report = report_of(lines, "{\"b\":\"two.service\"}");

    assert_member(report, "uplinks",
                  "[{'changes':{'proven':1,'silent':2},'failed':0,'last':{'change':'proven',"
                  "'reason':'why 9','time_us':9},'moves':0,'unit':null,'uplink':'home'},"
                  "{'changes':{},'failed':1,'last':null,'moves':1,'unit':null,'uplink':'lte'},"
                  "{'changes':{'down':1},'failed':0,'last':{'change':'down','reason':'why 8',"
                  "'time_us':8},'moves':0,'unit':'two.service','uplink':'home'}]");
    json_decref(report);
}

static void counted(void **state)
{
    static const char *const lines[] = {
        DECISION("a", 1, 1, "p", "dead", "migrate", "no progress for 460 ms", ""),
        DECISION("a", 2, 2, "q", "moved", "queued", "up0 → up1", ""),
        DECISION("a", 3, 2, "q", "moved", "migrate", "up0 → up1", ""),
        DECISION("a", 4, 3, "p", "dead", "cooling", "no progress for 9.5 ms", ",'repeats':59"),
        OUTCOME(5, 1, "p", "timeout"),
        OUTCOME(6, 1, "p", "migrated"),
        OUTCOME(7, 2, "q", "migrated"),
        EFFECT(8, 1, "p", "stalled"),
        EFFECT(9, 2, "q", "better"),
        OUTCOME(10, 1, "p", "cancelled"), /* neither of these has failed */
        OUTCOME(11, 1, "q", "old-lives"),
        NULL,
    };
    json_t *report = report_of(lines, NULL);

    assert_member(report, "decisions", "61");
    assert_member(report, "verdicts", "{'cooling':59,'migrate':2}");
    assert_member(report, "requests", "5");
    assert_member(report, "outcomes", "{'cancelled':1,'migrated':2,'old-lives':1,'timeout':1}");
    assert_member(report, "moves", "2");
    assert_member(report, "effects", "{'better':1,'stalled':1}");
    assert_member(report, "only_counted", "0");
    assert_member(report, "peers",
                  "[{'dead':60,'decisions':60,'failed':1,'moves':1,'not_helped':1,'peer':'p'},"
                  "{'dead':0,'decisions':1,'failed':0,'moves':1,'not_helped':0,'peer':'q'}]");
    assert_member(report, "reasons",
                  "[{'alike':false,'count':60,'kind':'dead','reason':'no progress for 9.5 ms',"
                  "'trigger':'t'},{'alike':true,'count':1,'kind':'moved','reason':'up0 → up1',"
                  "'trigger':'t'}]");
    assert_member(report, "nodes", "[]");
    json_decref(report);
}

/* The journal has the sum and few of the decisions: each is counted once. */
static void storms(void **state)
{
    static const char *const lines[] = {
        DECISION("a", 1, 1, "p", "moved", "migrate", "flip", ",'cause':7"),
        DECISION("a", 2, 2, "q", "moved", "inbound", "flip", ",'cause':7"),
        DECISION("a", 3, 3, "q", "moved", "inbound", "flip", ",'cause':8"),
        "{'record':'cause','run':'a','time_us':4,'cause':7,'trigger':'t','reason':'flip','peers':"
        "4102,'advised':4000,'verdicts':{'inbound':10,'migrate':3990}}",
        "{'record':'cause','run':'b','time_us':5,'cause':7,'trigger':'t','reason':'flip','peers':"
        "9,'advised':3,'verdicts':{'inbound':3}}",
        NULL,
    };
    json_t *report = report_of(lines, NULL);

    assert_member(report, "decisions", "4001");
    assert_member(report, "verdicts", "{'inbound':11,'migrate':3990}");
    assert_member(report, "only_counted", "3998");
    assert_member(report, "causes",
                  "[{'advised':4000,'cause':7,'peers':4102,'reason':'flip','run':'a','time_us':4,"
                  "'trigger':'t','verdicts':{'inbound':10,'migrate':3990}},{'advised':3,'cause':7,"
                  "'peers':9,'reason':'flip','run':'b','time_us':5,'trigger':'t','verdicts':"
                  "{'inbound':3}}]");
    json_decref(report);
}

static void restarts(void **state)
{
    static const char *const lines[] = {
        NODE("a", 10, "up", "1"),
        NODE("a", 20, "down", "1"),
        NODE("a", 25, "down", "1"), /* another reason */
        NODE("a", 30, "up", "2"),
        NODE("b", 40, "up", "2"), /* pathdog was started again, the node was not */
        "{'record':'notice','run':'b','time_us':41,'level':'warning','what':'unclean-stop','text':"
        "'x','count':1}",
        "{'record':'notice','run':'b','time_us':42,'level':'notice','what':'hold','text':'x',"
        "'count':1}",
        NODE("other", 45, "up", "9"), /* of another unit */
        NODE("b", 50, "down", "2"),
        NULL,
    };
    json_t *report = report_of(lines, "{\"a\":\"one\",\"b\":\"one\",\"other\":\"two\"}");

    assert_member(
        report, "runs",
        "[{'after_unclean_stop':false,'first_us':10,'last_us':30,'restart':false,'run':'a',"
        "'unit':'one'},{'after_unclean_stop':true,'first_us':40,'last_us':50,'restart':"
        "true,'run':'b','unit':'one'},{'after_unclean_stop':false,'first_us':45,'last_us':"
        "45,'restart':false,'run':'other','unit':'two'}]");
    assert_member(report, "nodes",
                  "[{'away':2,'away_longest_us':10,'away_since_us':50,'boot':'2','node':'alpha',"
                  "'restarts':1,'unit':'one'},{'away':0,'away_longest_us':0,'away_since_us':null,"
                  "'boot':'9','node':'alpha','restarts':0,'unit':'two'}]");
    assert_member(report, "notices", "{'unclean-stop':1}");
    json_decref(report);
}

static void empty(void **state)
{
    json_t *report = report_of((const char *const[]){NULL}, NULL);

    assert_member(report, "decisions", "0");
    assert_member(report, "peers", "[]");
    assert_member(report, "no_path", "{'ended':0,'longest':null,'unknown':0,'unknown_peers':[]}");
    json_decref(report);
}

static void patterns(void **state)
{
    static const char *const rows[][2] = {
        {"SRTT 312.5 ms, over 3 × 41 ms", "SRTT N ms, over N × N ms"},
        {"up0 via 10.0.1.1 → up1", "up0 via 10.0.1.1 → up1"},
        {"asked by uid 1000: 12: x", "asked by uid N: N: x"},
        {"(PTO 300 ms)", "(PTO N ms)"},
        {"10%", "N%"},
        {"..", ".."},
        {":", ":"},
        {"", ""},
        {" 5", " N"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *pattern = report_pattern(rows[i][0]);

        assert_string_equal(pattern, rows[i][1]);
        free(pattern);
    }
}

/* However many causes and reasons there are: the largest of all, and the frequent ones. */
static void bounded(void **state)
{
    struct report *report = report_new(NULL, NULL);
    const json_t *causes, *reasons;
    json_t *result;

    (void)state;
    for (int i = 1; i <= 20000; i++) {
        char reason[32];
        json_t *record = json_pack("{s:s,s:s,s:i,s:i,s:s,s:s,s:i,s:i}", "record", "cause", "run",
                                   "a", "time_us", i, "cause", i, "trigger", "t", "reason", "r",
                                   "peers", 100000, "advised", i == 7000 ? 99999 : i % 1000);

        report_take(report, record);
        json_decref(record);
        snprintf(reason, sizeof(reason), "word%x.", i % 3 ? 0 : i);
        record = json_pack("{s:s,s:s,s:i,s:i,s:s,s:s,s:s,s:s,s:s}", "record", "decision", "run",
                           "a", "time_us", i, "decision", i, "peer", "p", "trigger", "t", "kind",
                           "moved", "verdict", "held", "reason", reason);
        report_take(report, record);
        json_decref(record);
    }
    result = report_end(report);
    causes = json_object_get(result, "causes");
    assert_int_equal(json_array_size(causes), REPORT_LIST);
    assert_int_equal(record_number(json_array_get(causes, 0), "cause"), 7000);
    assert_int_equal(record_number(json_array_get(causes, 1), "advised"), 999);
    reasons = json_object_get(result, "reasons");
    assert_int_equal(json_array_size(reasons), REPORT_LIST);
    assert_int_equal(record_number(json_array_get(reasons, 0), "count"), 13334);
    json_decref(result);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uplinks),  cmocka_unit_test(counted),  cmocka_unit_test(restored),
        cmocka_unit_test(storms),   cmocka_unit_test(restarts), cmocka_unit_test(empty),
        cmocka_unit_test(patterns), cmocka_unit_test(bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
