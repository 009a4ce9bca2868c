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

int client_new(struct control *control, int fd, sd_event_io_handler_t handler,
               struct client **ret_client)
{
    struct client *client = memory_new(1, sizeof(*client));
    struct ucred peer = {.uid = UINT32_MAX};
    socklen_t length = sizeof(peer);
    int r;

    client->control = control;
    client->fd = fd;
    client->took_us = client->asked_us = clock_us(CLOCK_MONOTONIC);
    client->filter.verdict = -1;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) < 0)
        peer.uid = UINT32_MAX;
    client->uid = peer.uid;
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
    sd_event_source_disable_unref(client->io);
    close(client->fd);
    filter_clear(&client->filter);
    buffer_clear(&client->in);
    buffer_clear(&client->out);
    free(client);
    return NULL;
}

/* ---- in ---- */

const char *client_line_end(const struct client *client)
{
    return client->in.length ? memchr(buffer_bytes(&client->in), '\n', client->in.length) : NULL;
}

bool client_has_line(const struct client *client)
{
    return !client->closing && client_line_end(client);
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
    for (unsigned i = 0; i < WRITE_BURST && client->out.length; i++) {
        ssize_t n = send(client->fd, buffer_bytes(&client->out),
                         min_u64(client->out.length, WRITE_BYTES), MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n < 0)
            return errno == EAGAIN || errno == EINTR;
        buffer_take(&client->out, (size_t)n);
        client->took_us = clock_us(CLOCK_MONOTONIC);
    }
    return true;
}
