/* SPDX-License-Identifier: Apache-2.0 */
/* What the kernel's messages say of flows, and messages that say nothing. */
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "entry.h"

#define REAL_NS UINT64_C(2000000000000000000)

static const struct flow_settings settings = {.ports = {{443, 443, 0}}, .n_ports = 1, .limit = 1};

struct message {
    _Alignas(struct nlmsghdr) char bytes[1024];
};

/* What it is to have; a text "" leaves that tuple out. */
struct wanted {
    const char *out, *back;
    uint8_t protocol;
    bool counters, timestamp, mark;
};

static void put_tuple(struct nlmsghdr *message, uint16_t type, const char *text, uint8_t protocol)
{
    struct nlattr *whole, *part;
    struct flow_tuple tuple;
    bool four;

    if (!*text)
        return;
    assert_int_equal(tuple_parse(text, &tuple), 0);
    four = tuple.family == 4;
    whole = mnl_attr_nest_start(message, type);
    part = mnl_attr_nest_start(message, CTA_TUPLE_IP);
    mnl_attr_put(message, four ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, four ? 4 : 16, tuple.saddr);
    mnl_attr_put(message, four ? CTA_IP_V4_DST : CTA_IP_V6_DST, four ? 4 : 16, tuple.daddr);
    mnl_attr_nest_end(message, part);
    part = mnl_attr_nest_start(message, CTA_TUPLE_PROTO);
    mnl_attr_put_u8(message, CTA_PROTO_NUM, protocol);
    mnl_attr_put_u16(message, CTA_PROTO_SRC_PORT, htons(tuple.sport));
    mnl_attr_put_u16(message, CTA_PROTO_DST_PORT, htons(tuple.dport));
    mnl_attr_nest_end(message, part);
    mnl_attr_nest_end(message, whole);
}

static void put_counters(struct nlmsghdr *message, uint16_t type, uint64_t packets, uint64_t bytes)
{
    struct nlattr *nest = mnl_attr_nest_start(message, type);

    mnl_attr_put_u64(message, CTA_COUNTERS_PACKETS, htobe64(packets));
    mnl_attr_put_u64(message, CTA_COUNTERS_BYTES, htobe64(bytes));
    mnl_attr_nest_end(message, nest);
}

static struct nlmsghdr *message_of(struct message *buffer, const struct wanted *wanted)
{
    struct nlmsghdr *message;

    memset(buffer, 0, sizeof(*buffer));
    message = mnl_nlmsg_put_header(buffer->bytes);
    message->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW;
    mnl_nlmsg_put_extra_header(message, sizeof(struct nfgenmsg));
    put_tuple(message, CTA_TUPLE_ORIG, wanted->out, wanted->protocol);
    put_tuple(message, CTA_TUPLE_REPLY, wanted->back, wanted->protocol);
    mnl_attr_put_u32(message, CTA_STATUS, htonl(0x18e));
    if (wanted->counters) {
        put_counters(message, CTA_COUNTERS_ORIG, 7, 700);
        put_counters(message, CTA_COUNTERS_REPLY, 9, 900);
    }
    if (wanted->timestamp) {
        struct nlattr *nest = mnl_attr_nest_start(message, CTA_TIMESTAMP);

        mnl_attr_put_u64(message, CTA_TIMESTAMP_START, htobe64(REAL_NS - 5000000000u));
        mnl_attr_nest_end(message, nest);
    }
    mnl_attr_put_u32(message, CTA_ID, htonl(4711));
    return message;
}

/* The texts are "SERVER#CLIENT", so that the reply of a flow, from the server, is the other way
 * round. */
static const struct wanted plain = {
    .out = "udp:192.0.2.7:443#10.0.0.1:50000",
    .back = "udp:198.51.100.1:60000#192.0.2.7:443",
    .protocol = IPPROTO_UDP,
    .counters = true,
    .timestamp = true,
};

static void test_a_flow_with_its_counters(void **state)
{
    struct message buffer;
    struct flow_entry entry;
    char text[TUPLE_TEXT_SIZE];

    (void)state;
    assert_int_equal(entry_decode(message_of(&buffer, &plain), &settings, REAL_NS, &entry), 0);
    assert_string_equal(tuple_text_full(text, &entry.tuple), plain.out);
    assert_memory_equal(entry.seen_at, "\xc6\x33\x64\x01", 4);
    assert_int_equal(entry.seen_port, 60000);
    assert_true(entry.counted);
    assert_int_equal(entry.packets[FLOW_SENT], 7);
    assert_int_equal(entry.bytes[FLOW_SENT], 700);
    assert_int_equal(entry.packets[FLOW_RECEIVED], 9);
    assert_int_equal(entry.bytes[FLOW_RECEIVED], 900);
    assert_int_equal(entry.age_us, 5000000);
    assert_true(entry.start_ns == REAL_NS - 5000000000u);
    assert_int_equal(entry.id, 4711);
    /* A clock that was set back. */
    assert_int_equal(entry_decode(message_of(&buffer, &plain), &settings, 1, &entry), 0);
    assert_int_equal(entry.age_us, 0);
}

static void test_without_counters_and_timestamps(void **state)
{
    struct wanted wanted = plain;
    struct message buffer;
    struct flow_entry entry;

    (void)state;
    wanted.counters = wanted.timestamp = false;
    assert_int_equal(entry_decode(message_of(&buffer, &wanted), &settings, REAL_NS, &entry), 0);
    assert_false(entry.counted);
    assert_true(entry.age_us == FLOW_UNKNOWN);
    assert_int_equal(entry.start_ns, 0);
}

