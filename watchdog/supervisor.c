/* SPDX-License-Identifier: Apache-2.0 */
/* One message for each kind waits at most; they are sent in the order of their kinds. */
#include "supervisor.h"

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/format.h"

#define RETRY_US    UINT64_C(250000)
#define ACCURACY_US UINT64_C(50000)

/* RELOADING=1 goes before the READY=1 that ends the reload. */
enum message {
    MESSAGE_RELOADING,
    MESSAGE_READY,
    MESSAGE_STATUS,
    MESSAGE_STOPPING,
    MESSAGE_WATCHDOG,
    MESSAGE_COUNT
};

struct supervisor {
    struct supervisor_config config;
    struct sockaddr_un address;
    socklen_t length;
    int fd; /* -1: nobody is told */
    sd_event_source *retry, *watchdog;
    char *waiting[MESSAGE_COUNT]; /* not sent yet */
    uint64_t n_dropped;           /* replaced by a newer one before it was sent */
    int error;                    /* as it was last said; 0: it works */
};

__attribute__((format(printf, 4, 5))) static void notify(const struct supervisor *supervisor,
                                                         enum pd_level level, const char *what,
                                                         const char *format, ...)
{
    CLEANUP_FREE char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    text = string_vformat(format, arguments);
    va_end(arguments);
    supervisor->config.notice(supervisor->config.user, level, what, text);
}

/* Said once, until a message gets through. */
static void failed(struct supervisor *supervisor, const char *text, int error)
{
    if (supervisor->error == error)
        return;
    supervisor->error = error;
    notify(supervisor, PD_LEVEL_WARNING, "notify-failed",
           "systemd could not be told %.*s: sendto %s: %s; %s", (int)strcspn(text, "\n"), text,
           supervisor->config.address, strerrordesc_np(error),
           error == EAGAIN ? "nobody reads that socket; pathdog goes on, and tries again"
                           : "pathdog goes on without it");
}

static void worked(struct supervisor *supervisor)
{
    if (!supervisor->error)
        return;
    supervisor->error = 0;
    notify(supervisor, PD_LEVEL_NOTICE, "notify-works-again",
           "systemd can be told again; %llu messages were dropped meanwhile",
           (unsigned long long)supervisor->n_dropped);
    supervisor->n_dropped = 0;
}

/* Returns 0, or the errno: EAGAIN where it may go later. */
static int message_send(const struct supervisor *supervisor, const char *text)
{
    ssize_t n;

    do {
        n = sendto(supervisor->fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL,
                   (const struct sockaddr *)&supervisor->address, supervisor->length);
    } while (n < 0 && errno == EINTR);
    if (n >= 0)
        return 0;
    return errno == ENOBUFS || errno == ENOMEM ? EAGAIN : errno;
}

