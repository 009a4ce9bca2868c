/* SPDX-License-Identifier: Apache-2.0 */
/* Questions about the engine: status, peers, records. Changes nothing. */
#include "inspect.h"

#include "../util/printable.h"
#include "base/outbox.h"
#include "inspect-condition.h"
#include "peers/name.h"
#include "peers/peer.h"
#include "peers/poll.h"
#include "peers/waiting.h"
#include "state.h"
#include "triggers/host.h"
#include "triggers/triggers.h"

static const char *text_of(const struct text *text)
{
    return text ? text->s : NULL;
}

static uint64_t left_us(uint64_t until_us, uint64_t now_us)
{
    return until_us ? sub_u64(until_us, now_us) : INSPECT_NEVER;
}

struct inspect_status inspect_status(const struct engine *engine, uint64_t now_us)
{
    const struct node_state *node = &engine->node;
    uint64_t held_us = left_us(engine->all_held_until_us, now_us);

    return (struct inspect_status){
        .up = node->up,
        .reported = node->reported,
        .node = text_of(node->name),
        .implementation = text_of(node->implementation),
        .boot = text_of(node->boot),
        .down_reason = text_of(node->down_reason),
        .features = node->features,
        .prefer_reconnect = node->prefer_reconnect,
        .silent_us = polls_silent_us(engine, now_us),
        .mode = engine->mode,
        .all_held = engine->all_held && held_us,
        .held_left_us = held_us,
        .columns = engine->polls.columns,
        .rounds = engine->polls.round,
        .budget = engine->migration.budget,
        .names = engine->names.count,
        .decisions = engine->last_decision,
        .missed = engine->missed,
        .counts = engine_counts(engine),
    };
}

static void report_instance(const struct instance *instance, struct inspect_instance *ret)
{
    *ret = (struct inspect_instance){
        .name = instance->name,
        .trigger = instance->trigger->name,
        .open = instance->open,
        .samples = instance->trigger->sample != NULL,
        .finds_dead = instance->trigger->finds_dead,
        .failures = instance->failures,
    };
}

bool inspect_instance(const struct engine *engine, size_t place, struct inspect_instance *ret)
{
    if (place >= engine->triggers.n_instances)
        return false;
    report_instance(engine->triggers.instances[place], ret);
    return true;
}

/* What a policy has to say of a peer, made fit to be shown. */
static void report(struct instance *instance, struct peer *peer, uint64_t now_us,
                   char text[PD_SAVED_MAX])
{
    char reported[PD_SAVED_MAX] = "";
    int n = instance->trigger->tell(instance->self, &peer->view, triggers_state(instance, peer),
                                    now_us, reported, sizeof(reported));

    if (n > 0)
        text_printable(text, PD_SAVED_MAX, reported, strnlen(reported, sizeof(reported)));
}

bool inspect_membership(const struct engine *engine, uint64_t now_us, const char *name,
                        size_t place, struct inspect_instance *ret, char text[PD_SAVED_MAX])
{
    struct peer *peer = peers_find_name(engine, name);
    struct instance *instance;

    if (!peer || place >= engine->triggers.n_kinds)
        return false;
    instance = triggers_instance(&engine->triggers, peer, place);
    *ret = (struct inspect_instance){0};
    text[0] = '\0';
    if (!instance)
        return true;
    report_instance(instance, ret);
    if (instance->open && instance->trigger->tell)
        report(instance, peer, max_u64(now_us, engine->now_us), text);
    return true;
}

/* ---- peers ---- */

static enum inspect_move move_of(const struct peer *peer)
{
    const struct move *move = peer->moves ? peer->moves->move : NULL;

    if (!move)
        return INSPECT_IDLE;
    switch (move->state) {
    case MOVE_QUEUED:
        return INSPECT_QUEUED;
    case MOVE_OPEN:
        return INSPECT_OPEN;
    default:
        return INSPECT_WAITING;
    }
}

