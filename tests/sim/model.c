/* SPDX-License-Identifier: Apache-2.0 */
/* What can be known of the connections from the events alone. */
#include <string.h>

#include "sim.h"
#include "util/address.h"
#include "util/util.h"

#define LATE_KEPT 60000u /* late answers are learnt from for at least so many requests */

struct sim_peer *model_find(struct sim *sim, uint64_t conn)
{
    for (size_t i = 0; i < SIM_NAMES; i++)
        if (sim->peers[i].known && sim->peers[i].conn == conn)
            return &sim->peers[i];
    return NULL;
}

static struct sim_peer *find_name(struct sim *sim, const char *name)
{
    for (size_t i = 0; name && i < SIM_NAMES; i++)
        if (strcmp(sim->peers[i].name, name) == 0)
            return &sim->peers[i];
    return NULL;
}

bool model_held(const struct sim *sim, const struct sim_peer *peer)
{
    if (sim->all_held && (!sim->all_held_until_us || sim->all_held_until_us > sim->now_us))
        return true;
    return peer->held && (!peer->held_until_us || peer->held_until_us > sim->now_us);
}

static uint32_t known(const struct sim *sim)
{
    uint32_t count = 0;

    for (size_t i = 0; i < SIM_NAMES; i++)
        count += sim->peers[i].known;
    return count;
}

static void node_down(struct sim *sim)
{
    hosts_node_gone(sim);
    sim->up = sim->reported = false;
    for (size_t i = 0; i < SIM_NAMES; i++)
        sim->peers[i].unreported = sim->peers[i].known;
}

static void node_up(struct sim *sim)
{
    static const char none[] = "";
    const char *boot = sim->event.node_up.boot;

    if (sim->up)
        node_down(sim);
    if (!sim->last_boot[0] || strcmp(boot, none) == 0 || strcmp(boot, sim->last_boot) != 0)
        for (size_t i = 0; i < SIM_NAMES; i++)
            sim->peers[i].known = false;
    if (strcmp(boot, none) == 0 || strcmp(boot, sim->last_boot) != 0)
        for (size_t i = 0; i < SIM_NAMES; i++)
            sim->peers[i].kept_conn = 0;
    strcpy(sim->last_boot, boot);
    sim->up = true;
    sim->reported = false;
}

static void snapshot(struct sim *sim)
{
    if (!sim->up || sim->reported)
        return;
    for (size_t i = 0; i < SIM_NAMES; i++)
        if (sim->peers[i].unreported)
            sim->peers[i].known = sim->peers[i].unreported = false;
    for (size_t i = 0; i < SIM_NAMES; i++)
        sim->peers[i].kept_conn = 0;
    sim->reported = true;
}

/* NULL: what was known stays. */
static bool path(struct sim_peer *peer, const char *local, const char *remote)
{
    struct pd_address before = peer->local;

    if (local)
        (void)address_parse(local, &peer->local);
    if (remote)
        (void)address_parse(remote, &peer->remote);
    if (memcmp(&before, &peer->local, sizeof(before)) == 0)
        return false;
    peer->bound = 0;
    return true;
}

/* The node says so: it went there by itself, and returns begin anew. */
static void told_path(struct sim_peer *peer, const char *local, const char *remote)
{
    if (path(peer, local, remote))
        peer->return_us = 0;
}

