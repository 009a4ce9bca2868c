/* SPDX-License-Identifier: Apache-2.0 */
#include "entries.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink_conntrack.h>

static struct flow_tuple flow(const char *text)
{
    struct flow_tuple tuple;

    assert_int_equal(tuple_parse(text, &tuple), 0);
    return tuple;
}

/* As the kernel answers: the request's own tuple under another type, the reply, the id. */
static struct nlmsghdr *answer(const struct flow_tuple *original, const struct flow_tuple *reply,
                               uint32_t id, uint8_t *buffer, uint8_t *scratch)
{
    struct entry there = {.flow = original}, back = {.flow = reply};
    struct nlmsghdr *message = entry_get_request(&there, 1, buffer);
    const struct nlmsghdr *other = entry_get_request(&back, 1, scratch);
    struct nlattr *tuple = (struct nlattr *)(scratch + NLMSG_HDRLEN + MNL_ALIGN(4));

    tuple->nla_type = CTA_TUPLE_REPLY | NLA_F_NESTED;
    memcpy(mnl_nlmsg_get_payload_tail(message), tuple, other->nlmsg_len - NLMSG_HDRLEN - 4);
    message->nlmsg_len += other->nlmsg_len - NLMSG_HDRLEN - 4;
    mnl_attr_put_u32(message, CTA_ID, id);
    return message;
}

static void reads(const char *original, const char *server)
{
    _Alignas(NLMSG_ALIGNTO) uint8_t buffer[1024], scratch[512];
    struct flow_tuple there = flow(original), back = flow(server);
    struct entry entry = {.flow = &there};
    struct nlmsghdr *message = answer(&there, &back, 0x01020304, buffer, scratch);
    uint32_t whole = message->nlmsg_len;

    assert_int_equal(entry_read(message, &entry), 0);
    assert_true(entry.found);
    assert_int_equal(entry.id, 0x01020304);
    assert_true(tuple_is_equal(&entry.reply, &back));

    /* The server's packet made it. */
    memset(&entry, 0, sizeof(entry));
    entry.flow = &there;
    message = answer(&back, &there, 5, buffer, scratch);
    assert_int_equal(entry_read(message, &entry), 0);
    assert_true(tuple_is_equal(&entry.reply, &back));

    /* Cut anywhere, it is refused, and the entry is as it was. */
    memset(&entry, 0, sizeof(entry));
    entry.flow = &there;
    for (uint32_t length = NLMSG_HDRLEN; length < whole; length += 4) {
        message = answer(&there, &back, 1, buffer, scratch);
        message->nlmsg_len = length;
        assert_int_equal(entry_read(message, &entry), -EBADMSG);
        assert_false(entry.found);
    }
}

static void test_read(void **state)
{
    reads("udp:192.0.2.7:443#198.51.100.1:57126", "udp:203.0.113.9:1025#192.0.2.7:443");
    reads("udp:[2001:db8::7]:443#[2001:db8:1::1]:57126",
          "udp:[2001:db8:2::2]:57126#[2001:db8::7]:443");
}

static void test_requests(void **state)
{
    _Alignas(NLMSG_ALIGNTO) uint8_t buffer[ENTRY_REQUEST_MAX];
    struct flow_tuple tuple = flow("udp:[2001:db8::7]:443#[2001:db8:1::1]:57126");
    struct entry entry = {.flow = &tuple, .id = 9};
    struct nlmsghdr *message = entry_get_request(&entry, 77, buffer);

    assert_int_equal(message->nlmsg_seq, 77);
    assert_int_equal(message->nlmsg_flags, NLM_F_REQUEST); /* a dump it must not be */
    message = entry_delete_request(&entry, 78, buffer);
    assert_int_equal(message->nlmsg_flags, NLM_F_REQUEST | NLM_F_ACK);
    assert_int_equal(message->nlmsg_type & 0xff, IPCTNL_MSG_CT_DELETE);
    assert_true(message->nlmsg_len <= ENTRY_REQUEST_MAX);
    message->nlmsg_type = 0;
    assert_int_equal(entry_read(message, &entry), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_read),
                                       cmocka_unit_test(test_requests)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
