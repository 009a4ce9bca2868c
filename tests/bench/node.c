/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The node that pathdog talks to: as many peers as wanted, every move granted
 * at once. It believes that lines look the way pathdog writes them. It may
 * write without looking whether it can: pathdog always reads.
 */
#include "bench.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/sockios.h>

#define ROWS_IN_LINE 256
#define OUT_BYTES    (256u * 1024)
#define SLOWER_US    430000

static const char *const columns[COLUMNS_MAX] = {
    "srtt_us",
    "latest_rtt_us",
    "min_rtt_us",
    "rttvar_us",
    "rtt_samples",
    "cwnd_bytes",
    "in_flight_bytes",
    "congested",
    "in_recovery",
    "pto_count",
    "bytes_sent",
    "bytes_received",
    "packets_lost",
    "send_errors",
    "silent_ms",
    "unacked_ms",
    "unacked_bytes",
    "acked_bytes",
    "packets_sent",
    "pto_us",
    "lease_ms",
    "lease_sent_bytes",
    "lease_received_bytes",
    "lease_bytes",
};

/* ---- what is told ---- */

static void columns_add(struct bytes *text)
{
    bytes_string(text, "{\"jsonrpc\":\"2.0\",\"method\":\"summaries\",\"params\":{\"columns\":"
                       "[\"conn\"");
    for (uint32_t i = 0; i < options->columns; i++)
        bytes_format(text, ",\"%s\"", columns[i]);
    bytes_string(text, "],\"rows\":[");
}

/* A healthy connection: every value plausible, most of them new in each round. */
static void row_add(struct bytes *text, uint64_t conn, uint32_t round, bool slow)
{
    uint64_t srtt = 20000 + (conn * 7919 + round * 131u) % 9000 + (slow ? SLOWER_US : 0);
    uint64_t in_flight = (conn + round) % 4 ? 1200 * (conn % 9 + 1) : 0;
    const uint64_t values[1 + COLUMNS_MAX] = {
        conn,
        srtt,
        srtt + (conn * 31 + round * 17u) % 900,
        14000 + conn % 6000,
        900 + (conn + round * 7u) % 600,
        8 * (uint64_t)round + conn % 50 + 1,
        120000 + conn * 1200 % 64000,
        in_flight,
        0,
        0,
        0,
        800000 + conn % 90000 + 52000 * (uint64_t)round,
        700000 + conn % 80000 + 48000 * (uint64_t)round,
        conn % 40 + round,
        0,
        (conn * 13 + round * 29u) % 800,
        in_flight ? (conn + round) % 30 : 0,
        in_flight,
        790000 + conn % 90000 + 51000 * (uint64_t)round,
        700 + conn % 80 + 45 * (uint64_t)round,
        srtt + 29000 + conn % 600,
        1800000 - 5000 * (uint64_t)round % 1700000 - conn % 9000,
        1073741824 - conn % 90000 - 52000 * (uint64_t)round,
        1073741824 - conn % 80000 - 48000 * (uint64_t)round,
        1073741824 - conn % 90000 - 52000 * (uint64_t)round,
    };

    for (uint32_t i = 0; i <= options->columns; i++) {
        bytes_add(text, i ? "," : "[", 1);
        bytes_number(text, values[i]);
    }
    bytes_add(text, "]", 1);
}

void node_rows(const struct node *node, struct bytes *text)
{
    for (uint32_t i = 0; i < options->peers; i++) {
        if (i % ROWS_IN_LINE == 0)
            columns_add(text);
        else
            bytes_add(text, ",", 1);
        row_add(text, i + 1, node->round, node->slow);
        if (i % ROWS_IN_LINE == ROWS_IN_LINE - 1 || i + 1 == options->peers)
            bytes_string(text, "]}}\n");
    }
}

static void flush_if_full(struct node *node)
{
    if (node->out.length < OUT_BYTES)
        return;
    write_all(node->reader.fd, node->out.bytes, node->out.length);
    node->out.length = 0;
}

