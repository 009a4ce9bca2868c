/* SPDX-License-Identifier: Apache-2.0 */
/* The node: redials, answers requests, tells rows. As contrib/quic-node does. See host.h. */
#include "host.h"

#include "move.h"
#include "policy.h"
#include "stack.h"

#include "util/util.h"

#include <stdio.h>

#define REDIAL_MIN_US   (250 * MS)
#define REDIAL_MAX_US   (8 * SECOND)
#define REDIAL_LEFT_US  SECOND
#define STEADY_US       (10 * SECOND)
#define DIAL_TIMEOUT_US (5 * SECOND)
#define PROBE_BYTES     64u
#define PUSH_US         (500 * MS)
#define PUSH_PTOS       4u

static struct peer *peer_of(struct world *world, const struct conn *conn)
{
    return &world->peers[conn->peer];
}

bool host_socket(struct world *world, int uplink, struct path *ret_path)
{
    int source = uplink == NO_UPLINK ? network_route(&world->network, NO_UPLINK) : uplink;

    if (source == NO_UPLINK || !network_usable(&world->network, (unsigned)source))
        return false;
    *ret_path = (struct path){
        .source = (uint8_t)source, .bound = (int8_t)uplink, .port = world_port(world)};
    return true;
}

struct conn *host_find(struct world *world, uint64_t number)
{
    for (unsigned i = 0; i < PEERS; i++)
        if (world->peers[i].live && world->peers[i].live->number == number)
            return world->peers[i].live;
    return NULL;
}

static void answer(struct world *world, uint64_t request, struct conn *conn, int code)
{
    world_news(world,
               &(struct news){.type = NEWS_ANSWER, .request = request, .conn = conn, .code = code});
}

/* ---- dialling, by either side ---- */

static void redial_timer(struct world *world, void *object, uint64_t argument);

static void redial_in(struct world *world, struct peer *peer, uint64_t delay_us)
{
    peer->redial_us = host_now(world) + delay_us;
    world_at(world, world->now_us + delay_us, redial_timer, peer, 0);
}

static void redial_back_off(struct world *world, struct peer *peer)
{
    if (!peer->dialled)
        return;
    redial_in(world, peer, peer->redial_gap_us);
    peer->redial_gap_us = min_u64(2 * peer->redial_gap_us, REDIAL_MAX_US);
}

/* Returns false: there is no route. */
static bool dial(struct world *world, struct peer *peer, int uplink)
{
    struct path path;

    if (!host_socket(world, uplink, &path))
        return false;
    peer->redial_us = NEVER;
    peer->dial = stack_dial(world, (unsigned)(peer - world->peers), true, &path, DIAL_TIMEOUT_US);
    return true;
}

static void redial_timer(struct world *world, void *object, uint64_t argument)
{
    struct peer *peer = object;

    (void)argument;
    if (world->asleep || peer->redial_us > host_now(world) || peer->live || peer->dial)
        return;
    peer->redial_us = NEVER;
    if (!dial(world, peer, NO_UPLINK))
        redial_back_off(world, peer);
}

/* After a sleep: the timers that were due meanwhile. */
void host_timers(struct world *world)
{
    for (unsigned i = 0; i < PEERS; i++)
        if (world->peers[i].redial_us != NEVER)
            world_at(world, max_u64(world->peers[i].redial_us + world->slept_us, world->now_us),
                     redial_timer, &world->peers[i], 0);
}

static void far_redial(struct world *world, struct peer *peer, uint64_t delay_us)
{
    peer->far_redial_us = world->now_us + delay_us;
    world_at(world, peer->far_redial_us, host_far_timer, peer, 0);
}

/* A peer that dials the host knows the addresses of all its uplinks, and tries them in turn. */
void host_far_timer(struct world *world, void *object, uint64_t argument)
{
    struct peer *peer = object;
    struct path path = {.bound = NO_UPLINK};

    (void)argument;
    if (peer->far_redial_us > world->now_us || peer->far_live || peer->far_dial)
        return;
    peer->far_redial_us = NEVER;
    path.source = (uint8_t)(peer->far_uplink++ % world->network.n_uplinks);
    path.port = world_port(world);
    peer->far_dial =
        stack_dial(world, (unsigned)(peer - world->peers), false, &path, DIAL_TIMEOUT_US);
}

