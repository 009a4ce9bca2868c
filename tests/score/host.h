/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The node, as a policy sees it: the requests of the node protocol, the rows of `summaries`, and
 * probes of uplinks. What is asked is answered by news (NEWS_ANSWER, NEWS_PROBED).
 *
 * Here is the seam for choice of uplinks: wherever `uplink` is NO_UPLINK the route table decides,
 * else the socket is bound to that interface (feature `bind`).
 */
#ifndef SCORE_HOST_H
#define SCORE_HOST_H

#include "world.h"

/* The error codes of docs/node-protocol.md. */
enum host_error {
    HOST_NO_CONN = -32002,
    HOST_TIMEOUT = -32004,
    HOST_NOT_MIGRATABLE = -32005,
    HOST_BUSY = -32006,
    HOST_NO_PATH = -32007,
    HOST_DIAL_FAILED = -32009,
    HOST_CANCELLED = -32012,
};

/* `request` is never 0, and comes back in the answer. */
void host_migrate(struct world *world, struct conn *conn, int uplink, uint64_t timeout_us,
                  uint64_t request);
void host_reconnect(struct world *world, struct conn *conn, int uplink, uint64_t timeout_us,
                    uint64_t request);
/* The request is taken back: a migrate ends, and the connection is where it was. */
void host_cancel(struct world *world, uint64_t request);
/* The node's `probe`: has something acknowledged. */
void host_ping(struct world *world, struct conn *conn);
/* One packet to the peer and back over an uplink, beside all connections. */
void host_probe(struct world *world, unsigned peer, unsigned uplink, uint64_t timeout_us,
                uint64_t request);
void host_row(const struct world *world, const struct conn *conn, struct pd_row *ret_row);
/* The columns of its rows. */
uint32_t host_columns(const struct world *world);
struct conn *host_find(struct world *world, uint64_t number);
/* The uplink whose address a connection has. */
static inline unsigned host_uplink(const struct conn *conn)
{
    return conn->host.path.source;
}

/* A socket's path: bound to this uplink, or where the route table leads. False: there is none. */
bool host_socket(struct world *world, int uplink, struct path *ret_path);

/* For world.c and stack.c. */
void host_begin(struct world *world); /* the connections that are there from the beginning */
void host_up(struct world *world, struct conn *conn);
void host_down(struct world *world, struct conn *conn, const char *why);
void host_dial_failed(struct world *world, struct conn *conn);
void host_validated(struct world *world, struct conn *conn, uint64_t token);
void host_path_changed(struct world *world, struct conn *conn);
/* When the node sends a row unasked, host's time; NEVER. And sends it. */
uint64_t host_push_us(const struct world *world, const struct conn *conn);
void host_push(struct world *world, struct conn *conn);
/* The node's own timers of a connection and a peer. */
void host_timers(struct world *world);
void host_far_down(struct world *world, struct conn *conn);
void host_far_timer(struct world *world, void *object, uint64_t argument);

#endif
