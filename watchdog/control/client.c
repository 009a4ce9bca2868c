/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One client: bytes to lines, answers to bytes. Whatever it does, at most what
 * private.h says is kept of it, and nobody waits for it.
 */
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "private.h"

#define READ_BYTES  ((size_t)16 * 1024)
#define WRITE_BYTES ((size_t)64 * 1024)
#define WRITE_BURST 4u

static int on_client(sd_event_source *source, int fd, uint32_t revents, void *user)
{
    struct client *client = user;

    if (revents & (EPOLLHUP | EPOLLERR) && !(revents & EPOLLIN)) {
        client_free(client); /* nobody is there to be answered */
        return 0;
    }
    client_turn(client);
    return 0;
}

int client_new(struct control *control, int fd, struct client **ret_client)
{
    struct client *client = memory_new(1, sizeof(*client));
    struct ucred peer = {.uid = UINT32_MAX};
    socklen_t length = sizeof(peer);
    int r;

    client->control = control;
    client->fd = fd;
    client->took_us = client->asked_us = control_now_us();
    client->filter.verdict = -1;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0)
        peer.uid = UINT32_MAX;
    client->uid = peer.uid;
    r = sd_event_add_io(control->host.loop, &client->io, fd, EPOLLIN, on_client, client);
    if (r < 0) {
        close(fd);
        free(client);
        return r;
    }
    sd_event_source_set_description(client->io, "control-client");
    sd_event_source_set_priority(client->io, SD_EVENT_PRIORITY_IDLE);
    *ret_client = client;
    return 0;
}

struct client *client_free(struct client *client)
{
    struct control *control;

    if (!client)
        return NULL;
    control = client->control;
    for (size_t i = 0; i < CLIENTS_MAX; i++)
        if (control->clients[i] == client) {
            control->clients[i] = NULL;
            control->n_clients--;
        }
    follow_set(client, false);
    sd_event_source_disable_unref(client->io);
    close(client->fd);
    filter_clear(&client->filter);
    buffer_clear(&client->in);
    buffer_clear(&client->out);
    free(client);
    return NULL;
}

/* ---- in ---- */

static const char *line_end(const struct client *client)
{
    return client->in.length ? memchr(buffer_bytes(&client->in), '\n', client->in.length) : NULL;
}

bool client_has_line(const struct client *client)
{
    return !client->doomed && line_end(client);
}

/* Returns false: nothing more can be read now. */
static bool client_read(struct client *client)
{
    ssize_t n;

    if (client->eof || client->in.length >= LINE_BYTES_MAX)
        return false;
    n = recv(client->fd, buffer_space(&client->in, READ_BYTES), READ_BYTES, MSG_DONTWAIT);
    if (n > 0) {
        buffer_added(&client->in, (size_t)n);
        return true;
    }
    if (n == 0)
        client->eof = true;
    else if (errno != EAGAIN && errno != EINTR)
        client->eof = client->doomed = true;
    return false;
}

static void too_long(struct client *client)
{
    struct request request = {.control = client->control, .client = client, .out = &client->out};

    answer_error(&request, ERROR_INVALID, "a line is longer than %zu bytes", LINE_BYTES_MAX);
    client->doomed = true;
}

/* Answers whole lines, a few at a time. */
static void client_answer(struct client *client)
{
    const char *end;

    for (unsigned i = 0; i < REQUESTS_BURST && !client->doomed &&
                         client->out.length < OUT_PAUSE_BYTES && (end = line_end(client));
         i++) {
        const char *line = buffer_bytes(&client->in);
        size_t length = (size_t)(end - line);

        client->asked_us = control_now_us();
        if (length)
            request_line(client, line, length);
        buffer_take(&client->in, length + 1);
        if (client->rubbish >= RUBBISH_MAX)
            client->doomed = true;
    }
    if (!client->doomed && client->in.length >= LINE_BYTES_MAX && !line_end(client))
        too_long(client);
}

/* ---- out ---- */

/* Returns false: it is gone. */
static bool client_write(struct client *client)
{
    for (unsigned i = 0; i < WRITE_BURST && client->out.length; i++) {
        ssize_t n = send(client->fd, buffer_bytes(&client->out),
                         min_u64(client->out.length, WRITE_BYTES), MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        buffer_take(&client->out, (size_t)n);
        client->took_us = control_now_us();
    }
    if (client->follows)
        follow_drained(client);
    return true;
}

/* What is waited for, and the sweep that ends the waiting. */
static void client_wait(struct client *client)
{
    struct control *control = client->control;
    bool reads = !client->eof && !client->doomed && client->out.length < OUT_PAUSE_BYTES &&
                 !line_end(client);

    sd_event_source_set_io_events(client->io, (reads ? (uint32_t)EPOLLIN : 0) |
                                                  (client->out.length ? (uint32_t)EPOLLOUT : 0));
    if (client_has_line(client) && client->out.length < OUT_PAUSE_BYTES)
        sd_event_source_set_enabled(control->again, SD_EVENT_ONESHOT);
    if (client->out.length)
        control_sweep_in(control, SWEEP_US);
}

void client_turn(struct client *client)
{
    bool there;

    if (!client->out.length)
        client->took_us = control_now_us();
    if (!client->doomed && client->out.length < OUT_PAUSE_BYTES && !line_end(client))
        (void)client_read(client);
    client_answer(client);
    there = client_write(client);
    if (!there || (!client->out.length &&
                   (client->doomed || (client->eof && !client->follows && !line_end(client))))) {
        client_free(client);
        return;
    }
    client_wait(client);
}
