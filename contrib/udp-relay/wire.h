/* SPDX-License-Identifier: Apache-2.0 */
/* Between the kernel's forms of addresses and control messages, of either family, and the relay's.
 */
#ifndef UDP_RELAY_WIRE_H
#define UDP_RELAY_WIRE_H

#include "endpoint.h"

#include <netinet/in.h>
#include <stddef.h>
#include <sys/socket.h>

/* Room for the control messages that come or go with a datagram. */
#define WIRE_CONTROL_SIZE 128u

union wire_address {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

/* Neither IPv4 nor IPv6: all zero. */
void wire_endpoint(const union wire_address *address, struct endpoint *ret);
/* For a socket of that family. Returns the size; 0: the family cannot reach it. */
socklen_t wire_address(int family, const struct endpoint *endpoint, union wire_address *ret);

struct wire_received {
    struct endpoint to; /* the address of ours; all zero: the kernel did not say */
    uint32_t segment;   /* of a train; 0: one datagram */
};

void wire_received(const struct msghdr *message, struct wire_received *ret);

/* Sets the message's control: it leaves from that address, and as a train of such segments (0: as
 * one). `control` is WIRE_CONTROL_SIZE bytes. */
void wire_send(struct msghdr *message, void *control, int family, const struct endpoint *from,
               uint16_t segment);

#endif
