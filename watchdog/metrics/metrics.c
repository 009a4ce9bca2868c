/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The metrics socket: its descriptor and timers. All of it runs beside the control socket, when the
 * loop has nothing else to do, and for a short while at a time.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../util/format.h"
#include "../util/passed-socket.h"
#include "../util/ready.h"
#include "private.h"

#define NAME_PASSED    "metrics"
#define BACKLOG        64
#define SOCKET_MODE    0660
#define ACCEPT_BURST   16u
#define SWEEP_SLACK_US UINT64_C(100000)

struct metrics *metrics_new(const uint64_t key[2])
{
    struct metrics *metrics = memory_new(1, sizeof(*metrics));

    metrics->listener.fd = -1;
    counts_init(&metrics->counts, key);
    return metrics;
}

void metrics_records(struct metrics *metrics, const struct record *records, size_t n_records,
                     uint64_t late_us)
{
    for (size_t i = 0; metrics && i < n_records; i++)
        counts_take(&metrics->counts, &records[i], late_us);
}

const char *metrics_path(const struct metrics *metrics)
{
    return metrics ? metrics->path : NULL;
}

/* ---- the socket ---- */

static int on_accept(sd_event_source *source, int listen_fd, uint32_t revents, void *user)
{
    struct metrics *metrics = user;

    for (unsigned i = 0; i < ACCEPT_BURST; i++) {
        int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

        if (fd >= 0) {
            retry_worked(&metrics->accepting);
            scraper_admit(metrics, fd);
        } else if (errno != EINTR && errno != ECONNABORTED) {
            (void)retry_failed(&metrics->accepting, "accept4", errno);
            break;
        }
    }
    return 0;
}

static void notify_failing(void *user, const char *text)
{
    struct metrics *metrics = user;

    metrics->host.notice(metrics->host.user, PD_LEVEL_WARNING, "call-failed", text);
}

static int on_sweep(sd_event_source *source, uint64_t time_us, void *user)
{
    struct metrics *metrics = user;

    sd_event_source_set_enabled(source, SD_EVENT_OFF);
    if (scrapers_sweep(metrics, clock_us(CLOCK_MONOTONIC)))
        scrapers_sweep_later(metrics);
    return 0;
}

static int metrics_add_sources(struct metrics *metrics)
{
    const struct retry_config accepting = {
        .who = "the metrics socket", .notify = notify_failing, .user = metrics};
    sd_event *loop = metrics->host.loop;
    int r =
        sd_event_add_io(loop, &metrics->accept, metrics->listener.fd, EPOLLIN, on_accept, metrics);

    if (r >= 0)
        r = ready_add(loop, &metrics->work, gather_run, metrics);
    if (r >= 0)
        r = sd_event_add_time(loop, &metrics->sweep, CLOCK_MONOTONIC, UINT64_MAX, SWEEP_SLACK_US,
                              on_sweep, metrics);
    if (r < 0)
        return r;
    sd_event_source_set_enabled(metrics->sweep, SD_EVENT_OFF);
    sd_event_source_set_description(metrics->accept, "metrics");
    sd_event_source_set_description(metrics->work, "metrics-work");
    sd_event_source_set_description(metrics->sweep, "metrics-sweep");
    sd_event_source_set_priority(metrics->accept, SD_EVENT_PRIORITY_IDLE);
    sd_event_source_set_priority(metrics->work, SD_EVENT_PRIORITY_IDLE);
    sd_event_source_set_priority(metrics->sweep, SD_EVENT_PRIORITY_IDLE);
    return retry_init(&metrics->accepting, metrics->accept, &accepting);
}

static const char *listen_error(int error)
{
    switch (error) {
    case -EEXIST:
        return "a file that is not a socket exists there: remove it, or change the key metrics";
    case -EADDRINUSE:
        return "another process listens there; the key metrics names another place, or none";
    case -ENAMETOOLONG:
        return "the path is too long for a socket";
    case -ENOENT:
        return "its directory does not exist";
    default:
        return strerror(-error);
    }
}

/* What systemd passed, wherever it listens; else `path`. */
static int metrics_open(struct metrics *metrics, const char *path)
{
    static const struct unix_socket_options options = {
        .type = SOCK_STREAM, .backlog = BACKLOG, .mode = SOCKET_MODE, .group = (gid_t)-1};
    int fd = passed_socket(NAME_PASSED, &metrics->path);

    if (fd < 0 && !*path)
        return 0;
    if (fd < 0) {
        metrics->path = string_copy(path);
        return unix_socket_open(&metrics->listener, path, &options);
    }
    metrics->listener = (struct unix_socket){.fd = fd};
    return fcntl(fd, F_SETFL, O_NONBLOCK) < 0 ? -errno : 0;
}

int metrics_listen(struct metrics *metrics, const struct metrics_host *host, const char *path,
                   char **ret_error)
{
    int r;

    metrics->host = *host;
    r = metrics_open(metrics, path);
    if (r < 0)
        (void)error_set(ret_error, r, "%s: %s", path, listen_error(r));
    if (r < 0 || metrics->listener.fd < 0) {
        metrics_close(metrics);
        return r;
    }
    r = metrics_add_sources(metrics);
    if (r < 0) {
        metrics_close(metrics);
        return error_set(ret_error, r, "%s: %s", path, strerror(-r));
    }
    return 0;
}

void metrics_close(struct metrics *metrics)
{
    if (!metrics)
        return;
    for (size_t i = 0; i < SCRAPERS_MAX; i++)
        scraper_drop(metrics->scrapers[i], SCRAPE_GONE);
    retry_clear(&metrics->accepting);
    metrics->accept = sd_event_source_disable_unref(metrics->accept);
    metrics->work = sd_event_source_disable_unref(metrics->work);
    metrics->sweep = sd_event_source_disable_unref(metrics->sweep);
    unix_socket_close(&metrics->listener);
    metrics->listener = (struct unix_socket){.fd = -1};
    free(metrics->path);
    metrics->path = NULL;
}

struct metrics *metrics_free(struct metrics *metrics)
{
    if (!metrics)
        return NULL;
    metrics_close(metrics);
    counts_clear(&metrics->counts);
    free(metrics);
    return NULL;
}
