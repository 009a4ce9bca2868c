/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kit's transport: the listening socket, its name, one client, lines in and out.
 * It must not block, and must not look into a line.
 */
#include "pathdog_node_private.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define READ_PER_TURN_BYTES (256u * 1024u)
#define ACCEPTS_PER_TURN    16u
/* By the edge: a client that cannot be let in does not keep the node awake. */
#define ACCEPT_EVENTS (EPOLLIN | EPOLLET)
#define BACKLOG       8

int kit_fail(char *ret_error, size_t error_size, int error, const char *format, ...)
{
    va_list ap;

    if (ret_error && error_size > 0) {
        va_start(ap, format);
        vsnprintf(ret_error, error_size, format, ap);
        va_end(ap);
    }
    return error;
}

static int buffer_reserve(struct buffer *b, size_t more)
{
    size_t size = b->size ? b->size : 4096;
    char *data;

    if (b->size - b->len >= more)
        return 0;
    while (size - b->len < more)
        size *= 2;
    data = realloc(b->data, size);
    if (!data)
        return -ENOMEM;
    b->data = data;
    b->size = size;
    return 0;
}

int kit_buffer_append(struct buffer *b, const char *data, size_t len)
{
    int r = buffer_reserve(b, len);

    if (r < 0)
        return r;
    memcpy(b->data + b->len, data, len);
    b->len += len;
    return 0;
}

void kit_buffer_drop(struct buffer *b)
{
    free(b->data);
    *b = (struct buffer){0};
}

/* ---- the name ---- */

/* 0: nothing is there, or a stale socket: `*ret_stale`, else zeroed. */
static int find_stale(const char *path, const struct sockaddr_un *sa, socklen_t len,
                      struct stat *ret_stale, char *ret_error, size_t error_size)
{
    int fd, r;

    *ret_stale = (struct stat){0};
    if (lstat(path, ret_stale) < 0)
        return errno == ENOENT
                   ? 0
                   : kit_fail(ret_error, error_size, -errno, "%s: %s", path, strerror(errno));
    if (!S_ISSOCK(ret_stale->st_mode))
        return kit_fail(ret_error, error_size, -ENOTSOCK, "%s exists and is not a socket", path);
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return kit_fail(ret_error, error_size, -errno, "socket: %s", strerror(errno));
    r = connect(fd, (const struct sockaddr *)sa, len) < 0 ? -errno : 0;
    close(fd);
    if (r == 0 || r == -EAGAIN) /* EAGAIN: alive, with a full backlog */
        return kit_fail(ret_error, error_size, -EADDRINUSE,
                        "a process answers at %s: a node runs there already", path);
    if (r == -ENOENT)
        return 0;
    if (r != -ECONNREFUSED)
        return kit_fail(ret_error, error_size, r, "%s: cannot tell whether it is in use: %s", path,
                        strerror(-r));
    return 0;
}

/* Puts ours where the stale one is. By exchange, what comes out can be looked at before it is gone:
 * another node that starts at the same time may have replaced it. */
static int take_name(const char *temporary, const char *path, const struct stat *stale)
{
    struct stat out;

    if (stale->st_ino && renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_EXCHANGE) == 0) {
        if (lstat(temporary, &out) == 0 && out.st_ino == stale->st_ino &&
            out.st_dev == stale->st_dev) {
            unlink(temporary);
            return 0;
        }
        (void)renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_EXCHANGE);
        return -EADDRINUSE;
    }
    if (stale->st_ino && errno != ENOENT)
        return -errno;
    if (renameat2(AT_FDCWD, temporary, AT_FDCWD, path, RENAME_NOREPLACE) == 0)
        return 0;
    return errno == EEXIST ? -EADDRINUSE : -errno;
}

