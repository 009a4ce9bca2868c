/* SPDX-License-Identifier: Apache-2.0 */
/* A thread that sleeps; the only place beside main() that ends the process. */
#include "guard.h"

#include <errno.h>
#include <semaphore.h>
#include <unistd.h>

#include "util/disk.h"
#include "util/thread.h"
#include "util/util.h"

#define SAY_US UINT64_C(100000)

struct guard {
    uint64_t at_us;
    int status;
    char *text;
    sem_t ended;
    pthread_t thread;
};

static void *guard_run(void *user)
{
    struct guard *guard = user;
    const struct timespec at = {.tv_sec = (time_t)(guard->at_us / 1000000),
                                .tv_nsec = (long)(guard->at_us % 1000000 * 1000)};
    int r;

    do {
        r = sem_clockwait(&guard->ended, CLOCK_MONOTONIC, &at);
    } while (r < 0 && errno == EINTR);
    if (r == 0)
        return NULL;
    (void)stderr_say(guard->text, SAY_US);
    _exit(guard->status);
}

struct guard *guard_start(uint64_t at_us, int status, const char *text)
{
    struct guard *guard = memory_new(1, sizeof(*guard));

    guard->at_us = at_us;
    guard->status = status;
    guard->text = string_copy(text);
    sem_init(&guard->ended, 0, 0);
    if (thread_start(&guard->thread, guard_run, guard) == 0)
        return guard;
    sem_destroy(&guard->ended);
    free(guard->text);
    free(guard);
    return NULL;
}

struct guard *guard_end(struct guard *guard)
{
    if (!guard)
        return NULL;
    sem_post(&guard->ended);
    pthread_join(guard->thread, NULL);
    sem_destroy(&guard->ended);
    free(guard->text);
    free(guard);
    return NULL;
}
