/* SPDX-License-Identifier: Apache-2.0 */
/* The sessions as they are told to an operator. */
#include "relay_private.h"
#include "util/util.h"

bool relay_session_next(const struct relay *relay, uint64_t now_us, size_t *cursor,
                        struct relay_session_view *ret)
{
    const struct table *table = &relay->table;
    uint64_t limit_us = relay->settings.max_duration_us;
    const struct session *session;
    enum relay_reason reason;

    while (*cursor < table->n_sessions_touched && !table->sessions[*cursor].n_members)
        ++*cursor;
    if (*cursor >= table->n_sessions_touched)
        return false;
    session = &table->sessions[(*cursor)++];
    *ret = (struct relay_session_view){
        .registered_us = session->registered_us,
        .opened_us = session->opened_us,
        .active_us = session->active_us,
        .ends_us = session_ends_us(relay, session, &reason),
        .left_us = limit_us ? limit_us : UINT64_MAX,
        .n_members = session->n_members,
        .id_size = session->id_size,
    };
    if (limit_us && session->opened_us) {
        uint64_t age_us = sub_u64(now_us, session->opened_us);

        ret->left_us = age_us < limit_us ? limit_us - age_us : 0;
    }
    memcpy(ret->id, session->id, session->id_size);
    for (unsigned i = 0; i < session->n_members; i++) {
        const struct member *member = &session->members[i];

        ret->member[i] = (struct relay_member_view){
            .at = member->at,
            .asked = member->asked,
            .heard_us = member->heard_us,
            .bytes = member->bytes,
            .datagrams = member->datagrams,
            .left_bytes = member_left_bytes(relay, member),
            .ended = member->ended,
        };
    }
    return true;
}
