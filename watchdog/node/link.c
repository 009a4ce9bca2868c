/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The socket to the node. Callbacks return 0 always: sd-event switches off a
 * source whose callback fails. Nothing here closes the connection from within
 * an event handler; that is left to the loop's next step (link->failure).
 */
#include "link.h"

#include <errno.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "../util/clock.h"
#include "../util/retry.h"
#include "../util/turns.h"
#include "endpoint.h"
#include "protocol.h"

#define READ_BYTES   ((size_t)64 * 1024)
#define READS_MAX    4              /* of READ_BYTES in one turn of the loop, but */
#define READ_US      UINT64_C(2000) /* no more is read in it after so long */
#define READS_US     UINT64_C(3000) /* as long as they do not take longer than this */
#define SEND_ACTIONS 512            /* about 64 KiB of requests: written while the next are made */
#define TAKING_US    UINT64_C(100000) /* a node that took some so lately may take more */
/* While the node is away, a new reason is said at most so often. */
#define REASON_GAP_US UINT64_C(10000000)
#define REASON_SIZE   640 /* two paths, names, and what to do */
/* An answer to hello that takes longer is said to be waited for. */
#define HELLO_SLOW_US UINT64_C(1000000)

struct link {
    sd_event *loop;
    struct link_handlers handlers;
    struct protocol *protocol;
    struct endpoint endpoint;

    int fd;
    uint32_t peer_uid;
    sd_event_source *io;
    struct retry sending;
    sd_event_source *timer;
    sd_event_source *defer; /* closes in a step of its own */
    struct turns turns;     /* of `io` and of whoever else waits */
    uint32_t watched;       /* epoll events asked for */
    unsigned reading;       /* protocol_input is running: output waits for its end */

    uint64_t random;
    uint64_t backoff_us;
    uint64_t retry_us;      /* when to connect, UINT64_MAX: connected */
    uint64_t hello_slow_us; /* when the node is slow to answer hello, UINT64_MAX: said already */
    bool hello_unanswered;  /* that is why the last connection was closed */
    uint64_t subscribed_us; /* 0: not yet */
    uint64_t taken_us;      /* when output began to wait, or the node last took some */
    uint64_t armed_us;      /* what the timer is set to */
    uint64_t reported_us;
    char reported[REASON_SIZE]; /* the reason last said while the node was away */
    char failure[REASON_SIZE];  /* why to close, "" while all is well */
    const char *failure_kind;   /* of a notice, NULL: none */

    char *input;
};

static uint64_t link_now(const struct link *link)
{
    uint64_t now_us = 0;

    (void)sd_event_now(link->loop, CLOCK_MONOTONIC, &now_us);
    return now_us;
}

/* ---- time ---- */

static uint64_t next_deadline_us(const struct link *link)
{
    uint64_t deadline_us = min_u64(link->retry_us, protocol_deadline_us(link->protocol));

    if (!protocol_is_up(link->protocol))
        deadline_us = min_u64(deadline_us, link->hello_slow_us);
    if (link->fd >= 0 && protocol_output(link->protocol)->length)
        deadline_us = min_u64(deadline_us, add_u64(link->taken_us, LINK_STALLED_US));
    return deadline_us;
}

static void link_arm(struct link *link)
{
    uint64_t deadline_us = next_deadline_us(link);

    if (deadline_us == link->armed_us)
        return;
    link->armed_us = deadline_us;
    if (deadline_us == UINT64_MAX) {
        (void)sd_event_source_set_enabled(link->timer, SD_EVENT_OFF);
        return;
    }
    (void)sd_event_source_set_time(link->timer, deadline_us);
    (void)sd_event_source_set_enabled(link->timer, SD_EVENT_ONESHOT);
}

