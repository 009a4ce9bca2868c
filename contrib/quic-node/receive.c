/* SPDX-License-Identifier: Apache-2.0 */
/* Datagrams that came in: which connection each of them is for. */
#include "node.h"

#include <errno.h>
#include <string.h>

#define READS_PER_TURN    64
#define FAILURES_PER_TURN 8

static void path_fill(ngtcp2_path *path, struct address *local, struct address *remote)
{
    *path = (ngtcp2_path){.local = {&local->sa, local->len}, .remote = {&remote->sa, remote->len}};
}

/* Where the datagram was sent to; a listening socket on a wildcard has many addresses. */
static void local_from_control(struct msghdr *msg, struct address *local)
{
    for (struct cmsghdr *m = CMSG_FIRSTHDR(msg); m; m = CMSG_NXTHDR(msg, m)) {
        if (m->cmsg_level == IPPROTO_IP && m->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;

            memcpy(&info, CMSG_DATA(m), sizeof(info));
            local->in.sin_addr = info.ipi_addr;
        } else if (m->cmsg_level == IPPROTO_IPV6 && m->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;

            memcpy(&info, CMSG_DATA(m), sizeof(info));
            local->in6.sin6_addr = info.ipi6_addr;
            if (IN6_IS_ADDR_LINKLOCAL(&info.ipi6_addr))
                local->in6.sin6_scope_id = info.ipi6_ifindex;
        }
    }
}

/* RFC 9000 §6.1: a version that is not spoken here; which one is. */
static void version_answer(struct udp *u, const ngtcp2_path *path, const ngtcp2_version_cid *vc)
{
    static const uint32_t versions[] = {NGTCP2_PROTO_VER_V1};
    uint8_t data[1 + 4 + 2 * (1 + NGTCP2_MAX_CIDLEN) + sizeof(versions)], random;
    ngtcp2_ssize n;

    random_bytes(&random, sizeof(random));
    if (vc->dcidlen > NGTCP2_MAX_CIDLEN || vc->scidlen > NGTCP2_MAX_CIDLEN)
        return;
    n = ngtcp2_pkt_write_version_negotiation(data, sizeof(data), random, vc->scid, vc->scidlen,
                                             vc->dcid, vc->dcidlen, versions, 1);
    if (n > 0)
        udp_answer(u, path, data, (size_t)n);
}

/* Of a socket that has peers' connections: the listening one, or one at a relay. There, nobody but
 * who came for a meeting begins one. */
static void server_datagram(struct udp *u, struct address *local, struct address *remote,
                            const uint8_t *data, size_t len)
{
    bool accepts = !u->stand || u->stand->meet;
    ngtcp2_version_cid vc;
    ngtcp2_path path;
    struct conn *c;

    path_fill(&path, local, remote);
    switch (ngtcp2_pkt_decode_version_cid(&vc, data, len, NODE_CID_LEN)) {
    case 0:
        break;
    case NGTCP2_ERR_VERSION_NEGOTIATION: /* of a datagram that is long enough */
        version_answer(u, &path, &vc);
        return;
    default:
        return; /* no QUIC: not our peers */
    }
    c = cid_find(u->node, vc.dcid, vc.dcidlen);
    if (c && !c->dead && !u->stand)
        path_local(c, remote, local);
    if (!c && accepts)
        c = conn_accept(u->node, &path, data, len);
    if (c && !c->dead && u->stand)
        stand_received(u);
    if (c && !c->dead)
        conn_read(c, &path, data, len);
}

static void datagram(struct udp *u, struct msghdr *msg, const uint8_t *data, size_t len)
{
    struct address local = u->local, remote = u->remote;
    ngtcp2_path path;

    if (u->probe) {
        probe_path_received(u, data, len);
        return;
    }
    if (u->reg && relay_received(u, data, len))
        return;
    if (u->conn) {
        path_fill(&path, &local, &remote);
        conn_read(u->conn, &path, data, len);
        return;
    }
    if (!u->stand) {
        if (address_copy(&remote, msg->msg_name, msg->msg_namelen) < 0)
            return;
        local_from_control(msg, &local);
    }
    server_datagram(u, &local, &remote, data, len);
}

/* In this turn it may have been closed. */
static bool is_read(const struct udp *u)
{
    return u->conn ? !u->conn->dead : u->stand || u == &u->node->listen;
}

void receive(struct udp *u)
{
    uint8_t data[2048], control[128];
    int failures = 0;

    for (int i = 0; i < READS_PER_TURN && failures < FAILURES_PER_TURN && is_read(u); i++) {
        struct sockaddr_storage from;
        struct iovec iov = {data, sizeof(data)};
        struct msghdr msg = {.msg_name = &from,
                             .msg_namelen = sizeof(from),
                             .msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = control,
                             .msg_controllen = sizeof(control)};
        ssize_t n = recvmsg(u->fd, &msg, 0);

        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return;
        if (n < 0 && u->probe && errno != EINTR) {
            probe_path_refused(u, errno);
            return;
        }
        if (n < 0) { /* an ICMP error for what was sent from here */
            if (u->conn && errno != EINTR && u->close_at_ns == 0)
                u->conn->send_errors++;
            failures++;
            continue;
        }
        if (n == 0 || msg.msg_flags & MSG_TRUNC)
            continue;
        datagram(u, &msg, data, (size_t)n);
    }
    if (failures < FAILURES_PER_TURN) /* else the next datagram wakes it */
        udp_again(u);
}
