/* SPDX-License-Identifier: Apache-2.0 */
/* What operators are told of the relays and the connections; and what is kept across a restart. */
#include "policy.h"

#include "util/address.h"
#include "util/duration.h"
#include "util/util.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

static size_t place_of(const struct relays *relays, const struct relay_entry *entry)
{
    return (size_t)(entry - relays->list.entries);
}

/* "41.2 ms" */
static const char *rtt_text(char text[static DURATION_SIZE], uint64_t rtt_ns)
{
    return rtt_ns == RELAY_NO_RTT ? "not measured" : duration_text(text, rtt_ns / 1000);
}

void relay_why_text(const struct relays *relays, const struct relay_target *target,
                    char text[static RELAY_WHY_TEXT])
{
    char rtt[DURATION_SIZE];
    const struct relay_entry *entry = target->entry;
    size_t n = relays->list.count;

    if (!entry) {
        snprintf(text, RELAY_WHY_TEXT, "back to the direct way, as no other relay is known");
        return;
    }
    if (target->next)
        snprintf(text, RELAY_WHY_TEXT, "over relay %.255s, the next one of %zu (RTT %s)",
                 entry->name, n, rtt_text(rtt, target->rtt_ns));
    else if (target->why == RELAY_WHY_ONLY)
        snprintf(text, RELAY_WHY_TEXT, "over relay %.255s, the only one (RTT %s)", entry->name,
                 rtt_text(rtt, target->rtt_ns));
    else if (target->why == RELAY_WHY_KEY)
        snprintf(text, RELAY_WHY_TEXT, "over relay %.255s, the key's pick, %zu of %zu (RTT %s)",
                 entry->name, place_of(relays, entry) + 1, n, rtt_text(rtt, target->rtt_ns));
    else
        snprintf(text, RELAY_WHY_TEXT, "over relay %.255s, RTT %s: the key's pick %s", entry->name,
                 rtt_text(rtt, target->rtt_ns),
                 target->why == RELAY_WHY_UNMEASURED ? "does not answer"
                 : target->why == RELAY_WHY_FASTER   ? "takes more than twice as long"
                                                     : "is not fast enough again");
}

/* Of the pick, as operators read it. */
static const char *pick_text(enum relay_why why)
{
    static const char *const texts[] = {
        [RELAY_WHY_ONLY] = "the only one",
        [RELAY_WHY_KEY] = "by the key",
        [RELAY_WHY_FASTER] = "the fastest; the key's pick takes more than twice as long",
        [RELAY_WHY_UNMEASURED] = "it answers; the key's pick does not",
        [RELAY_WHY_KEPT] = "kept; the key's pick is not yet within 1.5 times the fastest again",
    };

    return texts[why];
}

static const char *left_out_text(enum relay_left_out why)
{
    switch (why) {
    case RELAY_PRIVATE:
        return "private address";
    case RELAY_UNKNOWN:
        return "not known to the node";
    case RELAY_BEYOND:
        return "one too many";
    case RELAY_DUPLICATE:
    case RELAY_USED:
        break;
    }
    return NULL;
}

static struct pd_relay as_relay(const struct relay_entry *entry)
{
    return (struct pd_relay){
        .name = entry->name,
        .address = entry->address_text,
        .speaks = relay_speaks_names[entry->speaks],
    };
}

bool relay_tell_relay(const void *self, size_t place, struct pd_relay_report *ret)
{
    const struct relay_trigger *trigger = self;
    const struct relays *relays = &trigger->relays;
    const struct relay_seen *seen;

    if (place >= relays->list.count) {
        place -= relays->list.count;
        if (place >= relays->left_out.count)
            return false;
        ret->relay = as_relay(&relays->left_out.entries[place]);
        ret->from = relay_from_names[relays->left_out_froms[place]];
        ret->left_out = left_out_text(relays->left_out_why[place]);
        return true;
    }
    seen = &relays->seen[place];
    ret->relay = as_relay(&relays->list.entries[place]);
    ret->from = relay_from_names[relays->froms[place]];
    ret->rtt_ns = seen->rtt_ns;
    ret->error = *seen->error ? seen->error : NULL;
    ret->probed_us = seen->probed_us;
    ret->pick = place == relays->pick;
    ret->why = ret->pick ? pick_text(relays->why) : NULL;
    return true;
}

bool relay_tell_relayed(const void *self, const struct pd_peer *peer, const void *state,
                        struct pd_relayed_report *ret)
{
    const struct relay_counts *counts = &((const struct relay_peer *)state)->counts;

