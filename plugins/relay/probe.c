/* SPDX-License-Identifier: Apache-2.0 */
#include "probe.h"

#include "util/util.h"

#include <errno.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define READ_SLICE    8u  /* datagrams, before other events have their turn */
#define GARBAGE_MAX   64u /* whoever sends more is not listened to */
#define DATAGRAM_SIZE 2048u
#define ACCURACY_US   1000u
#define SECOND_NS     UINT64_C(1000000000)

union socket_name {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

static uint64_t timespec_ns(const struct timespec *time)
{
    return (uint64_t)time->tv_sec * SECOND_NS + (uint64_t)time->tv_nsec;
}

static uint64_t clock_ns(clockid_t clock)
{
    struct timespec now;

    clock_gettime(clock, &now);
    return timespec_ns(&now);
}

/* ---- names ---- */

static socklen_t name_of(const struct pd_address *address, union socket_name *ret)
{
    memset(ret, 0, sizeof(*ret));
    if (address->family == 4) {
        ret->in.sin_family = AF_INET;
        ret->in.sin_port = htons(address->port);
        memcpy(&ret->in.sin_addr, address->bytes, 4);
        return sizeof(ret->in);
    }
    ret->in6.sin6_family = AF_INET6;
    ret->in6.sin6_port = htons(address->port);
    memcpy(&ret->in6.sin6_addr, address->bytes, 16);
    if (*address->scope)
        ret->in6.sin6_scope_id = if_nametoindex(address->scope);
    return sizeof(ret->in6);
}

/* Address and port. */
static bool is_same(const union socket_name *a, const union socket_name *b)
{
    if (a->any.sa_family != b->any.sa_family)
        return false;
    if (a->any.sa_family == AF_INET)
        return a->in.sin_port == b->in.sin_port && a->in.sin_addr.s_addr == b->in.sin_addr.s_addr;
    return a->in6.sin6_port == b->in6.sin6_port &&
           !memcmp(&a->in6.sin6_addr, &b->in6.sin6_addr, sizeof(a->in6.sin6_addr));
}

/* The port of the last time, if nobody has it meanwhile. */
static void port_take(int fd, sa_family_t family, uint16_t port)
{
    union socket_name self = {.any.sa_family = family};

    if (family == AF_INET)
        self.in.sin_port = htons(port);
    else
        self.in6.sin6_port = htons(port);
    if (port)
        (void)bind(fd, &self.any, family == AF_INET ? sizeof(self.in) : sizeof(self.in6));
}

static uint16_t port_of(int fd)
{
    union socket_name self = {0};
    socklen_t n_self = sizeof(self);

    if (getsockname(fd, &self.any, &n_self) < 0)
        return 0;
    return ntohs(self.any.sa_family == AF_INET ? self.in.sin_port : self.in6.sin6_port);
}

/* ---- the end ---- */

void probe_stop(struct probe *probe)
{
    probe->io = sd_event_source_disable_unref(probe->io);
    probe->timer = sd_event_source_disable_unref(probe->timer);
}

static void finish(struct probe *probe)
{
    probe_stop(probe);
    probe->kind->done(probe);
}

__attribute__((format(printf, 2, 3))) static void say(struct probe *probe, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    (void)vsnprintf(probe->why, sizeof(probe->why), format, arguments);
    va_end(arguments);
}

static void say_call(struct probe *probe, const char *call, int error)
{
    probe->error = -error;
    say(probe, "%s: %s", call, strerror(error));
}

static void say_silence(struct probe *probe)
{
    uint64_t ms = probe->kind->wait_us / 1000;
    const char *unit = ms % 1000 ? "ms" : "s";
    unsigned long long wait = ms % 1000 ? ms : ms / 1000;

    if (probe->n_garbage)
        return; /* what came instead was said */
    if (probe->kind->tries == 1)
        say(probe, "no answer for %llu %s", wait, unit);
    else
        say(probe, "no answer to %u tries, for %llu %s each", probe->tries, wait, unit);
}

void probe_notice(const struct probe *probe, struct pd_source_host *host)
{
    char text[512];

    if (probe->error != -EAFNOSUPPORT && probe->error != -EPERM && probe->error != -EACCES)
        return;
    (void)snprintf(
        text, sizeof(text),
        "cannot probe (%s): a sandbox or a firewall of this machine forbids it; for the "
        "unit: systemctl edit pathdog, and there [Service], "
        "RestrictAddressFamilies=AF_INET AF_INET6 and IPAddressAllow= with the addresses "
        "that are probed, or any",
        probe->why);
    host->notice(host, PD_LEVEL_WARNING, "relay-probe", text);
}

/* ---- what comes ---- */

/* When the datagram came, by the kernel: the loop may have been busy since. Never more than the
 * time that has passed by the clock that nobody sets. */
static uint64_t rtt_ns(const struct probe *probe, struct msghdr *header, uint64_t now_ns)
{
    uint64_t most_ns = now_ns - probe->sent_ns;

    for (struct cmsghdr *part = CMSG_FIRSTHDR(header); part; part = CMSG_NXTHDR(header, part)) {
        struct timespec came;
        uint64_t came_ns;

        if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_TIMESTAMPNS)
            continue;
        memcpy(&came, CMSG_DATA(part), sizeof(came));
        came_ns = timespec_ns(&came);
        if (came_ns > probe->sent_at_ns && came_ns - probe->sent_at_ns < most_ns)
            return came_ns - probe->sent_at_ns;
    }
    return most_ns;
}

