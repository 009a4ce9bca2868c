/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A node kit and the client's end of its socket, in one thread: what is written to the
 * client's end is there when pathdog_node_process() is called.
 */
#ifndef NODE_KIT_FIXTURE_H
#define NODE_KIT_FIXTURE_H

#include <jansson.h>
#include <pathdog_node.h>
#include <stdbool.h>

#define HELLO     "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hello\",\"params\":{\"protocol\":[1]}}\n"
#define SUBSCRIBE "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"subscribe\"}\n"

struct fixture {
    struct pathdog_node *kit;
    int fd; /* the client's end */
    size_t n_rows, n_peers;
    pathdog_node_token tokens[8];
    unsigned n_tokens, n_probed, n_connected, n_gone;
    struct pathdog_node_migrate asked;
    char interface[32], why[64];
    bool replace_in_callback, keep_old;
    unsigned n_cancelled;
    pathdog_node_token cancelled;
    char *input;
    size_t input_start, input_len; /* from the start to the end of what was not taken yet */
};

/* A new client, which replaces the old one. */
void kit_adopt(struct fixture *f);
int kit_setup(void **state);
int kit_setup_with_relays(void **state); /* feature RELAY */
int kit_teardown(void **state);
/* Writes all of it, letting the kit read meanwhile. False: the kit closed. */
bool kit_put(struct fixture *f, const char *data, size_t len);
void kit_say(struct fixture *f, const char *text);
/* Takes what is there; true: the kit closed. */
bool kit_fill(struct fixture *f);
/* The next line as JSON, or NULL when there is none. */
json_t *kit_get(struct fixture *f);
/* id < 0: an answer with id null. */
void kit_expect_error(struct fixture *f, json_int_t id, int code);
/* To be released by the caller. */
json_t *kit_expect_result(struct fixture *f, json_int_t id);
void kit_expect_nothing(struct fixture *f);
/* hello and subscribe. */
void kit_start(struct fixture *f);

#endif
