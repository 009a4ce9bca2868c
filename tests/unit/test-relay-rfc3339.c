/* SPDX-License-Identifier: Apache-2.0 */
/* plugins/relay/rfc3339.c: times, compared with the C library's. */
#include "check.h"

#include "relay/rfc3339.h"

#include <errno.h>
#include <time.h>

static void test_good(void **state)
{
    static const struct {
        const char *text;
        uint64_t s;
    } good[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2026-11-29T16:20:00Z", 1795969200},
        {"2026-11-29t16:20:00z", 1795969200},
        {"2026-11-29 16:20:00Z", 1795969200},
        {"2026-11-29T17:50:00+01:30", 1795969200},
        {"2026-11-29T08:20:00-08:00", 1795969200},
        {"2026-11-29T16:20:00.999999999Z", 1795969200},
        {"2026-11-29T16:20:00.1+00:00", 1795969200},
        {"2024-02-29T00:00:00Z", 1709164800},
        {"2016-12-31T23:59:60Z", 1483228800}, /* a leap second */
        {"9999-12-31T23:59:59Z", UINT64_C(253402300799)},
    };
    uint64_t s = 1;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        if (rfc3339_parse(good[i].text, strlen(good[i].text), &s) < 0 || s != good[i].s)
            fail_msg("%s: %llu", good[i].text, (unsigned long long)s);
    }
}

static void test_bad(void **state)
{
    static const char *const bad[] = {
        "",
        "2026",
        "2026-11-29",
        "2026-11-29T16:20:00",
        "2026-11-29T16:20Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-11-31T00:00:00Z",
        "2025-02-29T00:00:00Z",
        "2100-02-29T00:00:00Z",
        "2026-11-29T24:00:00Z",
        "2026-11-29T16:60:00Z",
        "2026-11-29T16:20:61Z",
        "2026-11-29T16:20:00.Z",
        "2026-11-29T16:20:00+24:00",
        "2026-11-29T16:20:00+1:00",
        "2026-11-29T16:20:00+01:60",
        "2026-11-29T16:20:00ZZ",
        "2026-11-29T16:20:00Z ",
        " 2026-11-29T16:20:00Z",
        "1969-12-31T23:59:59Z",
        "0000-00-00T00:00:00Z",
        "+026-11-29T16:20:00Z",
        "2026-11-29X16:20:00Z",
        "9999-12-31T23:59:60Z",
    };
    uint64_t s = 7;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (rfc3339_parse(bad[i], strlen(bad[i]), &s) != -EINVAL || s != 7)
            fail_msg("\"%s\" was taken", bad[i]);
    }
    assert_int_equal(rfc3339_parse("2026-11-29T16:20:00Z", 19, &s), -EINVAL); /* cut off */
}

/* Each day to the year 2400, both ways. */
static void test_as_the_c_library_has_it(void **state)
{
    char text[RFC3339_SIZE], wanted[64];
    uint64_t again;

    for (uint64_t s = 11 * 3600 + 59; s < UINT64_C(13569465600); s += 86400 + 1) {
        time_t at = (time_t)s;
        struct tm tm;

        assert_non_null(gmtime_r(&at, &tm));
        strftime(wanted, sizeof(wanted), "%Y-%m-%dT%H:%M:%SZ", &tm);
        rfc3339_format(s, text);
        assert_string_equal(text, wanted);
        assert_int_equal(rfc3339_parse(text, strlen(text), &again), 0);
        assert_int_equal(again, s);
    }
    rfc3339_format(UINT64_MAX, text);
    assert_string_equal(text, "9999-12-31T23:59:59Z");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_as_the_c_library_has_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
