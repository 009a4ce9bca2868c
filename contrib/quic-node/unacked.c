/* SPDX-License-Identifier: Apache-2.0 */
/* See unacked.h. */
#include "unacked.h"

#include <stddef.h>
#include <string.h>

/* Writes so close to each other count as one. */
#define TOGETHER_NS UINT64_C(1000000)

/* Those that lie close together become one, with the older time: nothing looks older by more than
 * a part of the time since the oldest. */
static void make_room(struct unacked *u)
{
    uint64_t grain = (u->writes[u->n - 1].first_ns - u->writes[0].first_ns) / (UNACKED_WRITES / 2);
    unsigned n = 1;

    for (unsigned i = 1; i < u->n; i++) {
        struct unacked_write *to = &u->writes[n - 1], w = u->writes[i];

        if (w.first_ns - to->first_ns >= grain && n < UNACKED_WRITES / 2) {
            u->writes[n++] = w;
        } else {
            to->end = w.end;
            to->bytes += w.bytes;
        }
    }
    u->n = n;
}

void unacked_sent(struct unacked *u, uint64_t end, uint64_t bytes, uint64_t now_ns)
{
    struct unacked_write *last = u->n ? &u->writes[u->n - 1] : NULL;

    u->bytes += bytes;
    if (last && last->end == end - bytes && now_ns - last->first_ns < TOGETHER_NS) {
        last->end = end;
        last->bytes += bytes;
        return;
    }
    if (u->n == UNACKED_WRITES)
        make_room(u);
    u->writes[u->n++] = (struct unacked_write){end - bytes, end, bytes, now_ns};
}

/* Returns whether all of it is acknowledged. */
static int write_acked(struct unacked *u, struct unacked_write *w, uint64_t upto)
{
    uint64_t bytes = w->bytes;

    if (upto < w->end && upto < w->start + bytes)
        bytes = upto > w->start ? upto - w->start : 0;
    if (upto > w->start)
        w->start = upto;
    w->bytes -= bytes;
    u->bytes -= bytes;
    u->acked += bytes;
    return w->bytes == 0;
}

void unacked_acked(struct unacked *u, uint64_t upto)
{
    unsigned done = 0;

    while (done < u->n && write_acked(u, &u->writes[done], upto))
        done++;
    u->n -= done;
    memmove(u->writes, u->writes + done, u->n * sizeof(u->writes[0]));
}

uint64_t unacked_since_ns(const struct unacked *u)
{
    return u->n ? u->writes[0].first_ns : UINT64_MAX;
}
