/* SPDX-License-Identifier: Apache-2.0 */
/* What a datagram says to the relay, if anything: quic-relay's text, and a question of our own.
 * Pure. */
#ifndef UDP_RELAY_MESSAGE_H
#define UDP_RELAY_MESSAGE_H

#include <stddef.h>

enum message_kind {
    MESSAGE_DATA,
    MESSAGE_REG,     /* with an id */
    MESSAGE_BAD_REG, /* begins so, but the id is empty, too long or no UTF-8 */
    MESSAGE_LEASE,   /* with an id */
};

struct message {
    enum message_kind kind;
    const char *id; /* in the payload; white space at both ends is left out */
    size_t id_size;
};

void message_parse(const void *payload, size_t size, struct message *ret);

#endif
