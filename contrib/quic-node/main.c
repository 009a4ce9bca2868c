/* SPDX-License-Identifier: Apache-2.0 */
/* The QUIC node: start, one loop, end. It only hands events on. */
#include "node.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

static int signals_init(struct node *node)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = &node->signal_fd};
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGUSR1);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN);
    if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
        return -errno;
    node->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (node->signal_fd < 0)
        return -errno;
    return epoll_ctl(node->epoll_fd, EPOLL_CTL_ADD, node->signal_fd, &ev) < 0 ? -errno : 0;
}

static int timer_init(struct node *node)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = &node->timer_fd};

    node->timer_ns = UINT64_MAX;
    node->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    if (node->timer_fd < 0)
        return -errno;
    return epoll_ctl(node->epoll_fd, EPOLL_CTL_ADD, node->timer_fd, &ev) < 0 ? -errno : 0;
}

static void signals_read(struct node *node)
{
    struct signalfd_siginfo info;

    while (read(node->signal_fd, &info, sizeof(info)) == sizeof(info)) {
        int r = 0;

        if (info.ssi_signo != SIGUSR1) {
            node->stopping = true;
            continue;
        }
        if (node->options->stats)
            r = stats_write(node, node->options->stats);
        event(node, "stats", "result=\"%s\"", r < 0 ? strerror(-r) : "written");
    }
}

static int dials_init(struct node *node)
{
    for (size_t i = 0; i < node->options->n_dials; i++) {
        const struct dial_option *d = &node->options->dials[i];
        struct peer *p = peer_get(node, d->name);

        if (!p)
            return -ENOMEM;
        p->dial_option = d;
        p->dialled = p->reachable = true;
        p->address = d->address;
        p->redial_at_ns = node->now_ns;
    }
    return 0;
}

static int node_init(struct node *node, const struct options *options)
{
    char error[256] = "", text[ADDRESS_TEXT_MAX];
    uint8_t boot[8];
    int r;

    node->options = options;
    node->hooks = &conn_hooks;
    node->now_ns = node->start_ns = clock_ns();
    node->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (node->epoll_fd < 0)
        return -errno;
    random_bytes(boot, sizeof(boot));
    random_bytes(node->reset_secret, sizeof(node->reset_secret));
    for (size_t i = 0; i < sizeof(boot); i++)
        snprintf(node->boot + 2 * i, 3, "%02x", boot[i]);
    r = tls_init(node);
    if (r == 0)
        r = signals_init(node);
    if (r == 0)
        r = timer_init(node);
    if (r == 0 && options->listen.len > 0) {
        r = udp_listen(node, &options->listen);
        if (r < 0)
            snprintf(error, sizeof(error), "listen %s: %s", address_text(&options->listen, text),
                     strerror(-r));
    }
    if (r == 0 && options->socket)
        r = watchdog_init(node, error, sizeof(error));
    if (r == 0) {
        r = meet_init(node);
        if (r < 0 && r != -ENOMEM && options->relay_secret)
            snprintf(error, sizeof(error), "relay secret %s: %s", options->relay_secret,
                     r == -EINVAL  ? "it is empty, or has a NUL byte"
                     : r == -EFBIG ? "it is longer than 256 bytes"
                                   : strerror(-r));
    }
    if (r == 0)
        r = dials_init(node);
    if (r < 0)
        fprintf(stderr, "quic-node: %s\n", error[0] ? error : strerror(-r));
    return r;
}

static void node_free(struct node *node)
{
    for (struct conn *c = node->conns; c; c = c->next)
        c->dead = true;
    conn_reap(node);
    stands_free(node);
    udp_reap(node);
    peers_free(node);
    pathdog_node_free(node->kit);
    tls_free(node);
    if (node->listening)
        close(node->listen.fd);
    if (node->signal_fd >= 0)
        close(node->signal_fd);
    if (node->timer_fd >= 0)
        close(node->timer_fd);
    if (node->epoll_fd >= 0)
        close(node->epoll_fd);
}