static enum inspect_state state_of(const struct peer *peer)
{
    return peer->state == PEER_UP     ? INSPECT_UP
           : peer->state == PEER_GONE ? INSPECT_GONE
                                      : INSPECT_UNREPORTED;
}

/* 0: not held. */
static uint64_t held_left_us(const struct engine *engine, uint64_t now_us, const char *name)
{
    const struct name_state *state = engine->names.count ? name_find(engine, name) : NULL;

    return state && state->held ? left_us(state->held_until_us, now_us) : 0;
}

bool inspect_held(const struct engine *engine, uint64_t now_us, const char *name)
{
    return held_left_us(engine, now_us, name);
}

uint32_t inspect_holds(const struct engine *engine, uint64_t now_us, const char **names,
                       uint32_t most)
{
    uint32_t count = 0;

    if (!engine->names.count)
        return 0;
    for (size_t i = 0; i < ARRAY_SIZE(engine->names.buckets); i++) {
        for (const struct name_state *state = engine->names.buckets[i]; state;
             state = state->next) {
            if (!state->held || !left_us(state->held_until_us, now_us))
                continue;
            if (count < most)
                names[count] = state->name->s;
            count++;
        }
    }
    return count;
}

static uint64_t rtt_of(const struct peer *peer, size_t place)
{
    return peer->rtt_last[place] == UINT32_MAX ? PD_UNKNOWN : peer->rtt_last[place];
}

static void report_peer(const struct engine *engine, uint64_t now_us, const struct peer *peer,
                        struct inspect_peer *ret)
{
    uint64_t held_us = held_left_us(engine, now_us, peer->view.name);
    const struct uplink *uplink = uplinks_of(engine, peer->view.path);

    *ret = (struct inspect_peer){
        .index = peer->view.index,
        .conn = peer->view.conn,
        .name = peer->view.name,
        .local = peer->view.path->local_text,
        .remote = peer->view.path->remote_text,
        .via = peer->view.path->via,
        .interface = peer->view.path->interface,
        .uplink = uplink ? uplink->name->s : NULL,
        .role = peer->view.role,
        .state = state_of(peer),
        .move = move_of(peer),
        .condition = inspect_condition(engine, now_us, peer),
        .silent_us = inspect_silent_us(engine, now_us, peer),
        .migratable = peer->migratable,
        .reconnectable = peer->reconnectable,
        .disabled = peer->disabled,
        .undialable = peer->undialable,
        .held = held_us,
        .held_left_us = held_us,
        .up_for_us = sub_u64(now_us, peer->up_us),
        .polled_ago_us = peer->last_look_us ? sub_u64(now_us, peer->last_look_us) : INSPECT_NEVER,
        .srtt_us = rtt_of(peer, 0),
        .latest_rtt_us = rtt_of(peer, 1),
        .rttvar_us = rtt_of(peer, 2),
        .rtt_samples = peer->samples_known ? peer->rtt_samples : PD_UNKNOWN,
        .bytes_sent = peer->bytes_sent,
        .bytes_received = peer->bytes_received,
        .in_flight_bytes = peer->in_flight_bytes,
        .n_rtt = peer_rtt_count(peer),
        .stalled_us =
            peer->stalled_since_us ? sub_u64(now_us, peer->stalled_since_us) : INSPECT_NEVER,
        .stalled_polls = peer->stalled_polls,
        .unanswered_throughout = peer->unanswered_throughout,
    };
    memcpy(ret->rtt_us, peer->rtt, sizeof(ret->rtt_us));
}

bool inspect_find(const struct engine *engine, uint64_t now_us, const char *name,
                  struct inspect_peer *ret)
{
    const struct peer *peer = peers_find_name(engine, name);

    if (peer)
        report_peer(engine, now_us, peer, ret);
    return peer;
}

uint32_t inspect_places(const struct engine *engine)
{
    return engine->peers.top;
}

