/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kit's own files share: its state, and the calls between the transport (socket,
 * framing) and the protocol. Not for nodes.
 */
#ifndef PATHDOG_NODE_PRIVATE_H
#define PATHDOG_NODE_PRIVATE_H

#include "pathdog_node.h"

#include <jansson.h>

struct buffer {
    char *data;
    size_t len;
    size_t size;
};

enum token_kind { TOKEN_FREE, TOKEN_SUMMARY, TOKEN_MIGRATE, TOKEN_RECONNECT, TOKEN_PROBE_PATH };

struct token {
    enum token_kind kind;
    uint32_t serial; /* grows with each use of the slot: an old token does not fit any more */
    uint32_t next_free;
    uint32_t n_rows;
    json_int_t id;
};

/* A long list that the node is asked for in parts. */
struct list {
    bool active;              /* not all of it was sent */
    bool inside;              /* the node's callback is running */
    bool full;                /* it was told to stop */
    uint64_t after;           /* the last conn that was sent */
    json_int_t id;            /* of the request that asked for peers */
    pathdog_node_token token; /* of the summary that asked for rows */
};

/* When a row of this connection was pushed. */
struct push {
    uint64_t conn; /* 0: none */
    uint64_t at_ms;
};

struct pathdog_node {
    /* What the transport calls: it knows nothing of what is above it. */
    void (*on_line)(struct pathdog_node *kit, const char *line, size_t len);
    void (*on_gone)(struct pathdog_node *kit); /* the client, with all that it had asked */
    void (*on_turn)(struct pathdog_node *kit); /* all was read; there may be room to write */

    const struct pathdog_node_ops *ops;
    void *user_data;
    char *node, *implementation, *boot;
    unsigned features, columns, max_in_flight;
    bool prefer_reconnect;
    size_t output_limit_bytes;
    uid_t *client_uids;
    size_t n_client_uids;

    int epoll_fd, listen_fd;
    bool abstract;
    char *path; /* set while the name in the file system is ours */
    dev_t path_dev;
    ino_t path_ino;

    int client_fd;
    uint64_t client_serial; /* tells whether the client is still the same after a callback */
    bool greeted, subscribed, want_write, corked;
    uint32_t n_listed; /* peers told while the snapshot is taken */
    struct list peers, rows_list;
    size_t listed_bytes; /* in this turn */
    struct buffer in, out;
    size_t in_scanned, out_sent;
    struct buffer rows;
    unsigned n_rows;
    struct push *pushes; /* NULL: none yet */
    json_t *relays;      /* as they are told; NULL: the node has said nothing */

    struct token *tokens;
    uint32_t n_tokens, free_token; /* an index + 1; 0: none */
};

/* pathdog_node_socket.c */
int kit_buffer_append(struct buffer *b, const char *data, size_t len);
void kit_buffer_drop(struct buffer *b);
int kit_socket_bind(struct pathdog_node *kit, const char *path, char *ret_error, size_t error_size);
void kit_socket_unbind(struct pathdog_node *kit);
void kit_client_close(struct pathdog_node *kit, const char *why);
void kit_client_flush(struct pathdog_node *kit);
/* Puts one line, its LF not yet included, into the output buffer. */
int kit_client_send(struct pathdog_node *kit, const char *line, size_t len);
int kit_fail(char *ret_error, size_t error_size, int error, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* pathdog_node_request.c */
struct token *kit_token_find(struct pathdog_node *kit, pathdog_node_token token);
/* Uses the token up. TOKEN_FREE: of whatever kind. */
int kit_token_take(struct pathdog_node *kit, pathdog_node_token token, enum token_kind kind,
                   struct token *ret);
void kit_tokens_release_all(struct pathdog_node *kit);
/* These consume the result or the params, which may be NULL (not UTF-8): -EINVAL. */
int kit_send_result(struct pathdog_node *kit, json_int_t id, json_t *result);
/* Only to a client that has subscribed: the snapshot comes first. */
int kit_send_notification(struct pathdog_node *kit, const char *method, json_t *params);
int kit_send_error(struct pathdog_node *kit, json_t *id, int code, const char *message);
/* One line without its LF. Nothing but what the contract calls fatal ends the client. */
void kit_handle_line(struct pathdog_node *kit, const char *line, size_t len);

/* pathdog_node_list.c */
/* -EAGAIN: there is no room; -EINVAL: not in the order of conns. */
int kit_list_take(struct pathdog_node *kit, struct list *list, uint64_t conn);
/* Whether the snapshot will come to that conn: until then nothing of it is told. */
bool kit_list_covers(const struct pathdog_node *kit, uint64_t conn);
void kit_lists_stop(struct pathdog_node *kit);
bool kit_list_has_room(struct pathdog_node *kit);
/* More waits for the client to read than should. */
bool kit_list_is_behind(struct pathdog_node *kit);
/* Asks the node for more of it. Returns whether that was the end of it. */
bool kit_list_step(struct pathdog_node *kit, struct list *list);

#endif
