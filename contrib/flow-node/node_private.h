/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of the node share: node.c calls adopt.c and sample.c, these steer.c, that tell.c.
 */
#ifndef FLOW_NODE_NODE_PRIVATE_H
#define FLOW_NODE_NODE_PRIVATE_H

#include <sys/types.h>

#include "conntrack.h"
#include "log.h"
#include "mover.h"
#include "owner.h"
#include "pathdog_node.h"
#include "wanted.h"

struct node {
    const struct options *options;
    struct flow_settings settings; /* of the options, with the key */
    struct log *log;
    struct wanted wanted;
    struct pathdog_node *kit;
    struct flows *flows;
    struct moves *moves;
    struct conntrack *conntrack;
    struct owners *owners;
    struct mover *mover;
    int lock_fd;
    uint64_t now_us;
    size_t n_moving;  /* flows with a move under way */
    bool uncommitted; /* the mover has collected something */
    /* sample.c's: when what is due, and what it cost. */
    uint64_t told_next_us, moving_next_us, dump_next_us, health_next_us;
    uint64_t told_cost_us, dump_cost_us, dump_begun_us;
    bool dump_is_sample;                      /* nobody samples the told ones but the dump */
    uint64_t warned_full_us, warned_limit_us; /* 0: never */
    uint64_t warned_over_limit;               /* as many had been left out */
    bool warned_uncounted, warned_timestamps, warned_owner;
    int warned_conntrack;
};

/* ---- tell.c: what pathdog is told ---- */

/* As list_peers wants it: -EAGAIN where the kit takes no more. */
int tell_up(struct node *node, const struct flow *flow);
void tell_down(struct node *node, const struct flow *flow, const char *reason);
/* It goes another way, or is seen at another address. */
void tell_path(struct node *node, const struct flow *flow);
int tell_row(struct node *node, pathdog_node_token token, const struct flow *flow);
/* It is unanswered: unasked, with doubling gaps. */
void tell_unanswered(struct node *node, struct flow *flow);
/* "192.0.2.1:57126": where the flow is sent from, as the server sees it. */
const char *tell_local(char out[static TUPLE_END_SIZE], const struct flow *flow);

/* ---- steer.c: moves ---- */

/* May it be moved at all? */
bool steer_may(struct node *node, const struct flow *flow);
void steer_migrate(struct node *node, pathdog_node_token token,
                   const struct pathdog_node_migrate *request);
void steer_cancel(struct node *node, pathdog_node_token token);
/* After each sample of one with a move under way, and when its time is over. */
void steer_look(struct node *node, struct flow *flow);
/* It has ended: its element goes, and a move of it ends. */
void steer_forget(struct node *node, struct flow *flow);
/* One transaction of all that was collected. */
void steer_commit(struct node *node);
/* The kernel has news for the mover. */
void steer_process(struct node *node);

/* ---- adopt.c: what a process before this one moved, and left ---- */

void adopt_flows(struct node *node);

/* ---- sample.c: what conntrack shows ---- */

/* These, now; those that are no flows any more are left out of `conns`' rows. */
void sample_conns(struct node *node, const uint64_t *conns, size_t n);
/* The dump has something. */
void sample_process(struct node *node);
/* What is due. Returns when the next is. */
uint64_t sample_tick(struct node *node);

#endif
