/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A loop inside of the loop, for those who must be heard while there is much to do, and must not
 * hold it up: the control socket. The daemon looks to it whenever nothing else waits; and, where
 * it is busy for long, each few milliseconds for one, also in the middle of a turn.
 */
#ifndef ASIDE_H
#define ASIDE_H

#include <stdbool.h>
#include <systemd/sd-event.h>

struct aside;

/* Beside `loop`. Returns 0 or -errno. */
int aside_new(sd_event *loop, struct aside **ret_aside);
struct aside *aside_free(struct aside *aside);

/* Where those who are heard put their sources. */
sd_event *aside_loop(struct aside *aside);

/* There is much to do: serves what waits, if the last time is long ago. Cheap if it is not. */
void aside_turn(struct aside *aside);

/* Before `loop` waits: what is to happen at a time here wakes it. */
void aside_arm(struct aside *aside);

#endif
