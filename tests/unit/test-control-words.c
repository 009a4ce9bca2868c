/* SPDX-License-Identifier: Apache-2.0 */
/* Spans of time, distances between words, filters of records. */
#include "check.h"
#include "control/duration.h"
#include "control/filter.h"
#include "engine/base/text.h"
#include "util/nearest.h"

static void spans_as_text(void **state)
{
    static const struct {
        uint64_t us;
        const char *text;
    } rows[] = {
        {0, "0 us"},
        {999, "999 us"},
        {1000, "1.0 ms"},
        {9999, "9.9 ms"},
        {10000, "10 ms"},
        {999999, "999 ms"},
        {1200000, "1.2 s"},
        {59000000, "59 s"},
        {60000000, "1 min"},
        {65000000, "1 min 5 s"},
        {7800000000, "2 h 10 min"},
        {86400000000, "1 d"},
        {UINT64_MAX, "213503982 d 8 h"},
    };
    char text[DURATION_SIZE];

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_string_equal(duration_text(text, rows[i].us), rows[i].text);
}

static void text_as_span(void **state)
{
    static const struct {
        const char *text;
        uint64_t us;
    } good[] = {
        {"90", 90000000},
        {"10min", 600000000},
        {"1h 30min", 5400000000},
        {"1h30min", 5400000000},
        {"250 ms", 250000},
        {"1d", 86400000000},
        {"0", 0},
        {"7us", 7},
    };
    static const char *const bad[] = {"",     "min",    "-1",
                                      "1.5s", "1 week", "99999999999999999999",
                                      " 1",   "1min x", "18446744073709551615d"};
    uint64_t us;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(duration_parse(good[i].text, &us), 0);
        assert_int_equal(us, good[i].us);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_true(duration_parse(bad[i], &us) < 0);
}

/* The whole table, as it is in the books. */
static unsigned slow_distance(const char *a, const char *b)
{
    size_t n_a = strlen(a), n_b = strlen(b);
    unsigned table[20][20];

    for (size_t i = 0; i <= n_a; i++)
        for (size_t j = 0; j <= n_b; j++) {
            if (!i || !j) {
                table[i][j] = (unsigned)(i + j);
                continue;
            }
            table[i][j] = table[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            if (table[i - 1][j] + 1 < table[i][j])
                table[i][j] = table[i - 1][j] + 1;
            if (table[i][j - 1] + 1 < table[i][j])
                table[i][j] = table[i][j - 1] + 1;
        }
    return table[n_a][n_b] > NEAREST_MOST ? NEAREST_MOST + 1 : table[n_a][n_b];
}

static void random_word(char *word, unsigned *seed)
{
    size_t length = (size_t)rand_r(seed) % 12;

    for (size_t i = 0; i < length; i++)
        word[i] = (char)('a' + rand_r(seed) % 3);
    word[length] = '\0';
}

static void distances(void **state)
{
    unsigned seed = 17;
    char a[16], b[16], long_word[400];

    for (unsigned i = 0; i < 20000; i++) {
        random_word(a, &seed);
        random_word(b, &seed);
        if (edit_distance(a, b) != slow_distance(a, b))
            fail_msg("\"%s\" and \"%s\": %u, not %u", a, b, edit_distance(a, b),
                     slow_distance(a, b));
    }
    memset(long_word, 'x', sizeof(long_word) - 1);
    long_word[sizeof(long_word) - 1] = '\0';
    assert_int_equal(edit_distance(long_word, long_word), NEAREST_MOST + 1);
    long_word[255] = '\0';
    assert_int_equal(edit_distance(long_word, long_word), 0);
    assert_true(near_enough(6, 2));
    assert_false(near_enough(2, 2));
}

static void filters(void **state)
{
    struct record decision = {
        .type = RECORD_DECISION,
        .time_us = 1000,
        .decision = {.subject = {.peer = text_new("a@h")},
                     .decision = 7,
                     .trigger = "srtt:overseas",
                     .verdict = VERDICT_COOLING},
    };
    struct record notice = {.type = RECORD_NOTICE, .time_us = 1000};
    struct filter filter = {.verdict = -1, .types = 1u << RECORD_DECISION | 1u << RECORD_OUTCOME};

    assert_true(filter_fits(&filter, &decision));
    assert_false(filter_fits(&filter, &notice));
    filter.trigger = (char *)"srtt";
    assert_true(filter_fits(&filter, &decision));
    filter.trigger = (char *)"srt";
    assert_false(filter_fits(&filter, &decision));
    filter.trigger = (char *)"srtt:overseas";
    filter.verdict = VERDICT_COOLING;
    filter.peer = (char *)"a@*";
    filter.decision = 7;
    filter.since_us = 1000;
    assert_true(filter_fits(&filter, &decision));
    filter.since_us = 1001;
    assert_false(filter_fits(&filter, &decision));
    filter.since_us = 0;
    filter.verdict = VERDICT_MIGRATE;
    assert_false(filter_fits(&filter, &decision));
    filter.verdict = -1;
    filter.peer = (char *)"b@*";
    assert_false(filter_fits(&filter, &decision));
    filter = (struct filter){.verdict = -1, .types = UINT32_MAX, .peer = (char *)"*"};
    assert_false(filter_fits(&filter, &notice)); /* it is about nobody */
    text_unref(decision.decision.subject.peer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_as_text),
        cmocka_unit_test(text_as_span),
        cmocka_unit_test(distances),
        cmocka_unit_test(filters),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
