/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "varlink/shape.h"

static sd_json_variant *parsed(const char *text)
{
    sd_json_variant *value = NULL;

    assert_int_equal(sd_json_parse(text, 0, &value, NULL, NULL), 0);
    return value;
}

/* What of `text` the method's answer (or its parameters) has, as text; the name of what is wrong
 * where that is what is found. */
static void check(const char *symbol, sd_varlink_field_direction_t direction, const char *text,
                  const char *expected)
{
    sd_json_variant *value = text ? parsed(text) : NULL, *shaped = NULL;
    const char *bad = NULL;
    char *is = NULL;
    int r = shape(interface_symbol(symbol), direction, value, &shaped, &bad);

    if (r == 0) {
        assert_true(sd_json_variant_format(shaped, 0, &is) >= 0);
        assert_string_equal(is, expected);
    } else {
        assert_int_equal(r, -EINVAL);
        assert_string_equal(bad ? bad : "no object", expected);
    }
    free(is);
    sd_json_variant_unref(shaped);
    sd_json_variant_unref(value);
}

static void test_only_what_the_interface_has(void **state)
{
    (void)state;
    check("SetMode", SD_VARLINK_OUTPUT, "{\"new\":1,\"mode\":\"active\",\"before\":\"observe\"}",
          "{\"mode\":\"active\",\"before\":\"observe\"}");
    check("SetMode", SD_VARLINK_INPUT, "{\"mode\":\"active\",\"before\":\"observe\"}",
          "{\"mode\":\"active\"}");
    check("GetStatus", SD_VARLINK_INPUT, "{}", "{}");
    check("GetStatus", SD_VARLINK_INPUT, NULL, "{}");
}

static void test_null_where_it_may_be(void **state)
{
    (void)state;
    check("Reload", SD_VARLINK_OUTPUT, "{\"reloaded\":true,\"not_in_force\":null}",
          "{\"reloaded\":true,\"not_in_force\":null}");
    check("Reload", SD_VARLINK_OUTPUT, "{\"reloaded\":true}", "{\"reloaded\":true}");
    check("Reload", SD_VARLINK_OUTPUT, "{\"reloaded\":null}", "reloaded");
}

static void test_what_is_missing_or_wrong_is_named(void **state)
{
    (void)state;
    check("Reload", SD_VARLINK_OUTPUT, "{}", "reloaded");
    check("Reload", SD_VARLINK_OUTPUT, "{\"reloaded\":1}", "reloaded");
    check("Reload", SD_VARLINK_OUTPUT, "[]", "no object");
    check("SetMode", SD_VARLINK_OUTPUT, "{\"mode\":\"fast\",\"before\":\"active\"}", "mode");
    check("Explain", SD_VARLINK_INPUT, "{\"peer\":7}", "peer");
    check("Hold", SD_VARLINK_OUTPUT,
          "{\"held\":true,\"all_held\":false,\"n_held\":1,\"names\":[\"a\",2]}", "names");
    check("Hold", SD_VARLINK_OUTPUT,
          "{\"held\":true,\"all_held\":false,\"n_held\":1.5,\"names\":[]}", "n_held");
    check("NoSuchPeer", SD_VARLINK_REGULAR, "{\"peer\":\"a\",\"begins\":\"b\"}", "begins");
}

/* The innermost member is named. */
static void test_types_within_types(void **state)
{
    (void)state;
    check("ListRelays", SD_VARLINK_OUTPUT,
          "{\"relays\":[{\"relay\":\"a\",\"pick\":false,\"peers\":0,\"odd\":[1]}],\"peers\":[]}",
          "{\"relays\":[{\"relay\":\"a\",\"pick\":false,\"peers\":0}],\"peers\":[]}");
    check("ListRelays", SD_VARLINK_OUTPUT,
          "{\"relays\":[{\"relay\":\"a\",\"pick\":\"no\",\"peers\":0}],\"peers\":[]}", "pick");
    check("ListRelays", SD_VARLINK_OUTPUT, "{\"relays\":[7],\"peers\":[]}", "relays");
    check("FollowDecisions", SD_VARLINK_OUTPUT,
          "{\"other\":{\"any\":[{}]},\"dropped\":18446744073709551615}",
          "{\"other\":{\"any\":[{}]},\"dropped\":18446744073709551615}");
}

static void test_members(void **state)
{
    sd_json_variant *value = parsed("{\"a\":\"b\",\"n\":7,\"null\":null,\"neg\":-1}");

    (void)state;
    assert_string_equal(text_of(value, "a"), "b");
    assert_string_equal(text_of(value, "n"), "");
    assert_string_equal(text_of(NULL, "a"), "");
    assert_int_equal(number_of(value, "n"), 7);
    assert_int_equal(number_of(value, "neg"), 0);
    assert_null(member(value, "null"));
    assert_null(member(value, "none"));
    assert_non_null(member(value, "a"));
    sd_json_variant_unref(value);
}

static void test_symbols(void **state)
{
    (void)state;
    assert_non_null(interface_symbol("Migrate"));
    assert_non_null(interface_symbol("Busy"));
    assert_null(interface_symbol("Peer")); /* a type */
    assert_null(interface_symbol("Nothing"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_what_the_interface_has),
        cmocka_unit_test(test_null_where_it_may_be),
        cmocka_unit_test(test_what_is_missing_or_wrong_is_named),
        cmocka_unit_test(test_types_within_types),
        cmocka_unit_test(test_members),
        cmocka_unit_test(test_symbols),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
