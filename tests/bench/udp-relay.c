/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Load for contrib/udp-relay, and its floor; tests/bench/relay.py runs both alternately.
 *
 *   udp-relay-bench floor PORT                 a bare forwarder: recvmmsg, another address,
 * sendmmsg udp-relay-bench rate|latency OPTIONS       one line of JSON udp-relay-bench register
 * OPTIONS           registers the sessions, and keeps them for a while
 *
 * Session i is between 127.1.0.0 + i, port SIDE_A, and 127.2.0.0 + i, port SIDE_B: two sockets are
 * the members of any number of sessions. The floor knows that, and so needs no table.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/sock_diag.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* Below the ports that the kernel gives to those who ask for any. */
#define SIDE_A    14001
#define SIDE_B    14002
#define NET_A     0x7f010000u
#define NET_B     0x7f020000u
#define BATCH     64u
#define GRO_BYTES 65535u

struct options {
    uint16_t port;     /* of what is measured */
    pid_t pid;         /* its process, whose CPU time counts */
    uint32_t sessions; /* 0: the floor, where nothing is registered */
    uint32_t spread;   /* destinations that are used by turns */
    uint32_t size, train;
    uint32_t rounds, ms;
};

static _Noreturn void fail(const char *what)
{
    fprintf(stderr, "udp-relay-bench: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;

    if (clock_gettime(clock, &now) < 0)
        fail("clock_gettime");
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* What is measured has the other core for itself, where there are several. */
static void stay_on(long core)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET((size_t)core, &set);
    (void)sched_setaffinity(0, sizeof(set), &set);
}

/* ---- the floor ---- */

struct mail {
    struct sockaddr_in6 from;
    struct iovec iov;
};

static int udp6_open(uint16_t port)
{
    const struct sockaddr_in6 address = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
    const int off = 0, bytes = 4 << 20;
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0)
        fail("socket");
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes));
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        fail("bind");
    return fd;
}

/* To the other member: the address that differs in its second byte. */
static void turn_round(struct sockaddr_in6 *address)
{
    address->sin6_addr.s6_addr[13] ^= 3;
    address->sin6_port = htons(ntohs(address->sin6_port) == SIDE_A ? SIDE_B : SIDE_A);
}

static int floor_run(uint16_t port)
{
    static struct mail mails[BATCH];
    static uint8_t bytes[BATCH][GRO_BYTES];
    struct mmsghdr in[BATCH] = {0}, out[BATCH] = {0};
    int fd = udp6_open(port), n;

    for (size_t i = 0; i < BATCH; i++) {
        mails[i].iov.iov_base = bytes[i];
        in[i].msg_hdr = out[i].msg_hdr =
            (struct msghdr){.msg_name = &mails[i].from, .msg_iov = &mails[i].iov, .msg_iovlen = 1};
    }
    puts("ready");
    fflush(stdout);
    for (;;) {
        for (size_t i = 0; i < BATCH; i++) {
            mails[i].iov.iov_len = GRO_BYTES;
            in[i].msg_hdr.msg_namelen = sizeof(mails[i].from);
        }
        n = recvmmsg(fd, in, BATCH, MSG_WAITFORONE, NULL);
        if (n < 0)
            fail("recvmmsg");
        for (int i = 0; i < n; i++) {
            turn_round(&mails[i].from);
            mails[i].iov.iov_len = in[i].msg_len;
            out[i].msg_hdr.msg_namelen = sizeof(mails[i].from);
        }
        for (int at = 0, sent; at < n; at += sent) {
            sent = sendmmsg(fd, out + at, (unsigned)(n - at), 0);
            if (sent < 0)
                sent = 1; /* dropped */
        }
    }
}

/* ---- the two ends ---- */

struct end {
    int fd;
    uint32_t net;
    struct sockaddr_in relay;
};

/* With GRO it takes trains as they are sent; else the kernel cuts them, and counts each datagram.
 */
