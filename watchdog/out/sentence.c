/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records as sentences for a person: the journal's MESSAGE and --log text. No
 * script should read these; the wording may change.
 */
#include <errno.h>
#include <stdio.h>
#include <time.h>

#include "../engine/base/names.h"
#include "../util/printable.h"
#include "format.h"

/* One that goes down is a cable or a Wi-Fi that somebody took away, as often as not; one that is up
 * and does not work is for somebody to look at. */
static enum pd_level uplink_level(enum uplink_change change)
{
    switch (change) {
    case UPLINK_CHANGE_SILENT:
    case UPLINK_CHANGE_SLOW:
    case UPLINK_CHANGE_PENALTY:
        return PD_LEVEL_WARNING;
    default:
        return PD_LEVEL_NOTICE;
    }
}

enum pd_level record_level(const struct record *record)
{
    switch (record->type) {
    case RECORD_DECISION:
        return record->decision.request ? PD_LEVEL_NOTICE : PD_LEVEL_INFO;
    case RECORD_OUTCOME:
        switch (record->outcome.outcome) {
        case OUTCOME_MIGRATED:
        case OUTCOME_RECONNECTED:
            return PD_LEVEL_NOTICE;
        case OUTCOME_GONE:
        case OUTCOME_OLD_LIVES:
        case OUTCOME_CANCELLED:
            return PD_LEVEL_INFO;
        default:
            return PD_LEVEL_WARNING;
        }
    case RECORD_EFFECT:
        return record->effect.effect == EFFECT_WORSE || record->effect.effect == EFFECT_STALLED
                   ? PD_LEVEL_WARNING
                   : PD_LEVEL_INFO;
    case RECORD_CAUSE:
        return PD_LEVEL_NOTICE;
    case RECORD_NODE:
        return record->node.up ? PD_LEVEL_NOTICE : PD_LEVEL_WARNING;
    case RECORD_PEER:
        return PD_LEVEL_INFO;
    case RECORD_UPLINK:
        return uplink_level(record->uplink.change);
    case RECORD_NOTICE:
        return record->notice.level >= PD_LEVEL_ERROR && record->notice.level <= PD_LEVEL_DEBUG
                   ? record->notice.level
                   : PD_LEVEL_ERROR;
    }
    return PD_LEVEL_INFO;
}

/* Foreign words: nothing that deceives may reach a terminal. */
static void write_bytes(struct buffer *buffer, const char *text, size_t n_bytes)
{
    size_t most = PRINTABLE_GROWTH * n_bytes + 8;

    buffer_added(buffer, text_printable(buffer_space(buffer, most), most, text, n_bytes));
}

static void write_words(struct buffer *buffer, const struct text *text, const char *otherwise)
{
    if (text)
        write_bytes(buffer, text->s, text->length);
    else
        buffer_text(buffer, otherwise);
}

/* "850 us", "41.2 ms", "5 s". */
static void write_time(struct buffer *buffer, uint64_t time_us)
{
    uint64_t unit = time_us < 1000 ? 1 : time_us < 1000000 ? 1000 : 1000000;
    uint64_t tenths = time_us / (unit > 1 ? unit / 10 : 1);

    if (unit == 1) {
        buffer_u64(buffer, time_us);
        buffer_text(buffer, " us");
        return;
    }
    buffer_u64(buffer, tenths / 10);
    if (tenths % 10) {
        buffer_append(buffer, ".", 1);
        buffer_u64(buffer, tenths % 10);
    }
    buffer_text(buffer, unit == 1000 ? " ms" : " s");
}

static void write_count(struct buffer *buffer, const char *before, uint64_t count,
                        const char *after)
{
    buffer_text(buffer, before);
    buffer_u64(buffer, count);
    buffer_text(buffer, after);
}

static void write_subject(struct buffer *buffer, const struct record_subject *subject)
{
    write_words(buffer, subject->peer, "?");
    write_count(buffer, " (conn ", subject->conn, ")");
}

