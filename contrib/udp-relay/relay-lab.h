/* SPDX-License-Identifier: Apache-2.0 */
/* A relay without sockets for the tests: clients are "a:1" (address a, port 1), time is set by
 * hand. */
#ifndef UDP_RELAY_RELAY_LAB_H
#define UDP_RELAY_RELAY_LAB_H

#include "../../tests/unit/check.h"
#include "members.h"
#include "relay.h"

#define S UINT64_C(1000000)

struct lab {
    struct relay *relay;
    uint64_t now_us;
    struct relay_out out;
};

/* What udp-relay has by default. */
struct relay_settings lab_settings(void);
void lab_start(struct lab *lab, const struct relay_settings *settings);
void lab_stop(struct lab *lab);

/* Seconds go by, with ticks. */
void lab_wait(struct lab *lab, double seconds);

/* "a:1" is 10.0.0.97:1, "A:1" is 2001:db8::41, port 1. */
struct endpoint lab_client(const char *name);

/* Client says that. Returns what became of it: "" nothing, "ACK", "ERR:full" (an answer, its LF
 * proven and left out), "-> b:2" (forwarded, byte for byte). Good until the next call. */
const char *lab_say(struct lab *lab, const char *client, const char *text);
const char *lab_bytes(struct lab *lab, const char *client, const void *bytes, size_t size);
/* The same for a train; `*ret_done` bytes were handled. */
const char *lab_train(struct lab *lab, const char *client, const void *bytes, size_t size,
                      size_t segment, size_t *ret_done);
/* REG:<id>, with white space behind it so that every answer may be given. */
const char *lab_reg(struct lab *lab, const char *client, const char *id);
/* Both register. */
void lab_open(struct lab *lab, const char *one, const char *other, const char *id);
/* Asks for the lease of that session. */
const char *lab_lease(struct lab *lab, const char *client, const char *id);
/* This is the list of members from now on. */
void lab_list(struct lab *lab, const char *text);

/* The next event of that kind; others are skipped. */
bool lab_event(struct lab *lab, enum relay_event_kind kind, struct relay_event *ret);

#endif
