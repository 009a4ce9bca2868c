/* SPDX-License-Identifier: Apache-2.0 */
#include "elements.h"

#include <arpa/inet.h>
#include <libmnl/libmnl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "util/util.h"

/* A list is an attribute, whose length has 16 bits. */
#define MESSAGE_MAX 32768u
#define ELEMENT_MAX 512u
/* Two addresses and two ports, each in words of four bytes. */
#define KEY_MAX 40u

const char *element_set_name(enum element_set set, uint8_t family)
{
    static const char *const names[][2] = {[SET_FLOWS] = {"flows4", "flows6"},
                                           [SET_HOLD] = {"hold4", "hold6"},
                                           [SET_LATE] = {"late4", "late6"},
                                           [SET_LATE_PORT] = {"late4_port", "late6_port"}};

    return names[set][family == 6];
}

static size_t address_size(uint8_t family)
{
    return family == 4 ? 4 : 16;
}

/* ---- a batch ---- */

static uint8_t *batch_room(struct element_batch *batch, size_t size)
{
    batch->data = array_reserve(batch->data, &batch->capacity, batch->size + size, 1);
    return batch->data + batch->size;
}

static struct nlmsghdr *batch_header(struct element_batch *batch, uint16_t type, uint16_t flags,
                                     uint8_t family, uint16_t resource)
{
    struct nlmsghdr *message = mnl_nlmsg_put_header(batch_room(batch, MESSAGE_MAX + ELEMENT_MAX));
    struct nfgenmsg *head = mnl_nlmsg_put_extra_header(message, sizeof(*head));

    message->nlmsg_type = type;
    message->nlmsg_flags = NLM_F_REQUEST | flags;
    message->nlmsg_seq = batch->sequence + batch->n_messages++;
    head->nfgen_family = family;
    head->version = NFNETLINK_V0;
    head->res_id = htons(resource);
    return message;
}

static void batch_close(struct element_batch *batch)
{
    struct nlmsghdr *message;

    if (!batch->message)
        return;
    message = (struct nlmsghdr *)(batch->data + batch->message);
    if (batch->list)
        mnl_attr_nest_end(message, (struct nlattr *)(batch->data + batch->list));
    batch->size = batch->message + MNL_ALIGN(message->nlmsg_len);
    batch->message = batch->list = 0;
}

void element_batch_begin(struct element_batch *batch, const char *table, uint32_t sequence)
{
    batch->size = 0;
    batch->message = batch->list = 0;
    batch->n_messages = batch->n_elements = 0;
    batch->table = table;
    batch->sequence = sequence;
    batch->size +=
        batch_header(batch, NFNL_MSG_BATCH_BEGIN, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES)->nlmsg_len;
}

static void batch_open(struct element_batch *batch, enum element_set set, uint8_t family,
                       uint16_t type, bool listed)
{
    struct nlmsghdr *message =
        batch_header(batch, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type),
                     type == NFT_MSG_NEWSETELEM ? NLM_F_CREATE : 0, NFPROTO_INET, 0);

    mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_TABLE, batch->table);
    mnl_attr_put_strz(message, NFTA_SET_ELEM_LIST_SET, element_set_name(set, family));
    batch->message = (size_t)((uint8_t *)message - batch->data);
    if (listed)
        batch->list =
            (size_t)((uint8_t *)mnl_attr_nest_start(message, NFTA_SET_ELEM_LIST_ELEMENTS) -
                     batch->data);
    batch->set = set;
    batch->family = family;
    batch->type = type;
}

static size_t key_write(uint8_t out[static KEY_MAX], const struct flow_tuple *tuple)
{
    size_t size = address_size(tuple->family);
    uint16_t sport = htons(tuple->sport), dport = htons(tuple->dport);

    memset(out, 0, KEY_MAX);
    memcpy(out, tuple->saddr, size);
    memcpy(out + size, tuple->daddr, size);
    memcpy(out + 2 * size, &sport, sizeof(sport));
    memcpy(out + 2 * size + 4, &dport, sizeof(dport));
    return 2 * size + 8;
}

static void verdict_write(struct nlmsghdr *message, const char *chain)
{
    struct nlattr *verdict = mnl_attr_nest_start(message, NFTA_DATA_VERDICT);

    mnl_attr_put_u32(message, NFTA_VERDICT_CODE, htonl((uint32_t)NFT_GOTO));
    mnl_attr_put_strz(message, NFTA_VERDICT_CHAIN, chain);
    mnl_attr_nest_end(message, verdict);
}