static int bind_path(struct pathdog_node *kit, const char *path, char *ret_error, size_t error_size)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX}, temporary = sa;
    struct stat st = {0}, stale;
    int n, r;

    n = snprintf(temporary.sun_path, sizeof(temporary.sun_path), "%s.%ld", path, (long)getpid());
    if (n < 0 || (size_t)n >= sizeof(temporary.sun_path))
        return kit_fail(
            ret_error, error_size, -ENAMETOOLONG,
            "%s: too long for a socket's name; allowed are 107 bytes with a dot and the process id",
            path);
    strcpy(sa.sun_path, path); /* shorter than the temporary name */
    r = find_stale(path, &sa, sizeof(sa), &stale, ret_error, error_size);
    if (r < 0)
        return r;
    unlink(temporary.sun_path); /* of an earlier process with our number */
    if (bind(kit->listen_fd, (struct sockaddr *)&temporary, sizeof(temporary)) < 0)
        return kit_fail(ret_error, error_size, -errno, "bind %s: %s", temporary.sun_path,
                        strerror(errno));
    if (chmod(temporary.sun_path, 0660) < 0 || listen(kit->listen_fd, BACKLOG) < 0 ||
        lstat(temporary.sun_path, &st) < 0)
        r = -errno;
    else
        r = take_name(temporary.sun_path, path, &stale);
    if (r < 0) {
        unlink(temporary.sun_path);
        return kit_fail(ret_error, error_size, r, "%s: %s", path,
                        r == -EADDRINUSE ? "another node is starting there" : strerror(-r));
    }
    kit->path_dev = st.st_dev;
    kit->path_ino = st.st_ino;
    kit->path = strdup(path);
    return kit->path ? 0 : -ENOMEM;
}

static int bind_abstract(struct pathdog_node *kit, const char *name, char *ret_error,
                         size_t error_size)
{
    struct sockaddr_un sa = {.sun_family = AF_UNIX};
    size_t len = strlen(name);

    if (len < 2 || len > sizeof(sa.sun_path))
        return kit_fail(ret_error, error_size, -ENAMETOOLONG, "%s: not a valid abstract name",
                        name);
    memcpy(sa.sun_path + 1, name + 1, len - 1);
    kit->abstract = true;
    if (bind(kit->listen_fd, (struct sockaddr *)&sa,
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len)) < 0 ||
        listen(kit->listen_fd, BACKLOG) < 0)
        return kit_fail(ret_error, error_size, -errno, "bind %s: %s", name,
                        errno == EADDRINUSE ? "a node runs there already" : strerror(errno));
    return 0;
}

int kit_socket_bind(struct pathdog_node *kit, const char *path, char *ret_error, size_t error_size)
{
    struct epoll_event ev = {.events = ACCEPT_EVENTS};
    int r;

    kit->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (kit->listen_fd < 0)
        return kit_fail(ret_error, error_size, -errno, "socket: %s", strerror(errno));
    r = path[0] == '@' ? bind_abstract(kit, path, ret_error, error_size)
                       : bind_path(kit, path, ret_error, error_size);
    if (r < 0)
        return r;
    ev.data.fd = kit->listen_fd;
    return epoll_ctl(kit->epoll_fd, EPOLL_CTL_ADD, kit->listen_fd, &ev) < 0 ? -errno : 0;
}

void kit_socket_unbind(struct pathdog_node *kit)
{
    struct stat st;

    if (kit->path && lstat(kit->path, &st) == 0 && st.st_dev == kit->path_dev &&
        st.st_ino == kit->path_ino)
        unlink(kit->path);
    if (kit->listen_fd >= 0)
        close(kit->listen_fd);
    free(kit->path);
}

/* ---- the client: output ---- */

