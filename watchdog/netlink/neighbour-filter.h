/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which messages of RTNLGRP_NEIGH a socket is to have: those of some neighbours. A host may have
 * thousands of others, and the entries of bridges come in the same group; what the kernel drops
 * takes no room in the socket's buffer and wakes nobody. Pure.
 */
#ifndef NEIGHBOUR_FILTER_H
#define NEIGHBOUR_FILTER_H

#include <linux/filter.h>
#include <stddef.h>
#include <stdint.h>

/* The memory of a socket's filters has a limit (net.core.optmem_max, 20 KiB in older kernels). */
#define NEIGHBOURS_MAX        128u
#define NEIGHBOUR_FILTER_SIZE (12u + 2 * NEIGHBOURS_MAX)

struct netlink_neighbour {
    uint32_t index; /* of its interface */
    uint8_t family; /* 4 or 6 */
    uint8_t address[16];
};

/* What is not about a neighbour passes, and so does a neighbour whose address ends in the same four
 * bytes: the receiver looks again. `count` at most NEIGHBOURS_MAX. Returns how many instructions.
 */
size_t neighbour_filter(const struct netlink_neighbour *neighbours, size_t count,
                        struct sock_filter ret_filter[NEIGHBOUR_FILTER_SIZE]);

#endif
