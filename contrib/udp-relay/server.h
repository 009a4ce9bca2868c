/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The relay's sockets and threads.
 *
 * Each worker has a socket of its own, all bound to one port (SO_REUSEPORT): the kernel gives a
 * sender's datagrams always to the same one, but the two members of a session may be with two
 * workers. They share one relay and one lock. A worker takes it once for all the datagrams that it
 * got in one call, and never across a system call; deciding is a few dozen nanoseconds a datagram,
 * receiving and sending are microseconds, so the lock is free nearly always. What is forwarded
 * leaves from the socket it came by: the port is the same. One lock has no order to get wrong.
 */
#ifndef UDP_RELAY_SERVER_H
#define UDP_RELAY_SERVER_H

#include "options.h"
#include "relay.h"
#include "util/clock.h"

struct server;

/* Opens the sockets, or takes those that were handed over (LISTEN_FDS), and makes the relay.
 * Returns 0, or -errno and a sentence, to be freed. */
int server_new(const struct options *options, struct server **ret, char **ret_error);
/* Starts the workers. Returns 0 or -errno. */
int server_start(struct server *server);
/* Ends and waits for them: half a second. NULL is fine. Returns NULL. */
struct server *server_free(struct server *server);

/* The relay, which is ours until server_unlock(). Not for long: nothing is forwarded meanwhile. */
struct relay *server_lock(struct server *server);
void server_unlock(struct server *server);

/* The time that the relay is told. It goes on while the machine is suspended: so do the times of
 * those whom it relays. */
static inline uint64_t server_now_us(void)
{
    return clock_us(CLOCK_BOOTTIME);
}

struct server_counts {
    uint64_t received_datagrams, received_calls;
    uint64_t sent_datagrams, sent_calls;
    uint64_t send_errors;                  /* datagrams that the kernel did not take */
    uint64_t receive_dropped;              /* by the kernel, because a socket's queue was full */
    uint64_t trains_received, trains_sent; /* with GRO, with GSO */
};

void server_counts(const struct server *server, struct server_counts *ret);
unsigned server_workers(const struct server *server);
/* The address of the first socket, with the port that it really has. */
void server_address(const struct server *server, struct endpoint *ret);
bool server_is_activated(const struct server *server);

#endif
