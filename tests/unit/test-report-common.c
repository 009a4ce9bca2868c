/* SPDX-License-Identifier: Apache-2.0 */
/* watchdog/ctl/report-common.c: several machines in trouble, and what they share. */
#include "check.h"

#include "ctl/report-common.h"

#define NAMES "{'a':'alpha','b':'bravo','c':'charlie','a2':'alpha'}"

static json_t *parsed(const char *text)
{
    char copy[640];
    json_t *value;

    snprintf(copy, sizeof(copy), "%s", text);
    for (char *at = copy; *at; at++)
        *at = *at == '\'' ? '"' : *at;
    value = json_loads(copy, 0, NULL);
    if (!value)
        fail_msg("no JSON: %s", copy);
    return value;
}

static json_t *made(json_t *(*make)(const struct history *, const json_t *),
                    const char *const *lines)
{
    struct history history = {0};
    json_t *names = parsed(NAMES), *ret;

    for (; *lines; lines++)
        history_add(&history, parsed(*lines));
    history_order(&history);
    ret = make(&history, names);
    history_clear(&history);
    json_decref(names);
    return ret;
}

/* Takes it over. */
static void check(json_t *value, const char *expected)
{
    char *got = json_dumps(value, JSON_COMPACT);

    assert_non_null(got);
    for (char *at = got; *at; at++)
        *at = *at == '"' ? '\'' : *at;
    assert_string_equal(got, expected);
    free(got);
    json_decref(value);
}

#define S "000000" /* microseconds */
#define DEAD(run, time, number, peer, more)                                                        \
    "{'record':'decision','run':'" run "','time_us':" #time S ",'decision':" #number               \
    ",'peer':'" peer "','trigger':'stall','kind':'dead','reason':'no progress for " #time          \
    " ms'" more "}"
#define UPLINK(run, time, name, change)                                                            \
    "{'record':'uplink','run':'" run "','time_us':" #time S ",'uplink':'" name                     \
    "','change':'" change "','reason':'r'}"
#define REASON "{'what':'reason','value':'stall dead: no progress for N ms','machines':2,'count':2}"

static void test_an_uplink(void **state)
{
    (void)state;
    check(
        made(report_common, (const char *const[]){DEAD("a", 100, 1, "hub@a", ",'uplink':'telekom'"),
                                                  DEAD("b", 102, 1, "hub@b", ",'uplink':'telekom'"),
                                                  UPLINK("b", 103, "telekom", "silent"),
                                                  UPLINK("c", 104, "lte", "up"), NULL}),
        "[{'from_us':100000000,'until_us':103000000,'machines':['alpha','bravo'],'decisions':2,"
        "'shared':[{'what':'uplink','value':'telekom','machines':2,'count':3}," REASON "]}]");
}

/* The gateway says more than the uplink's name, that more than the peer. */
static void test_what_says_more_comes_first(void **state)
{
    json_t *common = made(
        report_common,
        (const char *const[]){
            DEAD("a", 100, 1, "hub", ",'uplink':'u','evidence':{'gateway_before':'10.0.1.1'}"),
            DEAD("b", 102, 1, "hub", ",'uplink':'u','evidence':{'gateway':'10.0.1.1'}"), NULL});
    static const char *const order[] = {"gateway", "uplink", "peer", "reason"};
    const json_t *shared = json_object_get(json_array_get(common, 0), "shared");

    (void)state;
    assert_int_equal(json_array_size(shared), 4);
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(record_word(json_array_get(shared, i), "what"), order[i]);
    json_decref(common);
}

/* A peer that three cannot reach, of whom two have the same uplink: it is the peer. */
static void test_what_more_machines_share_comes_first(void **state)
{
    json_t *common =
        made(report_common, (const char *const[]){DEAD("a", 100, 1, "hub", ",'uplink':'u'"),
                                                  DEAD("b", 102, 1, "hub", ",'uplink':'u'"),
                                                  DEAD("c", 104, 1, "hub", ",'uplink':'v'"), NULL});
    const json_t *first = json_array_get(json_object_get(json_array_get(common, 0), "shared"), 0);

    (void)state;
    assert_string_equal(record_word(first, "what"), "peer");
    assert_int_equal(record_number(first, "machines"), 3);
    json_decref(common);
}

