/* SPDX-License-Identifier: Apache-2.0 */
/* See probe.h. */
#include "probe.h"

#include "../base/outbox.h"
#include "../peers/peer.h"
#include "../state.h"
#include "choose.h"

/* So many connections ask over the same uplink at once: one peer may be away. */
#define ASKED_AT_ONCE 3u
/* The shell answers each; should it ever lose one, nothing may wait for it. */
#define LOST_US UINT64_C(10000000)

void probe_send(struct engine *engine, const struct peer *peer, struct uplink *uplink,
                bool for_return)
{
    struct uplinks *uplinks = &engine->uplinks;
    struct action *action = outbox_action(engine, ACTION_PROBE_PATH);
    const char *interface = outbox_text(engine, uplink->interface->s);

    uplinks->probes = array_reserve(uplinks->probes, &uplinks->probes_capacity,
                                    uplinks->n_probes + 1, sizeof(*uplinks->probes));
    uplinks->probes[uplinks->n_probes++] = (struct uplink_probe){
        .number = ++uplinks->last_probe,
        .conn = peer->view.conn,
        .until_us = engine->now_us + PROBE_TIMEOUT_MS * UINT64_C(1000) + LOST_US,
        .uplink = uplink_place(engine, uplink),
        .for_return = for_return,
    };
    action->probe_path = (struct action_probe_path){
        .probe = uplinks->last_probe,
        .conn = peer->view.conn,
        .interface = interface,
        .timeout_ms = PROBE_TIMEOUT_MS,
    };
    uplink->is.asked_us = engine->now_us;
}

unsigned probes_open(const struct engine *engine, const struct uplink *uplink, bool for_return)
{
    const struct uplinks *uplinks = &engine->uplinks;
    uint8_t place = uplink ? uplink_place(engine, uplink) : 0;
    unsigned count = 0;

    for (size_t i = 0; i < uplinks->n_probes; i++)
        count += uplinks->probes[i].for_return == for_return &&
                 (!uplink || uplinks->probes[i].uplink == place);
    return count;
}

/* It is asked already: by this connection, or by enough others. */
static bool is_asked(const struct engine *engine, const struct peer *peer,
                     const struct uplink *uplink)
{
    const struct uplinks *uplinks = &engine->uplinks;
    uint8_t place = uplink_place(engine, uplink);

    for (size_t i = 0; i < uplinks->n_probes; i++)
        if (uplinks->probes[i].uplink == place && uplinks->probes[i].conn == peer->view.conn &&
            !uplinks->probes[i].for_return)
            return true;
    return probes_open(engine, uplink, false) >= ASKED_AT_ONCE;
}

void probe_candidates(struct engine *engine, const struct peer *peer, const struct choice *choice)
{
    engine->uplinks.deciding++;
    for (size_t i = 0; i < engine->uplinks.n && i < UPLINKS_CHOSEN_MAX; i++) {
        struct uplink *uplink = &engine->uplinks.list[i];

        if (choice->candidates & UINT64_C(1) << i && !is_asked(engine, peer, uplink))
            probe_send(engine, peer, uplink, false);
    }
}

static void drop(struct uplinks *uplinks, size_t place)
{
    uplinks->probes[place] = uplinks->probes[--uplinks->n_probes];
}

bool probe_take(struct engine *engine, uint64_t number, struct uplink_probe *ret)
{
    struct uplinks *uplinks = &engine->uplinks;

    for (size_t i = 0; i < uplinks->n_probes; i++)
        if (uplinks->probes[i].number == number) {
            *ret = uplinks->probes[i];
            drop(uplinks, i);
            return true;
        }
    return false;
}

void probes_expire(struct engine *engine)
{
    struct uplinks *uplinks = &engine->uplinks;

    for (size_t i = uplinks->n_probes; i-- > 0;)
        if (uplinks->probes[i].until_us <= engine->now_us)
            drop(uplinks, i);
}

void probes_forget(struct engine *engine)
{
    struct uplinks *uplinks = &engine->uplinks;

    for (size_t i = 0; i < uplinks->n_probes; i++) {
        struct uplink *uplink = uplink_at(engine, uplinks->probes[i].uplink);

        if (uplink) /* that none comes says nothing of the path */
            uplink->is.asked_us = 0;
    }
    uplinks->n_probes = 0;
}
