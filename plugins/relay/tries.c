/* SPDX-License-Identifier: Apache-2.0 */
/* Back to the direct way: who may go back has it tried, again and again, until it has answered
 * often enough in a row. */
#include "policy.h"

#include "util/util.h"

#include <inttypes.h>
#include <stdio.h>

/* Tries that are asked for in one turn, and the time to the next ones. */
#define TRIES_MOST   64u
#define TRIES_GAP_US 100000u

void tries_begin(struct pd_turn *turn)
{
    struct relay_trigger *trigger = turn->self;

    if (trigger->timer || !trigger->direct_probe || !trigger->n_relayed)
        return;
    trigger->timer = true;
    turn->host->set_timer(turn, turn->now_us + trigger->direct_every_us);
}

/* Whose direct way may be tried. */
static bool is_tried(struct pd_turn *turn, const struct pd_peer *who, const struct relay_peer *peer)
{
    return peer->counts.relayed && !peer->counts.pinned && peer->family &&
           who->role == PD_ROLE_CLIENT && !turn->host->in_flight(turn, who->index);
}

static void ask_try(struct pd_turn *turn, const struct pd_peer *who, const struct relay_peer *peer)
{
    struct relay_trigger *trigger = turn->self;
    struct pd_address address = {.family = peer->family, .port = peer->port};
    char text[ADDRESS_TEXT_MAX];
    const struct pd_field fields[] = {
        {.name = "ask", .text = "direct"},
        {.name = "peer", .number = who->index},
        {.name = "conn", .number = who->conn},
        {.name = "address", .text = text},
    };
    const struct pd_query query = {
        .id = ++trigger->relays.query, .fields = fields, .n_fields = ARRAY_SIZE(fields)};

    memcpy(address.bytes, peer->address, sizeof(address.bytes));
    address_format(&address, text);
    turn->host->query(turn, &query);
}

void tries_turn(struct pd_turn *turn)
{
    struct relay_trigger *trigger = turn->self;
    uint32_t asked = 0;

    trigger->timer = false;
    if (!trigger->obeys)
        trigger->next_try = trigger->n_peers;
    for (; trigger->next_try < trigger->n_peers && asked < TRIES_MOST; trigger->next_try++) {
        const struct relay_peer *peer = turn->host->state(turn, trigger->next_try);
        const struct pd_peer *who = peer ? turn->host->peer(turn, trigger->next_try) : NULL;

        if (!who || !is_tried(turn, who, peer))
            continue;
        ask_try(turn, who, peer);
        asked++;
    }
    if (trigger->next_try < trigger->n_peers) {
        trigger->timer = true;
        turn->host->set_timer(turn, turn->now_us + TRIES_GAP_US);
        return;
    }
    trigger->next_try = 0;
    tries_begin(turn);
}

static int go_back(struct pd_turn *turn, const struct pd_peer *who, uint64_t rtt_ns)
{
    const struct relay_trigger *trigger = turn->self;
    const struct relay_target direct = {.rtt_ns = rtt_ns};
    struct relay_said said = {0};

    relay_say_text(&said, "rule", "cleared");
    relay_say_text(&said, "left", who->path->via);
    relay_say_number(&said, "cleared", trigger->limits.clear_after);
    relay_say_number(&said, "direct_rtt_ms", rtt_ns / 1000000);
    snprintf(said.reason, sizeof(said.reason),
             "the direct way has answered %" PRIu32 " time%s in a row, RTT %" PRIu64
             " ms: back from relay %.100s",
             trigger->limits.clear_after, trigger->limits.clear_after == 1 ? "" : "s",
             rtt_ns / 1000000, who->path->via);
    return relay_advise(turn, who->index, PD_KIND_BETTER, &said, &direct);
}

int tries_answered(struct pd_turn *turn, const struct pd_signal *signal)
{
    const struct relay_trigger *trigger = turn->self;
    uint64_t index = PD_UNKNOWN, conn = PD_UNKNOWN, rtt_ns = PD_UNKNOWN;
    const struct pd_peer *who;
    struct relay_peer *peer;

    for (size_t i = 0; i < signal->n_fields; i++) {
        const struct pd_field *field = &signal->fields[i];

        if (field->text)
            continue;
        if (!strcmp(field->name, "peer"))
            index = field->number;
        else if (!strcmp(field->name, "conn"))
            conn = field->number;
        else if (!strcmp(field->name, "rtt_ns"))
            rtt_ns = field->number;
    }
    if (index >= trigger->n_peers)
        return 0;
    peer = turn->host->state(turn, (uint32_t)index);
    who = peer ? turn->host->peer(turn, (uint32_t)index) : NULL;
    if (!who || who->conn != conn || !is_tried(turn, who, peer) ||
        !relay_tried(&peer->counts, &trigger->limits, rtt_ns != PD_UNKNOWN))
        return 0;
    peer->tried = relay_digest("direct");
    return go_back(turn, who, rtt_ns);
}
