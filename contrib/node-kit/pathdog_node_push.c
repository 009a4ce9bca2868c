/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows that the node sends unasked. How often they may go is kept here, so that a node may call at
 * whatever it notices: no row of a connection follows another within PATHDOG_NODE_PUSH_GAP_MS, and
 * none is added to what the client does not read.
 */
#include "pathdog_node_private.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

/* Also the number of rows that may go in PATHDOG_NODE_PUSH_GAP_MS, of all connections. */
#define PUSHES      1024u
#define PUSH_PLACES 8u /* where one of a connection may be */

static uint64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000 + (uint64_t)ts.tv_nsec / 1000000;
}

/* NULL: not yet, for this connection or because very many are pushed. */
static struct push *push_place(struct pathdog_node *kit, uint64_t conn, uint64_t now)
{
    struct push *found = NULL;

    for (uint64_t i = 0; i < PUSH_PLACES; i++) {
        struct push *p = &kit->pushes[(conn + i) % PUSHES];
        bool recent = p->conn && now - p->at_ms < PATHDOG_NODE_PUSH_GAP_MS;

        if (recent && p->conn == conn)
            return NULL;
        if (!recent && !found)
            found = p;
    }
    return found;
}

int pathdog_node_push(struct pathdog_node *kit, const uint64_t row[PATHDOG_NODE_N_COLUMNS])
{
    uint64_t conn = row[PATHDOG_NODE_CONN], now = now_ms();
    struct push *place;
    int r;

    if (conn < 1 || conn > PATHDOG_NODE_CONN_MAX)
        return -EINVAL;
    /* one that the snapshot will come to is not known to pathdog yet */
    if (!(kit->features & PATHDOG_NODE_PUSH) || !kit->subscribed || kit_list_covers(kit, conn))
        return 0;
    if (!kit->pushes)
        kit->pushes = calloc(PUSHES, sizeof(*kit->pushes));
    if (!kit->pushes)
        return -ENOMEM;
    place = push_place(kit, conn, now);
    if (!place || kit_list_is_behind(kit))
        return -EAGAIN;
    pathdog_node_summary_done(kit, 0); /* no line has two rows of one connection */
    r = pathdog_node_row(kit, 0, row);
    if (r < 0)
        return r;
    *place = (struct push){conn, now};
    pathdog_node_summary_done(kit, 0);
    return 1;
}
