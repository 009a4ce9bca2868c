/* SPDX-License-Identifier: Apache-2.0 */
/* util/hex.[ch]: bytes as hexadecimal digits. */
#include <string.h>

#include "check.h"
#include "util/hex.h"

static bool is(const char *text, size_t max)
{
    return hex_is_bytes(text, strlen(text), max);
}

static void test_is_bytes(void **state)
{
    (void)state;
    assert_true(is("00", 1));
    assert_true(is("09afAF", 3));
    assert_false(is("09afAF", 2));
    assert_false(is("", 3));
    assert_false(is("0", 3));
    assert_false(is("0g", 3));
    assert_false(is("0x", 3));
    assert_false(is(" 0", 3));
    assert_false(is("@G", 3)); /* beside the digits in ASCII */
    assert_false(is("`g", 3));
    assert_false(is(":/", 3));
    assert_false(hex_is_bytes("0\0", 2, 3));
}

static void test_take(void **state)
{
    uint8_t out[4] = {9, 9, 9, 9};

    (void)state;
    assert_int_equal(hex_take("00fF1a", 6, out, 4), 3);
    assert_memory_equal(out, "\x00\xff\x1a\x09", 4);
    assert_int_equal(hex_take("0102030405", 10, out, 4), 4);
    assert_memory_equal(out, "\x01\x02\x03\x04", 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_is_bytes),
        cmocka_unit_test(test_take),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
