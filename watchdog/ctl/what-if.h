/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What would have been under another configuration: the decisions of a recording, and those that
 * the other configuration makes of the same events, side by side; pure.
 *
 * The events are those of the run. What the network would have done after a move that was not made
 * then is in no recording; so what is compared is what was decided, and not what came of it. A move
 * of a peer is the same in both where it is in both within WHAT_IF_NEAR_US.
 */
#ifndef CTL_WHAT_IF_H
#define CTL_WHAT_IF_H

#include <jansson.h>
#include <stdint.h>

#define WHAT_IF_NEAR_US UINT64_C(10000000)
#define WHAT_IF_SHOWN   60u

enum what_if_side {
    WHAT_IF_WAS,
    WHAT_IF_OTHER,
};

struct what_if;

struct what_if *what_if_new(void);

/* A record of a side. Both sides together come in the order of time. */
void what_if_take(struct what_if *what_if, enum what_if_side side, const json_t *record);

/* The result (docs/control.md has its members), and frees. */
json_t *what_if_end(struct what_if *what_if);

#endif
