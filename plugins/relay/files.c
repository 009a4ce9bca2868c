/* SPDX-License-Identifier: Apache-2.0 */
/*
 * at rest → (something changed, or a refresh is over; `gap_us` after the last one) reading, in a
 * thread → perhaps saving, in another → at rest. What changes meanwhile begins it again.
 */
#include "files.h"

#include "chance.h"
#include "file-job.h"
#include "watch.h"

#include "util/format.h"
#include "util/retry.h"

#include <errno.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>

#define SAVED_US    UINT64_C(600000000) /* what has not changed is saved again after this */
#define JITTER      20u                 /* one part in so many of a refresh */
#define ACCURACY_US 10000u

struct files {
    struct pd_source_host *host;
    struct files_config config;
    const char *name; /* of the list, in its directory */
    sd_event_source *timer, *done, *inotify;
    struct retry watching;
    int done_fd, inotify_fd; /* inotify_fd -1: the kernel has none for us */
    int watch; /* the descriptor of the watch; below 0: the directory is not watched */
    struct file_job *job;
    bool changed;            /* since the present reading began */
    bool read, failed_first; /* the list was read once; the cache was asked for */
    uint64_t began_us, saved_us;
    char *said_list, *said_save, *said_watch; /* as they were noticed last */
    struct relay_list list;                   /* as it was told last */
};

/* ---- what is said ---- */

/* Something is wrong, or (NULL) not any more: said when that is another. Takes `text` over. */
static void say(struct files *files, char **said, enum pd_level level, const char *what, char *text,
                const char *again)
{
    if (text && !string_equal(*said, text))
        files->host->notice(files->host, level, what, text);
    else if (!text && *said)
        files->host->notice(files->host, PD_LEVEL_NOTICE, what, again);
    free(*said);
    *said = text;
}

static void list_tell(struct files *files, const char *from, const uint64_t *age_us,
                      const struct relay_list *list)
{
    struct pd_field fields[2 + RELAY_LIST_MAX] = {{"from", from, 0}};
    char(*texts)[RELAY_ENTRY_MAX] = memory_new(list->count, sizeof(*texts));
    struct pd_signal signal = {.kind = "list", .fields = fields, .n_fields = 1};

    if (age_us)
        fields[signal.n_fields++] = (struct pd_field){"age_us", NULL, *age_us};
    for (size_t i = 0; i < list->count; i++) {
        (void)relay_entry_format(&list->entries[i], texts[i]);
        fields[signal.n_fields++] = (struct pd_field){"relay", texts[i], 0};
    }
    files->host->emit(files->host, &signal);
    free(texts);
}

/* ---- when ---- */

static uint64_t loop_us(const struct files *files)
{
    uint64_t now_us = 0;

    (void)sd_event_now(files->host->loop, CLOCK_MONOTONIC, &now_us);
    return now_us;
}

static void schedule(struct files *files)
{
    uint64_t jitter_us = files->config.refresh_us / JITTER;
    uint64_t at_us = files->changed ? files->began_us + files->config.gap_us
                                    : files->began_us + files->config.refresh_us - jitter_us / 2 +
                                          chance_below(jitter_us);

    (void)sd_event_source_set_time(files->timer,
                                   max_u64(at_us, files->began_us + files->config.gap_us));
    (void)sd_event_source_set_enabled(files->timer, SD_EVENT_ONESHOT);
}

/* Something about the file may be another. */
static void changed(struct files *files)
{
    files->changed = true;
    if (!files->job)
        schedule(files);
}

/* ---- jobs ---- */

static void begin(struct files *files, struct file_task *task)
{
    int r = file_job_start(task, files->done_fd, &files->job);

    if (r == 0)
        return;
    say(files, &files->said_list, PD_LEVEL_WARNING, "relay-list",
        string_format("%s cannot be read or saved now, no thread can be had: %s",
                      files->config.list, strerror(-r)),
        NULL);
    schedule(files);
}

