/* SPDX-License-Identifier: Apache-2.0 */
/* Packets and timers. See stack.h; handshake.c has the beginning and the end, move.c migration. */
#include "stack.h"

#include "host.h"
#include "move.h"
#include "packet.h"

#include "util/util.h"

static void packet_arrived(struct world *world, void *object, uint64_t argument);
static void end_timer(struct world *world, void *object, uint64_t argument);

uint64_t stack_now(const struct world *world, const struct end *end)
{
    return end->is_host ? host_now(world) : world->now_us;
}

static struct peer *peer_of(struct world *world, const struct end *end)
{
    return &world->peers[end->conn->peer];
}

/* What this end sends. */
struct stream *stack_out(struct world *world, const struct end *end)
{
    return &peer_of(world, end)->streams[end->is_host ? OUT : IN];
}

/* Is this the connection that the application of this end uses? */
bool stack_in_use(struct world *world, const struct end *end)
{
    const struct peer *peer = peer_of(world, end);

    return (end->is_host ? peer->live : peer->far_live) == end->conn;
}

/* ---- sending ---- */

static void packet_send(struct world *world, struct end *end, struct packet packet)
{
    enum direction direction = end->is_host ? OUT : IN;
    uint64_t arrival_us, now_us = stack_now(world, end);
    enum transit transit;
    struct packet *copy;

    packet.conn = end->conn;
    packet.to_host = !end->is_host;
    packet.ack = end->recovery.received;
    packet.number = end->recovery.next;
    if (packet.eliciting) {
        packet.number = recovery_sent(&end->recovery, packet.message, packet.bytes, now_us);
        if (!end->spoke)
            end->idle_us = now_us;
        end->spoke = true;
    }
    transit = network_send(&world->network, end->conn->peer, &packet.path, direction, packet.bytes,
                           world->now_us, &arrival_us);
    if (transit == TRANSIT_REFUSED) {
        end->send_errors++;
        return;
    }
    end->bytes_sent += packet.bytes;
    end->packets_sent++;
    if (transit == TRANSIT_LOST)
        return;
    copy = memory_new(1, sizeof(*copy));
    *copy = packet;
    world_give(world, arrival_us, packet_arrived, copy);
}

static uint32_t packet_bytes(struct world *world, const struct end *end, uint64_t message)
{
    uint32_t bytes = HEAD_BYTES;

    if (message != NO_MESSAGE)
        bytes += stream_message(stack_out(world, end), message)->bytes;
    return (uint32_t)min_u64(bytes, end->mtu);
}

static void packet_data(struct world *world, struct end *end, uint64_t message)
{
    if (message != NO_MESSAGE)
        stream_sent(stack_out(world, end), message, stack_now(world, end));
    packet_send(world, end,
                (struct packet){.kind = PACKET_DATA,
                                .eliciting = true,
                                .path = end->path,
                                .bytes = packet_bytes(world, end, message),
                                .message = message});
}

void stack_send(struct world *world, struct end *end, enum packet_kind kind,
                const struct path *path, uint32_t bytes, uint64_t token)
{
    packet_send(
        world, end,
        (struct packet){
            .kind = kind, .path = *path, .bytes = bytes, .token = token, .message = NO_MESSAGE});
}

void stack_challenge(struct world *world, struct conn *conn)
{
    stack_send(world, &conn->host, PACKET_CHALLENGE, &conn->move.path, LEAST_BYTES,
               conn->move.token);
}

static void mtu_find(struct world *world, struct end *end)
{
    const struct condition *is = network_condition(&world->network, end->path.source);
    const struct way *way = end->is_host ? &is->out : &is->in;

    if (end->mtu == FULL_BYTES || stack_now(world, end) < end->mtu_us)
        return;
    end->mtu_us = stack_now(world, end) + MTU_FIND_US;
    if (!way->dead && (!way->mtu || way->mtu >= FULL_BYTES))
        end->mtu = FULL_BYTES;
}

static bool bulk(const struct world *world, const struct traffic *traffic)
{
    return world->now_us >= traffic->bulk_from_us && world->now_us < traffic->bulk_until_us;
}

void stack_flush(struct world *world, struct end *end)
{
    struct stream *stream = stack_out(world, end);
    const struct traffic *traffic = &peer_of(world, end)->traffic[end->is_host ? OUT : IN];
    uint64_t message;

    if (!end->alive || !stack_in_use(world, end) || (end->is_host && world->asleep))
        return;
    mtu_find(world, end);
    end->congested = false;
    for (;;) {
        message = stream_next(stream);
        if (message == NO_MESSAGE && bulk(world, traffic)) {
            stream_make(stream, FULL_BYTES, world->now_us);
            message = stream_next(stream);
        }
        if (message == NO_MESSAGE)
            break;
        if (!recovery_room(&end->recovery, packet_bytes(world, end, message))) {
            end->congested = true;
            break;
        }
        packet_data(world, end, message);
    }
    stack_arm(world, end);
}

void stack_ping(struct world *world, struct end *end)
{
    if (!end->alive)
        return;
    packet_data(world, end, NO_MESSAGE);
    stack_arm(world, end);
}

void stack_path(struct world *world, struct end *end, const struct path *path)
{
    end->path = *path;
    end->mtu = LEAST_BYTES;
    end->mtu_us = stack_now(world, end) + MTU_FIND_US;
    recovery_path(&end->recovery);
}

/* ---- receiving ---- */

static bool path_equal(const struct path *a, const struct path *b)
{
    return a->source == b->source && a->port == b->port;
}

