/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text of quic-relay and udp-relay: what is asked of them, and what they answer. Pure.
 *
 * An answer comes over the same socket as QUIC's packets, and begins like one with a short header.
 * "ACK" and "ERR:…" are shorter than any packet; "LEASE:" would be the first byte and five bytes of
 * a connection id that was drawn at random here.
 */
#ifndef QUIC_NODE_RELAY_TEXT_H
#define QUIC_NODE_RELAY_TEXT_H

#include <stddef.h>
#include <stdint.h>

#define RELAY_ID_BYTES     16u
#define RELAY_ID_SIZE      33u /* as hexadecimal digits */
#define RELAY_QUESTION_MAX 64u
#define RELAY_WORD_SIZE    20u

enum relay_answer {
    RELAY_DATA, /* none of it: the other end's */
    RELAY_ACK,
    RELAY_ERR,
    RELAY_LEASE,
    RELAY_ASKED, /* a question of the other end, that a relay did not know for one */
};

struct relay_said {
    enum relay_answer what;
    char word[RELAY_WORD_SIZE]; /* behind ERR: */
    uint64_t bytes, ms;         /* of LEASE; UINT64_MAX: no such limit */
};

struct relay_said relay_said(const uint8_t *data, size_t len);

/* Both return the length. */
size_t relay_ask_register(char out[static RELAY_QUESTION_MAX], const char *id);
size_t relay_ask_lease(char out[static RELAY_QUESTION_MAX], const char *id);

#endif
