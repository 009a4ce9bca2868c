/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread writes to its own copy of the eventfd and then says that it is done; whoever comes
 * second, the thread with that or the caller who gives it up, frees the job.
 */
#include "file-job.h"

#include "util/clock.h"
#include "util/disk.h"
#include "util/format.h"
#include "util/new-file.h"
#include "util/safe-path.h"
#include "util/thread.h"

#include "watch.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/inotify.h>
#include <unistd.h>

enum job_state {
    JOB_RUNS,
    JOB_DONE,
    JOB_LEFT,
};

struct file_job {
    struct file_task task;
    struct file_result result;
    int done_fd;
    pthread_t thread;
    atomic_int state;
};

static void job_clear(struct file_job *job)
{
    free(job->task.list);
    free(job->task.cache);
    buffer_clear(&job->task.save);
    free(job->result.list_text);
    free(job->result.cache_text);
    free(job->result.save_text);
    if (job->done_fd >= 0)
        (void)close(job->done_fd);
    free(job);
}

/* ---- reading ---- */

/* All of it, at most `max` bytes. Returns 0, or -errno and a sentence. */
static int read_all(int fd, const char *path, size_t max, struct buffer *ret, char **ret_error)
{
    for (;;) {
        ssize_t n = read(fd, buffer_space(ret, 65536), 65536);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return error_set(ret_error, -errno, "%s: %s", path, strerror(errno));
        if (n == 0)
            return 0;
        buffer_added(ret, (size_t)n);
        if (ret->length > max)
            return error_set(ret_error, -EFBIG, "%s is longer than %zu bytes", path, max);
    }
}

static const char *kind_of(mode_t mode)
{
    return S_ISDIR(mode)    ? "a directory"
           : S_ISFIFO(mode) ? "a pipe"
           : S_ISSOCK(mode) ? "a socket"
                            : "a device";
}

/* Only of root or the own user, and written by nobody else: what is in it says where the traffic of
 * the node goes. */
static int file_read(const char *path, size_t max, struct buffer *ret, char **ret_error)
{
    int fd = safe_open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, ret_error), r;
    struct stat st;

    if (fd < 0)
        return fd;
    if (fstat(fd, &st) < 0)
        r = error_set(ret_error, -errno, "%s: %s", path, strerror(errno));
    else if (!S_ISREG(st.st_mode))
        r = error_set(ret_error, -EINVAL, "%s is %s, not a regular file", path,
                      kind_of(st.st_mode));
    else
        r = read_all(fd, path, max, ret, ret_error);
    (void)close(fd);
    return r;
}

/* Before the file is read, so that no change is missed in between. */
static void watch(const struct file_task *task, struct file_result *result)
{
    const char *slash = strrchr(task->list, '/');
    CLEANUP_FREE char *directory = string_format(
        "%.*s", slash && slash > task->list ? (int)(slash - task->list) : 1, task->list);

    result->watch = -EBADF;
    if (task->inotify_fd < 0)
        return;
    result->watch = inotify_add_watch(task->inotify_fd, directory, WATCH_MASK);
    if (result->watch < 0)
        result->watch = -errno;
}

/* An empty file is half of one: whoever writes it in place has just begun. */
static int list_read(const struct file_task *task, struct file_result *result)
{
    struct buffer bytes = {0};
    int r = file_read(task->list, LIST_FILE_MAX, &bytes, &result->list_text);
    char said[LIST_FILE_TEXT];

    if (r == 0) {
        list_file_parse(buffer_bytes(&bytes), bytes.length, task->otherwise, &result->list);
        list_file_say(&result->list, said);
        if (!bytes.length)
            r = error_set(&result->list_text, -ENODATA,
                          "%s is empty: for a list of none write a comment into it", task->list);
        else if (!result->list.list.count && result->list.n_bad)
            r = error_set(&result->list_text, -EBADMSG, "%s has no relay: %s", task->list, said);
        else if (*said)
            result->list_text = string_format("%s: %s", task->list, said);
    }
    buffer_clear(&bytes);
    return r;
}

static int cache_read(const struct file_task *task, struct file_result *result)
{
    struct buffer bytes = {0};
    int r = file_read(task->cache, CACHE_MAX, &bytes, &result->cache_text);
    char error[CACHE_ERROR_SIZE];

    if (r == 0) {
        r = cache_parse(buffer_bytes(&bytes), bytes.length, clock_us(CLOCK_REALTIME) / 1000000,
                        task->otherwise, &result->cache, error);
        if (r < 0)
            (void)error_set(&result->cache_text, r, "%s: %s", task->cache, error);
    }
    buffer_clear(&bytes);
    return r;
}

