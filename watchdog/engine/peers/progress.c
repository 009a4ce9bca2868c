/* SPDX-License-Identifier: Apache-2.0 */
/* The stretch without progress of each connection. */
#include "progress.h"

#include "../state.h"

void look_quiet_restart(struct engine *engine, struct peer *peer)
{
    peer->quiet_since_us = peer->owed_since_us = engine->now_us;
    peer->quiet_looks = peer->owed_telling = 0;
    peer->quiet_owed = true;
    peer->sent_known = peer->sent_since = false;
}

bool look_owed(const struct peer *peer)
{
    if (!peer->quiet_looks)
        return false;
    return peer->quiet_owed || peer->sent_since;
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

/* Who is idle for a minute and then sends owes from then on, not for a minute. */
static void take_owed(struct engine *engine, struct peer *peer, const struct pd_row *row,
                      bool outstanding)
{
    uint64_t sent = row->v[PD_BYTES_SENT];

    if (!outstanding && (sent == PD_UNKNOWN || !peer->sent_since)) {
        peer->owed_since_us = engine->now_us;
        peer->owed_telling = 0;
    } else if (row->v[PD_RTT_SAMPLES] != PD_UNKNOWN || row->v[PD_BYTES_RECEIVED] != PD_UNKNOWN ||
               row->v[PD_SILENT_MS] != PD_UNKNOWN) {
        peer->owed_telling += peer->owed_telling < UINT8_MAX;
    }
}

/* The stretch without progress goes on, or begins anew with this row. */
void progress_row(struct engine *engine, struct peer *peer, const struct pd_row *row, bool progress)
{
    uint64_t in_flight = row->v[PD_IN_FLIGHT_BYTES], pto = row->v[PD_PTO_COUNT];
    bool outstanding = (in_flight != PD_UNKNOWN && in_flight > 0) || (pto != PD_UNKNOWN && pto > 0);

    if (progress || !peer->quiet_since_us) {
        look_quiet_restart(engine, peer);
        take_sent(peer, row);
        return;
    }
    take_sent(peer, row);
    peer->quiet_looks++;
    peer->quiet_owed &= outstanding;
    take_owed(engine, peer, row, outstanding);
}
