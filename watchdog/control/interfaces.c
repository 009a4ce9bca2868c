/* SPDX-License-Identifier: Apache-2.0 */
#include "interfaces.h"

#include <netinet/in.h>
#include <string.h>

#include "../util/address.h"

#define KEPT_US UINT64_C(1000000)

static void read_again(struct interfaces *interfaces, uint64_t now_us)
{
    if (interfaces->read_us && sub_u64(now_us, interfaces->read_us) < KEPT_US)
        return;
    interfaces_clear(interfaces);
    interfaces->read_us = now_us;
    if (getifaddrs(&interfaces->list) < 0)
        interfaces->list = NULL;
}

static bool has_address(const struct ifaddrs *entry, const struct pd_address *address)
{
    const void *bytes;

    if (!entry->ifa_addr)
        return false;
    if (entry->ifa_addr->sa_family == AF_INET && address->family == 4)
        bytes = &((const struct sockaddr_in *)(const void *)entry->ifa_addr)->sin_addr;
    else if (entry->ifa_addr->sa_family == AF_INET6 && address->family == 6)
        bytes = &((const struct sockaddr_in6 *)(const void *)entry->ifa_addr)->sin6_addr;
    else
        return false;
    return !memcmp(bytes, address->bytes, address->family == 4 ? 4 : 16) &&
           (!*address->scope || !strcmp(address->scope, entry->ifa_name));
}

const char *interfaces_find(struct interfaces *interfaces, uint64_t now_us, const char *local)
{
    struct pd_address address;
    const char *found = NULL;

    if (!local || address_parse(local, &address) < 0 || !address.family)
        return NULL;
    read_again(interfaces, now_us);
    for (const struct ifaddrs *entry = interfaces->list; entry; entry = entry->ifa_next) {
        if (!has_address(entry, &address))
            continue;
        if (found && strcmp(found, entry->ifa_name) != 0)
            return NULL; /* two have it: that says nothing */
        found = entry->ifa_name;
    }
    return found;
}

void interfaces_clear(struct interfaces *interfaces)
{
    if (interfaces->list)
        freeifaddrs(interfaces->list);
    *interfaces = (struct interfaces){0};
}
