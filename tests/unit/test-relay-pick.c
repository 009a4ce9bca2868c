/* SPDX-License-Identifier: Apache-2.0 */
/* plugins/relay/pick.c: the list, the pick by the key, and when a faster relay is taken instead. */
#include "check.h"

#include "relay/pick.h"

#include <stdlib.h>

#define MS 1000000ull /* nanoseconds */

static size_t pick_text(const char *key, size_t n)
{
    return relay_pick_hash((const uint8_t *)key, strlen(key), n);
}

/* ---- pick ---- */

static void test_pick_vectors(void **state)
{
    uint8_t zeros[32] = {0}, ones[32];

    memset(ones, 0xff, sizeof(ones));
    assert_int_equal(relay_hash((const uint8_t *)"alpha", 5), 0x5d8b6dab);
    assert_int_equal(pick_text("alpha", 4), 3); /* d:4 */
    assert_int_equal(relay_hash(NULL, 0), 0x811c9dc5);
    assert_int_equal(relay_pick_hash(NULL, 0, 3), 1);
    assert_int_equal(relay_hash(zeros, 32), 0x0b2ae445);
    assert_int_equal(relay_pick_hash(zeros, 32, 3), 2);
    assert_int_equal(relay_hash(ones, 32), 0x5b517625);
    assert_int_equal(relay_pick_hash(ones, 32, 3), 0);
    assert_int_equal(relay_hash((const uint8_t *)"stable-key", 10), 0x2ce32aa8);
    assert_int_equal(pick_text("stable-key", 2), 0); /* boot:1 */
}

/* Of FNV's own test vectors. */
static void test_pick_hash_is_fnv_1a(void **state)
{
    assert_int_equal(relay_hash((const uint8_t *)"a", 1), 0xe40c292c);
    assert_int_equal(relay_hash((const uint8_t *)"foobar", 6), 0xbf9cf968);
}

static void test_pick_of_none_and_of_one(void **state)
{
    uint64_t none = RELAY_NO_RTT, ms = 5 * MS;
    enum relay_why why;

    assert_true(relay_pick(0, NULL, 0, RELAY_NO_PICK, &why) == RELAY_NO_PICK);
    assert_int_equal(pick_text("whatever", 1), 0);
    assert_int_equal(relay_pick(0, &none, 1, RELAY_NO_PICK, &why), 0);
    assert_int_equal(why, RELAY_WHY_ONLY);
    assert_int_equal(relay_pick(0, &ms, 1, RELAY_NO_PICK, &why), 0);
    assert_int_equal(why, RELAY_WHY_ONLY);
}

/* ---- RTT override: the list a, b, h; the pick by the key is h ---- */

enum { A, B, H };

static void override(uint64_t a, uint64_t b, uint64_t h, size_t expected, enum relay_why reason)
{
    const uint64_t rtt_ns[] = {a, b, h};
    enum relay_why why;

    assert_int_equal(relay_pick(H, rtt_ns, 3, RELAY_NO_PICK, &why), expected);
    assert_int_equal(why, reason);
}

static void test_rtt_override_vectors(void **state)
{
    override(RELAY_NO_RTT, RELAY_NO_RTT, RELAY_NO_RTT, H, RELAY_WHY_KEY);
    override(50 * MS, RELAY_NO_RTT, 100 * MS, H, RELAY_WHY_KEY);
    override(50 * MS, RELAY_NO_RTT, 100 * MS + 1, A, RELAY_WHY_FASTER);
    override(50 * MS, RELAY_NO_RTT, RELAY_NO_RTT, A, RELAY_WHY_UNMEASURED);
    override(50 * MS, 50 * MS, RELAY_NO_RTT, A, RELAY_WHY_UNMEASURED); /* the first minimum */
    override(51 * MS, 50 * MS, RELAY_NO_RTT, B, RELAY_WHY_UNMEASURED);
    override(RELAY_NO_RTT, RELAY_NO_RTT, 900 * MS, H, RELAY_WHY_KEY);
    override(0, RELAY_NO_RTT, 1, A, RELAY_WHY_FASTER);
    override(0, RELAY_NO_RTT, 0, H, RELAY_WHY_KEY);
    override(UINT64_MAX / 3, RELAY_NO_RTT, UINT64_MAX - 1, H, RELAY_WHY_KEY); /* no overflow */
}

