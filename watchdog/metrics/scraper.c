/* SPDX-License-Identifier: Apache-2.0 */
/* One scraper: its request, its answer, its end. Whatever it does, nobody waits for it. */
#include <errno.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "private.h"

#define READ_BYTES ((size_t)4096)

struct page *page_unref(struct page *page)
{
    if (page && --page->refs == 0) {
        buffer_clear(&page->bytes);
        free(page);
    }
    return NULL;
}

static struct scraper *scraper_free(struct scraper *scraper)
{
    struct metrics *metrics = scraper->metrics;

    for (size_t i = 0; i < SCRAPERS_MAX; i++)
        if (metrics->scrapers[i] == scraper) {
            metrics->scrapers[i] = NULL;
            metrics->n_scrapers--;
        }
    scraper->page = page_unref(scraper->page);
    sd_event_source_disable_unref(scraper->io);
    close(scraper->fd);
    buffer_clear(&scraper->in);
    buffer_clear(&scraper->head);
    free(scraper);
    return NULL;
}

/* One that was told an error is counted as that, whatever it does then. */
void scraper_drop(struct scraper *scraper, enum scrape how)
{
    if (!scraper)
        return;
    scraper->metrics->scrapes[scraper->state == SCRAPER_LEAVES ? SCRAPE_BAD : how]++;
    (void)scraper_free(scraper);
}

/* ---- its answer ---- */

static size_t answer_length(const struct scraper *scraper)
{
    return scraper->head.length + (scraper->page ? scraper->page->bytes.length : 0);
}