    (void)self;
    (void)peer;
    if (!counts->relayed)
        return false;
    ret->pinned = counts->pinned;
    ret->rule = relay_rule_names[counts->rule];
    return true;
}

static int tell_relayed(const struct relay_trigger *trigger, const struct pd_peer *who,
                        const struct relay_peer *peer, char *text, size_t size)
{
    const struct relay_counts *counts = &peer->counts;
    int n = snprintf(text, size, "on relay %.255s (%s), %u of %" PRIu32 " misses", who->path->via,
                     relay_rule_names[counts->rule], (unsigned)counts->misses,
                     trigger->limits.flip_after);

    if (counts->pinned)
        return n + snprintf(text + n, size - (size_t)n, "; pinned: it does not go back by itself");
    if (!peer->family)
        return n + snprintf(text + n, size - (size_t)n,
                            "; its direct address is not known, so the direct way is not tried");
    return n + snprintf(text + n, size - (size_t)n,
                        "; the direct way answered %u of %" PRIu32 " tries in a row",
                        (unsigned)counts->cleared, trigger->limits.clear_after);
}

int relay_tell(const void *self, const struct pd_peer *who, const void *state, uint64_t now_us,
               char *text, size_t size)
{
    const struct relay_trigger *trigger = self;
    const struct relay_peer *peer = state;
    const struct relay_counts *counts = &peer->counts;
    const struct relays *relays = &trigger->relays;
    char silence[DURATION_SIZE];
    int n;

    if (!trigger->obeys)
        return snprintf(text, size, "the node does not offer the feature \"relay\"");
    if (who->role == PD_ROLE_SERVER)
        return snprintf(text, size, "the peer opened the connection: only it may change the way");
    if (counts->relayed)
        return tell_relayed(trigger, who, peer, text, size);
    n = snprintf(text, size,
                 "direct, silent for %s; %u of %" PRIu32 " misses, %u of %" PRIu32
                 " send errors; it would go over ",
                 duration_text(silence, sub_u64(now_us, peer->base_us)), (unsigned)counts->misses,
                 trigger->limits.flip_after, (unsigned)counts->errors, trigger->limits.flip_after);
    if (relays->pick == RELAY_NO_PICK)
        return n + snprintf(text + n, size - (size_t)n, "no relay, as none is known");
    return n + snprintf(text + n, size - (size_t)n, "relay %.200s (%s)",
                        relays->list.entries[relays->pick].name, pick_text(relays->why));
}

/* ---- across a restart ---- */

/* "silence pinned 192.0.2.1:443": of a connection that is relayed, why, and its direct address. */
int relay_save(const void *self, const struct pd_peer *who, const void *state, char *text,
               size_t size)
{
    const struct relay_peer *peer = state;
    struct pd_address address = {.family = peer->family, .port = peer->port};
    char direct[ADDRESS_TEXT_MAX] = "-";

    (void)self;
    (void)who;
    if (!peer->counts.relayed)
        return 0;
    memcpy(address.bytes, peer->address, sizeof(address.bytes));
    if (peer->family)
        address_format(&address, direct);
    return snprintf(text, size, "%s %s %s", relay_rule_names[peer->counts.rule],
                    peer->counts.pinned ? "pinned" : "free", direct);
}

static bool word_is(const char *text, size_t length, const char *word)
{
    return strlen(word) == length && !memcmp(text, word, length);
}

int relay_restore(struct pd_turn *turn, const struct pd_peer_event *event, const char *text)
{
    struct relay_peer *peer = event->state;
    size_t n_rule = strcspn(text, " "), n_pin, rule = 0;
    const char *pin = text + n_rule + 1, *direct;
    struct pd_address address = {0};

    (void)turn;
    while (rule < RELAY_RULE_COUNT && !word_is(text, n_rule, relay_rule_names[rule]))
        rule++;
    if (rule == RELAY_RULE_COUNT || !text[n_rule])
        return -EINVAL;
    n_pin = strcspn(pin, " ");
    if (!pin[n_pin] || (!word_is(pin, n_pin, "pinned") && !word_is(pin, n_pin, "free")))
        return -EINVAL;
    direct = pin + n_pin + 1;
    if (strcmp(direct, "-") != 0 &&
        (address_parse(direct, &address) < 0 || !address.family || !address.port))
        return -EINVAL;
    if (!peer->counts.relayed) /* it went back meanwhile */
        return 0;
    peer->counts.rule = (uint8_t)rule & 7u;
    peer->counts.pinned = word_is(pin, n_pin, "pinned");
    if (!peer->family && address.family) {
        peer->family = address.family;
        peer->port = address.port;
        memcpy(peer->address, address.bytes, sizeof(peer->address));
    }
    return 0;
}
