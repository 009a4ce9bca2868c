/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where a connection is to go: class first, then what is known to live, the lowest RTT, the order
 * of the file. Changes nothing.
 */
#ifndef ENGINE_CHOOSE_H
#define ENGINE_CHOOSE_H

#include "uplinks.h"

struct move;
struct reason;

struct choice {
    uint8_t from, to;    /* places + 1; `to` 0: none is named */
    bool probe;          /* `candidates` are to be asked first whether they live */
    bool no_target;      /* there is nowhere to go */
    uint64_t candidates; /* a bit for each place */
    char why[192];
};

/* False: nothing is chosen, it is as if there were no uplinks. `tried` (NULL: none) is where the
 * attempt before this one went: then no probes, it has to go on. */
bool choose_uplink(const struct engine *engine, const struct peer *peer,
                   const struct reason *reason, const struct uplink *tried, struct choice *ret);

/* An uplink that others left, and one that lives: who cannot migrate is dialled anew over that. */
bool choose_follows(const struct engine *engine, const struct peer *peer,
                    const struct choice *choice);

/* What a request and the records carry of it. The caller's reference. */
struct destination *choose_destination(struct engine *engine, const struct choice *choice);

/* A move that waited is about to be asked for: it goes elsewhere where its target cannot be used
 * any more. False: there is no sense in it without that target. */
bool choose_still(struct engine *engine, struct move *move);

/* Where the next attempt of a move goes, after one to `tried` (NULL: none was named). Returns
 * whether that is elsewhere. */
bool choose_again(struct engine *engine, struct move *move, const struct uplink *tried);

#endif