/* Returns false: it is gone. */
static bool scraper_write(struct scraper *scraper)
{
    const struct buffer *parts[] = {&scraper->head, scraper->page ? &scraper->page->bytes : NULL};
    struct iovec bytes[ARRAY_SIZE(parts)];
    struct msghdr message = {.msg_iov = bytes};
    size_t skip = scraper->sent;
    ssize_t n;

    for (size_t i = 0; i < ARRAY_SIZE(parts) && parts[i]; i++) {
        size_t skipped = min_u64(skip, parts[i]->length);

        skip -= skipped;
        bytes[message.msg_iovlen++] =
            (struct iovec){(char *)buffer_bytes(parts[i]) + skipped, parts[i]->length - skipped};
    }
    n = sendmsg(scraper->fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR;
    scraper->sent += (size_t)n;
    scraper->moved_us = clock_us(CLOCK_MONOTONIC);
    return true;
}

/* What it has not sent yet must be read, or it would lose the answer. */
static void leave(struct scraper *scraper)
{
    if (scraper->request.status == HTTP_OK) {
        scraper_drop(scraper, SCRAPE_OK);
        return;
    }
    scraper->state = SCRAPER_LEAVES;
    (void)shutdown(scraper->fd, SHUT_WR);
    sd_event_source_set_io_events(scraper->io, EPOLLIN);
}

static void take(struct scraper *scraper)
{
    if (!scraper_write(scraper))
        scraper_drop(scraper, SCRAPE_GONE);
    else if (scraper->sent == answer_length(scraper))
        leave(scraper);
    else
        sd_event_source_set_io_events(scraper->io, EPOLLOUT);
}

void scraper_give(struct scraper *scraper, struct page *page)
{
    http_answer_page(&scraper->head, scraper->request.form, page->bytes.length);
    if (!scraper->request.head) {
        scraper->page = page;
        page->refs++;
    }
    scraper->state = SCRAPER_TAKES;
    scraper->moved_us = clock_us(CLOCK_MONOTONIC);
    sd_event_source_set_io_events(scraper->io, EPOLLOUT); /* each in a turn of its own */
}

static void answer_error(struct scraper *scraper, enum http_status status, const char *why)
{
    scraper->request.status = status;
    http_answer_error(&scraper->head, status, why, scraper->request.head);
    scraper->state = SCRAPER_TAKES;
    take(scraper);
}

/* ---- its request ---- */

static void hear(struct scraper *scraper)
{
    ssize_t n = recv(scraper->fd, buffer_space(&scraper->in, READ_BYTES), READ_BYTES, MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) { /* it will never ask */
        scraper_drop(scraper, SCRAPE_GONE);
        return;
    }
    buffer_added(&scraper->in, (size_t)n);
    scraper->moved_us = clock_us(CLOCK_MONOTONIC);
    if (!http_parse(buffer_bytes(&scraper->in), scraper->in.length, &scraper->request))
        return;
    buffer_clear(&scraper->in);
    if (scraper->request.status != HTTP_OK) {
        answer_error(scraper, scraper->request.status, scraper->request.why);
        return;
    }
    scraper->state = SCRAPER_WAITS;
    sd_event_source_set_io_events(scraper->io, 0); /* only that it is gone */
    look_begin(scraper->metrics);
}

static void throw_away(struct scraper *scraper)
{
    char bytes[READ_BYTES];
    ssize_t n = recv(scraper->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    scraper->thrown += n > 0 ? (size_t)n : LINGER_BYTES;
    if (scraper->thrown >= LINGER_BYTES)
        scraper_drop(scraper, SCRAPE_BAD);
}

static int scraper_ready(sd_event_source *source, int fd, uint32_t revents, void *user)
{
    struct scraper *scraper = user;

    if (revents & (EPOLLHUP | EPOLLERR) && !(revents & EPOLLIN))
        scraper_drop(scraper, SCRAPE_GONE);
    else if (scraper->state == SCRAPER_ASKS)
        hear(scraper);
    else if (scraper->state == SCRAPER_TAKES)
        take(scraper);
    else if (scraper->state == SCRAPER_LEAVES)
        throw_away(scraper);
    return 0;
}

/* ---- coming in ---- */

void scrapers_sweep_later(struct metrics *metrics)
{
    int enabled;

    if (sd_event_source_get_enabled(metrics->sweep, &enabled) < 0 || enabled != SD_EVENT_OFF)
        return;
    sd_event_source_set_time(metrics->sweep, clock_us(CLOCK_MONOTONIC) + SWEEP_US);
    sd_event_source_set_enabled(metrics->sweep, SD_EVENT_ONESHOT);
}

static void refuse(struct metrics *metrics, int fd)
{
    struct buffer answer = {0};
    char asked[READ_BYTES];

    /* What it has sent and nobody read would reset the connection. */
    (void)!recv(fd, asked, sizeof(asked), MSG_DONTWAIT);
    http_answer_error(&answer, HTTP_UNAVAILABLE, "too many scrapers at a time", false);
    (void)send(fd, buffer_bytes(&answer), answer.length, MSG_DONTWAIT | MSG_NOSIGNAL);
    buffer_clear(&answer);
    close(fd);
    metrics->scrapes[SCRAPE_REFUSED]++;
    if (metrics->n_refused++ == 0)
        metrics->host.notice(metrics->host.user, PD_LEVEL_WARNING, "metrics-full",
                             "a scraper was refused at the metrics socket: too many are connected");
}

/* The one that has done nothing for the longest time, if that is long. */
static void make_room(struct metrics *metrics, uint64_t now_us)
{
    struct scraper *found = NULL;

    for (size_t i = 0; i < SCRAPERS_MAX; i++) {
        struct scraper *scraper = metrics->scrapers[i];

        if (scraper && scraper->state != SCRAPER_WAITS &&
            sub_u64(now_us, scraper->moved_us) > MAKES_ROOM_US &&
            (!found || scraper->moved_us < found->moved_us))
            found = scraper;
    }
    scraper_drop(found, SCRAPE_SLOW);
}

static int scraper_new(struct metrics *metrics, int fd, uint64_t now_us,
                       struct scraper **ret_scraper)
{
    struct scraper *scraper = memory_new(1, sizeof(*scraper));
    int r;

    scraper->metrics = metrics;
    scraper->fd = fd;
    scraper->began_us = scraper->moved_us = now_us;
    r = sd_event_add_io(metrics->host.loop, &scraper->io, fd, EPOLLIN, scraper_ready, scraper);
    if (r < 0) {
        (void)scraper_free(scraper);
        return r;
    }
    sd_event_source_set_description(scraper->io, "metrics-scraper");
    sd_event_source_set_priority(scraper->io, SD_EVENT_PRIORITY_IDLE);
    *ret_scraper = scraper;
    return 0;
}

void scraper_admit(struct metrics *metrics, int fd)
{
    uint64_t now_us = clock_us(CLOCK_MONOTONIC);
    struct scraper *scraper;

    if (metrics->n_scrapers == SCRAPERS_MAX)
        make_room(metrics, now_us);
    if (metrics->n_scrapers == SCRAPERS_MAX) {
        refuse(metrics, fd);
        return;
    }
    if (scraper_new(metrics, fd, now_us, &scraper) < 0)
        return;
    metrics->n_refused = 0;
    metrics->n_scrapers++;
    for (size_t i = 0; i < SCRAPERS_MAX; i++)
        if (!metrics->scrapers[i]) {
            metrics->scrapers[i] = scraper;
            break;
        }
    scrapers_sweep_later(metrics);
}

/* ---- time ---- */

/* Has it had its time? */
static bool is_over(const struct scraper *scraper, uint64_t now_us)
{
    uint64_t idle_us = sub_u64(now_us, scraper->moved_us);

    switch (scraper->state) {
    case SCRAPER_ASKS:
        return sub_u64(now_us, scraper->began_us) > ASK_US;
    case SCRAPER_TAKES:
        return idle_us > TAKE_US || sub_u64(now_us, scraper->began_us) > ALL_US;
    case SCRAPER_LEAVES:
        return idle_us > LINGER_US;
    default:
        return false; /* it is not to blame */
    }
}

bool scrapers_sweep(struct metrics *metrics, uint64_t now_us)
{
    for (size_t i = 0; i < SCRAPERS_MAX; i++) {
        struct scraper *scraper = metrics->scrapers[i];

        if (!scraper || !is_over(scraper, now_us))
            continue;
        if (scraper->state == SCRAPER_ASKS && scraper->in.length) {
            http_answer_error(&scraper->head, HTTP_TIMEOUT, "the request took longer than 5 s",
                              false);
            (void)scraper_write(scraper);
        }
        scraper_drop(scraper, SCRAPE_SLOW);
    }
    return metrics->n_scrapers;
}
