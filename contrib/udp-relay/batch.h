/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is to be sent in one call. Datagrams of one size to one destination become one message for
 * the kernel to cut (GSO), whether they came as a train or one by one. Payloads are borrowed until
 * batch_send().
 */
#ifndef UDP_RELAY_BATCH_H
#define UDP_RELAY_BATCH_H

#include "relay.h"
#include "socket.h"

#include <stddef.h>

struct batch;

struct batch_counts {
    uint64_t datagrams, calls, errors, trains;
};

/* NULL: no memory. */
struct batch *batch_new(void);
struct batch *batch_free(struct batch *batch);

/* Room for one more of them? */
bool batch_has_room(const struct batch *batch);
/* `size` bytes in datagrams of `segment` (0: one), where out says. There must be room. */
void batch_add(struct batch *batch, const struct udp_socket *socket, const struct relay_out *out,
               const void *payload, size_t size, size_t segment);
/* Sends all; it is empty then. A socket that cannot GSO after all is not asked again. */
void batch_send(struct batch *batch, struct udp_socket *socket, struct batch_counts *counts);

#endif
