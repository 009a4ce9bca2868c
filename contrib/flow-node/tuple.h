/* SPDX-License-Identifier: Apache-2.0 */
/* A flow: the packet towards the server before any NAT, by its protocol, addresses and ports.
 * Pure. */
#ifndef FLOW_NODE_TUPLE_H
#define FLOW_NODE_TUPLE_H

#include <stdbool.h>
#include <stdint.h>

struct flow_tuple {
    uint8_t family;        /* 4 or 6 */
    uint8_t protocol;      /* IPPROTO_UDP */
    uint16_t sport, dport; /* host byte order */
    uint8_t saddr[16];     /* network byte order; IPv4 in the first four bytes, the rest is 0 */
    uint8_t daddr[16];
};

/* "udp:192.0.2.7:443#192.0.2.1:57126", "udp:[2001:db8::7]:443#[2001:db8::1]:57126" and a NUL. */
#define TUPLE_TEXT_SIZE 120u
/* An address with its port. */
#define TUPLE_END_SIZE 56u

bool tuple_is_equal(const struct flow_tuple *a, const struct flow_tuple *b);
uint64_t tuple_hash(const uint64_t key[static 2], const struct flow_tuple *tuple);

/* The server, and the client's port: "udp:192.0.2.7:443#57126". Returns `out`. */
const char *tuple_text(char out[static TUPLE_TEXT_SIZE], const struct flow_tuple *tuple);
/* With the client's address, too: "udp:192.0.2.7:443#192.0.2.1:57126". Returns `out`. */
const char *tuple_text_full(char out[static TUPLE_TEXT_SIZE], const struct flow_tuple *tuple);
/* "192.0.2.1:57126", "[2001:db8::1]:57126": the client's end, the server's end. */
const char *tuple_client_text(char out[static TUPLE_END_SIZE], const struct flow_tuple *tuple);
const char *tuple_server_text(char out[static TUPLE_END_SIZE], const struct flow_tuple *tuple);

/* Reads both forms; of the first the client's address is 0. Returns 0 or -EINVAL. */
int tuple_parse(const char *text, struct flow_tuple *ret);

#endif
