/* SPDX-License-Identifier: Apache-2.0 */
/* plugins/relay/version-probe.c: is there a QUIC server? */
#include "check.h"

#include "relay/version-probe.h"

static const uint8_t ids[VERSION_PROBE_RANDOM] = {1,   2,   3,   4,   5,   6,   7,   8,
                                                  101, 102, 103, 104, 105, 106, 107, 108};
/* RFC 9000 §17.2.1: version 0, our source id, our destination id, QUIC version 1. */
static const uint8_t answer[] = {0xe5, 0, 0, 0, 0, 8, 101, 102, 103, 104, 105, 106, 107, 108,
                                 8,    1, 2, 3, 4, 5, 6,   7,   8,   0,   0,   0,   1};

static void test_what_is_asked(void **state)
{
    static const uint8_t head[] = {0xc0, 0x1a, 0x1a, 0x1a, 0x1a, 8,   1,   2,   3,   4,   5,   6,
                                   7,    8,    8,    101,  102,  103, 104, 105, 106, 107, 108, 0};
    uint8_t out[VERSION_PROBE_BYTES];

    version_probe_ask(out, ids);
    assert_memory_equal(out, head, sizeof(head));
    assert_true(sizeof(out) >= 1200);
}

static void test_an_answer(void **state)
{
    uint8_t two[sizeof(answer) + 4] = {0};

    assert_null(version_probe_answer(answer, sizeof(answer), ids));
    memcpy(two, answer, sizeof(answer));
    assert_null(version_probe_answer(two, sizeof(two), ids));
    two[0] = 0x80; /* the other bits are arbitrary */
    assert_null(version_probe_answer(two, sizeof(two), ids));
}

static void test_what_is_none(void **state)
{
    uint8_t bad[sizeof(answer) + 1];

    for (size_t n = 0; n < sizeof(answer); n++)
        assert_non_null(version_probe_answer(answer, n, ids));
    memcpy(bad, answer, sizeof(answer));
    bad[sizeof(answer)] = 0;
    assert_non_null(version_probe_answer(bad, sizeof(bad), ids));
    /* Each bit of the version, of the lengths and of both ids counts. */
    for (size_t bit = 8; bit < 23 * 8; bit++) {
        memcpy(bad, answer, sizeof(answer));
        bad[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_non_null(version_probe_answer(bad, sizeof(answer), ids));
    }
    memcpy(bad, answer, sizeof(answer));
    bad[0] &= 0x7f; /* a short header */
    assert_non_null(version_probe_answer(bad, sizeof(answer), ids));
}

static void test_its_own_echo(void **state)
{
    uint8_t out[VERSION_PROBE_BYTES];

    version_probe_ask(out, ids);
    assert_non_null(version_probe_answer(out, sizeof(out), ids));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_is_asked),
        cmocka_unit_test(test_an_answer),
        cmocka_unit_test(test_what_is_none),
        cmocka_unit_test(test_its_own_echo),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
