/* SPDX-License-Identifier: Apache-2.0 */
/* The account of the checked bytes: as JSON to a file, as lines at the end. */
#include "node.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define COUNTS (sizeof(names) / sizeof(names[0]))

static const struct {
    const char *name;
    size_t offset;
} names[] = {
    {"bytes_sent", offsetof(struct peer, count.sent)},
    {"bytes_acknowledged", offsetof(struct peer, tx_acked)},
    {"bytes_received", offsetof(struct peer, count.received)},
    {"bytes_verified", offsetof(struct peer, count.verified)},
    {"bytes_lost", offsetof(struct peer, count.lost)},
    {"bytes_corrupt", offsetof(struct peer, count.corrupt)},
    {"bytes_duplicate", offsetof(struct peer, count.duplicate)},
    {"messages_sent", offsetof(struct peer, count.messages_sent)},
    {"messages_received", offsetof(struct peer, count.messages_received)},
    {"connections", offsetof(struct peer, count.connections)},
    {"migrations", offsetof(struct peer, count.migrations)},
    {"migration_failures", offsetof(struct peer, count.migration_failures)},
    {"peer_moves", offsetof(struct peer, count.peer_moves)},
    {"reconnects", offsetof(struct peer, count.reconnects)},
};

static uint64_t count_of(const struct peer *p, size_t i)
{
    return *(const uint64_t *)(const void *)((const char *)p + names[i].offset);
}

/* Since the statistics before these; one that began earlier counts with all of it. */
static uint64_t recent_gap_ns(const struct peer *p)
{
    uint64_t open_ns = p->rx_last_ns ? p->node->now_ns - p->rx_last_ns : 0;

    return open_ns > p->count.recent_gap_ns ? open_ns : p->count.recent_gap_ns;
}

static json_t *peer_json(const struct peer *p)
{
    char text[ADDRESS_TEXT_MAX];
    json_t *o = json_pack("{ss,sb}", "peer", p->name, "up", p->live != NULL);
    uint64_t began_us, gap_ns = traffic_gap_ns(p, &began_us);

    for (size_t i = 0; i < COUNTS; i++)
        json_object_set_new(o, names[i].name, json_integer((json_int_t)count_of(p, i)));
    json_object_set_new(o, "longest_gap_ms", json_real((double)gap_ns / 1e6));
    json_object_set_new(o, "longest_gap_at_us", json_integer((json_int_t)began_us));
    json_object_set_new(o, "gap_ms", json_real((double)recent_gap_ns(p) / 1e6));
    if (p->live) {
        json_object_set_new(o, "conn", json_integer((json_int_t)p->live->number));
        json_object_set_new(o, "role", json_string(p->live->server ? "server" : "client"));
        json_object_set_new(o, "via", json_string(relay_via(p->live)));
        json_object_set_new(o, "local", json_string(address_text(&p->live->local, text)));
        json_object_set_new(o, "remote", json_string(address_text(&p->live->remote, text)));
    }
    return o;
}

static json_t *stats_json(struct node *node)
{
    json_t *peers = json_array(), *total = json_object();
    uint64_t gap_ns = 0, n_up = 0;

    for (size_t i = 0; i < COUNTS; i++) {
        uint64_t sum = 0;

        for (struct peer *p = node->peers; p; p = p->next)
            sum += count_of(p, i);
        json_object_set_new(total, names[i].name, json_integer((json_int_t)sum));
    }
    for (struct peer *p = node->peers; p; p = p->next) {
        uint64_t began_us, gap = traffic_gap_ns(p, &began_us);

        gap_ns = gap > gap_ns ? gap : gap_ns;
        n_up += p->live != NULL;
        json_array_append_new(peers, peer_json(p));
    }
    json_object_set_new(total, "peers_up", json_integer((json_int_t)n_up));
    json_object_set_new(total, "longest_gap_ms", json_real((double)gap_ns / 1e6));
    return json_pack("{ss,ss,sI,sI,so,so}", "node", node->options->name, "boot", node->boot,
                     "time_us", (json_int_t)realtime_us(), "uptime_ms",
                     (json_int_t)((node->now_ns - node->start_ns) / NS_PER_MS), "total", total,
                     "peers", peers);
}

/* What a killed run left under this name is taken away; nothing that is there is written to. */
static int temporary_open(const char *path, FILE **ret_file)
{
    const int flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    int fd = open(path, flags, 0666);

    if (fd < 0 && errno == EEXIST && unlink(path) == 0)
        fd = open(path, flags, 0666);
    if (fd < 0)
        return -errno;
    *ret_file = fdopen(fd, "w");
    if (*ret_file)
        return 0;
    close(fd);
    return -ENOMEM;
}

/* Under another name first, so that a reader never sees half of it. */
int stats_write(struct node *node, const char *path)
{
    char temporary[4096];
    json_t *stats;
    FILE *file = NULL;
    int r;

    if (snprintf(temporary, sizeof(temporary), "%s.%ld", path, (long)getpid()) >=
        (int)sizeof(temporary))
        return -ENAMETOOLONG;
    r = temporary_open(temporary, &file);
    if (r < 0)
        return r;
    stats = stats_json(node);
    if (json_dumpf(stats, file, JSON_INDENT(1) | JSON_REAL_PRECISION(9)) < 0)
        r = -EIO;
    if (fclose(file) && r == 0)
        r = -errno;
    json_decref(stats);
    for (struct peer *p = node->peers; p; p = p->next)
        p->count.recent_gap_ns = 0;
    if (r == 0 && rename(temporary, path) < 0)
        r = -errno;
    if (r < 0)
        unlink(temporary);
    return r;
}

void stats_print(struct node *node)
{
    for (struct peer *p = node->peers; p; p = p->next) {
        uint64_t began_us, gap_ns = traffic_gap_ns(p, &began_us);

        event(node, "total",
              "peer=%s sent=%llu received=%llu verified=%llu lost=%llu corrupt=%llu gap_ms=%.1f "
              "connections=%llu migrations=%llu reconnects=%llu",
              p->name, (unsigned long long)p->count.sent, (unsigned long long)p->count.received,
              (unsigned long long)p->count.verified, (unsigned long long)p->count.lost,
              (unsigned long long)p->count.corrupt, (double)gap_ns / 1e6,
              (unsigned long long)p->count.connections, (unsigned long long)p->count.migrations,
              (unsigned long long)p->count.reconnects);
    }
}
