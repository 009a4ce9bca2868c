/* SPDX-License-Identifier: Apache-2.0 */
/* What happened, kept until the shell asks; and the names of all that is counted. */
#include "relay_private.h"

static const char *const event_names[RELAY_EVENT_KINDS] = {
    [RELAY_REGISTERED] = "registered", [RELAY_OPENED] = "opened", [RELAY_MOVED] = "moved",
    [RELAY_LIMITED] = "limited",       [RELAY_ENDED] = "ended",   [RELAY_REFUSED] = "refused",
};

static const char *const reason_names[RELAY_REASONS] = {
    [RELAY_REASON_NONE] = "none",           [RELAY_REASON_TIMEOUT] = "timeout",
    [RELAY_REASON_DURATION] = "duration",   [RELAY_REASON_RESERVATION] = "reservation",
    [RELAY_REASON_DATA] = "data",           [RELAY_REASON_FULL] = "full",
    [RELAY_REASON_DENIED] = "denied",       [RELAY_REASON_LIMIT] = "limit",
    [RELAY_REASON_RATE] = "rate",           [RELAY_REASON_OFF] = "off",
    [RELAY_REASON_BY_REG] = "registration", [RELAY_REASON_BY_DATA] = "data from a new port",
};

static const char *const count_names[RELAY_COUNTS] = {
    [RELAY_COUNT_FORWARDED_DATAGRAMS] = "forwarded_datagrams",
    [RELAY_COUNT_FORWARDED_BYTES] = "forwarded_bytes",
    [RELAY_COUNT_ACKS] = "acks",
    [RELAY_COUNT_LEASES] = "leases",
    [RELAY_COUNT_OPENED] = "opened",
    [RELAY_COUNT_MOVED_BY_REG] = "moved_by_reg",
    [RELAY_COUNT_MOVED_BY_DATA] = "moved_by_data",
    [RELAY_COUNT_ENDED_TIMEOUT] = "ended_timeout",
    [RELAY_COUNT_ENDED_DURATION] = "ended_duration",
    [RELAY_COUNT_ENDED_RESERVATION] = "ended_reservation",
    [RELAY_COUNT_ENDED_DENIED] = "ended_denied",
    [RELAY_COUNT_REFUSED_FULL] = "refused_full",
    [RELAY_COUNT_REFUSED_DENIED] = "refused_denied",
    [RELAY_COUNT_REFUSED_LIMIT] = "refused_limit",
    [RELAY_COUNT_REFUSED_RATE] = "refused_rate",
    [RELAY_COUNT_REFUSED_OFF] = "refused_off",
    [RELAY_COUNT_DROPPED_UNKNOWN] = "dropped_unknown",
    [RELAY_COUNT_DROPPED_NO_PEER] = "dropped_no_peer",
    [RELAY_COUNT_DROPPED_LIMIT] = "dropped_limit",
    [RELAY_COUNT_DROPPED_TOO_LARGE] = "dropped_too_large",
    [RELAY_COUNT_DROPPED_BAD_ID] = "dropped_bad_id",
    [RELAY_COUNT_ANSWERS_WITHHELD] = "answers_withheld",
    [RELAY_COUNT_EVENTS_LOST] = "events_lost",
};

const char *relay_event_name(enum relay_event_kind kind)
{
    return kind < RELAY_EVENT_KINDS ? event_names[kind] : "unknown";
}

const char *relay_reason_name(enum relay_reason reason)
{
    return reason < RELAY_REASONS ? reason_names[reason] : "unknown";
}

const char *relay_count_name(enum relay_count count)
{
    return count < RELAY_COUNTS ? count_names[count] : "unknown";
}

uint64_t relay_count(const struct relay *relay, enum relay_count count)
{
    return count < RELAY_COUNTS ? relay->counts[count] : 0;
}

/* Where there is no place any more it is written into one that is taken back: callers need not ask.
 */
struct relay_event *event_add(struct relay *relay, uint64_t now_us, enum relay_event_kind kind,
                              enum relay_reason reason, const struct session *session)
{
    struct relay_event *event = &relay->events[(relay->first_event + relay->n_events) % EVENTS_MAX];

    if (relay->n_events == EVENTS_MAX) {
        relay->first_event = (relay->first_event + 1) % EVENTS_MAX;
        relay_count_one(relay, RELAY_COUNT_EVENTS_LOST);
    } else {
        relay->n_events++;
    }
    *event = (struct relay_event){.kind = kind, .reason = reason, .at_us = now_us};
    if (!session)
        return event;
    event->age_us = now_us - session->registered_us;
    event->n_members = session->n_members;
    for (unsigned i = 0; i < session->n_members; i++) {
        event->member[i] = session->members[i].at;
        event->bytes[i] = session->members[i].bytes;
        event->datagrams[i] = session->members[i].datagrams;
    }
    event->id_size = session->id_size;
    memcpy(event->id, session->id, session->id_size);
    return event;
}

void event_refused(struct relay *relay, uint64_t now_us, enum relay_reason reason,
                   const struct endpoint *from, const char *id, size_t id_size)
{
    struct relay_event *event;

    if (now_us - relay->refused_second_us >= 1000000) {
        relay->refused_second_us = now_us;
        relay->refused_in_second = 0;
    }
    if (relay->refused_in_second++ >= REFUSED_EVENTS_PER_S)
        return;
    event = event_add(relay, now_us, RELAY_REFUSED, reason, NULL);
    event->n_members = 1;
    event->member[0] = *from;
    event->id_size = (uint8_t)id_size;
    memcpy(event->id, id, id_size);
}

bool relay_event_next(struct relay *relay, struct relay_event *ret)
{
    if (!relay->n_events)
        return false;
    *ret = relay->events[relay->first_event];
    relay->first_event = (relay->first_event + 1) % EVENTS_MAX;
    relay->n_events--;
    return true;
}
