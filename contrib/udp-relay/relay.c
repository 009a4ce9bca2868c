/* SPDX-License-Identifier: Apache-2.0 */
/* What becomes of a datagram, and the sessions as others see them. See relay.h. */
#include "message.h"
#include "relay_private.h"
#include "util/util.h"

#include <stdlib.h>

#define TICK_LOOKS 1024u

struct relay *relay_new(const struct relay_settings *settings, const uint8_t key[static 16])
{
    struct relay *relay = calloc(1, sizeof(*relay));
    uint64_t words[2];

    if (!relay)
        return NULL;
    memcpy(words, key, sizeof(words));
    relay->settings = *settings;
    relay->strangers = strangers_new(words);
    if (!relay->strangers ||
        table_init(&relay->table, settings->max_circuits * (1 + RELAY_PENDING_FACTOR), words) < 0)
        return relay_free(relay);
    return relay;
}

struct relay *relay_free(struct relay *relay)
{
    if (!relay)
        return NULL;
    table_free(&relay->table);
    strangers_free(relay->strangers);
    members_free(relay->members);
    free(relay);
    return NULL;
}

size_t relay_memory_bytes(const struct relay *relay)
{
    return sizeof(*relay) + relay->table.memory_bytes + strangers_memory_bytes();
}

/* With its two addresses and its places in the chains, of which there are two or three for each. */
size_t relay_session_bytes(void)
{
    return sizeof(struct session) + 2 * sizeof(struct host) + 12 * sizeof(uint32_t);
}

uint32_t relay_circuits(const struct relay *relay)
{
    return relay->table.n_circuits;
}

uint32_t relay_pending(const struct relay *relay)
{
    return relay->table.n_pending;
}

const struct members *relay_members(const struct relay *relay)
{
    return relay->members;
}

/* Threads may tell it out of order by a little; all that is compared later is in order. */
static uint64_t now_is(struct relay *relay, uint64_t now_us)
{
    relay->now_us = max_u64(relay->now_us, now_us);
    return relay->now_us;
}

/* What it means for those who wait for a peer is asked when they are looked at: it is no more work
 * than a look at each of them, and there may be many. */
struct members *relay_members_set(struct relay *relay, struct members *members)
{
    struct members *before = relay->members;

    relay->members = members;
    relay->list++;
    return before;
}

/* ---- datagrams ---- */

/* How many bytes of whole datagrams, from the first on, which is data, may be forwarded alike. */
static size_t forward_train(const struct relay *relay, struct member *member, const char *payload,
                            size_t size, size_t segment)
{
    uint64_t left = member_left_bytes(relay, member);
    size_t done = 0, n = 0;

    do {
        size_t length = size - done < segment ? size - done : segment;
        struct message message;

        if (length > left)
            break;
        if (n && (payload[done] == 'R' || payload[done] == 'L')) {
            message_parse(payload + done, length, &message);
            if (message.kind != MESSAGE_DATA)
                break; /* is looked at alone */
        }
        left -= left == UINT64_MAX ? 0 : length;
        done += length;
        n++;
    } while (done < size);
    member->datagrams += n;
    member->bytes += done;
    return done;
}

static size_t receive_data(struct relay *relay, uint64_t now_us, uint32_t number,
                           const void *payload, size_t size, size_t segment, struct relay_out *out)
{
    struct session *session = &relay->table.sessions[number / 2];
    struct member *member = &session->members[number % 2], *peer = &session->members[!(number % 2)];
    size_t first = segment < size ? segment : size, done;
    uint64_t before = member->datagrams;

    if (session->n_members < 2) {
        relay_count_one(relay, RELAY_COUNT_DROPPED_NO_PEER);
        return first;
    }
    if (!member->ended && first > member_left_bytes(relay, member)) {
        struct relay_event *event =
            event_add(relay, now_us, RELAY_LIMITED, RELAY_REASON_DATA, session);

        member->ended = true;
        event->member[0] = member->at;
        event->member[1] = peer->at;
        event->bytes[0] = member->bytes;
        event->bytes[1] = peer->bytes;
    }
    if (member->ended) {
        relay_count_one(relay, RELAY_COUNT_DROPPED_LIMIT);
        answer_rarely(relay, now_us, &member->told_us, out, "ERR:limit\n", first);
        return first;
    }
    done = forward_train(relay, member, payload, size, segment);
    session->active_us = now_us;
    relay->counts[RELAY_COUNT_FORWARDED_DATAGRAMS] += member->datagrams - before;
    relay->counts[RELAY_COUNT_FORWARDED_BYTES] += done;
    out->action = RELAY_FORWARD;
    out->to = peer->at;
    out->from = peer->asked;
    return done;
}