static void garbage(struct probe *probe, const char *why)
{
    probe->n_garbage++;
    say(probe, "what came was no answer: %s", why ? why : "");
}

/* Returns false: there is nothing more, or it is over, and then there is no probe any more. */
static bool datagram_read(struct probe *probe, int fd, bool *ret_over)
{
    _Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(struct timespec))];
    uint8_t bytes[DATAGRAM_SIZE];
    struct iovec piece = {bytes, sizeof(bytes)};
    union socket_name from, expected;
    struct msghdr header = {
        .msg_name = &from,
        .msg_namelen = sizeof(from),
        .msg_iov = &piece,
        .msg_iovlen = 1,
        .msg_control = control,
        .msg_controllen = sizeof(control),
    };
    ssize_t n = recvmsg(fd, &header, MSG_DONTWAIT);
    const char *why = NULL;
    enum probe_read read;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return errno == EINTR;
    if (n < 0) { /* an ICMP error came, mostly: the port is closed, or there is no way */
        say_call(probe, "refused", errno);
        finish(probe);
        *ret_over = true;
        return false;
    }
    if (header.msg_namelen != name_of(&probe->address, &expected) || !is_same(&from, &expected))
        return true; /* it came before the socket was connected */
    read = probe->kind->read(probe, bytes, (size_t)n, &why);
    if (read == PROBE_GARBAGE) {
        garbage(probe, why);
        if (probe->n_garbage < GARBAGE_MAX)
            return true;
    }
    if (read == PROBE_ANSWERED) {
        probe->rtt_ns = rtt_ns(probe, &header, clock_ns(CLOCK_MONOTONIC));
        probe->why[0] = '\0';
    } else if (read == PROBE_REFUSED) {
        say(probe, "%s", why ? why : "refused");
    }
    finish(probe);
    *ret_over = true;
    return false;
}

/* Returns whether it is over. */
static bool datagrams_read(struct probe *probe, int fd)
{
    bool over = false;

    for (unsigned i = 0; i < READ_SLICE && datagram_read(probe, fd, &over); i++)
        ;
    return over;
}

static int on_datagram(sd_event_source *io, int fd, uint32_t revents, void *user)
{
    struct probe *probe = user;

    (void)io;
    (void)revents;
    (void)datagrams_read(probe, fd);
    return 0;
}

/* ---- a try ---- */

/* Returns NULL, or the call that failed, with errno. */
static const char *ask(struct probe *probe, sd_event *loop)
{
    static const int on = 1;
    union socket_name name;
    socklen_t n_name = name_of(&probe->address, &name);
    int fd = socket(name.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), r;
    uint16_t *port = &probe->ports[(probe->tries - 1) % PROBE_TRIES_MAX];
    uint8_t bytes[PROBE_ASK_MAX];
    size_t n;

    if (fd < 0)
        return "socket";
    r = sd_event_add_io(loop, &probe->io, fd, EPOLLIN, on_datagram, probe);
    if (r >= 0)
        r = sd_event_source_set_io_fd_own(probe->io, true);
    if (r < 0) {
        if (!probe->io)
            (void)close(fd);
        errno = -r;
        return "epoll";
    }
    (void)setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof(on));
    port_take(fd, name.any.sa_family, *port);
    if (connect(fd, &name.any, n_name) < 0)
        return "connect";
    *port = port_of(fd);
    n = probe->kind->ask(probe, bytes);
    probe->sent_at_ns = clock_ns(CLOCK_REALTIME);
    probe->sent_ns = clock_ns(CLOCK_MONOTONIC);
    return send(fd, bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? "send" : NULL;
}

/* What failed at once is told in a turn of its own, as all else. */
static void try_once(struct probe *probe)
{
    const char *failed;
    uint64_t wait_us = probe->kind->wait_us;

    probe->io = sd_event_source_disable_unref(probe->io);
    probe->tries++;
    failed = ask(probe, sd_event_source_get_event(probe->timer));
    if (failed) {
        say_call(probe, failed, errno);
        wait_us = 0;
    }
    (void)sd_event_source_set_time_relative(probe->timer, wait_us);
    (void)sd_event_source_set_enabled(probe->timer, SD_EVENT_ONESHOT);
}

static int on_time(sd_event_source *timer, uint64_t time_us, void *user)
{
    struct probe *probe = user;

    (void)timer;
    (void)time_us;
    /* Where the loop was busy for so long the answer may be there already. */
    if (!probe->error && probe->io && datagrams_read(probe, sd_event_source_get_io_fd(probe->io)))
        return 0;
    if (!probe->error && probe->tries < probe->kind->tries) {
        try_once(probe);
        return 0;
    }
    if (!probe->error)
        say_silence(probe);
    finish(probe);
    return 0;
}

int probe_start(struct probe *probe, sd_event *loop, const struct probe_kind *kind,
                const struct pd_address *address)
{
    struct probe fresh = {.kind = kind, .address = *address, .rtt_ns = PROBE_NO_RTT};
    int r;

    memcpy(fresh.ports, probe->ports, sizeof(fresh.ports));
    *probe = fresh;
    r = sd_event_add_time_relative(loop, &probe->timer, CLOCK_MONOTONIC, kind->wait_us, ACCURACY_US,
                                   on_time, probe);
    if (r < 0) {
        say_call(probe, "timer", -r);
        probe_stop(probe);
        return r;
    }
    try_once(probe);
    return 0;
}
