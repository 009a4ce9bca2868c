/* SPDX-License-Identifier: Apache-2.0 */
/* ctl/page.c and its parts: one page, whatever the records hold, and never a large one. */
#include "check.h"

#include "ctl/page.h"
#include "ctl/report.h"
#include "util/util.h"

#define SECOND  UINT64_C(1000000)
#define FROM_US (UINT64_C(1795993200) * SECOND)
#define MOST    (5u << 20)

struct making {
    struct page *page;
    struct report *report;
};

static struct making making_new(void)
{
    struct making making = {.page = page_new()};

    making.report = report_new(NULL, page_watch(making.page));
    return making;
}

static void take(struct making *making, json_t *record)
{
    assert_non_null(record);
    report_take(making->report, record);
    page_take(making->page, record);
    json_decref(record);
}

/* The page; the caller frees it. */
static char *making_end(struct making *making, uint64_t from_us, uint64_t until_us, json_t *what_if)
{
    json_t *report = report_end(making->report);
    struct buffer out = {0};
    char *ret;

    json_object_update_new(report,
                           json_pack("{s:I,s:I,s:s,s:b,s:s}", "from_us", (json_int_t)from_us,
                                     "until_us", (json_int_t)until_us, "source", "from <here>",
                                     "journal", 1, "remark", "cut \"off\" & <b>"));
    if (what_if)
        json_object_set_new(report, "what_if", what_if);
    page_html(making->page, report, "0.0 & <test>", &out);
    assert_true(out.length < MOST);
    ret = strndup(buffer_bytes(&out), out.length);
    assert_int_equal(strlen(ret), out.length);
    buffer_clear(&out);
    json_decref(report);
    page_free(making->page);
    return ret;
}

static size_t count(const char *text, const char *what)
{
    size_t n = 0;

    for (; (text = strstr(text, what)); text++)
        n++;
    return n;
}

/* Elements that have an end have it. */
static void assert_balanced(const char *page)
{
    static const char *const names[] = {"html",  "head", "body",    "main", "section", "div",
                                        "table", "tr",   "td",      "svg",  "style",   "title",
                                        "p",     "span", "details", "use",  "b",       "q"};

    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        char begin[16], begin_more[16], end[16], closed[64];
        size_t n_closed = 0;

        snprintf(begin, sizeof(begin), "<%s>", names[i]);
        snprintf(begin_more, sizeof(begin_more), "<%s ", names[i]);
        snprintf(end, sizeof(end), "</%s>", names[i]);
        snprintf(closed, sizeof(closed), "<%s ", names[i]);
        for (const char *at = page; (at = strstr(at, closed)); at++)
            n_closed += strchr(at, '>')[-1] == '/';
        if (!strcmp(names[i], "td") || !strcmp(names[i], "tr"))
            continue; /* their ends may be left out */
        if (count(page, begin) + count(page, begin_more) - n_closed != count(page, end))
            fail_msg("%s: %zu are begun and %zu ended", names[i],
                     count(page, begin) + count(page, begin_more) - n_closed, count(page, end));
    }
}

static json_t *decision(uint64_t time_us, uint64_t number, const char *peer, const char *kind,
                        const char *verdict, const char *reason)
{
    return json_pack("{s:s,s:s,s:I,s:I,s:s,s:s,s:s,s:s,s:s,s:{s:I}}", "record", "decision", "run",
                     "r", "time_us", (json_int_t)time_us, "decision", (json_int_t)number, "peer",
                     peer, "trigger", "srtt", "kind", kind, "verdict", verdict, "reason", reason,
                     "evidence", "srtt_us", (json_int_t)250000);
}

static json_t *outcome(uint64_t time_us, uint64_t number, const char *peer, const char *word)
{
    return json_pack("{s:s,s:s,s:I,s:I,s:s,s:s,s:I,s:s,s:s,s:s}", "record", "outcome", "run", "r",
                     "time_us", (json_int_t)time_us, "decision", (json_int_t)number, "peer", peer,
                     "outcome", word, "elapsed_us", (json_int_t)41000, "local_before",
                     "10.0.1.2:4001", "local_after", "[fd00::2]:4001", "target", "lte");
}

