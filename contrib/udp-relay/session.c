/* SPDX-License-Identifier: Apache-2.0 */
/* How long a session lasts, how it ends and how a member moves. */
#include "relay_private.h"

uint64_t session_ends_us(const struct relay *relay, const struct session *session,
                         enum relay_reason *ret_reason)
{
    const struct relay_settings *settings = &relay->settings;
    uint64_t ends_us;

    if (!session->opened_us) {
        *ret_reason = RELAY_REASON_RESERVATION;
        return session->active_us + settings->reservation_ttl_us;
    }
    *ret_reason = RELAY_REASON_TIMEOUT;
    ends_us = session->active_us + settings->session_timeout_us;
    if (settings->max_duration_us && session->opened_us + settings->max_duration_us < ends_us) {
        *ret_reason = RELAY_REASON_DURATION;
        ends_us = session->opened_us + settings->max_duration_us;
    }
    return ends_us;
}

static enum relay_count count_of(enum relay_reason reason)
{
    switch (reason) {
    case RELAY_REASON_DURATION:
        return RELAY_COUNT_ENDED_DURATION;
    case RELAY_REASON_RESERVATION:
        return RELAY_COUNT_ENDED_RESERVATION;
    case RELAY_REASON_DENIED:
        return RELAY_COUNT_ENDED_DENIED;
    default:
        return RELAY_COUNT_ENDED_TIMEOUT;
    }
}

/* What an address has used stays known when it has no member any more. */
static void host_gone(void *user, const struct host *host)
{
    struct relay *relay = user;

    *strangers_rate(relay->strangers, &host->ip, host->rate.used_until_us) = host->rate;
}

void session_end(struct relay *relay, uint64_t now_us, struct session *session,
                 enum relay_reason reason)
{
    relay_count_one(relay, count_of(reason));
    event_add(relay, now_us, RELAY_ENDED, reason, session);
    table_remove_session(&relay->table, session, host_gone, relay);
}

bool session_end_if_over(struct relay *relay, uint64_t now_us, struct session *session)
{
    enum relay_reason reason;

    if (now_us < session_ends_us(relay, session, &reason)) {
        if (session->opened_us || session->list == relay->list)
            return false;
        session->list = relay->list;
        if (!relay->members ||
            members_allow(relay->members, &session->members[0].at, session->id, session->id_size))
            return false;
        reason = RELAY_REASON_DENIED;
    }
    session_end(relay, now_us, session, reason);
    return true;
}

void session_move(struct relay *relay, uint64_t now_us, uint32_t number,
                  const struct endpoint *from, enum relay_reason reason)
{
    struct relay_event *event =
        event_add(relay, now_us, RELAY_MOVED, reason, &relay->table.sessions[number / 2]);

    event->n_members = 2; /* of the one that moves: from where, to where */
    event->member[0] = table_member(&relay->table, number)->at;
    event->member[1] = *from;
    table_move_member(&relay->table, number, from);
    relay_count_one(relay, reason == RELAY_REASON_BY_REG ? RELAY_COUNT_MOVED_BY_REG
                                                         : RELAY_COUNT_MOVED_BY_DATA);
}

uint64_t member_left_bytes(const struct relay *relay, const struct member *member)
{
    if (!relay->settings.max_data_bytes)
        return UINT64_MAX;
    return member->ended ? 0 : relay->settings.max_data_bytes - member->bytes;
}
