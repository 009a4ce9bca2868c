/* SPDX-License-Identifier: Apache-2.0 */
/* A thread that takes no signals: they are the loop's. */
#ifndef UTIL_THREAD_H
#define UTIL_THREAD_H

#include <pthread.h>
#include <signal.h>

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

#endif