static void begin_reading(struct files *files)
{
    struct file_task task = {
        .list = string_copy(files->config.list),
        .inotify_fd = files->inotify_fd,
        .cache = string_copy(files->config.cache),
        .fall_back = !files->read && !files->failed_first,
        .otherwise = files->config.otherwise,
    };

    files->began_us = loop_us(files);
    files->changed = false;
    begin(files, &task);
}

/* Returns false: it need not be saved. */
static bool begin_saving(struct files *files, bool another)
{
    struct file_task task = {.inotify_fd = -1, .cache = string_copy(files->config.cache)};

    if (!task.cache ||
        (!another && files->saved_us && loop_us(files) < files->saved_us + SAVED_US)) {
        free(task.cache);
        return false;
    }
    cache_format(&task.save, &files->list, clock_us(CLOCK_REALTIME) / 1000000);
    files->saved_us = loop_us(files);
    begin(files, &task);
    return true;
}

static void take_watch(struct files *files, const struct file_result *result)
{
    char *text = NULL;

    files->watch = result->watch;
    if (result->watch < 0 && result->watch != -EBADF && !result->list_error)
        text = string_format("the directory of %s cannot be watched (%s): it is looked at once in "
                             "each refresh",
                             files->config.list, strerror(-result->watch));
    if (files->inotify_fd >= 0)
        say(files, &files->said_watch, PD_LEVEL_NOTICE, "relay-watch", text,
            "the directory of the list of relays is watched again");
}

static void take_cache(struct files *files, const struct file_result *result)
{
    uint64_t age_us = result->cache.age_s * 1000000;
    CLEANUP_FREE char *text = NULL;

    files->failed_first = true;
    if (!files->config.cache)
        return;
    if (result->has_cache) {
        text = string_format("%zu relays are taken from %s, which was saved %llu s ago",
                             result->cache.list.count, files->config.cache,
                             (unsigned long long)result->cache.age_s);
        files->host->notice(files->host, PD_LEVEL_NOTICE, "relay-cache", text);
        list_tell(files, "cache", &age_us, &result->cache.list);
    } else {
        text = string_format("there are no relays from the cache either: %s", result->cache_text);
        files->host->notice(files->host,
                            result->cache_error == -ENOENT ? PD_LEVEL_NOTICE : PD_LEVEL_WARNING,
                            "relay-cache", text);
    }
}

/* Returns true: it is another. */
static bool take_list(struct files *files, const struct file_result *result)
{
    const struct relay_list *list = &result->list.list;
    bool another = !files->read || !relay_list_is_equal(&files->list, list);

    say(files, &files->said_list, PD_LEVEL_WARNING, "relay-list", string_copy(result->list_text),
        "the list of relays is whole again");
    files->read = true;
    if (!another)
        return false;
    files->list = *list;
    list_tell(files, "file", NULL, list);
    return true;
}

/* Returns true: another job has begun. */
static bool take_reading(struct files *files, const struct file_result *result)
{
    take_watch(files, result);
    if (!result->list_error)
        return begin_saving(files, take_list(files, result));
    say(files, &files->said_list, PD_LEVEL_WARNING, "relay-list",
        string_format("%s; %s", result->list_text,
                      files->read ? "the list before it stays" : "no relay is known from it yet"),
        NULL);
    if (!files->read && !files->failed_first)
        take_cache(files, result);
    return false;
}

static void take_saving(struct files *files, const struct file_result *result)
{
    if (result->save_error)
        files->saved_us = 0; /* again after the next reading */
    say(files, &files->said_save, PD_LEVEL_WARNING, "relay-cache",
        result->save_error ? string_format("not saved: %s", result->save_text) : NULL,
        "the cache of relays could be saved again");
}

