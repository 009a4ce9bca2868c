/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connections: what each row counts, and what is advised. Each row in which the node sends is
 * what a send is to the Pilot Protocol: see docs/triggers.md.
 */
#include "policy.h"

#include "util/duration.h"
#include "util/util.h"

#include <inttypes.h>
#include <stdio.h>

/* A suspect is polled fast for this much longer than it takes to be sure. */
#define POLL_EXTRA_US 2000000u

/* ---- what a connection goes over ---- */

static void pending_set(struct relay_trigger *trigger, struct relay_peer *peer, bool pending)
{
    if (peer->pending == pending)
        return;
    trigger->n_pending += pending ? 1 : UINT32_MAX;
    peer->pending = pending;
}

static void relayed_count(struct pd_turn *turn, bool before, bool after)
{
    struct relay_trigger *trigger = turn->self;

    if (before != after)
        trigger->n_relayed += after ? 1 : UINT32_MAX;
    tries_begin(turn);
}

/* Its own address: that of a direct connection, or one of a relayed that is no relay's. */
static void address_take(const struct relay_trigger *trigger, struct relay_peer *peer,
                         const struct pd_address *remote)
{
    if (!remote->family || !remote->port || *remote->scope ||
        relay_is_from_relay(&trigger->relays.list, remote))
        return;
    peer->family = remote->family;
    peer->port = remote->port;
    memcpy(peer->address, remote->bytes, sizeof(peer->address));
}

/* The reason for what was said has gone. */
static void unsay(struct pd_turn *turn, uint32_t index, struct relay_peer *peer)
{
    if (peer->said)
        turn->host->withdraw(turn, index);
    peer->said = false;
    pending_set(turn->self, peer, false);
}

static void poll_end(struct pd_turn *turn, uint32_t index, struct relay_peer *peer)
{
    if (peer->polled)
        turn->host->look(turn, index, 0);
    peer->polled = false;
}

/* As the node says: over a relay or not. A way begins anew with another relay, too. */
static void way_take(struct pd_turn *turn, const struct pd_peer *who, struct relay_peer *peer,
                     bool other)
{
    const char *via = who->path->via;
    bool relayed = relay_is_via(via), before = peer->counts.relayed;

    if (relayed != before || other) {
        relay_way(&peer->counts, relayed);
        relayed_count(turn, before, relayed);
        unsay(turn, who->index, peer);
        poll_end(turn, who->index, peer);
        peer->base_us = turn->now_us;
        peer->tried = 0;
    }
    address_take(turn->self, peer, &who->path->remote);
}

/* A request of ours or an operator's has led it there; the node says so before or after this. */
static void pin_take(struct pd_turn *turn, const struct pd_peer_event *event)
{
    const struct relay_trigger *trigger = turn->self;
    struct relay_peer *peer = event->state;

    if (!event->via)
        return;
    if (!relay_is_via(event->via)) {
        peer->counts.pinned = false;
        peer->counts.rule = RELAY_RULE_NODE;
        return;
    }
    peer->counts.pinned = event->asked || trigger->pin;
    peer->counts.rule = event->asked ? RELAY_RULE_OPERATOR : peer->advised;
    peer->counts.cleared = 0;
}

static void peer_gone(struct pd_turn *turn, const struct pd_peer_event *event)
{
    struct relay_peer *peer = event->state;

    pending_set(turn->self, peer, false);
    poll_end(turn, event->peer->index, peer);
    relayed_count(turn, peer->counts.relayed, false);
    peer->counts = (struct relay_counts){0};
}

