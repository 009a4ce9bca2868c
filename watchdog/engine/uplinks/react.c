/* SPDX-License-Identifier: Apache-2.0 */
/* See react.h. */
#include "react.h"

#include <inttypes.h>
#include <stdio.h>

#include "../base/names.h"
#include "../base/notice.h"
#include "../moves/advice.h"
#include "../moves/again.h"
#include "../peers/peer.h"
#include "../peers/ping.h"
#include "../peers/waiting.h"
#include "../state.h"
#include "evidence.h"
#include "members.h"
#include "probe.h"
#include "return.h"

/* The trigger route mostly is faster, and knows where the kernel leads. */
#define GRACE_US UINT64_C(300000)
/* Without carrier it is only for a contact that bounces: the kernel may keep its routes. */
#define GRACE_CARRIER_US UINT64_C(50000)
/* Nothing got through for so long: an uplink that comes up is worth a try. */
#define DEAD_US UINT64_C(1000000)

static const char uplink_name[] = "uplink";
static const char operator_name[] = "operator";

static void check_at(struct engine *engine, uint64_t at_us)
{
    struct deadline *check = &engine->uplinks.check;

    check->kind = DEADLINE_UPLINK;
    if (!deadline_is_on(check) || check->at_us > at_us)
        deadline_set(&engine->deadlines, check, at_us);
}

/* ---- one came up ---- */

/* `news`: what makes it worth a try. */
static void advise_dead(struct engine *engine, struct peer *peer, const char *news)
{
    uint64_t silent_us = engine->now_us - peer->outstanding_since_us;
    char reason[160];

    snprintf(reason, sizeof(reason), "%s, and nothing got through for %" PRIu64 ".%" PRIu64 " s",
             news, silent_us / 1000000, silent_us % 1000000 / 100000);
    advice_give(engine, peer, uplink_name, REASON_BY_RULE, false,
                &(struct pd_advice){.kind = PD_KIND_DEAD, .reason = reason});
}

static bool waits_for_target(const struct peer *peer)
{
    const struct peer_moves *moves = peer->moves;

    return moves && moves->remembered && moves->remembered_as == VERDICT_NO_TARGET;
}

/* Is it known to be on another one, and may that carry it? */
static bool uses_another(const struct engine *engine, const struct peer *peer,
                         const struct uplink *uplink)
{
    const struct uplink *used = uplink_at(engine, peer->uplink);

    return used && used != uplink && used->condition == UPLINK_UP;
}

static bool is_dead(const struct engine *engine, const struct peer *peer)
{
    return peer->state == PEER_UP && peer->outstanding_since_us && !peer_in_flight(peer) &&
           engine->now_us >= peer->outstanding_since_us + DEAD_US;
}

/* The stack must not wait for its own probe timeout, which has backed off. Where its congestion
 * window is full of what was lost, no PING gets out: another port begins with a new one. */
static void wake(struct engine *engine, struct peer *peer, const struct uplink *uplink,
                 const char *news)
{
    if (peer->uplink && uplink_at(engine, peer->uplink) == uplink && peer->moves)
        peer->moves->watch.gone = peer->moves->watch.no_carrier =
            false; /* something can arrive again */
    waiting_route_changed(engine, peer);
    again_now(engine, peer);
    if (uses_another(engine, peer, uplink))
        return;
    ping_waiting(engine, peer);
    if (!uplinks_chosen(engine) && is_dead(engine, peer))
        advise_dead(engine, peer, news);
}

void react_routed(struct engine *engine, struct peer *peer)
{
    waiting_route_changed(engine, peer);
    again_now(engine, peer);
    ping_waiting(engine, peer);
    if (waits_for_target(peer))
        advice_give_remembered(engine, peer);
    else if (is_dead(engine, peer))
        advise_dead(engine, peer, "its route works again");
}

/* All that is dead, or had nowhere to go. */
static void wake_peers(struct engine *engine, const struct uplink *uplink, const char *what)
{
    struct peer *peer;
    char news[120];

    snprintf(news, sizeof(news), "uplink %s %s", uplink->name->s, what);
    for (uint32_t i = 0; (peer = peers_next(engine, &i));)
        wake(engine, peer, uplink, news);
    if (!uplinks_chosen(engine))
        return;
    for (uint32_t i = 0; (peer = peers_next(engine, &i));) {
        if (waits_for_target(peer))
            advice_give_remembered(engine, peer);
        else if (is_dead(engine, peer))
            advise_dead(engine, peer, news);
    }
    return_look(engine);
}

/* ---- one was left for another, and that lives ---- */

static bool waits_for_others(const struct peer *peer)
{
    return peer->moves && peer->moves->remembered && peer->moves->remembered_as == VERDICT_INBOUND;
}

