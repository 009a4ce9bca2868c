/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A listening UNIX socket with a name in the file system that nobody ever sees half made: it is
 * bound under another name, gets its owner and mode, listens, and is renamed then. What was there
 * before may be replaced only if it is a socket that nobody has open.
 */
#ifndef UTIL_UNIX_SOCKET_H
#define UTIL_UNIX_SOCKET_H

#include <stdbool.h>
#include <sys/types.h>

struct unix_socket {
    int fd; /* -1: none */
    char *path;
    bool bound; /* the name is ours as long as it is this file: */
    dev_t device;
    ino_t inode;
};

struct unix_socket_options {
    int type;           /* SOCK_STREAM, which then listens, or SOCK_DGRAM */
    int backlog;        /* of SOCK_STREAM */
    mode_t mode;        /* of the name */
    gid_t group;        /* its group, (gid_t)-1: as it comes */
    bool group_or_fail; /* else a group that may not be given is left out */
    bool credentials;   /* who wrote comes with each message (SO_PASSCRED) */
};

/* Opens and binds. Returns 0 or -errno: -EEXIST (something that is no socket), -EADDRINUSE,
 * -ENAMETOOLONG, or what a call gave. In either case it is to be closed. */
int unix_socket_open(struct unix_socket *socket, const char *path,
                     const struct unix_socket_options *options);

/* Closes it, and takes its name away if it is still ours. Zeroed but for fd = -1 is allowed. */
void unix_socket_close(struct unix_socket *socket);

/* A client of a stream socket, which does not block; "@name" is an abstract one. Returns a
 * descriptor, or -errno: -ENAMETOOLONG, or what a call gave. */
int unix_socket_connect(const char *path);

#endif
