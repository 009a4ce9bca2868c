/* SPDX-License-Identifier: Apache-2.0 */
/* A netlink socket of libmnl for questions to the kernel's tables. Nobody waits for it longer than
 * two seconds. */
#ifndef FLOW_NODE_KERNEL_SOCKET_H
#define FLOW_NODE_KERNEL_SOCKET_H

#include <libmnl/libmnl.h>

/* `flags` as SOCK_NONBLOCK. NULL: errno says why. */
struct mnl_socket *kernel_socket_new(int protocol, int flags);
/* Takes NULL; returns NULL. */
struct mnl_socket *kernel_socket_free(struct mnl_socket *socket);

#endif
