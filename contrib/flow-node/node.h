/* SPDX-License-Identifier: Apache-2.0 */
/* The node: flows told to pathdog, and moved as it asks. All of it runs in the thread that calls.
 */
#ifndef FLOW_NODE_NODE_H
#define FLOW_NODE_NODE_H

#include "log.h"

struct node;

/* Returns 0, or -errno and a sentence, to be freed. Takes over what a process before this one has
 * left in the kernel. */
int node_new(const struct options *options, struct log *log, uint64_t now_us, struct node **ret,
             char **ret_error);
/* Every flow goes where the routes lead it; nothing is left in the kernel. */
struct node *node_free(struct node *node);

/* To be polled for reading, whichever is readable: node_process(). */
#define NODE_FDS 3u
void node_fds(const struct node *node, int ret_fds[static NODE_FDS]);

/* Does what is to be done. Returns 0 or -errno; `*ret_next_us`: call again then at the latest. */
int node_process(struct node *node, uint64_t now_us, uint64_t *ret_next_us);

#endif
