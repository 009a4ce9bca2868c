/* SPDX-License-Identifier: Apache-2.0 */
#include "channel.h"

#include <errno.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../util/buffer.h"
#include "../util/unix-socket.h"

#define READ_BYTES     ((size_t)64 * 1024)
#define LINE_BYTES_MAX ((size_t)8 * 1024 * 1024) /* the daemon's are far shorter */

struct channel {
    int fd;
    sd_event_source *io;
    struct buffer in;
    size_t searched; /* bytes of it that have no LF in them */
};

int channel_open(const char *path, sd_event *loop, sd_event_io_handler_t handler, void *user,
                 struct channel **ret)
{
    int fd = unix_socket_connect(path), r;
    struct channel *channel;

    if (fd < 0)
        return fd;
    channel = memory_new(1, sizeof(*channel));
    channel->fd = fd;
    r = sd_event_add_io(loop, &channel->io, fd, EPOLLIN, handler, user);
    if (r < 0) {
        channel_free(channel);
        return r;
    }
    sd_event_source_set_description(channel->io, "control-socket");
    *ret = channel;
    return 0;
}

/* Requests are few and short, and one waits for the answer to the one before: they fit into an
 * empty socket. */
int channel_send(struct channel *channel, sd_json_variant *request)
{
    CLEANUP_FREE char *text = NULL;
    size_t length;
    ssize_t n;
    int r = sd_json_variant_format(request, 0, &text);

    if (r < 0)
        return r;
    length = strlen(text);
    if (length >= REQUEST_BYTES_MAX)
        return -E2BIG;
    text[length++] = '\n'; /* in the place of its end */
    n = send(channel->fd, text, length, MSG_NOSIGNAL);
    if (n < 0)
        return -errno;
    return (size_t)n == length ? 0 : -EIO;
}

int channel_next(struct channel *channel, sd_json_variant **ret)
{
    const char *bytes = buffer_bytes(&channel->in);
    char *end;
    int r;

    if (channel->searched == channel->in.length)
        return 0;
    end = memchr(bytes + channel->searched, '\n', channel->in.length - channel->searched);
    if (!end) {
        channel->searched = channel->in.length;
        return channel->searched > LINE_BYTES_MAX ? -EBADMSG : 0;
    }
    *end = '\0';
    r = sd_json_parse(bytes, 0, ret, NULL, NULL);
    buffer_take(&channel->in, (size_t)(end - bytes) + 1);
    channel->searched = 0;
    return r < 0 ? -EBADMSG : 1;
}

int channel_read(struct channel *channel)
{
    ssize_t n = recv(channel->fd, buffer_space(&channel->in, READ_BYTES), READ_BYTES, 0);

    if (n > 0) {
        buffer_added(&channel->in, (size_t)n);
        return 1;
    }
    if (n == 0)
        return -ECONNRESET;
    return errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

void channel_listen(struct channel *channel, bool on)
{
    sd_event_source_set_enabled(channel->io, on ? SD_EVENT_ON : SD_EVENT_OFF);
}

struct channel *channel_free(struct channel *channel)
{
    if (!channel)
        return NULL;
    sd_event_source_disable_unref(channel->io);
    close(channel->fd);
    buffer_clear(&channel->in);
    free(channel);
    return NULL;
}
