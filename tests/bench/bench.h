/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the benchmarks share. A bench prints its samples, one JSON object a line;
 * what is made of them is the business of tests/bench/run. Ends the process on
 * any failure: a bench that did not measure says nothing.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

__attribute__((format(printf, 1, 2), noreturn)) void die(const char *format, ...);

uint64_t now_ns(void);

/* Says on stderr what is under way, with --verbose. */
__attribute__((format(printf, 1, 2))) void progress(const char *format, ...);

/* What the command line said. */
struct options {
    const char *daemon;    /* path of pathdog */
    const char *plugins;   /* its plugin_directory */
    const char *directory; /* for sockets and configs; ours alone */
    const char *log;       /* pathdog's --log */
    const char *log_level; /* pathdog's --log-level */
    const char *journald;  /* what the stand-in for journald does: works, slow, stands, gone */
    const char *triggers;  /* words: sections of the config */
    const char *storm;     /* what begins a storm: route or tunnel */
    const char *preload;   /* count-malloc.so, NULL: none */
    uint32_t peers;
    uint32_t keys; /* distinct remote addresses */
    uint32_t rounds;
    uint32_t idle_ms; /* before each flip */
    uint32_t interval_ms;
    uint32_t seconds;
    uint32_t records;    /* made a second, beside those of flips */
    uint32_t columns;    /* of a row, conn apart */
    uint32_t name_bytes; /* length of a peer's name */
    uint32_t uplinks;    /* sections in the config: 1 has none; 2: the node binds and probes */
    bool addresses;      /* peers have local and remote */
    bool verbose;
    bool pause; /* say the daemon's pid before measuring, for a profiler */
};

extern const struct options *const options; /* set once, by main */

/* ---- bytes.c: bytes to be sent ---- */

struct bytes {
    char *bytes;
    size_t length, capacity;
};

void bytes_add(struct bytes *text, const char *bytes, size_t length);
void bytes_string(struct bytes *text, const char *string);
void bytes_number(struct bytes *text, uint64_t number);
__attribute__((format(printf, 2, 3))) void bytes_format(struct bytes *text, const char *format,
                                                        ...);

void write_all(int fd, const char *bytes, size_t length);
void write_file(const char *path, const char *text);

/* Memory that children forked from now on share. */
void *shared_new(size_t size);

/* ---- lab.c: a network namespace with two uplinks ---- */

struct lab {
    int rtnl; /* a socket in that namespace */
    unsigned ifindex[2];
    unsigned current; /* the uplink of the default route */
};

/* Moves this process into a new namespace; children that it forks now are in it. */
void lab_enter(struct lab *lab);

/* The other uplink becomes the default route. Returns the time just before. */
uint64_t lab_flip(struct lab *lab);

/* ---- reader.c: what comes from pathdog or from a floor ---- */

struct reader {
    int fd;
    struct bytes kept;
    size_t handled; /* lines before this were handled */
    size_t scanned; /* bytes before this were counted */
    uint32_t migrates;
    uint64_t first_ns, last_ns;
};

/* Reads until `count` migrate_peer lines have come since the last call of
 * reader_begin; first_ns and last_ns are when they had been read. */
void reader_begin(struct reader *reader);
void reader_wait(struct reader *reader, uint32_t count);

/* Reads what there is now, without waiting. */
void reader_poll(struct reader *reader);

/* The next whole line not handled yet, NULL: none. With its LF. */
const char *reader_line(struct reader *reader, size_t *ret_length);

/* ---- process.c: children ---- */

/* Forks; the child dies with its parent. Returns 0 in the child. */
pid_t child_fork(void);
void child_end(pid_t pid);
uint64_t child_cpu_ns(pid_t pid);

/* Starts the daemon with a config of its own; it will connect to `socket_path`. */
pid_t daemon_start(const char *socket_path);

struct memory {
    uint64_t pss_kb, rss_kb, anonymous_kb;
};

struct memory memory_of(pid_t pid);
uint64_t switches_of(pid_t pid); /* voluntary, of all threads */

