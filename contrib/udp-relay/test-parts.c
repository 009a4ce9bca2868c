/* SPDX-License-Identifier: Apache-2.0 */
/* Small parts of the core: rates, the hash, addresses as text, what a datagram says. */
#include "message.h"
#include "rate.h"
#include "relay-lab.h"
#include "util/siphash.h"

/* Those of CPython 3.11, whose key is 0 with PYTHONHASHSEED=0. */
static void the_hash_is_siphash_1_3(void **state)
{
    static const uint64_t key[2] = {0, 0};

    assert_true(siphash(key, "a", 1) == UINT64_C(4644417185603328019));
    assert_true(siphash(key, "abc", 3) == UINT64_C(13851880170939887858));
    assert_true(siphash(key, "abcdefgh", 8) == UINT64_C(4574395652268504554));
    assert_true(siphash(key, "0123456789abcdef0", 17) == UINT64_C(17814194274854507048));
}

static void a_rate_allows_a_burst_and_then_so_many_a_second(void **state)
{
    struct rate rate = {0};
    uint64_t now_us = 77 * S;
    unsigned n = 0;

    while (rate_take(&rate, now_us))
        n++;
    assert_int_equal(n, RELAY_REG_BURST);
    for (n = 0; now_us < 87 * S; now_us += 1000)
        n += rate_take(&rate, now_us);
    assert_in_range(n, 10 * RELAY_REG_PER_S - 1, 10 * RELAY_REG_PER_S + 1);
}

static void nobody_gains_by_pushing_others_out(void **state)
{
    static const uint64_t key[2] = {1, 2};
    struct strangers *strangers = strangers_new(key);
    uint64_t now_us = 77 * S;
    size_t taken = 0, told = 0, places = 1024u * 8;
    struct endpoint ip;

    assert_non_null(strangers);
    assert_int_equal(ip_parse("2001:db8::", &ip), 0);
    for (uint32_t i = 0; i < places * 400; i++, now_us++) { /* in 3.3 s */
        struct rate *rate;

        memcpy(ip.ip + 8, &i, sizeof(i));
        rate = strangers_rate(strangers, &ip, now_us);
        taken += rate_take(rate, now_us);
        told += rate_say(&rate->unknown_us, now_us);
    }
    /* What each place may, whoever comes to it. */
    assert_in_range(taken, places * RELAY_REG_BURST,
                    places * (RELAY_REG_BURST + 4 * RELAY_REG_PER_S));
    assert_in_range(told, places, places * 4);
    strangers_free(strangers);
}

static void who_comes_often_keeps_his_place(void **state)
{
    static const uint64_t key[2] = {1, 2};
    struct strangers *strangers = strangers_new(key);
    struct endpoint regular, ip;
    uint64_t now_us = 77 * S;

    assert_non_null(strangers);
    assert_int_equal(ip_parse("192.0.2.1", &regular), 0);
    assert_int_equal(ip_parse("10.0.0.0", &ip), 0);
    strangers_rate(strangers, &regular, now_us)->unknown_us = 12345;
    for (uint32_t i = 0; i < 1000000; i++) {
        memcpy(ip.ip + 12, &i, sizeof(i));
        now_us++;
        strangers_rate(strangers, &ip, now_us)->unknown_us = 1;
        if (i % 100 == 0)
            assert_int_equal(strangers_rate(strangers, &regular, now_us)->unknown_us, 12345);
    }
    strangers_free(strangers);
}

static void addresses_are_read_and_written(void **state)
{
    static const struct {
        const char *text, *ip, *endpoint;
    } rows[] = {
        {"192.0.2.1", "192.0.2.1", "192.0.2.1:443"},
        {"::ffff:192.0.2.1", "192.0.2.1", "192.0.2.1:443"},
        {"2001:DB8::1", "2001:db8::1", "[2001:db8::1]:443"},
        {"[2001:db8::1]", "2001:db8::1", "[2001:db8::1]:443"},
        {"::", "::", "[::]:443"},
        {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
         "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:443"},
    };
    static const char *const bad[] = {
        "",           "1.2.3", "1.2.3.4.5",    "[::1",      "::1]",     "[]",
        "[1.2.3.4]x", "host",  "fe80::1%eth0", "1.2.3.4:5", "1.2.3.256"};
    char text[ENDPOINT_TEXT_SIZE];
    struct endpoint endpoint;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(ip_parse(rows[i].text, &endpoint), 0);
        endpoint.port = 443;
        assert_string_equal(ip_text(text, &endpoint), rows[i].ip);
        assert_string_equal(endpoint_text(text, &endpoint), rows[i].endpoint);
    }
    endpoint.scope = UINT32_MAX;
    endpoint.port = UINT16_MAX;
    assert_string_equal(endpoint_text(text, &endpoint),
                        "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%4294967295]:65535");
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_not_equal(ip_parse(bad[i], &endpoint), 0);
}

static void a_message_is_told_from_data(void **state)
{
    static const struct {
        const char *text;
        enum message_kind kind;
        const char *id;
    } rows[] = {
        {"", MESSAGE_DATA, ""},
        {"REG", MESSAGE_DATA, ""},
        {"reg:x", MESSAGE_DATA, ""},
        {" REG:x", MESSAGE_DATA, ""},
        {"REG:", MESSAGE_BAD_REG, ""},
        {"REG:x", MESSAGE_REG, "x"},
        {"REG:\v x y \f\r\n", MESSAGE_REG, "x y"},
        {"REG:REG:x", MESSAGE_REG, "REG:x"},
        {"REG:\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", MESSAGE_REG,
         "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80"},
        {"REG:\xc2\xa0", MESSAGE_REG,
         "\xc2\xa0"}, /* no-break space is not trimmed: it is not ASCII */
        {"REG:x\x80", MESSAGE_BAD_REG, ""},
        {"LEASE:x", MESSAGE_DATA, ""},
        {"LEASE:x                                                         ", MESSAGE_LEASE, "x"},
        {"LEASE:                                                          ", MESSAGE_DATA, ""},
    };
    struct message message;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        message_parse(rows[i].text, strlen(rows[i].text), &message);
        assert_int_equal(message.kind, rows[i].kind);
        assert_int_equal(message.id_size, strlen(rows[i].id));
        assert_memory_equal(message.id ? message.id : "", rows[i].id, message.id_size);
    }
}

static void everything_that_is_counted_has_a_name(void **state)
{
    for (unsigned i = 0; i < RELAY_COUNTS; i++)
        for (unsigned k = 0; k < i; k++)
            assert_string_not_equal(relay_count_name(i), relay_count_name(k));
    for (unsigned i = 0; i < RELAY_REASONS; i++)
        assert_string_not_equal(relay_reason_name(i), "unknown");
    for (unsigned i = 0; i < RELAY_EVENT_KINDS; i++)
        assert_string_not_equal(relay_event_name(i), "unknown");
    assert_string_equal(relay_count_name(RELAY_COUNTS), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_hash_is_siphash_1_3),
        cmocka_unit_test(a_rate_allows_a_burst_and_then_so_many_a_second),
        cmocka_unit_test(nobody_gains_by_pushing_others_out),
        cmocka_unit_test(who_comes_often_keeps_his_place),
        cmocka_unit_test(addresses_are_read_and_written),
        cmocka_unit_test(a_message_is_told_from_data),
        cmocka_unit_test(everything_that_is_counted_has_a_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