static json_t *effect(uint64_t time_us, uint64_t number, const char *peer, const char *word)
{
    return json_pack("{s:s,s:s,s:I,s:I,s:s,s:s,s:I,s:I}", "record", "effect", "run", "r", "time_us",
                     (json_int_t)time_us, "decision", (json_int_t)number, "peer", peer, "effect",
                     word, "rtt_before_us", (json_int_t)250000, "rtt_after_us", (json_int_t)20000);
}

static json_t *uplink(uint64_t time_us, const char *name, const char *change, const char *reason)
{
    return json_pack("{s:s,s:s,s:I,s:s,s:s,s:s}", "record", "uplink", "run", "r", "time_us",
                     (json_int_t)time_us, "uplink", name, "change", change, "reason", reason);
}

static void test_a_night(void **state)
{
    struct making making = making_new();
    char *page;

    (void)state;
    take(&making, json_pack("{s:s,s:s,s:I,s:s,s:s,s:s}", "record", "node", "run", "r", "time_us",
                            (json_int_t)FROM_US, "state", "up", "node", "alpha", "boot", "b"));
    take(&making, uplink(FROM_US + SECOND, "home", "silent", "nothing gets through"));
    take(&making,
         decision(FROM_US + 2 * SECOND, 1, "bravo", "dead", "migrate", "no progress for 3 s"));
    take(&making, outcome(FROM_US + 3 * SECOND, 1, "bravo", "migrated"));
    take(&making, effect(FROM_US + 5 * SECOND, 1, "bravo", "better"));
    take(&making, decision(FROM_US + 6 * SECOND, 2, "charlie", "degraded", "cooling",
                           "srtt 250 ms > 200 ms"));
    take(&making,
         json_pack("{s:s,s:s,s:I,s:s,s:s,s:i,s:i,s:{s:i}}", "record", "cause", "run", "r",
                   "time_us", (json_int_t)(FROM_US + 7 * SECOND), "trigger", "route", "reason",
                   "default route flip", "advised", 2, "peers", 3, "verdicts", "migrate", 2));
    page = making_end(&making, FROM_US, FROM_US + 60 * SECOND, NULL);
    assert_ptr_equal(strstr(page, PAGE_MAGIC), page);
    assert_balanced(page);
    assert_non_null(strstr(page, "default-src 'none'; style-src 'unsafe-inline'"));
    assert_non_null(
        strstr(page, "pathdog decided 2 times about 2 peers, and moved connections <b>1 time</b>"));
    assert_non_null(strstr(page, "The uplink <b>home</b> was silent 1 time, and <b "
                                 "class=\"badly\">so it was at the end</b>"));
    assert_non_null(strstr(page, "<q>default route flip</q>, which concerned 2 of 3 peers"));
    assert_non_null(strstr(page, "needs a look"));
    assert_non_null(strstr(page, "RTT 250 ms → 20 ms"));
    assert_non_null(strstr(page, "cut &quot;off&quot; &amp; &lt;b&gt;"));
    assert_non_null(strstr(page, "from &lt;here&gt;"));
    /* 4 ways of drawing what a record tells of an RTT, of which these 2 and 1 are points */
    assert_int_equal(count(page, "<use href=\"#rtt\""), 3);
    free(page);
}

