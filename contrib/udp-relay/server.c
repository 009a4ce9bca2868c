/* SPDX-License-Identifier: Apache-2.0 */
/* See server.h. */
#include "server.h"

#include "worker.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define WORKERS_BY_CORES 8u

struct server {
    pthread_mutex_t lock;
    struct relay *relay;
    struct udp_socket sockets[WORKERS_MOST];
    struct worker *workers[WORKERS_MOST];
    unsigned n;
    bool activated;
};

static unsigned workers_wanted(const struct options *options)
{
    cpu_set_t cores;
    int n = 1;

    if (options->workers)
        return options->workers;
    if (sched_getaffinity(0, sizeof(cores), &cores) == 0)
        n = CPU_COUNT(&cores);
    return n > (int)WORKERS_BY_CORES ? WORKERS_BY_CORES : n < 1 ? 1 : (unsigned)n;
}

static void lock_init(pthread_mutex_t *lock)
{
    pthread_mutexattr_t attributes;

    pthread_mutexattr_init(&attributes);
    pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ADAPTIVE_NP); /* it is held for so short */
    pthread_mutex_init(lock, &attributes);
    pthread_mutexattr_destroy(&attributes);
}

static int no_memory(struct server *server, char **ret_error)
{
    server_free(server);
    *ret_error = strdup("there is not enough memory for so many circuits");
    return -ENOMEM;
}

int server_new(const struct options *options, struct server **ret, char **ret_error)
{
    struct server *server = calloc(1, sizeof(*server));
    uint8_t key[16];
    int r;

    *ret = NULL;
    *ret_error = NULL;
    if (!server)
        return no_memory(NULL, ret_error);
    lock_init(&server->lock);
    if (getrandom(key, sizeof(key), 0) != (ssize_t)sizeof(key)) {
        *ret_error = strdup("the kernel gives no random numbers");
        server_free(server);
        return -EIO;
    }
    server->relay = relay_new(&options->relay, key);
    if (!server->relay)
        return no_memory(server, ret_error);
    r = sockets_open(options, server->sockets, workers_wanted(options), &server->activated,
                     ret_error);
    if (r < 0) {
        server_free(server);
        return r;
    }
    server->n = (unsigned)r;
    for (unsigned i = 0; i < server->n; i++) {
        server->workers[i] = worker_new(&server->sockets[i], server->relay, &server->lock);
        if (!server->workers[i])
            return no_memory(server, ret_error);
    }
    *ret = server;
    return 0;
}

int server_start(struct server *server)
{
    for (unsigned i = 0; i < server->n; i++) {
        int r = worker_start(server->workers[i]);

        if (r < 0)
            return r;
    }
    return 0;
}

struct server *server_free(struct server *server)
{
    if (!server)
        return NULL;
    for (unsigned i = 0; i < server->n; i++)
        if (server->workers[i])
            worker_stop(server->workers[i]);
    for (unsigned i = 0; i < server->n; i++)
        server->workers[i] = worker_free(server->workers[i]);
    sockets_close(server->sockets, server->n);
    relay_free(server->relay);
    pthread_mutex_destroy(&server->lock);
    free(server);
    return NULL;
}

struct relay *server_lock(struct server *server)
{
    pthread_mutex_lock(&server->lock);
    return server->relay;
}

void server_unlock(struct server *server)
{
    pthread_mutex_unlock(&server->lock);
}

void server_counts(const struct server *server, struct server_counts *ret)
{
    *ret = (struct server_counts){0};
    for (unsigned i = 0; i < server->n; i++)
        worker_counts(server->workers[i], ret);
}

unsigned server_workers(const struct server *server)
{
    return server->n;
}

void server_address(const struct server *server, struct endpoint *ret)
{
    socket_address(&server->sockets[0], ret);
}

bool server_is_activated(const struct server *server)
{
    return server->activated;
}