static struct end end_open(uint32_t net, uint16_t own, uint16_t relay, bool gro)
{
    const struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(own)};
    const int on = 1, trains = gro, bytes = 8 << 20;
    struct end end = {.net = net,
                      .fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0),
                      .relay = {.sin_family = AF_INET,
                                .sin_port = htons(relay),
                                .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};

    if (end.fd < 0 || setsockopt(end.fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on)) < 0 ||
        setsockopt(end.fd, IPPROTO_UDP, UDP_GRO, &trains, sizeof(trains)) < 0)
        fail("socket");
    (void)setsockopt(end.fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof(bytes));
    (void)setsockopt(end.fd, SOL_SOCKET, SO_SNDBUFFORCE, &bytes, sizeof(bytes));
    if (bind(end.fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        fail("bind");
    return end;
}

/* One datagram to be sent, from any address of 127/8, or a train of them. */
struct letter {
    struct iovec iov;
    union {
        char bytes[CMSG_SPACE(sizeof(struct in_pktinfo)) + CMSG_SPACE(sizeof(uint16_t))];
        struct cmsghdr align;
    } control;
};

static void letter_write(struct letter *letter, struct msghdr *message, struct end *end,
                         uint32_t session, void *bytes, size_t length, uint16_t segment)
{
    const struct in_pktinfo info = {.ipi_spec_dst.s_addr = htonl(end->net + session)};
    struct cmsghdr *header;

    letter->iov = (struct iovec){.iov_base = bytes, .iov_len = length};
    memset(&letter->control, 0, sizeof(letter->control));
    *message = (struct msghdr){.msg_name = &end->relay,
                               .msg_namelen = sizeof(end->relay),
                               .msg_iov = &letter->iov,
                               .msg_iovlen = 1,
                               .msg_control = letter->control.bytes,
                               .msg_controllen = CMSG_SPACE(sizeof(info)) +
                                                 (segment ? CMSG_SPACE(sizeof(segment)) : 0)};
    header = CMSG_FIRSTHDR(message);
    *header = (struct cmsghdr){
        .cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO, .cmsg_len = CMSG_LEN(sizeof(info))};
    memcpy(CMSG_DATA(header), &info, sizeof(info));
    if (segment) {
        header = CMSG_NXTHDR(message, header);
        *header = (struct cmsghdr){.cmsg_level = IPPROTO_UDP,
                                   .cmsg_type = UDP_SEGMENT,
                                   .cmsg_len = CMSG_LEN(sizeof(segment))};
        memcpy(CMSG_DATA(header), &segment, sizeof(segment));
    }
}

static void letter_send(struct end *end, uint32_t session, const void *bytes, size_t length)
{
    struct letter letter;
    struct msghdr message;

    letter_write(&letter, &message, end, session, (void *)(uintptr_t)bytes, length, 0);
    if (sendmsg(end->fd, &message, 0) < 0)
        fail("sendmsg");
}

/* Which session it came to is in its address. Returns the length, or -1 where nothing came in time.
 */
static ssize_t letter_receive(struct end *end, uint32_t *ret_session, char *bytes, size_t size,
                              int timeout_ms)
{
    struct pollfd ready = {.fd = end->fd, .events = POLLIN};
    struct iovec iov = {.iov_base = bytes, .iov_len = size};
    union {
        char bytes[256];
        struct cmsghdr align;
    } control;
    struct msghdr message = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof(control)};
    struct in_pktinfo info;
    ssize_t n;

    if (poll(&ready, 1, timeout_ms) <= 0)
        return -1;
    n = recvmsg(end->fd, &message, MSG_DONTWAIT);
    for (struct cmsghdr *h = CMSG_FIRSTHDR(&message); n >= 0 && h; h = CMSG_NXTHDR(&message, h))
        if (h->cmsg_level == IPPROTO_IP && h->cmsg_type == IP_PKTINFO) {
            memcpy(&info, CMSG_DATA(h), sizeof(info));
            *ret_session = ntohl(info.ipi_addr.s_addr) - end->net;
        }
    return n;
}

/* Every session's member on this side; what is not acknowledged is asked for again. */
static void end_register(struct end *end, uint32_t sessions)
{
    bool *registered = calloc(sessions, sizeof(*registered));
    char text[64], answer[256];
    uint32_t session = 0, left = sessions;

    if (!registered)
        fail("calloc");
    for (uint32_t turn = 0; left && turn < 100; turn++)
        for (uint32_t i = 0; i < sessions && left; i++) {
            if (!registered[i]) {
                snprintf(text, sizeof(text), "REG:bench-%" PRIu32 "\n", i);
                letter_send(end, i, text, strlen(text));
            }
            if (i % 16 != 15 && i + 1 != sessions)
                continue;
            for (ssize_t n;
                 (n = letter_receive(end, &session, answer, sizeof(answer), turn ? 50 : 2)) >= 0;)
                if (n == 4 && !memcmp(answer, "ACK\n", 4) && session < sessions &&
                    !registered[session]) {
                    registered[session] = true;
                    left--;
                }
        }
    free(registered);
    if (left) {
        fprintf(stderr, "udp-relay-bench: %" PRIu32 " of %" PRIu32 " were not registered\n", left,
                sessions);
        exit(1);
    }
}

