/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control server: who may come in, and whose turn it is. All of it runs
 * when the loop has nothing else to do.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../util/format.h"
#include "../util/ready.h"
#include "private.h"

#define ACCEPT_BURST    16u
#define SWEEP_SLACK_US  UINT64_C(1000000)
#define ACCEPT_AGAIN_US UINT64_C(1000000) /* after a failure that will not pass at once */

static void control_sweep_in(struct control *control, uint64_t span_us)
{
    int enabled;

    if (sd_event_source_get_enabled(control->sweep, &enabled) < 0 || enabled != SD_EVENT_OFF)
        return;
    sd_event_source_set_time(control->sweep, clock_us(CLOCK_MONOTONIC) + span_us);
    sd_event_source_set_enabled(control->sweep, SD_EVENT_ONESHOT);
}

/* It follows no more, and is gone. */
static void drop(struct client *client)
{
    if (!client)
        return;
    follow_set(client, false);
    client_free(client);
}

/* ---- one client's turn ---- */

static void too_long(struct client *client)
{
    struct request request = {.control = client->control, .client = client, .out = &client->out};

    answer_error(&request, ERROR_INVALID, "a line is longer than %zu bytes", LINE_BYTES_MAX);
    client->closing = true;
}

/* Answers whole lines, a few at a time. */
static void client_answer(struct client *client)
{
    const char *end;

    for (unsigned i = 0; i < REQUESTS_BURST && !client->closing &&
                         client->out.length < OUT_PAUSE_BYTES && (end = client_line_end(client));
         i++) {
        const char *line = buffer_bytes(&client->in);
        size_t length = (size_t)(end - line);

        client->asked_us = clock_us(CLOCK_MONOTONIC);
        if (length)
            request_line(client, line, length);
        buffer_take(&client->in, length + 1);
        if (client->invalid_lines >= INVALID_LINES_MAX)
            client->closing = true;
    }
    if (!client->closing && client->in.length >= LINE_BYTES_MAX && !client_line_end(client))
        too_long(client);
}

/* What is waited for, and the sweep that ends the waiting. */
static void client_wait(struct client *client)
{
    struct control *control = client->control;
    bool reads = !client->eof && !client->closing && client->out.length < OUT_PAUSE_BYTES &&
                 !client_line_end(client);

    sd_event_source_set_io_events(client->io, (reads ? (uint32_t)EPOLLIN : 0) |
                                                  (client->out.length ? (uint32_t)EPOLLOUT : 0));
    if (client_has_line(client) && client->out.length < OUT_PAUSE_BYTES)
        sd_event_source_set_enabled(control->again, SD_EVENT_ONESHOT);
    if (client->out.length)
        control_sweep_in(control, SWEEP_US);
}

static void client_turn(struct client *client)
{
    bool there;

    if (!client->out.length)
        client->took_us = clock_us(CLOCK_MONOTONIC);
    if (!client->closing && client->out.length < OUT_PAUSE_BYTES && !client_line_end(client))
        (void)client_read(client);
    client_answer(client);
    there = client_write(client);
    if (there && client->follows)
        follow_drained(client);
    if (!there || (!client->out.length && (client->closing || (client->eof && !client->follows &&
                                                               !client_line_end(client))))) {
        drop(client);
        return;
    }
    client_wait(client);
}

/* At the end all of them, and they are only written to. */
static void turn_those_with_output(struct control *control, bool end)
{
    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *client = control->clients[i];

        if (!client || (!client->out.length && (end || !client->n_dropped)) ||
            (!end && !client->follows))
            continue;
        client->closing |= end;
        client_turn(client);
    }
}

static int on_client(sd_event_source *source, int fd, uint32_t revents, void *user)
{
    struct client *client = user;

    if (revents & (EPOLLHUP | EPOLLERR) && !(revents & EPOLLIN)) {
        drop(client); /* nobody is there to be answered */
        return 0;
    }
    client_turn(client);
    return 0;
}

/* ---- who may come in ---- */

/* One too many: told so, and closed. */
static void refuse(struct control *control, int fd)
{
    CLEANUP_FREE char *line = string_format(
        "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":%d,\"message\":\"%u clients are "
        "connected, which is the most allowed: end one of them, or try again later\"}}\n",
        ERROR_TOO_MANY, CLIENTS_MAX);

    (void)send(fd, line, strlen(line), MSG_DONTWAIT | MSG_NOSIGNAL);
    close(fd);
    if (control->n_refused++ == 0)
        control->host.notice(
            control->host.user, PD_LEVEL_WARNING, "control-full",
            "a client of the control socket was refused: too many clients are connected");
}

/* Closes the one that has been idle the longest, if any has been for long. */
static void make_room(struct control *control)
{
    uint64_t before_us = sub_u64(clock_us(CLOCK_MONOTONIC), IDLE_US);
    struct client *idlest = NULL;

    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *client = control->clients[i];

        if (client && !client->follows && !client->out.length && client->asked_us < before_us &&
            (!idlest || client->asked_us < idlest->asked_us))
            idlest = client;
    }
    drop(idlest);
}

