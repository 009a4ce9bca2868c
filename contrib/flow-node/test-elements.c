/* SPDX-License-Identifier: Apache-2.0 */
#include "elements.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netinet/in.h>

static struct flow_tuple flow(const char *text)
{
    struct flow_tuple tuple;

    assert_int_equal(tuple_parse(text, &tuple), 0);
    return tuple;
}

struct seen {
    size_t n;
    struct flow_tuple last;
    char chain[CHAIN_NAME_SIZE];
};

static void see(void *user, const struct flow_tuple *key, const char *chain)
{
    struct seen *seen = user;

    seen->n++;
    seen->last = *key;
    snprintf(seen->chain, sizeof(seen->chain), "%s", chain);
}

static const struct nlmsghdr *message_at(const struct element_batch *batch, unsigned number)
{
    const uint8_t *at = batch->data;

    for (unsigned i = 0; i < number; i++)
        at += MNL_ALIGN(((const struct nlmsghdr *)at)->nlmsg_len);
    return (const struct nlmsghdr *)at;
}

static const struct nlmsghdr *set_of(void *buffer, uint16_t type, uint32_t flags, uint32_t data,
                                     uint32_t key)
{
    struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);

    message->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
    mnl_nlmsg_put_extra_header(message, sizeof(struct nfgenmsg));
    mnl_attr_put_u32(message, NFTA_SET_FLAGS, htonl(flags));
    mnl_attr_put_u32(message, NFTA_SET_DATA_TYPE, htonl(data));
    mnl_attr_put_u32(message, NFTA_SET_KEY_LEN, htonl(key));
    return message;
}

/* A set, a map to marks, and one of other keys are somebody else's. */
static void test_whose_map(void **state)
{
    const uint32_t map = NFT_SET_MAP, verdict = (uint32_t)NFT_DATA_VERDICT;
    _Alignas(NLMSG_ALIGNTO) uint8_t buffer[128];
    const uint16_t new = NFT_MSG_NEWSET;

    (void)state;
    assert_true(map_is_ours(set_of(buffer, new, map, verdict, 16), 4));
    assert_true(map_is_ours(set_of(buffer, new, map | NFT_SET_CONCAT, verdict, 40), 6));
    assert_false(map_is_ours(set_of(buffer, new, map, verdict, 40), 4));
    assert_false(map_is_ours(set_of(buffer, new, map, verdict, 4), 4));
    assert_false(map_is_ours(set_of(buffer, new, map, 4, 16), 4));
    assert_false(map_is_ours(set_of(buffer, new, 0, verdict, 16), 4));
    assert_false(map_is_ours(set_of(buffer, NFT_MSG_DELSET, map, verdict, 16), 4));
}

/* What a batch adds is read back as the kernel lists it: the attributes are the same. */
static void test_round_trip(void **state)
{
    const char *const flows[] = {"udp:192.0.2.7:443#198.51.100.1:57126",
                                 "udp:[2001:db8::7]:443#[2001:db8:1::1]:1"};

    for (unsigned i = 0; i < 2; i++) {
        struct flow_tuple tuple = flow(flows[i]);
        struct element_batch batch = {0};
        struct seen seen = {0};

        element_batch_begin(&batch, "t", 7);
        element_batch_put(&batch, SET_FLOWS, true, &tuple, "to_wlan0", NULL);
        element_batch_end(&batch);
        assert_int_equal(batch.n_messages, 3);
        assert_int_equal(message_at(&batch, 0)->nlmsg_type, NFNL_MSG_BATCH_BEGIN);
        assert_int_equal(message_at(&batch, 1)->nlmsg_type,
                         NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSETELEM);
        assert_int_equal(message_at(&batch, 1)->nlmsg_seq, 8);
        assert_true(message_at(&batch, 1)->nlmsg_flags & NLM_F_ACK);
        assert_int_equal(message_at(&batch, 2)->nlmsg_type, NFNL_MSG_BATCH_END);
        assert_false(message_at(&batch, 2)->nlmsg_flags & NLM_F_ACK);
        assert_int_equal(elements_read(message_at(&batch, 1), tuple.family, see, &seen), 0);
        assert_int_equal(seen.n, 1);
        assert_true(tuple_is_equal(&seen.last, &tuple));
        assert_string_equal(seen.chain, "to_wlan0");
        /* As of the other family its key has the wrong size. */
        assert_int_equal(
            elements_read(message_at(&batch, 1), tuple.family == 4 ? 6 : 4, see, &seen), 1);
        assert_int_equal(seen.n, 1);
        element_batch_done(&batch);
    }
}

/* Thousands are in as many messages as needed, none of which is longer than an attribute's length
 * can say; and only the last one is answered. */
static void test_thousands(void **state)
{
    struct flow_tuple tuple = flow("udp:[2001:db8::7]:443#[2001:db8:1::1]:1");
    struct element_batch batch = {0};
    size_t size = 0, n_acks = 0;
    struct seen seen = {0};

    for (unsigned round = 0; round < 2; round++) { /* used again it begins anew */
        element_batch_begin(&batch, "pathdog_flows", 1);
        for (unsigned i = 0; i < 20000; i++) {
            tuple.sport = (uint16_t)i;
            element_batch_put(&batch, SET_FLOWS, true, &tuple, "to_enx001122334455", NULL);
        }
        element_batch_end(&batch);
    }
    for (unsigned i = 0; i < batch.n_messages; i++) {
        const struct nlmsghdr *message = message_at(&batch, i);

        assert_true(message->nlmsg_len < 65536);
        assert_int_equal(message->nlmsg_seq, 1 + i);
        size += MNL_ALIGN(message->nlmsg_len);
        n_acks += !!(message->nlmsg_flags & NLM_F_ACK);
        assert_int_equal(elements_read(message, 6, see, &seen), 0);
    }
    assert_int_equal(size, batch.size);
    assert_int_equal(n_acks, 1);
    assert_int_equal(seen.n, 20000);
    element_batch_done(&batch);
}

