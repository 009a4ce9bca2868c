/* SPDX-License-Identifier: Apache-2.0 */
/* The mover's nftables table as a whole: set up, read back, taken away. */
#include "mover-private.h"

#include <errno.h>

#include "util/util.h"

struct writing {
    struct mover *mover;
    unsigned number;
    struct moved_flow *at;
};

static const char *uplink_next(void *user, unsigned i, uint32_t *ret_mark)
{
    struct writing *writing = user;
    const char *name = NULL;

    if (!i)
        writing->number = 0;
    while (!name && writing->number < RULES_NUMBERS_MAX)
        name = rules_interface(writing->mover->rules, ++writing->number);
    *ret_mark = rules_mark(writing->mover->rules, writing->number);
    return name;
}

static const struct flow_tuple *flow_next(void *user, const char **ret_interface)
{
    struct writing *writing = user;

    do
        writing->at = moved_next(&writing->mover->moved, writing->at);
    while (writing->at && !writing->at->wanted);
    if (!writing->at)
        return NULL;
    *ret_interface = rules_interface(writing->mover->rules, writing->at->wanted);
    return &writing->at->flow.tuple;
}

int mover_table_set_up(struct mover *mover, char *ret_error, size_t error_size)
{
    struct writing writing = {.mover = mover};
    struct buffer text = {0};
    int r;

    skeleton_write(&mover->skeleton, &text, uplink_next, flow_next, &writing);
    buffer_append(&text, "", 1);
    r = nfnl_run(mover->nfnl, buffer_bytes(&text), ret_error, error_size);
    buffer_clear(&text);
    if (r < 0)
        return r;
    mover->catching = false;
    for (struct moved_flow *flow; (flow = mover->moved.late_first);) {
        moved_late_clear(&mover->moved, flow);
        moved_drop_idle(&mover->moved, flow);
    }
    return 0;
}

int mover_table_chain(struct mover *mover, const char *interface, bool there, char *ret_error,
                      size_t error_size)
{
    struct buffer text = {0};
    int r;

    if (there)
        skeleton_chain(&mover->skeleton, &text, interface,
                       rules_mark(mover->rules, rules_number(mover->rules, interface)));
    else
        skeleton_chain_remove(&mover->skeleton, &text, interface);
    buffer_append(&text, "", 1);
    r = nfnl_run(mover->nfnl, buffer_bytes(&text), ret_error, error_size);
    buffer_clear(&text);
    return r;
}

int mover_table_remove(struct mover *mover, char *ret_error, size_t error_size)
{
    struct buffer text = {0};
    int r;

    skeleton_remove(&mover->skeleton, &text);
    buffer_append(&text, "", 1);
    r = nfnl_run(mover->nfnl, buffer_bytes(&text), ret_error, error_size);
    buffer_clear(&text);
    return r;
}

/* A flow of which the uplink is gone is left out: the host's routes have it already. */
static void flow_adopt(void *user, const struct flow_tuple *key, const char *chain)
{
    struct mover *mover = user;
    char interface[IFNAMSIZ];
    struct moved_flow *flow;

    if (!chain_interface(chain, interface) || !uplinks_find(mover->uplinks, interface, key->family))
        return;
    flow = moved_get(&mover->moved, key);
    flow->wanted = (uint8_t)rules_number(mover->rules, interface);
    moved_set_present(&mover->moved, flow, flow->wanted);
    moved_drop_idle(&mover->moved, flow);
}

/* One of our names with other types is not ours, nor is a table without our maps. */
int mover_table_adopt(struct mover *mover)
{
    const char *table = mover->settings.table;
    bool there[7] = {false};
    int r = 0;

    for (uint8_t family = 4; family <= 6; family += 2) {
        r = nfnl_has_map(mover->nfnl, table, family);
        if (r < 0)
            return r;
        there[family] = r > 0;
    }
    if (!there[4] && !there[6]) {
        r = nfnl_has_table(mover->nfnl, table);
        return r > 0 ? -EEXIST : r;
    }
    for (uint8_t family = 4; family <= 6; family += 2)
        for (int tries = 0; there[family] && tries < 5; tries++) {
            r = nfnl_list(mover->nfnl, table, family, flow_adopt, mover);
            if (r < 0 && r != -EINTR && r != -ENOENT)
                return r;
            if (r != -EINTR)
                break;
        }
    return r == -EINTR ? r : 0;
}
