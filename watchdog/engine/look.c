/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When to look: one round of all each sample_interval, close looks at
 * suspects each close_interval, one summary outstanding at a time.
 */
#include "look.h"

#include "index.h"
#include "outbox.h"
#include "peer.h"
#include "row.h"
#include "triggers.h"

#define SOON_GAP_US 20000u /* close looks out of turn are at least so far apart */

static void tick_due(struct engine *engine, struct deadline *deadline);
static void close_due(struct engine *engine, struct deadline *deadline);

void looks_init(struct engine *engine)
{
    engine->looks.tick.run = tick_due;
    engine->looks.close.run = close_due;
}

static void ask_all(struct engine *engine)
{
    struct looks *looks = &engine->looks;
    struct action *action = outbox_action(engine, ACTION_SUMMARY);

    looks->open = ++looks->last;
    looks->open_all = true;
    looks->all_due = false;
    looks->round++;
    action->summary.look = looks->open;
}

static void list_remove(struct engine *engine, struct peer *peer)
{
    struct looks *looks = &engine->looks;
    struct affair *affair = peer->affair;

    if (affair->look_previous)
        affair->look_previous->affair->look_next = affair->look_next;
    else
        looks->first = affair->look_next;
    if (affair->look_next)
        affair->look_next->affair->look_previous = affair->look_previous;
    else
        looks->last_peer = affair->look_previous;
    affair->look_previous = affair->look_next = NULL;
    affair->looked = false;
    looks->looked--;
}

static void list_append(struct engine *engine, struct peer *peer)
{
    struct looks *looks = &engine->looks;
    struct affair *affair = peer->affair;

    affair->look_previous = looks->last_peer;
    affair->look_next = NULL;
    if (looks->last_peer)
        looks->last_peer->affair->look_next = peer;
    else
        looks->first = peer;
    looks->last_peer = peer;
    affair->looked = true;
    looks->looked++;
}

/* Those looked at longest ago come first and go to the end of the list, so
 * that more than close_max of them take turns. */
static void ask_close(struct engine *engine)
{
    struct looks *looks = &engine->looks;
    size_t most = min_u64(min_u64(looks->looked, engine->config->close_max), LOOK_CONNS_MAX);
    uint64_t *conns;
    struct action *action;
    size_t count = 0;

    looks->close_due = false;
    looks->close_last_us = engine->now_us;
    deadline_set(&engine->deadlines, &looks->close,
                 looks->looked ? engine->now_us + engine->config->close_interval_us : NEVER);
    if (!most)
        return;
    conns = outbox_conns(engine, most);
    while (count < most) {
        struct peer *peer = looks->first;

        list_remove(engine, peer);
        list_append(engine, peer);
        conns[count++] = peer->view.conn;
    }
    action = outbox_action(engine, ACTION_SUMMARY);
    looks->open = ++looks->last;
    looks->open_all = false;
    action->summary = (struct action_summary){looks->open, conns, count};
}

/* Whatever is due and may be asked now. */
static void ask_due(struct engine *engine)
{
    struct looks *looks = &engine->looks;

    if (looks->open || !engine->node.told)
        return;
    if (looks->all_due)
        ask_all(engine);
    else if (looks->close_due)
        ask_close(engine);
}

static void tick_due(struct engine *engine, struct deadline *deadline)
{
    struct looks *looks = &engine->looks;
    uint64_t interval = engine->config->sample_interval_us;
    uint64_t next = deadline->at_us + interval;

    /* a loop that was late does not make up for the ticks it missed */
    if (next <= engine->now_us)
        next = engine->now_us + interval;
    deadline_set(&engine->deadlines, deadline, next);
    if (!looks->open || !looks->open_all)
        looks->all_due = true; /* else this round is skipped */
    ask_due(engine);
}

static void close_due(struct engine *engine, struct deadline *deadline)
{
    struct looks *looks = &engine->looks;
    struct peer *next;

    (void)deadline;
    for (struct peer *peer = looks->first; peer; peer = next) {
        next = peer->affair->look_next;
        look_update(engine, peer); /* a trigger's wish may be over */
    }
    looks->close_due = looks->looked > 0;
    ask_due(engine);
}

void looks_start(struct engine *engine)
{
    struct looks *looks = &engine->looks;

    looks->noticed_unjudgeable = false;
    looks->columns = 0;
    looks->all_due = true;
    deadline_set(&engine->deadlines, &looks->tick,
                 engine->now_us + engine->config->sample_interval_us);
    ask_due(engine);
    if (looks->looked)
        look_soon(engine);
}

void looks_retime(struct engine *engine)
{
    if (deadline_is_on(&engine->looks.tick))
        deadline_set(&engine->deadlines, &engine->looks.tick,
                     engine->now_us + engine->config->sample_interval_us);
}

void looks_stop(struct engine *engine)
{
    struct looks *looks = &engine->looks;

    looks->open = 0;
    looks->all_due = looks->close_due = false;
    deadline_set(&engine->deadlines, &looks->tick, NEVER);
    deadline_set(&engine->deadlines, &looks->close, NEVER);
}

void looks_done(struct engine *engine, const struct event_summary_done *event)
{
    struct looks *looks = &engine->looks;
    bool all = looks->open_all;

    if (event->look != looks->open || !looks->open) {
        engine->ignored++;
        return;
    }
    looks->open = 0;
    if (all && !event->failed)
        triggers_missing(engine);
    ask_due(engine);
}

/* The table is larger than the caches: what the next rows are about is fetched
 * while this one is worked on. */
static void prefetch(const struct engine *engine, const struct event_samples *event, size_t row)
{
    const struct index *index = &engine->peers.by_conn;

    if (row + 16 < event->n_rows)
        index_prefetch_slot(index, hash_conn(event->rows[row + 16].conn));
    if (row + 8 < event->n_rows)
        index_prefetch_peer(engine, index, hash_conn(event->rows[row + 8].conn));
}

void looks_samples(struct engine *engine, const struct event_samples *event)
{
    if (!engine->node.up)
        return;
    engine->looks.columns |= event->columns;
    for (size_t i = 0; i < event->n_rows; i++) {
        struct peer *peer;

        prefetch(engine, event, i);
        peer = peers_find(engine, event->rows[i].conn);

        if (peer && peer->state != PEER_UNTOLD)
            row_take(engine, peer, &event->rows[i].row, event->columns);
        else
            engine->ignored++;
    }
}

void look_soon(struct engine *engine)
{
    struct looks *looks = &engine->looks;
    uint64_t at_us = max_u64(engine->now_us, add_u64(looks->close_last_us, SOON_GAP_US));

    if (!engine->node.told || looks->close_due)
        return;
    if (!deadline_is_on(&looks->close) || looks->close.at_us > at_us)
        deadline_set(&engine->deadlines, &looks->close, at_us);
}

void look_remove(struct engine *engine, struct peer *peer)
{
    if (peer->affair && peer->affair->looked)
        list_remove(engine, peer);
}

void look_update(struct engine *engine, struct peer *peer)
{
    struct affair *affair = peer->affair;
    bool wanted = peer->state != PEER_REMOVED &&
                  (affair->watch.on || affair->effect || affair->look_until_us > engine->now_us);

    if (wanted && !affair->looked) {
        list_append(engine, peer);
        look_soon(engine);
    } else if (!wanted && affair->looked) {
        list_remove(engine, peer);
    }
}

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