void host_far_down(struct world *world, struct conn *conn)
{
    struct peer *peer = peer_of(world, conn);

    if (peer->far_live == conn)
        peer->far_live = NULL;
    if (peer->far_dial == conn)
        peer->far_dial = NULL;
    if (peer->dialled || peer->far_live || peer->far_dial)
        return;
    far_redial(world, peer, conn->confirmed ? REDIAL_LEFT_US : peer->far_redial_gap_us);
    peer->far_redial_gap_us =
        conn->confirmed ? REDIAL_MIN_US : min_u64(2 * peer->far_redial_gap_us, REDIAL_MAX_US);
}

/* ---- up and down ---- */

void host_up(struct world *world, struct conn *conn)
{
    struct peer *peer = peer_of(world, conn);
    struct conn *old = peer->live;

    if (old && old->epoch > conn->epoch) {
        stack_end(world, &conn->host, true);
        return;
    }
    if (old) {
        stack_end(world, &old->host, true);
        host_down(world, old, "superseded");
    }
    if (peer->dial == conn)
        peer->dial = NULL;
    peer->live = conn;
    peer->redial_us = NEVER;
    conn->number = ++world->last_number;
    conn->up_us = host_now(world);
    world_say(world, "%s up, conn %llu over uplink %u", peer->name,
              (unsigned long long)conn->number, conn->host.path.source);
    world_news(world, &(struct news){.type = NEWS_UP, .conn = conn});
    if (peer->reconnect_request) {
        uint64_t request = peer->reconnect_request;

        peer->reconnect_request = 0;
        answer(world, request, conn, 0);
    }
    stack_flush(world, &conn->host);
}

void host_down(struct world *world, struct conn *conn, const char *why)
{
    struct peer *peer = peer_of(world, conn);

    move_drop(world, conn);
    if (peer->live != conn)
        return;
    peer->live = NULL;
    world_say(world, "%s down, conn %llu: %s", peer->name, (unsigned long long)conn->number, why);
    world->score.timeouts += !strcmp(why, "idle_timeout");
    if (host_now(world) > conn->up_us + STEADY_US)
        peer->redial_gap_us = REDIAL_MIN_US;
    world_news(world, &(struct news){.type = NEWS_DOWN, .conn = conn, .text = why});
    if (!peer->dial && strcmp(why, "superseded") != 0)
        redial_back_off(world, peer);
}

static void reconnect_failed(struct world *world, struct peer *peer)
{
    uint64_t request = peer->reconnect_request;

    peer->reconnect_request = 0;
    if (request)
        answer(world, request, NULL, HOST_DIAL_FAILED);
}

void host_dial_failed(struct world *world, struct conn *conn)
{
    struct peer *peer = peer_of(world, conn);

    if (peer->dial != conn)
        return;
    peer->dial = NULL;
    if (peer->live)
        return;
    reconnect_failed(world, peer);
    redial_back_off(world, peer);
}

/* ---- requests ---- */

void host_migrate(struct world *world, struct conn *conn, int uplink, uint64_t timeout_us,
                  uint64_t request)
{
    struct path path;

    if (!conn->host.alive || peer_of(world, conn)->live != conn) {
        answer(world, request, conn, HOST_NO_CONN);
    } else if (!conn->client) {
        answer(world, request, conn, HOST_NOT_MIGRATABLE);
    } else if (conn->move.active && conn->move.request) {
        answer(world, request, conn, HOST_BUSY);
    } else if (!host_socket(world, uplink, &path)) {
        answer(world, request, conn, HOST_NO_PATH);
    } else {
        score_move(world, conn, &path);
        move_begin(world, conn, &path, timeout_us, request);
    }
}