/* splitmix64: even enough for a jitter, and the same for the same seed. */
static uint64_t random_next(struct link *link)
{
    uint64_t z = link->random += UINT64_C(0x9e3779b97f4a7c15);

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* The pause before the next attempt: four fifths of the step, and up to a fifth more. */
static uint64_t backoff_next(struct link *link)
{
    uint64_t step_us = link->backoff_us;

    link->backoff_us = min_u64(2 * step_us, LINK_BACKOFF_MAX_US);
    return step_us - random_next(link) % (step_us / 5);
}

/* ---- the connection's end ---- */

static void link_report(struct link *link, struct event event)
{
    link->handlers.event(link->handlers.userdata, &event);
}

/* Said each time a connection that was up is lost; while the node stays away,
 * only when there is something new to say. */
static void report_down(struct link *link, const char *reason, bool was_up)
{
    uint64_t now_us = link_now(link);
    bool news = strncmp(link->reported, reason, sizeof(link->reported) - 1) != 0;

    if (!was_up && (!news || (*link->reported && now_us - link->reported_us < REASON_GAP_US)))
        return;
    snprintf(link->reported, sizeof(link->reported), "%s", reason);
    link->reported_us = now_us;
    link_report(link, (struct event){.type = EVENT_NODE_DOWN, .node_down = {.reason = reason}});
}

/* The reason of the last failure is none any more: the node is there, and says nothing. */
static void report_hello_slow(struct link *link)
{
    link->hello_slow_us = UINT64_MAX;
    link->reported_us = 0;
    report_down(link, "waiting for the node's answer to hello", false);
    link->reported_us = 0; /* nor is this one soon */
}

static void link_down(struct link *link, const char *reason, uint64_t pause_us)
{
    uint64_t now_us = link_now(link);
    bool was_up = protocol_is_up(link->protocol);
    char text[REASON_SIZE];

    snprintf(text, sizeof(text), "%s", reason);
    if (link->subscribed_us && now_us - link->subscribed_us >= LINK_GOOD_US)
        link->backoff_us = LINK_BACKOFF_MIN_US;
    link->subscribed_us = 0;
    retry_clear(&link->sending);
    link->io = sd_event_source_disable_unref(link->io);
    if (link->fd >= 0)
        close(link->fd);
    link->fd = -1;
    link->watched = 0;
    link->turns.io = NULL;
    link->hello_slow_us = UINT64_MAX;
    link->peer_uid = UINT32_MAX;
    *link->failure = '\0';
    link->failure_kind = NULL;
    protocol_close(link->protocol);
    link->retry_us = add_u64(now_us, pause_us ? pause_us : backoff_next(link));
    report_down(link, text, was_up);
    link_arm(link);
}

/* To be closed, but not from here. */
static void link_fail(struct link *link, const char *kind, const char *reason)
{
    if (*link->failure)
        return;
    snprintf(link->failure, sizeof(link->failure), "%s", reason);
    link->failure_kind = kind;
    (void)sd_event_source_set_enabled(link->defer, SD_EVENT_ONESHOT);
}

static void link_close_failed(struct link *link)
{
    if (!*link->failure)
        return;
    (void)sd_event_source_set_enabled(link->defer, SD_EVENT_OFF);
    if (link->failure_kind)
        link_report(link, (struct event){.type = EVENT_NOTICE,
                                         .notice = {.level = PD_LEVEL_WARNING,
                                                    .what = link->failure_kind,
                                                    .text = link->failure,
                                                    .count = 1}});
    link_down(link, link->failure, 0);
}

static int on_defer(sd_event_source *source, void *userdata)
{
    link_close_failed(userdata);
    return 0;
}

/* ---- writing ---- */

/* The bound is the buffer's own; what it dropped, the node never gets. */
static bool is_overflowed(struct link *link)
{
    if (!protocol_output(link->protocol)->overflowed)
        return false;
    link_fail(link, "output-overflow",
              "the node does not read its socket fast enough: more than 64 MiB of output wait "
              "for it");
    return true;
}

/* A node that must read first is not read from: what it sends then waits in its own socket. */
static void watch(struct link *link)
{
    uint32_t events = (protocol_is_choked(link->protocol) ? 0u : EPOLLIN) |
                      (protocol_output(link->protocol)->length ? EPOLLOUT : 0u);

    if (link->watched == events)
        return;
    link->watched = events;
    (void)sd_event_source_set_io_events(link->io, events);
}

/* Writes what the socket takes now; the rest when it takes more. */
static void link_flush(struct link *link)
{
    struct buffer *out = protocol_output(link->protocol);

    while (!is_overflowed(link) && out->length && !*link->failure) {
        ssize_t n = send(link->fd, buffer_bytes(out), out->length, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == ENOBUFS || errno == ENOMEM)) {
            (void)retry_failed(&link->sending, "send", errno);
            break;
        }
        if (n < 0) {
            /* EPIPE: what the node said last is still to be read. */
            if (errno == EPIPE || errno == ECONNRESET)
                buffer_take(out, out->length);
            else
                link_fail(link, NULL, strerrordesc_np(errno));
            break;
        }
        retry_worked(&link->sending);
        buffer_take(out, (size_t)n);
        link->taken_us = link_now(link);
    }
    watch(link);
}