static void flush(struct node *node)
{
    write_all(node->reader.fd, node->out.bytes, node->out.length);
    node->out.length = 0;
}

static void peer_up_add(struct bytes *text, uint32_t conn)
{
    char name[256];
    uint32_t key = (conn - 1) % options->keys;

    snprintf(name, sizeof(name), "%08u%.*s", conn, (int)options->name_bytes - 8,
             "@a-peer-with-a-name-of-some-length.of-a-domain.example.net.and-longer-still");
    bytes_format(text,
                 "{\"jsonrpc\":\"2.0\",\"method\":\"peer_up\",\"params\":{\"peer\":\"%s\","
                 "\"conn\":%u,\"role\":\"client\"",
                 name, conn);
    if (options->addresses)
        bytes_format(text, ",\"local\":\"10.0.1.2:9100\",\"remote\":\"10.%u.%u.%u:9100\"",
                     64 + (key >> 16), key >> 8 & 255, key & 255);
    bytes_string(text, "}}\n");
}

/* ---- what is asked ---- */

static void answer_subscribe(struct node *node, uint64_t id)
{
    for (uint32_t conn = 1; conn <= options->peers; conn++) {
        peer_up_add(&node->out, conn);
        flush_if_full(node);
    }
    bytes_format(&node->out, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":{\"peers\":%u}}\n",
                 (unsigned long long)id, options->peers);
}

static void answer_move(struct node *node, uint64_t id, const char *line, size_t length)
{
    static const char other[] = "\"interface\":\"up1\"";
    bool moves = node->lab->current || memmem(line, length, other, sizeof(other) - 1);

    bytes_string(&node->out, "{\"jsonrpc\":\"2.0\",\"id\":");
    bytes_number(&node->out, id);
    bytes_string(&node->out,
                 moves ? ",\"result\":{\"local\":\"10.0.2.2:9100\",\"validated\":true}}\n"
                       : ",\"result\":{\"local\":\"10.0.1.2:9100\",\"validated\":true}}\n");
    node->moves_answered++;
    flush_if_full(node);
}

