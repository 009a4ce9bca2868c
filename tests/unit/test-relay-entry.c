/* SPDX-License-Identifier: Apache-2.0 */
/* plugins/relay/entry.c: one relay, as it is written. */
#include "check.h"

#include "relay/entry.h"

static const char *parse(const char *text, struct relay_entry *entry)
{
    return relay_entry_parse(text, strlen(text), entry);
}

static void test_good(void **state)
{
    static const struct {
        const char *text, *name, *address, *written;
        enum relay_speaks speaks;
        bool given;
    } good[] = {
        {"eu=192.0.2.1:4433", "eu", "192.0.2.1:4433", "eu=192.0.2.1:4433 reg-ack", RELAY_REG_ACK,
         false},
        {" \teu = 192.0.2.1:4433 \t pilot  ", "eu", "192.0.2.1:4433", "eu=192.0.2.1:4433 pilot",
         RELAY_PILOT, true},
        {"six=[2001:DB8:0:0::1]:1 reg-ack", "six", "[2001:db8::1]:1", "six=[2001:db8::1]:1 reg-ack",
         RELAY_REG_ACK, true},
        {"a b=c=[::ffff:10.0.0.1]:65535", "a b=c", "10.0.0.1:65535", "a b=c=10.0.0.1:65535 reg-ack",
         RELAY_REG_ACK, false},
        {"f\xc3\xbcnf=[fe80::1%eth0]:9\tpilot", "f\xc3\xbcnf", "[fe80::1%eth0]:9",
         "f\xc3\xbcnf=[fe80::1%eth0]:9 pilot", RELAY_PILOT, true},
        {"directly=127.0.0.1:7", "directly", "127.0.0.1:7", "directly=127.0.0.1:7 reg-ack",
         RELAY_REG_ACK, false},
    };
    char written[RELAY_ENTRY_MAX];
    struct relay_entry entry, again;

    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_null(parse(good[i].text, &entry));
        assert_string_equal(entry.name, good[i].name);
        assert_string_equal(entry.address_text, good[i].address);
        assert_int_equal(entry.speaks, good[i].speaks);
        assert_int_equal(entry.speaks_given, good[i].given);
        assert_int_equal(relay_entry_format(&entry, written), strlen(good[i].written));
        assert_string_equal(written, good[i].written);
        assert_null(parse(written, &again));
        assert_string_equal(again.name, entry.name);
        assert_memory_equal(&again.address, &entry.address, sizeof(entry.address));
        assert_int_equal(again.speaks, entry.speaks);
    }
}

static void test_bad(void **state)
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"", "there is no ="},
        {"192.0.2.1:4433", "there is no ="},
        {"=192.0.2.1:4433", "the name is empty"},
        {"  = 192.0.2.1:4433", "the name is empty"},
        {"direct=192.0.2.1:4433", "\"direct\""},
        {"a\x1b[31m=192.0.2.1:4433", "control characters"},
        {"a\xff=192.0.2.1:4433", "not UTF-8"},
        {"eu=", "not an IP address"},
        {"eu=relay.example:4433", "not an IP address"},
        {"eu=192.0.2.1", "not an IP address"},
        {"eu=192.0.2.1:65536", "not an IP address"},
        {"eu=192.0.2.256:1", "not an IP address"},
        {"eu=2001:db8::1:4433", "not an IP address"},
        {"eu=[2001:db8::1]", "not an IP address"},
        {"eu=192.0.2.1:0", "the port is 0"},
        {"eu=0.0.0.0:4433", "unspecified"},
        {"eu=[::]:4433", "unspecified"},
        {"eu=192.0.2.1:4433 quic", "reg-ack and pilot"},
        {"eu=192.0.2.1:4433 pilot x", "reg-ack and pilot"},
        {"eu=192.0.2.1:4433 PILOT", "reg-ack and pilot"},
        {"eu=192.0.2.1:4433,pilot", "not an IP address"},
    };
    struct relay_entry entry;

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        const char *why = parse(bad[i].text, &entry);

        if (!why || !strstr(why, bad[i].why))
            fail_msg("\"%s\": %s, not %s", bad[i].text, why ? why : "taken", bad[i].why);
    }
    assert_non_null(relay_entry_parse("eu=1.2.3.4:5\0x", 14, &entry)); /* a NUL ends nothing */
    assert_non_null(relay_entry_parse("e\0u=1.2.3.4:5", 13, &entry));
}

static void test_the_longest(void **state)
{
    char text[400], written[RELAY_ENTRY_MAX];
    struct relay_entry entry;

    memset(text, 'n', sizeof(text));
    strcpy(text + RELAY_NAME_MAX,
           "=[fe80:1111:2222:3333:4444:5555:6666:7777%abcdefghijklmno]:65535 reg-ack");
    assert_null(parse(text, &entry));
    assert_int_equal(relay_entry_format(&entry, written), strlen(text));
    assert_string_equal(written, text);
    memset(text, 'n', sizeof(text));
    strcpy(text + RELAY_NAME_MAX + 1, "=1.2.3.4:5");
    assert_non_null(strstr(parse(text, &entry), "longer than 255"));
    memset(text, '1', sizeof(text) - 1);
    memcpy(text, "eu=", 3);
    text[sizeof(text) - 1] = '\0';
    assert_non_null(parse(text, &entry));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_the_longest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
