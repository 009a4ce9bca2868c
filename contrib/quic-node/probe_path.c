/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pathdog's probe_path: does another path to the peer live? The connection stays where it is.
 *
 * The library validates a path only to move there, so the connection is left alone. A packet of
 * a version that nobody speaks goes to the peer's listening address from a socket of its own; a
 * server must answer it with a Version Negotiation packet that repeats both connection ids
 * (RFC 9000 §6.1, §17.2.1). That shows that datagrams of full size get there, that answers get
 * back, and that they come from somebody who saw the question; it costs the peer no state.
 *
 * Where the connection goes over a relay, the path to that relay is tried: it is asked to register
 * an id of our own, the same for all such tries, and whatever it answers will do.
 */
#include "node.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TRIES_MAX      4u /* of one probe, evenly over its time */
#define PROBES_MAX     8u /* of one connection at a time */
#define PROBE_ID_BYTES 16u
#define PROBE_BYTES    1200u /* a server ignores shorter ones, RFC 9000 §14.1 */
/* Of the form 0x?a?a?a?a: reserved to force version negotiation, RFC 9000 §15. */
#define PROBE_VERSION 0x1a2a3a4au

struct path_probe {
    struct path_probe *next;
    struct udp *u;
    const struct relay_option *relay; /* that it goes to; NULL: to the peer */
    pathdog_node_token token;
    uint64_t begun_ns, deadline_ns;
    uint64_t try_ns; /* time between tries */
    uint64_t sent_ns[TRIES_MAX];
    unsigned n_sent;
    uint8_t id[PROBE_ID_BYTES]; /* what the peer echoes; its last byte is the try's number */
};

static void probe_free(struct conn *c, struct path_probe *probe)
{
    struct path_probe **p = &c->probes;

    while (*p != probe)
        p = &(*p)->next;
    *p = probe->next;
    if (probe->u) {
        probe->u->probe = NULL;
        udp_abandon(c, probe->u, c->node->now_ns);
    }
    free(probe);
}

static void probe_failed(struct conn *c, struct path_probe *probe, int code, const char *why)
{
    event(c->node, "path-probe", "peer=%s conn=%llu result=%s", c->peer->name,
          (unsigned long long)c->number, why);
    pathdog_node_error(c->node->kit, probe->token, code, code == PATHDOG_NODE_TIMEOUT ? NULL : why);
    probe_free(c, probe);
}

