/* SPDX-License-Identifier: Apache-2.0 */
/* Which connection a datagram on the listening socket belongs to: by connection id. */
#include "node.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Ids are random bytes of our own making, except the first, which a client made up. */
static struct cid_entry **bucket(struct node *node, const uint8_t *data, size_t len)
{
    uint32_t hash = 2166136261u;

    for (size_t i = 0; i < len; i++)
        hash = (hash ^ data[i]) * 16777619u;
    return &node->cids[hash % NODE_CID_BUCKETS];
}

int cid_add(struct node *node, const ngtcp2_cid *cid, struct conn *c)
{
    struct cid_entry **b = bucket(node, cid->data, cid->datalen), *e = malloc(sizeof(*e));

    if (!e)
        return -ENOMEM;
    *e = (struct cid_entry){.next = *b, .cid = *cid, .conn = c};
    *b = e;
    return 0;
}

void cid_remove(struct node *node, const ngtcp2_cid *cid)
{
    for (struct cid_entry **e = bucket(node, cid->data, cid->datalen); *e; e = &(*e)->next)
        if (ngtcp2_cid_eq(&(*e)->cid, cid)) {
            struct cid_entry *gone = *e;

            *e = gone->next;
            free(gone);
            return;
        }
}

void cid_remove_all(struct conn *c)
{
    for (size_t i = 0; i < NODE_CID_BUCKETS; i++)
        for (struct cid_entry **e = &c->node->cids[i]; *e;) {
            struct cid_entry *entry = *e;

            if (entry->conn == c) {
                *e = entry->next;
                free(entry);
            } else {
                e = &entry->next;
            }
        }
}

struct conn *cid_find(struct node *node, const uint8_t *data, size_t len)
{
    for (struct cid_entry *e = *bucket(node, data, len); e; e = e->next)
        if (e->cid.datalen == len && memcmp(e->cid.data, data, len) == 0)
            return e->conn;
    return NULL;
}
