/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the stack share: packets, and who sends them. */
#ifndef SCORE_PACKET_H
#define SCORE_PACKET_H

#include "world.h"

#define ACK_BYTES   40u
#define HEAD_BYTES  40u
#define MTU_FIND_US (2 * SECOND)

enum packet_kind {
    PACKET_DATA,
    PACKET_ACK,
    PACKET_CHALLENGE,
    PACKET_RESPONSE,
    PACKET_HELLO,
    PACKET_REPLY,
    PACKET_CLOSE,
};

struct packet {
    struct conn *conn;
    bool to_host;
    enum packet_kind kind;
    bool eliciting;
    struct path path;
    uint32_t bytes;
    uint64_t number, message, token;
    struct ack ack;
};

/* Not ack-eliciting. */
void stack_send(struct world *world, struct end *end, enum packet_kind kind,
                const struct path *path, uint32_t bytes, uint64_t token);
/* What this end sends. */
struct stream *stack_out(struct world *world, const struct end *end);
/* Is this the connection that the application of this end uses? */
bool stack_in_use(struct world *world, const struct end *end);

struct end *handshake_dialler(struct conn *conn);
void handshake_hello(struct world *world, struct end *end, const struct packet *packet);
void handshake_reply(struct world *world, struct end *end);
void handshake_timer(struct world *world, struct end *end);

#endif