void kit_client_close(struct pathdog_node *kit, const char *why)
{
    bool greeted = kit->greeted;

    if (kit->client_fd < 0)
        return;
    /* A child that the node has forked may still hold it: then close() alone would leave it in the
     * epoll set, and what comes of it could not be silenced any more. */
    epoll_ctl(kit->epoll_fd, EPOLL_CTL_DEL, kit->client_fd, NULL);
    close(kit->client_fd);
    kit->client_fd = -1;
    kit->client_serial++;
    kit->greeted = kit->subscribed = kit->want_write = false;
    kit_buffer_drop(&kit->in);
    kit_buffer_drop(&kit->out);
    kit->in_scanned = kit->out_sent = 0;
    kit->rows.len = 0;
    kit->n_rows = 0;
    kit->on_gone(kit);
    if (greeted && kit->ops->client)
        kit->ops->client(kit, false, why, kit->user_data);
}

static bool want_write(const struct pathdog_node *kit)
{
    return kit->out.len > 0 || kit->peers.active || kit->rows_list.active;
}

void kit_client_flush(struct pathdog_node *kit)
{
    while (kit->client_fd >= 0 && kit->out_sent < kit->out.len) {
        ssize_t n = send(kit->client_fd, kit->out.data + kit->out_sent,
                         kit->out.len - kit->out_sent, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK) {
            kit_client_close(kit, "write failed");
            return;
        }
        if (n < 0)
            break;
        kit->out_sent += (size_t)n;
    }
    if (kit->client_fd < 0)
        return;
    if (kit->out_sent == kit->out.len) {
        kit->out_sent = kit->out.len = 0;
        if (kit->out.size > READ_PER_TURN_BYTES)
            kit_buffer_drop(&kit->out);
    }
    if (kit->want_write != want_write(kit)) {
        struct epoll_event ev = {.events = EPOLLIN, .data.fd = kit->client_fd};

        kit->want_write = want_write(kit);
        if (kit->want_write)
            ev.events |= EPOLLOUT;
        epoll_ctl(kit->epoll_fd, EPOLL_CTL_MOD, kit->client_fd, &ev);
    }
}

int kit_client_send(struct pathdog_node *kit, const char *line, size_t len)
{
    if (kit->client_fd < 0)
        return 0;
    if (len + 1 > PATHDOG_NODE_LINE_MAX_BYTES)
        return -EMSGSIZE;
    if (kit->out.len - kit->out_sent + len + 1 > kit->output_limit_bytes)
        kit_client_flush(kit);
    if (kit->client_fd < 0)
        return 0;
    if (kit->out.len - kit->out_sent + len + 1 > kit->output_limit_bytes) {
        kit_client_close(kit, "output buffer overflow");
        return 0;
    }
    if (kit->out_sent > 0 && kit->out_sent >= kit->out.len / 2) {
        memmove(kit->out.data, kit->out.data + kit->out_sent, kit->out.len - kit->out_sent);
        kit->out.len -= kit->out_sent;
        kit->out_sent = 0;
    }
    if (buffer_reserve(&kit->out, len + 1) < 0) {
        kit_client_close(kit, "out of memory");
        return -ENOMEM;
    }
    memcpy(kit->out.data + kit->out.len, line, len);
    kit->out.data[kit->out.len + len] = '\n';
    kit->out.len += len + 1;
    kit->listed_bytes += len + 1;
    if (!kit->corked || kit->out.len - kit->out_sent > READ_PER_TURN_BYTES)
        kit_client_flush(kit);
    return 0;
}

/* ---- the client: input ---- */

/* The buffer is taken out of the kit while lines are handled: a callback may end in
 * kit_client_close(), which drops the kit's own. */
