/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The route trigger against a real kernel: both halves, on a loop, in a network
 * namespace of the test's own with two uplinks. Needs root.
 */
#include "check.h"

#include <pathdog/mock-host.h>

#include "util/util.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/netlink.h>
#include <pathdog/source.h>
#include <sched.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MS     1000ull
#define SECOND 1000000ull
/* For what must come: more than a slow and busy machine needs. */
#define PATIENCE_US (60 * SECOND)

extern const struct pd_trigger pathdog_trigger_route;
extern const struct pd_source pathdog_source;

struct kept {
    char kind[16];
    uint64_t query;
    struct pd_field *fields; /* and their texts: its own */
    size_t n_fields;
};

struct lab {
    struct mock mock;
    struct pd_source_host host;
    void *source;
    struct kept *queue;
    size_t n_queue, capacity;
    size_t n_changed;
    size_t n_overflows;
};

static uint64_t now_us(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec / 1000;
}

/* ---- the source's host ---- */

static void lab_emit(struct pd_source_host *host, const struct pd_signal *signal)
{
    struct lab *lab = (struct lab *)((char *)host - offsetof(struct lab, host));
    struct kept *kept;

    lab->queue = array_reserve(lab->queue, &lab->capacity, lab->n_queue + 1, sizeof(*lab->queue));
    kept = &lab->queue[lab->n_queue++];
    snprintf(kept->kind, sizeof(kept->kind), "%s", signal->kind);
    kept->query = signal->query;
    kept->n_fields = signal->n_fields;
    kept->fields = memory_new(signal->n_fields, sizeof(*kept->fields));
    for (size_t i = 0; i < signal->n_fields; i++) {
        kept->fields[i].name = string_copy(signal->fields[i].name);
        kept->fields[i].text = string_copy(signal->fields[i].text);
        kept->fields[i].number = signal->fields[i].number;
    }
    lab->n_changed += !strcmp(signal->kind, "changed");
}

static void kept_clear(struct kept *kept)
{
    for (size_t i = 0; i < kept->n_fields; i++) {
        free((char *)kept->fields[i].name);
        free((char *)kept->fields[i].text);
    }
    free(kept->fields);
}

static void lab_notice(struct pd_source_host *host, enum pd_level level, const char *what,
                       const char *text)
{
    struct lab *lab = (struct lab *)((char *)host - offsetof(struct lab, host));

    lab->n_overflows += !strcmp(what, "netlink-overflow");
    if (level <= PD_LEVEL_WARNING)
        fail_msg("%s: %s", what, text);
}

static void lab_query(struct mock *mock, const struct pd_query *query)
{
    struct lab *lab = mock->user;

    assert_true(pathdog_source.query(lab->source, query) >= 0);
}

/* ---- running ---- */

static void lab_turn(struct lab *lab, uint64_t timeout_us)
{
    assert_true(sd_event_run(lab->host.loop, timeout_us) >= 0);
    for (size_t i = 0; i < lab->n_queue; i++) {
        struct kept kept = lab->queue[i]; /* the queue may grow meanwhile */
        struct pd_signal signal = {kept.kind, kept.query, kept.fields, kept.n_fields};

        mock_time(&lab->mock, now_us());
        mock_signal_fields(&lab->mock, &signal);
        kept_clear(&kept);
    }
    lab->n_queue = 0;
    mock_time(&lab->mock, now_us());
}

static void lab_wait_advice(struct lab *lab, size_t count)
{
    uint64_t deadline_us = now_us() + PATIENCE_US;

    while (lab->mock.n_advice < count) {
        if (now_us() > deadline_us)
            fail_msg("advice %zu of %zu after 60 s", lab->mock.n_advice, count);
        lab_turn(lab, 10 * MS);
    }
}

static void lab_settle(struct lab *lab)
{
    for (unsigned stalled = 0; stalled < 3; stalled++) {
        int r = sd_event_run(lab->host.loop, 0);

        assert_true(r >= 0);
        if (r > 0 || lab->n_queue)
            stalled = 0;
        lab_turn(lab, 0);
    }
}