/* Why nothing is asked, in a few words; docs/decisions.md has them all. */
static const char *refusal(const struct record_decision *decision)
{
    bool reconnect = decision->by == BY_RECONNECT;

    switch (decision->verdict) {
    case VERDICT_GONE:
        return "the connection or the node is gone";
    case VERDICT_INBOUND:
        return "the peer opened the connection, and only a client may migrate";
    case VERDICT_DISABLED:
        return reconnect ? "the connection may not be reconnected"
                         : "the connection may not be migrated";
    case VERDICT_HELD:
        return "an operator holds the peer";
    case VERDICT_NO_TARGET:
        return "there is no other path";
    case VERDICT_IN_FLIGHT:
        return "a request for the connection is open";
    case VERDICT_COOLING:
        return "too soon after the last move";
    case VERDICT_BACKING_OFF:
        return decision->kind == PD_KIND_MOVED
                   ? "the last request failed; the next follows within 10 s of it, until something "
                     "progresses"
                   : "too soon after the last move failed";
    case VERDICT_DAMPED:
        return reconnect ? "too soon after the last reconnect" : "the peer was moved too often";
    case VERDICT_AWAITING:
        return "another connection goes first";
    case VERDICT_OBSERVING:
        return "no request was sent: the mode is observe";
    case VERDICT_PROBING:
        return "other uplinks are probed first";
    case VERDICT_QUEUED:
        return "too many requests are open, this one waits";
    case VERDICT_SUPERSEDED:
        return "a newer decision took its place";
    case VERDICT_EXPIRED:
        return "the request waited too long";
    default:
        return NULL;
    }
}

/* A choice often begins with the name of what was chosen, which stands before it already. */
static void write_why(struct buffer *buffer, const struct text *choice, const struct text *target)
{
    size_t skip = target ? target->length : 0;

    if (skip && choice->length > skip + 2 && !memcmp(choice->s, target->s, skip) &&
        !memcmp(choice->s + skip, ": ", 2))
        skip += 2;
    else
        skip = 0;
    write_bytes(buffer, choice->s + skip, choice->length - skip);
}

/* " to lte: metered, lives" of what is asked; ": too soon after the last move; it would move to
 * lte" of a refusal. */
static void write_choice(struct buffer *buffer, const struct record_decision *decision)
{
    bool asked = decision->verdict == VERDICT_MIGRATE || decision->verdict == VERDICT_RECONNECT;
    const char *why = refusal(decision), *gap = ": ";

    if (decision->verdict == VERDICT_NO_TARGET && decision->choice)
        why = NULL; /* that says the same, and of which uplinks */
    if (why) {
        buffer_text(buffer, gap);
        buffer_text(buffer, why);
        gap = "; ";
    }
    if (decision->target) {
        buffer_text(buffer, asked ? " to " : "; it would move to ");
        write_words(buffer, decision->target, "");
        gap = ": ";
    }
    if (decision->choice && decision->verdict != VERDICT_PROBING) {
        buffer_text(buffer, gap);
        write_why(buffer, decision->choice, decision->target);
    }
}

static void write_decision(struct buffer *buffer, const struct record_decision *decision)
{
    write_subject(buffer, &decision->subject);
    buffer_text(buffer, ": ");
    buffer_text(buffer, decision->trigger);
    if (decision->kind != PD_KIND_OPERATOR) {
        buffer_text(buffer, " says ");
        buffer_text(buffer, kind_name(decision->kind));
    }
    buffer_text(buffer, ": ");
    write_words(buffer, decision->reason, "no reason given");
    buffer_text(buffer, " → ");
    buffer_text(buffer, verdict_name(decision->verdict));
    if (decision->into)
        write_count(buffer, " into decision ", decision->into, "");
    write_choice(buffer, decision);
    if (decision->repeats)
        write_count(buffer, " (", decision->repeats, " times more)");
    if (!decision->request)
        return;
    write_count(buffer, " (request ", decision->request, "");
    if (decision->attempt > 1)
        write_count(buffer, ", attempt ", decision->attempt, "");
    buffer_text(buffer, ", within ");
    write_time(buffer, (uint64_t)decision->timeout_ms * 1000);
    buffer_append(buffer, ")", 1);
}

