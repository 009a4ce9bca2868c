/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests as lines, appended to a buffer from prepared parts: one move among
 * 100 000 costs some tens of nanoseconds. Asks nothing itself; pure.
 */
#ifndef NODE_REQUESTS_H
#define NODE_REQUESTS_H

#include "../engine/engine.h"
#include "../util/buffer.h"

/* At most so many connections are named in one request. */
#define CONNS_MAX 4096u

void hello_append(struct buffer *out, uint64_t id, const char *client);
void subscribe_append(struct buffer *out, uint64_t id);

/* `method` is "summary" or "probe". Without `conns`: all. */
void conns_append(struct buffer *out, uint64_t id, const char *method, const uint64_t *conns,
                  size_t n_conns);

/* The path over `interface`; NULL: the one that the route table leads to. */
void probe_path_append(struct buffer *out, uint64_t id, const struct action_probe_path *probe);

/* A notification: the request of that id is taken back. */
void cancel_append(struct buffer *out, uint64_t id);

/* What moves in one run have in common is written once. Zeroed is new; good as
 * long as the texts that the actions point to stay where they are. */
struct move_writer {
    struct action_move like;
    bool reconnect;
    size_t id_length;   /* digits of the ids that `head` has room for */
    struct buffer head; /* up to the connection */
    struct buffer tail; /* from there to the LF */
};

/* `features` of the node: where it may not be told where to, that is left out. */
void move_append(struct buffer *out, uint64_t id, const struct action *action, uint32_t features,
                 struct move_writer *writer);
void move_writer_clear(struct move_writer *writer);

#endif
