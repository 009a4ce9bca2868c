/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When to poll: one round of all each sample_interval, fast polls of
 * suspects each close_interval, one summary outstanding at a time.
 */
#include "poll.h"

#include "../base/outbox.h"
#include "../state.h"
#include "peer.h"

#define SOON_GAP_US 20000u   /* fast poll out of turn are at least so far apart */
#define SILENT_US   5000000u /* a node that has answered nothing for so long is silent */

void polls_init(struct engine *engine)
{
    engine->polls.tick.kind = DEADLINE_ROUND;
    engine->polls.close.kind = DEADLINE_CLOSE_POLL;
    engine->polls.silent.kind = DEADLINE_SILENT;
}

/* Since when an answer is waited for; 0: none is. */
static void set_unanswered(struct engine *engine, uint64_t since_us)
{
    engine->polls.unanswered_us = since_us;
    deadline_set(&engine->deadlines, &engine->polls.silent,
                 since_us ? add_u64(since_us, SILENT_US) : NEVER);
}

static void poll_sent(struct engine *engine)
{
    if (!engine->polls.unanswered_us)
        set_unanswered(engine, engine->now_us);
}

void polls_heard(struct engine *engine)
{
    if (engine->polls.unanswered_us)
        set_unanswered(engine, engine->polls.open ? engine->now_us : 0);
}

uint64_t polls_silent_us(const struct engine *engine, uint64_t now_us)
{
    uint64_t since_us = engine->polls.unanswered_us;
    uint64_t silent_us = since_us ? sub_u64(max_u64(now_us, engine->now_us), since_us) : 0;

    return silent_us >= SILENT_US ? silent_us : 0;
}

static void ask_all(struct engine *engine)
{
    struct polls *polls = &engine->polls;
    struct action *action = outbox_action(engine, ACTION_SUMMARY);

    polls->open = ++polls->last;
    polls->open_all = true;
    polls->all_due = false;
    polls->round++;
    action->summary.poll = polls->open;
    poll_sent(engine);
}

static void list_remove(struct engine *engine, struct peer *peer)
{
    struct polls *polls = &engine->polls;
    struct peer_moves *moves = peer->moves;

    if (moves->poll_previous)
        moves->poll_previous->moves->poll_next = moves->poll_next;
    else
        polls->first = moves->poll_next;
    if (moves->poll_next)
        moves->poll_next->moves->poll_previous = moves->poll_previous;
    else
        polls->last_peer = moves->poll_previous;
    moves->poll_previous = moves->poll_next = NULL;
    moves->polled = false;
    polls->polled--;
}

static void list_append(struct engine *engine, struct peer *peer)
{
    struct polls *polls = &engine->polls;
    struct peer_moves *moves = peer->moves;

    moves->poll_previous = polls->last_peer;
    moves->poll_next = NULL;
    if (polls->last_peer)
        polls->last_peer->moves->poll_next = peer;
    else
        polls->first = peer;
    polls->last_peer = peer;
    moves->polled = true;
    polls->polled++;
}

/* Those polled longest ago come first and go to the end of the list, so
 * that more than close_max of them take turns. */
static void ask_close(struct engine *engine)
{
    struct polls *polls = &engine->polls;
    size_t most = min_u64(min_u64(polls->polled, engine->config->close_max), POLL_CONNS_MAX);
    uint64_t *conns;
    struct action *action;
    size_t count = 0;

    polls->close_due = false;
    polls->close_last_us = engine->now_us;
    deadline_set(&engine->deadlines, &polls->close,
                 polls->polled ? engine->now_us + engine->config->close_interval_us : NEVER);
    if (!most)
        return;
    conns = outbox_conns(engine, most);
    while (count < most) {
        struct peer *peer = polls->first;

        list_remove(engine, peer);
        list_append(engine, peer);
        conns[count++] = peer->view.conn;
    }
    action = outbox_action(engine, ACTION_SUMMARY);
    polls->open = ++polls->last;
    polls->open_all = false;
    action->summary = (struct action_summary){polls->open, conns, count};
    poll_sent(engine);
}

void polls_ask_due(struct engine *engine)
{
    struct polls *polls = &engine->polls;

    if (polls->open || !engine->node.reported)
        return;
    if (polls->all_due)
        ask_all(engine);
    else if (polls->close_due)
        ask_close(engine);
}