void link_send(struct link *link, const struct action *actions, size_t n_actions)
{
    struct buffer *out = protocol_output(link->protocol);
    uint64_t now_us;

    if (!link_is_up(link))
        return;
    now_us = link_now(link);
    if (!out->length)
        link->taken_us = now_us;
    for (size_t i = 0; i < n_actions && !*link->failure; i += SEND_ACTIONS) {
        protocol_send(link->protocol, now_us, actions + i, min_u64(n_actions - i, SEND_ACTIONS));
        /* Answers are read by the hundred, and each may set free one request:
         * those are written together. A full socket is left alone until it says
         * so, unless the node just took some: in a storm it reads while the next
         * are made. */
        if (!link->reading && (!(link->watched & EPOLLOUT) || now_us - link->taken_us < TAKING_US))
            link_flush(link);
        else
            (void)is_overflowed(link);
    }
    link_arm(link);
}

void link_push(struct link *link)
{
    if (link_is_up(link) && !link->reading && protocol_output(link->protocol)->length)
        link_flush(link);
}

/* ---- reading ---- */

/* Returns whether there may be more to read. */
static bool link_read(struct link *link)
{
    struct buffer *out = protocol_output(link->protocol);
    ssize_t n = recv(link->fd, link->input, READ_BYTES, MSG_DONTWAIT);
    int r;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return false;
    if (n <= 0) {
        /* A reset is a close with requests of ours unread. */
        link_fail(link, NULL,
                  n == 0 || errno == ECONNRESET ? "the node closed the connection"
                                                : strerrordesc_np(errno));
        return false;
    }
    if (!out->length)
        link->taken_us = link_now(link);
    link->reading++;
    r = protocol_input(link->protocol, link_now(link), link->input, (size_t)n);
    link->reading--;
    if (r < 0) {
        link_down(link, protocol_reason(link->protocol),
                  r == -EPROTONOSUPPORT ? LINK_UNSUPPORTED_US : 0);
        return false;
    }
    if (!link->subscribed_us && protocol_is_subscribed(link->protocol))
        link->subscribed_us = link_now(link);
    if (!is_overflowed(link) && out->length && !(link->watched & EPOLLOUT))
        link_flush(link);
    watch(link);
    return (size_t)n == READ_BYTES && link->watched & EPOLLIN && !*link->failure;
}

static int on_io(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct link *link = userdata;
    uint64_t until_us = clock_us(CLOCK_MONOTONIC) + READ_US;
    bool more = events & ~(uint32_t)EPOLLOUT;

    if (events & EPOLLOUT)
        link_flush(link);
    for (unsigned i = 0; i < READS_MAX && more; i++)
        more = link_read(link) && clock_us(CLOCK_MONOTONIC) < until_us;
    link_close_failed(link);
    turns_had(&link->turns, link->io);
    link_arm(link);
    return 0;
}

/* ---- connecting ---- */

static void notify_failing(void *user, const char *text)
{
    const struct link *link = user;

    link->handlers.notice(link->handlers.userdata, PD_LEVEL_WARNING, "call-failed", text);
}

static int link_watch(struct link *link, int fd)
{
    const struct retry_config sending = {
        .who = "the node's socket", .notify = notify_failing, .user = link};
    int r = sd_event_add_io(link->loop, &link->io, fd, EPOLLIN, on_io, link);

    return r < 0 ? r : retry_init(&link->sending, link->io, &sending);
}

