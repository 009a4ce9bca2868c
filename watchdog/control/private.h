/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of watchdog/control/: who may come in (admit.c), whose turn it is (turn.c), clients
 * (client.c), requests and their answers (request.c, answer-*.c), those who follow (follow.c).
 * Bounds are here.
 *
 * No client can hold the loop: what all of them want is done in turns of TURN_US, after which all
 * else that is ready has its own turn. Within one, clients take turns with one request each, and
 * what a request walks over ends when its share of the time does: its answer is then a shorter
 * page, and `next` says where the client's next request goes on.
 */
#ifndef CONTROL_PRIVATE_H
#define CONTROL_PRIVATE_H

#include <jansson.h>

#include "../engine/inspect.h"
#include "../out/backlog.h"
#include "../util/clock.h"
#include "../util/json-write.h"
#include "../util/nearest.h"
#include "../util/retry.h"
#include "control.h"
#include "filter.h"
#include "interfaces.h"
#include "listen.h"

#define CLIENTS_MAX       64u /* places for everybody */
#define CLIENTS_RESERVED  8u  /* beyond those, for root and the daemon's own user */
#define SEATS             (CLIENTS_MAX + CLIENTS_RESERVED)
#define TURN_US           UINT64_C(1000)             /* of work for all clients together */
#define SHARE_US          UINT64_C(100)              /* the least of it that one request gets */
#define OUT_ALL_BYTES     ((size_t)16 * 1024 * 1024) /* unread by all: above that, each has less */
#define OUT_SHARE_BYTES   ((size_t)128 * 1024)
#define LINE_BYTES_MAX    ((size_t)64 * 1024)   /* of a request, its LF included */
#define OUT_PAUSE_BYTES   ((size_t)256 * 1024)  /* unread: no further request is read */
#define OUT_MOST_BYTES    ((size_t)1024 * 1024) /* unread: records for a follower are dropped */
#define ID_BYTES_MAX      128u
#define INVALID_LINES_MAX 10u                /* bad lines until a client is closed */
#define STOOD_US          UINT64_C(30000000) /* a client that takes nothing for so long is closed */
#define SWEEP_US          UINT64_C(5000000)  /* how often that is looked at, while somebody may */
#define IDLE_US           UINT64_C(60000000) /* one that asks nothing for so long makes room for another */
#define SLOW_US           UINT64_C(5000000) /* and one that reads nothing of what waits for it */

/* Places in the tables that one request walks over, if its time allows. */
#define PLACES_ROWS  2048u
#define PLACES_NAMES 4096u
#define PLACES_TALLY 8192u
#define ROWS_MAX     256u
#define RECORDS_WALK 8192u

struct client {
    struct control *control;
    sd_event_source *io;
    int fd;
    uint32_t uid;
    struct buffer in, out;
    uint64_t took_us;  /* when it last read something, or had nothing to read */
    uint64_t asked_us; /* when it last asked something, or came */
    unsigned invalid_lines;
    bool eof;        /* will ask nothing more */
    bool closing;    /* closed as soon as it has read what waits, or at once where it cannot */
    size_t searched; /* bytes of `in` that have no LF in them */
    bool waits; /* its next line is a command that came in the middle of a turn of the engine */
    bool follows;
    struct filter filter;
    uint64_t follows_from; /* place in the backlog's order where it began */
    uint64_t n_dropped;
};

struct control {
    struct control_host host;
    struct unix_socket listener;
    sd_event_source *accept, *sweep, *work;
    struct retry accepting;
    struct client *clients[SEATS];
    uint32_t n_clients, n_followers;
    uint32_t next;          /* whose turn it is */
    uint64_t n_refused;     /* not said yet */
    struct backlog backlog; /* records for those who follow */
    uint32_t types;         /* bit per record_type that somebody follows */
    uint64_t n_handed;      /* records that went out of the backlog */
    uint64_t n_lost;        /* that did not get into it, since it was full */
    struct buffer line;
    struct interfaces interfaces;
    bool busy_seen; /* the engine was in the middle of a turn: commands may wait */
};

/* Closes those who, at that time, have stood still for long. Returns true if there are others
 * to be looked after. */
bool control_sweep(struct control *control, uint64_t now_us);

/* ---- admit.c ---- */

/* Takes `fd` over: gives it a place, or tells it that there is none, and closes it. */
void client_admit(struct control *control, int fd);

/* ---- room.c ---- */

/* To somebody who must leave, or may not come in. */
void notify_full(int fd, const char *why);
/* One goes for this user, but never `stays`. False: nobody does. */
bool make_room(struct control *control, const struct client *stays, uint32_t uid);
/* From now on it counts as that user's: others make room for it as for a new one. False: there is
 * none. */
bool client_becomes(struct client *client, uint32_t uid);

/* ---- turn.c ---- */

/* A client's descriptor is ready. */
int client_ready(sd_event_source *source, int fd, uint32_t revents, void *user);
/* There may be work: answers and records. */
int turn_run(sd_event_source *source, int fd, uint32_t revents, void *user);
/* The last that each is given; none is waited for. */
void turn_finish(struct control *control);

