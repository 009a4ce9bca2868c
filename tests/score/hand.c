/* SPDX-License-Identifier: Apache-2.0 */
/* See hand.h. */
#include "hand.h"

static bool busy(const struct hand *hand, const struct conn *conn)
{
    return hand->request && hand->number == conn->number;
}

static void ask(struct world *world, struct hand *hand, const struct conn *conn)
{
    hand->number = conn->number;
    hand->request = ++world->last_request;
}

bool hand_reconnect(struct world *world, struct hand *hand, struct conn *conn, int uplink)
{
    if (busy(hand, conn))
        return false;
    ask(world, hand, conn);
    host_reconnect(world, conn, uplink, HAND_TIMEOUT_US, hand->request);
    return true;
}

bool hand_move(struct world *world, struct hand *hand, struct conn *conn, int uplink, bool close)
{
    if (!conn->client)
        return close && hand_reconnect(world, hand, conn, uplink);
    if (busy(hand, conn))
        return false;
    ask(world, hand, conn);
    host_migrate(world, conn, uplink, HAND_TIMEOUT_US, hand->request);
    return true;
}

void hand_news(struct hand hands[static PEERS], const struct news *news)
{
    for (unsigned i = 0; i < PEERS; i++)
        if (news->type == NEWS_ANSWER && hands[i].request == news->request)
            hands[i].request = 0;
}

int hand_other(const struct world *world, unsigned uplink)
{
    for (unsigned i = 0; i < world->network.n_uplinks; i++)
        if (i != uplink && network_usable(&world->network, i))
            return (int)i;
    return NO_UPLINK;
}

uint64_t hand_pto_us(const struct pd_row *row)
{
    uint64_t srtt_us = row->v[PD_SRTT_US], rttvar_us = row->v[PD_RTTVAR_US];

    if (srtt_us == PD_UNKNOWN) {
        srtt_us = INITIAL_RTT;
        rttvar_us = INITIAL_RTT / 2;
    }
    return srtt_us + max_u64(4 * rttvar_us, MS) + MAX_ACK_DELAY;
}