void host_cancel(struct world *world, uint64_t request)
{
    for (unsigned i = 0; i < PEERS; i++) {
        struct conn *conn = world->peers[i].live;

        if (conn && conn->move.active && conn->move.request == request)
            move_cancel(world, conn);
    }
}

static void reconnect_timer(struct world *world, void *object, uint64_t argument)
{
    struct peer *peer = object;

    if (world->asleep)
        world_at(world, world->wake_us, reconnect_timer, peer, argument);
    else if (peer->reconnect_request == argument)
        reconnect_failed(world, peer);
}

void host_reconnect(struct world *world, struct conn *conn, int uplink, uint64_t timeout_us,
                    uint64_t request)
{
    struct peer *peer = peer_of(world, conn);

    if (peer->live != conn) {
        answer(world, request, conn, HOST_NO_CONN);
        return;
    }
    if (peer->reconnect_request) {
        answer(world, request, conn, HOST_BUSY);
        return;
    }
    score_close(world, conn);
    stack_end(world, &conn->host, true);
    peer->live = NULL;
    world_say(world, "%s closed, conn %llu: reconnect", peer->name,
              (unsigned long long)conn->number);
    move_drop(world, conn);
    world_news(world, &(struct news){.type = NEWS_DOWN, .conn = conn, .text = "reconnect"});
    peer->reconnect_request = request;
    world_at(world, world->now_us + timeout_us, reconnect_timer, peer, request);
    if (peer->dial || dial(world, peer, uplink))
        return;
    reconnect_failed(world, peer);
    redial_back_off(world, peer);
}

void host_ping(struct world *world, struct conn *conn)
{
    if (!world->asleep)
        stack_ping(world, &conn->host);
}

/* ---- probes of an uplink ---- */

/* An answer that comes to a host that sleeps is none. */
static void probed(struct world *world, uint64_t request, uint64_t rtt_us)
{
    if (world->asleep)
        rtt_us = 0;
    world_news(world, &(struct news){.type = NEWS_PROBED,
                                     .request = request,
                                     .rtt_us = rtt_us,
                                     .code = rtt_us ? 0 : HOST_TIMEOUT});
}

static void probe_answered(struct world *world, void *object, uint64_t argument)
{
    (void)object;
    probed(world, argument >> 24, argument & 0xffffff);
}

static void probe_lost(struct world *world, void *object, uint64_t argument)
{
    (void)object;
    probed(world, argument, 0);
}

void host_probe(struct world *world, unsigned peer, unsigned uplink, uint64_t timeout_us,
                uint64_t request)
{
    struct path path;
    uint64_t there_us, back_us;

    if (host_socket(world, (int)uplink, &path) &&
        network_send(&world->network, peer, &path, OUT, PROBE_BYTES, world->now_us, &there_us) ==
            TRANSIT_ARRIVES &&
        network_send(&world->network, peer, &path, IN, PROBE_BYTES, there_us, &back_us) ==
            TRANSIT_ARRIVES &&
        back_us - world->now_us <= timeout_us)
        world_at(world, back_us, probe_answered, NULL,
                 request << 24 | min_u64(max_u64(back_us - world->now_us, 1), 0xffffff));
    else
        world_at(world, world->now_us + timeout_us, probe_lost, NULL, request);
}

/* ---- rows ---- */

uint32_t host_columns(const struct world *world)
{
    return (1u << (world->node == NODE_OLD ? PD_UNACKED_MS : PD_COLUMN_COUNT)) - 1;
}

/* Messages are application data; pings, probes and acknowledgements are none. */
static void row_application(const struct world *world, const struct conn *conn, struct pd_row *row)
{
    const struct stream *stream = &world->peers[conn->peer].streams[OUT];
    uint64_t oldest_us = stream_oldest_us(stream);

    row->v[PD_UNACKED_MS] = oldest_us == NEVER ? 0 : (host_now(world) - oldest_us) / MS;
    row->v[PD_UNACKED_BYTES] = stream->unacked;
    row->v[PD_ACKED_BYTES] = conn->host.recovery.acked_bytes;
    row->v[PD_PACKETS_SENT] = conn->host.packets_sent;
    row->v[PD_PTO_US] = recovery_pto_us(&conn->host.recovery);
}

