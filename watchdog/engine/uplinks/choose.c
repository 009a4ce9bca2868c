/* SPDX-License-Identifier: Apache-2.0 */
/* See choose.h. */
#include "choose.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "../base/names.h"
#include "../moves/move.h"
#include "../peers/peer.h"
#include "../state.h"
#include "candidates.h"
#include "evidence.h"
#include "groups.h"
#include "return.h"

/* What is measured of an uplink is believed for so long. */
#define MEASURED_US UINT64_C(10000000)

/* ---- words ---- */

static void say(struct choice *ret, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void say(struct choice *ret, const char *format, ...)
{
    size_t length = strlen(ret->why);
    va_list args;

    va_start(args, format);
    vsnprintf(ret->why + length, sizeof(ret->why) - length, format, args);
    va_end(args);
}

/* Of those that were not taken, why. */
static void say_others(const struct choosing *choosing, const struct uplink *taken)
{
    const struct uplinks *uplinks = &choosing->engine->uplinks;

    for (size_t i = 0; i < uplinks->n; i++) {
        const struct uplink *uplink = &uplinks->list[i];
        const char *why = candidate_objection(choosing, uplink);

        if (uplink == taken || uplink == choosing->from || !why)
            continue;
        say(choosing->ret, "%snot %s: %s", *choosing->ret->why ? "; " : "", uplink->name->s, why);
    }
}

static void take(const struct choosing *choosing, const struct uplink *uplink, const char *why)
{
    choosing->ret->to = uplink_place(choosing->engine, uplink);
    say(choosing->ret, "%s: %s%s%s", uplink->name->s, uplink_class_names[uplink->class],
        why ? ", " : "", why ? why : "");
    say_others(choosing, uplink);
}

static bool probes(const struct choosing *choosing)
{
    return choosing->engine->node.features & NODE_PROBE_PATH &&
           choosing->attempt == ATTEMPT_FIRST; /* what is under way cannot wait for answers */
}

/* ---- by kind ---- */

/* A new port where it is. */
static void stay(const struct choosing *choosing, const char *why)
{
    const char *bound = choosing->peer->view.path->interface;

    if (bound && choosing->from &&
        !candidate_lacks(choosing->from, choosing->family, choosing->engine->now_us))
        choosing->ret->to = choosing->ret->from;
    say(choosing->ret, "%s: %s", choosing->from ? choosing->from->name->s : "as the routes lead",
        why);
    say_others(choosing, choosing->from);
}

/* Where there are several and none is known to live; or `doubtful` ones, be it only one. */
static bool ask_first(const struct choosing *choosing, bool doubtful)
{
    unsigned count;
    uint64_t candidates = candidates_to_ask(choosing, doubtful, &count);

    if (!probes(choosing) || (doubtful ? !count || !candidates_others(choosing) : count < 2))
        return false;
    choosing->ret->probe = true;
    choosing->ret->candidates = candidates;
    say(choosing->ret, "the others are asked first");
    return true;
}

/* Through a gateway that does not answer nothing gets out, from whatever port: by the evidence of
 * the trigger route. */
static bool is_shut(const struct reason *reason, enum attempt attempt)
{
    return reason->kind == PD_KIND_DEAD && attempt == ATTEMPT_FIRST &&
           reason_proves(reason, "no-gateway");
}

/* Nothing is known to live. A connection is closed only for another one that has a way. */
static void choose_doubtful(const struct choosing *choosing)
{
    const struct uplink *best = candidates_answered(choosing);
    bool reconnects = choosing->reason->by == REASON_BY_RECONNECT;

    if (best && best != choosing->from) {
        take(choosing, best, "answers again");
    } else if (best) {
        stay(choosing, "a new connection, it answers");
    } else if (ask_first(choosing, true)) {
        return;
    } else if ((best = candidates_least_doubtful(choosing))) {
        take(choosing, best, "tried again");
    } else if (reconnects && probes(choosing) && candidates_others(choosing)) {
        choosing->ret->no_target = true;
        say(choosing->ret, "none answers");
        say_others(choosing, NULL);
    } else if (is_shut(choosing->reason, choosing->attempt)) {
        choosing->ret->no_target = true;
        say(choosing->ret, "%s: its gateway does not answer, no other can be used",
            choosing->from->name->s);
        say_others(choosing, choosing->from);
    } else if (choosing->attempt == ATTEMPT_FIRST &&
               evidence_all_silent(choosing->engine, choosing->peer)) {
        choosing->ret->no_target = true;
        say(choosing->ret, "nothing was heard from any of %" PRIu32 " peers on %s",
            choosing->from->n_peers, choosing->from->name->s);
        say_others(choosing, choosing->from);
    } else {
        stay(choosing, "a new port, no other can be used");
    }
}

/* Has the kernel said that it cannot stay where it is? Then the round trip of a question is lost.
 */
static bool is_gone(const struct peer *peer)
{
    const struct watch *watch = peer->moves ? &peer->moves->watch : NULL;

    return watch && watch->on && (watch->gone || watch->no_carrier);
}

/* The first that lives; one that costs money only where no other is still to be heard. */
static void choose_dead(const struct choosing *choosing)
{
    const struct uplink *best = candidates_best(choosing, false),
                        *living = candidates_best(choosing, true);

    if (!best) {
        choose_doubtful(choosing);
    } else if (living && (living->class != UPLINK_METERED || best->class == UPLINK_METERED)) {
        take(choosing, living, "lives");
    } else if (is_gone(choosing->peer) || !ask_first(choosing, false)) {
        take(choosing, best, NULL);
    }
}

/* Where the kernel leads now, by the evidence of the trigger route; NULL: not told, or over no
 * uplink. */
static const struct uplink *led_to(const struct choosing *choosing, bool *ret_told)
{
    const struct evidence *evidence = choosing->reason->evidence;

    *ret_told = false;
    for (uint32_t i = 0; evidence && i < evidence->n_fields; i++)
        if (!strcmp(evidence->fields[i].name, "oif_after") && evidence->fields[i].text) {
            *ret_told = true;
            return uplinks_by_interface(choosing->engine, evidence->fields[i].text);
        }
    return NULL;
}

/* That connections left it says nothing where they followed a route that led nowhere. */
static bool may_still(const struct choosing *choosing, const struct uplink *from)
{
    uint64_t now_us = choosing->engine->now_us;

    if (!choosing->tried && choosing->attempt != ATTEMPT_NEXT)
        return !candidate_objection(choosing, from);
    return from != choosing->tried && !candidate_lacks(from, choosing->family, now_us) &&
           !evidence_penalty_us(from, choosing->family, now_us) &&
           !evidence_unanswered(from, now_us);
}

static bool choose_moved(const struct choosing *choosing)
{
    const struct uplink *from = choosing->from, *best;
    bool told;
    const struct uplink *led = led_to(choosing, &told);

    if (told && !led && choosing->attempt != ATTEMPT_NEXT)
        return false;
    /* The kernel's answer is newer than what was told of the interface: it is followed. */
    if (led && (led->condition == UPLINK_ABSENT || led->condition == UPLINK_NO_ROUTE))
        return false;
    if (led && !candidate_objection(choosing, led)) {
        take(choosing, led, "the route leads there");
        return true;
    }
    if (!told && !candidate_lacks(from, choosing->family, choosing->engine->now_us))
        return false;
    if (from && led != from && may_still(choosing, from)) {
        take(choosing, from, "it still lives");
        return true;
    }
    best = candidates_best(choosing, false);
    if (!best)
        best = candidates_least_doubtful(choosing);
    if (best) {
        take(choosing, best, NULL);
        return true;
    }
    choosing->ret->no_target = !led;
    stay(choosing, "no other can be used");
    return true;
}

/* How fast it is, as far as that was measured lately; PD_UNKNOWN. */
static uint64_t measured_us(const struct choosing *choosing, const struct uplink *uplink)
{
    uint64_t now_us = choosing->engine->now_us;

    if (uplink->is.probe_rtt_at_us && now_us < uplink->is.probe_rtt_at_us + MEASURED_US)
        return uplink->is.probe_rtt_us;
    return uplink->is.rtt_us && evidence_lives(choosing->engine, uplink) ? uplink->is.rtt_us
                                                                         : PD_UNKNOWN;
}

/* Only to one that is faster by a fifth. False: a new port, as ever. */
static bool choose_degraded(const struct choosing *choosing)
{
    const struct uplinks *uplinks = &choosing->engine->uplinks;
    uint64_t rtt_us = choosing->peer->rtt_last[0];
    const struct uplink *best = NULL;
    uint64_t unknown = 0;

    if (!choosing->from->configured || rtt_us == UINT32_MAX)
        return false;
    for (size_t i = 0; i < uplinks->n && i < UPLINKS_CHOSEN_MAX; i++) {
        const struct uplink *uplink = &uplinks->list[i];
        uint64_t other_us = measured_us(choosing, uplink);

        if (uplink == choosing->from || uplink->class == UPLINK_METERED ||
            candidate_objection(choosing, uplink))
            continue;
        if (other_us == PD_UNKNOWN)
            unknown |= UINT64_C(1) << i;
        else if (other_us * 10 <= rtt_us * 8 &&
                 (!best || uplink->class < best->class ||
                  (uplink->class == best->class && other_us < measured_us(choosing, best))))
            best = uplink;
    }
    if (unknown && probes(choosing)) {
        choosing->ret->probe = true;
        choosing->ret->candidates = unknown;
        say(choosing->ret, "the others are measured first");
        return true;
    }
    if (!best)
        return false;
    take(choosing, best, "faster");
    return true;
}

/* Where nothing can be chosen: those that share its link are all silent, and another port, which
 * may heal more than one thing, was tried. Where the kernel's route is another since then, that
 * silence says nothing. */
static bool is_silent(const struct choosing *choosing)
{
    const struct reason *reason = choosing->reason;
    const struct peer *peer = choosing->peer;
    const struct watch *watch = peer->moves ? &peer->moves->watch : NULL;

    return reason->kind == PD_KIND_DEAD && choosing->attempt == ATTEMPT_FIRST &&
           !reason->interface && !reason->local && !reason->via &&
           !(watch && watch->on && (watch->flipped || watch->gone)) &&
           (reason->by == REASON_BY_RECONNECT || evidence_tried(peer)) &&
           evidence_group_silent(choosing->engine, peer);
}

static void say_silent(const struct choosing *choosing)
{
    const struct group *group = group_at(choosing->engine, choosing->peer->group);
    char text[INET6_ADDRSTRLEN];

    choosing->ret->no_target = true;
    say(choosing->ret, "nothing was heard from any of %" PRIu32 " peers on %s", group->n_peers,
        group_name(choosing->engine, group, text, sizeof(text)));
}

/* Where it cannot go over the relay that the advice names. An operator is asked to know. */
static bool is_no_relay(const struct choosing *choosing)
{
    const char *via = choosing->reason->via, *now = choosing->peer->view.path->via;
    bool obeys = choosing->engine->node.features & NODE_RELAY;
    bool same = string_equal(via, now ? now : "direct");
    /* A new circuit over the relay in use, before that one ends. */
    bool anew = same && !string_equal(via, "direct") && choosing->reason->kind == PD_KIND_MOVED;

    if (!via || choosing->reason->kind == PD_KIND_OPERATOR || (obeys && (!same || anew)))
        return false;
    choosing->ret->no_target = true;
    if (obeys)
        say(choosing->ret, "the connection is %s%s already",
            string_equal(via, "direct") ? "" : "on ", via);
    else
        say(choosing->ret, "the node does not offer the feature \"relay\"");
    return true;
}

static bool choose(const struct engine *engine, const struct peer *peer,
                   const struct reason *reason, const struct uplink *tried, enum attempt attempt,
                   struct choice *ret)
{
    struct choosing choosing = {.engine = engine,
                                .peer = peer,
                                .reason = reason,
                                .from = uplink_at(engine, peer->uplink),
                                .tried = tried,
                                .attempt = attempt,
                                .family = uplinks_family(peer),
                                .ret = ret};

    *ret = (struct choice){.from = peer->uplink};
    if (is_no_relay(&choosing))
        return true;
    if ((!uplinks_chosen(engine) || !choosing.from) && is_silent(&choosing)) {
        say_silent(&choosing);
        return true;
    }
    if (!uplinks_chosen(engine) || !choosing.from || reason->local || reason->via) {
        ret->no_target = is_shut(reason, attempt);
        return false;
    }
    if (reason->interface) {
        ret->to = uplink_place(engine, uplinks_by_interface(engine, reason->interface));
        return ret->to;
    }
    switch (reason->kind) {
    case PD_KIND_MOVED:
        return choose_moved(&choosing);
    case PD_KIND_DEAD:
        choose_dead(&choosing);
        return true;
    case PD_KIND_DEGRADED:
        return choose_degraded(&choosing);
    default:
        return false;
    }
}

bool choose_uplink(const struct engine *engine, const struct peer *peer,
                   const struct reason *reason, const struct uplink *tried, struct choice *ret)
{
    return choose(engine, peer, reason, tried, tried ? ATTEMPT_NEXT : ATTEMPT_FIRST, ret);
}

bool choose_follows(const struct engine *engine, const struct peer *peer,
                    const struct choice *choice)
{
    const struct uplink *from = uplink_at(engine, choice->from),
                        *to = uplink_at(engine, choice->to);

    return from && to && from != to && evidence_left(from, peer) && evidence_lives(engine, to);
}

static bool text_is(const struct text *text, const char *s)
{
    return text ? !strcmp(text->s, s) : !*s;
}

/* Many connections go the same way for the same reason in one turn. */
static bool is_same(const struct destination *destination, const struct uplink *from,
                    const struct uplink *to, const char *why)
{
    return destination && text_is(destination->uplink, from ? from->name->s : "") &&
           text_is(destination->target, to ? to->name->s : "") && text_is(destination->choice, why);
}

struct destination *choose_destination(struct engine *engine, const struct choice *choice)
{
    const struct uplink *from = uplink_at(engine, choice->from),
                        *to = uplink_at(engine, choice->to);
    struct destination *destination;

    if (is_same(engine->uplinks.destination, from, to, choice->why))
        return destination_ref(engine->uplinks.destination);
    destination = memory_new(1, sizeof(*destination));
    *destination = (struct destination){
        .refs = 1,
        .uplink = from ? text_ref(from->name) : NULL,
        .target = to ? text_ref(to->name) : NULL,
        .interface = to ? text_ref(to->interface) : NULL,
        .choice = *choice->why ? text_new(choice->why) : NULL,
    };
    destination_unref(engine->uplinks.destination);
    engine->uplinks.destination = destination_ref(destination);
    return destination;
}

static bool choose_anew(struct engine *engine, struct move *move, const struct uplink *tried,
                        enum attempt attempt)
{
    struct destination *destination = NULL;
    struct choice choice;
    bool other;

    if (choose(engine, move->peer, move->reason, tried, attempt, &choice))
        destination = choose_destination(engine, &choice);
    other = uplink_at(engine, choice.to) != tried;
    move_direct(move, destination);
    destination_unref(destination);
    return other;
}

bool choose_again(struct engine *engine, struct move *move, const struct uplink *tried)
{
    return choose_anew(engine, move, tried, ATTEMPT_NEXT);
}

/* What is only slow goes where a section says so, and not for money. */
static bool serves_degraded(const struct uplink *target)
{
    return target->configured && target->class != UPLINK_METERED;
}

/* Of a queued one: the configuration may be another by now. */
bool choose_still(struct engine *engine, struct move *move)
{
    const struct uplink *target = uplinks_target(engine, move->destination);
    bool returns = move->reason->interface && !strcmp(move->reason->trigger, return_name);

    if (returns && engine->config->returns == RETURN_NEVER)
        return false;
    if (!move->destination || !move->destination->interface)
        return true;
    if (target && uplinks_chosen(engine) && text_is(move->destination->target, target->name->s) &&
        (move->reason->kind != PD_KIND_DEGRADED || serves_degraded(target)) &&
        uplink_serves(target, uplinks_family(move->peer), engine->now_us))
        return true;
    if (returns)
        return false;
    (void)choose_anew(engine, move, NULL, ATTEMPT_LATE);
    return true;
}
