/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events ↔ lines of JSON, exactly: what was recorded is what is replayed. Also
 * the header of a recording. Pure; files are recorder.[ch]'s business.
 *
 * Numbers above 2^63-1 are written as decimal strings, texts that are not UTF-8
 * as {"hex":"…"}; what is NULL is left out.
 */
#ifndef CODEC_CODEC_H
#define CODEC_CODEC_H

#include "../engine/event.h"
#include "../util/buffer.h"
#include "arena.h"

#define RECORDING_VERSION 1

/* The first line of a recording. */
struct recording_header {
    const char *run;
    uint64_t started_us;  /* CLOCK_MONOTONIC, as given to engine_new */
    uint64_t realtime_us; /* the same moment */
    const char *config;   /* the effective config as INI text */
};

/* Appends one line, with its LF. Values in columns that `samples.columns` does
 * not name are not written: they are PD_UNKNOWN. */
void event_encode(struct buffer *out, const struct event *event);
void header_encode(struct buffer *out, const struct recording_header *header);

/* Reads one line (the LF may be there). What `*ret` points to is in `arena`.
 * Returns 0, or -EBADMSG with `error`, of `size` bytes, saying where and what. */
int event_decode(const char *line, size_t length, struct arena *arena, struct event *ret,
                 char *error, size_t size);
int header_decode(const char *line, size_t length, struct arena *arena,
                  struct recording_header *ret, char *error, size_t size);

#endif