/* What is bad is so in the table, in the bars and in words; what proves nothing is not. */
static void test_bad_and_not(void **state)
{
    static const char bar[] = "<div class=\"bar\"><span>%s</span><svg height=\"10\" "
                              "width=\"100%%\" aria-hidden=\"true\"><rect class=\"%s\"";
    static const char *const words[][3] = {{"busy", "badly", "bad"},
                                           {"not-migratable", "badly", "bad"},
                                           {"cancelled", "refusing", "other"},
                                           {"old-lives", "refusing", "other"},
                                           {"migrated", "goodly", "good"}};
    struct making making = making_new();
    char *page, text[256];

    (void)state;
    for (uint64_t i = 0; i < ARRAY_SIZE(words); i++) {
        take(&making, decision(FROM_US + i, i + 1, "bravo", "dead", "migrate", "r"));
        take(&making, outcome(FROM_US + i + SECOND, i + 1, "bravo", words[i][0]));
    }
    page = making_end(&making, FROM_US, FROM_US + 60 * SECOND, NULL);
    for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
        snprintf(text, sizeof(text), "<span class=\"word %s\">%s</span>", words[i][1], words[i][0]);
        assert_non_null(strstr(page, text));
        snprintf(text, sizeof(text), bar, words[i][0], words[i][2]);
        assert_non_null(strstr(page, text));
    }
    assert_non_null(strstr(page, "<span class=\"word moving\">migrate</span>"));
    assert_non_null(
        strstr(page, "1 time a peer was found dead, and no record says until when (bravo). "));
    free(page);
}

static void test_nothing(void **state)
{
    struct making making = making_new();
    char *page = making_end(&making, FROM_US, FROM_US, NULL);

    (void)state;
    assert_balanced(page);
    assert_non_null(strstr(page, "There is no record of pathdog in that time."));
    free(page);
}

/* Names and reasons are whatever a peer, a node or the writer of a journal wants. */
static void test_hostile(void **state)
{
    static const char bad[] =
        "\"><script>alert(1)</script><img src=x onerror='alert(2)'>]]>--></style>\u202e\x1b[2J";
    struct making making = making_new();
    char *page, *path = NULL;
    json_t *line;

    (void)state;
    take(&making, json_pack("{s:s,s:s,s:I,s:s,s:s,s:s}", "record", "node", "run", bad, "time_us",
                            (json_int_t)FROM_US, "state", bad, "node", bad, "boot", bad));
    take(&making, uplink(FROM_US, bad, "silent", bad));
    take(&making, uplink(FROM_US + SECOND, bad, bad, bad));
    take(&making, uplink(FROM_US + SECOND, bad, "penalty", bad));
    take(&making, decision(FROM_US + 1, 1, bad, "dead", "migrate", bad));
    take(&making, json_pack("{s:s,s:s,s:I,s:i,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:s,s:i}", "record",
                            "decision", "run", bad, "time_us", (json_int_t)FROM_US, "decision", 9,
                            "peer", bad, "trigger", bad, "kind", bad, "verdict", bad, "reason", bad,
                            "target", bad, "choice", bad, "uplink", bad, "into", 3));
    take(&making, json_pack("{s:s,s:s,s:I,s:i,s:s,s:s,s:s,s:s,s:s,s:{s:s,s:i}}", "record",
                            "outcome", "run", bad, "time_us", (json_int_t)FROM_US, "decision", 9,
                            "peer", bad, "outcome", bad, "local_before", bad, "local_after", bad,
                            "target", bad, "error", "message", bad, "code", 1));
    take(&making, outcome(FROM_US + 2, 1, bad, "migrated"));
    take(&making, effect(FROM_US + 3, 9, bad, bad));
    take(&making, json_pack("{s:s,s:s,s:I,s:s,s:s,s:i,s:i,s:{s:i}}", "record", "cause", "run", "r",
                            "time_us", (json_int_t)FROM_US, "trigger", bad, "reason", bad,
                            "advised", 2, "peers", 3, "verdicts", bad, 2));
    take(&making, json_pack("{s:s,s:s,s:I,s:s,s:s,s:s}", "record", "notice", "run", "r", "time_us",
                            (json_int_t)FROM_US, "level", "error", "what", bad, "text", bad));
    assert_true(asprintf(&path, "%s:1", bad) > 0);
    line = json_pack("{s:s,s:s,s:I,s:I,s:[[i,i,i],[i,i,i]],s:[[I,s,s]]}", "series", "peer", "peer",
                     bad, "from_us", (json_int_t)FROM_US, "step_us", (json_int_t)SECOND, "rtt_us",
                     0, 20000, 30000, 1, 20000, 20000, "paths", (json_int_t)FROM_US, path, bad);
    page_series(making.page, line);
    json_decref(line);
    page = making_end(
        &making, FROM_US, FROM_US + 60 * SECOND,
        json_pack("{s:s,s:s,s:{s:i,s:i,s:{s:i},s:{s:i}},s:{},s:[{s:s,s:s,s:s,s:s,s:s,s:s,s:s}]}",
                  "config", bad, "remark", bad, "recording", "moves", 1, "only", 1, "verdicts", bad,
                  1, "triggers", bad, 1, "other", "rows", "in", "other", "peer", bad, "trigger",
                  bad, "kind", bad, "reason", bad, "verdict", bad, "target", bad));
    assert_balanced(page);
    assert_null(strstr(page, "<script"));
    assert_null(strstr(page, "<img"));
    assert_null(strchr(page, '\x1b'));
    assert_null(strstr(page, "\u202e"));
    assert_true(count(page, "&lt;script&gt;alert(1)&lt;/script&gt;") > 20);
    assert_true(count(page, "\\u202e\\x1b[2J") > 20);
    free(path);
    free(page);
}

