/* SPDX-License-Identifier: Apache-2.0 */
/* util/address.[ch]: what is read, what is refused, what counts as absent. */
#include "check.h"

#include <errno.h>

#include "util/address.h"
#include "util/util.h"

static void check(const char *text, const char *formatted)
{
    struct pd_address address;
    char out[ADDRESS_TEXT_MAX];

    memset(&address, 0xaa, sizeof(address));
    if (address_parse(text, &address) != 0)
        fail_msg("%s was refused", text);
    address_format(&address, out);
    assert_string_equal(out, formatted);
}

static void test_read(void **state)
{
    check("192.0.2.1:443", "192.0.2.1:443");
    check("192.0.2.1:0", "192.0.2.1:0");
    check("255.255.255.255:65535", "255.255.255.255:65535");
    check("[2001:db8::1]:443", "[2001:db8::1]:443");
    check("[2001:0DB8:0:0::1]:1", "[2001:db8::1]:1");
    check("[fe80::1%eth0]:443", "[fe80::1%eth0]:443");
    check("[fe80::1%fifteen-letters]:1", "[fe80::1%fifteen-letters]:1");
    check("[::1]:80", "[::1]:80");
    check("[::2]:80", "[::2]:80");
}

static void test_values(void **state)
{
    struct pd_address address;
    static const uint8_t v6[16] = {0xfe, 0x80, [15] = 1};
    static const uint8_t v4[16] = {192, 0, 2, 1};

    assert_int_equal(address_parse("[fe80::1%eth0]:443", &address), 0);
    assert_int_equal(address.family, 6);
    assert_int_equal(address.port, 443);
    assert_string_equal(address.scope, "eth0");
    assert_memory_equal(address.bytes, v6, 16);

    assert_int_equal(address_parse("192.0.2.1:9", &address), 0);
    assert_int_equal(address.family, 4);
    assert_int_equal(address.port, 9);
    assert_string_equal(address.scope, "");
    assert_memory_equal(address.bytes, v4, 16);
}

static void test_mapped_is_ipv4(void **state)
{
    struct pd_address mapped, plain;

    assert_int_equal(address_parse("[::ffff:192.0.2.1]:443", &mapped), 0);
    assert_int_equal(address_parse("192.0.2.1:443", &plain), 0);
    assert_memory_equal(&mapped, &plain, sizeof(plain));
}

/* Only a link-local address means something else on another interface. */
static void test_scope_of_others_is_dropped(void **state)
{
    check("[2001:db8::1%eth0]:443", "[2001:db8::1]:443");
    check("[febf::1%eth0]:443", "[febf::1%eth0]:443");
    check("[fec0::1%eth0]:443", "[fec0::1]:443");
}

static void test_unspecified_is_absent(void **state)
{
    static const char *const texts[] = {"0.0.0.0:9100", "[::]:9100", "[::ffff:0.0.0.0]:9100",
                                        "[0:0::0]:1"};
    const struct pd_address absent = {0};

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct pd_address address;

        memset(&address, 0xaa, sizeof(address));
        assert_int_equal(address_parse(texts[i], &address), 0);
        assert_memory_equal(&address, &absent, sizeof(absent));
    }
}

static void test_refused(void **state)
{
    static const char *const texts[] = {
        "",
        " ",
        ":",
        "[",
        "]",
        "[]",
        "[]:",
        "[]:1",
        ":1",
        "192.0.2.1",
        "192.0.2.1:",
        "localhost:443",
        "192.0.2.1:65536",
        "192.0.2.1:-1",
        "192.0.2.1:+1",
        "192.0.2.1:https",
        "192.0.2.1: 1",
        "192.0.2.1:443x",
        "192.0.2.1:000443",
        "192.0.2.256:443",
        "192.0.2:443",
        " 192.0.2.1:443",
        "2001:db8::1:443",
        "[2001:db8::1:443",
        "[2001:db8::1]",
        "[2001:db8::1]1",
        "[2001:db8::1]x:1",
        "[2001::db8::1]:443",
        "[192.0.2.1]:443",
        "[fe80::1%]:443",
        "[fe80::1%sixteen-letters!]:1",
        "[fe80::1%a/b]:1",
        "[fe80::1%a b]:1",
        "[fe80::1%a%b]:1",
        "192.0.2.1%eth0:1",
        "[::1]:443 ",
        "[::1]:99999",
    };
    const struct pd_address absent = {0};

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
        struct pd_address address;

        memset(&address, 0xaa, sizeof(address));
        if (address_parse(texts[i], &address) != -EINVAL)
            fail_msg("%s was read", texts[i]);
        assert_memory_equal(&address, &absent, sizeof(absent));
    }
}

static void test_long(void **state)
{
    char text[5000];
    struct pd_address address;

    memset(text, '1', sizeof(text));
    memcpy(text + sizeof(text) - 3, ":1", 3);
    assert_int_equal(address_parse(text, &address), -EINVAL);
    text[0] = '[';
    memcpy(text + sizeof(text) - 4, "]:1", 4);
    assert_int_equal(address_parse(text, &address), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_mapped_is_ipv4),
        cmocka_unit_test(test_scope_of_others_is_dropped),
        cmocka_unit_test(test_unspecified_is_absent),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