void react_left(struct engine *engine, const struct destination *destination)
{
    struct uplink *to = uplinks_target(engine, destination);
    const struct uplink *from =
        to && destination->uplink ? uplinks_find(engine, destination->uplink->s) : NULL;
    struct peer *peer;

    if (to)
        evidence_heard(to, engine->now_us);
    if (!from || from == to)
        return;
    /* A storm ends with thousands of such moves: only who would follow is decided again. */
    for (uint32_t i = 0; engine->remembered_inbound && (peer = peers_next(engine, &i));)
        if (waits_for_others(peer) && uplink_at(engine, peer->uplink) == from &&
            evidence_left(from, peer))
            advice_give_remembered(engine, peer);
}

/* ---- what the host says ---- */

static const char *const downs[] = {
    [UPLINK_ABSENT] = "the interface is gone",
    [UPLINK_NO_CARRIER] = "no carrier",
    [UPLINK_NO_ADDRESS] = "no address",
    [UPLINK_NO_ROUTE] = "no route to everywhere leads over it",
    [UPLINK_UP] = "carrier, address and route are there",
};

/* Of one that was learned the host tells only while it leads somewhere. */
static const char *condition_text(const struct uplink *uplink)
{
    return uplink->condition == UPLINK_ABSENT && !uplink->configured
               ? "no route to everywhere leads over it any more, or the interface is gone"
               : downs[uplink->condition];
}

static uint64_t grace_us(const struct uplink *uplink)
{
    return uplink->condition == UPLINK_NO_CARRIER ? GRACE_CARRIER_US : GRACE_US;
}

/* Went or came: a record, and whoever is concerned is looked at. `was` is NULL for one that was not
 * in the list. */
static void compare(struct engine *engine, struct uplink *uplink, const struct uplink *was)
{
    bool up = uplink->condition == UPLINK_UP;

    if (up == (was && was->condition == UPLINK_UP))
        return;
    evidence_change(engine, uplink, up ? UPLINK_CHANGE_UP : UPLINK_CHANGE_DOWN, "%s",
                    condition_text(uplink));
    if (up) {
        wake_peers(engine, uplink, "came up");
        return;
    }
    evidence_unprove(uplink);
    if (uplinks_chosen(engine))
        check_at(engine, engine->now_us + grace_us(uplink));
}

/* A learned one that was the only one is in no list while it is gone, and has no record. */
static void compare_with_none(struct engine *engine)
{
    const struct uplinks *uplinks = &engine->uplinks;

    for (size_t i = 0; i < uplinks->n; i++)
        if (uplinks->list[i].condition == UPLINK_UP) {
            wake_peers(engine, &uplinks->list[i], "came up");
            return;
        }
}

static void changed(struct engine *engine, struct uplinks *before)
{
    struct uplinks *uplinks = &engine->uplinks;

    members_renumber(engine, before);
    if (!before->n && uplinks->listed)
        compare_with_none(engine);
    for (size_t i = 0; i < uplinks->n && before->n; i++)
        compare(engine, &uplinks->list[i], uplinks_on(before, uplinks->list[i].interface->s));
    uplinks_list_clear(before);
    return_look(engine);
}

void react_interfaces(struct engine *engine, const struct event_interfaces *host)
{
    struct uplinks before;

    uplinks_take(engine, host, &before);
    changed(engine, &before);
    engine->uplinks.listed = true;
}

void react_configured(struct engine *engine)
{
    struct uplinks before;

    uplinks_configure(engine, &before);
    changed(engine, &before);
}

/* ---- connections that are left on one that cannot be used ---- */

static void advise_off(struct engine *engine, struct peer *peer, const char *trigger,
                       const char *reason, const char *proof)
{
    const struct pd_field evidence = {.name = "proof", .text = proof};

    advice_give(engine, peer, trigger, REASON_BY_RULE, false,
                &(struct pd_advice){.kind = PD_KIND_MOVED,
                                    .reason = reason,
                                    .evidence = &evidence,
                                    .n_evidence = proof != NULL});
}

/* As the trigger route has it: a client's packets may leave another way, if it is not bound. */
static const char *proof_of(const struct peer *peer, const struct uplink *uplink)
{
    if (uplink->condition != UPLINK_NO_CARRIER)
        return NULL;
    return peer_inbound(peer) || peer->view.path->interface ? "unreachable" : "no-carrier";
}

static void leave_down(struct engine *engine, const struct uplink *uplink)
{
    uint8_t place = uplink_place(engine, uplink);
    char reason[160];
    struct peer *peer;

    snprintf(reason, sizeof(reason), "uplink %s: %s", uplink->name->s, condition_text(uplink));
    for (uint32_t i = 0; uplink->n_peers && (peer = peers_next(engine, &i));)
        if (peer->uplink == place && peer->state == PEER_UP && !peer_in_flight(peer) &&
            !(peer->moves && peer->moves->move) && !waits_for_target(peer))
            advise_off(engine, peer, uplink_name, reason, proof_of(peer, uplink));
}

/* What the hold advised, and had nowhere to go, has no reason any more. */
static void forget_advice(struct engine *engine, const struct uplink *uplink)
{
    uint8_t place = uplink_place(engine, uplink);
    struct peer *peer;

    for (uint32_t i = 0; engine->remembered && (peer = peers_next(engine, &i));)
        if (peer->uplink == place && waits_for_target(peer) &&
            peer->moves->remembered->trigger == operator_name)
            advice_forget(engine, peer);
}

