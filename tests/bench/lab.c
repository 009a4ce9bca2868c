/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A network namespace without a name: it goes when the last process and socket
 * in it go, so there is nothing to clean up. Two uplinks, up0 (10.0.1.2/24) and
 * up1 (10.0.2.2/24); their far ends are in it too and have no address.
 */
#include "bench.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char commands[] = "link set lo up\n"
                               "link add up0 type veth peer name far0\n"
                               "link add up1 type veth peer name far1\n"
                               "addr add 10.0.1.2/24 dev up0\n"
                               "addr add 10.0.2.2/24 dev up1\n"
                               "link set far0 up\n"
                               "link set far1 up\n"
                               "link set up0 up\n"
                               "link set up1 up\n"
                               "route replace default via 10.0.1.1 dev up0\n";

/* Addresses of IPv6 come and go by themselves for some seconds. */
static void ipv6_off(void)
{
    int fd = open("/proc/sys/net/ipv6/conf/default/disable_ipv6", O_WRONLY | O_CLOEXEC);

    if (fd < 0)
        return;
    write_all(fd, "1", 1);
    close(fd);
}

void lab_enter(struct lab *lab)
{
    const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK};
    FILE *ip;

    if (unshare(CLONE_NEWNET))
        die("no network namespace: %s (needs root)", strerror(errno));
    ipv6_off();
    ip = popen("ip -batch -", "w");
    if (!ip || fputs(commands, ip) < 0 || pclose(ip))
        die("the uplinks could not be made: is iproute2 there?");
    lab->rtnl = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    if (lab->rtnl < 0 || connect(lab->rtnl, (const struct sockaddr *)&kernel, sizeof(kernel)))
        die("netlink: %s", strerror(errno));
    lab->ifindex[0] = if_nametoindex("up0");
    lab->ifindex[1] = if_nametoindex("up1");
    lab->current = 0;
}

static void attribute(struct nlmsghdr *header, unsigned short type, const void *value)
{
    struct rtattr *rta = (struct rtattr *)(void *)((char *)header + NLMSG_ALIGN(header->nlmsg_len));

    rta->rta_type = type;
    rta->rta_len = RTA_LENGTH(4);
    memcpy(RTA_DATA(rta), value, 4);
    header->nlmsg_len = NLMSG_ALIGN(header->nlmsg_len) + RTA_ALIGN(rta->rta_len);
}

uint64_t lab_flip(struct lab *lab)
{
    struct {
        struct nlmsghdr header;
        struct rtmsg route;
        char attributes[64];
    } request = {
        .header = {.nlmsg_len = NLMSG_LENGTH(sizeof(struct rtmsg)),
                   .nlmsg_type = RTM_NEWROUTE,
                   .nlmsg_flags = NLM_F_REQUEST | NLM_F_CREATE | NLM_F_REPLACE},
        .route = {.rtm_family = AF_INET,
                  .rtm_table = RT_TABLE_MAIN,
                  .rtm_protocol = RTPROT_BOOT,
                  .rtm_scope = RT_SCOPE_UNIVERSE,
                  .rtm_type = RTN_UNICAST},
    };
    struct in_addr gateway;
    uint64_t at_ns;

    lab->current = !lab->current;
    inet_pton(AF_INET, lab->current ? "10.0.2.1" : "10.0.1.1", &gateway);
    attribute(&request.header, RTA_GATEWAY, &gateway);
    attribute(&request.header, RTA_OIF, &lab->ifindex[lab->current]);
    at_ns = now_ns();
    if (send(lab->rtnl, &request, request.header.nlmsg_len, 0) < 0)
        die("RTM_NEWROUTE: %s", strerror(errno));
    return at_ns;
}
