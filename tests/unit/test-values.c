/* SPDX-License-Identifier: Apache-2.0 */
/* Values of options: a copy is its own, and what makes two differ. */
#include "check.h"
#include "engine/base/values.h"

static const struct pd_option options[] = {{.name = "one"}, {.name = "two"}, {0}};
static const struct pd_trigger trigger = {.name = "some", .options = options};
static const struct pd_trigger bare = {.name = "bare"};

static void copies(void **state)
{
    char text[] = "eth0";
    const struct pd_value values[] = {{.number = 7, .given = true}, {.text = text}};
    struct pd_value *copy = values_copy(&trigger, values);

    (void)state;
    assert_int_equal(copy[0].number, 7);
    assert_true(copy[0].given);
    assert_null(copy[0].text);
    assert_true(values_equal(&trigger, copy, values));
    text[3] = '1';
    assert_string_equal(copy[1].text, "eth0");
    assert_false(values_equal(&trigger, copy, values));
    assert_null(values_free(&trigger, copy));
}

static void differ(void **state)
{
    const struct pd_value base[] = {{.number = 7, .given = true}, {.text = "a"}};
    const struct pd_value others[][2] = {
        {{.number = 8, .given = true}, {.text = "a"}},
        {{.number = 7}, {.text = "a"}},
        {{.number = 7, .given = true}, {0}},
    };

    (void)state;
    assert_true(values_equal(&trigger, base, base));
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_false(values_equal(&trigger, base, others[i]));
}

static void without_options(void **state)
{
    struct pd_value *copy = values_copy(&bare, NULL);

    (void)state;
    assert_true(values_equal(&bare, copy, NULL));
    values_free(&bare, copy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies),
        cmocka_unit_test(differ),
        cmocka_unit_test(without_options),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