static void peer_up(struct sim *sim)
{
    const struct event_peer_up *event = &sim->event.peer_up;
    struct sim_peer *same = model_find(sim, event->conn);
    struct sim_peer *peer = find_name(sim, event->peer);

    if (!sim->up)
        return;
    if (same) {
        if (same != peer)
            return;
        peer->unreported = peer->gone = false;
        peer->migratable = event->migratable;
        peer->reconnectable = event->reconnectable;
        told_path(peer, event->local, event->remote);
        return;
    }
    if (peer->known && peer->conn > event->conn)
        return;
    peer->known = false;
    if (known(sim) >= sim->config.max_peers)
        return;
    peer->known = true;
    peer->unreported = peer->gone = peer->disabled = peer->undialable = false;
    peer->given_up = peer->unrouted = SIM_NOT_GIVEN_UP;
    if (peer->kept_conn == event->conn) {
        peer->disabled = peer->kept_disabled;
        peer->undialable = peer->kept_undialable;
        peer->kept_conn = 0;
    }
    peer->migratable = event->migratable;
    peer->reconnectable = event->reconnectable;
    peer->role = event->role;
    peer->conn = event->conn;
    peer->up_us = sim->now_us;
    peer->local = peer->remote = (struct pd_address){0};
    told_path(peer, event->local, event->remote);
    peer->bound = 0;
    peer->return_us = 0;
    peer->has_row = peer->measured = false;
    peer->poll_us = peer->unacked_us = 0;
    peer->received = PD_UNKNOWN;
    memset(&peer->last, 0xff, sizeof(peer->last)); /* PD_UNKNOWN */
    peer->progress_us = sim->now_us;
}

static void peer_down(struct sim *sim)
{
    struct sim_peer *peer = model_find(sim, sim->event.peer_down.conn);

    if (peer && sim->up)
        peer->known = false;
}

/* Both are known, and not the same. */
static bool differs(uint64_t was, uint64_t now)
{
    return was != PD_UNKNOWN && now != PD_UNKNOWN && was != now;
}

static bool fresh(const struct sim_peer *peer, const struct pd_row *row)
{
    const uint64_t *now = row->v, *was = peer->last.v;

    if (now[PD_SRTT_US] == PD_UNKNOWN || now[PD_RTT_SAMPLES] == 0)
        return false;
    if (!peer->measured)
        return true;
    if (now[PD_RTT_SAMPLES] != PD_UNKNOWN && was[PD_RTT_SAMPLES] != PD_UNKNOWN)
        /* The engine keeps 32 bits of it: wild rows can differ by just 2^32 times something. */
        return (uint32_t)now[PD_RTT_SAMPLES] != (uint32_t)was[PD_RTT_SAMPLES];
    return differs(was[PD_LATEST_RTT_US], now[PD_LATEST_RTT_US]) ||
           differs(was[PD_SRTT_US], now[PD_SRTT_US]) ||
           differs(was[PD_RTTVAR_US], now[PD_RTTVAR_US]);
}

static bool starves(const struct pd_row *row)
{
    return row->v[PD_ACKED_BYTES] != PD_UNKNOWN && row->v[PD_UNACKED_MS] != PD_UNKNOWN &&
           row->v[PD_UNACKED_MS] >= 3000;
}

static bool waits(const struct pd_row *row)
{
    return row->v[PD_UNACKED_MS] != PD_UNKNOWN
               ? row->v[PD_UNACKED_MS] >= 1500
               : (row->v[PD_IN_FLIGHT_BYTES] != PD_UNKNOWN && row->v[PD_IN_FLIGHT_BYTES]) ||
                     (row->v[PD_PTO_COUNT] != PD_UNKNOWN && row->v[PD_PTO_COUNT]);
}

static void row(struct sim *sim, struct sim_peer *peer, const struct pd_row *row)
{
    bool is_fresh = fresh(peer, row);
    uint64_t received = row->v[PD_BYTES_RECEIVED], silent_ms = row->v[PD_SILENT_MS];
    bool more = received != PD_UNKNOWN && peer->received != PD_UNKNOWN && received > peer->received;
    bool heard = peer->poll_us && silent_ms != PD_UNKNOWN &&
                 silent_ms < (sim->now_us - peer->poll_us) / 1000;

    /* Where it is certain: what is heard proves nothing while something may be unacknowledged, nor
     * what is acknowledged while data may starve. */
    if ((is_fresh && !starves(row)) || ((more || heard) && !waits(row)))
        peer->progress_us = sim->now_us;
    if (is_fresh)
        peer->gone = false;
    peer->measured |= row->v[PD_SRTT_US] != PD_UNKNOWN && row->v[PD_RTT_SAMPLES] != 0;
    if (received != PD_UNKNOWN)
        peer->received = received;
    for (size_t i = 0; i < PD_COLUMN_COUNT; i++)
        if (row->v[i] != PD_UNKNOWN)
            peer->last.v[i] = row->v[i];
    peer->poll_us = sim->now_us;
}

