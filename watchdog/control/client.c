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

int client_new(struct control *control, int fd, uint32_t uid, sd_event_io_handler_t handler,
               struct client **ret_client)
{
    struct client *client = memory_new(1, sizeof(*client));
    int r;

    client->control = control;
    client->fd = fd;
    client->took_us = client->asked_us = clock_us(CLOCK_MONOTONIC);
    client->filter.verdict = -1;
    client->uid = uid;
    r = sd_event_add_io(control->host.loop, &client->io, fd, EPOLLIN, handler, client);
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

bool user_is_trusted(uint32_t uid)
{
    return uid == 0 || uid == (uint32_t)geteuid();
}

struct client *client_free(struct client *client)
{
    struct control *control;

    if (!client)
        return NULL;
    control = client->control;
    for (size_t i = 0; i < SEATS; i++)
        if (control->clients[i] == client) {
            control->clients[i] = NULL;
            control->n_clients--;
        }
    sd_event_source_disable_unref(client->io);
    close(client->fd);
    filter_clear(&client->filter);
    buffer_clear(&client->in);
    buffer_clear(&client->out);
    free(client);
    return NULL;
}

/* ---- in ---- */

const char *client_line_end(struct client *client)
{
    const char *bytes = buffer_bytes(&client->in), *end;

    if (client->searched == client->in.length)
        return NULL;
    end = memchr(bytes + client->searched, '\n', client->in.length - client->searched);
    client->searched = end ? (size_t)(end - bytes) : client->in.length;
    return end;
}

bool client_may_be_answered(struct client *client)
{
    return !client->closing && !client->waits && client->out.length < OUT_PAUSE_BYTES &&
           client_line_end(client);
}

void client_line_take(struct client *client, const char *end)
{
    buffer_take(&client->in, (size_t)(end - buffer_bytes(&client->in)) + 1);
    client->searched = 0;
}

/* Returns false: nothing more can be read now. */
bool client_read(struct client *client)
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
        client->eof = client->closing = true;
    return false;
}

/* ---- out ---- */

/* Returns false: it is gone. */
bool client_write(struct client *client)
{
    ssize_t n;

    if (!client->out.length)
        return true;
    n = send(client->fd, buffer_bytes(&client->out), min_u64(client->out.length, WRITE_BYTES),
             MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    buffer_take(&client->out, (size_t)n);
    client->took_us = clock_us(CLOCK_MONOTONIC);
    return true;
}

/* ---- waiting ---- */

void control_sweep_in(struct control *control, uint64_t span_us)
{
    int enabled;

    if (sd_event_source_get_enabled(control->sweep, &enabled) < 0 || enabled != SD_EVENT_OFF)
        return;
    sd_event_source_set_time(control->sweep, clock_us(CLOCK_MONOTONIC) + span_us);
    sd_event_source_set_enabled(control->sweep, SD_EVENT_ONESHOT);
}

/* What is waited for, and the sweep that ends the waiting. */
void client_wait(struct client *client)
{
    struct control *control = client->control;
    bool reads = !client->eof && !client->closing && client->out.length < OUT_PAUSE_BYTES &&
                 !client_line_end(client);

    sd_event_source_set_io_events(client->io, (reads ? (uint32_t)EPOLLIN : 0) |
                                                  (client->out.length ? (uint32_t)EPOLLOUT : 0));
    if (client_may_be_answered(client))
        sd_event_source_set_enabled(control->work, SD_EVENT_ON);
    if (client->out.length)
        control_sweep_in(control, SWEEP_US);
}
