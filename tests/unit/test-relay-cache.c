/* SPDX-License-Identifier: Apache-2.0 */
/* plugins/relay/cache.c: what was discovered, as it is kept. */
#include "check.h"

#include "relay/cache.h"

#include <errno.h>

#define NOW_S UINT64_C(1795969200) /* 2026-11-29T16:20:00Z */
#define AT    "\"saved_at\":\"2026-11-29T16:20:00Z\","

static struct cache cache;
static char error[CACHE_ERROR_SIZE];

static int parse(const char *text, uint64_t now_s)
{
    return cache_parse(text, strlen(text), now_s, RELAY_REG_ACK, &cache, error);
}

static void add(struct relay_list *list, const char *text)
{
    assert_null(relay_entry_parse(text, strlen(text), &list->entries[list->count++]));
}

static void test_written_and_read(void **state)
{
    struct relay_list *list = calloc(1, sizeof(*list));
    struct buffer out = {0};

    add(list, "eu=192.0.2.1:4433");
    add(list, "\"q\" \\=[2001:db8::1]:1 pilot");
    cache_format(&out, list, NOW_S);
    buffer_append(&out, "", 1);
    assert_string_equal(
        buffer_bytes(&out),
        "{" AT "\"addrs\":[\"192.0.2.1:4433\",\"[2001:db8::1]:1\"],"
        "\"names\":[\"eu\",\"\\\"q\\\" \\\\\"],\"speaks\":[\"reg-ack\",\"pilot\"]}\n");
    assert_true(cache_is_one(buffer_bytes(&out), 32));
    assert_int_equal(parse(buffer_bytes(&out), NOW_S + 60), 0);
    assert_int_equal(cache.age_s, 60);
    assert_int_equal(cache.list.count, 2);
    assert_string_equal(cache.list.entries[1].name, "\"q\" \\");
    assert_int_equal(cache.list.entries[1].speaks, RELAY_PILOT);
    buffer_clear(&out);
    list->count = 0;
    cache_format(&out, list, NOW_S);
    buffer_append(&out, "", 1);
    assert_int_equal(parse(buffer_bytes(&out), NOW_S), 0);
    assert_int_equal(cache.list.count, 0);
    buffer_clear(&out);
    free(list);
}

/* As the Pilot Protocol writes it. */
static void test_without_names(void **state)
{
    static const char text[] = "{ \"saved_at\": \"2026-11-29T17:19:59.123456789+01:00\", "
                               "\"addrs\": [\"192.0.2.1:4433\"] }";

    assert_int_equal(cache_parse(text, strlen(text), NOW_S, RELAY_PILOT, &cache, error), 0);
    assert_int_equal(cache.age_s, 1);
    assert_string_equal(cache.list.entries[0].name, "192.0.2.1:4433");
    assert_int_equal(cache.list.entries[0].speaks, RELAY_PILOT);
    assert_true(cache_is_one(text, 32));
}

static void test_an_hour(void **state)
{
    static const char text[] = "{" AT "\"addrs\":[\"192.0.2.1:4433\"]}";

    assert_int_equal(parse(text, NOW_S + 3600), 0);
    assert_int_equal(parse(text, NOW_S + 3601), -ESTALE);
    assert_string_equal(error, "it was saved 3601 s ago, and is good for 3600 s");
    assert_int_equal(cache.list.count, 0);
    assert_int_equal(parse(text, NOW_S - 60), 0);
    assert_int_equal(cache.age_s, 0);
    assert_int_equal(parse(text, NOW_S - 61), -ESTALE);
    assert_non_null(strstr(error, "61 s in the future"));
}