/* Each 60 s the times are others: around the limit nothing changes. */
static void test_rtt_override_has_hysteresis(void **state)
{
    uint64_t rtt_ns[] = {50 * MS, 60 * MS, 101 * MS};
    enum relay_why why;
    size_t now = relay_pick(H, rtt_ns, 3, RELAY_NO_PICK, &why);

    assert_int_equal(now, A);
    for (int i = 0; i < 100; i++) {
        rtt_ns[H] = i % 2 ? 99 * MS : 101 * MS;
        rtt_ns[A] = i % 3 ? 50 * MS : 70 * MS; /* b is the fastest now and then */
        now = relay_pick(H, rtt_ns, 3, now, &why);
        assert_int_equal(now, A);
        assert_true(why == RELAY_WHY_KEPT || why == RELAY_WHY_FASTER);
    }
    rtt_ns[A] = 50 * MS;
    rtt_ns[H] = 75 * MS + 1;
    assert_int_equal(relay_pick(H, rtt_ns, 3, now, &why), A);
    rtt_ns[H] = 75 * MS; /* one and a half times the fastest: good enough again */
    assert_int_equal(relay_pick(H, rtt_ns, 3, now, &why), H);
    assert_int_equal(why, RELAY_WHY_KEY);
}

/* What was taken for its time is left by the rule that it was taken by. */
static void test_rtt_override_leaves_what_got_slow(void **state)
{
    uint64_t rtt_ns[] = {121 * MS, 60 * MS, 500 * MS};
    enum relay_why why;

    assert_int_equal(relay_pick(H, rtt_ns, 3, A, &why), B);
    rtt_ns[A] = 120 * MS; /* twice as long: not more than that */
    assert_int_equal(relay_pick(H, rtt_ns, 3, A, &why), A);
    rtt_ns[A] = RELAY_NO_RTT; /* it does not answer any more */
    assert_int_equal(relay_pick(H, rtt_ns, 3, A, &why), B);
}

/* ---- beacon list ---- */

static void test_private_addresses(void **state)
{
    static const char *const private[] = {"10.0.0.1:1",      "10.255.255.255:1",
                                          "172.16.0.1:1",    "172.31.255.255:1",
                                          "192.168.1.1:443", "127.0.0.1:1",
                                          "127.9.9.9",       "169.254.1.1:1",
                                          "0.0.0.0:1",       "[::1]:1",
                                          "[::]:1",          "[fe80::1]:1",
                                          "[febf::1]:1",     "[fc00::1]:1",
                                          "[fdff::1]:1",     "[fe80::1%eth0]:4433",
                                          "fd00::1",         "[::ffff:10.0.0.1]:1"};
    static const char *const public[] = {
        "9.255.255.255:1", "11.0.0.1:1",      "172.15.0.1:1",
        "172.32.0.1:1",    "192.167.1.1:1",   "100.64.0.1:1",
        "100.127.0.1:1",   "169.253.1.1:1",   "[2001:db8::1]:1",
        "[fec0::1]:1",     "beacon.net:443",  "[2001:db8::a00:1]:1",
        "10.example:1",    "localhost.net:1", "",
        "8.8.8.8",         "[::2]:1"};

    for (size_t i = 0; i < sizeof(private) / sizeof(private[0]); i++)
        if (!relay_is_private(private[i]))
            fail_msg("%s is private", private[i]);
    for (size_t i = 0; i < sizeof(public) / sizeof(public[0]); i++)
        if (relay_is_private(public[i]))
            fail_msg("%s is not private", public[i]);
}

static void parse(const char *words, struct relay_list *ret)
{
    char copy[4096], *rest = copy, *word;

    ret->count = 0;
    snprintf(copy, sizeof(copy), "%s", words);
    while ((word = strsep(&rest, " ")))
        if (*word)
            assert_null(relay_entry_parse(word, strlen(word), &ret->entries[ret->count++]));
}

struct merged {
    struct relay_list list;
    enum relay_from froms[RELAY_LIST_MAX];
    char left[1024]; /* "name:why " */
};

static void note_left_out(void *user, const struct relay_entry *entry, enum relay_from from,
                          enum relay_left_out why)
{
    struct merged *merged = user;
    size_t used = strlen(merged->left);

    (void)from;
    snprintf(merged->left + used, sizeof(merged->left) - used, "%s:%d ", entry->name, (int)why);
}

static void merge(struct merged *merged, const char *config, const char *node, const char *file)
{
    struct relay_list *lists = calloc(3, sizeof(*lists));
    const struct relay_list *known = node ? &lists[1] : NULL;

    assert_non_null(lists);
    parse(config, &lists[0]);
    parse(node ? node : "", &lists[1]);
    parse(file, &lists[2]);
    memset(merged, 0, sizeof(*merged));
    for (size_t i = 0; i < 3; i++)
        relay_list_add(&merged->list, merged->froms, &lists[i], (enum relay_from)i, known,
                       note_left_out, merged);
    free(lists);
}

static void names(const struct merged *merged, const char *expected)
{
    char text[1024] = "";

    for (size_t i = 0; i < merged->list.count; i++)
        snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%s", i ? " " : "",
                 merged->list.entries[i].name);
    assert_string_equal(text, expected);
}