static void write_outcome(struct buffer *buffer, const struct record_outcome *outcome)
{
    write_subject(buffer, &outcome->subject);
    write_count(buffer, ": request ", outcome->request, " (");
    buffer_text(buffer, by_name(outcome->by));
    if (outcome->target) {
        buffer_text(buffer, " to ");
        write_words(buffer, outcome->target, "");
    }
    buffer_text(buffer, "): ");
    buffer_text(buffer, outcome_name(outcome->outcome));
    buffer_text(buffer, " after ");
    write_time(buffer, outcome->elapsed_us);
    if (outcome->outcome == OUTCOME_MIGRATED)
        buffer_text(buffer, outcome->validated ? ", validated" : ", not validated yet");
    if (outcome->local_before && outcome->local_after) {
        buffer_text(buffer, ", ");
        write_words(buffer, outcome->local_before, "");
        buffer_text(buffer, " → ");
        write_words(buffer, outcome->local_after, "");
    }
    if (outcome->conn_new)
        write_count(buffer, ", now conn ", outcome->conn_new, "");
    if (outcome->outcome == OUTCOME_CANCELLED)
        buffer_text(buffer, ", taken back: newer advice is requested instead");
    if (!outcome->error)
        return;
    buffer_text(buffer, ": ");
    write_words(buffer, outcome->error_message, "error");
    buffer_text(buffer, " (");
    buffer_i64(buffer, outcome->error_code);
    buffer_text(buffer, ")");
}

/* `better` because it gets through again, not because it got faster: 0.8 × is where that begins. */
static bool restored(const struct record_effect *effect)
{
    return effect->effect == EFFECT_BETTER &&
           (effect->rtt_before_us == PD_UNKNOWN || effect->rtt_after_us == PD_UNKNOWN ||
            effect->rtt_after_us * 10 > effect->rtt_before_us * 8);
}

static void write_effect(struct buffer *buffer, const struct record_effect *effect)
{
    write_subject(buffer, &effect->subject);
    write_count(buffer, ": effect of decision ", effect->decision, ": ");
    buffer_text(buffer, restored(effect) ? "restored" : effect_name(effect->effect));
    if (effect->rtt_before_us == PD_UNKNOWN || effect->rtt_after_us == PD_UNKNOWN)
        return;
    buffer_text(buffer, ", RTT ");
    write_time(buffer, effect->rtt_before_us);
    buffer_text(buffer, " → ");
    write_time(buffer, effect->rtt_after_us);
}

static void write_cause(struct buffer *buffer, const struct record_cause *cause)
{
    const char *gap = ": ";

    write_count(buffer, "cause ", cause->cause, " of ");
    buffer_text(buffer, cause->trigger);
    buffer_text(buffer, ": ");
    write_words(buffer, cause->reason, "no reason given");
    write_count(buffer, ": ", cause->peers, cause->peers == 1 ? " peer up, " : " peers up, ");
    write_count(buffer, "", cause->advised, " advised");
    for (size_t i = 0; i < VERDICT_COUNT; i++) {
        if (!cause->verdicts[i])
            continue;
        write_count(buffer, gap, cause->verdicts[i], " ");
        buffer_text(buffer, verdict_name((enum verdict)i));
        gap = ", ";
    }
}

static void write_node(struct buffer *buffer, const struct record_node *node)
{
    buffer_text(buffer, "node ");
    write_words(buffer, node->node, "");
    if (node->node)
        buffer_append(buffer, " ", 1);
    buffer_text(buffer, node->up ? "is up" : "is down");
    if (node->up && node->implementation) {
        buffer_text(buffer, ": ");
        write_words(buffer, node->implementation, "");
    }
    if (node->reason) {
        buffer_text(buffer, ": ");
        write_words(buffer, node->reason, "");
    }
}