int peers_event(struct pd_turn *turn, const struct pd_peer_event *event)
{
    struct relay_trigger *trigger = turn->self;
    struct relay_peer *peer = event->state;
    const char *via = event->peer->path->via;

    switch (event->change) {
    case PD_PEER_UP:
        if (event->peer->index >= trigger->n_peers)
            trigger->n_peers = event->peer->index + 1;
        peer->base_us = turn->now_us;
        way_take(turn, event->peer, peer, false);
        peer->via = relay_is_via(via) ? relay_digest(via) : 0;
        break;
    case PD_PEER_DOWN:
        peer_gone(turn, event);
        break;
    case PD_PEER_MIGRATED:
        pin_take(turn, event);
        __attribute__((fallthrough));
    case PD_PEER_PATH:
    case PD_PEER_TOLD:
        way_take(turn, event->peer, peer, peer->via != (relay_is_via(via) ? relay_digest(via) : 0));
        peer->via = relay_is_via(via) ? relay_digest(via) : 0;
        break;
    case PD_PEER_MISSING:
        break;
    }
    return 0;
}

/* ---- advice ---- */

/* The way in use is dead: to a relay, from a dead relay to another one, else back. */
static int flip(struct pd_turn *turn, const struct pd_sample *sample, enum relay_rule rule,
                uint64_t silence_us, uint64_t errors)
{
    struct relay_trigger *trigger = turn->self;
    struct relay_peer *peer = sample->state;
    const char *via = sample->peer->path->via;
    char why[RELAY_WHY_TEXT], span[DURATION_SIZE], what[80], from[120] = "";
    struct relay_target target;
    struct relay_said said = {0};
    bool found = relays_target(&trigger->relays, via, peer->tried, &target);

    if (!found && (!peer->counts.relayed || peer->counts.pinned))
        return 0; /* the list is another since the row was judged */
    relay_say_text(&said, "rule", relay_rule_names[rule]);
    if (rule == RELAY_RULE_SILENCE) {
        relay_say_number(&said, "silence_us", silence_us);
        relay_say_number(&said, "misses", trigger->limits.flip_after);
        snprintf(what, sizeof(what), "nothing received for %s though we send, %" PRIu32 " misses",
                 duration_text(span, silence_us), trigger->limits.flip_after);
    } else {
        relay_say_number(&said, "send_errors", errors);
        snprintf(what, sizeof(what), "%" PRIu64 " send error%s, and nothing received", errors,
                 errors == 1 ? "" : "s");
    }
    if (peer->counts.relayed) {
        relay_say_text(&said, "left", via);
        snprintf(from, sizeof(from), " over relay %.100s", via);
    }
    relay_why_text(&trigger->relays, &target, why);
    snprintf(said.reason, sizeof(said.reason), "%s%s: %s", what, from, why);
    pending_set(trigger, peer, target.entry && !peer->counts.relayed);
    poll_end(turn, sample->peer->index, peer);
    peer->said = true;
    peer->advised = (uint8_t)rule & 7u;
    peer->tried = relay_digest(target.entry ? target.entry->name : "direct");
    return relay_advise(turn, sample->peer->index, PD_KIND_DEAD, &said, &target);
}

/* ---- rows ---- */

static uint64_t silence_of(const struct relay_peer *peer, uint64_t now_us)
{
    return now_us - peer->base_us;
}

/* What came since the row before. The first row tells of a time that nobody has seen. */
static void receipt(struct pd_turn *turn, const struct pd_sample *sample)
{
    struct relay_peer *peer = sample->state;
    uint64_t ago_us = sample->silent_us == PD_UNKNOWN ? 0 : sample->silent_us;

    peer->base_us = turn->now_us - min_u64(ago_us, turn->now_us);
    relay_receipt(&peer->counts);
    unsay(turn, sample->peer->index, peer);
    poll_end(turn, sample->peer->index, peer);
}

/* How many errors came since the row before; it is the last count that is told. */
static uint64_t errors_take(struct relay_peer *peer, const struct pd_row *row)
{
    uint64_t errors = row->v[PD_SEND_ERRORS], before = peer->errors_known ? peer->errors_seen : 0;

    if (errors == PD_UNKNOWN)
        return 0;
    peer->errors_known = true;
    peer->errors_seen = (uint32_t)min_u64(errors, UINT32_MAX);
    return errors >= before ? errors - before : errors;
}