static void flush(struct supervisor *supervisor)
{
    bool wait = false;

    for (size_t i = 0; i < MESSAGE_COUNT && !wait; i++) {
        char **text = &supervisor->waiting[i];
        int error = *text ? message_send(supervisor, *text) : 0;

        wait = error == EAGAIN;
        if (error)
            failed(supervisor, *text, error);
        else if (*text)
            worked(supervisor);
        if (wait)
            break;
        free(*text);
        *text = NULL;
    }
    if (wait)
        (void)sd_event_source_set_time(supervisor->retry,
                                       clock_us(CLOCK_MONOTONIC) + supervisor->config.retry_us);
    (void)sd_event_source_set_enabled(supervisor->retry, wait ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
}

/* Takes the text over. */
static void tell(struct supervisor *supervisor, enum message kind, char *text)
{
    if (!supervisor_listens(supervisor)) {
        free(text);
        return;
    }
    supervisor->n_dropped += supervisor->waiting[kind] != NULL;
    free(supervisor->waiting[kind]);
    supervisor->waiting[kind] = text;
    flush(supervisor);
}

static int on_retry(sd_event_source *source, uint64_t time_us, void *user)
{
    flush(user);
    return 0;
}

/* From the loop itself: one that does not turn does not say that it does. */
static int on_watchdog(sd_event_source *source, uint64_t time_us, void *user)
{
    struct supervisor *supervisor = user;

    tell(supervisor, MESSAGE_WATCHDOG, string_copy("WATCHDOG=1"));
    (void)sd_event_source_set_time(source,
                                   clock_us(CLOCK_MONOTONIC) + supervisor->config.watchdog_us / 2);
    return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

bool supervisor_listens(const struct supervisor *supervisor)
{
    return supervisor->fd >= 0;
}

void supervisor_ready(struct supervisor *supervisor, const char *status)
{
    tell(supervisor, MESSAGE_READY,
         status ? string_format("READY=1\nSTATUS=%s", status) : string_copy("READY=1"));
}

void supervisor_status(struct supervisor *supervisor, const char *status)
{
    tell(supervisor, MESSAGE_STATUS, string_format("STATUS=%s", status));
}

void supervisor_reloading(struct supervisor *supervisor, uint64_t monotonic_us)
{
    tell(supervisor, MESSAGE_RELOADING,
         string_format("RELOADING=1\nMONOTONIC_USEC=%llu", (unsigned long long)monotonic_us));
}

void supervisor_stopping(struct supervisor *supervisor)
{
    tell(supervisor, MESSAGE_STOPPING, string_copy("STOPPING=1"));
}

/* ---- construction ---- */

static bool address_set(struct supervisor *supervisor, const char *text)
{
    struct sockaddr_un *address = &supervisor->address;
    size_t length = strlen(text);

    if ((*text != '/' && *text != '@') || length < 2 || length >= sizeof(address->sun_path))
        return false;
    address->sun_family = AF_UNIX;
    memcpy(address->sun_path, text, length + 1);
    if (*text == '@')
        address->sun_path[0] = '\0';
    /* The end belongs to a path, but would be part of an abstract name. */
    supervisor->length =
        (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length + (*text == '/'));
    return true;
}

static int timers_add(struct supervisor *supervisor)
{
    sd_event *loop = supervisor->config.loop;
    uint64_t half_us = supervisor->config.watchdog_us / 2;
    int r = sd_event_add_time(loop, &supervisor->retry, CLOCK_MONOTONIC, UINT64_MAX, ACCURACY_US,
                              on_retry, supervisor);

    if (r >= 0)
        r = sd_event_source_set_enabled(supervisor->retry, SD_EVENT_OFF);
    if (r < 0 || !half_us)
        return r;
    (void)sd_event_source_set_description(supervisor->retry, "systemd-retry");
    r = sd_event_add_time(loop, &supervisor->watchdog, CLOCK_MONOTONIC, 0,
                          min_u64(ACCURACY_US, half_us / 4 + 1), on_watchdog, supervisor);
    if (r >= 0)
        r = sd_event_source_set_priority(supervisor->watchdog, SD_EVENT_PRIORITY_IMPORTANT);
    (void)sd_event_source_set_description(supervisor->watchdog, "systemd-watchdog");
    return r;
}

int supervisor_new(const struct supervisor_config *config, struct supervisor **ret_supervisor)
{
    struct supervisor *supervisor = memory_new(1, sizeof(*supervisor));
    int r = 0;

    supervisor->config = *config;
    supervisor->config.retry_us = config->retry_us ? config->retry_us : RETRY_US;
    supervisor->fd = -1;
    if (config->address && !address_set(supervisor, config->address)) {
        notify(supervisor, PD_LEVEL_WARNING, "notify-failed",
               "NOTIFY_SOCKET=%s: neither an absolute path nor \"@name\" of at most 107 bytes: "
               "systemd is told nothing",
               config->address);
    } else if (config->address) {
        supervisor->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        r = supervisor->fd < 0 ? -errno : timers_add(supervisor);
    }
    if (r < 0) {
        supervisor_free(supervisor);
        return r;
    }
    *ret_supervisor = supervisor;
    return 0;
}

struct supervisor *supervisor_free(struct supervisor *supervisor)
{
    if (!supervisor)
        return NULL;
    sd_event_source_disable_unref(supervisor->retry);
    sd_event_source_disable_unref(supervisor->watchdog);
    for (size_t i = 0; i < MESSAGE_COUNT; i++)
        free(supervisor->waiting[i]);
    if (supervisor->fd >= 0)
        close(supervisor->fd);
    free(supervisor);
    return NULL;
}
