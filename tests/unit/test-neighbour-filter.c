/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watchdog/netlink/neighbour-filter.c: which messages pass. The kernel runs the filter, on a socket
 * that needs no privilege; that it puts these messages together so is for test-route-source.c.
 */
#include "check.h"

#include "netlink/neighbour-filter.h"
#include "util/util.h"

#include <arpa/inet.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <unistd.h>

struct message {
    struct nlmsghdr header;
    struct ndmsg info;
    struct nlattr attribute;
    uint8_t address[16];
};

static void attach(int fd, const struct netlink_neighbour *neighbours, size_t count)
{
    struct sock_filter filter[NEIGHBOUR_FILTER_SIZE];
    struct sock_fprog program = {.filter = filter};

    program.len = (unsigned short)neighbour_filter(neighbours, count, filter);
    assert_true(program.len <= ARRAY_SIZE(filter));
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof(program)), 0);
}

static struct netlink_neighbour neighbour(uint32_t index, const char *text)
{
    struct netlink_neighbour neighbour = {.index = index, .family = strchr(text, ':') ? 6 : 4};

    assert_int_equal(inet_pton(neighbour.family == 4 ? AF_INET : AF_INET6, text, neighbour.address),
                     1);
    return neighbour;
}

static bool passes_bytes(const int fd[2], const void *bytes, size_t size)
{
    char buffer[256];

    assert_int_equal(send(fd[0], bytes, size, 0), size);
    return recv(fd[1], buffer, sizeof(buffer), MSG_DONTWAIT) == (ssize_t)size;
}

static bool passes(const int fd[2], uint16_t type, uint8_t family, const char *address)
{
    struct message message = {
        .header = {.nlmsg_len = sizeof(message), .nlmsg_type = type},
        .info = {.ndm_family = family, .ndm_ifindex = 2, .ndm_state = NUD_FAILED},
        .attribute = {.nla_type = NDA_DST, .nla_len = sizeof(message.attribute) + 4},
    };

    assert_int_equal(offsetof(struct message, address), 32);
    if (inet_pton(AF_INET, address, message.address) != 1)
        assert_int_equal(inet_pton(AF_INET6, address, message.address), 1);
    return passes_bytes(fd, &message, sizeof(message));
}

static void begin(int ret_fd[2])
{
    assert_int_equal(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, ret_fd), 0);
}

static void end(const int fd[2])
{
    close(fd[0]);
    close(fd[1]);
}

static void test_those_that_are_watched(void **state)
{
    const struct netlink_neighbour watched[] = {neighbour(2, "10.0.1.1"), neighbour(3, "fe80::1"),
                                                neighbour(2, "255.254.253.252")};
    int fd[2];

    begin(fd);
    attach(fd[1], watched, ARRAY_SIZE(watched));
    for (uint16_t type = RTM_NEWNEIGH; type <= RTM_DELNEIGH; type++) {
        assert_true(passes(fd, type, AF_INET, "10.0.1.1"));
        assert_true(passes(fd, type, AF_INET, "255.254.253.252"));
        assert_true(passes(fd, type, AF_INET6, "fe80::1"));
        assert_false(passes(fd, type, AF_INET, "10.0.1.2"));
        assert_false(passes(fd, type, AF_INET, "1.1.0.10"));
        assert_false(passes(fd, type, AF_INET6, "fe80::2"));
        assert_false(passes(fd, type, AF_BRIDGE, "10.0.1.1"));
    }
    end(fd);
}

/* Another one is watched, or none. */
static void test_another(void **state)
{
    const struct netlink_neighbour first = neighbour(2, "10.0.1.1"),
                                   second = neighbour(2, "10.0.1.9");
    int fd[2];

    begin(fd);
    attach(fd[1], &first, 1);
    attach(fd[1], &second, 1);
    assert_false(passes(fd, RTM_NEWNEIGH, AF_INET, "10.0.1.1"));
    assert_true(passes(fd, RTM_NEWNEIGH, AF_INET, "10.0.1.9"));
    attach(fd[1], NULL, 0);
    assert_false(passes(fd, RTM_NEWNEIGH, AF_INET, "10.0.1.9"));
    end(fd);
}

static void test_what_is_no_neighbour(void **state)
{
    static const uint16_t types[] = {RTM_NEWLINK, RTM_DELADDR, RTM_NEWROUTE,  RTM_NEWRULE,
                                     NLMSG_DONE,  NLMSG_ERROR, RTM_NEWNEXTHOP};
    const struct nlmsghdr done = {.nlmsg_len = sizeof(done), .nlmsg_type = NLMSG_DONE};
    const struct nlmsghdr cut = {.nlmsg_len = sizeof(cut), .nlmsg_type = RTM_NEWNEIGH};
    int fd[2];

    begin(fd);
    attach(fd[1], NULL, 0);
    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        assert_true(passes(fd, types[i], AF_INET, "10.0.1.1"));
    assert_true(passes_bytes(fd, &done, sizeof(done)));
    assert_false(passes_bytes(fd, &cut, sizeof(cut))); /* a neighbour without an address */
    end(fd);
}

/* As many as there may be, twice: the kernel has room for the new filter beside the old one. */
static void test_as_many_as_there_may_be(void **state)
{
    struct netlink_neighbour watched[NEIGHBOURS_MAX];
    char text[32];
    int fd[2];

    begin(fd);
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < NEIGHBOURS_MAX; i++) {
            snprintf(text, sizeof(text), "%u.%u.0.1", round ? 10 : 192, i);
            watched[i] = neighbour(2, text);
        }
        attach(fd[1], watched, NEIGHBOURS_MAX);
        for (unsigned i = 0; i < 2 * NEIGHBOURS_MAX; i++) {
            snprintf(text, sizeof(text), "%u.%u.0.1", round ? 10 : 192, i & 0xff);
            assert_int_equal(passes(fd, RTM_NEWNEIGH, AF_INET, text), (i & 0xff) < NEIGHBOURS_MAX);
        }
    }
    end(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_those_that_are_watched),
        cmocka_unit_test(test_another),
        cmocka_unit_test(test_what_is_no_neighbour),
        cmocka_unit_test(test_as_many_as_there_may_be),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