/* ---- node.c: the node that pathdog talks to ---- */

#define COLUMNS_MAX 24u

struct node {
    int listener;
    pid_t daemon;
    struct reader reader;
    struct bytes out;
    struct lab *lab;
    uint32_t round; /* counters in rows grow with it */
    uint32_t summaries_asked;
    uint32_t moves_answered;
    bool hold_summaries; /* a summary of all is not answered but noted, in: */
    uint64_t held_id;
    bool slow; /* all rows have an RTT that is 430 ms higher */
};

/* Starts a daemon, in the lab that this process is in, and gets it past subscribe. */
void node_start(struct node *node, struct lab *lab);
void node_stop(struct node *node);

/* Handles what came; answers at once. */
void node_handle(struct node *node);

/* Tells of a connection beside `peers` that came or went. Sent by node_handle. */
void node_tell_peer(struct node *node, uint32_t conn, bool up);

/* Goes on until the daemon has used no CPU for `quiet_us`. */
void node_settle(struct node *node, uint64_t quiet_us);

/* Rows of all peers, as `summaries` lines, for the present round. */
void node_rows(const struct node *node, struct bytes *text);

/* ---- floor.c: the least that has to be done ---- */

enum floor_kind {
    FLOOR_RAW,    /* recv of netlink, write */
    FLOOR_SDEVENT /* libnl on sd-event, write */
};

/* A child that answers each change of the default route with `lines` lines on
 * the socket returned, having made `lookups` route lookups before. */
pid_t floor_route_start(enum floor_kind kind, uint32_t lines, uint32_t lookups, int *ret_fd);

enum floor_work {
    FLOOR_READ,  /* reads */
    FLOOR_DIGITS /* reads, and makes numbers of the digits */
};

pid_t floor_reader_start(enum floor_work work, int *ret_fd);

/* ---- journald.c: a stand-in for journald ---- */

enum journald_mode {
    JOURNALD_WORKS,  /* reads as fast as it can */
    JOURNALD_SLOW,   /* 100 entries a second */
    JOURNALD_STANDS, /* has its socket and reads nothing */
    JOURNALD_GONE,   /* has no socket */
};

struct journald {
    pid_t pid;
    struct journald_shared *shared;
};

/* Moves this process into a mount namespace where journald's socket is the stand-in's.
 * Children forked from now on see it too. */
void journald_start(struct journald *journald, enum journald_mode mode);
void journald_set(struct journald *journald, enum journald_mode mode);
void journald_stop(struct journald *journald);

/* Entries taken so far, what they say was dropped, and how many are the record of an uplink whose
 * connections got slower. */
uint64_t journald_taken(const struct journald *journald);
uint64_t journald_said(const struct journald *journald);
uint64_t journald_shared_causes(const struct journald *journald);

/* ---- pinger.c: how late the loop is ---- */

struct pinger {
    pid_t pid, echo;
    struct pinger_shared *shared;
};

/* A child that asks the control socket again and again, in turns with a program that
 * only answers: what the machine's own pauses are. */
void pinger_start(struct pinger *pinger);

/* A client of the control socket, as soon as that is there. */
int control_connect(void);

/* The longest that one answer of the control socket has taken since pinger_begin, and the
 * longest of the echo; the one that is under way counts for as long as it takes already. */
struct pinger_worst {
    uint64_t control_ns, echo_ns;
};
struct pinger_worst pinger_worst(const struct pinger *pinger);

/* The samples since the last call, as a JSON object's members "control_us" and
 * "echo_us", each {"p50":…,"p99":…,"p999":…,"worst":…,"n":…}. */
void pinger_print(struct pinger *pinger);
void pinger_begin(struct pinger *pinger);
void pinger_stop(struct pinger *pinger);

/* ---- the benches ---- */

int bench_reaction(void);
int bench_sampling(void);
int bench_memory(void);
int bench_idle(void);
int bench_entry(void);
int bench_late(void);
int bench_saving(void);
int bench_clients(void);
int bench_storm(void);
int bench_together(void);
int bench_scrape(void);

#endif
