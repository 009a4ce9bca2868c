/* SPDX-License-Identifier: Apache-2.0 */
/* See neighbour-filter.h. */
#include "neighbour-filter.h"

#include <arpa/inet.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <sys/socket.h>

/* The kernel puts NDA_DST first (neigh_fill_info), and one message into each datagram. */
#define FAMILY_AT  (NLMSG_HDRLEN + offsetof(struct ndmsg, ndm_family))
#define ADDRESS_AT (NLMSG_HDRLEN + NLMSG_ALIGN(sizeof(struct ndmsg)) + NLA_HDRLEN)

#define PASS UINT32_MAX
#define DROP 0

static uint32_t end_of(const struct netlink_neighbour *neighbour)
{
    const uint8_t *end = neighbour->address + (neighbour->family == 4 ? 0 : 12);

    return (uint32_t)end[0] << 24 | (uint32_t)end[1] << 16 | (uint32_t)end[2] << 8 | end[3];
}

size_t neighbour_filter(const struct netlink_neighbour *neighbours, size_t count,
                        struct sock_filter ret_filter[NEIGHBOUR_FILTER_SIZE])
{
    /* A load is in network order; the messages are in that of the host, but for addresses. */
    const struct sock_filter head[] = {
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, offsetof(struct nlmsghdr, nlmsg_type)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWNEIGH), 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELNEIGH), 1, 0),
        BPF_STMT(BPF_RET | BPF_K, PASS),
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, FAMILY_AT),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET, 2, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 3, 0),
        BPF_STMT(BPF_RET | BPF_K, DROP),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ADDRESS_AT),
        BPF_STMT(BPF_JMP | BPF_JA, 1),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ADDRESS_AT + 12),
    };
    size_t n = sizeof(head) / sizeof(head[0]);

    memcpy(ret_filter, head, sizeof(head));
    for (size_t i = 0; i < count; i++) {
        ret_filter[n++] =
            (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, end_of(&neighbours[i]), 0, 1);
        ret_filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, PASS);
    }
    ret_filter[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, DROP);
    return n;
}