void host_row(const struct world *world, const struct conn *conn, struct pd_row *ret_row)
{
    const struct recovery *recovery = &conn->host.recovery;
    uint64_t now_us = host_now(world);
    bool sampled = recovery->samples;

    for (unsigned i = 0; i < PD_COLUMN_COUNT; i++)
        ret_row->v[i] = PD_UNKNOWN;
    ret_row->v[PD_SRTT_US] = sampled ? recovery->srtt_us : PD_UNKNOWN;
    ret_row->v[PD_LATEST_RTT_US] = sampled ? recovery->latest_us : PD_UNKNOWN;
    ret_row->v[PD_MIN_RTT_US] = sampled ? recovery->min_us : PD_UNKNOWN;
    ret_row->v[PD_RTTVAR_US] = sampled ? recovery->rttvar_us : PD_UNKNOWN;
    ret_row->v[PD_RTT_SAMPLES] = recovery->samples;
    ret_row->v[PD_CWND_BYTES] = recovery->window;
    ret_row->v[PD_IN_FLIGHT_BYTES] = recovery->in_flight;
    ret_row->v[PD_CONGESTED] = conn->host.congested;
    ret_row->v[PD_IN_RECOVERY] =
        recovery->recovery_us && now_us < recovery->recovery_us + recovery->srtt_us;
    ret_row->v[PD_PTO_COUNT] = recovery->ptos;
    ret_row->v[PD_BYTES_SENT] = conn->host.bytes_sent;
    ret_row->v[PD_BYTES_RECEIVED] = conn->host.bytes_received;
    ret_row->v[PD_PACKETS_LOST] = recovery->lost;
    ret_row->v[PD_SEND_ERRORS] = conn->host.send_errors;
    ret_row->v[PD_SILENT_MS] = (now_us - conn->host.heard_us) / MS;
    if (world->node != NODE_OLD)
        row_application(world, conn, ret_row);
}

/* ---- rows that nobody asked for ---- */

/* What is outstanding now was so when the last row was sent unasked: the gap holds. */
uint64_t host_push_us(const struct world *world, const struct conn *conn)
{
    const struct peer *peer = &world->peers[conn->peer];
    const struct end *end = &conn->host;
    uint64_t oldest_us = stream_oldest_us(&peer->streams[OUT]);

    if (!world->policy->push || world->node != NODE_NEW || peer->live != conn || oldest_us == NEVER)
        return NEVER;
    if (end->push_us > oldest_us)
        return end->push_us + end->push_gap_us;
    return oldest_us + max_u64(PUSH_PTOS * recovery_pto_us(&end->recovery), PUSH_US);
}

void host_push(struct world *world, struct conn *conn)
{
    struct end *end = &conn->host;
    uint64_t oldest_us = stream_oldest_us(&world->peers[conn->peer].streams[OUT]);
    uint64_t now_us = host_now(world);

    end->push_gap_us = end->push_us > oldest_us ? 2 * end->push_gap_us : now_us - oldest_us;
    end->push_us = now_us;
    world_news(world, &(struct news){.type = NEWS_PUSH, .conn = conn});
}

/* ---- the beginning ---- */

void host_begin(struct world *world)
{
    for (unsigned i = 0; i < PEERS; i++) {
        struct peer *peer = &world->peers[i];
        struct path path;

        snprintf(peer->name, sizeof(peer->name), "peer%u", i);
        peer->redial_us = peer->far_redial_us = NEVER;
        peer->redial_gap_us = peer->far_redial_gap_us = REDIAL_MIN_US;
        peer->reconnectable = true;
        if (host_socket(world, NO_UPLINK, &path))
            stack_established(world, i, peer->dialled, &path);
    }
}
