/* SPDX-License-Identifier: Apache-2.0 */
/* The node's list of relays. */
#include "node-kit-fixture.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* One entry of a list that was told. */
static void expect_relay(const json_t *list, size_t i, const char *relay, const char *address,
                         const char *speaks)
{
    const json_t *entry = json_array_get(list, i);

    assert_int_equal(json_object_size(entry), 3);
    assert_string_equal(json_string_value(json_object_get(entry, "relay")), relay);
    assert_string_equal(json_string_value(json_object_get(entry, "address")), address);
    assert_string_equal(json_string_value(json_object_get(entry, "speaks")), speaks);
}

/* Before anybody is there; to each that comes; anew when they change. */
static void test_relays(void **state)
{
    struct fixture *f = *state;
    const struct pathdog_node_relay relays[] = {{"ams", "192.0.2.1:4433", NULL},
                                                {"fra", "[2001:db8::1]:4433", "pilot"}};
    json_t *m, *params;

    assert_int_equal(pathdog_node_relays(f->kit, relays, 2, "00ff"), 0);
    kit_say(f, HELLO);
    json_decref(kit_expect_result(f, 1));
    kit_expect_nothing(f);
    for (int i = 0; i < 2; i++) {
        kit_say(f, SUBSCRIBE);
        m = kit_get(f);
        assert_string_equal(json_string_value(json_object_get(m, "method")), "relays");
        params = json_object_get(m, "params");
        assert_string_equal(json_string_value(json_object_get(params, "key")), "00ff");
        params = json_object_get(params, "relays");
        assert_int_equal(json_array_size(params), 2);
        expect_relay(params, 0, "ams", "192.0.2.1:4433", "reg-ack");
        expect_relay(params, 1, "fra", "[2001:db8::1]:4433", "pilot");
        json_decref(m);
        json_decref(kit_expect_result(f, 2));
    }
    assert_int_equal(pathdog_node_relays(f->kit, NULL, 0, NULL), 0);
    m = kit_get(f);
    params = json_object_get(m, "params");
    assert_null(json_object_get(params, "key"));
    assert_int_equal(json_array_size(json_object_get(params, "relays")), 0);
    assert_true(json_is_array(json_object_get(params, "relays")));
    json_decref(m);
    kit_expect_nothing(f);
}

static void test_relays_that_are_wrong(void **state)
{
    struct fixture *f = *state;
    char name[300], names[PATHDOG_NODE_RELAYS_MAX + 1][8];
    const char *bad[] = {NULL, "", "a\nb", "a\x7f", "a\xc2\x85", "a\xff", "direct", name};
    struct pathdog_node_relay many[PATHDOG_NODE_RELAYS_MAX + 1];

    kit_start(f);
    memset(name, 'n', 256);
    name[256] = '\0';
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const struct pathdog_node_relay relays[] = {{"a", "192.0.2.1:1", NULL},
                                                    {bad[i], "192.0.2.1:2", NULL}};

        assert_int_equal(pathdog_node_relays(f->kit, relays, 2, NULL), -EINVAL);
    }
    for (size_t i = 0; i < PATHDOG_NODE_RELAYS_MAX + 1; i++) {
        snprintf(names[i], sizeof(names[i]), "r%zu", i);
        many[i] = (struct pathdog_node_relay){names[i], "192.0.2.1:1", NULL};
    }
    assert_int_equal(pathdog_node_relays(f->kit, many, PATHDOG_NODE_RELAYS_MAX + 1, NULL), -EINVAL);
    many[1].relay = "r0";
    assert_int_equal(pathdog_node_relays(f->kit, many, 2, NULL), -EINVAL); /* twice */
    many[1] = (struct pathdog_node_relay){"r1", NULL, NULL};
    assert_int_equal(pathdog_node_relays(f->kit, many, 2, NULL), -EINVAL);
    kit_expect_nothing(f);
    many[1].relay = names[1];
    many[1].address = "192.0.2.1:1";
    name[255] = '\0';
    many[0].relay = name;
    assert_int_equal(pathdog_node_relays(f->kit, many, PATHDOG_NODE_RELAYS_MAX, NULL), 0);
    json_decref(kit_get(f));
    kit_expect_nothing(f);
}

static void test_relays_without_the_feature(void **state)
{
    struct fixture *f = *state;
    const struct pathdog_node_relay relay = {"ams", "192.0.2.1:4433", NULL};

    kit_start(f);
    assert_int_equal(pathdog_node_relays(f->kit, &relay, 1, NULL), -EINVAL);
    kit_expect_nothing(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_relays, kit_setup_with_relays, kit_teardown),
        cmocka_unit_test_setup_teardown(test_relays_that_are_wrong, kit_setup_with_relays,
                                        kit_teardown),
        cmocka_unit_test_setup_teardown(test_relays_without_the_feature, kit_setup, kit_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
