/* SPDX-License-Identifier: Apache-2.0 */
/* Any datagram as rtnetlink messages: nothing is read beyond it, and the tables that are kept
 * of links and addresses stay in order; a neighbour is well, fails, or is not known. */
#include "fuzz.h"

#include "netlink/netlink-state.h"

static void check_state(struct netlink_state *state)
{
    const struct link_address *of;
    size_t n;

    for (size_t i = 0; i < state->n_links; i++) {
        MUST(state->links[i].index);
        MUST(!i || state->links[i - 1].index < state->links[i].index);
        MUST(memchr(state->links[i].name, '\0', sizeof(state->links[i].name)));
        MUST(state_link(state, state->links[i].index) == &state->links[i]);
        MUST(state->links[i].up || !state->links[i].carrier);
        MUST(state_link_named(state, state->links[i].name));
        MUST(!strcmp(state_link_named(state, state->links[i].name)->name, state->links[i].name));
        (void)state_addresses_of(state, state->links[i].index, &n);
    }
    for (size_t i = 0; i < state->n_addresses; i++) {
        struct address_state *address = &state->addresses[i];

        MUST(address->family == 4 || address->family == 6);
        MUST(state_address_used(state, address->family, address->bytes));
        MUST(address->used);
        of = state_addresses_of(state, address->index, &n);
        while (n && (of->family != address->family || memcmp(of->bytes, address->bytes, 16) != 0))
            of++, n--;
        MUST(n);
        if (!i)
            continue;
        if (address[-1].family == address->family)
            MUST(memcmp(address[-1].bytes, address->bytes, 16) < 0 ||
                 (!memcmp(address[-1].bytes, address->bytes, 16) &&
                  address[-1].index < address->index));
        else
            MUST(address[-1].family < address->family);
    }
}

static void check_nexthop(const struct nlmsghdr *message)
{
    struct netlink_nexthop nexthop;

    if (netlink_decode_nexthop(message, 3, &nexthop) < 0)
        return;
    MUST(nexthop.error <= 0);
    MUST(nexthop.gateway_family == 0 || nexthop.gateway_family == 4 || nexthop.gateway_family == 6);
    MUST(nexthop.source_family == 0 || nexthop.source_family == nexthop.prefix_family);
}

static void check_neighbour(const struct netlink_event *event)
{
    if (event->kind != NETLINK_NEIGHBOUR)
        return;
    MUST(event->index && event->index <= INT32_MAX);
    MUST(event->family == 4 || event->family == 6);
    MUST(event->removed + event->failed + event->resolved <= 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct netlink_state state = {0};
    const struct nlmsghdr *message;
    struct netlink_event event;
    size_t offset = 0;
    /* Aligned as what recvmsg fills, and of exactly this size. */
    uint8_t *copy = malloc(size ? size : 1);

    MUST(copy);
    memcpy(copy, data, size);
    while ((message = netlink_next(copy, size, &offset))) {
        netlink_decode(message, &event);
        check_nexthop(message);
        check_neighbour(&event);
        if (event.kind == NETLINK_END) {
            state_sweep_end(&state);
            state_sweep_begin(&state);
        }
        state_take(&state, &event);
        if (state.n_links + state.n_addresses < 64)
            check_state(&state);
    }
    check_state(&state);
    state_done(&state);
    free(copy);
    return 0;
}