static void test_ipv6(void **state)
{
    struct wanted wanted = plain;
    struct message buffer;
    struct flow_entry entry;
    char text[TUPLE_TEXT_SIZE];

    (void)state;
    wanted.out = "udp:[2001:db8::7]:443#[fd00::1]:50000";
    wanted.back = "udp:[fd00::1]:50000#[2001:db8::7]:443";
    assert_int_equal(entry_decode(message_of(&buffer, &wanted), &settings, REAL_NS, &entry), 0);
    assert_string_equal(tuple_text_full(text, &entry.tuple), wanted.out);
    assert_memory_equal(entry.seen_at, entry.tuple.saddr, 16);
}

/* Somebody flushed the table, and the server's packet came first. */
static void test_an_entry_of_the_servers_packet_is_turned_round(void **state)
{
    struct wanted wanted = plain;
    struct message buffer;
    struct flow_entry entry;
    char text[TUPLE_TEXT_SIZE];

    (void)state;
    wanted.out = "udp:10.0.0.1:50000#192.0.2.7:443";
    wanted.back = "udp:192.0.2.7:443#10.0.0.1:50000";
    assert_int_equal(entry_decode(message_of(&buffer, &wanted), &settings, REAL_NS, &entry), 0);
    assert_string_equal(tuple_text_full(text, &entry.tuple), wanted.back);
    assert_int_equal(entry.packets[FLOW_SENT], 9);
    assert_int_equal(entry.packets[FLOW_RECEIVED], 7);
    assert_int_equal(entry.seen_port, 50000);
}

static void test_what_is_none_of_ours(void **state)
{
    struct wanted wanted = plain;
    struct message buffer;
    struct flow_entry entry;

    (void)state;
    wanted.protocol = IPPROTO_TCP;
    assert_int_equal(entry_decode(message_of(&buffer, &wanted), &settings, REAL_NS, &entry),
                     -ENOENT);
    wanted = plain;
    wanted.out = "udp:192.0.2.7:444#10.0.0.1:50000";
    assert_int_equal(entry_decode(message_of(&buffer, &wanted), &settings, REAL_NS, &entry),
                     -ENOENT);
}

static void test_what_lacks_something(void **state)
{
    struct wanted wanted = plain;
    struct message buffer;
    struct flow_entry entry;

    (void)state;
    wanted.out = "";
    assert_int_equal(entry_decode(message_of(&buffer, &wanted), &settings, REAL_NS, &entry),
                     -EBADMSG);
    wanted = plain;
    wanted.back = "";
    assert_int_equal(entry_decode(message_of(&buffer, &wanted), &settings, REAL_NS, &entry),
                     -EBADMSG);
    wanted = plain;
    wanted.back = "udp:[fd00::1]:60000#[2001:db8::7]:443"; /* two families */
    assert_int_equal(entry_decode(message_of(&buffer, &wanted), &settings, REAL_NS, &entry),
                     -EBADMSG);
}

/* Cut at every length, and with every byte of a length changed: no more than a refusal. */
static void test_what_is_cut_or_garbled(void **state)
{
    struct message buffer, garbled;
    struct flow_entry entry;
    uint32_t length = message_of(&buffer, &plain)->nlmsg_len;

    (void)state;
    for (uint32_t n = MNL_NLMSG_HDRLEN; n < length; n++) {
        struct nlmsghdr *message = (struct nlmsghdr *)(void *)garbled.bytes;

        garbled = buffer;
        memset(garbled.bytes + n, 0xff, sizeof(garbled.bytes) - n);
        message->nlmsg_len = n;
        (void)entry_decode(message, &settings, REAL_NS, &entry);
        for (unsigned value = 0; value < 256; value += 15) {
            garbled = buffer;
            garbled.bytes[n] = (char)value;
            (void)entry_decode(message, &settings, REAL_NS, &entry);
        }
    }
    assert_int_equal(entry_decode(message_of(&garbled, &plain), &settings, REAL_NS, &entry), 0);
    ((struct nlmsghdr *)(void *)garbled.bytes)->nlmsg_len = MNL_NLMSG_HDRLEN;
    assert_int_equal(
        entry_decode((struct nlmsghdr *)(void *)garbled.bytes, &settings, REAL_NS, &entry),
        -EBADMSG);
}

static void test_how_full_the_table_is(void **state)
{
    struct message buffer = {0};
    struct nlmsghdr *message = mnl_nlmsg_put_header(buffer.bytes);
    uint32_t count, most;

    (void)state;
    mnl_nlmsg_put_extra_header(message, sizeof(struct nfgenmsg));
    assert_int_equal(entry_decode_stats(message, &count, &most), -EBADMSG);
    mnl_attr_put_u32(message, CTA_STATS_GLOBAL_ENTRIES, htonl(12));
    assert_int_equal(entry_decode_stats(message, &count, &most), -EBADMSG);
    mnl_attr_put_u32(message, CTA_STATS_GLOBAL_MAX_ENTRIES, htonl(262144));
    assert_int_equal(entry_decode_stats(message, &count, &most), 0);
    assert_int_equal(count, 12);
    assert_int_equal(most, 262144);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_flow_with_its_counters),
        cmocka_unit_test(test_without_counters_and_timestamps),
        cmocka_unit_test(test_ipv6),
        cmocka_unit_test(test_an_entry_of_the_servers_packet_is_turned_round),
        cmocka_unit_test(test_what_is_none_of_ours),
        cmocka_unit_test(test_what_lacks_something),
        cmocka_unit_test(test_what_is_cut_or_garbled),
        cmocka_unit_test(test_how_full_the_table_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
