/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moving a connection to a new path (RFC 9000 §9): a new connected socket, where it leads through a
 * relay a registration there, validation of the path by the library, our own time limit (the
 * library's is 7 s). Data stays on the old path until the new one is validated, unless the old one
 * is silent.
 */
#include "node.h"

#include <errno.h>
#include <string.h>

/* They take three PTOs, since each lasts twice as long as the one before (RFC 9002 §6.2.1). */
#define PTOS_DEAD 2u

/* What arrives at the old address is still read for so long. */
static uint64_t linger_ns(struct conn *c)
{
    uint64_t pto = ngtcp2_conn_get_pto(c->quic);

    return c->node->now_ns + (pto < 200 * NS_PER_MS ? 600 * NS_PER_MS : 3 * pto);
}

static void refuse(struct conn *c, pathdog_node_token token, int code, const char *why)
{
    event(c->node, "migrate-refused", "peer=%s conn=%llu code=%d reason=\"%s\"", c->peer->name,
          (unsigned long long)c->number, code, why ? why : "");
    if (code != PATHDOG_NODE_BUSY)
        c->peer->count.migration_failures++;
    pathdog_node_error(c->node->kit, token, code, why);
}

/* A migration that is not waited for any more; `u` is the path that is not wanted. */
static void move_end(struct conn *c, struct udp *u)
{
    if (u)
        udp_abandon(c, u, linger_ns(c));
    c->move.active = c->move.immediate = false;
    c->move.path = c->move.old = NULL;
    c->move.register_ns = 0;
    c->move.token = 0;
}

/* Returns 0, or the code to refuse with. */
static int move_allowed(struct conn *c, const char **ret_why)
{
    const ngtcp2_transport_params *params = ngtcp2_conn_get_remote_transport_params(c->quic);

    *ret_why = NULL;
    if (c->server)
        return PATHDOG_NODE_NOT_MIGRATABLE;
    if (params && params->disable_active_migration)
        return PATHDOG_NODE_PEER_DISABLE_MIGRATION;
    if (c->move.token)
        return PATHDOG_NODE_BUSY;
    return 0;
}

static int move_socket(struct conn *c, const struct pathdog_node_migrate *request,
                       const char **ret_why)
{
    uint64_t timeout_ns = request->timeout_ms * NS_PER_MS;
    struct via_target to;
    struct address local;
    int r = via_target(c, request->via, &to);

    *ret_why = c->move.why;
    if (r < 0)
        return r;
    *ret_why = to.relay ? "local is not an address of the relay's family"
                        : "local is not an address of the peer's family";
    if (request->local && (address_parse_host(request->local, &local) < 0 ||
                           local.sa.sa_family != to.remote->sa.sa_family))
        return PATHDOG_NODE_INVALID_PARAMS;
    r = udp_dial(c, to.remote, request->interface, request->local ? &local : NULL, &c->move.path);
    if (r == 0)
        r = via_register(c, to.relay, timeout_ns);
    *ret_why = r < 0 ? strerror(-r) : NULL;
    return r < 0 ? PATHDOG_NODE_NO_PATH : 0;
}

/* Nothing came for two PTOs though something is owed, or nothing of it was acknowledged though the
 * peer is heard: the old path is dead as far as anybody can tell, be it in one direction. */
bool path_dead(struct conn *c, uint64_t pto_ns)
{
    struct quic_numbers is = quic_numbers(c->quic, &c->counted);

    return is.bytes_in_flight > 0 &&
           (c->node->now_ns - c->last_received_ns > 2 * pto_ns || is.pto_count >= PTOS_DEAD);
}

static int move_start(struct conn *c, const struct udp *to, bool immediate, const char **ret_why)
{
    struct address local = to->local, remote = to->remote;
    ngtcp2_path path = {.local = {&local.sa, local.len}, .remote = {&remote.sa, remote.len}};
    int r = immediate ? ngtcp2_conn_initiate_immediate_migration(c->quic, &path, c->node->now_ns)
                      : ngtcp2_conn_initiate_migration(c->quic, &path, c->node->now_ns);

    c->dirty = c->dirty || r == 0;
    c->move.result = MOVE_OPEN; /* the library may have told of an earlier one's end */
    *ret_why = r < 0 ? ngtcp2_strerror(r) : NULL;
    switch (r) {
    case 0:
        return 0;
    case NGTCP2_ERR_CONN_ID_BLOCKED:
        *ret_why = "no spare connection id";
        return PATHDOG_NODE_NO_PATH;
    case NGTCP2_ERR_INVALID_ARGUMENT:
        *ret_why = "the same local address";
        return PATHDOG_NODE_NO_PATH;
    case NGTCP2_ERR_INVALID_STATE: /* the handshake is confirmed and migration not disabled */
        return PATHDOG_NODE_NO_CONN;
    default:
        return PATHDOG_NODE_INTERNAL;
    }
}

/* The library is asked for the path. */
static int move_go(struct conn *c, bool immediate, const char **ret_why)
{
    int code = move_start(c, c->move.path, immediate, ret_why);

    c->move.immediate = code == 0 && immediate;
    c->move.carries = false;
    c->move.gone_ns = c->node->now_ns;
    c->move.escalate_ns =
        immediate ? UINT64_MAX : c->node->now_ns + 2 * ngtcp2_conn_get_pto(c->quic);
    if (code == 0 && !immediate)
        frame_probe(c); /* does the old path live? see move_escalate() */
    return code;
}

void migrate_begin(struct conn *c, pathdog_node_token token,
                   const struct pathdog_node_migrate *request)
{
    char from[ADDRESS_TEXT_MAX], to[ADDRESS_TEXT_MAX];
    bool immediate = path_dead(c, ngtcp2_conn_get_pto(c->quic));
    const char *why;
    int code = move_allowed(c, &why);

    if (code < 0) {
        refuse(c, token, code, why);
        return;
    }
    if (c->move.active) /* an earlier one that timed out; the library forgets it too */
        move_end(c, c->move.path);
    code = move_socket(c, request, &why);
    if (code == 0 && !c->move.register_ns)
        code = move_go(c, immediate, &why);
    if (code < 0) {
        refuse(c, token, code, why);
        move_end(c, c->move.path);
        return;
    }
    c->move.active = true;
    c->move.token = token;
    c->move.begun_ns = c->node->now_ns;
    c->move.deadline_ns = c->move.begun_ns + request->timeout_ms * NS_PER_MS;
    event(c->node, "migrate-begun", "peer=%s conn=%llu from=%s to=%s via=%s%s reason=\"%s\"",
          c->peer->name, (unsigned long long)c->number, address_text(&c->local, from),
          address_text(&c->move.path->local, to), c->move.relay ? c->move.relay->name : "direct",
          c->move.immediate ? " immediate=yes" : "", request->reason ? request->reason : "");
}

/* The relay was asked, and the peer. */
static void move_registering(struct conn *c)
{
    bool dead = path_dead(c, ngtcp2_conn_get_pto(c->quic));
    struct udp *path = c->move.path;
    const char *why = c->move.why;
    bool late = c->move.register_ns <= c->node->now_ns;
    int r = via_ready(c, dead), code = r;

    if (r == 0)
        return;
    if (r > 0)
        code = move_go(c, dead, &why);
    if (r > 0 && code == PATHDOG_NODE_NO_PATH && !late) /* an id of the connection is coming */
        return;
    via_done(c);
    if (code == 0)
        return;
    refuse(c, c->move.token, code, why);
    move_end(c, NULL);
    udp_abandon(c, path, c->node->now_ns);
}

/*
 * The library sends neither PATH_CHALLENGE nor PATH_RESPONSE while the congestion window is
 * used up, and on a dead path it is used up for good, at the peer's end too: validation then
 * waits for PTOs, which double. Sending data over the new path makes both ends begin with a
 * new window. So: when the old path has been silent since, or acknowledges nothing, do not wait
 * for validation.
 */
static void move_escalate(struct conn *c)
{
    const char *why;

    c->move.escalate_ns = UINT64_MAX;
    if ((c->last_received_ns > c->move.gone_ns &&
         quic_numbers(c->quic, &c->counted).pto_count < PTOS_DEAD) ||
        move_start(c, c->move.path, true, &why) < 0)
        return;
    c->move.immediate = true;
    event(c->node, "migrate-immediate", "peer=%s conn=%llu", c->peer->name,
          (unsigned long long)c->number);
}

/* The new path is dead, and data is on it: back to the old one. */
static void move_back(struct conn *c)
{
    struct udp *path = c->move.path, *old = c->move.old;
    const char *why;

    if (old && move_start(c, old, true, &why) == 0)
        move_end(c, path);
    else
        move_end(c, old); /* no spare connection id: it has to stay */
}

void migrate_note(struct conn *c, const ngtcp2_path *path, bool success)
{
    struct address local;

    if (!c->move.active || c->move.register_ns ||
        address_copy(&local, path->local.addr, path->local.addrlen) < 0 ||
        !address_equal(&local, &c->move.path->local))
        return;
    c->move.result = success ? MOVE_VALIDATED : MOVE_FAILED;
}

/* It is answered, validated or not. */
static void move_done(struct conn *c, bool validated)
{
    uint64_t elapsed_us = (c->node->now_ns - c->move.begun_ns) / 1000;
    char text[ADDRESS_TEXT_MAX];

    address_text(&c->move.path->local, text);
    event(c->node, "migrated", "peer=%s conn=%llu local=%s elapsed_us=%llu%s%s%s", c->peer->name,
          (unsigned long long)c->number, text, (unsigned long long)elapsed_us,
          c->move.immediate ? " immediate=yes" : "", validated ? "" : " validated=no",
          c->move.token ? "" : " late=yes");
    c->peer->count.migrations++;
    if (c->move.token)
        pathdog_node_migrated(c->node->kit, c->move.token, text, validated);
    move_end(c, c->move.old); /* if there is none, path_check() finds it */
}

static void move_failed(struct conn *c)
{
    const char *why;

    /* The peer's window may be used up by what it sent on the old path, and so long it cannot
     * send a PATH_RESPONSE. */
    if (c->move.carries) {
        move_done(c, false);
        return;
    }
    /* the library's patience ended before the request's: once more, with another id */
    if (c->move.token && c->move.deadline_ns > c->node->now_ns && !c->move.immediate &&
        move_start(c, c->move.path, false, &why) == 0)
        return;
    if (c->move.token) {
        event(c->node, "migrate-timeout", "peer=%s conn=%llu elapsed_us=%llu", c->peer->name,
              (unsigned long long)c->number,
              (unsigned long long)((c->node->now_ns - c->move.begun_ns) / 1000));
        c->peer->count.migration_failures++;
        pathdog_node_error(c->node->kit, c->move.token, PATHDOG_NODE_TIMEOUT, NULL);
        c->move.token = 0;
        c->push.validation_failed = true;
    }
    c->move.escalate_ns = UINT64_MAX;
    if (c->move.immediate)
        move_back(c);
    else if (c->move.result == MOVE_FAILED) /* else it may still succeed, late */
        move_end(c, c->move.path);
}

/* Nothing more of it: a path that is being validated is closed, so that it cannot be taken late.
 * Where data went over at once, it stays there until the next request, or the path fails. */
void migrate_cancel(struct conn *c)
{
    struct udp *path = c->move.path;

    event(c->node, "migrate-cancelled", "peer=%s conn=%llu%s", c->peer->name,
          (unsigned long long)c->number, c->move.immediate ? " immediate=yes" : "");
    pathdog_node_error(c->node->kit, c->move.token, PATHDOG_NODE_CANCELLED, NULL);
    c->move.token = 0;
    c->move.escalate_ns = UINT64_MAX;
    if (c->move.immediate)
        return;
    if (c->move.register_ns)
        via_done(c);
    move_end(c, NULL);
    udp_abandon(c, path, c->node->now_ns);
}

void migrate_check(struct conn *c)
{
    if (!c->move.active)
        return;
    if (c->move.register_ns) {
        move_registering(c);
        return;
    }
    if (c->move.immediate && address_equal(&c->received_at, &c->move.path->local))
        c->move.carries = true;
    if (c->move.result == MOVE_VALIDATED)
        move_done(c, true);
    else if (c->move.result == MOVE_FAILED ||
             (c->move.token && c->move.deadline_ns <= c->node->now_ns))
        move_failed(c);
    else if (c->move.escalate_ns <= c->node->now_ns)
        move_escalate(c);
}

uint64_t migrate_next_ns(const struct conn *c)
{
    uint64_t next = c->move.token ? c->move.deadline_ns : UINT64_MAX;

    if (c->move.active && c->move.register_ns && c->move.register_ns < next)
        next = c->move.register_ns;
    else if (c->move.active && !c->move.register_ns && c->move.escalate_ns < next)
        next = c->move.escalate_ns;
    return next;
}

void migrate_ended(struct conn *c)
{
    if (c->move.token)
        pathdog_node_error(c->node->kit, c->move.token, PATHDOG_NODE_NO_CONN, NULL);
    if (c->move.active && c->move.register_ns)
        via_done(c);
    c->move.token = 0;
    c->move.active = false;
}

/* The path that was left is still read for a while; or it is kept, to go back to. */
static void path_left(struct conn *c)
{
    for (struct udp *u = c->paths; u; u = u->next) {
        if (!address_equal(&u->local, &c->local) || !address_equal(&u->remote, &c->remote) ||
            u->close_at_ns || u->probe)
            continue;
        if (c->move.active && c->move.immediate)
            c->move.old = u;
        else
            udp_abandon(c, u, linger_ns(c));
        return;
    }
}

/* Of the listening socket, as the library has it. */
static unsigned library_port(const struct conn *c)
{
    const ngtcp2_path *path = ngtcp2_conn_get_path(c->quic);
    struct address local, remote;

    if (address_copy(&local, path->local.addr, path->local.addrlen) < 0 ||
        address_copy(&remote, path->remote.addr, path->remote.addrlen) < 0)
        return 0;
    return address_port(udp_find(c, &local, &remote) ? &c->node->listen.local : &local);
}

/* Only then may the local address change. */
static bool migration_allowed(const struct conn *c)
{
    const ngtcp2_transport_params *params = ngtcp2_conn_get_remote_transport_params(c->quic);

    return !c->node->options->forbid_migration && params && !params->disable_active_migration;
}

/*
 * Where only the peer's port is new the library keeps the congestion window (RFC 9000 §9.4 allows
 * that). When the old path was dead, the window is used up by what was lost there: then neither
 * data nor PATH_RESPONSE is sent before the next PTO, seconds later. A path with another local
 * address begins with a new window. The library looks at the local port for nothing else, and the
 * socket has only one: so a dead connection that is heard from a new port of the peer gets another
 * number there.
 */
void path_local(struct conn *c, const struct address *remote, struct address *local)
{
    bool known = address_equal(remote, &c->remote) || address_equal(remote, &c->anew.remote);

    if (c->number && !known && migration_allowed(c) && path_dead(c, ngtcp2_conn_get_pto(c->quic))) {
        c->anew.remote = *remote;
        c->anew.port = library_port(c) % UINT16_MAX + 1;
    }
    address_set_port(local,
                     address_equal(remote, &c->anew.remote) ? c->anew.port : library_port(c));
}

/* Our own migration, or the peer's: the library moves on, and here it is seen. */
void path_check(struct conn *c)
{
    const ngtcp2_path *path = ngtcp2_conn_get_path(c->quic);
    char local_text[ADDRESS_TEXT_MAX], remote_text[ADDRESS_TEXT_MAX];
    struct address local, remote;

    if (!c->number || address_copy(&local, path->local.addr, path->local.addrlen) < 0 ||
        address_copy(&remote, path->remote.addr, path->remote.addrlen) < 0)
        return;
    if (c->server && !udp_find(c, &local, &remote)) /* it may have another: path_local() */
        address_set_port(&local, address_port(&c->node->listen.local));
    if (address_equal(&local, &c->local) && address_equal(&remote, &c->remote))
        return;
    path_left(c);
    c->local = local;
    c->remote = remote;
    c->counted.rtt_samples = c->counted.pto_count = 0;
    c->counted.recovery_start_ns = UINT64_MAX;
    if (c->server)
        c->peer->count.peer_moves++;
    frame_probe(c); /* its acknowledgement tells what was lost on the old path */
    address_text(&local, local_text);
    address_text(&remote, remote_text);
    event(c->node, "path", "peer=%s conn=%llu local=%s remote=%s via=%s", c->peer->name,
          (unsigned long long)c->number, local_text, remote_text, relay_via(c));
    if (c->node->kit)
        pathdog_node_peer_moved(c->node->kit,
                                &(struct pathdog_node_peer){.conn = c->number,
                                                            .local = local_text,
                                                            .remote = remote_text,
                                                            .via = relay_via(c),
                                                            .interface = udp_interface(c)});
}
