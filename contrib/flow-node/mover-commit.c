/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moving flows, without losing what is under way. What the kernel does with a flow that has a
 * conntrack entry, and what follows from it:
 *
 * - NAT is decided once, by the first packet of an entry. A flow that was not masqueraded keeps its
 *   address on any uplink, where nobody takes it. A masqueraded one whose output interface changes
 *   loses its entry together with the packet that found out; on this host that packet's program
 *   gets EPERM, for which some end their connection. So a moved flow gets a new entry, and the old
 *   one is deleted by its id: an entry that is new already stays.
 * - In the time between, a packet of the flow would make an entry as the routes still are; one of
 *   the server would make one in the other direction, of which the flow's own packets are the
 *   replies, and replies are not masqueraded: the move would never work. So in that time neither
 *   is tracked: `hold` has the flow, `late` has what comes back. That takes two transactions.
 * - A forwarded flow that was masqueraded needs no hold: not tracked, it would leave with the
 *   client's own address. Its first packet after the only transaction may be dropped by the kernel.
 * - When the old uplink lives, the server sends to the old address for a round trip more. These
 *   packets have no entry; a gateway would answer them with "port unreachable". `late` gives them
 *   the flow's own address and port, without conntrack, and so they arrive: for MOVER_LATE_US.
 *   A firewall that drops what is not tracked drops them; QUIC then repeats.
 */
#include "mover-private.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <time.h>

#include <linux/netfilter.h>

#include "util/clock.h"
#include "util/util.h"

int mover_set(struct mover *mover, const struct flow_tuple *flow, const char *interface)
{
    unsigned number = 0;
    struct moved_flow *moved;

    if (flow->protocol != IPPROTO_UDP)
        return -EPROTONOSUPPORT;
    if (flow->family != 4 && flow->family != 6)
        return -EAFNOSUPPORT;
    if (interface) {
        if (!uplinks_find(mover->uplinks, interface, flow->family))
            return -ENODEV;
        number = rules_number(mover->rules, interface);
        if (!number)
            return -ENOSPC;
    }
    moved = number ? moved_get(&mover->moved, flow) : moved_find(&mover->moved, flow);
    if (!moved)
        return 0; /* not moved */
    moved->wanted = (uint8_t)number;
    if (moved->dirty)
        return 0;
    moved->dirty = true;
    mover->dirty =
        array_reserve(mover->dirty, &mover->dirty_capacity, mover->n_dirty + 1, sizeof(void *));
    mover->dirty[mover->n_dirty++] = moved;
    return 0;
}

/* Its entry has an address of the uplink already. */
static bool entry_is_right(const struct mover *mover, const struct entry *entry, uint8_t number)
{
    const char *name = rules_interface(mover->rules, number);
    const struct uplink *uplink =
        name ? uplinks_find(mover->uplinks, name, entry->flow->family) : NULL;

    return uplink &&
           uplinks_is_on(mover->uplinks, uplink->index, entry->reply.family, entry->reply.daddr);
}

static bool entry_is_held(const struct mover *mover, const struct entry *entry)
{
    return entry->found &&
           (!memcmp(entry->reply.daddr, entry->flow->saddr, sizeof(entry->reply.daddr)) ||
            uplinks_is_local(mover->uplinks, entry->flow->family, entry->flow->saddr));
}

/* Does a packet that comes back have to be led to the flow? Not where its source is not the server,
 * because somebody redirected the flow. */
static bool entry_is_late(const struct entry *entry)
{
    return entry->found && entry->reply.sport == entry->flow->dport &&
           !memcmp(entry->reply.saddr, entry->flow->daddr, sizeof(entry->reply.saddr));
}

/* After the address was put in its place. */
static struct flow_tuple late_port_key(const struct flow_tuple *late, const struct flow_tuple *flow)
{
    struct flow_tuple key = *late;

    memcpy(key.daddr, flow->saddr, sizeof(key.daddr));
    return key;
}