/* Other sets, other families and removals are not mixed into one message. */
static void test_kinds(void **state)
{
    struct flow_tuple v4 = flow("udp:192.0.2.7:443#198.51.100.1:1");
    struct flow_tuple v6 = flow("udp:[2001:db8::7]:443#[2001:db8:1::1]:1");
    struct element_batch batch = {0};
    struct seen seen = {0};

    element_batch_begin(&batch, "t", 1);
    element_batch_put(&batch, SET_HOLD, true, &v4, NULL, NULL);
    element_batch_put(&batch, SET_HOLD, true, &v4, NULL, NULL);
    element_batch_put(&batch, SET_HOLD, true, &v6, NULL, NULL);
    element_batch_put(&batch, SET_LATE, true, &v6, NULL, &v6);
    element_batch_put(&batch, SET_LATE_PORT, true, &v6, NULL, &v6);
    element_batch_put(&batch, SET_LATE_PORT, false, &v6, NULL, NULL);
    element_batch_flush(&batch, SET_FLOWS, 4);
    element_batch_put(&batch, SET_FLOWS, false, &v4, NULL, NULL);
    element_batch_end(&batch);
    assert_int_equal(batch.n_messages, 2 + 7);
    assert_int_equal(batch.n_elements, 8);
    /* Without a chain it is no element of flows4. */
    assert_int_equal(elements_read(message_at(&batch, 1), 4, see, &seen), 2);
    assert_int_equal(seen.n, 0);
    element_batch_done(&batch);

    element_batch_begin(&batch, "t", 1);
    element_batch_end(&batch);
    assert_int_equal(batch.n_elements, 0);
    assert_int_equal(batch.n_messages, 2);
    element_batch_done(&batch);
}

static struct nlmsghdr *news(void *buffer, uint8_t type, uint8_t family, const char *table)
{
    struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
    struct nfgenmsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));

    message->nlmsg_type = (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type);
    head->nfgen_family = family;
    if (table)
        mnl_attr_put_strz(message, NFTA_TABLE_NAME, table);
    return message;
}

static void test_news(void **state)
{
    _Alignas(NLMSG_ALIGNTO) uint8_t buffer[256];
    struct nlmsghdr *message;
    char program[16];
    uint32_t pid;

    assert_int_equal(
        ruleset_decode(news(buffer, NFT_MSG_DELTABLE, NFPROTO_INET, "t"), "t", program, &pid),
        RULESET_REMOVED);
    assert_int_equal(
        ruleset_decode(news(buffer, NFT_MSG_NEWRULE, NFPROTO_INET, "t"), "t", program, &pid),
        RULESET_ADDED);
    assert_int_equal(
        ruleset_decode(news(buffer, NFT_MSG_DELTABLE, NFPROTO_IPV4, "t"), "t", program, &pid),
        RULESET_OTHER);
    assert_int_equal(
        ruleset_decode(news(buffer, NFT_MSG_DELTABLE, NFPROTO_INET, "tt"), "t", program, &pid),
        RULESET_OTHER);
    assert_int_equal(
        ruleset_decode(news(buffer, NFT_MSG_DELTABLE, NFPROTO_INET, NULL), "t", program, &pid),
        RULESET_OTHER);
    message = news(buffer, NFT_MSG_NEWGEN, AF_UNSPEC, NULL);
    mnl_attr_put_u32(message, NFTA_GEN_PROC_PID, htonl(4711));
    mnl_attr_put_strz(message, NFTA_GEN_PROC_NAME, "a-name-of-17-char");
    assert_int_equal(ruleset_decode(message, "t", program, &pid), RULESET_GENERATION);
    assert_int_equal(pid, 4711);
    assert_string_equal(program, "a-name-of-17-ch");
    message->nlmsg_len = NLMSG_HDRLEN; /* no header of nfnetlink */
    assert_int_equal(ruleset_decode(message, "t", program, &pid), RULESET_GENERATION);
    assert_string_equal(program, "");
    message->nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_DELSET;
    assert_int_equal(ruleset_decode(message, "t", program, &pid), RULESET_OTHER);
    message->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | NFT_MSG_DELTABLE;
    assert_int_equal(ruleset_decode(message, "t", program, &pid), RULESET_OTHER);
}

static void test_chain_names(void **state)
{
    const char *const interfaces[] = {"wlan0",   "eth0.100", "br-lan",          "a b",
                                      "x@y{;}#", "_",        "123456789012345", "\xc3\xa4\"'\\$`"};
    const char *const bad[] = {"to_",     "to",     "from_eth0",
                               "to_a_",   "to_a_4", "to_a_00",
                               "to_a_zz", "to_a b", "to_1234567890123456"};
    char name[CHAIN_NAME_SIZE], back[IFNAMSIZ];

    assert_string_equal(chain_name(name, "eth0.100"), "to_eth0.100");
    assert_string_equal(chain_name(name, "a b"), "to_a_20b");
    for (unsigned i = 0; i < sizeof(interfaces) / sizeof(*interfaces); i++) {
        chain_name(name, interfaces[i]);
        assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789._-"), strlen(name));
        assert_true(chain_interface(name, back));
        assert_string_equal(back, interfaces[i]);
    }
    for (unsigned i = 0; i < sizeof(bad) / sizeof(*bad); i++)
        assert_false(chain_interface(bad[i], back));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_whose_map), cmocka_unit_test(test_round_trip),
        cmocka_unit_test(test_thousands), cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_news),      cmocka_unit_test(test_chain_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