/* The next known one before `end`, NULL. */
static const struct peer *next_before(const struct engine *engine, uint32_t *place, uint32_t end)
{
    end = (uint32_t)min_u64(end, engine->peers.top);
    while (*place < end) {
        const struct peer *peer = peer_at(engine, (*place)++);

        if (peer->state != PEER_REMOVED)
            return peer;
    }
    *place = end;
    return NULL;
}

bool inspect_next(const struct engine *engine, uint64_t now_us, uint32_t *place, uint32_t end,
                  struct inspect_peer *ret)
{
    const struct peer *peer = next_before(engine, place, end);

    if (peer)
        report_peer(engine, now_us, peer, ret);
    return peer;
}

static void tally_up(const struct engine *engine, uint64_t now_us, const struct peer *peer,
                     struct inspect_tally *tally)
{
    enum inspect_condition condition = inspect_condition(engine, now_us, peer);
    bool redial = peer_movable(engine, peer, BY_RECONNECT);
    bool movable = peer_movable(engine, peer, BY_MIGRATE) && !peer_inbound(peer);

    tally->up++;
    tally->silent += condition == INSPECT_IS_SILENT;
    tally->unseen += condition == INSPECT_IS_UNSEEN;
    tally->moving += condition == INSPECT_IS_MOVING;
    tally->idle += condition == INSPECT_IS_IDLE;
    tally->new += condition == INSPECT_IS_NEW;
    tally->relayed += peer->over_relay;
    if (peer_inbound(peer))
        tally->server++;
    else
        tally->client++;
    tally->fixed += !movable && !redial;
    tally->disabled += !movable && !peer_inbound(peer);
    tally->measured += peer->measured;
    if (!peer->moves)
        return;
    tally->watched += peer->moves->watch.on;
    tally->cooling += waiting_cooling(engine, peer->moves);
}

void inspect_tally(const struct engine *engine, uint64_t now_us, uint32_t begin, uint32_t end,
                   struct inspect_tally *tally)
{
    const struct peer *peer;

    while ((peer = next_before(engine, &begin, end))) {
        tally->held += inspect_held(engine, now_us, peer->view.name);
        if (peer->state == PEER_UP)
            tally_up(engine, now_us, peer, tally);
        else if (peer->state == PEER_GONE)
            tally->gone++;
        else
            tally->unreported++;
    }
}

/* ---- records ---- */

/* Looked through for those of the last turn; beyond there were others only. */
#define OUTBOX_WALK 4096u

/* Those of the last turn are still in the outbox; the ring will number them on. */
const struct record *inspect_walk(const struct engine *engine, struct inspect_walk *walk)
{
    const struct outbox *box = &engine->outbox.box;
    const struct ring *ring = &engine->ring;
    size_t end = box->n_records - min_u64(box->n_records, max_u64(OUTBOX_WALK, ring->capacity));
    uint64_t number = ring->pushed, back;

    if (!walk->begun) {
        walk->place = box->n_records;
        walk->number = ring->pushed + engine->outbox.n_kept;
        walk->begun = true;
    }
    while (walk->place > end && walk->number > ring->pushed) {
        const struct record *record = &box->records[--walk->place];

        if (!record_is_kept(record))
            continue;
        if (!walk->before || walk->number < walk->before) {
            walk->before = walk->number--;
            return record;
        }
        walk->number--;
    }
    if (walk->before && walk->before <= number)
        number = walk->before - 1;
    back = ring->pushed - number; /* 0: the newest of the ring */
    if (!number || back >= ring->count)
        return NULL;
    walk->before = number;
    return &ring->records[(ring->next + ring->capacity - 1 - back) % ring->capacity];
}

const struct record *inspect_record(const struct engine *engine, uint64_t *before)
{
    struct inspect_walk walk = {.before = *before};
    const struct record *record = inspect_walk(engine, &walk);

    *before = walk.before;
    return record;
}
