/* SPDX-License-Identifier: Apache-2.0 */
#include "route-lab.h"

#include "util/util.h"

#include <dirent.h>
#include <linux/netlink.h>
#include <sched.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

extern const struct pd_trigger pathdog_trigger_route;
extern const struct pd_source pathdog_source;

struct kept {
    char kind[16];
    uint64_t query;
    struct pd_field *fields; /* and their texts: its own */
    size_t n_fields;
};

uint64_t now_us(void)
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

void lab_turn(struct lab *lab, uint64_t timeout_us)
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

void lab_wait_advice(struct lab *lab, size_t count)
{
    uint64_t deadline_us = now_us() + PATIENCE_US;

    while (lab->mock.n_advice < count) {
        if (now_us() > deadline_us)
            fail_msg("advice %zu of %zu after 60 s", lab->mock.n_advice, count);
        lab_turn(lab, 10 * MS);
    }
}

void lab_settle(struct lab *lab)
{
    for (unsigned stalled = 0; stalled < 3; stalled++) {
        int r = sd_event_run(lab->host.loop, 0);

        assert_true(r >= 0);
        if (r > 0 || lab->n_queue)
            stalled = 0;
        lab_turn(lab, 0);
    }
}

__attribute__((format(printf, 1, 2))) void ip(const char *format, ...)
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

void sysctl_set(const char *name, const char *value)
{
    char path[96];
    FILE *file;

    snprintf(path, sizeof(path), "/proc/sys/%s", name);
    file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(value, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

void lab_begin(struct lab *lab, const char *options)
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

void lab_end(struct lab *lab)
{
    pathdog_source.stop(lab->source);
    sd_event_unref(lab->host.loop);
    free(lab->queue);
    mock_stop(&lab->mock);
}

void lab_peers(struct lab *lab, const char *local, const char *remote)
{
    mock_peer_up(&lab->mock, "p", local, remote);
    mock_peer_up(&lab->mock, "canary", NULL, "203.0.113.9:9");
    lab_settle(lab);
    assert_int_equal(lab->mock.n_advice, 0);
}

size_t lab_canary(struct lab *lab)
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

void lines_run(const char *format, unsigned count)
{
    FILE *pipe = popen("ip -batch -", "w");

    assert_non_null(pipe);
    for (unsigned i = 0; i < count; i++)
        fprintf(pipe, format, i >> 8 & 255, i & 255);
    assert_int_equal(pclose(pipe), 0);
}

void receive_buffers_shrink(void)
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
