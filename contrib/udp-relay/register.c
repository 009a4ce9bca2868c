/* SPDX-License-Identifier: Apache-2.0 */
/* Registrations: who becomes a member of which session, who moves, who is refused. */
#include "relay_private.h"

static void refuse(struct relay *relay, uint64_t now_us, enum relay_reason reason,
                   const struct registration *asked, struct relay_out *out)
{
    static const struct {
        enum relay_count count;
        const char *text;
    } refusals[RELAY_REASONS] = {
        [RELAY_REASON_FULL] = {RELAY_COUNT_REFUSED_FULL, "ERR:full\n"},
        [RELAY_REASON_DENIED] = {RELAY_COUNT_REFUSED_DENIED, "ERR:denied\n"},
        [RELAY_REASON_LIMIT] = {RELAY_COUNT_REFUSED_LIMIT, "ERR:limit\n"},
        [RELAY_REASON_RATE] = {RELAY_COUNT_REFUSED_RATE, "ERR:limit\n"},
        [RELAY_REASON_OFF] = {RELAY_COUNT_REFUSED_OFF, "ERR:off\n"},
    };

    relay_count_one(relay, refusals[reason].count);
    event_refused(relay, now_us, reason, asked->from, asked->id, asked->id_size);
    answer_stranger(relay, now_us, NULL, out, refusals[reason].text, asked->question_size);
}

/* What is too often is refused, and that is said once a second. */
static bool take(struct relay *relay, uint64_t now_us, const struct registration *asked,
                 struct relay_out *out)
{
    struct host *host = table_find_ip(&relay->table, asked->from);
    struct rate *rate = host ? &host->rate : strangers_rate(relay->strangers, asked->from, now_us);

    if (rate_take(rate, now_us))
        return true;
    if (rate_say(&rate->limit_us, now_us))
        refuse(relay, now_us, RELAY_REASON_RATE, asked, out);
    else
        relay_count_one(relay, RELAY_COUNT_REFUSED_RATE);
    return false;
}

static void acknowledge(struct relay *relay, uint64_t now_us, uint32_t number,
                        const struct registration *asked, struct relay_out *out)
{
    struct member *member = table_member(&relay->table, number);

    member->heard_us = now_us;
    member->asked = *asked->to;
    relay->table.sessions[number / 2].active_us = now_us;
    relay_count_one(relay, RELAY_COUNT_ACKS);
    answer_text(relay, out, "ACK\n", asked->question_size);
}

void register_again(struct relay *relay, uint64_t now_us, uint32_t number,
                    const struct registration *asked, struct relay_out *out)
{
    if (take(relay, now_us, asked, out))
        acknowledge(relay, now_us, number, asked, out);
}

/* The member with that address that has been silent longer, if it has been for long enough. */
static uint32_t silent_member(const struct relay *relay, uint64_t now_us,
                              const struct session *session, const struct endpoint *from)
{
    uint32_t found = NONE;

    for (unsigned i = 0; i < session->n_members; i++) {
        const struct member *member = &session->members[i];

        if (ip_equal(&member->at, from) && now_us - member->heard_us >= RELAY_SILENT_US &&
            (found == NONE || member->heard_us < table_member(&relay->table, found)->heard_us))
            found = table_number(&relay->table, session) * 2 + i;
    }
    return found;
}

static uint32_t member_add(struct relay *relay, uint64_t now_us, struct session *session,
                           const struct endpoint *from)
{
    struct rate rate = {0};
    struct member *member;

    if (!table_find_ip(&relay->table, from))
        rate = *strangers_rate(relay->strangers, from, now_us);
    member = table_add_member(&relay->table, session, from, &rate);
    return table_number(&relay->table, session) * 2 + (uint32_t)(member - session->members);
}

/* May a circuit be opened between this session's member and that address? */
static bool circuit_fits(const struct relay *relay, const struct session *session,
                         const struct endpoint *from)
{
    const struct table *table = &relay->table;
    const struct host *host = table_find_ip(table, from);
    uint32_t most = relay->settings.max_circuits_per_address;

    return table->n_circuits < relay->settings.max_circuits &&
           table_host(table, &session->members[0])->n_circuits < most &&
           (!host || host->n_circuits < most);
}

static bool registration_fits(const struct relay *relay, const struct endpoint *from)
{
    const struct host *host = table_find_ip(&relay->table, from);

    return relay->table.n_pending < relay->settings.max_circuits * RELAY_PENDING_FACTOR &&
           (!host || host->n_pending < RELAY_PENDING_PER_HOST);
}

static uint32_t become_first(struct relay *relay, uint64_t now_us, const struct registration *asked)
{
    struct session *session = table_add_session(&relay->table, asked->id, asked->id_size);
    uint32_t number;

    if (!session)
        return NONE;
    number = member_add(relay, now_us, session, asked->from);
    session->registered_us = session->active_us = now_us;
    session->list = relay->list;
    event_add(relay, now_us, RELAY_REGISTERED, RELAY_REASON_NONE, session);
    return number;
}

static uint32_t become_second(struct relay *relay, uint64_t now_us, struct session *session,
                              const struct endpoint *from)
{
    uint32_t number = member_add(relay, now_us, session, from);

    session->opened_us = now_us;
    relay_count_one(relay, RELAY_COUNT_OPENED);
    event_add(relay, now_us, RELAY_OPENED, RELAY_REASON_NONE, session);
    return number;
}

void register_new(struct relay *relay, uint64_t now_us, const struct registration *asked,
                  struct relay_out *out)
{
    enum relay_reason refused = RELAY_REASON_LIMIT;
    struct session *session;
    uint32_t number = NONE;

    if (!take(relay, now_us, asked, out))
        return;
    session = table_find_id(&relay->table, asked->id, asked->id_size);
    if (session && session_end_if_over(relay, now_us, session))
        session = NULL;
    if (session)
        number = silent_member(relay, now_us, session, asked->from);
    if (number != NONE) {
        session_move(relay, now_us, number, asked->from, RELAY_REASON_BY_REG);
    } else if (!relay->settings.service) {
        refused = RELAY_REASON_OFF;
    } else if (relay->members &&
               !members_allow(relay->members, asked->from, asked->id, asked->id_size)) {
        refused = RELAY_REASON_DENIED;
    } else if (session && session->n_members == 2) {
        refused = RELAY_REASON_FULL;
    } else if (session) {
        if (circuit_fits(relay, session, asked->from))
            number = become_second(relay, now_us, session, asked->from);
    } else if (registration_fits(relay, asked->from)) {
        number = become_first(relay, now_us, asked);
    }
    if (number == NONE)
        refuse(relay, now_us, refused, asked, out);
    else
        acknowledge(relay, now_us, number, asked, out);
}
