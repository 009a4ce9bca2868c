/* SPDX-License-Identifier: Apache-2.0 */
/* A child for each call, and last words. */
#include "disk.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "thread.h"
#include "util.h"

/* Of the child, on the stack of the thread that waits for it. */
#define STACK_BYTES ((size_t)256 * 1024)

struct job {
    int (*call)(void *user);
    void *user;
    int fd, result;
};

static int job_run(void *user)
{
    struct job *job = user;
    unsigned fd = (unsigned)job->fd;

    if (job->fd > 0)
        (void)close_range(0, fd - 1, 0);
    (void)close_range(job->fd < 0 ? 0 : fd + 1, ~0U, 0);
    job->result = job->call(job->user);
    return 0;
}

int disk_call(int (*call)(void *user), void *user, int fd)
{
    _Alignas(16) char stack[STACK_BYTES];
    struct job job = {call, user, fd, -ECHILD};
    pid_t pid = clone(job_run, stack + sizeof(stack), CLONE_VM | CLONE_VFORK, &job);

    if (pid < 0)
        return call(user);
    while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
        ;
    return job.result;
}

/* ---- last words ---- */

static int say_call(void *user)
{
    const char *text = user;
    size_t length = strlen(text);

    while (length) {
        ssize_t n = write(STDERR_FILENO, text, length);

        if (n < 0 && errno != EINTR)
            return -errno;
        text += n < 0 ? 0 : n;
        length -= n < 0 ? 0 : (size_t)n;
    }
    return 0;
}

static void *say_run(void *user)
{
    struct stat there;
    bool file = fstat(STDERR_FILENO, &there) == 0 && S_ISREG(there.st_mode);
    int r = file ? disk_call(say_call, user, STDERR_FILENO) : say_call(user);

    free(user);
    return (void *)(intptr_t)r;
}

/* Where no thread can be started, that is what is to be said: a pipe or a terminal that is ready
 * takes PIPE_BUF bytes without waiting. */
static bool say_without_thread(const char *text, uint64_t timeout_us)
{
    struct pollfd ready = {.fd = STDERR_FILENO, .events = POLLOUT};
    size_t length = min_u64(strlen(text), PIPE_BUF);

    return poll(&ready, 1, (int)(timeout_us / 1000)) == 1 && ready.revents & POLLOUT &&
           write(STDERR_FILENO, text, length) == (ssize_t)length;
}

bool stderr_say(const char *text, uint64_t timeout_us)
{
    char *copy = string_copy(text); /* the thread's: it may outlive this */
    void *error = NULL;
    pthread_t thread;

    if (thread_start(&thread, say_run, copy) < 0) {
        free(copy);
        return say_without_thread(text, timeout_us);
    }
    if (thread_join_until(thread, clock_us(CLOCK_MONOTONIC) + timeout_us, &error) == 0)
        return !error;
    pthread_detach(thread);
    return false;
}
