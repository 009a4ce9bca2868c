/* SPDX-License-Identifier: Apache-2.0 */
/* The addresses of interfaces, by name. See addresses.h. */
#include "addresses.h"

#include "../ip-text.h"
#include "netlink/netlink-listen.h"

#include "util/util.h"

#include <stdio.h>

/* Addresses of one interface that are handed on. */
#define ADDRESSES_MAX 64u
/* Fields of who wrote it. */
#define SENDER_MAX 3u

void addresses_listen(struct pd_source_host *host, struct netlink_listener **ret_listener)
{
    char text[256];
    int r = netlink_listener_new(host, NETLINK_WANT_ADDRESSES, &(struct netlink_handlers){0},
                                 ret_listener);

    if (r >= 0)
        return;
    snprintf(text, sizeof(text),
             "cannot open an rtnetlink socket, so TUNNEL does not match peers by their address: %s",
             strerror(-r));
    host->notice(host, PD_LEVEL_ERROR, "netlink-failed", text);
}

void addresses_forget(struct netlink_listener *listener)
{
    netlink_listener_free(listener);
}

void addresses_update(struct netlink_listener *listener)
{
    if (listener)
        netlink_listener_read(listener);
}

/* "10.8.0.2 fd00::1"; "" if there is no such interface. */
static void addresses_of(struct netlink_listener *listener, const char *tunnel, char *text,
                         size_t size)
{
    struct netlink_state *state = listener ? netlink_listener_state(listener) : NULL;
    const struct link_state *link = state ? state_link_named(state, tunnel) : NULL;
    const struct link_address *addresses;
    size_t count = 0, length = 0;

    text[0] = '\0';
    if (!link)
        return;
    addresses = state_addresses_of(state, link->index, &count);
    for (size_t i = 0; i < count && i < ADDRESSES_MAX; i++) {
        char one[IP_TEXT_SIZE];

        ip_format(one, addresses[i].family, addresses[i].bytes);
        length += (size_t)snprintf(text + length, size - length, "%s%s", i ? " " : "", one);
    }
}

void message_emit(struct pd_source_host *host, struct netlink_listener *listener,
                  const struct message *message, const struct pd_field *sender, size_t n_sender)
{
    char addresses[ADDRESSES_MAX * IP_TEXT_SIZE];
    struct pd_field fields[5 + SENDER_MAX] = {
        {"event", message->event, 0}, {"tunnel", message->tunnel, 0},
        {"peers", message->peers, 0}, {"reason", message->reason, 0},
        {"addresses", addresses, 0},
    };
    struct pd_signal signal = {.kind = "notice", .fields = fields, .n_fields = 5};

    for (size_t i = 0; i < n_sender && i < SENDER_MAX; i++)
        fields[signal.n_fields++] = sender[i];
    addresses_of(listener, message->tunnel, addresses, sizeof(addresses));
    host->emit(host, &signal);
}
