/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a program ends with, and whose fault an error is. A supervisor tries a program again unless
 * an operator has to change something first, so the two must not be mixed up. Pure.
 */
#ifndef UTIL_EXIT_STATUS_H
#define UTIL_EXIT_STATUS_H

#include <errno.h>
#include <stdbool.h>

enum {
    EXIT_GOOD = 0,
    EXIT_FAILED = 1,    /* the machine: memory, descriptors, a disk; and all that is not below */
    EXIT_BAD_INPUT = 2, /* arguments, a configuration, files and accounts that it names */
    EXIT_BUSY = 75,     /* another process has it (EX_TEMPFAIL, which systemd shows by name) */
};

/* Of -errno: is it about what an operator has written or arranged? Names, kinds and permissions of
 * files are; what the machine is short of, and what its devices say, is not. */
static inline bool error_is_operators(int error)
{
    switch (-error) {
    case EINVAL:
    case EBADMSG: /* of our own: what a file holds */
    case ENOENT:
    case ENOTDIR:
    case EISDIR:
    case EEXIST:
    case EACCES:
    case EPERM:
    case EROFS:
    case ELOOP:
    case ENAMETOOLONG:
    case ENXIO:
    case ENODEV:
    case ENOTSOCK:
        return true;
    default:
        return false;
    }
}

/* Of -errno: the machine has not enough of something, and may have it soon. */
static inline bool error_is_shortage(int error)
{
    return error == -EMFILE || error == -ENFILE || error == -ENOMEM || error == -ENOBUFS ||
           error == -EAGAIN;
}

static inline int exit_status_of(int error)
{
    return error == -EBUSY ? EXIT_BUSY : error_is_operators(error) ? EXIT_BAD_INPUT : EXIT_FAILED;
}

#endif
