/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Flows without end, for a gateway (test_flows.py):
 *
 * - flow-flood send FLOWS SOURCE TARGET PORT: one datagram each: from SOURCE/24, to TARGET/16 and
 *   PORT, no two of the same addresses and ports. As fast as the kernel takes them.
 * - flow-flood fill FLOWS SOURCE TARGET: so many entries for connection tracking, which nothing
 *   evicts.
 * - flow-flood flush: no entry is left.
 *
 * Prints how many it were. Needs root.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack_udp.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "util/util.h"

#define BATCH           256u
#define DATA_BYTES      32u
#define ENTRY_TIMEOUT_S 600u
#define FIRST_PORT      1024u
#define PORTS           60000u

struct packet {
    struct iphdr ip;
    struct udphdr udp;
    char data[DATA_BYTES];
};

struct flow {
    in_addr_t source, target; /* network byte order */
    uint16_t port;            /* of the source, host byte order */
};

static void fail(const char *what)
{
    fprintf(stderr, "flow-flood: cannot %s: %s\n", what, strerrordesc_np(errno));
    exit(1);
}

/* Of two numbers no flow is the same; neighbours have different addresses. */
static struct flow flow_of(unsigned long number, in_addr_t source, in_addr_t target)
{
    return (struct flow){
        .source = source + htonl((uint32_t)(number % 250 + 1)),
        .target = target + htonl((uint32_t)(number / 250 % 65000 + 1)),
        .port = (uint16_t)(FIRST_PORT + (number + number / (250 * 65000UL)) % PORTS),
    };
}

static void packet_fill(struct packet *packet, const struct flow *flow, uint16_t dport)
{
    *packet = (struct packet){
        .ip = {.version = 4,
               .ihl = 5,
               .ttl = 64,
               .protocol = IPPROTO_UDP,
               .saddr = flow->source,
               .daddr = flow->target},
        /* no checksum: 0 says so in IPv4 */
        .udp = {.source = htons(flow->port),
                .dest = htons(dport),
                .len = htons(sizeof(*packet) - sizeof(struct iphdr))},
    };
}

static unsigned long flood(unsigned long n_flows, in_addr_t source, in_addr_t target,
                           uint16_t dport)
{
    struct packet packets[BATCH];
    struct sockaddr_in to[BATCH];
    struct iovec data[BATCH];
    struct mmsghdr messages[BATCH];
    int fd = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
    unsigned long n_sent = 0;

    if (fd < 0)
        fail("make a raw socket");
    while (n_sent < n_flows) {
        unsigned int n = n_flows - n_sent < BATCH ? (unsigned int)(n_flows - n_sent) : BATCH;
        int r;

        for (unsigned int i = 0; i < n; i++) {
            struct flow flow = flow_of(n_sent + i, source, target);

            packet_fill(&packets[i], &flow, dport);
            to[i] = (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = flow.target};
            data[i] = (struct iovec){.iov_base = &packets[i], .iov_len = sizeof(packets[i])};
            messages[i] = (struct mmsghdr){.msg_hdr = {.msg_name = &to[i],
                                                       .msg_namelen = sizeof(to[i]),
                                                       .msg_iov = &data[i],
                                                       .msg_iovlen = 1}};
        }
        r = sendmmsg(fd, messages, n, 0);
        if (r < 0 && errno != ENOBUFS && errno != EINTR)
            fail("send");
        n_sent += r > 0 ? (unsigned long)r : 0;
    }
    return n_sent;
}

static unsigned long fill(unsigned long n_flows, in_addr_t source, in_addr_t target)
{
    struct nfct_handle *handle = nfct_open(CONNTRACK, 0);
    struct nf_conntrack *entry = nfct_new();
    unsigned long n = 0;

    if (!handle || !entry)
        fail("speak with connection tracking");
    for (; n < n_flows; n++) {
        struct flow flow = flow_of(n, source, target);

        nfct_set_attr_u8(entry, ATTR_L3PROTO, AF_INET);
        nfct_set_attr_u8(entry, ATTR_L4PROTO, IPPROTO_UDP);
        nfct_set_attr_u32(entry, ATTR_IPV4_SRC, flow.source);
        nfct_set_attr_u32(entry, ATTR_IPV4_DST, flow.target);
        nfct_set_attr_u16(entry, ATTR_PORT_SRC, htons(flow.port));
        nfct_set_attr_u16(entry, ATTR_PORT_DST, htons(9));
        nfct_setobjopt(entry, NFCT_SOPT_SETUP_REPLY);
        nfct_set_attr_u32(entry, ATTR_STATUS, IPS_CONFIRMED | IPS_SEEN_REPLY | IPS_ASSURED);
        nfct_set_attr_u32(entry, ATTR_TIMEOUT, ENTRY_TIMEOUT_S);
        if (nfct_query(handle, NFCT_Q_CREATE, entry) < 0) {
            if (errno == ENOSPC || errno == ENOMEM)
                break; /* full */
            fail("make an entry");
        }
    }
    nfct_destroy(entry);
    nfct_close(handle);
    return n;
}

static void flush(void)
{
    struct nfct_handle *handle = nfct_open(CONNTRACK, 0);
    uint8_t family = AF_UNSPEC;

    if (!handle || nfct_query(handle, NFCT_Q_FLUSH, &family) < 0)
        fail("flush connection tracking");
    nfct_close(handle);
}

int main(int argc, char **argv)
{
    bool sends = argc == 6 && !strcmp(argv[1], "send"),
         fills = argc == 5 && !strcmp(argv[1], "fill");
    struct in_addr source, target;
    unsigned long n_flows;

    if (argc == 2 && !strcmp(argv[1], "flush")) {
        flush();
        return 0;
    }
    if ((!sends && !fills) || inet_pton(AF_INET, argv[3], &source) != 1 ||
        inet_pton(AF_INET, argv[4], &target) != 1) {
        fprintf(stderr,
                "flow-flood: send FLOWS SOURCE TARGET PORT | fill FLOWS SOURCE TARGET | flush\n");
        return 2;
    }
    n_flows = strtoul(argv[2], NULL, 10);
    printf("%lu\n", sends ? flood(n_flows, source.s_addr, target.s_addr,
                                  (uint16_t)strtoul(argv[5], NULL, 10))
                          : fill(n_flows, source.s_addr, target.s_addr));
    return 0;
}
