/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The kit's long lists: the peers of a snapshot and the rows of all peers, asked for from the node
 * in parts, as fast as the client reads. It must not keep what it has asked for: what the client
 * has not read is bounded here, however long the list is.
 */
#include "pathdog_node_private.h"

#include <errno.h>

/* No more is asked for while so much waits to be read, nor after so much in one turn: the node has
 * other things to do. */
#define LIST_PENDING_BYTES (256u * 1024u)
#define LIST_TURN_BYTES    (1024u * 1024u)

static size_t pending_bytes(const struct pathdog_node *kit)
{
    return kit->out.len - kit->out_sent + kit->rows.len;
}

bool kit_list_is_behind(struct pathdog_node *kit)
{
    if (pending_bytes(kit) >= LIST_PENDING_BYTES)
        kit_client_flush(kit);
    return kit->client_fd < 0 || pending_bytes(kit) >= LIST_PENDING_BYTES;
}

bool kit_list_has_room(struct pathdog_node *kit)
{
    return kit->listed_bytes < LIST_TURN_BYTES && !kit_list_is_behind(kit);
}

/* One more of the list, which the node is asked for just now. */
int kit_list_take(struct pathdog_node *kit, struct list *list, uint64_t conn)
{
    if (list->active && conn <= list->after)
        return -EINVAL;
    if (!list->active || list->full || !kit_list_has_room(kit) || !list->active) {
        list->full = true;
        return -EAGAIN;
    }
    list->after = conn;
    return 0;
}

bool kit_list_covers(const struct pathdog_node *kit, uint64_t conn)
{
    return kit->peers.active && !kit->peers.inside && conn > kit->peers.after;
}

void kit_lists_stop(struct pathdog_node *kit)
{
    kit->peers.active = kit->rows_list.active = false;
}

bool kit_list_step(struct pathdog_node *kit, struct list *list)
{
    uint64_t serial = kit->client_serial;

    list->inside = true;
    list->full = false;
    if (list == &kit->peers)
        kit->ops->list_peers(kit, list->after, kit->user_data);
    else
        kit->ops->list_rows(kit, list->token, list->after, kit->user_data);
    list->inside = false;
    if (kit->client_serial != serial || list->full)
        return false;
    list->active = false;
    return true;
}