static int relay_send(struct conn *c, struct path_probe *probe)
{
    char text[RELAY_QUESTION_MAX], id[RELAY_ID_SIZE];

    relay_id_stand(id, c->node->probe_key, probe->relay->name, 0);
    probe->sent_ns[probe->n_sent++] = c->node->now_ns;
    return send(probe->u->fd, text, relay_ask_register(text, id), MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Returns 0 or -errno. */
static int probe_send(struct conn *c, struct path_probe *probe)
{
    uint8_t data[PROBE_BYTES] = {0xc0, PROBE_VERSION >> 24, PROBE_VERSION >> 16 & 0xff,
                                 PROBE_VERSION >> 8 & 0xff, PROBE_VERSION & 0xff};
    uint8_t *at = data + 5;

    if (probe->relay)
        return relay_send(c, probe);
    *at++ = PROBE_ID_BYTES; /* the destination's: it means nothing to the peer */
    random_bytes(at, PROBE_ID_BYTES);
    at += PROBE_ID_BYTES;
    *at++ = PROBE_ID_BYTES;
    memcpy(at, probe->id, PROBE_ID_BYTES);
    at[PROBE_ID_BYTES - 1] = (uint8_t)probe->n_sent;
    probe->sent_ns[probe->n_sent++] = c->node->now_ns;
    return send(probe->u->fd, data, sizeof(data), MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static unsigned probes_open(const struct conn *c)
{
    unsigned n = 0;

    for (const struct path_probe *p = c->probes; p; p = p->next)
        n++;
    return n;
}

/* The address to try: where the connection goes, or where its dialler can be dialled. NULL: none.
 */
static const struct address *probe_target(const struct conn *c)
{
    if (!c->server)
        return &c->remote;
    return c->peer->reachable ? &c->peer->address : NULL;
}

/* Returns 0, or the code to refuse with. */
static int probe_open(struct conn *c, const struct pathdog_node_probe_path *request,
                      struct path_probe *probe, const char **ret_why)
{
    const struct registration *reg = c->server ? NULL : relay_of(c);
    const struct address *target = probe_target(c);
    struct address local;
    int r;

    probe->relay = reg ? reg->relay : NULL;

    *ret_why = "the peer's listening address is not known";
    if (!target)
        return PATHDOG_NODE_NOT_MIGRATABLE;
    *ret_why = "local is not an address of the peer's family";
    if (request->local && (address_parse_host(request->local, &local) < 0 ||
                           local.sa.sa_family != target->sa.sa_family))
        return PATHDOG_NODE_INVALID_PARAMS;
    r = udp_dial(c, target, request->interface, request->local ? &local : NULL, &probe->u);
    if (r == 0) {
        probe->u->probe = probe;
        r = probe_send(c, probe);
    }
    *ret_why = r < 0 ? strerror(-r) : NULL;
    return r < 0 && r != -EAGAIN ? PATHDOG_NODE_NO_PATH : 0;
}

void probe_path_begin(struct conn *c, pathdog_node_token token,
                      const struct pathdog_node_probe_path *request)
{
    struct path_probe *probe = probes_open(c) < PROBES_MAX ? calloc(1, sizeof(*probe)) : NULL;
    const char *why;
    int code;

    if (!probe) {
        pathdog_node_error(c->node->kit, token, PATHDOG_NODE_BUSY, NULL);
        return;
    }
    probe->token = token;
    probe->begun_ns = c->node->now_ns;
    probe->deadline_ns = probe->begun_ns + request->timeout_ms * NS_PER_MS;
    probe->try_ns = request->timeout_ms * NS_PER_MS / TRIES_MAX;
    random_bytes(probe->id, sizeof(probe->id));
    probe->next = c->probes;
    c->probes = probe;
    code = probe_open(c, request, probe, &why);
    if (code < 0)
        probe_failed(c, probe, code, why);
}

/* Which try was answered; -1: none. A relay does not say: then it was the last. */
static int answered(const struct path_probe *probe, const uint8_t *data, size_t len)
{
    ngtcp2_version_cid vc;
    unsigned try;

    if (probe->relay) {
        enum relay_answer what = relay_said(data, len).what;

        return what == RELAY_ACK || what == RELAY_ERR ? (int)probe->n_sent - 1 : -1;
    }
    if (ngtcp2_pkt_decode_version_cid(&vc, data, len, NODE_CID_LEN) != 0 || vc.version != 0 ||
        len < 5 || !(data[0] & 0x80) || vc.dcidlen != PROBE_ID_BYTES ||
        memcmp(vc.dcid, probe->id, PROBE_ID_BYTES - 1) != 0)
        return -1; /* not the answer */
    try = vc.dcid[PROBE_ID_BYTES - 1];
    return try < probe->n_sent ? (int)
    try:
        -1;
}

void probe_path_received(struct udp *u, const uint8_t *data, size_t len)
{
    struct path_probe *probe = u->probe;
    struct conn *c = u->conn;
    int try = answered(probe, data, len);
    uint64_t rtt_us;

    if (try < 0)
        return;
    rtt_us = (c->node->now_ns - probe->sent_ns[try]) / 1000;
    event(c->node, "path-probe", "peer=%s conn=%llu result=lives rtt_us=%llu", c->peer->name,
          (unsigned long long)c->number, (unsigned long long)rtt_us);
    pathdog_node_path_probed(c->node->kit, probe->token, rtt_us);
    probe_free(c, probe);
}

/* The kernel says that nothing gets through (an ICMP error, or the interface is gone). */
void probe_path_refused(struct udp *u, int error)
{
    probe_failed(u->conn, u->probe, PATHDOG_NODE_NO_PATH, strerror(error));
}

static uint64_t next_of(const struct path_probe *probe)
{
    uint64_t try_ns = probe->begun_ns + probe->n_sent * probe->try_ns;

    return probe->n_sent < TRIES_MAX && try_ns < probe->deadline_ns ? try_ns : probe->deadline_ns;
}

void probe_path_check(struct conn *c)
{
    for (struct path_probe *probe = c->probes, *next; probe; probe = next) {
        uint64_t now = c->node->now_ns;
        int r = 0;

        next = probe->next;
        if (probe->deadline_ns <= now)
            probe_failed(c, probe, PATHDOG_NODE_TIMEOUT, "timeout");
        else if (next_of(probe) <= now)
            r = probe_send(c, probe);
        if (r < 0 && r != -EAGAIN)
            probe_failed(c, probe, PATHDOG_NODE_NO_PATH, strerror(-r));
    }
}

uint64_t probe_path_next_ns(const struct conn *c)
{
    uint64_t next = UINT64_MAX;

    for (const struct path_probe *probe = c->probes; probe; probe = probe->next)
        next = next_of(probe) < next ? next_of(probe) : next;
    return next;
}

void probe_path_cancel(struct conn *c, pathdog_node_token token)
{
    for (struct path_probe *probe = c->probes; probe; probe = probe->next)
        if (probe->token == token) {
            probe_failed(c, probe, PATHDOG_NODE_CANCELLED, "cancelled");
            return;
        }
}

void probe_path_ended(struct conn *c)
{
    while (c->probes)
        probe_failed(c, c->probes, PATHDOG_NODE_NO_CONN, "the connection has ended");
}
