/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `netshim ctl PATH COMMAND…`: one command to a running netshim, its answer to stdout.
 * Must not know the commands.
 */
#include "control.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_SECONDS 30

static int call_fail(const char *path, const char *what, int error)
{
    fprintf(stderr, "netshim: control socket %s: %s: %s\n", path, what, strerror(error));
    return 1;
}

static int call_connect(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval patience = {.tv_sec = ANSWER_SECONDS};

    if (strlen(path) >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    memcpy(address.sun_path, path, strlen(path));

    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
        connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
        int error = errno;
        close(fd);
        return -error;
    }
    return fd;
}

/* Prints what comes up to the line that ends the answer. */
static int answer_print(const char *path, FILE *stream)
{
    char line[CONTROL_REPLY_MAX];

    for (;;) {
        if (!fgets(line, sizeof(line), stream)) {
            if (!ferror(stream) || errno != EINTR)
                break;
            clearerr(stream); /* stopped, and going on */
            continue;
        }
        if (strcmp(line, "ok\n") == 0)
            return 0;
        if (strncmp(line, "error: ", 7) == 0) {
            fprintf(stderr, "netshim: %s", line + 7);
            return 1;
        }
        fputs(line, stdout);
    }
    return call_fail(path, "no answer", ferror(stream) ? errno : ECONNRESET);
}

int control_call(const char *path, char *const words[], int count)
{
    char line[CONTROL_LINE_MAX] = "";
    size_t length = 0;

    for (int i = 0; i < count; i++) {
        int n = snprintf(line + length, sizeof(line) - length, "%s%c", words[i],
                         i + 1 < count ? ' ' : '\n');
        if (n < 0 || (size_t)n >= sizeof(line) - length) {
            fprintf(stderr, "netshim: the command is longer than %d characters\n",
                    CONTROL_LINE_MAX - 2);
            return 2;
        }
        length += (size_t)n;
    }

    int fd = call_connect(path);
    if (fd < 0)
        return call_fail(path, "cannot connect", -fd);

    FILE *stream = fdopen(fd, "r");
    if (!stream || send(fd, line, length, MSG_NOSIGNAL) != (ssize_t)length) {
        int r = call_fail(path, "cannot send", errno);
        if (stream)
            fclose(stream);
        else
            close(fd);
        return r;
    }

    int r = answer_print(path, stream);
    fclose(stream);
    return r;
}
