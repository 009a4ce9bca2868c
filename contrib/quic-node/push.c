/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When pathdog is sent a row of a connection that it has not asked for: the application's data is
 * not acknowledged, the connection has become congested or is so no more, a path did not validate.
 * What is in the row, watchdog.c knows.
 */
#include "node.h"

#include <errno.h>

#define UNACKED_MIN_NS   (500 * NS_PER_MS)
#define UNACKED_PTOS     4
#define GAP_NS           (PATHDOG_NODE_PUSH_GAP_MS * NS_PER_MS)
#define CONGESTED_MAX_NS (5 * NS_PER_S) /* between changes: so seldom is no flapping */

/* So long the peer may leave data unacknowledged. */
static uint64_t patience_ns(const struct conn *c)
{
    uint64_t patience = UNACKED_PTOS * ngtcp2_conn_get_pto(c->quic);

    return patience < UNACKED_MIN_NS ? UNACKED_MIN_NS : patience;
}

static uint64_t unacked_due_ns(const struct conn *c)
{
    uint64_t since = unacked_since_ns(&c->unacked);

    if (since == UINT64_MAX)
        return UINT64_MAX;
    return c->push.unacked_gap_ns ? c->push.unacked_ns : since + patience_ns(c);
}

static uint64_t congested_due_ns(const struct conn *c)
{
    return c->push.congested == c->push.congested_reported
               ? UINT64_MAX
               : c->push.congested_ns + c->push.congested_gap_ns;
}

static bool pushes(const struct conn *c)
{
    return c->number && !c->dead && c->node->kit && c->node->options->features & PATHDOG_NODE_PUSH;
}

/* What it says is in the row. While it lasts, the gaps double. */
static void unacked_pushed(struct conn *c)
{
    uint64_t gap = c->push.unacked_gap_ns;

    c->push.unacked_gap_ns = gap ? 2 * gap : patience_ns(c);
    c->push.unacked_ns = c->node->now_ns + c->push.unacked_gap_ns;
}

/* At most rates a window is full and not full by turns. */
static void congested_pushed(struct conn *c)
{
    uint64_t gap = 2 * c->push.congested_gap_ns;

    if (c->node->now_ns - c->push.congested_ns > CONGESTED_MAX_NS || gap < GAP_NS)
        gap = GAP_NS;
    c->push.congested_gap_ns = gap < CONGESTED_MAX_NS ? gap : CONGESTED_MAX_NS;
    c->push.congested_ns = c->node->now_ns;
}

void push_check(struct conn *c)
{
    uint64_t now = c->node->now_ns, since = unacked_since_ns(&c->unacked);
    bool unacked, congested;
    int r;

    if (!pushes(c))
        return;
    if (since == UINT64_MAX || now - since < patience_ns(c))
        c->push.unacked_gap_ns = 0; /* it is over */
    c->push.congested = conn_congested(c);
    unacked = unacked_due_ns(c) <= now;
    congested = congested_due_ns(c) <= now;
    if (now < c->push.not_before_ns || !(unacked || congested || c->push.validation_failed))
        return;
    c->push.not_before_ns = now + GAP_NS;
    r = watchdog_push(c);
    if (r == -EAGAIN)
        return;
    if (r > 0)
        event(c->node, "push", "peer=%s conn=%llu why=%s unacked_ms=%llu", c->peer->name,
              (unsigned long long)c->number,
              c->push.validation_failed ? "validation"
              : unacked                 ? "unacked"
                                        : "congested",
              (unsigned long long)(since == UINT64_MAX ? 0 : (now - since) / NS_PER_MS));
    c->push.validation_failed = false;
    c->push.congested_reported = c->push.congested; /* to nobody, where nobody is there */
    if (unacked)
        unacked_pushed(c);
    if (congested)
        congested_pushed(c);
}

uint64_t push_next_ns(const struct conn *c)
{
    uint64_t unacked = unacked_due_ns(c), congested = congested_due_ns(c);
    uint64_t next = c->push.validation_failed ? 0 : unacked < congested ? unacked : congested;

    if (!pushes(c))
        return UINT64_MAX;
    return next < c->push.not_before_ns ? c->push.not_before_ns : next;
}
