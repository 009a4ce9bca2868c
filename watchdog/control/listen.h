/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The listening socket: passed by systemd under the name `control`, or made at a
 * path. Never takes a path from somebody who still listens there.
 */
#ifndef CONTROL_LISTEN_H
#define CONTROL_LISTEN_H

#include <stdbool.h>
#include <sys/types.h>

struct listener {
    int fd; /* -1: none */
    char *path;
    bool bound; /* by us: to be removed at the end, if it is still ours */
    dev_t device;
    ino_t inode;
};

/* Returns 0, or -errno and what is in the way: -EEXIST not a socket, -EADDRINUSE
 * somebody listens there. */
int listener_open(struct listener *listener, const char *path);
void listener_close(struct listener *listener);

const char *listener_error(int error);

#endif
