/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FLOW_NODE_FLOW_H
#define FLOW_NODE_FLOW_H

#include "flows.h"

/* What conntrack says of it now: counters, and what follows from them. */
void flow_take(struct flow *flow, const struct flow_entry *entry, uint64_t now_us);

#endif
