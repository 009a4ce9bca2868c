/* SPDX-License-Identifier: Apache-2.0 */
/* A queue of records, each holding what it points to. */
#include "backlog.h"

#include "../engine/base/text.h"
#include "../util/util.h"

/* More than this is given back after a storm. */
#define BACKLOG_KEPT 4096u

void backlog_push(struct backlog *backlog, const struct record *record)
{
    struct record *copy;

    if (backlog->first && backlog->first + backlog->n == backlog->capacity) {
        memmove(backlog->records, backlog->records + backlog->first,
                backlog->n * sizeof(*backlog->records));
        backlog->first = 0;
    }
    backlog->records = array_reserve(backlog->records, &backlog->capacity,
                                     backlog->first + backlog->n + 1, sizeof(*backlog->records));
    copy = &backlog->records[backlog->first + backlog->n++];
    *copy = *record;
    record_ref(copy);
}

const struct record *backlog_first(const struct backlog *backlog)
{
    return backlog->n ? &backlog->records[backlog->first] : NULL;
}

void backlog_pop(struct backlog *backlog)
{
    record_unref(&backlog->records[backlog->first]);
    backlog->first++;
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
    free(backlog->records);
    *backlog = (struct backlog){0};
}