static void link_connect(struct link *link)
{
    char reason[REASON_SIZE];
    int fd = endpoint_connect(&link->endpoint, &link->peer_uid, reason, sizeof(reason));

    if (fd >= 0 && link_watch(link, fd) < 0) {
        close(fd);
        fd = -ENOMEM;
        snprintf(reason, sizeof(reason), "cannot watch the node's socket");
    }
    if (fd < 0) {
        link->hello_unanswered = false;
        link_down(link, reason, 0);
        return;
    }
    (void)sd_event_source_set_description(link->io, "node");
    link->fd = fd;
    link->watched = EPOLLIN;
    link->retry_us = UINT64_MAX;
    link->taken_us = link_now(link);
    link->hello_slow_us =
        link->hello_unanswered ? UINT64_MAX : add_u64(link->taken_us, HELLO_SLOW_US);
    protocol_open(link->protocol, link_now(link), link->peer_uid);
    link_flush(link);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct link *link = userdata;
    uint64_t now_us = link_now(link);

    link->armed_us = UINT64_MAX; /* it fires once */
    if (link->fd < 0) {
        if (now_us >= link->retry_us)
            link_connect(link);
    } else if (protocol_expire(link->protocol, now_us) < 0) {
        link->hello_unanswered = !protocol_is_up(link->protocol);
        link_down(link, protocol_reason(link->protocol), 0);
    } else if (protocol_output(link->protocol)->length &&
               now_us - link->taken_us >= LINK_STALLED_US) {
        link_fail(link, "node-stalled", "the node read nothing from its socket for 30 s");
    } else if (!protocol_is_up(link->protocol) && now_us >= link->hello_slow_us) {
        report_hello_slow(link);
    }
    link_close_failed(link);
    link_arm(link);
    return 0;
}

/* ---- construction ---- */

static int sources_add(struct link *link)
{
    int r = sd_event_add_time(link->loop, &link->timer, CLOCK_MONOTONIC, UINT64_MAX, 1000, on_timer,
                              link);

    if (r >= 0)
        r = sd_event_source_set_enabled(link->timer, SD_EVENT_OFF);
    if (r >= 0)
        r = sd_event_add_defer(link->loop, &link->defer, on_defer, link);
    if (r >= 0)
        r = sd_event_source_set_enabled(link->defer, SD_EVENT_OFF);
    if (r >= 0)
        r = turns_start(&link->turns, link->loop);
    if (r >= 0)
        r = sd_event_source_set_description(link->timer, "node-timer");
    return r;
}

int link_new(sd_event *loop, const struct link_config *config, const struct link_handlers *handlers,
             struct link **ret_link)
{
    struct link *link = memory_new(1, sizeof(*link));
    const struct protocol_config protocol = {
        .client = config->client,
        .netns = config->netns,
        .sample_interval_us = config->sample_interval_us,
    };
    int r;

    *link = (struct link){
        .loop = sd_event_ref(loop),
        .handlers = *handlers,
        .fd = -1,
        .peer_uid = UINT32_MAX,
        .random = config->seed,
        .backoff_us = LINK_BACKOFF_MIN_US,
        .retry_us = UINT64_MAX,
        .hello_slow_us = UINT64_MAX,
        .armed_us = UINT64_MAX,
        .input = memory_new(READ_BYTES, 1),
    };
    r = endpoint_set(&link->endpoint, config->path, config->node_user);
    if (r >= 0)
        r = sources_add(link);
    if (r >= 0)
        r = protocol_new(&protocol, handlers->event, handlers->userdata, &link->protocol);
    if (r >= 0)
        protocol_output(link->protocol)->limit = LINK_OUTPUT_MAX_BYTES;
    if (r < 0) {
        link_free(link);
        return r;
    }
    *ret_link = link;
    return 0;
}

struct link *link_free(struct link *link)
{
    if (!link)
        return NULL;
    retry_clear(&link->sending);
    turns_stop(&link->turns);
    sd_event_source_disable_unref(link->io);
    sd_event_source_disable_unref(link->timer);
    sd_event_source_disable_unref(link->defer);
    if (link->fd >= 0)
        close(link->fd);
    protocol_free(link->protocol);
    sd_event_unref(link->loop);
    free(link->input);
    free(link);
    return NULL;
}

int link_start(struct link *link)
{
    link->retry_us = 0;
    link_arm(link);
    return 0;
}

void link_set_sample_interval(struct link *link, uint64_t sample_interval_us)
{
    protocol_set_sample_interval(link->protocol, sample_interval_us);
}

bool link_is_up(const struct link *link)
{
    return protocol_is_up(link->protocol) && !*link->failure;
}

uint32_t link_peer_uid(const struct link *link)
{
    return link->peer_uid;
}
