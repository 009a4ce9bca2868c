/* SPDX-License-Identifier: Apache-2.0 */
/* See ping.h. */
#include "ping.h"

#include "../state.h"
#include "name.h"
#include "peer.h"
#include "poll.h"

#define PING_US UINT64_C(2000000)
/* After what proves that large packets vanish (unacked.c): a PING gets through there, and would
 * count as progress before. */
#define FIRST_US UINT64_C(4000000)

bool ping_now(struct engine *engine, struct peer *peer)
{
    if (!(engine->node.features & NODE_PROBE) || peer->state != PEER_UP ||
        engine->mode == MODE_OBSERVE || name_held(engine, peer->view.name))
        return false;
    if (peer->moves && peer->moves->ping_us == engine->now_us)
        return true;
    if (peer->moves)
        peer->moves->ping_us = engine->now_us;
    poll_probe(engine, peer);
    return true;
}

/* Only for data: the PINGs of an idle connection would look like data of its own to a node that
 * does not tell the two apart. */
void ping_row(struct engine *engine, struct peer *peer, const struct pd_sample *sample)
{
    if (sample->progress || !sample->application || sample->stalled_us < FIRST_US)
        return;
    if (engine->now_us >= add_u64(peer->moves->ping_us, PING_US))
        (void)ping_now(engine, peer);
}

void ping_waiting(struct engine *engine, struct peer *peer)
{
    if (peer->unacked_since_us || peer->outstanding_since_us ||
        (peer->moves && peer->moves->watch.on))
        (void)ping_now(engine, peer);
}