/* The far end follows the host to another address (RFC 9000 §9.3). */
static void far_follow(struct world *world, struct end *end, const struct packet *packet)
{
    struct path path = {
        .source = packet->path.source, .bound = NO_UPLINK, .port = packet->path.port};

    if (end->is_host || path_equal(&end->path, &path) || packet->number < end->highest)
        return;
    stack_path(world, end, &path);
    stack_ping(world, end); /* its acknowledgement shows what was lost on the old path */
}

static void data_arrived(struct world *world, struct end *end, const struct packet *packet)
{
    struct stream *in = &peer_of(world, end)->streams[end->is_host ? IN : OUT];

    far_follow(world, end, packet);
    if (packet->eliciting) {
        end->highest = max_u64(end->highest, packet->number + 1);
        recovery_received(&end->recovery, packet->number);
        stack_send(world, end, PACKET_ACK, &end->path, ACK_BYTES, 0);
    }
    if (packet->message != NO_MESSAGE)
        stream_arrived(in, packet->message, world->now_us);
}

static void close_arrived(struct world *world, struct end *end)
{
    stack_end(world, end, false);
    if (end->is_host)
        host_down(world, end->conn, "closed by the peer");
    else
        host_far_down(world, end->conn);
}

static void packet_take(struct world *world, struct end *end, const struct packet *packet)
{
    uint64_t now_us = stack_now(world, end);

    if (packet->kind == PACKET_HELLO && !end->ended)
        handshake_hello(world, end, packet);
    if (!end->alive)
        return;
    end->bytes_received += packet->bytes;
    end->heard_us = end->idle_us = now_us;
    end->spoke = false;
    end->send_errors = 0;
    recovery_acked(&end->recovery, stack_out(world, end), &packet->ack, now_us);
    switch (packet->kind) {
    case PACKET_DATA:
    case PACKET_ACK:
        data_arrived(world, end, packet);
        break;
    case PACKET_CHALLENGE:
        stack_send(world, end, PACKET_RESPONSE, &packet->path, LEAST_BYTES, packet->token);
        break;
    case PACKET_RESPONSE:
        move_validated(world, end->conn, packet->token);
        break;
    case PACKET_REPLY:
        handshake_reply(world, end);
        break;
    case PACKET_CLOSE:
        close_arrived(world, end);
        return;
    case PACKET_HELLO:
        break;
    }
    stack_flush(world, end);
    stack_arm(world, end);
}

static void packet_arrived(struct world *world, void *object, uint64_t argument)
{
    const struct packet *packet = object;
    struct conn *conn = packet->conn;

    (void)argument;
    if (packet->to_host && world->asleep)
        return;
    packet_take(world, packet->to_host ? &conn->host : &conn->far, packet);
}

/* ---- timers ---- */

static uint64_t keep_alive_us(const struct end *end)
{
    return max_u64(end->heard_us, end->recovery.last_us) + KEEP_ALIVE_US;
}

static uint64_t end_deadline(const struct world *world, struct end *end)
{
    const struct conn *conn = end->conn;
    uint64_t deadline_us = add_u64(end->idle_us, IDLE_TIMEOUT_US);

    if (conn->dial_until_us != NEVER && end == handshake_dialler(end->conn))
        return min_u64(conn->dial_until_us, conn->hello_us);
    deadline_us = min_u64(deadline_us, recovery_deadline_us(&end->recovery));
    deadline_us = min_u64(deadline_us, keep_alive_us(end));
    if (end->is_host)
        deadline_us = min_u64(deadline_us, min_u64(move_deadline(conn), host_push_us(world, conn)));
    return deadline_us;
}

void stack_arm(struct world *world, struct end *end)
{
    uint64_t at_us;

    if (!end->alive || (end->is_host && world->asleep))
        return;
    at_us = max_u64(end_deadline(world, end) + (end->is_host ? world->slept_us : 0), world->now_us);
    if (at_us >= end->armed_us)
        return;
    end->armed_us = at_us;
    world_at(world, at_us, end_timer, end, at_us);
}

static void recovery_timer(struct world *world, struct end *end)
{
    struct recovery *recovery = &end->recovery;
    struct stream *stream = stack_out(world, end);

    if (recovery->loss_us != NEVER) {
        recovery_detect(recovery, stream, stack_now(world, end));
        stack_flush(world, end);
        return;
    }
    recovery->ptos++;
    packet_data(world, end, stack_in_use(world, end) ? stream_oldest(stream) : NO_MESSAGE);
}

static void end_timer(struct world *world, void *object, uint64_t argument)
{
    struct end *end = object;
    uint64_t now_us = stack_now(world, end);

    if (argument != end->armed_us)
        return;
    end->armed_us = NEVER;
    if (!end->alive || (end->is_host && world->asleep))
        return;
    if (end->conn->dial_until_us != NEVER && end == handshake_dialler(end->conn)) {
        if (min_u64(end->conn->dial_until_us, end->conn->hello_us) <= now_us)
            handshake_timer(world, end);
        stack_arm(world, end);
        return;
    }
    if (now_us >= end->idle_us + IDLE_TIMEOUT_US) {
        stack_end(world, end, false);
        if (end->is_host)
            host_down(world, end->conn, "idle_timeout");
        else
            host_far_down(world, end->conn);
        return;
    }
    if (recovery_deadline_us(&end->recovery) <= now_us)
        recovery_timer(world, end);
    if (keep_alive_us(end) <= now_us)
        packet_data(world, end, NO_MESSAGE);
    if (end->is_host && move_deadline(end->conn) <= now_us)
        move_timer(world, end->conn);
    if (end->is_host && host_push_us(world, end->conn) <= now_us)
        host_push(world, end->conn);
    stack_arm(world, end);
}