/* ---- client.c ---- */

/* Takes `fd` over. */
int client_new(struct control *control, int fd, uint32_t uid, sd_event_io_handler_t handler,
               struct client **ret_client);
struct client *client_free(struct client *client);

/* root, or the daemon's own user. */
bool user_is_trusted(uint32_t uid);

/* Each once, without waiting; false: nothing more can be read, it is gone. */
bool client_read(struct client *client);
bool client_write(struct client *client);
const char *client_line_end(struct client *client); /* of its next line, NULL: none */
bool client_may_be_answered(struct client *client); /* a line of it, now */
/* The line with that end is done. */
void client_line_take(struct client *client, const char *end);

/* Waits for what there is to be read, written and answered. */
void client_wait(struct client *client);
/* Asks for a sweep after so long, if none is due. */
void control_sweep_in(struct control *control, uint64_t span_us);

/* ---- follow.c ---- */

/* It follows no more, and is gone. NULL is fine. */
void client_drop(struct client *client);
/* Formats what waits, until then or until nobody has room for it. Returns true: there is more. */
bool follow_work(struct control *control, uint64_t until_us);
void follow_set(struct client *client, bool follows);
void follow_drained(struct client *client);

/* ---- request.c ---- */

enum error_code {
    ERROR_PARSE = -32700,
    ERROR_INVALID = -32600,
    ERROR_METHOD = -32601,
    ERROR_PARAMS = -32602,
    ERROR_UNKNOWN_PEER = -32040,
    ERROR_REFUSED = -32041, /* understood, and could not be done */
    ERROR_TOO_MANY = -32042,
};

struct request {
    struct control *control;
    struct client *client;
    const struct engine *engine;
    const json_t *params; /* an object, or NULL */
    const json_t *id;
    struct buffer *out;
    uint64_t now_us;
    uint64_t until_us; /* its share of the turn */
    uint32_t steps;
};

/* Answers one line, in about so much time (methods.c). */
void request_line(struct client *client, const char *line, size_t length, uint64_t share_us);

/* Is it a command, for which the engine must be between two turns? */
bool request_waits(const char *line, size_t length);

/* Asked before each step of a walk: may it be made? A few always may, so that whoever asks again
 * from `next` on comes to the end. */
bool request_goes_on(struct request *request);

/* "a, b and c" */
void list_words(char *text, size_t size, const char *const *words, size_t n);

/* Both write one whole answer; exactly one of them for each request. */
struct buffer *answer_begin(struct request *request); /* what follows is the result */
void answer_end(struct request *request);
__attribute__((format(printf, 3, 4))) void answer_error(struct request *request,
                                                        enum error_code code, const char *format,
                                                        ...);

/* Members, checked already for their type; what stands for "absent" is NULL, 0, false. */
const char *param_text(const struct request *request, const char *name);
uint64_t param_u64(const struct request *request, const char *name);
bool param_bool(const struct request *request, const char *name);
bool param_given(const struct request *request, const char *name);

/* A glob, which the caller frees; NULL where it is not given. Returns false: answered with an
 * error. */
bool param_glob(struct request *request, const char *name, struct glob **ret_glob);

/* One of `names`, which end in NULL. Returns its place, `absent` where it is not
 * given; -1: answered with an error. */
int param_choice(struct request *request, const char *name, const char *const *names, int absent);

/* ---- the methods ---- */

void answer_version(struct request *request);
void answer_metrics(struct request *request);
void answer_status(struct request *request);
void answer_as(struct request *request);
void answer_count(struct request *request);
void answer_peers(struct request *request);
void answer_resolve(struct request *request);
void answer_explain(struct request *request);
void answer_relays(struct request *request);
void answer_uplinks(struct request *request);
void answer_decisions(struct request *request);
void command_migrate(struct request *request);
void command_hold(struct request *request);
void command_release(struct request *request);
void command_mode(struct request *request);
void command_reload(struct request *request);

/* Answers that there is no such peer, with those that may have been meant. */
void answer_unknown_peer(struct request *request, const char *name);

/* By its name, else by its interface's. Returns false: answered with an error that names those that
 * there are. */
bool request_uplink(struct request *request, const char *name, struct inspect_uplink *ret);

/* "up", or what keeps connections off it: what it lacks, "held", "penalty" or "unproven". */
const char *uplink_state(const struct inspect_uplink *uplink);
/* That, and why, and for how long: members without brackets. */
void put_uplink_state(struct buffer *out, const struct inspect_uplink *uplink);

/* The members of a peer, without brackets. */
void put_peer(struct request *request, const struct inspect_peer *peer);
/* An object: how many peers there are of which kind, from place `begin` on. */
void put_tally(struct buffer *out, const struct engine *engine, uint32_t begin);

/* Why nothing happens where nothing can, and what is not well: an array of {what, grade, text}. */
void put_reasons(struct buffer *out, const struct engine *engine, uint64_t now_us,
                 const struct inspect_status *status, const struct config *config);

#endif
