/* SPDX-License-Identifier: Apache-2.0 */
/* Spans of time, as people write and read them. */
#include "check.h"
#include "util/duration.h"

#include <errno.h>

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
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"", "has no number where one must stand"},
        {"min", "has no number where one must stand"},
        {"-1", "is negative"},
        {"1.5s", "has decimals; only whole numbers are read"},
        {"1 week", "lacks a unit of time: us, ms, s, min, h or d"},
        {"1h 30", "lacks a unit of time: us, ms, s, min, h or d"},
        {"99999999999999999999", "is too large"},
        {" 1", "has no number where one must stand"},
        {"1min x", "has no number where one must stand"},
        {"18446744073709551615d", "is too large"},
    };
    const char *why;
    uint64_t us;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(duration_parse(good[i].text, &us, &why), 0);
        assert_int_equal(us, good[i].us);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(duration_parse(bad[i].text, &us, &why), -EINVAL);
        assert_string_equal(why, bad[i].why);
    }
}

static void exactly_and_back(void **state)
{
    static const uint64_t spans[] = {0, 1, 999, 1000, 90000000, 3661001001, UINT64_MAX};
    char text[DURATION_EXACT_SIZE];
    const char *why;
    uint64_t us;

    for (size_t i = 0; i < sizeof(spans) / sizeof(spans[0]); i++) {
        assert_int_equal(duration_parse(duration_exact(text, spans[i]), &us, &why), 0);
        assert_int_equal(us, spans[i]);
    }
    assert_string_equal(duration_exact(text, 90000000), "1min 30s");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans_as_text),
        cmocka_unit_test(text_as_span),
        cmocka_unit_test(exactly_and_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