static void admit(struct control *control, int fd)
{
    struct client *client;

    if (control->n_clients == CLIENTS_MAX)
        make_room(control);
    if (control->n_clients == CLIENTS_MAX) {
        refuse(control, fd);
        return;
    }
    if (client_new(control, fd, on_client, &client) < 0)
        return;
    control->n_refused = 0;
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        if (!control->clients[i]) {
            control->clients[i] = client;
            control->n_clients++;
            return;
        }
}

static int on_accept(sd_event_source *source, int listen_fd, uint32_t revents, void *user)
{
    struct control *control = user;

    for (unsigned i = 0; i < ACCEPT_BURST; i++) {
        int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd >= 0) {
            admit(control, fd);
            continue;
        }
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            sd_event_source_set_enabled(control->accept, SD_EVENT_OFF); /* until the sweep */
            control_sweep_in(control, ACCEPT_AGAIN_US);
        }
        if (errno != EINTR && errno != ECONNABORTED)
            break;
    }
    return 0;
}

/* Records for those who follow. */
static int on_records(sd_event_source *source, int fd, uint32_t revents, void *user)
{
    follow_work(user);
    turn_those_with_output(user, false);
    return 0;
}

/* Lines that were read and not answered yet: each client in turn. */
static int on_again(sd_event_source *source, int fd, uint32_t revents, void *user)
{
    struct control *control = user;

    for (size_t i = 0; i < CLIENTS_MAX; i++)
        if (control->clients[i] && client_has_line(control->clients[i]))
            client_turn(control->clients[i]);
    return 0;
}

bool control_sweep(struct control *control, uint64_t now_us)
{
    bool more = false;

    for (size_t i = 0; i < CLIENTS_MAX; i++) {
        struct client *client = control->clients[i];

        if (!client || !client->out.length)
            continue;
        if (sub_u64(now_us, client->took_us) > STOOD_US)
            drop(client);
        else
            more = true;
    }
    return more;
}

static int on_sweep(sd_event_source *source, uint64_t time_us, void *user)
{
    struct control *control = user;
    bool more = control_sweep(control, clock_us(CLOCK_MONOTONIC));

    sd_event_source_set_enabled(control->accept, SD_EVENT_ON);
    sd_event_source_set_enabled(source, SD_EVENT_OFF);
    if (more)
        control_sweep_in(control, SWEEP_US);
    return 0;
}

static int control_add_sources(struct control *control)
{
    sd_event *loop = control->host.loop;
    int r =
        sd_event_add_io(loop, &control->accept, control->listener.fd, EPOLLIN, on_accept, control);

    if (r >= 0)
        r = ready_add(loop, &control->again, on_again, control);
    if (r >= 0)
        r = ready_add(loop, &control->work, on_records, control);
    if (r >= 0)
        r = sd_event_add_time(loop, &control->sweep, CLOCK_MONOTONIC, UINT64_MAX, SWEEP_SLACK_US,
                              on_sweep, control);
    if (r < 0)
        return r;
    sd_event_source_set_enabled(control->sweep, SD_EVENT_OFF);
    sd_event_source_set_description(control->accept, "control");
    sd_event_source_set_description(control->again, "control-again");
    sd_event_source_set_description(control->work, "control-records");
    sd_event_source_set_description(control->sweep, "control-sweep");
    sd_event_source_set_priority(control->accept, SD_EVENT_PRIORITY_IDLE);
    sd_event_source_set_priority(control->again, SD_EVENT_PRIORITY_IDLE);
    sd_event_source_set_priority(control->work, SD_EVENT_PRIORITY_IDLE);
    sd_event_source_set_priority(control->sweep, SD_EVENT_PRIORITY_IDLE);
    return 0;
}

int control_new(const struct control_host *host, const char *path, struct control **ret_control,
                char **ret_error)
{
    struct control *control = memory_new(1, sizeof(*control));
    int r;

    control->host = *host;
    r = listener_open(&control->listener, path);
    if (r < 0) {
        control_free(control);
        return error_set(ret_error, r, "%s: %s", path, listener_error(r));
    }
    r = control_add_sources(control);
    if (r < 0) {
        control_free(control);
        return error_set(ret_error, r, "%s: %s", path, strerror(-r));
    }
    *ret_control = control;
    return 0;
}

struct control *control_free(struct control *control)
{
    if (!control)
        return NULL;
    follow_finish(control);
    turn_those_with_output(control, true);
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        drop(control->clients[i]);
    sd_event_source_disable_unref(control->accept);
    sd_event_source_disable_unref(control->again);
    sd_event_source_disable_unref(control->work);
    sd_event_source_disable_unref(control->sweep);
    interfaces_clear(&control->interfaces);
    unix_socket_close(&control->listener);
    backlog_clear(&control->backlog);
    buffer_clear(&control->line);
    free(control);
    return NULL;
}
