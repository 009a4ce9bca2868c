/* SPDX-License-Identifier: Apache-2.0 */
#include "kernel-socket.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/time.h>

#define WAIT_S 2

struct mnl_socket *kernel_socket_new(int protocol, int flags)
{
    struct timeval wait = {.tv_sec = WAIT_S};
    struct mnl_socket *socket = mnl_socket_open2(protocol, SOCK_CLOEXEC | flags);
    int saved;

    if (!socket)
        return NULL;
    if (setsockopt(mnl_socket_get_fd(socket), SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)) == 0 &&
        mnl_socket_bind(socket, 0, MNL_SOCKET_AUTOPID) == 0)
        return socket;
    saved = errno;
    mnl_socket_close(socket);
    errno = saved;
    return NULL;
}

struct mnl_socket *kernel_socket_free(struct mnl_socket *socket)
{
    if (socket)
        mnl_socket_close(socket);
    return NULL;
}