static void data_write(struct nlmsghdr *message, enum element_set set, const char *chain,
                       const struct flow_tuple *target)
{
    struct nlattr *data;
    uint16_t port;

    if (set == SET_HOLD)
        return;
    data = mnl_attr_nest_start(message, NFTA_SET_ELEM_DATA);
    if (set == SET_FLOWS) {
        verdict_write(message, chain);
    } else if (set == SET_LATE) {
        mnl_attr_put(message, NFTA_DATA_VALUE, address_size(target->family), target->saddr);
    } else {
        port = htons(target->sport);
        mnl_attr_put(message, NFTA_DATA_VALUE, sizeof(port), &port);
    }
    mnl_attr_nest_end(message, data);
}

void element_batch_put(struct element_batch *batch, enum element_set set, bool add,
                       const struct flow_tuple *key, const char *chain,
                       const struct flow_tuple *target)
{
    uint16_t type = add ? NFT_MSG_NEWSETELEM : NFT_MSG_DELSETELEM;
    struct nlmsghdr *message;
    struct nlattr *element, *value;
    uint8_t bytes[KEY_MAX];
    size_t size;

    if (batch->message) {
        message = (struct nlmsghdr *)(batch->data + batch->message);
        if (!batch->list || batch->set != set || batch->family != key->family ||
            batch->type != type || message->nlmsg_len > MESSAGE_MAX - ELEMENT_MAX)
            batch_close(batch);
    }
    if (!batch->message)
        batch_open(batch, set, key->family, type, true);
    message = (struct nlmsghdr *)(batch->data + batch->message);
    size = key_write(bytes, key);
    element = mnl_attr_nest_start(message, NFTA_LIST_ELEM);
    value = mnl_attr_nest_start(message, NFTA_SET_ELEM_KEY);
    mnl_attr_put(message, NFTA_DATA_VALUE, size, bytes);
    mnl_attr_nest_end(message, value);
    if (add)
        data_write(message, set, chain, target);
    mnl_attr_nest_end(message, element);
    batch->n_elements++;
}

void element_batch_flush(struct element_batch *batch, enum element_set set, uint8_t family)
{
    batch_close(batch);
    batch_open(batch, set, family, NFT_MSG_DELSETELEM, false);
    batch->n_elements++;
}

static struct nlmsghdr *chain_open(struct element_batch *batch, uint16_t type, uint16_t flags)
{
    struct nlmsghdr *message;

    batch_close(batch);
    message =
        batch_header(batch, (uint16_t)(NFNL_SUBSYS_NFTABLES << 8 | type), flags, NFPROTO_INET, 0);
    batch->message = (size_t)((uint8_t *)message - batch->data);
    batch->n_elements++;
    return message;
}

static void chain_head(struct element_batch *batch, const struct element_chain *chain)
{
    struct nlmsghdr *message = chain_open(batch, NFT_MSG_NEWCHAIN, NLM_F_CREATE);
    struct nlattr *hook;

    mnl_attr_put_strz(message, NFTA_CHAIN_TABLE, batch->table);
    mnl_attr_put_strz(message, NFTA_CHAIN_NAME, chain->name);
    hook = mnl_attr_nest_start(message, NFTA_CHAIN_HOOK);
    mnl_attr_put_u32(message, NFTA_HOOK_HOOKNUM, htonl(chain->hook));
    mnl_attr_put_u32(message, NFTA_HOOK_PRIORITY, htonl((uint32_t)chain->priority));
    mnl_attr_nest_end(message, hook);
    mnl_attr_put_strz(message, NFTA_CHAIN_TYPE, "filter");
}

static void chain_jump(struct element_batch *batch, const struct element_chain *chain)
{
    struct nlmsghdr *message = chain_open(batch, NFT_MSG_NEWRULE, NLM_F_CREATE | NLM_F_APPEND);
    struct nlattr *list, *expression, *data, *value, *verdict;

    mnl_attr_put_strz(message, NFTA_RULE_TABLE, batch->table);
    mnl_attr_put_strz(message, NFTA_RULE_CHAIN, chain->name);
    list = mnl_attr_nest_start(message, NFTA_RULE_EXPRESSIONS);
    expression = mnl_attr_nest_start(message, NFTA_LIST_ELEM);
    mnl_attr_put_strz(message, NFTA_EXPR_NAME, "immediate");
    data = mnl_attr_nest_start(message, NFTA_EXPR_DATA);
    mnl_attr_put_u32(message, NFTA_IMMEDIATE_DREG, htonl(NFT_REG_VERDICT));
    value = mnl_attr_nest_start(message, NFTA_IMMEDIATE_DATA);
    verdict = mnl_attr_nest_start(message, NFTA_DATA_VERDICT);
    mnl_attr_put_u32(message, NFTA_VERDICT_CODE, htonl((uint32_t)NFT_JUMP));
    mnl_attr_put_strz(message, NFTA_VERDICT_CHAIN, chain->target);
    mnl_attr_nest_end(message, verdict);
    mnl_attr_nest_end(message, value);
    mnl_attr_nest_end(message, data);
    mnl_attr_nest_end(message, expression);
    mnl_attr_nest_end(message, list);
}

