/* SPDX-License-Identifier: Apache-2.0 */
/* Flows as text and back, as keys of a table. */
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "tuple.h"

static const char *const texts[] = {
    "udp:192.0.2.7:443#192.0.2.1:57126",
    "udp:[2001:db8::7]:443#[2001:db8::1]:57126",
    "udp:255.255.255.255:65535#255.255.255.255:65535",
    ("udp:[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535#"
     "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"),
    "udp:0.0.0.0:0#0.0.0.0:0",
    "udp:[::ffff:192.0.2.1]:1#[::]:2",
};

static void test_text_and_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(*texts); i++) {
        char text[TUPLE_TEXT_SIZE];
        struct flow_tuple tuple, again;

        assert_int_equal(tuple_parse(texts[i], &tuple), 0);
        assert_int_equal(tuple.protocol, IPPROTO_UDP);
        assert_string_equal(tuple_text_full(text, &tuple), texts[i]);
        assert_int_equal(tuple_parse(text, &again), 0);
        assert_true(tuple_is_equal(&tuple, &again));
    }
}

static void test_the_short_form_has_no_client_address(void **state)
{
    static const uint8_t none[16];
    char text[TUPLE_TEXT_SIZE], end[TUPLE_END_SIZE];
    struct flow_tuple tuple, full;

    (void)state;
    assert_int_equal(tuple_parse("udp:192.0.2.7:443#57126", &tuple), 0);
    assert_int_equal(tuple.family, 4);
    assert_int_equal(tuple.sport, 57126);
    assert_int_equal(tuple.dport, 443);
    assert_memory_equal(tuple.daddr, "\xc0\x00\x02\x07", 4);
    assert_memory_equal(tuple.saddr, none, sizeof(none));
    assert_string_equal(tuple_text(text, &tuple), "udp:192.0.2.7:443#57126");
    assert_int_equal(tuple_parse(texts[1], &full), 0);
    assert_string_equal(tuple_text(text, &full), "udp:[2001:db8::7]:443#57126");
    assert_string_equal(tuple_client_text(end, &full), "[2001:db8::1]:57126");
    assert_string_equal(tuple_server_text(end, &full), "[2001:db8::7]:443");
}

static void test_what_is_no_flow(void **state)
{
    static const char *const wrong[] = {
        "",
        "udp:",
        "tcp:192.0.2.7:443#57126",
        "udp:192.0.2.7:443",
        "udp:192.0.2.7:443#",
        "udp:192.0.2.7#57126",
        "udp:192.0.2.7:#57126",
        "udp:192.0.2.7:443#65536",
        "udp:192.0.2.7:443#-1",
        "udp:192.0.2.7:443# 1",
        "udp:192.0.2.7:443#000001",
        "udp:192.0.2.7:443#1 ",
        "udp:192.0.2.256:443#1",
        "udp:2001:db8::7:443#1",
        "udp:[2001:db8::7:443#1",
        "udp:[]:443#1",
        "udp:[192.0.2.7]:443#1",
        "udp:192.0.2.7:443#[2001:db8::1]:1",
        "udp:[2001:db8::7]:443#192.0.2.1:1",
        "udp:[11111111111111111111111111111111111111111111111111111111]:443#1",
        "udp:[fe80::1%lo]:443#1",
    };
    static const struct flow_tuple zero;

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
        struct flow_tuple tuple;

        memset(&tuple, 0xff, sizeof(tuple));
        if (tuple_parse(wrong[i], &tuple) == 0)
            fail_msg("\"%s\" was read", wrong[i]);
        assert_memory_equal(&tuple, &zero, sizeof(zero));
    }
}

static void test_each_part_counts(void **state)
{
    static const char *const others[] = {
        "udp:192.0.2.8:443#192.0.2.1:57126",       "udp:192.0.2.7:444#192.0.2.1:57126",
        "udp:192.0.2.7:443#192.0.2.2:57126",       "udp:192.0.2.7:443#192.0.2.1:57127",
        "udp:[c000:207::]:443#[c000:201::]:57126",
    };
    static const uint64_t key[2] = {1, 2}, another[2] = {1, 3};
    struct flow_tuple a, b;

    (void)state;
    assert_int_equal(tuple_parse(texts[0], &a), 0);
    assert_true(tuple_hash(key, &a) != tuple_hash(another, &a));
    for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
        assert_int_equal(tuple_parse(others[i], &b), 0);
        assert_false(tuple_is_equal(&a, &b));
        assert_true(tuple_hash(key, &a) != tuple_hash(key, &b));
    }
    assert_int_equal(tuple_parse(texts[0], &b), 0);
    assert_true(tuple_hash(key, &a) == tuple_hash(key, &b));
    b.protocol = IPPROTO_TCP;
    assert_false(tuple_is_equal(&a, &b));
    assert_true(tuple_hash(key, &a) != tuple_hash(key, &b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_and_back),
        cmocka_unit_test(test_the_short_form_has_no_client_address),
        cmocka_unit_test(test_what_is_no_flow),
        cmocka_unit_test(test_each_part_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
