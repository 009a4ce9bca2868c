/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How late a loop is: a child asks the control socket for the version, again and
 * again, and in turns with it a program that only answers. What that one shows is
 * the machine's own.
 */
#include "bench.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define SAMPLES_MAX (1u << 20)
#define PAUSE_US    100

enum asked { ASKED_CONTROL, ASKED_ECHO, ASKED_COUNT };

struct pinger_shared {
    volatile uint32_t n;                     /* of each */
    volatile uint64_t asked_ns[ASKED_COUNT]; /* since when an answer is waited for, 0: it is not */
    volatile uint64_t worst_ns[ASKED_COUNT];
    uint64_t ns[ASKED_COUNT][SAMPLES_MAX];
};

static const char request[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"version\"}\n";

static void echo_run(int fd)
{
    char bytes[4096];
    ssize_t n;

    while ((n = read(fd, bytes, sizeof(bytes))) > 0)
        write_all(fd, bytes, (size_t)n);
}

static pid_t echo_start(int *ret_fd)
{
    int pair[2];
    pid_t pid;

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
        die("socketpair: %s", strerror(errno));
    pid = child_fork();
    if (!pid) {
        close(pair[0]);
        echo_run(pair[1]);
        _exit(0);
    }
    close(pair[1]);
    *ret_fd = pair[0];
    return pid;
}

int control_connect(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    snprintf(address.sun_path, sizeof(address.sun_path), "%s/control", options->directory);
    for (int i = 0; i < 1000; i++) {
        if (!connect(fd, (const struct sockaddr *)&address, sizeof(address)))
            return fd;
        usleep(10000);
    }
    die("%s: %s", address.sun_path, strerror(errno));
}

static uint64_t ask(int fd)
{
    uint64_t begin_ns = now_ns();
    char bytes[4096];
    ssize_t n;

    if (send(fd, request, sizeof(request) - 1, MSG_NOSIGNAL) != sizeof(request) - 1)
        _exit(1); /* the daemon was stopped */
    do {
        n = read(fd, bytes, sizeof(bytes));
        if (n <= 0)
            _exit(1);
    } while (bytes[n - 1] != '\n');
    return now_ns() - begin_ns;
}

static uint64_t ask_one(struct pinger_shared *shared, unsigned who, int fd)
{
    uint64_t ns;

    shared->asked_ns[who] = now_ns();
    ns = ask(fd);
    shared->asked_ns[who] = 0;
    if (ns > shared->worst_ns[who])
        shared->worst_ns[who] = ns;
    return ns;
}

static void ping(struct pinger_shared *shared, const int fds[ASKED_COUNT])
{
    for (;;) {
        uint32_t n = shared->n;

        for (unsigned who = 0; who < ASKED_COUNT; who++) {
            shared->ns[who][n < SAMPLES_MAX ? n : SAMPLES_MAX - 1] = ask_one(shared, who, fds[who]);
            usleep(PAUSE_US);
        }
        if (shared->n == n && n < SAMPLES_MAX)
            shared->n = n + 1;
    }
}

void pinger_start(struct pinger *pinger)
{
    int fds[ASKED_COUNT];

    pinger->shared = shared_new(sizeof(*pinger->shared));
    pinger->echo = echo_start(&fds[ASKED_ECHO]);
    fds[ASKED_CONTROL] = control_connect();
    pinger->pid = child_fork();
    if (!pinger->pid)
        ping(pinger->shared, fds);
    for (unsigned who = 0; who < ASKED_COUNT; who++)
        close(fds[who]);
}

/* The one that is under way is lost, or counted: it does not matter. */
void pinger_begin(struct pinger *pinger)
{
    pinger->shared->n = 0;
    for (unsigned who = 0; who < ASKED_COUNT; who++)
        pinger->shared->worst_ns[who] = 0;
}

static uint64_t worst_of(const struct pinger_shared *shared, unsigned who)
{
    uint64_t since_ns = shared->asked_ns[who], worst_ns = shared->worst_ns[who], now = now_ns();

    return since_ns && now - since_ns > worst_ns ? now - since_ns : worst_ns;
}

struct pinger_worst pinger_worst(const struct pinger *pinger)
{
    return (struct pinger_worst){worst_of(pinger->shared, ASKED_CONTROL),
                                 worst_of(pinger->shared, ASKED_ECHO)};
}

static int compare(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

void pinger_print(struct pinger *pinger)
{
    static const char *const names[] = {[ASKED_CONTROL] = "control_us", [ASKED_ECHO] = "echo_us"};
    uint32_t n = pinger->shared->n;
    uint64_t *sorted = calloc(n, sizeof(*sorted));

    if (!n || !sorted)
        die("the control socket answered nothing");
    for (unsigned who = 0; who < ASKED_COUNT; who++) {
        memcpy(sorted, pinger->shared->ns[who], n * sizeof(*sorted));
        qsort(sorted, n, sizeof(*sorted), compare);
        printf("%s\"%s\":{\"n\":%u,\"p50\":%.1f,\"p99\":%.1f,\"p999\":%.1f,\"worst\":%.1f}",
               who ? "," : "", names[who], n, (double)sorted[n / 2] / 1e3,
               (double)sorted[(uint64_t)n * 99 / 100] / 1e3,
               (double)sorted[(uint64_t)n * 999 / 1000] / 1e3, (double)sorted[n - 1] / 1e3);
    }
    free(sorted);
}

void pinger_stop(struct pinger *pinger)
{
    child_end(pinger->pid);
    child_end(pinger->echo);
}