void element_batch_chain(struct element_batch *batch, const struct element_chain *chain, bool there)
{
    struct nlmsghdr *message;

    if (there) {
        chain_head(batch, chain);
        chain_jump(batch, chain);
        return;
    }
    message = chain_open(batch, NFT_MSG_DELRULE, 0); /* all of the chain */
    mnl_attr_put_strz(message, NFTA_RULE_TABLE, batch->table);
    mnl_attr_put_strz(message, NFTA_RULE_CHAIN, chain->name);
    message = chain_open(batch, NFT_MSG_DELCHAIN, 0);
    mnl_attr_put_strz(message, NFTA_CHAIN_TABLE, batch->table);
    mnl_attr_put_strz(message, NFTA_CHAIN_NAME, chain->name);
}

void element_batch_end(struct element_batch *batch)
{
    batch_close(batch);
    /* Answered when it was done, as errors always are. */
    for (size_t offset = 0; offset < batch->size;) {
        struct nlmsghdr *message = (struct nlmsghdr *)(batch->data + offset);

        offset += MNL_ALIGN(message->nlmsg_len);
        if (offset >= batch->size && batch->n_elements)
            message->nlmsg_flags |= NLM_F_ACK;
    }
    batch->size +=
        batch_header(batch, NFNL_MSG_BATCH_END, 0, AF_UNSPEC, NFNL_SUBSYS_NFTABLES)->nlmsg_len;
}

void element_batch_done(struct element_batch *batch)
{
    free(batch->data);
    memset(batch, 0, sizeof(*batch));
}

/* ---- reading ---- */

/* Of a nest: the attribute of this type, NULL: none. */
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

/* Of a message of nfnetlink. */
static const struct nlattr *message_attribute(const struct nlmsghdr *message, uint16_t type)
{
    const struct nlattr *attribute;

    if (mnl_nlmsg_get_payload_len(message) < sizeof(struct nfgenmsg))
        return NULL;
    mnl_attr_for_each(attribute, message, sizeof(struct nfgenmsg))
    {
        if (mnl_attr_get_type(attribute) == type)
            return attribute;
    }
    return NULL;
}

/* A text that ends within its attribute; NULL: there is none. */
static const char *text_of(const struct nlattr *attribute)
{
    if (!attribute ||
        !memchr(mnl_attr_get_payload(attribute), '\0', mnl_attr_get_payload_len(attribute)))
        return NULL;
    return mnl_attr_get_payload(attribute);
}

static uint32_t number_of(const struct nlmsghdr *message, uint16_t type)
{
    const struct nlattr *attribute = message_attribute(message, type);

    return attribute && mnl_attr_get_payload_len(attribute) == sizeof(uint32_t)
               ? ntohl(mnl_attr_get_u32(attribute))
               : 0;
}

bool map_is_ours(const struct nlmsghdr *message, uint8_t family)
{
    return message->nlmsg_type == (NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWSET) &&
           number_of(message, NFTA_SET_FLAGS) & NFT_SET_MAP &&
           number_of(message, NFTA_SET_DATA_TYPE) == (uint32_t)NFT_DATA_VERDICT &&
           number_of(message, NFTA_SET_KEY_LEN) == 2 * address_size(family) + 8;
}

static bool key_read(const struct nlattr *value, uint8_t family, struct flow_tuple *ret)
{
    size_t size = address_size(family);
    const uint8_t *bytes;
    uint16_t sport, dport;

    if (!value || mnl_attr_get_payload_len(value) != 2 * size + 8)
        return false;
    bytes = mnl_attr_get_payload(value);
    memcpy(&sport, bytes + 2 * size, sizeof(sport));
    memcpy(&dport, bytes + 2 * size + 4, sizeof(dport));
    *ret = (struct flow_tuple){
        .family = family, .protocol = IPPROTO_UDP, .sport = ntohs(sport), .dport = ntohs(dport)};
    memcpy(ret->saddr, bytes, size);
    memcpy(ret->daddr, bytes + size, size);
    return true;
}