static bool is_id_of(const struct session *session, const struct message *message)
{
    return message->id_size == session->id_size &&
           !memcmp(message->id, session->id, session->id_size);
}

static size_t receive_member(struct relay *relay, uint64_t now_us, uint32_t number,
                             const struct registration *asked, const void *payload, size_t size,
                             size_t segment, struct relay_out *out)
{
    struct session *session = &relay->table.sessions[number / 2];
    struct message message;

    table_member(&relay->table, number)->heard_us = now_us;
    message_parse(payload, asked->question_size, &message);
    if (message.kind == MESSAGE_REG && is_id_of(session, &message)) {
        struct registration again = *asked;

        again.id = message.id;
        again.id_size = message.id_size;
        register_again(relay, now_us, number, &again, out);
        return asked->question_size;
    }
    if (message.kind == MESSAGE_LEASE && is_id_of(session, &message)) {
        answer_lease(relay, now_us, session, out);
        return asked->question_size;
    }
    return receive_data(relay, now_us, number, payload, size, segment, out);
}

/* Data from another port of a member's address: is it that member, behind a NAT that has moved it?
 */
static uint32_t member_behind(struct relay *relay, uint64_t now_us, const struct endpoint *from)
{
    const struct host *host = table_find_ip(&relay->table, from);
    uint32_t number;

    if (relay->settings.rebind != RELAY_REBIND_SAME_IP || !host || host->n_members != 1)
        return NONE;
    number = host->members_xor;
    if (now_us - table_member(&relay->table, number)->heard_us < RELAY_SILENT_US ||
        session_end_if_over(relay, now_us, &relay->table.sessions[number / 2]))
        return NONE;
    session_move(relay, now_us, number, from, RELAY_REASON_BY_DATA);
    return number;
}

static bool is_answer(const char *payload, size_t size)
{
    return size >= 4 && (!memcmp(payload, "ERR:", 4) || !memcmp(payload, "ACK\n", 4));
}

static void unknown(struct relay *relay, uint64_t now_us, const struct registration *asked,
                    const void *payload, struct relay_out *out)
{
    struct host *host = table_find_ip(&relay->table, asked->from);
    struct rate *rate = host ? &host->rate : strangers_rate(relay->strangers, asked->from, now_us);

    relay_count_one(relay, RELAY_COUNT_DROPPED_UNKNOWN);
    /* No answer to what is one: two relays in whose names somebody speaks would go on for ever. */
    if (!is_answer(payload, asked->question_size))
        answer_stranger(relay, now_us, &rate->unknown_us, out, "ERR:unknown\n",
                        asked->question_size);
}

size_t relay_receive(struct relay *relay, uint64_t now_us, const struct endpoint *from,
                     const struct endpoint *to, const void *payload, size_t size, size_t segment,
                     struct relay_out *out)
{
    size_t first = segment && segment < size ? segment : size;
    struct registration asked = {.from = from, .to = to, .question_size = first};
    uint32_t number = table_find_endpoint(&relay->table, from);
    struct message message;

    now_us = now_is(relay, now_us);
    out->action = RELAY_DROP;
    out->to = *from;
    out->from = *to;
    if (first > relay->settings.max_datagram_bytes) {
        relay_count_one(relay, RELAY_COUNT_DROPPED_TOO_LARGE);
        return first;
    }
    if (number != NONE && session_end_if_over(relay, now_us, &relay->table.sessions[number / 2]))
        number = NONE;
    if (number == NONE) {
        message_parse(payload, first, &message);
        if (message.kind == MESSAGE_BAD_REG) {
            relay_count_one(relay, RELAY_COUNT_DROPPED_BAD_ID);
            return first;
        }
        if (message.kind == MESSAGE_REG) {
            asked.id = message.id;
            asked.id_size = message.id_size;
            register_new(relay, now_us, &asked, out);
            return first;
        }
        number = member_behind(relay, now_us, from);
    }
    if (number == NONE) {
        unknown(relay, now_us, &asked, payload, out);
        return first;
    }
    return receive_member(relay, now_us, number, &asked, payload, size, segment ? segment : size,
                          out);
}

/* ---- time ---- */

bool relay_tick(struct relay *relay, uint64_t now_us)
{
    uint32_t n = relay->table.n_sessions_touched;

    now_us = now_is(relay, now_us);
    if (!relay->tick_left)
        relay->tick_left = n / 4 + 1;
    for (uint32_t i = 0; n && relay->tick_left && i < TICK_LOOKS; i++, relay->tick_left--) {
        struct session *session = &relay->table.sessions[relay->tick_at % n];

        relay->tick_at = (relay->tick_at + 1) % n;
        if (session->n_members)
            session_end_if_over(relay, now_us, session);
    }
    if (!n)
        relay->tick_left = 0;
    return relay->tick_left > 0;
}