static void client_lines(struct pathdog_node *kit)
{
    uint64_t serial = kit->client_serial;
    struct buffer in = kit->in;
    size_t start = 0, scanned = kit->in_scanned;
    char *lf;

    kit->in = (struct buffer){0};
    while (kit->client_serial == serial && in.len > scanned &&
           (lf = memchr(in.data + scanned, '\n', in.len - scanned))) {
        size_t end = (size_t)(lf - in.data);

        if (end - start + 1 > PATHDOG_NODE_LINE_MAX_BYTES) {
            kit_client_close(kit, "a line over length");
            break;
        }
        kit->on_line(kit, in.data + start, end - start);
        start = scanned = end + 1;
    }
    if (kit->client_serial == serial && in.len - start >= PATHDOG_NODE_LINE_MAX_BYTES)
        kit_client_close(kit, "a line over length");
    if (kit->client_serial != serial || in.len == start) {
        kit_buffer_drop(&in);
        if (kit->client_serial == serial)
            kit->in_scanned = 0;
        return;
    }
    memmove(in.data, in.data + start, in.len - start);
    in.len -= start;
    kit->in = in;
    kit->in_scanned = in.len;
}

static void client_read(struct pathdog_node *kit)
{
    uint64_t serial = kit->client_serial;

    for (size_t total = 0; total < READ_PER_TURN_BYTES;) {
        ssize_t n;

        if (buffer_reserve(&kit->in, 16384) < 0) {
            kit_client_close(kit, "out of memory");
            return;
        }
        n = recv(kit->client_fd, kit->in.data + kit->in.len, kit->in.size - kit->in.len,
                 MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (n <= 0) {
            kit_client_close(kit, n == 0 ? "closed by the client" : "read failed");
            return;
        }
        kit->in.len += (size_t)n;
        total += (size_t)n;
        client_lines(kit);
        if (kit->client_serial != serial)
            return;
    }
}

int pathdog_node_adopt(struct pathdog_node *kit, int fd)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.fd = fd};

    kit_client_close(kit, "replaced by a newer client");
    if (epoll_ctl(kit->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0) {
        int r = -errno;

        close(fd);
        return r;
    }
    kit->client_fd = fd;
    return 0;
}

static bool client_allowed(const struct pathdog_node *kit, int fd)
{
    struct ucred cred;
    socklen_t len = sizeof(cred);

    if (!kit->abstract) /* the file's permissions decide */
        return true;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
        return false;
    if (cred.uid == 0 || cred.uid == geteuid())
        return true;
    for (size_t i = 0; i < kit->n_client_uids; i++)
        if (cred.uid == kit->client_uids[i])
            return true;
    return false;
}

/* Whoever cannot be let in now (no descriptors, no memory) waits for the next one who comes, and
 * pathdog does come again. At an abstract socket any user may come, without end: then the node has
 * its turn. */
static void client_accept(struct pathdog_node *kit)
{
    struct epoll_event ev = {.events = ACCEPT_EVENTS, .data.fd = kit->listen_fd};

    for (unsigned i = 0; i < ACCEPTS_PER_TURN; i++) {
        int fd = accept4(kit->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd < 0 && (errno == EINTR || errno == ECONNABORTED))
            continue;
        if (fd < 0)
            return;
        if (client_allowed(kit, fd))
            pathdog_node_adopt(kit, fd);
        else
            close(fd);
    }
    epoll_ctl(kit->epoll_fd, EPOLL_CTL_MOD, kit->listen_fd, &ev); /* there may be more */
}

int pathdog_node_process(struct pathdog_node *kit)
{
    struct epoll_event ev[4];
    int n = epoll_wait(kit->epoll_fd, ev, 4, 0);

    if (n < 0)
        return errno == EINTR ? 0 : -errno;
    kit->corked = true;
    for (int i = 0; i < n; i++) {
        if (ev[i].data.fd == kit->listen_fd)
            continue; /* last: a new client may get the old one's descriptor */
        if (ev[i].data.fd != kit->client_fd)
            continue;
        if (ev[i].events & EPOLLOUT)
            kit_client_flush(kit);
        if (kit->client_fd >= 0 && ev[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR))
            client_read(kit);
    }
    for (int i = 0; i < n; i++)
        if (ev[i].data.fd == kit->listen_fd)
            client_accept(kit);
    kit->on_turn(kit);
    kit->corked = false;
    kit_client_flush(kit);
    return 0;
}
