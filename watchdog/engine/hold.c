/* SPDX-License-Identifier: Apache-2.0 */
/* Holds and the mode, as operators change them. */
#include "hold.h"

#include "moves/advice.h"
#include "moves/move.h"
#include "peers/name.h"
#include "peers/peer.h"
#include "state.h"

/* More or less is allowed now: of one connection, or of all for NULL. */
static void changed(struct engine *engine, struct peer *peer)
{
    if (peer) {
        engine->missed += advice_allowed(engine, peer);
        return;
    }
    for (uint32_t i = 0; engine->remembered && (peer = peers_next(engine, &i));)
        engine->missed += advice_allowed(engine, peer);
}

void hold_begin(struct engine *engine, const char *name, uint64_t until_us)
{
    struct peer *peer = name ? peers_find_name(engine, name) : NULL;

    name_hold(engine, name, until_us);
    if (name && !peer)
        return;
    moves_end_queued(engine, peer, VERDICT_HELD);
    changed(engine, peer); /* a hold that was in force may end at another time now */
}

void hold_end(struct engine *engine, const char *name)
{
    struct peer *peer = name ? peers_find_name(engine, name) : NULL;

    name_unhold(engine, name);
    if (!name || peer)
        changed(engine, peer);
}

void hold_mode(struct engine *engine, enum mode mode)
{
    engine->mode = mode;
    if (mode == MODE_OBSERVE)
        moves_end_queued(engine, NULL, VERDICT_HELD); /* by whoever wants to observe only */
    changed(engine, NULL);
}
