/* SPDX-License-Identifier: Apache-2.0 */
/* The ages of a row, and the stretch without progress of each connection. */
#include "progress.h"

#include "../state.h"
#include "unacked.h"

/* Only with one of these a node can show progress at all. */
static bool shows_progress(const struct pd_row *row)
{
    return row->v[PD_RTT_SAMPLES] != PD_UNKNOWN || row->v[PD_BYTES_RECEIVED] != PD_UNKNOWN ||
           row->v[PD_SILENT_MS] != PD_UNKNOWN;
}

void progress_restart(struct engine *engine, struct peer *peer)
{
    peer->stalled_since_us = peer->unanswered_since_us = engine->now_us;
    peer->stalled_polls = peer->unanswered_rows = 0;
    peer->unanswered_throughout = true;
    peer->sent_known = peer->sent_since = false;
}

/* What was sent on the path before and not acknowledged is outstanding on this one, too:
 * outstanding_sent stays. */
void progress_path(struct peer *peer)
{
    peer->outstanding_since_us = 0;
}

bool progress_unanswered(const struct peer *peer)
{
    if (!peer->stalled_polls)
        return false;
    return peer->unanswered_throughout || peer->sent_since;
}

/* How much was sent when the stretch began, by its first row that says so, is what is
 * compared with: more since then, or not? */
static void take_sent(struct peer *peer, const struct pd_row *row)
{
    uint64_t sent = row->v[PD_BYTES_SENT];

    if (sent == PD_UNKNOWN)
        return;
    peer->sent_since |= peer->sent_known && sent > peer->bytes_sent;
    peer->sent_known = true;
}

/* Who is idle for a minute and then sends waits for an answer from then on, not for a minute. */
static void take_unanswered(struct engine *engine, struct peer *peer, const struct pd_row *row,
                            bool outstanding)
{
    if (!outstanding && (row->v[PD_BYTES_SENT] == PD_UNKNOWN || !peer->sent_since)) {
        peer->unanswered_since_us = engine->now_us;
        peer->unanswered_rows = 0;
    } else if (shows_progress(row)) {
        peer->unanswered_rows += peer->unanswered_rows < UINT8_MAX;
    }
}

/* A row of a connection that does not progress. Something sent and acknowledged between
 * two rows shows as bytes sent and nothing in flight: that alone is not outstanding in
 * the row after it. */
static void take_outstanding(struct engine *engine, struct peer *peer, const struct pd_row *row,
                             bool outstanding)
{
    bool sent = row->v[PD_BYTES_SENT] != PD_UNKNOWN && row->v[PD_BYTES_SENT] > peer->bytes_sent;

    if (!peer->outstanding_since_us) {
        if (!outstanding && !sent && !peer->outstanding_sent)
            return;
        peer->outstanding_since_us = engine->now_us;
        peer->outstanding_always = outstanding;
        peer->outstanding_sent = false;
        peer->outstanding_rows = 1;
        return;
    }
    peer->outstanding_always &= outstanding;
    peer->outstanding_sent |= sent;
    peer->outstanding_rows += peer->outstanding_rows < UINT8_MAX;
    if (!peer->outstanding_always && !peer->outstanding_sent &&
        engine->now_us > peer->outstanding_since_us)
        peer->outstanding_since_us = 0;
}

static void take_progress(struct engine *engine, struct peer *peer, const struct pd_row *row)
{
    peer->progress_us = engine->now_us;
    peer->outstanding_since_us = 0;
    peer->outstanding_sent = false;
    progress_restart(engine, peer);
    take_sent(peer, row);
}

/* The stretch goes on; the very first row begins it, unless advice has done so before. */
static void take_stretch(struct engine *engine, struct peer *peer, const struct pd_row *row,
                         bool outstanding)
{
    if (!peer->stalled_since_us) {
        progress_restart(engine, peer);
        take_sent(peer, row);
        return;
    }
    take_sent(peer, row);
    peer->stalled_polls += peer->stalled_polls < UINT16_MAX;
    peer->unanswered_throughout &= outstanding;
    take_unanswered(engine, peer, row, outstanding);
}

OUT_OF_LINE static void take_no_progress(struct engine *engine, struct peer *peer,
                                         struct pd_sample *sample)
{
    bool outstanding = unacked_shows(sample->row);

    if (sample->in_flight || !sample->last_look_us) {
        peer->outstanding_since_us = 0;
        peer->outstanding_sent = false;
    } else {
        take_outstanding(engine, peer, sample->row, outstanding);
    }
    take_stretch(engine, peer, sample->row, outstanding);
    if (!peer->progress_us)
        peer->progress_us = engine->now_us;
    sample->stalled_us = engine->now_us - peer->progress_us;
    sample->outstanding_since_us = peer->outstanding_since_us;
    sample->outstanding_rows = peer->outstanding_since_us ? peer->outstanding_rows : 0;
}

void progress_row(struct engine *engine, struct peer *peer, struct pd_sample *sample)
{
    sample->stalled_us = sample->outstanding_since_us = 0;
    sample->outstanding_rows = 0;
    if (sample->progress)
        take_progress(engine, peer, sample->row);
    else
        take_no_progress(engine, peer, sample);
}
