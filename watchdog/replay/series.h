/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The RTT of each peer over time, as an outline of a recording: in at most SERIES_STEPS steps the
 * lowest and the highest sample, and over which paths its connections went. The steps get longer as
 * the recording does, so it is bounded whatever is recorded. Pure.
 */
#ifndef REPLAY_SERIES_H
#define REPLAY_SERIES_H

#include "../engine/event.h"
#include "../engine/record.h"
#include "../util/buffer.h"

#define SERIES_STEPS 960u  /* even */
#define SERIES_PEERS 4096u /* of these the samples are kept */
#define SERIES_SHOWN 64u   /* of these they are written: those with the most decisions */
#define SERIES_PATHS 64u   /* changes of path, of one peer */

struct series;

/* Of what is between the two, wall clock; UINT64_MAX: to the end. */
struct series *series_new(uint64_t since_us, uint64_t until_us);

/* An event, after the records that came of it. */
void series_event(struct series *series, const struct event *event);
void series_record(struct series *series, const struct record *record);

/* Appends a line of JSON for each peer, and a last one about all of them. */
void series_write(const struct series *series, struct buffer *out);

/* NULL is fine. Returns NULL. */
struct series *series_free(struct series *series);

#endif