static void test_list_configured_first_in_their_order_and_never_filtered(void **state)
{
    struct merged *merged = calloc(1, sizeof(*merged));

    merge(merged, "z=10.0.0.1:1 a=127.0.0.1:2", NULL, "b=192.0.2.1:1 c=192.0.2.2:1");
    names(merged, "z a b c");
    assert_int_equal(merged->froms[0], RELAY_FROM_CONFIG);
    assert_int_equal(merged->froms[3], RELAY_FROM_FILE);
    assert_string_equal(merged->left, "");
    free(merged);
}

static void test_list_discovered_without_duplicates_and_filtered(void **state)
{
    struct merged *merged = calloc(1, sizeof(*merged));

    merge(merged, "a=198.51.100.1:1", NULL,
          "a=198.51.100.9:1 b=198.51.100.1:1 c=198.51.100.1:2 d=10.1.1.1:1 e=100.64.0.1:1 "
          "f=[fd00::1]:1 g=[2001:db8::1]:1");
    names(merged, "a c e g");
    assert_string_equal(merged->left, "a:2 b:2 d:1 f:1 ");
    free(merged);
}

/* What the node names is not filtered: its operator has configured it. */
static void test_list_of_the_node(void **state)
{
    struct merged *merged = calloc(1, sizeof(*merged));

    merge(merged, "a=198.51.100.1:1", "n=10.0.0.9:4433 a=198.51.100.1:1", "");
    names(merged, "a n");
    assert_int_equal(merged->froms[1], RELAY_FROM_NODE);
    assert_string_equal(merged->left, "a:2 ");
    free(merged);
}

/* `via` must be a name that the node knows. */
static void test_list_that_the_node_does_not_know(void **state)
{
    struct merged *merged = calloc(1, sizeof(*merged));

    merge(merged, "mine=198.51.100.1:1 other=198.51.100.2:1", "its=198.51.100.1:1", "");
    names(merged, "its"); /* the same address: by the name that the node has for it */
    assert_int_equal(merged->froms[0], RELAY_FROM_CONFIG);
    assert_string_equal(merged->left, "other:3 its:2 ");
    merge(merged, "mine=198.51.100.1:1", "", "");
    names(merged, ""); /* it knows none */
    assert_string_equal(merged->left, "mine:3 ");
    free(merged);
}

static void test_list_has_64_at_most(void **state)
{
    struct merged *merged = calloc(1, sizeof(*merged));
    char config[4096] = "";

    for (unsigned i = 0; i < 64; i++)
        snprintf(config + strlen(config), sizeof(config) - strlen(config), "r%u=198.51.100.1:%u ",
                 i, 1000 + i);
    merge(merged, config, NULL, "more=192.0.2.1:1");
    assert_int_equal(merged->list.count, 64);
    assert_string_equal(merged->left, "more:4 ");
    free(merged);
}

/* "From the beacon" means address and port equal. */
static void test_from_the_beacon_means_address_and_port_equal(void **state)
{
    struct relay_list *list = calloc(1, sizeof(*list));
    struct pd_address address;

    parse("a=198.51.100.1:4433 b=[2001:db8::1]:4433", list);
    assert_int_equal(address_parse("198.51.100.1:4433", &address), 0);
    assert_true(relay_is_from_relay(list, &address));
    assert_int_equal(address_parse("198.51.100.1:4434", &address), 0);
    assert_false(relay_is_from_relay(list, &address));
    assert_int_equal(address_parse("[2001:db8::1]:4433", &address), 0);
    assert_true(relay_is_from_relay(list, &address));
    assert_int_equal(address_parse("[2001:db8::2]:4433", &address), 0);
    assert_false(relay_is_from_relay(list, &address));
    address = (struct pd_address){0};
    assert_false(relay_is_from_relay(list, &address));
    free(list);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pick_vectors),
        cmocka_unit_test(test_pick_hash_is_fnv_1a),
        cmocka_unit_test(test_pick_of_none_and_of_one),
        cmocka_unit_test(test_rtt_override_vectors),
        cmocka_unit_test(test_rtt_override_has_hysteresis),
        cmocka_unit_test(test_rtt_override_leaves_what_got_slow),
        cmocka_unit_test(test_private_addresses),
        cmocka_unit_test(test_list_configured_first_in_their_order_and_never_filtered),
        cmocka_unit_test(test_list_discovered_without_duplicates_and_filtered),
        cmocka_unit_test(test_list_of_the_node),
        cmocka_unit_test(test_list_that_the_node_does_not_know),
        cmocka_unit_test(test_list_has_64_at_most),
        cmocka_unit_test(test_from_the_beacon_means_address_and_port_equal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
