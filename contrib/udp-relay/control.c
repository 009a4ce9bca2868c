/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket: one request, one answer, closed. Nothing is changed by it.
 *
 * It lives on the program's own loop, beside the threads that forward. What it needs of the relay
 * it copies in small pieces under the lock, and makes text of it afterwards. No client can make
 * anybody wait, nor have more kept than a buffer: an answer is made as it is read.
 */
#include "control.h"

#include <errno.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "report.h"
#include "util/format.h"
#include "util/unix-socket.h"
#include "version.h"

#define CLIENTS_MAX        16u
#define BACKLOG            64
#define SOCKET_MODE        0660
#define REQUEST_BYTES      4096u               /* of a request, with all of an HTTP header */
#define OUT_BYTES          ((size_t)32 * 1024) /* unread: no more is made */
#define PATIENCE_US        UINT64_C(10000000) /* a client that does nothing for so long is closed */
#define PUSHED_US          UINT64_C(1000000)  /* the same where another one wants its place */
#define SESSIONS_AT_A_TIME 32u
#define WRITES_AT_A_TIME   4u

enum client_state {
    CLIENT_ASKS,
    CLIENT_SESSIONS, /* more of them are to be made */
    CLIENT_ENDS,     /* closed when it has read what waits */
};

struct client {
    struct control *control;
    int fd;
    sd_event_source *io, *timer;
    uint64_t moved_us; /* when it last read or wrote something */
    enum client_state state;
    size_t cursor; /* of relay_session_next() */
    bool first;    /* no session was written yet */
    size_t request_size;
    char request[REQUEST_BYTES];
    struct buffer out;
};

struct control {
    sd_event *loop;
    struct server *server;
    const struct options *options;
    const struct control_members *members;
    struct unix_socket listener;
    sd_event_source *accept;
    uint64_t started_us, started_epoch;
    struct client *clients[CLIENTS_MAX];
};

static struct client *client_free(struct client *client)
{
    if (!client)
        return NULL;
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        if (client->control->clients[i] == client)
            client->control->clients[i] = NULL;
    sd_event_source_disable_unref(client->io);
    sd_event_source_disable_unref(client->timer);
    buffer_clear(&client->out);
    close(client->fd);
    free(client);
    return NULL;
}

/* ---- answers ---- */

static void report_fill(struct control *control, struct report *ret)
{
    struct relay *relay;

    *ret = (struct report){
        .version = PATHDOG_VERSION,
        .options = control->options,
        .members = control->members,
        .activated = server_is_activated(control->server),
        .workers = server_workers(control->server),
        .now_us = server_now_us(),
        .started_us = control->started_us,
        .started_epoch = control->started_epoch,
        .session_bytes = relay_session_bytes(),
    };
    server_address(control->server, &ret->address);
    server_counts(control->server, &ret->sockets);
    relay = server_lock(control->server);
    ret->circuits = relay_circuits(relay);
    ret->pending = relay_pending(relay);
    ret->memory_bytes = relay_memory_bytes(relay);
    for (size_t i = 0; i < RELAY_COUNTS; i++)
        ret->counts[i] = relay_count(relay, (enum relay_count)i);
    server_unlock(control->server);
}

/* Some more of the sessions, as long as there is room. */
static void sessions_go_on(struct client *client)
{
    static const size_t at_a_time = SESSIONS_AT_A_TIME;
    struct relay_session_view views[SESSIONS_AT_A_TIME];
    struct server *server = client->control->server;

    while (client->state == CLIENT_SESSIONS && client->out.length < OUT_BYTES) {
        uint64_t now_us = server_now_us();
        const struct relay *relay = server_lock(server);
        size_t n = 0;

        while (n < at_a_time && relay_session_next(relay, now_us, &client->cursor, &views[n]))
            n++;
        server_unlock(server);
        for (size_t i = 0; i < n; i++) {
            if (!client->first)
                buffer_text(&client->out, ",\n");
            client->first = false;
            report_session(&client->out, &views[i], now_us);
        }
        if (n < at_a_time) {
            buffer_text(&client->out, "]}\n");
            client->state = CLIENT_ENDS;
        }
    }
}

static void http_head(struct client *client, const char *status, const char *type)
{
    const char *const parts[] = {"HTTP/1.1 ", status, "\r\nContent-Type: ", type,
                                 "\r\nConnection: close\r\n\r\n"};

    for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
        buffer_text(&client->out, parts[i]);
}

/* `what` is the request without HTTP around it. */
static void answer(struct client *client, const char *what, bool http)
{
    struct report report;

    client->state = CLIENT_ENDS;
    if (!strcmp(what, "status")) {
        if (http)
            http_head(client, "200 OK", "application/json");
        report_fill(client->control, &report);
        report_status(&client->out, &report);
    } else if (!strcmp(what, "metrics")) {
        if (http)
            http_head(client, "200 OK",
                      "application/openmetrics-text; version=1.0.0; charset=utf-8");
        report_fill(client->control, &report);
        report_metrics(&client->out, &report);
    } else if (!strcmp(what, "sessions")) {
        if (http)
            http_head(client, "200 OK", "application/json");
        buffer_text(&client->out, "{\"sessions\":[");
        client->state = CLIENT_SESSIONS;
        client->first = true;
        sessions_go_on(client);
    } else {
        if (http)
            http_head(client, "404 Not Found", "text/plain; charset=utf-8");
        buffer_text(&client->out,
                    "error: unknown request; known are status, sessions and metrics\n");
    }
}