__attribute__((format(printf, 1, 2))) static void ip(const char *format, ...)
{
    char arguments[256], command[300];
    va_list list;

    va_start(list, format);
    vsnprintf(arguments, sizeof(arguments), format, list);
    va_end(list);
    snprintf(command, sizeof(command), "ip %s", arguments);
    if (system(command) != 0)
        fail_msg("%s", command);
}

/* The kernel is done with the links: no event of theirs comes later by itself. */
static void links_wait(void)
{
    uint64_t deadline_us = now_us() + PATIENCE_US;

    while (system("ip -o link show up | grep -E '(up|far)[01]@' | grep -qv 'state UP'") == 0) {
        assert_true(now_us() < deadline_us);
        usleep(5000);
    }
}

static void sysctl_set(const char *name, const char *value)
{
    char path[96];
    FILE *file;

    snprintf(path, sizeof(path), "/proc/sys/%s", name);
    file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(value, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void lab_begin(struct lab *lab, const char *options)
{
    struct pd_start start = {.instance = "route", .sample_interval_us = 5 * SECOND};

    if (geteuid() != 0)
        skip();
    *lab = (struct lab){0};
    assert_int_equal(unshare(CLONE_NEWNET), 0);
    sysctl_set("net/ipv6/conf/default/accept_dad", "0");
    ip("link set lo up");
    for (int i = 0; i < 2; i++) {
        ip("link add up%d type veth peer name far%d", i, i);
        ip("addr add 10.0.%d.2/24 dev up%d", i + 1, i);
        ip("addr add fd00:%d::2/64 dev up%d nodad", i + 1, i);
        ip("link set up%d up", i);
        ip("link set far%d up", i);
    }
    links_wait();
    ip("route add default via 10.0.1.1 dev up0");
    ip("-6 route add default via fd00:1::1 dev up0");
    assert_true(sd_event_new(&lab->host.loop) >= 0);
    lab->host.size = sizeof(lab->host);
    lab->host.emit = lab_emit;
    lab->host.notice = lab_notice;
    lab->mock.user = lab;
    lab->mock.on_query = lab_query;
    lab->mock.turn.now_us = now_us();
    assert_int_equal(mock_start(&lab->mock, &pathdog_trigger_route, options), 0);
    start.values = lab->mock.values;
    assert_int_equal(pathdog_source.start(&lab->host, &start, &lab->source), 0);
    lab_settle(lab);
    lab->n_changed = 0;
}

static void lab_end(struct lab *lab)
{
    pathdog_source.stop(lab->source);
    sd_event_unref(lab->host.loop);
    free(lab->queue);
    mock_stop(&lab->mock);
}

/* Peer 0 over the default next hop, peer 1 with a prefix of its own: when that is
 * flipped and told, everything before has been looked at. */
static void lab_peers(struct lab *lab, const char *local, const char *remote)
{
    mock_peer_up(&lab->mock, "p", local, remote);
    mock_peer_up(&lab->mock, "canary", NULL, "203.0.113.9:9");
    lab_settle(lab);
    assert_int_equal(lab->mock.n_advice, 0);
}

static size_t lab_canary(struct lab *lab)
{
    uint64_t deadline_us = now_us() + PATIENCE_US;
    uint32_t before = lab->mock.peers[1].advised;

    ip("route add 203.0.113.0/24 nexthop dev lo");
    while (lab->mock.peers[1].advised == before) {
        assert_true(now_us() < deadline_us);
        lab_turn(lab, 10 * MS);
    }
    return lab->mock.peers[0].advised;
}

struct change {
    const char *name;
    const char *before[4]; /* before the peers are there */
    const char *during[6];
    const char *reason; /* of the advice for peer 0; NULL: none */
    const char *local, *remote, *options;
};

#define FLIP "default route flip: up0 via 10.0.1.1 → up1 via 10.0.2.1"

static const struct change changes[] = {
    {"replace", {0}, {"route replace default via 10.0.2.1 dev up1"}, FLIP},
    {"identical replace", {0}, {"route replace default via 10.0.1.1 dev up0"}, NULL},
    {"del and add", {0}, {"route del default", "route add default via 10.0.2.1 dev up1"}, FLIP},
    {"del and add of the same",
     {0},
     {"route del default", "route add default via 10.0.1.1 dev up0"},
     NULL},
    {"better metric",
     {"route del default", "route add default via 10.0.1.1 dev up0 metric 200"},
     {"route add default via 10.0.2.1 dev up1 metric 100"},
     FLIP},
    {"worse metric", {0}, {"route add default via 10.0.2.1 dev up1 metric 100"}, NULL},
    {"another metric",
     {0},
     {"route add default via 10.0.1.1 dev up0 metric 100",
      "route del default via 10.0.1.1 dev up0 metric 0"},
     NULL},
    {"link down",
     {"route add default via 10.0.2.1 dev up1 metric 200"},
     {"link set up0 down"},
     FLIP},
    {"link deleted", {"route add default via 10.0.2.1 dev up1 metric 200"}, {"link del up0"}, FLIP},
    {"address deleted",
     {"route add default via 10.0.2.1 dev up1 metric 200"},
     {"addr del 10.0.1.2/24 dev up0"},
     FLIP},
    {"own address deleted, way out kept",
     {"addr add 10.0.1.3/24 dev up0"},
     {"addr del 10.0.1.3/24 dev up0"},
     "source address 10.0.1.3 is gone: now 10.0.1.2 on up0 via 10.0.1.1",
     "10.0.1.3:4000"},
    {"preferred source",
     {0},
     {"addr add 10.0.1.3/24 dev up0", "route replace default via 10.0.1.1 dev up0 src 10.0.1.3"},
     NULL},
    {"more specific",
     {0},
     {"route add 192.0.2.0/24 via 10.0.2.1"},
     "route to 192.0.2.0/24 changed: up0 via 10.0.1.1 → up1 via 10.0.2.1"},
    {"halves of a VPN",
     {0},
     {"route add 128.0.0.0/1 via 10.0.2.1"},
     "route to 128.0.0.0/1 changed: up0 via 10.0.1.1 → up1 via 10.0.2.1"},
    {"rule",
     {"route add default via 10.0.2.1 table 100"},
     {"rule add to 192.0.2.0/24 lookup 100"},
     FLIP},
    {"rule deleted",
     {"route add default via 10.0.2.1 table 100", "rule add to 192.0.2.0/24 lookup 100"},
     {"rule del to 192.0.2.0/24 lookup 100"},
     "default route flip: up1 via 10.0.2.1 → up0 via 10.0.1.1"},
    {"rule for elsewhere",
     {"route add default via 10.0.2.1 table 100"},
     {"rule add to 198.51.100.0/24 lookup 100"},
     NULL},
    {"rule by port",
     {"route add default via 10.0.2.1 table 100"},
     {"rule add dport 443 lookup 100 prio 10"},
     FLIP},
    {"rule by another port",
     {"route add default via 10.0.2.1 table 100"},
     {"rule add dport 53 lookup 100 prio 10"},
     NULL},
    {"rule by mark",
     {"route add default via 10.0.1.1 table 100", "rule add fwmark 7 to 192.0.2.0/24 lookup 100"},
     {"route replace default via 10.0.2.1 table 100"},
     FLIP,
     .options = "settle=0 mark=7"},
    {"rule by source",
     {"route add default via 10.0.1.1 table 100", "rule add from 10.0.1.2 lookup 100"},
     {"route replace default via 10.0.2.1"},
     NULL,
     "10.0.1.2:4000"},
    {"rule by user",
     {"route add default via 10.0.2.1 table 100"},
     {"rule add uidrange 1000-1000 to 192.0.2.0/24 lookup 100"},
     FLIP,
     .options = "settle=0 uid=1000"},
    {"nexthop object",
     {"nexthop add id 7 via 10.0.1.1 dev up0", "route add 192.0.2.0/24 nhid 7"},
     {"nexthop replace id 7 via 10.0.2.1 dev up1"},
     "route to 192.0.2.0/24 changed: up0 via 10.0.1.1 → up1 via 10.0.2.1"},
    {"MTU", {0}, {"link set up0 mtu 1400", "route replace default via 10.0.1.1 mtu 1300"}, NULL},
    {"unreachable", {0}, {"route add unreachable 192.0.2.0/24"}, NULL},
    {"IPv6 router advertised",
     {"-6 route del default", "-6 route add default via fe80::1 dev up0 proto ra expires 600"},
     {"-6 route del default via fe80::1 dev up0 proto ra",
      "-6 route add default via fe80::2 dev up1 proto ra expires 600"},
     "default route flip: up0 via fe80::1 → up1 via fe80::2",
     NULL,
     "[2001:db8::1]:443"},
    {"IPv6 unreachable",
     {0},
     {"-6 route add unreachable 2001:db8::/32"},
     NULL,
     NULL,
     "[2001:db8::1]:443"},
    {"IPv6 router with a lifetime renewed",
     {"-6 route del default", "-6 route add default via fe80::1 dev up0 proto ra expires 600"},
     {"-6 route replace default via fe80::1 dev up0 proto ra expires 900"},
     NULL,
     NULL,
     "[2001:db8::1]:443"},
    {"IPv6 more specific",
     {0},
     {"-6 route add 2001:db8::/48 via fd00:2::1"},
     "route to 2001:db8::/48 changed: up0 via fd00:1::1 → up1 via fd00:2::1",
     NULL,
     "[2001:db8::1]:443"},
    {"IPv4 gateway that is IPv6",
     {0},
     {"-4 route replace default via inet6 fe80::2 dev up1"},
     "default route flip: up0 via 10.0.1.1 → up1 via fe80::2"},
    {"unknown remote",
     {0},
     {"route replace default via 10.0.2.1 dev up1"},
     "default route flip: up0 via 10.0.1.1 and up0 via fd00:1::1 → up1 via 10.0.2.1 and up0 via "
     "fd00:1::1",
     NULL,
     ""},
    {"unknown remote, the other family",
     {0},
     {"-6 route replace default via fd00:2::1 dev up1"},
     NULL,
     "10.0.1.2:4000",
     ""},
    {"containers come and go",
     {0},
     {"link add docker0 type veth peer name veth0", "addr add 172.17.0.1/16 dev docker0",
      "link set docker0 up", "link set veth0 up", "link del docker0"},
     NULL},
};

static void check_change(const struct change *change)
{
    struct lab lab;

    print_message("  %s\n", change->name);
    lab_begin(&lab, change->options ? change->options : "settle=0");
    for (size_t i = 0; i < 4 && change->before[i]; i++)
        ip("%s", change->before[i]);
    lab_settle(&lab);
    lab_peers(&lab, change->local,
              change->remote && !change->remote[0] ? NULL
              : change->remote                     ? change->remote
                                                   : "192.0.2.1:443");
    for (size_t i = 0; i < 6 && change->during[i]; i++) {
        ip("%s", change->during[i]);
        lab_settle(&lab);
    }
    assert_int_equal(lab_canary(&lab), change->reason ? 1 : 0);
    for (size_t i = 0; i < lab.mock.n_advice; i++) {
        if (lab.mock.advice[i].peer != 0)
            continue;
        assert_non_null(change->reason);
        assert_string_equal(lab.mock.advice[i].reason, change->reason);
    }
    lab_end(&lab);
}

static void test_changes(void **state)
{
    for (size_t i = 0; i < ARRAY_SIZE(changes); i++)
        check_change(&changes[i]);
}

static void test_carrier(void **state)
{
    struct lab lab;
    uint64_t deadline_us = now_us() + PATIENCE_US;

    lab_begin(&lab, "settle=0");
    ip("route add default via 10.0.2.1 dev up1 metric 200");
    lab_peers(&lab, NULL, "192.0.2.1:443");
    ip("link set far0 down"); /* the kernel goes on naming up0 */
    while (!lab.mock.n_notices) {
        assert_true(now_us() < deadline_us);
        lab_turn(&lab, 10 * MS);
    }
    assert_string_equal(lab.mock.notices[0].what, "no-way-out");
    assert_non_null(strstr(lab.mock.notices[0].text, "no-carrier"));
    assert_int_equal(lab.mock.n_advice, 0);
    ip("link set far0 up");
    assert_int_equal(lab_canary(&lab), 0);
    ip("link set far0 down");
    ip("route del default dev up0");
    lab_wait_advice(&lab, 2);
    assert_string_equal(lab.mock.advice[1].reason, FLIP);
    lab_end(&lab);
}

static void test_first_sight(void **state)
{
    struct lab lab;

    lab_begin(&lab, "settle=0");
    mock_peer_up(&lab.mock, "a", "10.99.9.9:4000", "192.0.2.1:443");
    mock_peer_up(&lab.mock, "b", "10.0.1.2:4000", "192.0.2.1:443");
    mock_peer_up(&lab.mock, "c", "127.0.0.77:4000",
                 "127.0.0.1:443"); /* on no interface, but ours */
    lab_wait_advice(&lab, 1);
    lab_settle(&lab);
    assert_int_equal(lab.mock.n_advice, 1);
    assert_int_equal(lab.mock.advice[0].peer, 0);
    lab_end(&lab);
}

static void test_what_says_nothing(void **state)
{
    struct lab lab;

    lab_begin(&lab, "settle=0");
    lab_peers(&lab, NULL, "192.0.2.1:443");
    lab.n_changed = 0;
    ip("link set up0 mtu 1400");
    ip("link set up0 promisc on");
    ip("link set up0 txqueuelen 77");
    ip("link add docker0 type veth peer name veth9");
    ip("link set docker0 address 02:00:00:00:00:09");
    ip("link del docker0");
    ip("addr change 10.0.1.2/24 dev up0 valid_lft 900 preferred_lft 800");
    ip("neigh add 10.0.1.77 lladdr 02:00:00:00:00:01 dev up0");
    lab_settle(&lab);
    assert_int_equal(lab.n_changed, 0);
    ip("addr add 10.0.1.9/24 dev up0");
    lab_settle(&lab);
    assert_true(lab.n_changed > 0);
    lab_end(&lab);
}

static void lines_run(const char *format, unsigned count)
{
    FILE *pipe = popen("ip -batch -", "w");

    assert_non_null(pipe);
    for (unsigned i = 0; i < count; i++)
        fprintf(pipe, format, i >> 8 & 255, i & 255);
    assert_int_equal(pclose(pipe), 0);
}

static void receive_buffers_shrink(void)
{
    DIR *directory = opendir("/proc/self/fd");
    struct dirent *entry;
    int size = 1;

    while ((entry = readdir(directory))) {
        int fd = atoi(entry->d_name), domain = 0;
        struct sockaddr_nl name = {0};
        socklen_t length = sizeof(domain);

        if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &length) < 0 || domain != AF_NETLINK)
            continue;
        length = sizeof(name);
        if (getsockname(fd, (struct sockaddr *)&name, &length) == 0 && name.nl_groups)
            assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)), 0);
    }
    closedir(directory);
}

