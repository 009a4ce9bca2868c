/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the checks share: one checker, its connections to the node one after the
 * other, and what the node has told on all of them.
 */
#ifndef CHECK_CHECKER_H
#define CHECK_CHECKER_H

#include "../node/endpoint.h"
#include "../node/jsonrpc.h"
#include "book.h"
#include "report.h"

/* A conn that no node reaches: asking for it disturbs nothing. */
#define CONN_NOBODY ((UINT64_C(1) << 53) - 1)

/* All checks together take at most so many times as long as one answer may. */
#define CHECKS_TIMEOUTS 30

/* No request has this method. */
#define METHOD_NOBODY "x-node-check"

/* No host has this interface. */
#define INTERFACE_NOBODY "pathdog-nowhere"

/* One request that is open, or was. */
struct asked {
    uint64_t sent_us, answered_us;
    uint64_t n_lines, n_rows; /* told on this connection before the answer */
    uint64_t n_ups;
    uint64_t clock, n_up; /* of the book */
    json_t *answer;       /* the whole message; NULL: not there yet */
    enum message_type type;
    int64_t code; /* of an error */
    bool flood;   /* its answer is counted, not kept */
};

/* One connection to the node. */
struct client {
    int fd; /* -1: closed by us, or never opened */
    uint32_t uid;
    bool ended;            /* the node has closed it */
    bool end_is_fine;      /* and may do so */
    bool greeted;          /* hello was answered */
    bool subscribed;       /* subscribe, too */
    uint64_t subscribe_id; /* its answer completes the snapshot */
    uint64_t first_id;     /* ids are different on each connection */
    struct asked *asked;
    size_t n_asked, capacity;
    uint64_t n_answers; /* of floods */
    uint64_t n_lines, n_ups, n_rows;
    uint64_t n_strange; /* answers to what was not asked */
    uint64_t bytes_read;
    size_t kept_bytes; /* of lines with answers that are kept */
    struct lines lines;
};

struct checker {
    const char *path;
    struct endpoint endpoint;
    uint64_t timeout_us;
    uint64_t end_us; /* no wait is longer than until then */
    bool moves, reconnects;
    FILE *trace; /* every line, in both directions; NULL: none */
    bool trace_tty;
    bool progress;

    struct report report;
    struct book book;
    uint64_t n_clients;
    int n_failures; /* sessions in a row that could not be had */
    char *gone;     /* why the node cannot be asked any more; NULL: it can */

    char *boot, *node, *implementation; /* as the first hello told it */
    bool can_reconnect, can_bind, can_probe, can_probe_path, can_push, can_keep, can_relay;
};

/* ---- client.c: bytes and lines ---- */

/* The end of a wait that begins now, and of all of them. */
uint64_t wait_end(const struct checker *checker, uint64_t wait_us);

/* Connects. Returns 0, or -errno with checker->gone set when the node is not there, or when the
 * time is over. */
int client_open(struct checker *checker, struct client *client);
void client_close(struct client *client);

/* Writes; reads meanwhile unless `deaf`. Returns 0, -EPIPE the node has closed, -ETIMEDOUT
 * it takes nothing for as long as `timeout`. */
int client_write(struct checker *checker, struct client *client, const char *bytes, size_t length,
                 bool deaf);

/* The next id for a line that the caller writes by itself. */
uint64_t client_next_id(struct client *client, bool flood);

/* Asks; `params` is JSON, NULL: none. Returns the id. */
uint64_t client_ask(struct checker *checker, struct client *client, const char *method,
                    const char *params);

/* Waits for the answer to `id`. Returns it, or NULL: it is too late, or closed; that is
 * then a fault of CHECK_ANSWERED or CHECK_KEPT_OPEN. */
const struct asked *client_wait(struct checker *checker, struct client *client, uint64_t id);
const struct asked *client_wait_us(struct checker *checker, struct client *client, uint64_t id,
                                   uint64_t wait_us);

/* Asks and waits. */
const struct asked *client_call(struct checker *checker, struct client *client, const char *method,
                                const char *params);

/* Reads what comes until `done` says so, or the time is over. Returns whether it did. */
bool client_pump(struct checker *checker, struct client *client, uint64_t wait_us,
                 bool (*done)(struct client *client, uint64_t argument), uint64_t argument);

/* Until the node has taken every byte that was written. False: it did not. */
bool client_drained(struct checker *checker, struct client *client);

/* ---- lint.c: a strict look at one line ---- */

void lint_line(struct checker *checker, struct client *client, const char *line, size_t length);
void lint_hello(struct checker *checker, const json_t *result);

/* ---- session.c: connections that are ready ---- */

/* Hello on a new connection. Returns whether it was answered as it should. */
bool session_hello(struct checker *checker, struct client *client);

/* Hello and subscribe. */
bool session_open(struct checker *checker, struct client *client);

/* Does the node still serve a new client? If not, that is a fault of `check`. */
bool session_alive(struct checker *checker, enum check check, const char *after);

/* Something that must be so. Returns `good`. */
__attribute__((format(printf, 4, 5))) bool expect(struct checker *checker, enum check check,
                                                  bool good, const char *format, ...);

/* "result", "error -32601", "no answer": how it was answered, for a sentence. */
const char *answer_text(const struct asked *answer, char text[static 64]);

/* ---- the checks: each a step that needs none of the others ---- */

void checks_socket(struct checker *checker);
void checks_hello(struct checker *checker);
void checks_snapshots(struct checker *checker);
void checks_summary(struct checker *checker);
void checks_requests(struct checker *checker);
void checks_framing(struct checker *checker);
void check_newer_client(struct checker *checker);
void check_half_line(struct checker *checker);
void check_output_buffer(struct checker *checker);
void check_slow_reader(struct checker *checker);
void checks_move(struct checker *checker);
void checks_reconnect(struct checker *checker);
void checks_cancel(struct checker *checker);
void checks_keep_old(struct checker *checker);
/* One that is up, and may be reconnected, or else migrated; NULL: none. */
const struct entry *pick_peer(const struct book *book, bool reconnect);

#endif
