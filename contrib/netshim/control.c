/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A few clients, one line each in a fixed buffer; a client that sends too long a line or
 * does not read its answers is closed. Must not block and must not know the commands.
 */
#include "control.h"

#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CLIENTS_MAX 8

struct client {
    int fd; /* -1: free */
    size_t length;
    char line[CONTROL_LINE_MAX];
};

struct control {
    int epoll_fd;
    int listen_fd;
    struct sockaddr_un address;
    bool bound;
    control_handler *handler;
    void *owner;
    struct client clients[CLIENTS_MAX];
};

static int address_fill(struct sockaddr_un *address, const char *path)
{
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (path[0] == '\0')
        return -EINVAL;
    if (strlen(path) >= sizeof(address->sun_path))
        return -ENAMETOOLONG;
    memcpy(address->sun_path, path, strlen(path));
    return 0;
}

static bool socket_is_dead(const struct sockaddr_un *address)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return false;

    bool refused = connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0 &&
                   errno == ECONNREFUSED;
    close(fd);
    return refused;
}

/* A path that is not a socket also refuses; it is left alone. */
static bool path_is_socket(const char *path)
{
    struct stat status;

    return lstat(path, &status) == 0 && S_ISSOCK(status.st_mode);
}

static int control_bind(struct control *control)
{
    const struct sockaddr *address = (const struct sockaddr *)&control->address;
    mode_t mask = umask(0177);
    int r = bind(control->listen_fd, address, sizeof(control->address)) < 0 ? -errno : 0;

    if (r == -EADDRINUSE && path_is_socket(control->address.sun_path) &&
        socket_is_dead(&control->address)) {
        unlink(control->address.sun_path);
        r = bind(control->listen_fd, address, sizeof(control->address)) < 0 ? -errno : 0;
    }
    umask(mask);
    control->bound = r == 0;
    return r;
}

static int control_open(struct control *control)
{
    struct epoll_event event = {.events = EPOLLIN, .data.u64 = CLIENTS_MAX};

    control->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (control->epoll_fd < 0)
        return -errno;
    control->listen_fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (control->listen_fd < 0)
        return -errno;

    int r = control_bind(control);
    if (r < 0)
        return r;
    if (listen(control->listen_fd, CLIENTS_MAX) < 0)
        return -errno;
    if (epoll_ctl(control->epoll_fd, EPOLL_CTL_ADD, control->listen_fd, &event) < 0)
        return -errno;
    return 0;
}

int control_new(const char *path, control_handler *handler, void *owner,
                struct control **ret_control)
{
    struct control *control = calloc(1, sizeof(*control));
    if (!control)
        return -ENOMEM;

    control->epoll_fd = -1;
    control->listen_fd = -1;
    control->handler = handler;
    control->owner = owner;
    for (int i = 0; i < CLIENTS_MAX; i++)
        control->clients[i].fd = -1;

    int r = address_fill(&control->address, path);
    if (r == 0)
        r = control_open(control);
    if (r < 0) {
        control_free(control);
        return r;
    }
    *ret_control = control;
    return 0;
}

static void client_close(struct client *client)
{
    if (client->fd >= 0)
        close(client->fd);
    client->fd = -1;
    client->length = 0;
}

struct control *control_free(struct control *control)
{
    if (!control)
        return NULL;
    for (int i = 0; i < CLIENTS_MAX; i++)
        client_close(&control->clients[i]);
    if (control->bound)
        unlink(control->address.sun_path);
    if (control->listen_fd >= 0)
        close(control->listen_fd);
    if (control->epoll_fd >= 0)
        close(control->epoll_fd);
    free(control);
    return NULL;
}

int control_fd(const struct control *control)
{
    return control->epoll_fd;
}

static void client_accept(struct control *control)
{
    int fd = accept4(control->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0)
        return;

    for (uint32_t i = 0; i < CLIENTS_MAX; i++) {
        struct epoll_event event = {.events = EPOLLIN, .data.u64 = i};

        if (control->clients[i].fd >= 0)
            continue;
        if (epoll_ctl(control->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0)
            break;
        control->clients[i] = (struct client){.fd = fd};
        return;
    }
    static const char full[] = "error: too many control clients\n";
    (void)!send(fd, full, sizeof(full) - 1, MSG_NOSIGNAL);
    close(fd);
}

static bool line_answer(struct control *control, struct client *client, const char *line)
{
    char reply[CONTROL_REPLY_MAX] = "";
    char answer[CONTROL_REPLY_MAX + 16];
    bool done = control->handler(control->owner, line, reply, sizeof(reply));
    int length = done ? snprintf(answer, sizeof(answer), "%sok\n", reply)
                      : snprintf(answer, sizeof(answer), "error: %s\n", reply);

    return send(client->fd, answer, (size_t)length, MSG_NOSIGNAL) == length;
}

static void client_read(struct control *control, struct client *client)
{
    ssize_t bytes =
        recv(client->fd, client->line + client->length, sizeof(client->line) - client->length, 0);
    if (bytes < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (bytes <= 0) {
        client_close(client);
        return;
    }
    client->length += (size_t)bytes;

    char *end = NULL;
    while ((end = memchr(client->line, '\n', client->length)) != NULL) {
        *end = '\0';
        if (!line_answer(control, client, client->line)) {
            client_close(client);
            return;
        }
        client->length -= (size_t)(end + 1 - client->line);
        memmove(client->line, end + 1, client->length);
    }
    if (client->length == sizeof(client->line))
        client_close(client);
}

void control_dispatch(struct control *control)
{
    struct epoll_event events[CLIENTS_MAX + 1];
    int count = epoll_wait(control->epoll_fd, events, CLIENTS_MAX + 1, 0);

    for (int i = 0; i < count; i++) {
        if (events[i].data.u64 == CLIENTS_MAX)
            client_accept(control);
        else if (control->clients[events[i].data.u64].fd >= 0)
            client_read(control, &control->clients[events[i].data.u64]);
    }
}