static bool sends_take(struct relay_peer *peer, const struct pd_sample *sample)
{
    uint64_t sent = sample->row->v[PD_BYTES_SENT];
    bool more = sent != PD_UNKNOWN && peer->sent_known && (uint32_t)sent != peer->sent;

    if (sent != PD_UNKNOWN) {
        peer->sent = (uint32_t)sent;
        peer->sent_known = true;
    }
    return more || sample->outstanding_since_us;
}

/* Is there a way that it could take, and room on it? Says why not. */
static bool may_flip(struct pd_turn *turn, const struct pd_sample *sample)
{
    const struct relay_trigger *trigger = turn->self;
    const struct relay_peer *peer = sample->state;
    const struct relay_list *list = &trigger->relays.list;
    char text[160];

    if (peer->counts.relayed)
        return !peer->counts.pinned || list->count > 1 ||
               (list->count && strcmp(list->entries[0].name, sample->peer->path->via) != 0);
    if (!list->count) {
        turn->host->notice(turn, PD_LEVEL_WARNING, "relay-none",
                           "connections are silent, and no relay is known: neither the "
                           "configuration nor the list file nor the node names one");
        return false;
    }
    if (relay_has_room(&trigger->limits, (uint64_t)trigger->n_relayed + trigger->n_pending))
        return true;
    snprintf(text, sizeof(text),
             "%" PRIu32 " connections go over relays, and max_relayed is %" PRIu64
             ": no more are sent there",
             trigger->n_relayed, trigger->limits.max_relayed);
    turn->host->notice(turn, PD_LEVEL_WARNING, "relay-full", text);
    return false;
}

/* Close looks, as long as it is near to a miss. */
static void poll(struct pd_turn *turn, const struct pd_sample *sample, uint64_t silence_us)
{
    const struct relay_trigger *trigger = turn->self;
    struct relay_peer *peer = sample->state;
    uint64_t left_us = sub_u64(trigger->limits.max_silence_us, silence_us);

    if (left_us >= trigger->sample_interval_us)
        return;
    peer->polled = true;
    turn->host->look(turn, sample->peer->index,
                     turn->now_us + left_us +
                         (trigger->limits.flip_after + UINT64_C(1)) * trigger->close_interval_us +
                         POLL_EXTRA_US);
}

/* Nothing came since the row before. */
static int silent_row(struct pd_turn *turn, const struct pd_sample *sample, bool sends,
                      uint64_t errors)
{
    struct relay_trigger *trigger = turn->self;
    struct relay_peer *peer = sample->state;
    uint64_t silence_us = silence_of(peer, turn->now_us);
    bool looks = sends && silence_us > trigger->limits.max_silence_us, may;

    if (peer->said && turn->host->waits(turn, sample->peer->index))
        return 0;
    peer->said = false; /* it was refused, or has failed */
    pending_set(trigger, peer, false);
    if (!looks && !errors) {
        if (sends)
            poll(turn, sample, silence_us);
        return 0;
    }
    may = may_flip(turn, sample);
    if (relay_send_errors(&peer->counts, &trigger->limits, errors, may))
        return flip(turn, sample, RELAY_RULE_SEND_ERRORS, silence_us,
                    sample->row->v[PD_SEND_ERRORS]);
    if (looks && relay_miss(&peer->counts, &trigger->limits, silence_us, may))
        return flip(turn, sample, RELAY_RULE_SILENCE, silence_us, 0);
    if (looks && may)
        poll(turn, sample, silence_us);
    return 0;
}

int peers_row(struct pd_turn *turn, const struct pd_sample *sample)
{
    const struct relay_trigger *trigger = turn->self;
    struct relay_peer *peer = sample->state;
    bool first = !peer->known, sends = sends_take(peer, sample);
    uint64_t errors = errors_take(peer, sample->row);

    peer->known = true;
    if (sample->heard || (first && sample->silent_us != PD_UNKNOWN))
        receipt(turn, sample);
    if (sample->heard || !trigger->obeys || sample->peer->role == PD_ROLE_SERVER ||
        sample->in_flight)
        return 0;
    return silent_row(turn, sample, sends, errors);
}