/* A row of a connection that has waited for 3 s. */
static void lab_stalls(struct lab *lab, uint32_t peer)
{
    struct pd_row row = mock_row();

    row.v[PD_IN_FLIGHT_BYTES] = 1200;
    row.v[PD_SILENT_MS] = row.v[PD_UNACKED_MS] = 3000;
    mock_sample(&lab->mock, peer, &row, false);
}

static void lab_wait_withdrawn(struct lab *lab, uint32_t peer, uint32_t count)
{
    uint64_t deadline_us = now_us() + PATIENCE_US;

    while (lab->mock.peers[peer].withdrawn < count) {
        assert_true(now_us() < deadline_us);
        lab_turn(lab, 10 * MS);
    }
    lab_settle(lab);
}

/* The kernel says so only of one that was known before. */
static void gateway_fails(const char *gateway, const char *interface)
{
    ip("neigh replace %s lladdr 02:00:00:00:00:01 dev %s nud stale", gateway, interface);
    ip("neigh replace %s lladdr 02:00:00:00:00:01 dev %s nud failed", gateway, interface);
}

#define LLADDR "lladdr 02:00:00:00:00:01 dev up0 nud "

/* The kernel's own messages pass the filter: that of a gateway in use, and no other's. */
static void check_gateway(struct lab *lab, uint32_t peer, const char *gateway, const char *words)
{
    size_t n_changed = lab->n_changed;
    char reason[128];

    ip("neigh replace %s " LLADDR "stale", gateway);
    lab_settle(lab);
    assert_int_equal(lab->n_changed, n_changed);
    ip("neigh replace %s " LLADDR "failed", gateway);
    lab_settle(lab);
    assert_true(lab->n_changed > n_changed); /* the kernel may take another route */
    lab_stalls(lab, peer);
    assert_int_equal(lab->mock.n_advice, 1);
    assert_int_equal(lab->mock.advice[0].peer, peer);
    assert_int_equal(lab->mock.advice[0].kind, PD_KIND_DEAD);
    snprintf(reason, sizeof(reason), "gateway %s on up0 does not answer %s", gateway, words);
    assert_string_equal(lab->mock.advice[0].reason, reason);
    ip("neigh replace %s " LLADDR "incomplete", gateway); /* asked again: no answer */
    lab_settle(lab);
    assert_int_equal(lab->mock.peers[peer].withdrawn, 0);
    ip("neigh replace %s " LLADDR "reachable", gateway);
    lab_wait_withdrawn(lab, peer, 1);
    ip("neigh replace %s " LLADDR "failed", gateway);
    lab_settle(lab);
    lab_stalls(lab, peer);
    assert_int_equal(lab->mock.n_advice, 2);
    ip("neigh del %s dev up0", gateway); /* not known any more */
    lab_wait_withdrawn(lab, peer, 2);
    mock_clear(&lab->mock);
}