static int on_done(sd_event_source *io, int fd, uint32_t revents, void *user)
{
    struct files *files = user;
    const struct file_result *result = file_job_result(files->job);
    struct file_job *job = files->job;
    bool more = false;
    uint64_t count;

    (void)io;
    (void)revents;
    if (job && !result)
        return 0; /* it is just about to end */
    (void)!read(fd, &count, sizeof(count));
    if (!job)
        return 0;
    files->job = NULL;
    if (file_job_saves(job))
        take_saving(files, result);
    else
        more = take_reading(files, result);
    (void)file_job_free(job);
    if (!more)
        schedule(files);
    return 0;
}

static int on_time(sd_event_source *timer, uint64_t time_us, void *user)
{
    struct files *files = user;

    (void)timer;
    (void)time_us;
    if (!files->job)
        begin_reading(files);
    return 0;
}

/* ---- the watch ---- */

static int on_inotify(sd_event_source *io, int fd, uint32_t revents, void *user)
{
    _Alignas(struct inotify_event) char bytes[16384];
    struct files *files = user;
    ssize_t n = read(fd, bytes, sizeof(bytes));
    struct watch_seen seen = {0};

    (void)io;
    (void)revents;
    if (n < 0) {
        (void)retry_failed(&files->watching, "read", errno);
        return 0;
    }
    retry_worked(&files->watching);
    watch_events(bytes, (size_t)n, files->watch, files->name, &seen);
    if (seen.gone) { /* perhaps only from its place */
        (void)inotify_rm_watch(fd, files->watch);
        files->watch = -ENOENT;
    }
    if (seen.changed)
        changed(files);
    return 0;
}

static void watching_failed(void *user, const char *text)
{
    struct files *files = user;

    files->host->notice(files->host, PD_LEVEL_WARNING, "relay-watch", text);
}

/* Without it the file is looked at once in each refresh. */
static void watch_start(struct files *files)
{
    const struct retry_config config = {
        .who = "the watch of the list of relays", .notify = watching_failed, .user = files};
    int r;

    files->inotify_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    r = files->inotify_fd < 0 ? -errno : 0;
    if (r == 0)
        r = sd_event_add_io(files->host->loop, &files->inotify, files->inotify_fd, EPOLLIN,
                            on_inotify, files);
    if (r >= 0)
        r = retry_init(&files->watching, files->inotify, &config);
    if (r >= 0)
        return;
    if (files->inotify_fd >= 0)
        (void)close(files->inotify_fd);
    files->inotify_fd = -1;
    files->inotify = sd_event_source_disable_unref(files->inotify);
    say(files, &files->said_watch, PD_LEVEL_NOTICE, "relay-watch",
        string_format("%s cannot be watched (%s): it is looked at once in each refresh",
                      files->config.list, strerror(-r)),
        NULL);
}

/* ---- life ---- */

int files_new(struct pd_source_host *host, const struct files_config *config,
              struct files **ret_files)
{
    struct files *files = memory_new(1, sizeof(*files));
    int r;

    files->host = host;
    files->config = *config;
    files->name = strrchr(config->list, '/') ? strrchr(config->list, '/') + 1 : config->list;
    files->inotify_fd = files->watch = -1;
    files->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r = files->done_fd < 0
            ? -errno
            : sd_event_add_io(host->loop, &files->done, files->done_fd, EPOLLIN, on_done, files);
    if (r >= 0)
        r = sd_event_add_time_relative(host->loop, &files->timer, CLOCK_MONOTONIC, 0, ACCURACY_US,
                                       on_time, files);
    if (r < 0) {
        files_free(files);
        return r;
    }
    watch_start(files);
    *ret_files = files;
    return 0;
}

struct files *files_free(struct files *files)
{
    if (!files)
        return NULL;
    (void)file_job_free(files->job);
    retry_clear(&files->watching);
    sd_event_source_disable_unref(files->inotify);
    sd_event_source_disable_unref(files->done);
    sd_event_source_disable_unref(files->timer);
    if (files->inotify_fd >= 0)
        (void)close(files->inotify_fd);
    if (files->done_fd >= 0)
        (void)close(files->done_fd);
    free(files->said_list);
    free(files->said_save);
    free(files->said_watch);
    free(files);
    return NULL;
}
