/* SPDX-License-Identifier: Apache-2.0 */
/* The relay's UDP sockets: opened, or handed over by systemd. */
#ifndef UDP_RELAY_SOCKET_H
#define UDP_RELAY_SOCKET_H

#include "options.h"

#include <stddef.h>

struct udp_socket {
    int fd;
    int family;
    bool gro, gso; /* the kernel has them, and they are wanted */
};

/* Opens at most `n` sockets of one port at options->bind, or takes those that were handed over,
 * at most `n` too. Returns how many, or -errno and a sentence, to be freed; none is open then. */
int sockets_open(const struct options *options, struct udp_socket *sockets, unsigned n,
                 bool *ret_activated, char **ret_error);
void sockets_close(struct udp_socket *sockets, unsigned n);
/* Datagrams that came when its queue was full, so far. */
uint32_t socket_dropped(const struct udp_socket *socket);
/* Where it is bound. */
void socket_address(const struct udp_socket *socket, struct endpoint *ret);

#endif
