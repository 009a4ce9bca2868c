/* SPDX-License-Identifier: Apache-2.0 */
/* udp-relayctl: asks the relay's control socket, and shows the answer. */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "show.h"
#include "util/buffer.h"
#include "util/exit-status.h"
#include "util/nearest.h"
#include "version.h"

#define SOCKET_DEFAULT "/run/udp-relay/control.sock"
#define PATIENCE_S     10
#define ANSWER_BYTES   ((size_t)512 * 1024 * 1024)

static const char help[] =
    "udp-relayctl [OPTION…] [status|sessions|metrics]\n"
    "Shows what a udp-relay does.\n"
    "\n"
    "  status         what is served, limits, counters (the default)\n"
    "  sessions       a line for each session\n"
    "  metrics        the counters as OpenMetrics text\n"
    "\n"
    "  --socket PATH  the control socket (UDP_RELAY_CONTROL, else " SOCKET_DEFAULT ")\n"
    "  --json         print the answer as it came: JSON\n"
    "  --version      print the version\n"
    "  --help         print this help\n"
    "\n"
    "Exit status: 0 answered, 1 no answer, 2 bad arguments.\n";

struct arguments {
    const char *socket, *what;
    bool json, done;
};

static int complain(int status, const char *what, const char *why)
{
    fprintf(stderr, "udp-relayctl: %s: %s\n", what, why);
    return status;
}

static int take_word(struct arguments *arguments, const char *word)
{
    static const char *const known[] = {"status", "sessions", "metrics"};
    const char *nearest = nearest_word(word, known, ARRAY_SIZE(known));

    for (size_t i = 0; i < ARRAY_SIZE(known); i++)
        if (!strcmp(word, known[i])) {
            if (arguments->what)
                return complain(EXIT_BAD_INPUT, word, "one of status, sessions, metrics at a time");
            arguments->what = known[i];
            return 0;
        }
    fprintf(stderr, "udp-relayctl: unknown command \"%.40s\"; %s%s\n", word,
            nearest ? "did you mean " : "known are status, sessions and metrics",
            nearest ? nearest : "");
    return EXIT_BAD_INPUT;
}

static int arguments_parse(int argc, char **argv, struct arguments *ret)
{
    static const char *const known[] = {"--socket", "--json", "--version", "--help"};

    *ret = (struct arguments){.socket = getenv("UDP_RELAY_CONTROL")};
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i], *nearest;

        if (!strcmp(word, "--help") || !strcmp(word, "-h")) {
            fputs(help, stdout);
            ret->done = true;
            return 0;
        }
        if (!strcmp(word, "--version")) {
            puts("udp-relayctl " PATHDOG_VERSION);
            ret->done = true;
            return 0;
        }
        if (!strcmp(word, "--json")) {
            ret->json = true;
        } else if (!strncmp(word, "--socket=", 9)) {
            ret->socket = word + 9;
        } else if (!strcmp(word, "--socket")) {
            if (i + 1 == argc)
                return complain(EXIT_BAD_INPUT, word, "needs a value; see --help");
            ret->socket = argv[++i];
        } else if (*word == '-') {
            nearest = nearest_word(word, known, ARRAY_SIZE(known));
            fprintf(stderr, "udp-relayctl: unknown option %.40s; %s%s\n", word,
                    nearest ? "did you mean " : "see --help", nearest ? nearest : "");
            return EXIT_BAD_INPUT;
        } else if (take_word(ret, word)) {
            return EXIT_BAD_INPUT;
        }
    }
    ret->what = ret->what ? ret->what : "status";
    ret->socket = ret->socket && *ret->socket ? ret->socket : SOCKET_DEFAULT;
    return ret->json && !strcmp(ret->what, "metrics")
               ? complain(EXIT_BAD_INPUT, "--json", "metrics are OpenMetrics text")
               : 0;
}

static int relay_connect(const char *path, const char **ret_why)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    int fd;

    if (strlen(path) >= sizeof(address.sun_path)) {
        *ret_why = "the path is too long for a socket";
        return -1;
    }
    memcpy(address.sun_path, path, strlen(path));
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) < 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience)) < 0 ||
        connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0) {
        *ret_why = errno == ENOENT         ? "No such file or directory: does udp-relay run?"
                   : errno == ECONNREFUSED ? "Connection refused: no process listens there"
                   : errno == EACCES
                       ? "Permission denied: it is for root and the group of the relay"
                       : strerror(errno);
        if (fd >= 0)
            close(fd);
        return -1;
    }
    return fd;
}

/* Asks and reads all. Returns false: with what is wrong. */
static bool relay_ask(int fd, const char *what, struct buffer *ret, const char **ret_why)
{
    char line[32];
    int length = snprintf(line, sizeof(line), "%s\n", what);
    ssize_t n;

    if (send(fd, line, (size_t)length, MSG_NOSIGNAL) != length) {
        *ret_why = strerror(errno);
        return false;
    }
    do {
        n = recv(fd, buffer_space(ret, 65536), 65536, 0);
        if (n > 0)
            buffer_added(ret, (size_t)n);
    } while ((n > 0 && ret->length <= ANSWER_BYTES) || (n < 0 && errno == EINTR));
    *ret_why = n < 0   ? errno == EAGAIN ? "it did not answer in time" : strerror(errno)
                 : n > 0 ? "its answer is too long"
                       : "it closed without an answer";
    return n == 0 && ret->length;
}

static int show(const struct arguments *arguments, const struct buffer *answer)
{
    const char *bytes = buffer_bytes(answer);
    const char *why = NULL;

    if (answer->length >= 7 && !memcmp(bytes, "error: ", 7)) {
        fprintf(stderr, "udp-relayctl: %.*s", (int)(answer->length - 7), bytes + 7);
        return EXIT_FAILED;
    }
    if (arguments->json || !strcmp(arguments->what, "metrics"))
        fwrite(bytes, 1, answer->length, stdout);
    else if (!strcmp(arguments->what, "status"))
        why = show_status(stdout, bytes, answer->length);
    else
        why = show_sessions(stdout, bytes, answer->length);
    if (!why && (fflush(stdout) || ferror(stdout)))
        why = "cannot write the output";
    return why ? complain(EXIT_FAILED, arguments->what, why) : EXIT_GOOD;
}

int main(int argc, char **argv)
{
    struct arguments arguments;
    struct buffer answer = {0};
    const char *why = NULL;
    int status = arguments_parse(argc, argv, &arguments), fd;

    if (status || arguments.done)
        return status;
    fd = relay_connect(arguments.socket, &why);
    if (fd < 0)
        return complain(EXIT_FAILED, arguments.socket, why);
    status = relay_ask(fd, arguments.what, &answer, &why)
                 ? show(&arguments, &answer)
                 : complain(EXIT_FAILED, arguments.socket, why);
    close(fd);
    buffer_clear(&answer);
    return status;
}
