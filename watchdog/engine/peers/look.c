/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When to look: one round of all each sample_interval, close looks at
 * suspects each close_interval, one summary outstanding at a time.
 */
#include "look.h"

#include "../base/outbox.h"
#include "../state.h"
#include "peer.h"

#define SOON_GAP_US 20000u   /* close looks out of turn are at least so far apart */
#define SILENT_US   5000000u /* a node that has answered nothing for so long is silent */

void looks_init(struct engine *engine)
{
    engine->looks.tick.kind = DEADLINE_ROUND;
    engine->looks.close.kind = DEADLINE_CLOSE_LOOK;
    engine->looks.silent.kind = DEADLINE_SILENT;
}

/* Since when an answer is waited for; 0: none is. */
static void set_unanswered(struct engine *engine, uint64_t since_us)
{
    engine->looks.unanswered_us = since_us;
    deadline_set(&engine->deadlines, &engine->looks.silent,
                 since_us ? add_u64(since_us, SILENT_US) : NEVER);
}

static void look_asked(struct engine *engine)
{
    if (!engine->looks.unanswered_us)
        set_unanswered(engine, engine->now_us);
}

void looks_heard(struct engine *engine)
{
    if (engine->looks.unanswered_us)
        set_unanswered(engine, engine->looks.open ? engine->now_us : 0);
}

uint64_t looks_silent_us(const struct engine *engine, uint64_t now_us)
{
    uint64_t since_us = engine->looks.unanswered_us;
    uint64_t silent_us = since_us ? sub_u64(max_u64(now_us, engine->now_us), since_us) : 0;

    return silent_us >= SILENT_US ? silent_us : 0;
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
    look_asked(engine);
}

static void list_remove(struct engine *engine, struct peer *peer)
{
    struct looks *looks = &engine->looks;
    struct peer_moves *moves = peer->moves;

    if (moves->look_previous)
        moves->look_previous->moves->look_next = moves->look_next;
    else
        looks->first = moves->look_next;
    if (moves->look_next)
        moves->look_next->moves->look_previous = moves->look_previous;
    else
        looks->last_peer = moves->look_previous;
    moves->look_previous = moves->look_next = NULL;
    moves->looked = false;
    looks->looked--;
}

static void list_append(struct engine *engine, struct peer *peer)
{
    struct looks *looks = &engine->looks;
    struct peer_moves *moves = peer->moves;

    moves->look_previous = looks->last_peer;
    moves->look_next = NULL;
    if (looks->last_peer)
        looks->last_peer->moves->look_next = peer;
    else
        looks->first = peer;
    looks->last_peer = peer;
    moves->looked = true;
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
    look_asked(engine);
}

void looks_ask_due(struct engine *engine)
{
    struct looks *looks = &engine->looks;

    if (looks->open || !engine->node.told)
        return;
    if (looks->all_due)
        ask_all(engine);
    else if (looks->close_due)
        ask_close(engine);
}

void looks_round_due(struct engine *engine)
{
    struct looks *looks = &engine->looks;
    uint64_t interval = engine->config->sample_interval_us;
    uint64_t next = looks->tick.at_us + interval;

    /* a loop that was late does not make up for the ticks it missed */
    if (next <= engine->now_us)
        next = engine->now_us + interval;
    deadline_set(&engine->deadlines, &looks->tick, next);
    if (!looks->open || !looks->open_all)
        looks->all_due = true; /* else this round is skipped */
    looks_ask_due(engine);
}

void looks_close_due(struct engine *engine)
{
    struct looks *looks = &engine->looks;
    struct peer *next;

    for (struct peer *peer = looks->first; peer; peer = next) {
        next = peer->moves->look_next;
        look_update(engine, peer); /* a trigger's wish may be over */
    }
    looks->close_due = looks->looked > 0;
    looks_ask_due(engine);
}

void looks_start(struct engine *engine)
{
    struct looks *looks = &engine->looks;

    looks->noticed_unjudgeable = false;
    looks->columns = 0;
    looks->all_due = true;
    deadline_set(&engine->deadlines, &looks->tick,
                 engine->now_us + engine->config->sample_interval_us);
    looks_ask_due(engine);
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
    set_unanswered(engine, 0);
    deadline_set(&engine->deadlines, &looks->tick, NEVER);
    deadline_set(&engine->deadlines, &looks->close, NEVER);
}

bool looks_done(struct engine *engine, const struct event_summary_done *event)
{
    struct looks *looks = &engine->looks;
    bool all = looks->open_all;

    if (event->look != looks->open || !looks->open) {
        engine->ignored++;
        return false;
    }
    looks->open = 0;
    if (!event->unanswered)
        looks_heard(engine);
    return all && !event->failed;
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
    if (peer->moves && peer->moves->looked)
        list_remove(engine, peer);
}

void look_update(struct engine *engine, struct peer *peer)
{
    struct peer_moves *moves = peer->moves;
    bool wanted = peer->state != PEER_REMOVED &&
                  (moves->watch.on || moves->effect || moves->look_until_us > engine->now_us);

    if (wanted && !moves->looked) {
        list_append(engine, peer);
        look_soon(engine);
    } else if (!wanted && moves->looked) {
        list_remove(engine, peer);
    }
}

void look_wanted(struct engine *engine, struct peer *peer, uint64_t until_us)
{
    if (!until_us && !peer->moves)
        return;
    peer_moves(engine, peer)->look_until_us = until_us;
    look_update(engine, peer);
}

void looks_reported(struct engine *engine, uint32_t columns)
{
    engine->looks.columns |= columns;
}
