/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The scout of a group whose link got worse (fate.h): the one connection that is moved to another
 * uplink first. If its move helped, the others are decided, each by itself; if not, they stay, and
 * the group sends no scout for a while. One that does not get as far as an effect is replaced.
 */
#ifndef ENGINE_SCOUT_H
#define ENGINE_SCOUT_H

#include "fate.h"

struct group;

/* While a scout is on its way it is checked so often. */
#define SCOUT_CHECK_US UINT64_C(1000000)

/* Something of some group is to be checked or evaluated then, or earlier. */
void scout_wake(struct engine *engine, uint64_t at_us);

/* Could one of those that are pending go to another uplink? */
bool scout_possible(const struct engine *engine, const struct shared_fate *fate);

/* The busiest of those becomes the scout. If there is none, nobody is moved. */
void scout_send(struct engine *engine, struct shared_fate *fate, struct group *group);

/* Has its move helped, or failed? */
void scout_check(struct engine *engine, struct shared_fate *fate, struct group *group);
void scout_decided(struct engine *engine, struct shared_fate *fate, struct group *group,
                   uint64_t decision, enum verdict verdict);

/* The number of the group whose scout it is; 0: of none. */
uint8_t scout_group(const struct engine *engine, const struct peer *peer);

/* No scout goes for now, because the last one's move did not help. */
bool scout_cools(const struct engine *engine, const struct shared_fate *fate);

/* There is no scout any more: all that is deferred is decided so. `what` completes the record of
 * the event, if that has none yet. */
void scout_conclude(struct engine *engine, struct shared_fate *fate, struct group *group,
                    enum fate decided, const char *what);

#endif
