/* SPDX-License-Identifier: Apache-2.0 */
/* Threads that take no signals, since those are the loop's, and that are waited for in a bounded
 * time. */
#ifndef UTIL_THREAD_H
#define UTIL_THREAD_H

#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <time.h>

/* Returns 0 or -errno. */
static inline int thread_start(pthread_t *ret_thread, void *(*run)(void *user), void *user)
{
    sigset_t all, before;
    int r;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    r = -pthread_create(ret_thread, NULL, run, user);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return r;
}

/* Waits for its end until that time of CLOCK_MONOTONIC. Returns 0; or -ETIMEDOUT: it can be waited
 * for again, or be left alone (pthread_detach). */
static inline int thread_join_until(pthread_t thread, uint64_t until_us, void **ret_value)
{
    const struct timespec until = {.tv_sec = (time_t)(until_us / 1000000),
                                   .tv_nsec = (long)(until_us % 1000000 * 1000)};

    return -pthread_clockjoin_np(thread, ret_value, CLOCK_MONOTONIC, &until);
}

#endif