/* ---- packets per second ---- */

/* What has come to a socket, in datagrams of that size; nothing is waited for. */
static uint64_t drain(int fd, uint32_t size)
{
    static char bytes[BATCH][GRO_BYTES];
    struct iovec iov[BATCH];
    struct mmsghdr messages[BATCH] = {0};
    uint64_t packets = 0;
    int n;

    for (size_t i = 0; i < BATCH; i++) {
        iov[i] = (struct iovec){.iov_base = bytes[i], .iov_len = GRO_BYTES};
        messages[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i], .msg_iovlen = 1};
    }
    do {
        n = recvmmsg(fd, messages, BATCH, MSG_DONTWAIT, NULL);
        for (int i = 0; i < n; i++)
            packets += (messages[i].msg_len + size - 1) / size;
    } while (n == (int)BATCH);
    return packets;
}

/* Datagrams that came to a socket and were dropped there, since nobody reads it. */
static uint64_t dropped(int fd)
{
    uint32_t memory[SK_MEMINFO_VARS] = {0};
    socklen_t length = sizeof(memory);

    if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory, &length) < 0)
        fail("SO_MEMINFO");
    return memory[SK_MEMINFO_DROPS];
}

/* Returns how many of them came out at the other end, where it is read: of trains. */
static uint64_t flood(struct end *end, int other_fd, const struct options *options,
                      uint64_t until_ns)
{
    static char bytes[GRO_BYTES];
    struct letter letters[BATCH];
    struct mmsghdr messages[BATCH] = {0};
    uint16_t segment = options->train > 1 ? (uint16_t)options->size : 0;
    uint32_t session = 0;
    uint64_t packets = 0;

    while (clock_ns(CLOCK_MONOTONIC) < until_ns) {
        for (size_t i = 0; i < BATCH; i++) {
            letter_write(&letters[i], &messages[i].msg_hdr, end, session, bytes,
                         (size_t)options->size * options->train, segment);
            session = (session + 1) % options->spread;
        }
        if (sendmmsg(end->fd, messages, segment ? BATCH / 16 : BATCH, 0) < 0 && errno != ENOBUFS)
            fail("sendmmsg");
        if (segment)
            packets += drain(other_fd, options->size);
    }
    return packets;
}

/* A flood from one side, more than what is measured can carry; counted is what arrives. Small ones
 * are only counted by the kernel: reading them would cost the sender's core as much as what is
 * measured has to do. */
static int rate_run(const struct options *options)
{
    struct end a = end_open(NET_A, SIDE_A, options->port, false),
               b = end_open(NET_B, SIDE_B, options->port, options->train > 1);
    uint64_t begin_ns, cpu_ns, packets, drops;
    clockid_t clock;

    stay_on(0);
    if (clock_getcpuclockid(options->pid, &clock))
        fail("clock_getcpuclockid");
    if (options->sessions) {
        end_register(&a, options->sessions);
        end_register(&b, options->sessions);
    }
    flood(&a, b.fd, options, clock_ns(CLOCK_MONOTONIC) + 100000000);
    begin_ns = clock_ns(CLOCK_MONOTONIC);
    cpu_ns = clock_ns(clock);
    drops = dropped(b.fd);
    packets = flood(&a, b.fd, options, begin_ns + options->ms * UINT64_C(1000000));
    cpu_ns = clock_ns(clock) - cpu_ns;
    drops = (uint32_t)(dropped(b.fd) - drops);
    if (options->train == 1)
        packets = drops;
    printf("{\"packets\":%" PRIu64 ",\"ns\":%" PRIu64 ",\"cpu_ns\":%" PRIu64 ",\"drops\":%" PRIu64
           "}\n",
           packets, clock_ns(CLOCK_MONOTONIC) - begin_ns, cpu_ns, drops);
    return 0;
}

/* ---- latency ---- */

static int compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return (x > y) - (x < y);
}

