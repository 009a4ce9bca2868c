/* SPDX-License-Identifier: Apache-2.0 */
/* Any datagram as the kernel's messages to flow-node's mover: rtnetlink, nftables, conntrack. What
 * is planned from it never deletes what is not ours, and asks for no more than fits. */
#include "fuzz.h"

#include <libmnl/libmnl.h>
#include <netinet/in.h>

#include "elements.h"
#include "entries.h"
#include "netlink-socket.h"
#include "rules.h"

static const struct rules_settings settings = {0x1f000000, 7000, 900, 177};

static void check_key(void *user, const struct flow_tuple *key, const char *chain)
{
    char interface[IFNAMSIZ], again[CHAIN_NAME_SIZE];
    char text[TUPLE_TEXT_SIZE];
    struct flow_tuple back;

    MUST(!tuple_parse(tuple_text_full(text, key), &back));
    MUST(tuple_is_equal(key, &back));
    if (chain_interface(chain, interface))
        MUST(!strcmp(chain_name(again, interface), chain));
}

static void check_plan(struct rules *rules, struct uplinks *uplinks)
{
    _Alignas(NLMSG_ALIGNTO) uint8_t buffer[RULES_REQUEST_MAX];
    const struct rules_step *steps;
    char text[256];
    size_t n_steps, n_uplinks, at = 0;
    const struct uplink *list;

    uplinks_end(uplinks);
    rules_adopt(rules, uplinks);
    list = uplinks_list(uplinks, &n_uplinks);
    for (size_t i = 0; i < n_uplinks; i++) {
        MUST(list[i].family == 4 || list[i].family == 6);
        MUST(memchr(list[i].name, '\0', sizeof(list[i].name)));
        MUST(uplinks_find(uplinks, list[i].name, list[i].family));
        MUST(uplinks_is_on(uplinks, list[i].index, list[i].family, list[i].address));
        rules_number(rules, list[i].name);
    }
    steps = rules_plan(rules, uplinks, &n_steps);
    for (size_t i = 0; i < n_steps; i++) {
        struct nlmsghdr *message = rules_request(&steps[i], buffer);
        struct rtnl_event event;

        MUST(message->nlmsg_len <= sizeof(buffer));
        rtnl_decode(message, &event);
        MUST(event.kind == RTNL_RULE || event.kind == RTNL_ROUTE);
        MUST(event.protocol == settings.protocol);
    }
    while (rules_clash(rules, &at, text, sizeof(text)))
        MUST(*text);
}

static void read_message(const struct nlmsghdr *message, const struct flow_tuple *flow)
{
    struct entry entry = {.flow = flow};
    char program[16];
    uint32_t pid;

    elements_read(message, 4, check_key, NULL);
    elements_read(message, 6, check_key, NULL);
    ruleset_decode(message, "t", program, &pid);
    MUST(memchr(program, '\0', sizeof(program)));
    MUST(entry_read(message, &entry) == 0 ? entry.found : !entry.found);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct flow_tuple v4 = {.family = 4, .protocol = IPPROTO_UDP};
    const struct flow_tuple v6 = {.family = 6, .protocol = IPPROTO_UDP};
    struct uplinks *uplinks = uplinks_new(NULL, 0, settings.protocol);
    struct rules *rules;
    char error[256];
    /* As what recv fills: aligned, at its end, too. */
    size_t whole = MNL_ALIGN(size ? size : 1);
    uint8_t *copy = calloc(1, whole);
    struct nlmsghdr *message = (void *)copy;
    int left = (int)size;

    MUST(copy);
    MUST(!rules_new(&settings, &rules, error, sizeof(error)));
    memcpy(copy, data, size);
    uplinks_begin(uplinks);
    rules_begin(rules);
    for (; netlink_is_whole(message, left); message = mnl_nlmsg_next(message, &left)) {
        struct rtnl_event event;

        rtnl_decode(message, &event);
        MUST(event.n_hops <= RTNL_HOPS_MAX);
        (void)uplinks_concerned(uplinks, &event);
        (void)rules_concerned(rules, &event);
        uplinks_take(uplinks, &event);
        rules_take(rules, &event);
        read_message(message, &v4);
        read_message(message, &v6);
    }
    check_plan(rules, uplinks);
    rules_free(rules);
    uplinks_free(uplinks);
    free(copy);
    return 0;
}