static void late_remove(struct mover *mover, struct moved_flow *flow)
{
    struct flow_tuple key;

    if (!flow->late)
        return;
    element_batch_put(&mover->batch, SET_LATE, false, &flow->late_key.tuple, NULL, NULL);
    if (flow->late_port) {
        key = late_port_key(&flow->late_key.tuple, &flow->flow.tuple);
        element_batch_put(&mover->batch, SET_LATE_PORT, false, &key, NULL, NULL);
    }
    moved_late_clear(&mover->moved, flow);
}

static void late_add(struct mover *mover, struct moved_flow *flow, const struct entry *entry,
                     uint64_t now_us)
{
    bool port = entry->reply.dport != entry->flow->sport;
    struct flow_tuple key;

    element_batch_put(&mover->batch, SET_LATE, true, &entry->reply, NULL, entry->flow);
    if (port) {
        key = late_port_key(&entry->reply, entry->flow);
        element_batch_put(&mover->batch, SET_LATE_PORT, true, &key, NULL, entry->flow);
    }
    moved_late_set(&mover->moved, flow, &entry->reply, port, now_us + MOVER_LATE_US);
}

/* What comes back of flows that move now; what was there of the same flows, and of others that had
 * the same key, goes. */
static void late_put(struct mover *mover, uint64_t now_us)
{
    for (size_t i = 0; i < mover->n_dirty; i++) {
        struct moved_flow *other = entry_is_late(&mover->entries[i])
                                       ? moved_late_find(&mover->moved, &mover->entries[i].reply)
                                       : NULL;

        late_remove(mover, mover->dirty[i]);
        if (!other || !other->late)
            continue;
        late_remove(mover, other);
        moved_drop_idle(&mover->moved, other);
    }
    for (size_t i = 0; i < mover->n_dirty; i++)
        if (entry_is_late(&mover->entries[i]))
            late_add(mover, mover->dirty[i], &mover->entries[i], now_us);
}

static void flows_put(struct mover *mover, bool held)
{
    char chain[CHAIN_NAME_SIZE];

    for (size_t i = 0; i < mover->n_dirty; i++) {
        struct moved_flow *flow = mover->dirty[i];

        if (entry_is_held(mover, &mover->entries[i]) == held && flow->present &&
            flow->present != flow->wanted)
            element_batch_put(&mover->batch, SET_FLOWS, false, &flow->flow.tuple, NULL, NULL);
    }
    for (size_t i = 0; i < mover->n_dirty; i++) {
        struct moved_flow *flow = mover->dirty[i];

        if (entry_is_held(mover, &mover->entries[i]) == held && flow->wanted &&
            flow->present != flow->wanted)
            element_batch_put(&mover->batch, SET_FLOWS, true, &flow->flow.tuple,
                              chain_name(chain, rules_interface(mover->rules, flow->wanted)), NULL);
    }
}

static size_t hold_put(struct mover *mover, bool add)
{
    size_t n_held = 0;

    for (size_t i = 0; i < mover->n_dirty; i++) {
        if (!entry_is_held(mover, &mover->entries[i]))
            continue;
        element_batch_put(&mover->batch, SET_HOLD, add, mover->entries[i].flow, NULL, NULL);
        n_held++;
    }
    return n_held;
}

/* The chains that look for what comes late and for what is held cost every packet, and are there
 * only while there is something to find. */
static void catch_put(struct mover *mover, bool wanted)
{
    static const struct element_chain chains[] = {
        {"late", "late_look", NF_INET_PRE_ROUTING, -310},
        {"hold", "hold_look", NF_INET_LOCAL_OUT, -310},
    };

    if (mover->catching == wanted)
        return;
    for (size_t i = 0; i < ARRAY_SIZE(chains); i++)
        element_batch_chain(&mover->batch, &chains[i], wanted);
    mover->catching = wanted;
}

static int batch_do(struct mover *mover)
{
    element_batch_end(&mover->batch);
    return nfnl_batch(mover->nfnl, &mover->batch);
}

static void batch_start(struct mover *mover)
{
    element_batch_begin(&mover->batch, mover->settings.table, nfnl_sequence(mover->nfnl));
}