size_t elements_read(const struct nlmsghdr *message, uint8_t family,
                     void (*each)(void *user, const struct flow_tuple *key, const char *chain),
                     void *user)
{
    const struct nlattr *list = message_attribute(message, NFTA_SET_ELEM_LIST_ELEMENTS), *element;
    size_t n_unread = 0;

    if (!list)
        return 0;
    mnl_attr_for_each_nested(element, list)
    {
        const struct nlattr *verdict =
            nested(nested(element, NFTA_SET_ELEM_DATA), NFTA_DATA_VERDICT);
        const char *chain = text_of(nested(verdict, NFTA_VERDICT_CHAIN));
        struct flow_tuple key;

        if (chain &&
            key_read(nested(nested(element, NFTA_SET_ELEM_KEY), NFTA_DATA_VALUE), family, &key))
            each(user, &key, chain);
        else
            n_unread++;
    }
    return n_unread;
}

enum ruleset_news ruleset_decode(const struct nlmsghdr *message, const char *table,
                                 char ret_program[static 16], uint32_t *ret_pid)
{
    /* In each of these messages the table's name is attribute 1. */
    static const struct {
        uint8_t type;
        enum ruleset_news news;
    } types[] = {
        {NFT_MSG_DELTABLE, RULESET_REMOVED},   {NFT_MSG_DELCHAIN, RULESET_REMOVED},
        {NFT_MSG_DELRULE, RULESET_REMOVED},    {NFT_MSG_DELSET, RULESET_REMOVED},
        {NFT_MSG_DELSETELEM, RULESET_REMOVED}, {NFT_MSG_NEWTABLE, RULESET_ADDED},
        {NFT_MSG_NEWCHAIN, RULESET_ADDED},     {NFT_MSG_NEWRULE, RULESET_ADDED},
        {NFT_MSG_NEWSET, RULESET_ADDED},       {NFT_MSG_NEWSETELEM, RULESET_ADDED},
    };
    const char *name;

    memset(ret_program, 0, 16);
    *ret_pid = 0;
    if (message->nlmsg_type >> 8 != NFNL_SUBSYS_NFTABLES)
        return RULESET_OTHER;
    if ((message->nlmsg_type & 0xff) == NFT_MSG_NEWGEN) {
        const struct nlattr *pid = message_attribute(message, NFTA_GEN_PROC_PID);

        name = text_of(message_attribute(message, NFTA_GEN_PROC_NAME));
        snprintf(ret_program, 16, "%.15s", name ? name : "");
        if (pid && mnl_attr_get_payload_len(pid) == sizeof(*ret_pid))
            *ret_pid = ntohl(mnl_attr_get_u32(pid));
        return RULESET_GENERATION;
    }
    name = text_of(message_attribute(message, NFTA_TABLE_NAME));
    if (!name || strcmp(name, table))
        return RULESET_OTHER;
    if (((const struct nfgenmsg *)mnl_nlmsg_get_payload(message))->nfgen_family != NFPROTO_INET)
        return RULESET_OTHER;
    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        if ((message->nlmsg_type & 0xff) == types[i].type)
            return types[i].news;
    return RULESET_OTHER;
}

/* ---- names of chains ---- */

static bool is_plain(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
           c == '-';
}

const char *chain_name(char out[static CHAIN_NAME_SIZE], const char *interface)
{
    size_t at = (size_t)snprintf(out, CHAIN_NAME_SIZE, "to_");

    for (size_t i = 0; i < IFNAMSIZ - 1 && interface[i]; i++)
        at += (size_t)snprintf(out + at, CHAIN_NAME_SIZE - at,
                               is_plain(interface[i]) ? "%c" : "_%02x",
                               (unsigned)(unsigned char)interface[i]);
    return out;
}

static int digit(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool chain_interface(const char *chain, char ret_interface[static IFNAMSIZ])
{
    size_t n = 0;

    memset(ret_interface, 0, IFNAMSIZ);
    if (strncmp(chain, "to_", 3))
        return false;
    for (const char *at = chain + 3; *at; at++) {
        int high, low;

        if (n == IFNAMSIZ - 1)
            return false;
        if (is_plain(*at)) {
            ret_interface[n++] = *at;
            continue;
        }
        high = *at == '_' ? digit(at[1]) : -1;
        low = high >= 0 ? digit(at[2]) : -1;
        if (low < 0 || !(high | low))
            return false;
        ret_interface[n++] = (char)(high << 4 | low);
        at += 2;
    }
    return n > 0;
}