/* ---- writing ---- */

static int write_all(int fd, const struct buffer *bytes)
{
    for (size_t at = 0; at < bytes->length;) {
        ssize_t n = write(fd, buffer_bytes(bytes) + at, bytes->length - at);

        if (n < 0 && errno != EINTR)
            return -errno;
        at += n < 0 ? 0 : (size_t)n;
    }
    return fsync(fd) < 0 ? -errno : 0;
}

static int cache_write(const struct file_task *task, struct file_result *result)
{
    static const struct new_file_rule rule = {0600, "a cache of relays", cache_is_one};
    CLEANUP_FREE char *error = NULL;
    struct new_file file;
    int r = new_file_make(&file, task->cache, &rule, &error);

    if (r == 0) {
        r = write_all(file.fd, &task->save);
        if (r < 0)
            error = string_copy(strerror(-r));
    }
    if (r == 0)
        r = new_file_place(&file, &error);
    new_file_close(&file);
    if (r < 0)
        result->save_text = string_format("%s: %s", task->cache, error ? error : strerror(-r));
    return r;
}

/* ---- the thread ---- */

/* The child of disk_call has no standard streams, and what it opens must not be taken for one of
 * them. */
static void fill_standard_streams(void)
{
    int fd;

    do
        fd = open("/", O_PATH | O_CLOEXEC);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd >= 0)
        (void)close(fd);
}

static int job_call(void *user)
{
    struct file_job *job = user;
    struct file_result *result = &job->result;

    fill_standard_streams();
    if (job->task.list) {
        watch(&job->task, result);
        result->list_error = list_read(&job->task, result);
        if (result->list_error && job->task.cache && job->task.fall_back) {
            result->cache_error = cache_read(&job->task, result);
            result->has_cache = !result->cache_error;
        }
    }
    if (job->task.save.length)
        result->save_error = cache_write(&job->task, result);
    return 0;
}

/* The child was killed, and what it had of the result is worth nothing. */
static void job_lost(struct file_job *job)
{
    struct file_result *result = &job->result;

    free(result->list_text);
    free(result->cache_text);
    free(result->save_text);
    *result = (struct file_result){.watch = -EBADF};
    if (job->task.list)
        result->list_error = error_set(&result->list_text, -ECHILD,
                                       "%s: the process that reads it was killed", job->task.list);
    if (job->task.save.length)
        result->save_error =
            error_set(&result->save_text, -ECHILD, "%s: the process that writes it was killed",
                      job->task.cache);
}

static void *job_run(void *user)
{
    struct file_job *job = user;
    const uint64_t one = 1;

    if (disk_call(job_call, job, job->task.inotify_fd) < 0)
        job_lost(job);
    (void)!write(job->done_fd, &one, sizeof(one));
    if (atomic_exchange(&job->state, JOB_DONE) == JOB_LEFT)
        job_clear(job);
    return NULL;
}

int file_job_start(struct file_task *task, int done_fd, struct file_job **ret_job)
{
    struct file_job *job = memory_new(1, sizeof(*job));
    int r;

    job->task = *task;
    *task = (struct file_task){.inotify_fd = -1};
    job->done_fd = fcntl(done_fd, F_DUPFD_CLOEXEC, 3);
    r = job->done_fd < 0 ? -errno : thread_start(&job->thread, job_run, job);
    if (r < 0) {
        job_clear(job);
        return r;
    }
    *ret_job = job;
    return 0;
}

const struct file_result *file_job_result(struct file_job *job)
{
    return job && atomic_load(&job->state) == JOB_DONE ? &job->result : NULL;
}

bool file_job_saves(const struct file_job *job)
{
    return job->task.save.length > 0;
}

/* The thread still has to come back to code of this shared object. */
static void keep_code(void)
{
    Dl_info info;

    if (dladdr((void *)(uintptr_t)&job_run, &info) && info.dli_fname)
        (void)dlopen(info.dli_fname, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
}

struct file_job *file_job_free(struct file_job *job)
{
    pthread_t thread;

    if (!job)
        return NULL;
    thread = job->thread;
    if (atomic_exchange(&job->state, JOB_LEFT) == JOB_DONE) {
        (void)pthread_join(thread, NULL);
        job_clear(job);
        return NULL;
    }
    keep_code();
    (void)pthread_detach(thread);
    return NULL;
}