static void answer_summary(struct node *node, uint64_t id, const char *line, size_t length)
{
    const char *conns = memmem(line, length, "\"conns\":[", 9);
    uint64_t rows = 0;

    node->round++;
    if (!conns) {
        node->summaries_asked++;
        if (node->hold_summaries) {
            node->held_id = id;
            return;
        }
        node_rows(node, &node->out);
        rows = options->peers;
    } else {
        columns_add(&node->out);
        for (conns += 9; *conns != ']'; conns += *conns == ',') {
            char *end;

            if (rows++)
                bytes_add(&node->out, ",", 1);
            row_add(&node->out, strtoull(conns, &end, 10), node->round, node->slow);
            conns = end;
        }
        bytes_string(&node->out, "]}}\n");
    }
    bytes_format(&node->out, "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":{\"rows\":%llu}}\n",
                 (unsigned long long)id, (unsigned long long)rows);
    flush_if_full(node);
}

static bool is_method(const char *method, const char *name)
{
    size_t length = strlen(name);

    return !memcmp(method, name, length) && method[length] == '"';
}

static void handle_line(struct node *node, const char *line, size_t length)
{
    static const char begin[] = "{\"jsonrpc\":\"2.0\",\"id\":", middle[] = ",\"method\":\"";
    char *method;
    uint64_t id;

    if (length < 40 || memcmp(line, begin, sizeof(begin) - 1))
        die("not a request: %.*s", (int)length, line);
    id = strtoull(line + sizeof(begin) - 1, &method, 10);
    if (memcmp(method, middle, sizeof(middle) - 1))
        die("not a request: %.*s", (int)length, line);
    method += sizeof(middle) - 1;
    if (is_method(method, "migrate_peer"))
        answer_move(node, id, line, length);
    else if (is_method(method, "summary"))
        answer_summary(node, id, line, length);
    else if (is_method(method, "subscribe"))
        answer_subscribe(node, id);
    else if (is_method(method, "hello"))
        bytes_format(&node->out,
                     "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":{\"protocol\":1,\"node\":"
                     "\"bench\",\"implementation\":\"bench\",\"boot\":\"%d\",\"features\":[%s]}}\n",
                     (unsigned long long)id, getpid(),
                     options->uplinks > 1 ? "\"bind\",\"probe_path\"" : "");
    else if (is_method(method, "probe_path")) /* the other uplink is fast */
        bytes_format(&node->out,
                     "{\"jsonrpc\":\"2.0\",\"id\":%llu,\"result\":{\"rtt_us\":20000}}\n",
                     (unsigned long long)id);
    else
        die("asked for something else: %.*s", (int)length, line);
}

void node_handle(struct node *node)
{
    const char *line;
    size_t length;

    while ((line = reader_line(&node->reader, &length)))
        handle_line(node, line, length);
    flush(node);
}

void node_tell_peer(struct node *node, uint32_t conn, bool up)
{
    if (up)
        peer_up_add(&node->out, conn);
    else
        bytes_format(&node->out,
                     "{\"jsonrpc\":\"2.0\",\"method\":\"peer_down\",\"params\":{\"conn\":%u}}\n",
                     conn);
}

static bool all_taken(const struct node *node)
{
    int left = 0;

    return ioctl(node->reader.fd, SIOCOUTQ, &left) == 0 && !left;
}

void node_settle(struct node *node, uint64_t quiet_us)
{
    uint64_t used = 0, since_ns = now_ns(), limit_ns = since_ns + 60000000000u;
    struct pollfd poller = {.fd = node->reader.fd, .events = POLLIN};

    while (now_ns() - since_ns < quiet_us * 1000) {
        uint64_t before = used;

        if (poll(&poller, 1, 0) > 0) {
            reader_poll(&node->reader);
            node_handle(node);
            since_ns = now_ns();
        }
        used = child_cpu_ns(node->daemon);
        if (used != before || !all_taken(node))
            since_ns = now_ns();
        if (now_ns() > limit_ns)
            die("the daemon has not come to rest within 60 s");
        if (quiet_us >= 1000)
            usleep(200);
    }
}

/* ---- its beginning and end ---- */

static int listen_at(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (strlen(path) >= sizeof(address.sun_path))
        die("%s: too long for a socket", path);
    strcpy(address.sun_path, path);
    unlink(path);
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) || listen(fd, 4))
        die("%s: %s", path, strerror(errno));
    return fd;
}

void node_start(struct node *node, struct lab *lab)
{
    struct pollfd poller = {.events = POLLIN};
    uint64_t begin_ns = now_ns();
    char path[512];

    *node = (struct node){.lab = lab};
    snprintf(path, sizeof(path), "%s/node", options->directory);
    node->listener = poller.fd = listen_at(path);
    node->daemon = daemon_start(path);
    if (poll(&poller, 1, 20000) <= 0)
        die("the daemon did not connect within 20 s");
    node->reader.fd = accept4(node->listener, NULL, NULL, SOCK_CLOEXEC);
    if (node->reader.fd < 0)
        die("accept: %s", strerror(errno));
    poller.fd = node->reader.fd;
    /* hello, subscribe, and the first round of all */
    while (!node->summaries_asked) {
        if (poll(&poller, 1, 20000) <= 0)
            die("the daemon asks for no summary");
        reader_poll(&node->reader);
        node_handle(node);
    }
    node_settle(node, 20000);
    progress("%u peers are known after %.0f ms, %.1f ms of the daemon's CPU time", options->peers,
             (double)(now_ns() - begin_ns) / 1e6, (double)child_cpu_ns(node->daemon) / 1e6);
    if (options->pause) {
        fprintf(stderr, "pid %d\n", node->daemon);
        sleep(3);
    }
}

void node_stop(struct node *node)
{
    child_end(node->daemon);
    close(node->reader.fd);
    close(node->listener);
    free(node->reader.kept.bytes);
    free(node->out.bytes);
}
