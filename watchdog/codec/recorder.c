/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The recording's writer: the loop appends to one buffer, a thread swaps it for
 * an empty one and writes. The lock is never held over a system call on the file.
 */
#include "recorder.h"

#include <errno.h>
#include <time.h>
#include <unistd.h>

#include "../util/disk.h"
#include "../util/format.h"
#include "../util/new-file.h"
#include "../util/thread.h"

#define WRITE_AT_BYTES ((size_t)256 * 1024) /* no waiting for more */
#define GATHER_NS      500000000L           /* how long a first event waits for others */

struct recorder {
    int fd;
    pthread_t thread;
    bool started;
    bool stuck;            /* the thread goes on after the stop, and has all of this */
    bool said;             /* the error was returned */
    struct buffer encoded; /* of the loop alone */

    pthread_mutex_t lock; /* for all below */
    pthread_cond_t wake;
    struct buffer pending;
    bool stop;
    int error; /* -errno: nothing is taken any more */
};

/* ---- the thread ---- */

static int write_all(int fd, const char *bytes, size_t length)
{
    while (length) {
        ssize_t n = write(fd, bytes, length);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return -EIO;
        bytes += n;
        length -= (size_t)n;
    }
    return 0;
}

struct piece {
    int fd;
    const struct buffer *bytes;
};

static int write_piece(void *user)
{
    const struct piece *piece = user;

    return write_all(piece->fd, buffer_bytes(piece->bytes), piece->bytes->length);
}

/* With the lock: waits until there is enough to write, or what there is has
 * waited long enough. Returns false at the end. */
static bool wait_for_work(struct recorder *recorder)
{
    struct timespec until;

    while (!recorder->stop && !recorder->pending.length)
        pthread_cond_wait(&recorder->wake, &recorder->lock);
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += GATHER_NS;
    until.tv_sec += until.tv_nsec / 1000000000L;
    until.tv_nsec %= 1000000000L;
    while (!recorder->stop && recorder->pending.length < WRITE_AT_BYTES) {
        if (pthread_cond_timedwait(&recorder->wake, &recorder->lock, &until) == ETIMEDOUT)
            break;
    }
    return recorder->pending.length > 0;
}

static void *recorder_run(void *userdata)
{
    struct recorder *recorder = userdata;
    struct buffer writing = {0};

    pthread_mutex_lock(&recorder->lock);
    while (wait_for_work(recorder) && !recorder->error) {
        const struct piece piece = {recorder->fd, &writing};
        struct buffer swap = recorder->pending;
        int r;

        recorder->pending = writing;
        writing = swap;
        pthread_mutex_unlock(&recorder->lock);
        r = disk_call(write_piece, (void *)&piece, recorder->fd);
        buffer_take(&writing, writing.length);
        pthread_mutex_lock(&recorder->lock);
        if (r < 0)
            recorder->error = r;
    }
    pthread_mutex_unlock(&recorder->lock);
    buffer_clear(&writing);
    return NULL;
}

/* ---- the loop's side ---- */

/* Hands `encoded` over. Returns the error that ended the recording, or 0. */
static int hand_over(struct recorder *recorder)
{
    struct buffer *pending = &recorder->pending;
    size_t before;
    int error;

    pthread_mutex_lock(&recorder->lock);
    before = pending->length;
    if (!recorder->error && before + recorder->encoded.length > RECORDER_PENDING_MAX_BYTES)
        recorder->error = -ENOBUFS;
    error = recorder->error;
    if (!error) {
        buffer_append(pending, buffer_bytes(&recorder->encoded), recorder->encoded.length);
        if (!before || (before < WRITE_AT_BYTES && pending->length >= WRITE_AT_BYTES))
            pthread_cond_signal(&recorder->wake);
    }
    pthread_mutex_unlock(&recorder->lock);
    buffer_take(&recorder->encoded, recorder->encoded.length);
    return error;
}

/* An error is returned once. */
static int notify(struct recorder *recorder, int error)
{
    if (!error || recorder->said)
        return 0;
    recorder->said = true;
    return error;
}

