/* SPDX-License-Identifier: Apache-2.0 */
/* See choose.h. */
#include "choose.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "../base/names.h"
#include "../moves/move.h"
#include "../peers/peer.h"
#include "../state.h"
#include "evidence.h"
#include "return.h"

/* What is measured of an uplink is believed for so long. */
#define MEASURED_US UINT64_C(10000000)

/* Of a move: which attempt a target is chosen for. */
enum attempt {
    ATTEMPT_FIRST,
    ATTEMPT_LATE, /* the first, but it waited, and its target cannot be used any more */
    ATTEMPT_NEXT, /* after one that failed */
};

struct choosing {
    const struct engine *engine;
    const struct peer *peer;
    const struct reason *reason;
    const struct uplink *from, *tried;
    enum attempt attempt;
    unsigned family;
    struct choice *ret;
};

/* ---- why one is not taken ---- */

static const char *lacks(const struct uplink *uplink, unsigned family, uint64_t now_us)
{
    if (uplink->condition != UPLINK_UP)
        return uplink_condition_names[uplink->condition];
    if (uplink_held(uplink, now_us))
        return "held";
    return uplink_serves(uplink, family, now_us) ? NULL
           : family == 6                         ? "no IPv6 route"
                                                 : "no IPv4 route";
}

/* NULL: it may be used. */
static const char *speaks_against(const struct choosing *choosing, const struct uplink *uplink)
{
    uint64_t now_us = choosing->engine->now_us;
    const char *why = lacks(uplink, choosing->family, now_us);

    if (why)
        return why;
    if (uplink == choosing->tried)
        return "just tried";
    if (evidence_penalty_us(uplink, choosing->family, now_us))
        return "in penalty";
    if (evidence_unanswered(uplink, now_us))
        return "no answer";
    return evidence_silent(uplink) ? "silent" : NULL;
}

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
        const char *why = speaks_against(choosing, uplink);

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

/* ---- the order ---- */

/* Less is better; what stands in front in the file is better than its equal. */
static bool is_better(const struct choosing *choosing, const struct uplink *a,
                      const struct uplink *b)
{
    bool a_lives = evidence_lives(choosing->engine, a),
         b_lives = evidence_lives(choosing->engine, b);
    uint32_t a_rtt = a->is.rtt_us ? a->is.rtt_us : UINT32_MAX,
             b_rtt = b->is.rtt_us ? b->is.rtt_us : UINT32_MAX;

    if (a->class != b->class)
        return a->class < b->class;
    if (a_lives != b_lives)
        return a_lives;
    return a_lives && a_rtt < b_rtt;
}

/* The best other one that nothing speaks against; `living`: of those that are known to live. */
static const struct uplink *best_other(const struct choosing *choosing, bool living)
{
    const struct uplinks *uplinks = &choosing->engine->uplinks;
    const struct uplink *best = NULL;

    for (size_t i = 0; i < uplinks->n; i++) {
        const struct uplink *uplink = &uplinks->list[i];

        if (uplink == choosing->from || speaks_against(choosing, uplink) ||
            (living && !evidence_lives(choosing->engine, uplink)))
            continue;
        if (!best || is_better(choosing, uplink, best))
            best = uplink;
    }
    return best;
}

/* By a reconnect it can also come to where it was. */
static bool is_open(const struct choosing *choosing, const struct uplink *uplink)
{
    return uplink != choosing->from || choosing->reason->by == REASON_BY_RECONNECT;
}

/* One that spoke against itself, and was heard after all that. */
static const struct uplink *answered_since(const struct choosing *choosing)
{
    const struct uplinks *uplinks = &choosing->engine->uplinks;
    uint64_t now_us = choosing->engine->now_us;

    for (size_t i = 0; i < uplinks->n; i++) {
        const struct uplink *uplink = &uplinks->list[i];
        uint64_t failed_us = uplink->is.penalty[family_place(choosing->family)].at_us;

        if (is_open(choosing, uplink) && uplink != choosing->tried &&
            !lacks(uplink, choosing->family, now_us) && evidence_lives(choosing->engine, uplink) &&
            uplink->is.heard_us > failed_us)
            return uplink;
    }
    return NULL;
}

/* Is there another one at all? */
static bool has_others(const struct choosing *choosing)
{
    const struct uplinks *uplinks = &choosing->engine->uplinks;

    for (size_t i = 0; i < uplinks->n; i++)
        if (&uplinks->list[i] != choosing->from &&
            !lacks(&uplinks->list[i], choosing->family, choosing->engine->now_us))
            return true;
    return false;
}

/* All that could be used; `doubtful`: whatever speaks against them, where nothing else is left. */
static unsigned candidates(const struct choosing *choosing, bool doubtful)
{
    const struct uplinks *uplinks = &choosing->engine->uplinks;
    uint64_t now_us = choosing->engine->now_us;
    unsigned count = 0;

    choosing->ret->candidates = 0;
    for (size_t i = 0; i < uplinks->n && i < UPLINKS_CHOSEN_MAX; i++) {
        const struct uplink *uplink = &uplinks->list[i];

        if ((doubtful ? !is_open(choosing, uplink) : uplink == choosing->from) ||
            lacks(uplink, choosing->family, now_us) || evidence_unanswered(uplink, now_us) ||
            (!doubtful && speaks_against(choosing, uplink)))
            continue;
        if (!evidence_lives(choosing->engine, uplink))
            choosing->ret->candidates |= UINT64_C(1) << i;
        count++;
    }
    return count;
}