static void test_bad(void **state)
{
    static const struct {
        const char *text, *why;
    } bad[] = {
        {"", "no JSON"},
        {"{", "no JSON"},
        {"\xff\xfe", "no JSON"},
        {"[]", "no object"},
        {"7", "no JSON"},
        {"{}", "saved_at"},
        {"{\"saved_at\":1,\"addrs\":[]}", "saved_at"},
        {"{\"saved_at\":\"yesterday\",\"addrs\":[]}", "saved_at"},
        {"{" AT "\"addrs\":[],\"addrs\":[]}", "no JSON"},
        {"{" AT "\"version\":2,\"addrs\":[]}", "another version"},
        {"{" AT "\"version\":\"1\",\"addrs\":[]}", "another version"},
        {"{" AT "\"addrs\":{}}", "addrs"},
        {"{" AT "\"address\":[]}", "addrs"},
        {"{" AT "\"addrs\":[7]}", "relay 1 of it: is no text"},
        {"{" AT "\"addrs\":[\"a.example:1\"]}", "relay 1 of it: not an IP address"},
        {"{" AT "\"addrs\":[\"192.0.2.1:1\\u0000\"]}", "no JSON"},
        {"{" AT "\"addrs\":[\"192.0.2.1:1\",\"0.0.0.0:1\"]}",
         "relay 2 of it: the address is unspec"},
        {"{" AT "\"addrs\":[\"192.0.2.1:1\",\"192.0.2.1:1\"]}", "relay 2 of it: another one"},
        {"{" AT "\"addrs\":[\"192.0.2.1:1\"],\"names\":[]}", "names is not an array"},
        {"{" AT "\"addrs\":[\"192.0.2.1:1\"],\"names\":{}}", "names is not an array"},
        {"{" AT "\"addrs\":[\"192.0.2.1:1\"],\"names\":[null]}", "a name that is no text"},
        {"{" AT "\"addrs\":[\"192.0.2.1:1\"],\"names\":[\"direct\"]}", "\"direct\""},
        {"{" AT "\"addrs\":[\"192.0.2.1:1\"],\"names\":[\"a\\u001b\"]}", "control characters"},
        {"{" AT "\"addrs\":[\"192.0.2.1:1\"],\"speaks\":[3]}", "speaks something"},
        {"{" AT "\"addrs\":[\"192.0.2.1:1\"],\"speaks\":[\"tcp\"]}", "reg-ack and pilot"},
    };

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        int r = parse(bad[i].text, NOW_S);

        if (r != -EBADMSG || !strstr(error, bad[i].why))
            fail_msg("%s: %d, \"%s\", not \"%s\"", bad[i].text, r, error, bad[i].why);
        assert_int_equal(cache.list.count, 0);
    }
}

static void test_too_many_and_too_long(void **state)
{
    struct buffer out = {0};
    char one[64];

    buffer_text(&out, "{" AT "\"addrs\":[");
    for (unsigned i = 0; i < RELAY_LIST_MAX + 1; i++) {
        snprintf(one, sizeof(one), "%s\"192.0.2.1:%u\"", i ? "," : "", i + 1);
        buffer_text(&out, one);
    }
    buffer_text(&out, "]}");
    assert_int_equal(
        cache_parse(buffer_bytes(&out), out.length, NOW_S, RELAY_REG_ACK, &cache, error), -EBADMSG);
    assert_non_null(strstr(error, "65 relays, more than 64"));
    while (out.length <= CACHE_MAX)
        buffer_text(&out, "                                ");
    assert_int_equal(
        cache_parse(buffer_bytes(&out), out.length, NOW_S, RELAY_REG_ACK, &cache, error), -EBADMSG);
    assert_non_null(strstr(error, "longer than"));
    buffer_clear(&out);
    for (unsigned i = 0; i < 100000; i++)
        buffer_text(&out, "[");
    assert_int_equal(
        cache_parse(buffer_bytes(&out), out.length, NOW_S, RELAY_REG_ACK, &cache, error), -EBADMSG);
    buffer_clear(&out);
}

static void test_what_may_be_replaced(void **state)
{
    static const char *const ours[] = {"{\"saved_at\":\"2026", "{ \"saved_at\"",
                                       "\n{\n\"addrs\":["};
    static const char *const others[] = {
        "root:x:0:0:", "{\"version\":1", "{", "{\"saved\"", "[", " "};

    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        assert_true(cache_is_one(ours[i], strlen(ours[i])));
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_false(cache_is_one(others[i], strlen(others[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_written_and_read),
        cmocka_unit_test(test_without_names),
        cmocka_unit_test(test_an_hour),
        cmocka_unit_test(test_bad),
        cmocka_unit_test(test_too_many_and_too_long),
        cmocka_unit_test(test_what_may_be_replaced),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
