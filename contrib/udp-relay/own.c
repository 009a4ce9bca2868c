/* SPDX-License-Identifier: Apache-2.0 */
/* See own.h. An address is one of this machine's where a socket can be bound to it. */
#include "own.h"

#include "wire.h"

#include <unistd.h>

void own_init(struct own *own, const struct endpoint *bound)
{
    static const uint8_t none[16];

    *own = (struct own){.bound = *bound};
    own->any = !memcmp(bound->ip, none, 16) ||
               (endpoint_is_ipv4(bound) && !memcmp(bound->ip + 12, none, 4));
}

static bool ask(const struct endpoint *ip)
{
    int family = endpoint_is_ipv4(ip) ? AF_INET : AF_INET6, fd;
    struct endpoint at = *ip;
    union wire_address address;
    socklen_t size;
    bool is_own;

    at.port = 0;
    size = wire_address(family, &at, &address);
    fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    is_own = bind(fd, &address.any, size) == 0;
    close(fd);
    return is_own;
}

bool own_is(struct own *own, const struct endpoint *from, uint64_t now_us)
{
    unsigned at = (from->ip[15] ^ from->ip[14] ^ from->ip[7]) % OWN_KEPT;

    if (from->port != own->bound.port)
        return false;
    if (!own->any)
        return ip_equal(from, &own->bound);
    if (now_us >= own->kept[at].until_us || !ip_equal(&own->kept[at].ip, from)) {
        own->kept[at].ip = *from;
        own->kept[at].is_own = ask(from);
        own->kept[at].until_us = now_us + OWN_KEEP_US;
    }
    return own->kept[at].is_own;
}