void polls_round_due(struct engine *engine)
{
    struct polls *polls = &engine->polls;
    uint64_t interval = engine->config->sample_interval_us;
    uint64_t next = polls->tick.at_us + interval;

    /* a loop that was late does not make up for the ticks it missed */
    if (next <= engine->now_us)
        next = engine->now_us + interval;
    deadline_set(&engine->deadlines, &polls->tick, next);
    if (!polls->open || !polls->open_all)
        polls->all_due = true; /* else this round is skipped */
    polls_ask_due(engine);
}

void polls_close_due(struct engine *engine)
{
    struct polls *polls = &engine->polls;
    struct peer *next;

    for (struct peer *peer = polls->first; peer; peer = next) {
        next = peer->moves->poll_next;
        poll_update(engine, peer); /* a trigger's wish may be over */
    }
    polls->close_due = polls->polled > 0;
    polls_ask_due(engine);
}

void polls_start(struct engine *engine)
{
    struct polls *polls = &engine->polls;

    polls->noticed_unjudgeable = false;
    polls->columns = 0;
    polls->all_due = true;
    deadline_set(&engine->deadlines, &polls->tick,
                 engine->now_us + engine->config->sample_interval_us);
    polls_ask_due(engine);
    if (polls->polled)
        poll_soon(engine);
}

void polls_round_by(struct engine *engine, uint64_t at_us)
{
    if (deadline_is_on(&engine->polls.tick) && engine->polls.tick.at_us > at_us)
        deadline_set(&engine->deadlines, &engine->polls.tick, at_us);
}

void polls_retime(struct engine *engine)
{
    if (deadline_is_on(&engine->polls.tick))
        deadline_set(&engine->deadlines, &engine->polls.tick,
                     engine->now_us + engine->config->sample_interval_us);
}

void polls_stop(struct engine *engine)
{
    struct polls *polls = &engine->polls;

    polls->open = 0;
    polls->all_due = polls->close_due = false;
    set_unanswered(engine, 0);
    deadline_set(&engine->deadlines, &polls->tick, NEVER);
    deadline_set(&engine->deadlines, &polls->close, NEVER);
}

bool polls_done(struct engine *engine, const struct event_summary_done *event)
{
    struct polls *polls = &engine->polls;
    bool all = polls->open_all;

    if (event->poll != polls->open || !polls->open) {
        engine->ignored++;
        return false;
    }
    polls->open = 0;
    if (!event->unanswered)
        polls_heard(engine);
    return all && !event->failed;
}

void poll_soon(struct engine *engine)
{
    struct polls *polls = &engine->polls;
    uint64_t at_us = max_u64(engine->now_us, add_u64(polls->close_last_us, SOON_GAP_US));

    if (!engine->node.reported || polls->close_due)
        return;
    if (!deadline_is_on(&polls->close) || polls->close.at_us > at_us)
        deadline_set(&engine->deadlines, &polls->close, at_us);
}

void poll_remove(struct engine *engine, struct peer *peer)
{
    if (peer->moves && peer->moves->polled)
        list_remove(engine, peer);
}

void poll_update(struct engine *engine, struct peer *peer)
{
    struct peer_moves *moves = peer->moves;
    bool wanted = peer->state != PEER_REMOVED &&
                  (moves->watch.on || moves->effect || moves->poll_until_us > engine->now_us);

    if (wanted && !moves->polled) {
        list_append(engine, peer);
        poll_soon(engine);
    } else if (!wanted && moves->polled) {
        list_remove(engine, peer);
    }
}

void poll_probe(struct engine *engine, const struct peer *peer)
{
    engine->probes = array_reserve(engine->probes, &engine->probes_capacity, engine->n_probes + 1,
                                   sizeof(uint64_t));
    engine->probes[engine->n_probes++] = peer->view.conn;
}

void poll_wanted(struct engine *engine, struct peer *peer, uint64_t until_us)
{
    if (!until_us && !peer->moves)
        return;
    peer_moves(engine, peer)->poll_until_us = until_us;
    poll_update(engine, peer);
}

void polls_reported(struct engine *engine, uint32_t columns)
{
    engine->polls.columns |= columns;
}