static void test_gateway(void **state)
{
    struct lab lab;

    lab_begin(&lab, "settle=0");
    ip("-6 route replace default via fe80::77 dev up0");
    ip("route add 198.51.100.0/24 via 10.0.1.78 dev up0 table 77");
    ip("rule add to 198.51.100.0/24 lookup 77");
    ip("route add 203.0.113.128/25 via inet6 fe80::79 dev up0");
    lab_peers(&lab, NULL, "192.0.2.1:443");
    mock_peer_up(&lab.mock, "six", NULL, "[2001:db8::1]:443");
    mock_peer_up(&lab.mock, "another table", NULL, "198.51.100.1:443");
    mock_peer_up(&lab.mock, "of the other family", NULL, "203.0.113.129:443");
    lab_settle(&lab);
    check_gateway(&lab, 0, "10.0.1.1", "ARP");
    check_gateway(&lab, 2, "fe80::77", "neighbour solicitations");
    check_gateway(&lab, 3, "10.0.1.78", "ARP");
    check_gateway(&lab, 4, "fe80::79", "neighbour solicitations");
    lab_end(&lab);
}

/* Of IPv6 the kernel takes the next best route then, be it less specific, and says nothing. */
static void test_gateway_and_another_route(void **state)
{
    struct lab lab;

    lab_begin(&lab, "settle=0");
    ip("-6 route add 2001:db8::/32 via fd00:2::1 dev up1");
    lab_peers(&lab, NULL, "[2001:db8::1]:443");
    gateway_fails("fd00:2::1", "up1");
    lab_wait_advice(&lab, 1);
    lab_settle(&lab);
    lab_stalls(&lab, 0);
    assert_int_equal(lab.mock.n_advice, 1);
    assert_int_equal(lab.mock.advice[0].kind, PD_KIND_MOVED);
    assert_string_equal(lab.mock.advice[0].reason,
                        "route changed: up1 via fd00:2::1 → up0 via fd00:1::1");
    ip("neigh replace fd00:2::1 lladdr 02:00:00:00:00:01 dev up1 nud reachable");
    lab_wait_withdrawn(&lab, 0, 1);
    assert_int_equal(lab.mock.n_advice, 1);
    lab_end(&lab);
}

