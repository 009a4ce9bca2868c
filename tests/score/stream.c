/* SPDX-License-Identifier: Apache-2.0 */
/* See stream.h. */
#include "stream.h"

#include "util/util.h"

void stream_make(struct stream *stream, uint32_t bytes, uint64_t now_us)
{
    if (stream->end - stream->base >= STREAM_BACKLOG)
        return;
    *stream_message(stream, stream->end++) = (struct message){.made_us = now_us, .bytes = bytes};
}

uint64_t stream_next(const struct stream *stream)
{
    if (stream->n_again)
        for (uint64_t i = stream->base; i < stream->unsent; i++)
            if (stream->ring[i % STREAM_RING].again)
                return i;
    return stream->unsent < stream->end ? stream->unsent : NO_MESSAGE;
}

static void again_set(struct stream *stream, struct message *message, bool again)
{
    if (message->again != again)
        stream->n_again += again ? 1u : -1u;
    message->again = again;
}

void stream_sent(struct stream *stream, uint64_t number, uint64_t now_us)
{
    struct message *message = stream_message(stream, number);

    if (number == stream->unsent) {
        stream->unsent++;
        stream->unacked += message->bytes;
        message->sent_us = now_us;
    }
    again_set(stream, message, false);
}

uint32_t stream_acked(struct stream *stream, uint64_t number)
{
    struct message *message = stream_message(stream, number);

    if (number < stream->base || message->acked)
        return 0;
    again_set(stream, message, false);
    message->acked = true;
    stream->unacked -= message->bytes;
    while (stream->base < stream->unsent && stream_message(stream, stream->base)->acked)
        stream->base++;
    return message->bytes;
}

void stream_again(struct stream *stream, uint64_t number)
{
    if (number >= stream->base && !stream_message(stream, number)->acked)
        again_set(stream, stream_message(stream, number), true);
}

static void waits_advance(struct stream *stream)
{
    stream->waits = max_u64(stream->waits, stream->base);
    while (stream->waits < stream->unsent && stream_message(stream, stream->waits)->delivered)
        stream->waits++;
}

void stream_arrived(struct stream *stream, uint64_t number, uint64_t now_us)
{
    struct message *message = stream_message(stream, number);

    if (number < stream->waits || message->delivered)
        return;
    message->delivered = true;
    stream->latency_us = now_us - message->made_us;
    stream->arrived_us = now_us;
    waits_advance(stream);
}

uint64_t stream_oldest(const struct stream *stream)
{
    return stream->base < stream->unsent ? stream->base : NO_MESSAGE;
}

uint64_t stream_oldest_us(const struct stream *stream)
{
    return stream->base < stream->unsent ? stream->ring[stream->base % STREAM_RING].sent_us
                                         : UINT64_MAX;
}

void stream_cut(struct stream *stream)
{
    for (; stream->base < stream->unsent; stream->base++) {
        struct message *message = stream_message(stream, stream->base);

        stream->lost += !message->delivered;
        again_set(stream, message, false);
    }
    stream->unacked = 0;
    stream->waits = max_u64(stream->waits, stream->base);
}

uint64_t stream_waits_us(const struct stream *stream)
{
    return stream->waits < stream->end ? stream->ring[stream->waits % STREAM_RING].made_us
                                       : UINT64_MAX;
}
