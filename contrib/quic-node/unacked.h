/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What of the application's data was sent and is not acknowledged, and since when. It must not
 * know what a connection is.
 *
 * The library says up to which offset of the stream the peer has acknowledged, and neither when
 * that was sent nor what of it is the application's: both are kept here, per write. Offsets grow;
 * where the application's bytes have gaps, the bytes between are somebody else's.
 */
#ifndef QUIC_NODE_UNACKED_H
#define QUIC_NODE_UNACKED_H

#include <stdint.h>

/* When there is no room, those that lie close together become one. */
#define UNACKED_WRITES 128u

struct unacked_write {
    uint64_t start, end; /* offsets in the stream */
    uint64_t bytes;      /* the application's among them */
    uint64_t first_ns;   /* when the first of them was first sent */
};

struct unacked {
    struct unacked_write writes[UNACKED_WRITES]; /* the oldest first */
    unsigned n;
    uint64_t bytes; /* of all of them */
    uint64_t acked; /* counter */
};

/* `bytes` of the application were sent for the first time; they end at the offset `end`. */
void unacked_sent(struct unacked *u, uint64_t end, uint64_t bytes, uint64_t now_ns);

/* All before the offset `upto` is acknowledged. */
void unacked_acked(struct unacked *u, uint64_t upto);

/* When the oldest of what is unacknowledged was first sent. UINT64_MAX: there is none. */
uint64_t unacked_since_ns(const struct unacked *u);

#endif
