/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A protocol with a node played by the test. Events are compared as the codec
 * writes them, without their times: {"t":0,"rt":0,"event": and } are left out.
 */
#ifndef TEST_PROTOCOL_RIG_H
#define TEST_PROTOCOL_RIG_H

#include "check.h"

#include <errno.h>

#include "node/protocol.h"

#define SECOND UINT64_C(1000000)

struct rig {
    struct protocol *protocol;
    uint64_t now_us;
    struct buffer reported;     /* lines of events */
    const struct action *reply; /* sent from within every event */
};
extern struct rig rig;

/* All that was told since the last time. */
void expect(const char *lines);

/* What was told begins with these lines; the rest is left for the next look. */
void expect_first(const char *lines);

/* All that was written since the last time. */
void expect_sent(const char *lines);

/* Just a notice of that kind, once, with that count. */
void expect_notice(const char *kind, unsigned count);

/* The node says this. */
int input(const char *text);

/* A line that is fine for the connection. */
void line(const char *text);

void send_one(struct action action);

/* Owned by the caller. */
struct text *reason(const char *text);

/* Connected at 100 s, by uid 1000; hello is in the output. */
void open_at(uint64_t netns);

#define HELLO_LINE                                                                                 \
    "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"hello\",\"params\":"                               \
    "{\"protocol\":[1],\"client\":\"pathdog/0.1.0\"}}\n"
#define SUBSCRIBE_LINE "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"subscribe\"}\n"

int setup_closed(void **state);

/* Connected and subscribed, by a node with every feature; ids 1 and 2 are used. */
int setup(void **state);
int teardown(void **state);

#define CLOSED(test) cmocka_unit_test_setup_teardown(test, setup_closed, teardown)
#define READY(test)  cmocka_unit_test_setup_teardown(test, setup, teardown)

#endif
