/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an application sends to the other end: messages, in order of their making. They outlive
 * connections, but for those that were on their way when a connection ended.
 */
#ifndef SCORE_STREAM_H
#define SCORE_STREAM_H

#include <stdbool.h>
#include <stdint.h>

#define STREAM_RING 1024u
/* Made and not acknowledged, at most: then the application waits. */
#define STREAM_BACKLOG 1000u
#define NO_MESSAGE     UINT64_MAX

struct message {
    uint64_t made_us;
    uint64_t sent_us; /* for the first time, by the sender's clock */
    uint32_t bytes;
    bool acked;
    bool again; /* its packet was lost */
    bool delivered;
};

struct stream {
    struct message ring[STREAM_RING];
    uint64_t base;       /* the oldest that is not acknowledged */
    uint64_t unsent;     /* the first that was never sent */
    uint64_t end;        /* the next to be made */
    uint64_t waits;      /* the oldest that has not arrived */
    uint32_t n_again;    /* that are to be sent again */
    uint64_t unacked;    /* bytes, sent and not acknowledged */
    uint64_t latency_us; /* of the last that arrived */
    uint64_t arrived_us; /* and when */
    uint64_t lost;       /* with connections that ended */
};

static inline struct message *stream_message(struct stream *stream, uint64_t number)
{
    return &stream->ring[number % STREAM_RING];
}

void stream_make(struct stream *stream, uint32_t bytes, uint64_t now_us);
/* What is to be sent next: lost ones first; NO_MESSAGE: nothing. */
uint64_t stream_next(const struct stream *stream);
void stream_sent(struct stream *stream, uint64_t number, uint64_t now_us);
/* Returns how many bytes that were not acknowledged before. */
uint32_t stream_acked(struct stream *stream, uint64_t number);
void stream_again(struct stream *stream, uint64_t number);
void stream_arrived(struct stream *stream, uint64_t number, uint64_t now_us);
/* The oldest that was sent and not acknowledged; NO_MESSAGE. */
uint64_t stream_oldest(const struct stream *stream);
/* When that was sent first; UINT64_MAX: there is none. */
uint64_t stream_oldest_us(const struct stream *stream);
/* The connection ended: what was on its way is lost. */
void stream_cut(struct stream *stream);
/* When the oldest was made that has not arrived; UINT64_MAX: all have. */
uint64_t stream_waits_us(const struct stream *stream);

#endif
