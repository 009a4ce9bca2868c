/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The listening socket: passed by systemd under the name `control`, or made at a
 * path. Never takes a path from somebody who still listens there.
 */
#ifndef CONTROL_LISTEN_H
#define CONTROL_LISTEN_H

#include "../util/unix-socket.h"

/* As unix_socket_open(); closed by unix_socket_close(). */
int listener_open(struct unix_socket *listener, const char *path);

const char *listener_error(int error);

#endif
