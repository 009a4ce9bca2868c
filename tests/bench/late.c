/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How late the loop is at worst while it has much to log, while it saves what it has learnt, and
 * while clients of the control socket ask what costs the most: by the time that a question at that
 * socket takes, which is served after the node and the triggers.
 */
#include "bench.h"

#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define TURN_US   1000
#define FLIP_MS   250
#define WINDOW_MS 1000

struct load {
    struct node *node;
    struct lab *lab;
    uint32_t next_conn;
    uint64_t records; /* made so far of peers that come and go */
    uint64_t flipped_ns;
    double first_us[1024]; /* from a flip to the first request */
    uint32_t n_first;
};

/* Peers that come and go, one record each: as many as are due. */
static void load_peers(struct load *load, uint64_t due)
{
    for (; load->records < due; load->records++) {
        bool up = load->records % 2 == 0;

        if (up)
            load->next_conn++;
        node_tell_peer(load->node, load->next_conn, up);
    }
}

static void load_flip(struct load *load)
{
    reader_begin(&load->node->reader);
    load->flipped_ns = lab_flip(load->lab);
}

static void load_note(struct load *load)
{
    const struct reader *reader = &load->node->reader;

    if (!load->flipped_ns || !reader->first_ns)
        return;
    if (load->n_first < sizeof(load->first_us) / sizeof(load->first_us[0]))
        load->first_us[load->n_first++] = (double)(reader->first_ns - load->flipped_ns) / 1e3;
    load->flipped_ns = 0;
}

/* For so long: so many records a second, a flip now and then, and answers. */
static void load_run(struct load *load, uint32_t for_ms, uint32_t records_s, bool flips)
{
    uint64_t begin_ns = now_ns(), end_ns = begin_ns + for_ms * UINT64_C(1000000);
    uint64_t flip_ns = begin_ns, already = load->records;
    struct pollfd poller = {.fd = load->node->reader.fd, .events = POLLIN};
    const struct timespec turn = {.tv_nsec = TURN_US * 1000};

    for (uint64_t at_ns = begin_ns; at_ns < end_ns; at_ns = now_ns()) {
        if (flips && at_ns >= flip_ns && !load->flipped_ns) {
            load_flip(load);
            flip_ns = at_ns + FLIP_MS * UINT64_C(1000000);
        }
        load_peers(load, already + records_s * (at_ns - begin_ns) / 1000000000);
        if (ppoll(&poller, 1, &turn, NULL) > 0)
            reader_poll(&load->node->reader);
        load_note(load);
        node_handle(load->node);
    }
}

/* ---- the log ---- */

static enum journald_mode mode_of(const char *name)
{
    static const char *const names[] = {"works", "slow", "stands", "gone"};

    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (!strcmp(names[i], name))
            return (enum journald_mode)i;
    die("--journald is works, slow, stands or gone, not \"%s\"", name);
}

/* Until nothing more comes: all that waits was written. */
static void journald_settle(const struct journald *journald, struct load *load)
{
    uint64_t before;

    do {
        before = journald_taken(journald);
        load_run(load, 300, 0, false);
    } while (before != journald_taken(journald));
}

/* A journald that works again: what was dropped must be said. */
static void print_sums(struct journald *journald, struct load *load)
{
    journald_set(journald, JOURNALD_WORKS);
    journald_settle(journald, load);
    load_peers(load, load->records + 2);
    journald_settle(journald, load);
    printf("{\"bench\":\"late\",\"what\":\"sums\",\"journald\":\"%s\",\"level\":\"%s\",\"taken\":"
           "%" PRIu64 ",\"said\":%" PRIu64 ",\"first_us\":[",
           options->journald, options->log_level, journald_taken(journald),
           journald_said(journald));
    for (uint32_t i = 0; i < load->n_first; i++)
        printf("%s%.1f", i ? "," : "", load->first_us[i]);
    printf("]}\n");
}

int bench_late(void)
{
    enum journald_mode mode = mode_of(options->journald);
    struct journald journald;
    struct pinger pinger;
    struct load load = {.next_conn = options->peers};
    struct node node;
    struct lab lab;

    lab_enter(&lab);
    journald_start(&journald, JOURNALD_WORKS);
    node_start(&node, &lab);
    load.node = &node;
    load.lab = &lab;
    pinger_start(&pinger);
    journald_settle(&journald, &load);
    journald_set(&journald, mode);
    for (uint32_t i = 0; i < options->rounds; i++) {
        pinger_begin(&pinger);
        load_run(&load, WINDOW_MS, options->records, true);
        printf("{\"bench\":\"late\",\"what\":\"window\",\"journald\":\"%s\",\"level\":\"%s\",",
               options->journald, options->log_level);
        pinger_print(&pinger);
        printf("}\n");
    }
    print_sums(&journald, &load);
    pinger_stop(&pinger);
    node_stop(&node);
    journald_stop(&journald);
    return 0;
}

/* ---- the state file ---- */

