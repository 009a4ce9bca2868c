/* SPDX-License-Identifier: Apache-2.0 */
#include "entry.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <string.h>

#include "util/util.h"

/* The attributes in these bytes, by type; false: they are not well-formed. libmnl reads up to three
 * bytes beyond a message whose length is no multiple of four. */
static bool attributes_read(const char *bytes, size_t left, const struct nlattr **at, uint16_t most)
{
    for (unsigned i = 0; i <= most; i++)
        at[i] = NULL;
    while (left >= sizeof(struct nlattr)) {
        const struct nlattr *attribute = (const struct nlattr *)(const void *)bytes;
        uint16_t type = mnl_attr_get_type(attribute);
        size_t size;

        if (attribute->nla_len < sizeof(*attribute) || attribute->nla_len > left)
            return false;
        if (type <= most)
            at[type] = attribute;
        size = min_u64(MNL_ALIGN(attribute->nla_len), left);
        bytes += size;
        left -= size;
    }
    return !left;
}

/* Those within one; false also where it is not there. */
static bool nest_read(const struct nlattr *nest, const struct nlattr **at, uint16_t most)
{
    return attributes_read(nest ? mnl_attr_get_payload(nest) : NULL,
                           nest ? mnl_attr_get_payload_len(nest) : 0, at, most) &&
           nest;
}

static bool copy(void *out, size_t size, const struct nlattr *attribute)
{
    if (!attribute || mnl_attr_get_payload_len(attribute) != size)
        return false;
    memcpy(out, mnl_attr_get_payload(attribute), size);
    return true;
}

static bool number16(uint16_t *ret, const struct nlattr *attribute)
{
    bool there = copy(ret, sizeof(*ret), attribute);

    *ret = ntohs(*ret);
    return there;
}

static bool number32(uint32_t *ret, const struct nlattr *attribute)
{
    bool there = copy(ret, sizeof(*ret), attribute);

    *ret = ntohl(*ret);
    return there;
}

static bool number64(uint64_t *ret, const struct nlattr *attribute)
{
    bool there = copy(ret, sizeof(*ret), attribute);

    *ret = be64toh(*ret);
    return there;
}

/* ---- one direction ---- */

static int tuple_read(const struct nlattr *nest, struct flow_tuple *ret)
{
    const struct nlattr *parts[CTA_TUPLE_MAX + 1], *ip[CTA_IP_MAX + 1], *ports[CTA_PROTO_MAX + 1];

    *ret = (struct flow_tuple){0};
    if (!nest_read(nest, parts, CTA_TUPLE_MAX) || !nest_read(parts[CTA_TUPLE_IP], ip, CTA_IP_MAX) ||
        !nest_read(parts[CTA_TUPLE_PROTO], ports, CTA_PROTO_MAX) ||
        !copy(&ret->protocol, sizeof(ret->protocol), ports[CTA_PROTO_NUM]))
        return -EBADMSG;
    if (ret->protocol != IPPROTO_UDP)
        return -ENOENT;
    if (!number16(&ret->sport, ports[CTA_PROTO_SRC_PORT]) ||
        !number16(&ret->dport, ports[CTA_PROTO_DST_PORT]))
        return -EBADMSG;
    if (copy(ret->saddr, 4, ip[CTA_IP_V4_SRC]) && copy(ret->daddr, 4, ip[CTA_IP_V4_DST]))
        ret->family = 4;
    else if (copy(ret->saddr, 16, ip[CTA_IP_V6_SRC]) && copy(ret->daddr, 16, ip[CTA_IP_V6_DST]))
        ret->family = 6;
    else
        return -EBADMSG;
    return 0;
}

/* False: it does not count. */
static bool counters_read(const struct nlattr *nest, uint64_t *ret_bytes, uint64_t *ret_packets)
{
    const struct nlattr *at[CTA_COUNTERS_MAX + 1];

    *ret_bytes = *ret_packets = 0;
    return nest_read(nest, at, CTA_COUNTERS_MAX) && number64(ret_bytes, at[CTA_COUNTERS_BYTES]) &&
           number64(ret_packets, at[CTA_COUNTERS_PACKETS]);
}

static void age_read(const struct nlattr *nest, uint64_t real_ns, struct flow_entry *ret)
{
    const struct nlattr *at[CTA_TIMESTAMP_MAX + 1];
    uint64_t start_ns = 0;

    if (nest_read(nest, at, CTA_TIMESTAMP_MAX))
        (void)number64(&start_ns, at[CTA_TIMESTAMP_START]);
    ret->start_ns = start_ns;
    if (start_ns)
        ret->age_us = real_ns > start_ns ? (real_ns - start_ns) / 1000 : 0;
}

/* ---- the whole ---- */

static bool message_read(const struct nlmsghdr *message, const struct nlattr **at, uint16_t most)
{
    size_t head = MNL_NLMSG_HDRLEN + MNL_ALIGN(sizeof(struct nfgenmsg));

    return message->nlmsg_len >= head &&
           attributes_read((const char *)message + head, message->nlmsg_len - head, at, most);
}

/* `out`: as the first packet had it; `back`: as its answer has it. */
static void take_tuples(const struct flow_tuple *out, const struct flow_tuple *back,
                        struct flow_entry *ret)
{
    ret->tuple = *out;
    memcpy(ret->seen_at, back->daddr, sizeof(ret->seen_at));
    ret->seen_port = back->dport;
}

int entry_decode(const struct nlmsghdr *message, const struct flow_settings *settings,
                 uint64_t real_ns, struct flow_entry *ret)
{
    const struct nlattr *at[CTA_MAX + 1];
    struct flow_tuple out, back;
    enum flow_direction first = FLOW_SENT;
    bool counted;
    int r;

    *ret = (struct flow_entry){.age_us = FLOW_UNKNOWN};
    if (!message_read(message, at, CTA_MAX))
        return -EBADMSG;
    r = tuple_read(at[CTA_TUPLE_ORIG], &out);
    if (r >= 0)
        r = tuple_read(at[CTA_TUPLE_REPLY], &back);
    if (r < 0)
        return r;
    if (out.family != back.family)
        return -EBADMSG;
    if (flow_port_find(settings, out.dport)) {
        take_tuples(&out, &back, ret);
    } else if (flow_port_find(settings, back.dport)) {
        take_tuples(&back, &out, ret);
        first = FLOW_RECEIVED;
    } else {
        return -ENOENT;
    }
    counted = counters_read(at[CTA_COUNTERS_ORIG], &ret->bytes[first], &ret->packets[first]);
    first = first == FLOW_SENT ? FLOW_RECEIVED : FLOW_SENT;
    ret->counted =
        counters_read(at[CTA_COUNTERS_REPLY], &ret->bytes[first], &ret->packets[first]) && counted;
    age_read(at[CTA_TIMESTAMP], real_ns, ret);
    number32(&ret->id, at[CTA_ID]);
    return 0;
}

int entry_decode_stats(const struct nlmsghdr *message, uint32_t *ret_count, uint32_t *ret_most)
{
    const struct nlattr *at[CTA_STATS_GLOBAL_MAX + 1];

    if (!message_read(message, at, CTA_STATS_GLOBAL_MAX) ||
        !number32(ret_count, at[CTA_STATS_GLOBAL_ENTRIES]) ||
        !number32(ret_most, at[CTA_STATS_GLOBAL_MAX_ENTRIES]))
        return -EBADMSG;
    return 0;
}