static void samples(struct sim *sim)
{
    const struct event_samples *event = &sim->event.samples;

    for (size_t i = 0; sim->up && i < event->n_rows; i++) {
        struct sim_peer *peer = model_find(sim, event->rows[i].conn);

        if (peer && !peer->unreported)
            row(sim, peer, &event->rows[i].row);
    }
}

static void peer_path(struct sim *sim)
{
    struct sim_peer *peer = model_find(sim, sim->event.peer_path.conn);

    if (peer && sim->up)
        told_path(peer, sim->event.peer_path.local, sim->event.peer_path.remote);
}

static void moved(struct sim_peer *peer, const struct sim_request *request, const char *local)
{
    (void)path(peer, local, NULL);
    peer->bound = request->interface < HOST_INTERFACES ? request->interface + 1 : 0;
}

/* Whatever its outcome was, an answer is learnt from once. */
static void answer(struct sim *sim)
{
    const struct event_answer *event = &sim->event.answer;
    struct sim_request *request;
    struct sim_peer *peer;

    if (!event->request || event->request > sim->n_requests)
        return;
    request = &sim->requests[event->request];
    if (request->answered)
        return;
    request->answered = true;
    peer = model_find(sim, request->conn);
    if (event->ok && peer && request->by == BY_MIGRATE)
        moved(peer, request, event->local);
    if (event->ok || event->malformed || !peer || event->request + LATE_KEPT < sim->n_requests)
        return;
    if (event->code == NODE_PEER_DISABLE_MIGRATION || event->code == NODE_NOT_MIGRATABLE)
        *(request->by == BY_RECONNECT ? &peer->undialable : &peer->disabled) = true;
    if ((event->code == NODE_NOT_CONNECTED || event->code == NODE_NO_CONN) && !peer->unreported)
        peer->gone = true;
}

static void command(struct sim *sim)
{
    const struct event_command *event = &sim->event.command;
    struct sim_peer *peer = find_name(sim, event->peer);
    uint64_t until_us = event->duration_us ? sim->now_us + event->duration_us : 0;

    if (event->uplink)
        return; /* of an uplink instead of a peer */
    if (event->type == COMMAND_MODE) {
        sim->observing = event->observe;
    } else if (event->type == COMMAND_CONFIG) {
        sim_configured(sim);
    } else if (event->type == COMMAND_HOLD || event->type == COMMAND_RELEASE) {
        *(peer ? &peer->held : &sim->all_held) = event->type == COMMAND_HOLD;
        *(peer ? &peer->held_until_us : &sim->all_held_until_us) = until_us;
    }
}

void model_event(struct sim *sim)
{
    switch (sim->event.type) {
    case EVENT_NODE_UP:
        node_up(sim);
        break;
    case EVENT_NODE_DOWN:
        node_down(sim);
        break;
    case EVENT_SNAPSHOT:
        snapshot(sim);
        break;
    case EVENT_PEER_UP:
        peer_up(sim);
        break;
    case EVENT_PEER_DOWN:
        peer_down(sim);
        break;
    case EVENT_PEER_PATH:
        peer_path(sim);
        break;
    case EVENT_PROBED:
        hosts_probed(sim);
        break;
    case EVENT_SAMPLES:
        samples(sim);
        break;
    case EVENT_ANSWER:
        answer(sim);
        break;
    case EVENT_COMMAND:
        command(sim);
        break;
    default:
        break;
    }
}
