/* SPDX-License-Identifier: Apache-2.0 */
/* The connection to the daemon. */
#include "channel.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "../util/buffer.h"
#include "../util/unix-socket.h"

#define READ_BYTES     ((size_t)64 * 1024)
#define LINE_BYTES_MAX ((size_t)64 * 1024 * 1024) /* the daemon's are far shorter */

struct channel {
    int fd;
    struct buffer in;
};

int channel_open(const char *path, struct channel **ret_channel)
{
    int fd = unix_socket_connect(path);
    struct channel *channel;

    if (fd < 0)
        return fd;
    channel = memory_new(1, sizeof(*channel));
    channel->fd = fd;
    *ret_channel = channel;
    return 0;
}

int channel_fd(const struct channel *channel)
{
    return channel->fd;
}

static int64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Waits until then for the descriptor; -1: without end. */
static int wait_for(const struct channel *channel, short events, int64_t until_ms)
{
    struct pollfd poll_fd = {.fd = channel->fd, .events = events};

    for (;;) {
        int64_t left_ms = until_ms < 0 ? -1 : until_ms - now_ms();
        int r;

        if (until_ms >= 0 && left_ms < 0)
            left_ms = 0;
        r = poll(&poll_fd, 1, (int)left_ms);
        if (r > 0)
            return 0;
        if (r == 0)
            return -ETIMEDOUT;
        if (errno != EINTR)
            return -errno;
    }
}

static int64_t until(int timeout_ms)
{
    return timeout_ms < 0 ? -1 : now_ms() + timeout_ms;
}

int channel_send(struct channel *channel, const json_t *value, int timeout_ms)
{
    char *text = json_dumps(value, JSON_COMPACT);
    size_t length, at = 0;
    int r = text ? 0 : -EINVAL;

    if (r < 0)
        return r;
    length = strlen(text);
    text[length++] = '\n'; /* in the place of its end */
    while (r == 0 && at < length) {
        ssize_t n = send(channel->fd, text + at, length - at, MSG_NOSIGNAL);

        if (n >= 0)
            at += (size_t)n;
        else if (errno == EAGAIN)
            r = wait_for(channel, POLLOUT, until(timeout_ms));
        else if (errno != EINTR)
            r = -errno;
    }
    free(text);
    return r;
}

static int line_read(struct channel *channel, size_t length, json_t **ret_value)
{
    *ret_value = json_loadb(buffer_bytes(&channel->in), length, JSON_ALLOW_NUL, NULL);
    buffer_take(&channel->in, length + 1);
    return *ret_value ? 0 : -EBADMSG;
}

int channel_receive(struct channel *channel, int timeout_ms, json_t **ret_value)
{
    int64_t until_ms = until(timeout_ms);
    size_t seen = 0;
    int r;

    for (;;) {
        const char *bytes = buffer_space(&channel->in, READ_BYTES) - channel->in.length;
        const char *end = memchr(bytes + seen, '\n', sub_u64(channel->in.length, seen));
        ssize_t n;

        if (end)
            return line_read(channel, (size_t)(end - bytes), ret_value);
        seen = channel->in.length;
        if (seen > LINE_BYTES_MAX)
            return -EMSGSIZE;
        r = wait_for(channel, POLLIN, until_ms);
        if (r < 0)
            return r;
        n = recv(channel->fd, buffer_space(&channel->in, READ_BYTES), READ_BYTES, 0);
        if (n == 0)
            return -ECONNRESET;
        if (n > 0)
            buffer_added(&channel->in, (size_t)n);
        else if (errno != EAGAIN && errno != EINTR)
            return -errno;
    }
}

struct channel *channel_free(struct channel *channel)
{
    if (!channel)
        return NULL;
    close(channel->fd);
    buffer_clear(&channel->in);
    free(channel);
    return NULL;
}
