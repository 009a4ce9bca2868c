/* SPDX-License-Identifier: Apache-2.0 */
/* A queue of records, each holding what it points to. */
#include "backlog.h"

#include "../engine/base/text.h"
#include "../util/util.h"

/* More than this is given back after a storm. */
#define BACKLOG_KEPT 4096u

void backlog_push(struct backlog *backlog, const struct record *record)
{
    struct backlog_item *item;

    if (backlog->first && backlog->first + backlog->n == backlog->capacity) {
        memmove(backlog->items, backlog->items + backlog->first,
                backlog->n * sizeof(*backlog->items));
        backlog->first = 0;
    }
    backlog->items = array_reserve(backlog->items, &backlog->capacity,
                                   backlog->first + backlog->n + 1, sizeof(*backlog->items));
    item = &backlog->items[backlog->first + backlog->n++];
    item->record = *record;
    record_ref(&item->record);
    item->n_bytes = sizeof(*item) + record_bytes(&item->record);
    backlog->n_bytes += item->n_bytes;
}

const struct record *backlog_first(const struct backlog *backlog)
{
    return backlog->n ? &backlog->items[backlog->first].record : NULL;
}

void backlog_pop(struct backlog *backlog)
{
    struct backlog_item *item = &backlog->items[backlog->first++];

    backlog->n_bytes -= item->n_bytes;
    record_unref(&item->record);
    if (--backlog->n)
        return;
    backlog->first = 0;
    if (backlog->capacity > BACKLOG_KEPT)
        backlog_clear(backlog);
}

void backlog_clear(struct backlog *backlog)
{
    while (backlog->n)
        backlog_pop(backlog);
    free(backlog->items);
    *backlog = (struct backlog){0};
}
