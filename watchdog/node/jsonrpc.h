/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes ↔ lines ↔ JSON-RPC 2.0 messages, as docs/node-protocol.md frames them.
 * Knows no method by name, opens nothing, keeps no state but a half-read line.
 */
#ifndef NODE_JSONRPC_H
#define NODE_JSONRPC_H

#include <jansson.h>

#include "../util/buffer.h"

/* No line is longer, its LF included, in either direction. */
#define LINE_MAX_BYTES ((size_t)1024 * 1024)

#define JSONRPC_METHOD_NOT_FOUND (-32601)

/* ---- lines ---- */

/* Zeroed is empty. Whole lines are handed out in place; only what is left of
 * the last one is copied, into `carry`. */
struct lines {
    struct buffer carry;
    bool carried; /* `carry` was handed out: empty it before it is used again */
    const char *input;
    size_t input_length;
};

/* Gives bytes to read from; they must stay until lines_next has returned 0. */
void lines_feed(struct lines *lines, const char *bytes, size_t length);

/* Returns 1 with the next line (without its LF, never empty), 0 when there is
 * no whole one any more, -EMSGSIZE when it is over length. The line lives until
 * the next call. */
int lines_next(struct lines *lines, const char **ret_line, size_t *ret_length);

void lines_clear(struct lines *lines);

/* ---- messages ---- */

enum message_type {
    MESSAGE_NOTIFICATION, /* method, params */
    MESSAGE_REQUEST,      /* method, params, id */
    MESSAGE_RESULT,       /* number, result */
    MESSAGE_ERROR,        /* number, code, error_message */
    MESSAGE_MALFORMED,    /* JSON, but no message; `number` says whose answer, if any */
};

struct message {
    enum message_type type;
    json_t *root; /* owns all that is below */
    const char *method;
    size_t method_length;
    const json_t *params; /* NULL: none */
    const json_t *id;     /* of a request: any JSON value */
    int64_t number;       /* id of an answer, 0: none that could be read */
    const json_t *result;
    int64_t code;
    const json_t *error_message; /* a string, NULL: none */
    const char *problem;         /* what is wrong with a malformed one; a constant */
};

/* Reads one line. Returns 0, or -EBADMSG where the connection must be closed:
 * not JSON, or no object; `ret_problem`, of `size` bytes, then says why. */
int message_parse(const char *line, size_t length, struct message *ret, char *ret_problem,
                  size_t size);
void message_clear(struct message *message);

/* Appends the answer "method not found" to a request of the node. */
void message_refuse(struct buffer *out, const struct message *request);

#endif