static void test_not_at_the_same_time(void **state)
{
    (void)state;
    check(made(report_common,
               (const char *const[]){DEAD("a", 100, 1, "p", ""), DEAD("b", 131, 1, "p", ""), NULL}),
          "[]");
    check(made(report_common, (const char *const[]){DEAD("a", 100, 1, "p", ""),
                                                    DEAD("a2", 101, 1, "p", ""), NULL}),
          "[]"); /* one machine, in two runs */
}

/* Without an end it would be one with everything in it. */
static void test_no_longer_than_ten_minutes(void **state)
{
    const char *lines[66];
    char texts[65][400];
    json_t *common;

    (void)state;
    for (unsigned i = 0; i < 65; i++) {
        snprintf(texts[i], sizeof(texts[i]),
                 "{'record':'uplink','run':'%s','time_us':%u000000,'uplink':'u','change':'down'}",
                 i % 2 ? "a" : "b", 1000 + 20 * i);
        lines[i] = texts[i];
    }
    lines[65] = NULL;
    common = made(report_common, lines);
    assert_int_equal(json_array_size(common), 3);
    for (size_t i = 0; i < 3; i++)
        assert_true(record_number(json_array_get(common, i), "until_us") -
                        record_number(json_array_get(common, i), "from_us") <=
                    600000000);
    json_decref(common);
}

/* What an operator did, the way back, and what is good are no trouble. */
static void test_what_does_not_count(void **state)
{
    (void)state;
    check(made(report_common,
               (const char *const[]){
                   "{'record':'decision','run':'a','time_us':1,'decision':1,'kind':'operator'}",
                   "{'record':'decision','run':'b','time_us':1,'decision':1,'kind':'better'}",
                   "{'record':'decision','run':'c','time_us':1,'decision':1,'kind':'moved',"
                   "'trigger':'return'}",
                   "{'record':'outcome','run':'b','time_us':1,'decision':1,'outcome':'failed'}",
                   UPLINK("a", 1, "u", "proven"), UPLINK("b", 1, "u", "up"),
                   DEAD("nobody", 1, 1, "p", ""), DEAD("nobody2", 1, 1, "p", ""), NULL}),
          "[]");
    check(made(report_common, (const char *const[]){NULL}), "[]");
}

static void test_most_machines_first(void **state)
{
    json_t *common = made(
        report_common, (const char *const[]){DEAD("a", 100, 1, "p", ""), DEAD("b", 100, 1, "q", ""),
                                             DEAD("a", 200, 2, "p", ""), DEAD("b", 200, 2, "q", ""),
                                             DEAD("c", 200, 1, "r", ""), NULL});

    (void)state;
    assert_int_equal(json_array_size(common), 2);
    assert_int_equal(record_number(json_array_get(common, 0), "from_us"), 200000000);
    json_decref(common);
}

static void test_machines(void **state)
{
    (void)state;
    check(
        made(report_machines,
             (const char *const[]){DEAD("a", 100, 1, "p", ""), DEAD("a2", 101, 1, "p", ""),
                                   UPLINK("b", 102, "u", "up"), DEAD("d", 103, 1, "p", ""), NULL}),
        "[{'machine':'alpha','runs':2,'decisions':2,'dead':2},"
        "{'machine':'bravo','runs':1,'decisions':0,'dead':0}]");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_uplink),
        cmocka_unit_test(test_what_says_more_comes_first),
        cmocka_unit_test(test_what_more_machines_share_comes_first),
        cmocka_unit_test(test_not_at_the_same_time),
        cmocka_unit_test(test_no_longer_than_ten_minutes),
        cmocka_unit_test(test_what_does_not_count),
        cmocka_unit_test(test_most_machines_first),
        cmocka_unit_test(test_machines),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