int bench_saving(void)
{
    struct journald journald;
    struct pinger pinger;
    struct load load = {.next_conn = options->peers};
    struct node node;
    struct lab lab;

    lab_enter(&lab);
    journald_start(&journald, JOURNALD_WORKS);
    node_start(&node, &lab);
    load.node = &node;
    load.lab = &lab;
    pinger_start(&pinger);
    for (uint32_t i = 0; i < 2 * options->rounds; i++) {
        bool saves = i % 2; /* by turns: a save each time that something may have changed */

        load_run(&load, saves ? 500 : 3000, saves ? 20 : 0, false); /* until it is so */
        pinger_begin(&pinger);
        load_run(&load, 3 * WINDOW_MS, saves ? 20 : 0, false);
        printf("{\"bench\":\"saving\",\"peers\":%u,\"saves\":%s,", options->peers,
               saves ? "true" : "false");
        pinger_print(&pinger);
        printf("}\n");
    }
    pinger_stop(&pinger);
    node_stop(&node);
    journald_stop(&journald);
    return 0;
}

/* ---- clients ---- */

#define CLIENTS 63u
#define SAMPLES 200u

static const char *const questions[] = {
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"peers\",\"params\":{\"match\":\"*e*e*e*e*e*e*e*e*"
    "x\"}}\n",
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"peers\",\"params\":{\"match\":\"*?*?*?*[a-z]*[a-z]*"
    "[a-z]*x\"}}\n",
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"decisions\",\"params\":{\"peer\":\"*e*e*e*e*e*x\","
    "\"trigger\":"
    "\"route\",\"limit\":256,\"all\":true,\"follow\":true}}\n",
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"resolve\",\"params\":{\"peer\":"
    "\"peer00000000000000000001\"}}\n",
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"explain\",\"params\":{\"peer\":"
    "\"peer00000000000000000002\"}}\n",
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"status\"}\n",
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"count\",\"params\":{\"after\":50000}}\n",
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"peers\",\"params\":{\"after\":70000}}\n",
};
#define QUESTIONS (sizeof(questions) / sizeof(questions[0]))

/* Each always has questions that wait for an answer; what is answered is thrown away. */
static void crowd_run(const int fds[CLIENTS])
{
    static char bytes[1 << 18];
    struct pollfd polls[CLIENTS];

    for (;;) {
        for (unsigned i = 0; i < CLIENTS; i++) {
            const char *question = questions[i % QUESTIONS];

            polls[i] = (struct pollfd){.fd = fds[i], .events = POLLIN | POLLOUT};
            while (send(fds[i], question, strlen(question), MSG_DONTWAIT | MSG_NOSIGNAL) ==
                   (ssize_t)strlen(question))
                ;
            while (recv(fds[i], bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
                ;
        }
        (void)poll(polls, CLIENTS, 5);
        usleep(2000); /* the machine's other processor is the node's, too */
    }
}

static pid_t crowd_start(void)
{
    int fds[CLIENTS];
    pid_t pid = child_fork();

    if (pid)
        return pid;
    for (unsigned i = 0; i < CLIENTS; i++)
        fds[i] = control_connect();
    crowd_run(fds);
    _exit(0);
}

/* From when the node reports a peer until journald has its record. */
static double record_us(struct node *node, const struct journald *journald, uint32_t conn)
{
    uint64_t before = journald_taken(journald), begin_ns = now_ns();

    node_tell_peer(node, conn, true);
    node_handle(node);
    while (journald_taken(journald) == before)
        usleep(20);
    return (double)(now_ns() - begin_ns) / 1e3;
}

static void clients_window(struct load *load, const struct journald *journald, bool crowd)
{
    double sum_us = 0, worst_us = 0;
    struct pinger pinger;

    pinger_start(&pinger); /* one more client */
    load_run(load, WINDOW_MS, 0, false);
    pinger_begin(&pinger);
    for (unsigned i = 0; i < SAMPLES; i++) {
        double us = record_us(load->node, journald, ++load->next_conn);

        sum_us += us;
        worst_us = us > worst_us ? us : worst_us;
        load_run(load, 10, 0, false);
    }
    printf("{\"bench\":\"clients\",\"peers\":%u,\"clients\":%u,\"record_us\":{\"mean\":%.1f,"
           "\"worst\":%.1f,\"n\":%u},",
           options->peers, crowd ? CLIENTS : 0, sum_us / SAMPLES, worst_us, SAMPLES);
    pinger_print(&pinger);
    printf("}\n");
    pinger_stop(&pinger);
}

int bench_clients(void)
{
    struct journald journald;
    struct load load = {.next_conn = options->peers};
    struct node node;
    struct lab lab;
    pid_t crowd = 0;

    lab_enter(&lab);
    journald_start(&journald, JOURNALD_WORKS);
    node_start(&node, &lab);
    load.node = &node;
    load.lab = &lab;
    journald_settle(&journald, &load);
    for (uint32_t i = 0; i < 2 * options->rounds; i++) { /* alone first */
        if (i == options->rounds)
            crowd = crowd_start();
        clients_window(&load, &journald, crowd);
    }
    child_end(crowd);
    node_stop(&node);
    journald_stop(&journald);
    return 0;
}
