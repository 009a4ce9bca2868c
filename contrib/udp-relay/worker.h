/* SPDX-License-Identifier: Apache-2.0 */
/* One socket and its thread: receives, asks the relay, sends. */
#ifndef UDP_RELAY_WORKER_H
#define UDP_RELAY_WORKER_H

#include "relay.h"
#include "server.h"
#include "socket.h"

#include <pthread.h>

struct worker;

/* The lock is for the relay. Both are borrowed; the socket's descriptor is not closed by it.
 * NULL: no memory. */
struct worker *worker_new(const struct udp_socket *socket, struct relay *relay,
                          pthread_mutex_t *lock);
/* Returns 0 or -errno. */
int worker_start(struct worker *worker);
/* It is to end, and will within a fraction of a second. */
void worker_stop(struct worker *worker);
/* Waits for its end. NULL is fine. Returns NULL. */
struct worker *worker_free(struct worker *worker);

/* Adds to `*ret`. */
void worker_counts(const struct worker *worker, struct server_counts *ret);

#endif