static void hold_over(struct engine *engine, struct uplink *uplink, const char *why)
{
    uplink->is.held = false;
    forget_advice(engine, uplink);
    evidence_change(engine, uplink, UPLINK_CHANGE_RELEASED, "%s", why);
    if (uplink->condition == UPLINK_UP) /* else that follows when it comes up */
        wake_peers(engine, uplink, "is released");
}

void react_due(struct engine *engine)
{
    struct uplinks *uplinks = &engine->uplinks;

    for (size_t i = 0; i < uplinks->n; i++) {
        struct uplink *uplink = &uplinks->list[i];

        if (uplink->is.held && uplink->is.held_until_us) {
            if (uplink->is.held_until_us <= engine->now_us)
                hold_over(engine, uplink, "the hold is over");
            else
                check_at(engine, uplink->is.held_until_us);
        }
        if (uplink->condition == UPLINK_UP || !uplinks_chosen(engine))
            continue;
        if (engine->now_us >= uplink->is.since_us + grace_us(uplink))
            leave_down(engine, uplink);
        else
            check_at(engine, uplink->is.since_us + grace_us(uplink));
    }
}

/* ---- holds ---- */

bool react_hold(struct engine *engine, const char *name, uint64_t until_us, const char *who)
{
    struct uplink *uplink = uplink_at(engine, uplink_place(engine, uplinks_find(engine, name)));
    uint8_t place = uplink_place(engine, uplink);
    char reason[160];
    struct peer *peer;

    if (!uplink)
        return false;
    uplink->is.held = true;
    uplink->is.held_until_us = until_us;
    if (until_us)
        check_at(engine, until_us);
    snprintf(reason, sizeof(reason), "%s holds uplink %s: connections leave it",
             who ? who : "an operator", uplink->name->s);
    evidence_change(engine, uplink, UPLINK_CHANGE_HELD, "by %s%s", who ? who : "an operator",
                    until_us ? ", for a while" : ", until it is released");
    for (uint32_t i = 0; uplinks_chosen(engine) && (peer = peers_next(engine, &i));)
        if (peer->uplink == place && peer->state == PEER_UP)
            advise_off(engine, peer, operator_name, reason, NULL);
    return true;
}

bool react_release(struct engine *engine, const char *name, const char *who)
{
    struct uplink *uplink = uplink_at(engine, uplink_place(engine, uplinks_find(engine, name)));
    char why[160];

    if (!uplink)
        return false;
    snprintf(why, sizeof(why), "by %s", who ? who : "an operator");
    if (uplink->is.held)
        hold_over(engine, uplink, why);
    return true;
}

/* ---- probes ---- */

static bool waits_for_probes(const struct peer *peer)
{
    return peer->moves && peer->moves->remembered && peer->moves->remembered_as == VERDICT_PROBING;
}

/* With the first that lives; or when none is awaited any more. */
static void decide_again(struct engine *engine)
{
    struct peer *peer;

    if (!engine->uplinks.deciding)
        return;
    engine->uplinks.deciding = 0;
    for (uint32_t i = 0; engine->remembered && (peer = peers_next(engine, &i));)
        if (waits_for_probes(peer))
            advice_give_remembered(engine, peer);
}

/* A node that is busy, or has no such connection, says nothing of the path. */
static bool speaks_of_path(int64_t code)
{
    return !code || code == NODE_TIMEOUT || code == NODE_NO_PATH;
}

void react_probed(struct engine *engine, const struct event_probed *answer)
{
    struct uplink_probe probe;
    struct uplink *uplink;

    if (!probe_take(engine, answer->probe, &probe)) {
        engine->ignored++;
        return;
    }
    uplink = uplink_at(engine, probe.uplink);
    if (uplink && answer->ok) {
        evidence_heard(uplink, engine->now_us);
        uplink->is.probe_rtt_us = answer->rtt_us;
        uplink->is.probe_rtt_at_us = engine->now_us;
    } else if (uplink && speaks_of_path(answer->code)) {
        uplink->is.unanswered_us = engine->now_us;
    }
    if (probe.for_return)
        return_probed(engine, &probe, answer);
    else if (answer->ok || !probes_open(engine, NULL, false))
        decide_again(engine);
}

/* ---- the node ---- */

void react_node_up(struct engine *engine)
{
    if (engine->config->n_uplinks && engine->config->choose && !(engine->node.features & NODE_BIND))
        notice(engine, PD_LEVEL_WARNING, "no-bind",
               "the node cannot bind a connection to an interface (it has no feature bind): "
               "the [uplink:NAME] sections are shown, and nothing is chosen among them",
               1);
}

void react_node_down(struct engine *engine)
{
    probes_forget(engine);
    for (size_t i = 0; i < engine->uplinks.n; i++)
        return_node_down(&engine->uplinks.list[i]);
}
