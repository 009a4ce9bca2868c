/* SPDX-License-Identifier: Apache-2.0 */
/* Dialling, the handshake, and the end of a connection. See stack.h. */
#include "host.h"
#include "packet.h"
#include "stack.h"

#include "util/util.h"

#define HELLO_US (3 * INITIAL_RTT)

static void end_init(struct world *world, struct conn *conn, struct end *end, bool is_host,
                     const struct path *path)
{
    end->conn = conn;
    end->is_host = is_host;
    end->armed_us = NEVER;
    end->path = *path;
    end->mtu = LEAST_BYTES;
    end->mtu_us = stack_now(world, end) + MTU_FIND_US;
    end->heard_us = end->idle_us = stack_now(world, end);
    recovery_init(&end->recovery);
}

static struct conn *conn_new(struct world *world, unsigned peer, bool client,
                             const struct path *path)
{
    struct conn *conn = memory_new(1, sizeof(*conn));
    struct path far_path = {.source = path->source, .bound = NO_UPLINK, .port = path->port};

    conn->next = world->conns;
    world->conns = conn;
    conn->peer = peer;
    conn->client = client;
    conn->epoch = ++world->last_epoch;
    conn->dial_until_us = conn->hello_us = NEVER;
    end_init(world, conn, &conn->host, true, path);
    end_init(world, conn, &conn->far, false, &far_path);
    return conn;
}

struct conn *stack_established(struct world *world, unsigned peer, bool client,
                               const struct path *path)
{
    struct conn *conn = conn_new(world, peer, client, path);
    uint64_t rtt_us = network_rtt(&world->network, peer, path->source, world->now_us);

    conn->confirmed = conn->host.alive = conn->far.alive = true;
    conn->host.mtu = conn->far.mtu = FULL_BYTES;
    recovery_sample(&conn->host.recovery, rtt_us);
    recovery_sample(&conn->far.recovery, rtt_us);
    world->peers[peer].far_live = conn;
    host_up(world, conn);
    stack_arm(world, &conn->host);
    stack_arm(world, &conn->far);
    return conn;
}

struct end *handshake_dialler(struct conn *conn)
{
    return conn->client ? &conn->host : &conn->far;
}

static void hello(struct world *world, struct conn *conn)
{
    struct end *end = handshake_dialler(conn);
    uint64_t now_us = stack_now(world, end);

    conn->hello_at_us = now_us;
    conn->hello_us = now_us + conn->hello_gap_us;
    conn->hello_gap_us *= 2;
    stack_send(world, end, PACKET_HELLO, &end->path, LEAST_BYTES, 0);
}

struct conn *stack_dial(struct world *world, unsigned peer, bool client, const struct path *path,
                        uint64_t timeout_us)
{
    struct conn *conn = conn_new(world, peer, client, path);
    struct end *end = handshake_dialler(conn);

    end->alive = true;
    conn->dial_until_us = stack_now(world, end) + timeout_us;
    conn->hello_gap_us = HELLO_US;
    hello(world, conn);
    stack_arm(world, end);
    return conn;
}

void stack_end(struct world *world, struct end *end, bool say)
{
    if (end->ended)
        return;
    if (end->alive && say && !(end->is_host && world->asleep))
        stack_send(world, end, PACKET_CLOSE, &end->path, ACK_BYTES, 0);
    if (stack_in_use(world, end))
        stream_cut(stack_out(world, end));
    end->alive = false;
    end->ended = true;
}

/* The far end of a newer connection is there: an older one of the same peer is superseded. */
static void far_up(struct world *world, struct conn *conn)
{
    struct peer *peer = &world->peers[conn->peer];
    struct conn *old = peer->far_live;

    if (old == conn)
        return;
    if (old && old->epoch > conn->epoch)
        return;
    if (old)
        stack_end(world, &old->far, true);
    peer->far_live = conn;
    peer->far_redial_us = NEVER;
    if (peer->far_dial == conn)
        peer->far_dial = NULL;
    stack_flush(world, &conn->far);
}

static void end_up(struct world *world, struct end *end)
{
    if (end->is_host)
        host_up(world, end->conn);
    else
        far_up(world, end->conn);
}

void handshake_hello(struct world *world, struct end *end, const struct packet *packet)
{
    bool first = !end->alive;

    end->alive = true;
    end->path.source = packet->path.source;
    end->path.port = packet->path.port;
    stack_send(world, end, PACKET_REPLY, &end->path, LEAST_BYTES, 0);
    if (first)
        end_up(world, end);
}

void handshake_reply(struct world *world, struct end *end)
{
    struct conn *conn = end->conn;

    if (conn->confirmed)
        return;
    conn->confirmed = true;
    conn->dial_until_us = conn->hello_us = NEVER;
    recovery_sample(&end->recovery, stack_now(world, end) - conn->hello_at_us);
    end_up(world, end);
}

void handshake_timer(struct world *world, struct end *end)
{
    struct conn *conn = end->conn;

    if (stack_now(world, end) < conn->dial_until_us) {
        hello(world, conn);
        return;
    }
    conn->dial_until_us = conn->hello_us = NEVER;
    end->alive = false;
    end->ended = true;
    if (end->is_host)
        host_dial_failed(world, conn);
    else
        host_far_down(world, conn);
}
