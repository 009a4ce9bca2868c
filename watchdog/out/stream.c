/* SPDX-License-Identifier: Apache-2.0 */
/* In small pieces, so that a reader that takes something now and then is seen to do so. */
#include "stream.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../util/disk.h"
#include "../util/util.h"

/* Of a pipe or a socket, so much is taken whole or not at all: it is known what got through. */
#define PIECE_BYTES ((size_t)4 * 1024)

/* Who has the other end, or the same one, may have made it non-blocking. */
static void writable_wait(int fd)
{
    struct pollfd ready = {.fd = fd, .events = POLLOUT};

    (void)poll(&ready, 1, -1);
}

static ssize_t send_socket(int fd, const char *bytes, size_t n_bytes)
{
    for (;;) {
        ssize_t n = send(fd, bytes, min_u64(n_bytes, PIECE_BYTES), MSG_NOSIGNAL);

        if (n >= 0)
            return n;
        if (errno == EAGAIN)
            writable_wait(fd);
        else if (errno != EINTR)
            return -errno;
    }
}

static ssize_t send_pipe(int fd, const char *bytes, size_t n_bytes)
{
    for (;;) {
        ssize_t n = write(fd, bytes, min_u64(n_bytes, PIECE_BYTES));

        if (n >= 0)
            return n;
        if (errno == EAGAIN)
            writable_wait(fd);
        else if (errno != EINTR)
            return -errno;
    }
}

struct piece {
    int fd;
    const char *bytes;
    size_t n_bytes;
};

static int write_piece(void *user)
{
    const struct piece *piece = user;
    ssize_t n;

    do {
        n = write(piece->fd, piece->bytes, piece->n_bytes);
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : (int)n;
}

/* A file may be on a file system that is frozen. */
static ssize_t send_file(int fd, const char *bytes, size_t n_bytes)
{
    struct piece piece = {fd, bytes, min_u64(n_bytes, INT32_MAX)};

    return disk_call(write_piece, &piece, fd);
}

stream_send_t *stream_sender(int fd)
{
    struct stat there;

    if (fstat(fd, &there) < 0)
        return NULL;
    if (S_ISSOCK(there.st_mode))
        return send_socket;
    return S_ISFIFO(there.st_mode) || S_ISCHR(there.st_mode) ? send_pipe : send_file;
}