static bool probes(const struct choosing *choosing)
{
    return choosing->engine->node.features & NODE_PROBE_PATH &&
           choosing->attempt == ATTEMPT_FIRST; /* what is under way cannot wait for answers */
}

/* ---- by kind ---- */

/* The one that was tried longest ago, of those that are only silent: it may live again. */
static const struct uplink *least_doubtful(const struct choosing *choosing)
{
    const struct uplinks *uplinks = &choosing->engine->uplinks;
    uint64_t now_us = choosing->engine->now_us;
    const struct uplink *best = NULL;

    for (size_t i = 0; i < uplinks->n; i++) {
        const struct uplink *uplink = &uplinks->list[i];

        if (uplink == choosing->from || uplink == choosing->tried ||
            lacks(uplink, choosing->family, now_us) || evidence_unanswered(uplink, now_us) ||
            evidence_penalty_us(uplink, choosing->family, now_us))
            continue;
        if (!best || max_u64(uplink->is.asked_us, uplink->is.left_us) <
                         max_u64(best->is.asked_us, best->is.left_us))
            best = uplink;
    }
    return best;
}

/* A new port where it is. */
static void stay(const struct choosing *choosing, const char *why)
{
    const char *bound = choosing->peer->view.path->interface;

    if (bound && choosing->from &&
        !lacks(choosing->from, choosing->family, choosing->engine->now_us))
        choosing->ret->to = choosing->ret->from;
    say(choosing->ret, "%s: %s", choosing->from ? choosing->from->name->s : "as the routes lead",
        why);
    say_others(choosing, choosing->from);
}

/* Nothing is known to live. A connection is closed only for another one that has a way. */
static void choose_doubtful(const struct choosing *choosing)
{
    const struct uplink *best = answered_since(choosing);
    bool reconnects = choosing->reason->by == REASON_BY_RECONNECT;

    if (best && best != choosing->from) {
        take(choosing, best, "answers again");
    } else if (best) {
        stay(choosing, "a new connection, it answers");
    } else if (probes(choosing) && has_others(choosing) && candidates(choosing, true)) {
        choosing->ret->probe = true;
        say(choosing->ret, "the others are asked first");
    } else if ((best = least_doubtful(choosing))) {
        take(choosing, best, "tried again");
    } else if (reconnects && probes(choosing) && has_others(choosing)) {
        choosing->ret->no_target = true;
        say(choosing->ret, "none answers");
        say_others(choosing, NULL);
    } else {
        stay(choosing, "a new port, no other can be used");
    }
}

/* The first that lives; one that costs money only where no other is still to be heard. */
static void choose_dead(const struct choosing *choosing)
{
    const struct uplink *best = best_other(choosing, false), *living = best_other(choosing, true);

    if (!best) {
        choose_doubtful(choosing);
    } else if (living && (living->class != UPLINK_METERED || best->class == UPLINK_METERED)) {
        take(choosing, living, "lives");
    } else if (probes(choosing) && candidates(choosing, false) > 1) {
        choosing->ret->probe = true;
        say(choosing->ret, "the others are asked first");
    } else {
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
        return !speaks_against(choosing, from);
    return from != choosing->tried && !lacks(from, choosing->family, now_us) &&
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
    if (led && !speaks_against(choosing, led)) {
        take(choosing, led, "the route leads there");
        return true;
    }
    if (!told && !lacks(from, choosing->family, choosing->engine->now_us))
        return false;
    if (from && led != from && may_still(choosing, from)) {
        take(choosing, from, "it still lives");
        return true;
    }
    best = best_other(choosing, false);
    if (!best)
        best = least_doubtful(choosing);
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
            speaks_against(choosing, uplink))
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
    if (!uplinks_chosen(engine) || !choosing.from || reason->local || reason->via)
        return false;
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

bool choose_follows(const struct engine *engine, const struct choice *choice)
{
    const struct uplink *from = uplink_at(engine, choice->from),
                        *to = uplink_at(engine, choice->to);

    return from && to && from != to && from->is.suspect && evidence_silent(from) &&
           evidence_lives(engine, to);
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

bool choose_still(struct engine *engine, struct move *move)
{
    const struct uplink *target = uplinks_target(engine, move->destination);
    bool returns = move->reason->interface && !strcmp(move->reason->trigger, return_name);

    if (returns && engine->config->returns == RETURN_NEVER)
        return false;
    if (!move->destination || !move->destination->interface)
        return true;
    if (target && uplinks_chosen(engine) && text_is(move->destination->target, target->name->s) &&
        uplink_serves(target, uplinks_family(move->peer), engine->now_us))
        return true;
    if (returns)
        return false;
    (void)choose_anew(engine, move, NULL, ATTEMPT_LATE);
    return true;
}
