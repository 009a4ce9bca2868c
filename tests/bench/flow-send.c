/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends datagrams from many ports through a gateway, for tests/bench/flows.py.
 *
 *   flow-send OWN SERVER PORT SOCKETS DATAGRAMS
 *
 * binds that many sockets to OWN, ports 20000 and on, connects them to the server's port, and
 * sends so many datagrams of 64 bytes over them in turn, as often as a line comes in; prints how
 * many nanoseconds each round took.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static long long now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static int socket_open(const char *own, const char *server, int port, int number)
{
    struct sockaddr_in from = {.sin_family = AF_INET,
                               .sin_port = htons((uint16_t)(20000 + number))};
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || inet_pton(AF_INET, own, &from.sin_addr) != 1 ||
        inet_pton(AF_INET, server, &to.sin_addr) != 1 ||
        bind(fd, (struct sockaddr *)&from, sizeof(from)) ||
        connect(fd, (struct sockaddr *)&to, sizeof(to))) {
        fprintf(stderr, "flow-send: socket %d: %s\n", number, strerror(errno));
        exit(1);
    }
    return fd;
}

int main(int argc, char **argv)
{
    struct rlimit many = {65536, 65536};
    char line[64], payload[64] = "";
    int *fds, n_sockets, n_datagrams;

    if (argc != 6)
        return 2;
    n_sockets = atoi(argv[4]);
    n_datagrams = atoi(argv[5]);
    if (n_sockets < 1 || n_sockets > 40000 || n_datagrams < 1)
        return 2;
    setrlimit(RLIMIT_NOFILE, &many);
    fds = calloc((size_t)n_sockets, sizeof(*fds));
    for (int i = 0; fds && i < n_sockets; i++)
        fds[i] = socket_open(argv[1], argv[2], atoi(argv[3]), i);
    puts("ready");
    fflush(stdout);
    while (fds && fgets(line, sizeof(line), stdin)) {
        long long from = now_ns();

        for (int i = 0; i < n_datagrams; i++)
            if (send(fds[i % n_sockets], payload, sizeof(payload), 0) < 0 &&
                errno != ECONNREFUSED && errno != ENOBUFS)
                fprintf(stderr, "flow-send: %s\n", strerror(errno));
        printf("%lld\n", now_ns() - from);
        fflush(stdout);
    }
    free(fds);
    return 0;
}