static int entries_find(struct mover *mover)
{
    int r;

    mover->entries = array_reserve(mover->entries, &mover->entries_capacity, mover->n_dirty,
                                   sizeof(*mover->entries));
    for (size_t i = 0; i < mover->n_dirty; i++)
        mover->entries[i] = (struct entry){.flow = &mover->dirty[i]->flow.tuple};
    r = nfnl_entries_get(mover->nfnl, mover->entries, mover->n_dirty);
    /* An entry that is right stays, and gets the mark by which its packets are looked for. */
    for (size_t i = 0; i < mover->n_dirty && r >= 0; i++) {
        struct entry *entry = &mover->entries[i];

        if (!entry->found || !entry_is_right(mover, entry, mover->dirty[i]->wanted))
            continue;
        if (~entry->mark & mover->settings.mark_mask)
            r = nfnl_entries_mark(mover->nfnl, entry, 1, mover->settings.mark_mask);
        entry->found = false;
    }
    return r;
}

/* The transactions. The table as a whole stands in for them where somebody took something of it
 * away. */
static int move(struct mover *mover, char *ret_error, size_t error_size)
{
    size_t n_held;
    int r;

    batch_start(mover);
    late_put(mover, clock_us(CLOCK_MONOTONIC));
    n_held = hold_put(mover, true);
    if (n_held || mover->moved.late_first)
        catch_put(mover, true);
    flows_put(mover, false);
    r = batch_do(mover);
    if (r >= 0)
        r = nfnl_entries_delete(mover->nfnl, mover->entries, mover->n_dirty);
    if (r >= 0 && n_held) {
        batch_start(mover);
        flows_put(mover, true);
        hold_put(mover, false);
        r = batch_do(mover);
    }
    if (r >= 0)
        return 0;
    r = mover_table_set_up(mover, ret_error, error_size);
    if (r >= 0)
        r = nfnl_entries_delete(mover->nfnl, mover->entries, mover->n_dirty);
    else
        mover->table_due = true; /* what is there now, nobody knows */
    return r;
}

static void table_set_up_later(struct mover *mover)
{
    mover->table_due = true;
    mover->table_at_us = clock_us(CLOCK_MONOTONIC) + MOVER_PAUSE_US;
}

int mover_commit(struct mover *mover, char *ret_error, size_t error_size)
{
    int r;

    if (!mover->n_dirty)
        return 0;
    r = entries_find(mover);
    if (r >= 0)
        r = move(mover, ret_error, error_size);
    else
        snprintf(ret_error, error_size, "conntrack: %s", strerror(-r));
    for (size_t i = 0; i < mover->n_dirty; i++) {
        struct moved_flow *flow = mover->dirty[i];

        /* What is to leave the table does so with its next set-up. */
        if (r < 0 && flow->present && !flow->wanted)
            table_set_up_later(mover);
        if (r >= 0 || !flow->wanted)
            moved_set_present(&mover->moved, flow, flow->wanted);
        else
            flow->wanted = flow->present;
        flow->dirty = false;
    }
    for (size_t i = 0; i < mover->n_dirty; i++)
        moved_drop_idle(&mover->moved, mover->dirty[i]);
    mover->n_dirty = 0;
    mover_timer_arm(mover);
    return r;
}

void mover_late_expire(struct mover *mover, uint64_t now_us)
{
    struct moved_flow *flow = mover->moved.late_first;

    if (!flow || flow->late_until_us > now_us)
        return;
    batch_start(mover);
    while ((flow = mover->moved.late_first) && flow->late_until_us <= now_us) {
        late_remove(mover, flow);
        moved_drop_idle(&mover->moved, flow);
    }
    if (!flow)
        catch_put(mover, false);
    if (batch_do(mover) < 0)
        mover->table_due = true;
}

int mover_commit_all(struct mover *mover, char *ret_error, size_t error_size)
{
    for (struct moved_flow *flow = moved_next(&mover->moved, NULL); flow;
         flow = moved_next(&mover->moved, flow))
        if (flow->present)
            mover_set(mover, &flow->flow.tuple, rules_interface(mover->rules, flow->present));
    return mover_commit(mover, ret_error, error_size);
}