static void write_peer(struct buffer *buffer, const struct record_peer *peer)
{
    write_subject(buffer, &peer->subject);
    buffer_text(buffer, peer->up ? ": up, this node is the " : ": down");
    if (peer->up)
        buffer_text(buffer, role_names[peer->role]);
    if (peer->reason) {
        buffer_text(buffer, ": ");
        write_words(buffer, peer->reason, "");
    }
}

/* What it means; where the connections that use it are counted, one of them and several. */
#define USES   " connection uses it", " connections use it"
#define LEAVES " connection is leaving it", " connections are leaving it"

static const struct {
    const char *what, *one, *several;
} uplink_words[UPLINK_CHANGE_COUNT] = {
    [UPLINK_CHANGE_UP] = {" is up", NULL, NULL},
    [UPLINK_CHANGE_DOWN] = {" is down", USES},
    [UPLINK_CHANGE_SILENT] = {" is silent", USES},
    [UPLINK_CHANGE_SLOW] = {" is slow", USES},
    [UPLINK_CHANGE_PENALTY] = {" is in penalty", NULL, NULL},
    [UPLINK_CHANGE_PROVEN] = {" is proven to work, connections come back to it", NULL, NULL},
    [UPLINK_CHANGE_HELD] = {" is held", LEAVES},
    [UPLINK_CHANGE_RELEASED] = {" is released, connections may use it again", NULL, NULL},
};

static void write_uplink(struct buffer *buffer, const struct record_uplink *uplink)
{
    const struct text *name = uplink->uplink, *interface = uplink->interface;
    const char *counted = uplink->peers == 1 ? uplink_words[uplink->change].one
                                             : uplink_words[uplink->change].several;

    buffer_text(buffer, "uplink ");
    write_words(buffer, name, "?");
    if (interface && !(name && !strcmp(name->s, interface->s))) {
        buffer_text(buffer, " (");
        write_words(buffer, interface, "");
        buffer_text(buffer, ")");
    }
    buffer_text(buffer, uplink_words[uplink->change].what);
    if (uplink->peers && counted)
        write_count(buffer, ", ", uplink->peers, counted);
    if (!uplink->reason)
        return;
    buffer_text(buffer, ": ");
    write_words(buffer, uplink->reason, "");
}

static void write_notice(struct buffer *buffer, const struct record_notice *notice)
{
    write_words(buffer, notice->what, "notice");
    buffer_text(buffer, ": ");
    write_words(buffer, notice->text, "");
    if (notice->count > 1)
        write_count(buffer, " (", notice->count, " times)");
}

void record_sentence(struct buffer *buffer, const struct record *record)
{
    switch (record->type) {
    case RECORD_DECISION:
        write_decision(buffer, &record->decision);
        break;
    case RECORD_OUTCOME:
        write_outcome(buffer, &record->outcome);
        break;
    case RECORD_EFFECT:
        write_effect(buffer, &record->effect);
        break;
    case RECORD_CAUSE:
        write_cause(buffer, record->cause);
        break;
    case RECORD_NODE:
        write_node(buffer, &record->node);
        break;
    case RECORD_PEER:
        write_peer(buffer, &record->peer);
        break;
    case RECORD_UPLINK:
        write_uplink(buffer, &record->uplink);
        break;
    case RECORD_NOTICE:
        write_notice(buffer, &record->notice);
        break;
    }
}

void record_text(struct buffer *buffer, const struct record *record)
{
    time_t seconds = (time_t)(record->time_us / 1000000);
    struct tm tm = {0};

    gmtime_r(&seconds, &tm);
    buffer_added(buffer, (size_t)snprintf(buffer_space(buffer, 64), 64,
                                          "%04d-%02d-%02dT%02d:%02d:%02d.%06uZ ", tm.tm_year + 1900,
                                          tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
                                          tm.tm_sec, (unsigned)(record->time_us % 1000000)));
    buffer_text(buffer, level_name(record_level(record)));
    buffer_text(buffer, ": ");
    record_sentence(buffer, record);
    buffer_append(buffer, "\n", 1);
}