/* Thousands of neighbours that nobody uses, and which are told again and again: none of that is
 * ever read, however small the buffer. */
static void test_thousands_of_neighbours(void **state)
{
    struct lab lab;

    lab_begin(&lab, "settle=0");
    ip("addr add 10.100.255.1/16 dev up0");
    lab_peers(&lab, NULL, "192.0.2.1:443");
    receive_buffers_shrink();
    lab.n_changed = 0;
    for (unsigned i = 0; i < 10; i++) { /* the kernel keeps no more than 1000 entries at a time */
        lines_run("neigh replace 10.100.%u.%u " LLADDR "reachable\n", 400);
        lines_run("neigh replace 10.100.%u.%u " LLADDR "failed\n", 400);
    }
    assert_int_equal(sd_event_run(lab.host.loop, 0), 0); /* nobody was woken */
    gateway_fails("10.0.1.1", "up0");
    lab_settle(&lab);
    assert_int_equal(lab.n_changed, 1);
    assert_int_equal(lab.n_overflows, 0);
    lab_stalls(&lab, 0);
    assert_int_equal(lab.mock.n_advice, 1);
    ip("link del up0"); /* its entries count for all namespaces, and these go later */
    lab_end(&lab);
}

/* Messages were lost, and that it answers again may be among them. */
static void test_gateway_and_lost_messages(void **state)
{
    struct lab lab;

    lab_begin(&lab, "settle=0");
    lab_peers(&lab, NULL, "192.0.2.1:443");
    receive_buffers_shrink();
    gateway_fails("10.0.1.1", "up0");
    lab_settle(&lab);
    lab_stalls(&lab, 0);
    assert_int_equal(lab.mock.n_advice, 1);
    lines_run("route add 198.18.%u.%u/32 via 10.0.2.1\n", 500);
    ip("neigh replace 10.0.1.1 " LLADDR "reachable");
    lab_wait_withdrawn(&lab, 0, 1);
    assert_true(lab.n_overflows > 0);
    gateway_fails("10.0.1.1", "up0"); /* watched as before */
    lab_settle(&lab);
    lab_stalls(&lab, 0);
    assert_int_equal(lab.mock.n_advice, 2);
    lab_end(&lab);
}