/* Times and numbers that no clock and no node has. */
static void test_wild_numbers(void **state)
{
    static const int64_t times[] = {0, 1, -1, INT64_MAX, INT64_MIN, 1795993200000000};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(times); i++)
        for (size_t k = 0; k < ARRAY_SIZE(times); k++) {
            struct making making = making_new();
            uint64_t a = (uint64_t)times[i], b = (uint64_t)times[k];
            json_t *line =
                json_pack("{s:s,s:s,s:I,s:I,s:[[I,I,I],[I,I,I]]}", "series", "peer", "peer", "p",
                          "from_us", times[i], "step_us", times[k], "rtt_us", times[k], times[i],
                          times[k], times[i], (json_int_t)1, (json_int_t)5);
            char *page;

            take(&making, decision(a, b, "p", "dead", "migrate", "r"));
            take(&making, outcome(b, b, "p", "migrated"));
            take(&making, effect(a, b, "p", "better"));
            take(&making, uplink(b, "u", "down", "r"));
            take(&making, uplink(a, "u", "up", "r"));
            page_series(making.page, line);
            json_decref(line);
            page = making_end(&making, a, b, NULL);
            assert_balanced(page);
            free(page);
        }
}

/* A million records of ten thousand peers, with the longest names and reasons. */
static void test_many(void **state)
{
    static const char *const verdicts[] = {"migrate", "cooling", "reconnect", "held"};
    static const char *const outcomes[] = {"migrated", "no-path", "timeout"};
    static const char *const effects[] = {"better", "stalled", "same"};
    struct making making = making_new();
    char peer[256], reason[4096], *page;

    (void)state;
    memset(reason, '<', sizeof(reason) - 1);
    reason[sizeof(reason) - 1] = '\0';
    memset(peer, '&', sizeof(peer));
    for (uint64_t i = 1; i <= 60000; i++) {
        snprintf(peer + 240, sizeof(peer) - 240, "%llu", (unsigned long long)(i % 10000));
        take(&making, decision(FROM_US + i * SECOND, i, peer, "dead", verdicts[i % 4],
                               i % 100 ? "r" : reason));
        take(&making, outcome(FROM_US + i * SECOND + 1, i, peer, outcomes[i % 3]));
        take(&making, effect(FROM_US + i * SECOND + 2, i, peer, effects[i % 3]));
        if (i % 10 == 0)
            take(&making, uplink(FROM_US + i * SECOND, peer, i % 20 ? "silent" : "proven", reason));
    }
    page = making_end(&making, FROM_US, FROM_US + 60001 * SECOND, NULL);
    assert_balanced(page);
    assert_non_null(strstr(page, "and 9\u202f980 more"));
    free(page);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_night),      cmocka_unit_test(test_bad_and_not),
        cmocka_unit_test(test_nothing),      cmocka_unit_test(test_hostile),
        cmocka_unit_test(test_wild_numbers), cmocka_unit_test(test_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
