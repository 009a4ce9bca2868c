/* SPDX-License-Identifier: Apache-2.0 */
/* What the policies to compare with have in common. */
#ifndef SCORE_HAND_H
#define SCORE_HAND_H

#include "host.h"
#include "policy.h"

#include "util/util.h"

#define HAND_TIMEOUT_US (5 * SECOND)

/* What is asked of a connection so far: nothing else is meanwhile. */
struct hand {
    uint64_t number;  /* the connection */
    uint64_t request; /* that is open; 0: none */
};

/* Migrates what the host dialled to this uplink (NO_UPLINK: to where the route table leads); what
 * the peer dialled is left alone, or with `close` dialled anew over that uplink. Returns whether
 * something was asked. */
bool hand_move(struct world *world, struct hand *hand, struct conn *conn, int uplink, bool close);
bool hand_reconnect(struct world *world, struct hand *hand, struct conn *conn, int uplink);
/* News of an answer ends what was asked. */
void hand_news(struct hand hands[static PEERS], const struct news *news);
/* A first other uplink that the kernel can use; NO_UPLINK. */
int hand_other(const struct world *world, unsigned uplink);
/* RFC 9002: the connection's probe timeout by its row. */
uint64_t hand_pto_us(const struct pd_row *row);

#endif