/* Of equal-cost next hops one fails. Where the kernel takes that into account, it is `moved`. */
static void test_equal_cost(void **state)
{
    struct lab lab;

    for (unsigned use = 0; use < 2; use++) {
        uint32_t n_moved = 0, n_dead = 0;
        char remote[32];

        lab_begin(&lab, "settle=0");
        sysctl_set("net/ipv4/fib_multipath_use_neigh", use ? "1" : "0");
        ip("addr add 10.0.1.102/24 dev up0");
        ip("neigh replace 10.0.1.1 " LLADDR "reachable");
        ip("neigh replace 10.0.1.101 " LLADDR "reachable");
        ip("route replace default nexthop via 10.0.1.1 dev up0 nexthop via 10.0.1.101 dev up0");
        for (uint32_t i = 0; i < 32; i++) {
            snprintf(remote, sizeof(remote), "192.0.2.%u:443", i + 1);
            mock_peer_up(&lab.mock, "a", NULL, remote);
        }
        lab_settle(&lab);
        ip("neigh replace 10.0.1.101 " LLADDR "failed");
        lab_settle(&lab);
        for (uint32_t i = 0; i < 32; i++)
            lab_stalls(&lab, i);
        lab_wait_advice(&lab, 1); /* it waits for whether the gateway answers at once */
        lab_settle(&lab);
        for (size_t i = 0; i < lab.mock.n_advice; i++) {
            n_moved += lab.mock.advice[i].kind == PD_KIND_MOVED;
            n_dead += lab.mock.advice[i].kind == PD_KIND_DEAD;
        }
        assert_int_equal(use ? n_dead : n_moved, 0);
        assert_true(n_moved + n_dead > 0 && n_moved + n_dead < 32);
        print_message("  %u moved, %u dead of 32 over two next hops\n", n_moved, n_dead);
        lab_end(&lab);
    }
}

