/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pathdogctl metrics: what a scraper is given, at the socket where scrapers ask. The daemon says
 * where that is.
 */
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../util/buffer.h"
#include "../util/clock.h"
#include "../util/unix-socket.h"
#include "ctl.h"

#define ANSWER_MAX ((size_t)16 * 1024 * 1024) /* the daemon's are far shorter */
#define READ_BYTES ((size_t)64 * 1024)

static const char request[] = "GET /metrics HTTP/1.1\r\nHost: pathdog\r\n"
                              "Accept: application/openmetrics-text; version=1.0.0\r\n\r\n";

/* All that comes until the end. Returns 0 or -errno. */
static int read_answer(int fd, uint64_t until_us, struct buffer *answer)
{
    for (;;) {
        struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
        uint64_t left_us = sub_u64(until_us, clock_us(CLOCK_MONOTONIC));
        ssize_t n;

        if (poll(&poll_fd, 1, (int)(left_us / 1000)) == 0)
            return -ETIMEDOUT;
        n = recv(fd, buffer_space(answer, READ_BYTES), READ_BYTES, MSG_DONTWAIT);
        if (n == 0)
            return 0;
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return -errno;
        if (n > 0)
            buffer_added(answer, (size_t)n);
        if (answer->length > ANSWER_MAX)
            return -EMSGSIZE;
    }
}

/* Takes the head away. Returns 0, or -EBADMSG: it is not the whole of a page. */
static int take_head(struct buffer *answer)
{
    const char *end, *said, *bytes;
    unsigned long long length;
    unsigned status = 0;

    buffer_append(answer, "", 1);
    bytes = buffer_bytes(answer);
    end = strstr(bytes, "\r\n\r\n");
    said = strstr(bytes, "\r\nContent-Length: ");
    if (!end || !said || said > end || sscanf(bytes, "HTTP/1.1 %3u ", &status) != 1 ||
        status != 200 || sscanf(said + strlen("\r\nContent-Length: "), "%llu", &length) != 1)
        return -EBADMSG;
    buffer_take(answer, (size_t)(end + 4 - bytes));
    return answer->length == length + 1 ? 0 : -EBADMSG;
}

static int metrics_read(struct ctl *ctl, const char *path, struct buffer *answer)
{
    uint64_t until_us = clock_us(CLOCK_MONOTONIC) + (uint64_t)ctl->call_ms * 1000;
    int fd = unix_socket_connect(path), r = 0;

    if (fd < 0)
        return fd;
    if (send(fd, request, strlen(request), MSG_NOSIGNAL) != (ssize_t)strlen(request))
        r = errno ? -errno : -EIO;
    if (r == 0)
        r = read_answer(fd, until_us, answer);
    close(fd);
    return r < 0 ? r : take_head(answer);
}

static enum ctl_status failed(struct ctl *ctl, const char *path, int error)
{
    if (error == -EACCES || error == -EPERM)
        fail_denied(ctl, path);
    else if (error == -EBADMSG)
        complain("%s: the answer is not a page of metrics: are there too many scrapers?", path);
    else if (error == -ETIMEDOUT)
        complain("%s: no answer within %d s", path, ctl->call_ms / 1000);
    else
        complain("%s: %s", path, strerror(-error));
    return error == -EBADMSG ? CTL_FAILED : CTL_NO_DAEMON;
}

static void show(const struct ctl *ctl, const char *path, const char *page)
{
    json_t *result;

    if (!ctl->options.json) {
        fputs(page, stdout);
        return;
    }
    result = json_pack("{s:s,s:s}", "socket", path, "text", page);
    show_json(result);
    json_decref(result);
}

enum ctl_status command_metrics(struct ctl *ctl)
{
    enum ctl_status result = CTL_GOOD;
    json_t *answer = ctl_call(ctl, "metrics", NULL, &result);
    struct buffer page = {0};
    int r;

    if (!answer)
        return result;
    if (!has(answer, "socket")) {
        complain("this pathdog has no metrics socket: its configuration has an empty \"metrics\", "
                 "or the notice \"metrics-socket\" in its log says why");
        json_decref(answer);
        return CTL_FAILED;
    }
    r = metrics_read(ctl, text_of(answer, "socket"), &page);
    if (r < 0)
        result = failed(ctl, text_of(answer, "socket"), r);
    else
        show(ctl, text_of(answer, "socket"), buffer_bytes(&page));
    buffer_clear(&page);
    json_decref(answer);
    return result;
}
