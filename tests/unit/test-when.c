/* SPDX-License-Identifier: Apache-2.0 */
/* watchdog/ctl/when.c: moments with their zone. */
#include "check.h"

#include <time.h>

#include "ctl/when.h"

/* 2026-03-29 12:00:00 UTC; in Berlin the clocks went forward that night. */
#define NOON_US UINT64_C(1774785600000000)

static void zone(const char *name)
{
    setenv("TZ", name, 1);
    tzset();
}

static void texts(void **state)
{
    static const struct {
        const char *text;
        int64_t after_us; /* noon */
    } rows[] = {
        {"now", 0},
        {"10min", -600000000},
        {"-10min", -600000000},
        {"1h 30min", -5400000000},
        {"2026-03-29 14:00:00", 0},
        {"2026-03-29 14:00", 0},
        {"2026-03-29 14:00:00 +0200", 0},
        {"2026-03-29 11:00:00 -0100", 0},
        {"2026-03-29 12:00 +0000", 0},
        {"14:00:01", 1000000},
        {"15:00", 3600000000},
        {"today", -46800000000}, /* midnight was before the change */
        {"2026-03-29", -46800000000},
        {"yesterday", -46800000000 - 86400000000},
        {"@1774785600", 0},
        {"@1774785601500000us", 1500000},
    };

    zone("Europe/Berlin");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t got_us;

        assert_true(when_parse(rows[i].text, NOON_US, &got_us));
        assert_int_equal(got_us, NOON_US + (uint64_t)rows[i].after_us);
    }
}

static void what_is_no_moment(void **state)
{
    static const char *const texts[] = {
        "",           "once", "14:", "14:00 ",       "25:00",
        "2026-13-01", "@",    "@x",  "5 fortnights", "2026-03-29 14:00:00 zone"};
    uint64_t us;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_false(when_parse(texts[i], NOON_US, &us));
}

static void formats(void **state)
{
    char text[WHEN_SIZE];
    uint64_t us;

    zone("Europe/Berlin");
    assert_string_equal(when_format(text, NOON_US + 1234567, true),
                        "2026-03-29 14:00:01.234 +0200");
    assert_string_equal(when_format(text, NOON_US, false), "2026-03-29 14:00:00 +0200");
    assert_string_equal(when_format(text, NOON_US - 43200000000, false),
                        "2026-03-29 01:00:00 +0100");
    assert_true(when_parse(text, NOON_US, &us));
    assert_int_equal(us, NOON_US - 43200000000);
    when_format(text, UINT64_MAX, true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts),
        cmocka_unit_test(what_is_no_moment),
        cmocka_unit_test(formats),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