static void test_thousands_of_routes(void **state)
{
    struct lab lab;

    lab_begin(&lab, "settle=0");
    lab_peers(&lab, NULL, "192.0.2.1:443");
    lines_run("route add 198.18.%u.%u/32 via 10.0.2.1\n", 5000);
    assert_int_equal(lab_canary(&lab), 0);
    assert_int_equal(lab.n_overflows, 0); /* the buffer holds them all */
    print_message("  5000 routes more: asked %zu times\n", lab.n_changed);
    lab_end(&lab);
}

static void test_lost_messages(void **state)
{
    struct lab lab;

    lab_begin(&lab, "settle=0");
    ip("addr add 10.0.1.3/24 dev up0");
    lab_settle(&lab);
    lab_peers(&lab, "10.0.1.3:4000", "192.0.2.1:443");
    receive_buffers_shrink();
    /* Nobody reads meanwhile; what matters is among what is lost. */
    lines_run("route add 198.18.%u.%u/32 via 10.0.2.1\n", 500);
    ip("addr del 10.0.1.3/24 dev up0");
    lab_wait_advice(&lab, 1);
    assert_int_equal(lab.mock.advice[0].peer, 0);
    assert_true(lab.n_overflows > 0);
    lab_settle(&lab); /* the canary was still to be looked up */
    ip("addr add 10.0.1.3/24 dev up0");
    lab_canary(&lab);
    assert_int_equal(lab.mock.peers[0].withdrawn, 1);
    lab_end(&lab);
}

