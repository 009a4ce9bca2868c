/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text protocol of quic-relay and udp-relay, as far as a probe needs it: REG:<id>, and ACK or
 * ERR:<reason>. Pure; fuzzed.
 *
 * A probe registers an id of its own, drawn at random once for each relay: a node's id would take
 * its place in its session. It stays the same, and so should the port, so that a relay holds one
 * registration of a pathdog, not one for each probe: what a relay allows an address must be left to
 * the nodes there.
 */
#ifndef RELAY_REG_ACK_H
#define RELAY_REG_ACK_H

#include <stddef.h>
#include <stdint.h>

/* "REG:pathdog-probe-", 32 digits, and the end of the line. */
#define REG_BYTES       51u
#define REG_RANDOM      16u
#define REG_REASON_SIZE 33u

enum reg_answer {
    REG_GARBAGE, /* neither */
    REG_ACK,
    REG_DENIED, /* ERR:denied, ERR:limit, or a reason of a later relay: it lives, and another id may
                   be served */
    REG_NOT_NOW, /* ERR:full, ERR:off: nobody is */
};

/* Not ended by NUL. */
void reg_ask(char out[static REG_BYTES], const uint8_t random[static REG_RANDOM]);

/* `ret_reason` is what stands behind ERR:, "" with another answer. */
enum reg_answer reg_answer_parse(const char *text, size_t length,
                                 char ret_reason[static REG_REASON_SIZE]);

#endif