int recorder_event(struct recorder *recorder, const struct event *event)
{
    if (recorder->said || !recorder->started)
        return 0;
    event_encode(&recorder->encoded, event);
    return notify(recorder, hand_over(recorder));
}

void recorder_end(struct recorder *recorder)
{
    pthread_mutex_lock(&recorder->lock);
    recorder->stop = true;
    pthread_cond_signal(&recorder->wake);
    pthread_mutex_unlock(&recorder->lock);
}

int recorder_stop(struct recorder *recorder, uint64_t until_us)
{
    if (!recorder->started)
        return recorder->stuck ? -ETIMEDOUT : 0;
    recorder_end(recorder);
    recorder->started = false;
    recorder->stuck = thread_join_until(recorder->thread, until_us, NULL) < 0;
    if (recorder->stuck) {
        pthread_detach(recorder->thread);
        return -ETIMEDOUT;
    }
    if (close(recorder->fd) < 0 && !recorder->error)
        recorder->error = -errno;
    recorder->fd = -1;
    return notify(recorder, recorder->error);
}

/* ---- construction ---- */

/* Also one that another program has written with blanks, and what a full disk has left. */
static bool is_recording(const char *bytes, size_t n)
{
    const char *expected = "{\"pathdog\":\"recording\"";

    for (size_t i = 0; i < n && *expected; i++) {
        if (bytes[i] == ' ')
            continue;
        if (bytes[i] != *expected++)
            return false;
    }
    return true;
}

static const struct new_file_rule rule = {0640, "a recording", is_recording};

static struct recorder *recorder_make(int fd)
{
    struct recorder *recorder = memory_new(1, sizeof(*recorder));
    pthread_condattr_t monotonic;

    recorder->fd = fd;
    pthread_mutex_init(&recorder->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&recorder->wake, &monotonic);
    pthread_condattr_destroy(&monotonic);
    return recorder;
}

static int recorder_start(struct recorder *recorder, char **ret_error)
{
    int r = thread_start(&recorder->thread, recorder_run, recorder);

    recorder->started = r == 0;
    return r == 0 ? 0
                  : error_set(ret_error, r,
                              "no thread can be started to write it: there is too little memory, "
                              "or there are too many processes (ulimit, or the unit's MemoryMax= "
                              "and TasksMax=)");
}

/* The header is in it before it has its name: a full disk costs no earlier recording. */
static int file_begin(struct new_file *file, const struct recording_header *header,
                      char **ret_error)
{
    struct buffer line = {0};
    int r;

    header_encode(&line, header);
    r = write_all(file->fd, buffer_bytes(&line), line.length);
    buffer_clear(&line);
    return r < 0 ? error_set(ret_error, r, "%s", strerror(-r)) : 0;
}

int recorder_new(const char *path, const struct recording_header *header,
                 struct recorder **ret_recorder, char **ret_error)
{
    struct recorder *recorder = NULL;
    struct new_file file;
    int r = new_file_make(&file, path, &rule, ret_error);

    if (r >= 0)
        r = file_begin(&file, header, ret_error);
    if (r >= 0) {
        recorder = recorder_make(file.fd);
        r = recorder_start(recorder, ret_error);
    }
    if (r >= 0)
        r = new_file_place(&file, ret_error);
    if (recorder)
        file.fd = -1; /* it is the recorder's */
    new_file_close(&file);
    if (r < 0)
        recorder_free(recorder);
    else
        *ret_recorder = recorder;
    return r;
}

struct recorder *recorder_free(struct recorder *recorder)
{
    if (!recorder)
        return NULL;
    (void)recorder_stop(recorder, UINT64_MAX);
    if (recorder->stuck)
        return NULL;
    if (recorder->fd >= 0)
        close(recorder->fd);
    pthread_cond_destroy(&recorder->wake);
    pthread_mutex_destroy(&recorder->lock);
    buffer_clear(&recorder->pending);
    buffer_clear(&recorder->encoded);
    free(recorder);
    return NULL;
}