static void test_many_keys(void **state)
{
    struct lab lab;
    char remote[32];
    uint64_t begin_us, longest_us = 0;

    lab_begin(&lab, "settle=0");
    lab.mock.count_only = true;
    for (unsigned i = 0; i < 5000; i++) {
        snprintf(remote, sizeof(remote), "192.0.%u.%u:443", i / 200, i % 200 + 1);
        mock_peer_up(&lab.mock, "p", NULL, remote);
    }
    lab_settle(&lab);
    ip("route replace default via 10.0.2.1 dev up1");
    begin_us = now_us();
    while (lab.mock.n_advice < 5000) {
        uint64_t turn_us = now_us();

        assert_true(turn_us < begin_us + PATIENCE_US);
        assert_true(sd_event_run(lab.host.loop, 10 * MS) >= 0);
        turn_us = now_us() - turn_us;
        if (turn_us > longest_us)
            longest_us = turn_us;
        lab_turn(&lab, 0);
    }
    print_message("  5000 keys: %" PRIu64 " us, the source at a time at most %" PRIu64 " us\n",
                  now_us() - begin_us, longest_us);
    lab_settle(&lab);
    assert_int_equal(lab.mock.n_advice, 5000);
    lab_end(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_changes),
        cmocka_unit_test(test_carrier),
        cmocka_unit_test(test_first_sight),
        cmocka_unit_test(test_what_says_nothing),
        cmocka_unit_test(test_gateway),
        cmocka_unit_test(test_gateway_and_another_route),
        cmocka_unit_test(test_thousands_of_neighbours),
        cmocka_unit_test(test_gateway_and_lost_messages),
        cmocka_unit_test(test_equal_cost),
        cmocka_unit_test(test_thousands_of_routes),
        cmocka_unit_test(test_lost_messages),
        cmocka_unit_test(test_many_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