/* Answers where a request is whole. Returns false: it never will be. */
static bool request_take(struct client *client)
{
    char *end = memchr(client->request, '\n', client->request_size), *what = client->request;
    bool http = client->request_size >= 4 && !memcmp(what, "GET ", 4);

    if (!end)
        return client->request_size < REQUEST_BYTES - 1;
    client->request[client->request_size] = '\0';
    if (http && !strstr(client->request, "\r\n\r\n") && !strstr(client->request, "\n\n"))
        return client->request_size < REQUEST_BYTES - 1; /* its header is read, not looked at */
    *end = '\0';
    if (end > what && end[-1] == '\r')
        end[-1] = '\0';
    if (http) {
        what += 4;
        what += *what == '/';
        what[strcspn(what, " ?")] = '\0';
    }
    answer(client, what, http);
    return true;
}

/* ---- reading and writing, without waiting ---- */

static void client_moved(struct client *client)
{
    client->moved_us = server_now_us();
    (void)sd_event_source_set_time_relative(client->timer, PATIENCE_US);
}

/* Returns false: it is gone. */
static bool client_read(struct client *client)
{
    ssize_t n = recv(client->fd, client->request + client->request_size,
                     REQUEST_BYTES - 1 - client->request_size, MSG_DONTWAIT);

    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    if (n == 0 && !client->request_size)
        return false;
    if (n == 0) { /* its end is the line's, too */
        client->request[client->request_size++] = '\n';
        return request_take(client) && client->state != CLIENT_ASKS;
    }
    client->request_size += (size_t)n;
    client_moved(client);
    return request_take(client);
}

static bool client_write(struct client *client)
{
    for (unsigned turn = 0; client->out.length && turn < WRITES_AT_A_TIME; turn++) {
        ssize_t n = send(client->fd, buffer_bytes(&client->out), client->out.length,
                         MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        buffer_take(&client->out, (size_t)n);
        client_moved(client);
        if (client->state == CLIENT_SESSIONS)
            sessions_go_on(client);
    }
    return client->out.length > 0;
}

static int client_ready(sd_event_source *source, int fd, uint32_t revents, void *user)
{
    struct client *client = user;
    bool stays = true;

    if (client->state == CLIENT_ASKS && revents & (EPOLLIN | EPOLLHUP | EPOLLERR))
        stays = client_read(client);
    else if (revents & (EPOLLHUP | EPOLLERR))
        stays = false;
    if (stays && client->state != CLIENT_ASKS)
        stays = client_write(client);
    if (!stays) {
        client_free(client);
        return 0;
    }
    return sd_event_source_set_io_events(source, client->state == CLIENT_ASKS ? EPOLLIN : EPOLLOUT);
}

static int client_late(sd_event_source *source, uint64_t usec, void *user)
{
    client_free(user);
    return 0;
}

/* ---- coming in ---- */

/* A place in the table; where there is none, that of the one who has done nothing for longest. */
static struct client **place_for(struct control *control)
{
    uint64_t now_us = server_now_us();
    struct client *stillest = NULL;

    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *client = control->clients[i];

        if (!client)
            return &control->clients[i];
        if (!stillest || client->moved_us < stillest->moved_us)
            stillest = client;
    }
    if (now_us - stillest->moved_us < PUSHED_US)
        return NULL;
    client_free(stillest);
    return place_for(control);
}

static int client_new(struct control *control, int fd)
{
    struct client **place = place_for(control), *client;
    int r;

    if (!place) {
        static const char text[] = "error: too many clients; try again\n";

        (void)send(fd, text, sizeof(text) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
        close(fd);
        return 0;
    }
    client = memory_new(1, sizeof(*client));
    client->control = control;
    client->fd = fd;
    *place = client;
    r = sd_event_add_io(control->loop, &client->io, fd, EPOLLIN, client_ready, client);
    if (r >= 0)
        r = sd_event_add_time_relative(control->loop, &client->timer, CLOCK_MONOTONIC, PATIENCE_US,
                                       0, client_late, client);
    if (r < 0)
        client_free(client);
    else
        client_moved(client);
    return 0;
}

static int on_accept(sd_event_source *source, int fd, uint32_t revents, void *user)
{
    int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    return client < 0 ? 0 : client_new(user, client);
}

static const char *listen_error(int error)
{
    switch (error) {
    case -EEXIST:
        return "a file that is not a socket exists there: remove it, or use another path";
    case -EADDRINUSE:
        return "another process listens there";
    case -ENAMETOOLONG:
        return "the path is too long for a socket";
    case -ENOENT:
        return "its directory does not exist";
    default:
        return strerror(-error);
    }
}

int control_new(sd_event *loop, struct server *server, const struct options *options,
                const struct control_members *members, struct control **ret, char **ret_error)
{
    static const struct unix_socket_options socket_options = {
        .type = SOCK_STREAM, .backlog = BACKLOG, .mode = SOCKET_MODE, .group = (gid_t)-1};
    struct control *control = memory_new(1, sizeof(*control));
    int r;

    *control = (struct control){
        .loop = loop,
        .server = server,
        .options = options,
        .members = members,
        .listener = {.fd = -1},
        .started_us = server_now_us(),
        .started_epoch = (uint64_t)time(NULL),
    };
    r = unix_socket_open(&control->listener, options->control, &socket_options);
    if (r >= 0)
        r = sd_event_add_io(loop, &control->accept, control->listener.fd, EPOLLIN, on_accept,
                            control);
    if (r < 0) {
        control_free(control);
        return error_set(ret_error, r, "control socket %s: %s", options->control, listen_error(r));
    }
    *ret = control;
    return 0;
}

struct control *control_free(struct control *control)
{
    if (!control)
        return NULL;
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        client_free(control->clients[i]);
    sd_event_source_disable_unref(control->accept);
    unix_socket_close(&control->listener);
    free(control);
    return NULL;
}
