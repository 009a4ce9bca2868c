/* SPDX-License-Identifier: Apache-2.0 */
/* See wire.h. A socket of IPv6 takes and gives IPv4 as ::ffff:a.b.c.d, also in control messages. */
#include "wire.h"

#include <netinet/udp.h>

static const uint8_t mapped[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

static bool is_link_local(const uint8_t ip[static 16])
{
    return ip[0] == 0xfe && (ip[1] & 0xc0) == 0x80;
}

void wire_endpoint(const union wire_address *address, struct endpoint *ret)
{
    *ret = (struct endpoint){0};
    if (address->any.sa_family == AF_INET6) {
        memcpy(ret->ip, &address->v6.sin6_addr, 16);
        if (is_link_local(ret->ip))
            ret->scope = address->v6.sin6_scope_id;
        ret->port = ntohs(address->v6.sin6_port);
    } else if (address->any.sa_family == AF_INET) {
        memcpy(ret->ip, mapped, sizeof(mapped));
        memcpy(ret->ip + 12, &address->v4.sin_addr, 4);
        ret->port = ntohs(address->v4.sin_port);
    }
}

socklen_t wire_address(int family, const struct endpoint *endpoint, union wire_address *ret)
{
    if (family == AF_INET6) {
        ret->v6 = (struct sockaddr_in6){.sin6_family = AF_INET6,
                                        .sin6_port = htons(endpoint->port),
                                        .sin6_scope_id = endpoint->scope};
        memcpy(&ret->v6.sin6_addr, endpoint->ip, 16);
        return sizeof(ret->v6);
    }
    if (!endpoint_is_ipv4(endpoint))
        return 0;
    ret->v4 = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons(endpoint->port)};
    memcpy(&ret->v4.sin_addr, endpoint->ip + 12, 4);
    return sizeof(ret->v4);
}

void wire_received(const struct msghdr *message, struct wire_received *ret)
{
    struct in6_pktinfo v6;
    struct in_pktinfo v4;
    int segment;

    *ret = (struct wire_received){0};
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c;
         c = CMSG_NXTHDR((struct msghdr *)message, c)) {
        if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            memcpy(&v6, CMSG_DATA(c), sizeof(v6));
            memcpy(ret->to.ip, &v6.ipi6_addr, 16);
            if (is_link_local(ret->to.ip))
                ret->to.scope = v6.ipi6_ifindex;
        } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            memcpy(&v4, CMSG_DATA(c), sizeof(v4));
            memcpy(ret->to.ip, mapped, sizeof(mapped));
            memcpy(ret->to.ip + 12, &v4.ipi_addr, 4);
        } else if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
            memcpy(&segment, CMSG_DATA(c), sizeof(segment));
            ret->segment = segment > 0 ? (uint32_t)segment : 0;
        }
    }
}

/* Behind what there is. No room is counted behind the last one: the kernel has 36 bytes for them on
 * its stack, just what an address of IPv6 needs, and else allocates for each message. */
static void put(struct msghdr *message, int level, int type, const void *data, size_t size)
{
    struct cmsghdr header = {.cmsg_len = CMSG_LEN(size), .cmsg_level = level, .cmsg_type = type};
    size_t begin = CMSG_ALIGN(message->msg_controllen);
    uint8_t *at = (uint8_t *)message->msg_control + begin;

    memcpy(at, &header, sizeof(header));
    memcpy(at + CMSG_LEN(0), data, size);
    message->msg_controllen = begin + CMSG_LEN(size);
}

void wire_send(struct msghdr *message, void *control, int family, const struct endpoint *from,
               uint16_t segment)
{
    static const uint8_t none[16];

    message->msg_control = control;
    message->msg_controllen = 0;
    if (memcmp(from->ip, none, 16) != 0) {
        if (family == AF_INET6) {
            struct in6_pktinfo v6 = {.ipi6_ifindex = from->scope};

            memcpy(&v6.ipi6_addr, from->ip, 16);
            put(message, IPPROTO_IPV6, IPV6_PKTINFO, &v6, sizeof(v6));
        } else {
            struct in_pktinfo v4 = {0};

            memcpy(&v4.ipi_spec_dst, from->ip + 12, 4);
            put(message, IPPROTO_IP, IP_PKTINFO, &v4, sizeof(v4));
        }
    }
    if (segment)
        put(message, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof(segment));
}
