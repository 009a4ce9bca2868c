/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines to a descriptor whose reader may stop at any time: a bounded queue,
 * written without ever waiting. What does not fit is counted, never half
 * written. Knows nothing of records.
 */
#ifndef OUT_STREAM_H
#define OUT_STREAM_H

#include <systemd/sd-event.h>

#include "../util/buffer.h"

struct stream;

struct stream_config {
    int fd;             /* stays open; is not changed where that can be helped */
    size_t queue_bytes; /* kept while the reader takes something now and then */
    size_t stood_bytes; /* kept once it took nothing for a second */
    /* The reader takes again, or (`error` set) never will: so many lines were
     * lost, because it stood still or, else, was too slow. Called from the loop or
     * from stream_end_line; must only note it. */
    void (*dropped)(void *user, uint64_t count, bool stood, int error);
    void *user;
};

int stream_new(sd_event *loop, const struct stream_config *config, struct stream **ret_stream);

/* Where to append the next line; stream_end_line then keeps or drops it whole. */
struct buffer *stream_line(struct stream *stream);
void stream_end_line(struct stream *stream);

/* Writes what can be written now. */
void stream_flush(struct stream *stream);

/* Goes on for at most so long. Returns how many lines were lost and not said. */
uint64_t stream_drain(struct stream *stream, uint64_t timeout_us);

struct stream *stream_free(struct stream *stream);

#endif