/* The datagram with that number; what is left of another run is none of this one. */
static bool await(int fd, uint32_t wanted)
{
    struct pollfd ready = {.fd = fd, .events = POLLIN};
    char bytes[2048];
    uint32_t got;

    while (poll(&ready, 1, 1000) > 0) {
        if (recv(fd, bytes, sizeof(bytes), 0) < (ssize_t)sizeof(got))
            continue;
        memcpy(&got, bytes, sizeof(got));
        if (got == wanted)
            return true;
    }
    return false;
}

/* One datagram at a time, from one end to the other. Without a port: straight to the other end. */
static int latency_run(const struct options *options)
{
    struct end a = end_open(NET_A, SIDE_A, options->port, false),
               b = end_open(NET_B, SIDE_B, options->port, false);
    uint64_t *took = calloc(options->rounds, sizeof(*took));
    uint32_t lost = 0, n = 0, first = (uint32_t)getpid() << 8;
    char bytes[2048] = {0};

    stay_on(0);
    if (!took || options->size > sizeof(bytes) || options->size < sizeof(first))
        fail("latency");
    if (!options->port) {
        a.relay.sin_port = htons(SIDE_B);
        a.relay.sin_addr.s_addr = htonl(NET_B);
    }
    if (options->sessions) {
        end_register(&a, 1);
        end_register(&b, 1);
    }
    for (uint32_t i = 0; i < options->rounds; i++) {
        uint64_t begin_ns = clock_ns(CLOCK_MONOTONIC);
        uint32_t wanted = first + i;

        memcpy(bytes, &wanted, sizeof(wanted));
        letter_send(&a, 0, bytes, options->size);
        if (await(b.fd, wanted))
            took[n++] = clock_ns(CLOCK_MONOTONIC) - begin_ns;
        else
            lost++;
    }
    if (!n) {
        fprintf(stderr, "udp-relay-bench: nothing came through\n");
        return 1;
    }
    qsort(took, n, sizeof(*took), compare);
    printf("{\"p50_ns\":%" PRIu64 ",\"p99_ns\":%" PRIu64 ",\"lost\":%" PRIu32 "}\n", took[n / 2],
           took[(uint64_t)n * 99 / 100], lost);
    free(took);
    return 0;
}

static int register_run(const struct options *options)
{
    struct end a = end_open(NET_A, SIDE_A, options->port, false),
               b = end_open(NET_B, SIDE_B, options->port, false);

    end_register(&a, options->sessions);
    end_register(&b, options->sessions);
    printf("{\"sessions\":%" PRIu32 "}\n", options->sessions);
    return 0;
}

static uint32_t number(const char *text)
{
    char *end = NULL;
    unsigned long value = strtoul(text, &end, 10);

    if (*end || end == text || value > UINT32_MAX) {
        fprintf(stderr, "udp-relay-bench: \"%s\" is not a number\n", text);
        exit(2);
    }
    return (uint32_t)value;
}

int main(int argc, char **argv)
{
    struct options options = {.spread = 1, .size = 64, .train = 1, .rounds = 1000, .ms = 1000};
    const char *what = argc > 1 ? argv[1] : "";

    if (argc == 3 && !strcmp(what, "floor"))
        return floor_run((uint16_t)number(argv[2]));
    for (int i = 2; i + 1 < argc; i += 2) {
        uint32_t value = number(argv[i + 1]);

        if (!strcmp(argv[i], "--port"))
            options.port = (uint16_t)value;
        else if (!strcmp(argv[i], "--pid"))
            options.pid = (pid_t)value;
        else if (!strcmp(argv[i], "--sessions"))
            options.sessions = value;
        else if (!strcmp(argv[i], "--spread"))
            options.spread = value ? value : 1;
        else if (!strcmp(argv[i], "--size"))
            options.size = value ? value : 1;
        else if (!strcmp(argv[i], "--train"))
            options.train = value ? value : 1;
        else if (!strcmp(argv[i], "--rounds"))
            options.rounds = value ? value : 1;
        else if (!strcmp(argv[i], "--ms"))
            options.ms = value;
    }
    if (!strcmp(what, "rate") && options.size * options.train <= GRO_BYTES - 28)
        return rate_run(&options);
    if (!strcmp(what, "latency"))
        return latency_run(&options);
    if (!strcmp(what, "register") && options.sessions)
        return register_run(&options);
    fputs("usage: udp-relay-bench floor PORT | rate|latency|register OPTIONS\n", stderr);
    return 2;
}
