/* SPDX-License-Identifier: Apache-2.0 */
/* plugins/relay/pilot.c: Discover, and its reply. */
#include "check.h"

#include "relay/pilot.h"

static void test_discover(void **state)
{
    static const uint8_t wanted[] = {0x01, 0x89, 0xab, 0xcd, 0xef};
    uint8_t out[PILOT_DISCOVER_BYTES];

    pilot_discover(out, UINT32_C(0x89abcdef));
    assert_memory_equal(out, wanted, sizeof(wanted));
}

static void test_an_id_that_no_node_has(void **state)
{
    assert_int_equal(pilot_probe_id(0), UINT32_C(0x80000000));
    assert_int_equal(pilot_probe_id(1), UINT32_C(0x80000001));
    assert_int_equal(pilot_probe_id(UINT32_MAX), UINT32_MAX);
}

static void test_replies(void **state)
{
    static const uint8_t four[] = {0x02, 4, 192, 0, 2, 7, 0x11, 0x51};
    static const uint8_t six[] = {0x02, 16, 0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0,
                                  0,    0,  0,    0,    0,    0,    0, 1, 0, 1};
    struct pd_address seen;

    assert_null(pilot_reply_parse(four, sizeof(four), &seen));
    assert_int_equal(seen.family, 4);
    assert_memory_equal(seen.bytes, four + 2, 4);
    assert_int_equal(seen.port, 4433);
    assert_null(pilot_reply_parse(six, sizeof(six), &seen));
    assert_int_equal(seen.family, 6);
    assert_memory_equal(seen.bytes, six + 2, 16);
    assert_int_equal(seen.port, 1);
    /* Each that is cut off, and one that is too long. */
    for (size_t n = 0; n < sizeof(six); n++)
        assert_non_null(pilot_reply_parse(six, n, &seen));
    for (size_t n = 0; n < sizeof(four); n++)
        assert_non_null(pilot_reply_parse(four, n, &seen));
    assert_int_equal(seen.family, 0);
}

static void test_bad_replies(void **state)
{
    static const struct {
        const char *why;
        size_t length;
        uint8_t bytes[24];
    } bad[] = {
        {"no reply", 0, {0}},
        {"no reply", 5, {0x01, 0, 0, 0, 1}},
        {"no reply", 8, {0x04, 4, 192, 0, 2, 7, 0x11, 0x51}}, /* PunchCommand */
        {"neither 4 nor 16", 1, {0x02}},
        {"neither 4 nor 16", 8, {0x02, 0, 192, 0, 2, 7, 0x11, 0x51}},
        {"neither 4 nor 16", 8, {0x02, 255, 192, 0, 2, 7, 0x11, 0x51}},
        {"too short or too long", 8, {0x02, 16, 192, 0, 2, 7, 0x11, 0x51}},
        {"too short or too long", 9, {0x02, 4, 192, 0, 2, 7, 0x11, 0x51, 0}},
        {"no address", 8, {0x02, 4, 0, 0, 0, 0, 0x11, 0x51}},
        {"port 0", 8, {0x02, 4, 192, 0, 2, 7, 0, 0}},
    };
    struct pd_address seen;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const char *why = pilot_reply_parse(bad[i].bytes, bad[i].length, &seen);

        if (!why || !strstr(why, bad[i].why))
            fail_msg("%zu: %s, not %s", i, why ? why : "taken", bad[i].why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_discover),
        cmocka_unit_test(test_an_id_that_no_node_has),
        cmocka_unit_test(test_replies),
        cmocka_unit_test(test_bad_replies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
