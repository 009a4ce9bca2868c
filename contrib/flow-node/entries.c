/* SPDX-License-Identifier: Apache-2.0 */
#include "entries.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <netinet/in.h>
#include <string.h>

static size_t address_size(uint8_t family)
{
    return family == 4 ? 4 : 16;
}

static struct nlmsghdr *request_begin(const struct entry *entry, uint16_t type, uint16_t flags,
                                      uint32_t sequence, void *buffer)
{
    const struct flow_tuple *flow = entry->flow;
    struct nlmsghdr *message = mnl_nlmsg_put_header(buffer);
    struct nfgenmsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));
    struct nlattr *tuple, *part;
    bool v4 = flow->family == 4;

    message->nlmsg_type = (uint16_t)(NFNL_SUBSYS_CTNETLINK << 8 | type);
    message->nlmsg_flags = NLM_F_REQUEST | flags;
    message->nlmsg_seq = sequence;
    head->nfgen_family = v4 ? AF_INET : AF_INET6;
    head->version = NFNETLINK_V0;
    tuple = mnl_attr_nest_start(message, CTA_TUPLE_ORIG);
    part = mnl_attr_nest_start(message, CTA_TUPLE_IP);
    mnl_attr_put(message, v4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, address_size(flow->family),
                 flow->saddr);
    mnl_attr_put(message, v4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, address_size(flow->family),
                 flow->daddr);
    mnl_attr_nest_end(message, part);
    part = mnl_attr_nest_start(message, CTA_TUPLE_PROTO);
    mnl_attr_put_u8(message, CTA_PROTO_NUM, flow->protocol);
    mnl_attr_put_u16(message, CTA_PROTO_SRC_PORT, htons(flow->sport));
    mnl_attr_put_u16(message, CTA_PROTO_DST_PORT, htons(flow->dport));
    mnl_attr_nest_end(message, part);
    mnl_attr_nest_end(message, tuple);
    return message;
}

struct nlmsghdr *entry_get_request(const struct entry *entry, uint32_t sequence, void *buffer)
{
    return request_begin(entry, IPCTNL_MSG_CT_GET, 0, sequence, buffer);
}

struct nlmsghdr *entry_delete_request(const struct entry *entry, uint32_t sequence, void *buffer)
{
    struct nlmsghdr *message =
        request_begin(entry, IPCTNL_MSG_CT_DELETE, NLM_F_ACK, sequence, buffer);

    mnl_attr_put_u32(message, CTA_ID, entry->id);
    return message;
}

struct nlmsghdr *entry_mark_request(const struct entry *entry, uint32_t bits, uint32_t sequence,
                                    void *buffer)
{
    struct nlmsghdr *message = request_begin(entry, IPCTNL_MSG_CT_NEW, NLM_F_ACK, sequence, buffer);

    mnl_attr_put_u32(message, CTA_MARK, htonl(bits));
    mnl_attr_put_u32(message, CTA_MARK_MASK, htonl(bits));
    return message;
}

/* ---- reading ---- */

static const struct nlattr *nested(const struct nlattr *nest, uint16_t type)
{
    const struct nlattr *attribute;

    if (!nest)
        return NULL;
    mnl_attr_for_each_nested(attribute, nest)
    {
        if (mnl_attr_get_type(attribute) == type)
            return attribute;
    }
    return NULL;
}

static bool attribute_copy(const struct nlattr *attribute, void *ret, size_t size)
{
    if (!attribute || mnl_attr_get_payload_len(attribute) < size)
        return false;
    memcpy(ret, mnl_attr_get_payload(attribute), size);
    return true;
}

static bool tuple_read(const struct nlattr *nest, const struct flow_tuple *like,
                       struct flow_tuple *ret)
{
    const struct nlattr *ip = nested(nest, CTA_TUPLE_IP), *proto = nested(nest, CTA_TUPLE_PROTO);
    bool v4 = like->family == 4;

    *ret = (struct flow_tuple){.family = like->family, .protocol = like->protocol};
    if (!attribute_copy(nested(ip, v4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC), ret->saddr,
                        address_size(like->family)) ||
        !attribute_copy(nested(ip, v4 ? CTA_IP_V4_DST : CTA_IP_V6_DST), ret->daddr,
                        address_size(like->family)) ||
        !attribute_copy(nested(proto, CTA_PROTO_SRC_PORT), &ret->sport, sizeof(ret->sport)) ||
        !attribute_copy(nested(proto, CTA_PROTO_DST_PORT), &ret->dport, sizeof(ret->dport)))
        return false;
    ret->sport = ntohs(ret->sport);
    ret->dport = ntohs(ret->dport);
    return true;
}

int entry_read(const struct nlmsghdr *message, struct entry *entry)
{
    const struct nlattr *attribute, *original = NULL, *reply = NULL, *id = NULL, *mark = NULL;
    struct flow_tuple there, back;
    uint32_t number;

    if (message->nlmsg_type >> 8 != NFNL_SUBSYS_CTNETLINK ||
        mnl_nlmsg_get_payload_len(message) < sizeof(struct nfgenmsg))
        return -EBADMSG;
    mnl_attr_for_each(attribute, message, sizeof(struct nfgenmsg))
    {
        if (mnl_attr_get_type(attribute) == CTA_TUPLE_ORIG)
            original = attribute;
        else if (mnl_attr_get_type(attribute) == CTA_TUPLE_REPLY)
            reply = attribute;
        else if (mnl_attr_get_type(attribute) == CTA_ID)
            id = attribute;
        else if (mnl_attr_get_type(attribute) == CTA_MARK)
            mark = attribute;
    }
    if (!attribute_copy(id, &number, sizeof(number)) ||
        !tuple_read(original, entry->flow, &there) || !tuple_read(reply, entry->flow, &back))
        return -EBADMSG;
    /* One that a packet of the server made has the directions the other way round. */
    entry->reply = tuple_is_equal(&there, entry->flow) ? back : there;
    entry->id = number;
    entry->mark = attribute_copy(mark, &number, sizeof(number)) ? ntohl(number) : 0;
    entry->found = true;
    return 0;
}