/* The time until something is due. */
static uint64_t node_next_ns(struct node *node, uint64_t end_ns)
{
    uint64_t next = end_ns;

    for (struct conn *c = node->conns; c; c = c->next) {
        uint64_t t = c->dirty ? node->now_ns : conn_next_ns(c);

        next = t < next ? t : next;
    }
    for (struct peer *p = node->peers; p; p = p->next) {
        uint64_t t = peer_next_ns(p);

        next = t < next ? t : next;
    }
    if (relay_next_ns(node) < next)
        next = relay_next_ns(node);
    return stand_next_ns(node) < next ? stand_next_ns(node) : next;
}

static int node_wait(struct node *node, uint64_t until_ns)
{
    struct epoll_event ev[64];
    uint64_t expired;
    int n;

    if (until_ns > node->now_ns && until_ns != node->timer_ns) {
        struct itimerspec at = {0};

        if (until_ns < UINT64_MAX) {
            at.it_value.tv_sec = (time_t)(until_ns / NS_PER_S);
            at.it_value.tv_nsec = (long)(until_ns % NS_PER_S);
        }
        if (timerfd_settime(node->timer_fd, TFD_TIMER_ABSTIME, &at, NULL) < 0)
            return -errno;
        node->timer_ns = until_ns;
    }
    n = epoll_wait(node->epoll_fd, ev, 64, until_ns > node->now_ns ? -1 : 0);
    node->now_ns = clock_ns();
    if (n < 0)
        return errno == EINTR ? 0 : -errno;
    for (int i = 0; i < n; i++) {
        if (ev[i].data.ptr == &node->signal_fd)
            signals_read(node);
        else if (ev[i].data.ptr == &node->timer_fd) {
            if (read(node->timer_fd, &expired, sizeof(expired)) == sizeof(expired))
                node->timer_ns = UINT64_MAX;
        } else if (ev[i].data.ptr == node->kit) {
            int r = pathdog_node_process(node->kit);

            if (r < 0)
                return r;
        } else
            receive(ev[i].data.ptr);
    }
    return 0;
}

static void node_turn(struct node *node)
{
    for (struct peer *p = node->peers; p; p = p->next) {
        peer_timers(p);
        traffic_make(p);
        traffic_send(p);
    }
    relay_turn(node);
    stand_turn(node);
    agree_turn(node);
    for (struct conn *c = node->conns; c; c = c->next) {
        if (conn_next_ns(c) <= node->now_ns)
            conn_timer(c);
        if (c->dirty)
            conn_write(c);
    }
    conn_reap(node);
}

static int node_run(struct node *node)
{
    uint64_t end_ns = UINT64_MAX;
    int r = 0;

    if (node->options->duration_ms)
        end_ns = node->start_ns + node->options->duration_ms * NS_PER_MS;
    while (r == 0 && !node->stopping && node->now_ns < end_ns) {
        r = node_wait(node, node_next_ns(node, end_ns));
        node_turn(node);
    }
    if (node->options->stats) {
        int w = stats_write(node, node->options->stats);

        if (w < 0)
            fprintf(stderr, "quic-node: %s: %s\n", node->options->stats, strerror(-w));
        r = r < 0 ? r : w;
    }
    stats_print(node);
    node->stopping = true;
    for (struct conn *c = node->conns; c; c = c->next)
        conn_close(c, CLOSE_SHUTDOWN, "shutdown");
    return r;
}

int main(int argc, char **argv)
{
    struct options options = {0};
    struct node node = {.epoll_fd = -1, .signal_fd = -1, .timer_fd = -1};
    char text[ADDRESS_TEXT_MAX];
    int r = options_parse(argc, argv, &options);

    if (r != 0)
        return r < 0 ? 2 : 0;
    r = node_init(&node, &options);
    if (r == 0) {
        event(&node, "ready", "name=%s listen=%s socket=%s boot=%s", options.name,
              node.listening ? address_text(&node.listen.local, text) : "-",
              options.socket ? options.socket : "-", node.boot);
        r = node_run(&node);
    }
    node_free(&node);
    options_free(&options);
    return r < 0 ? 1 : 0;
}
