/* SPDX-License-Identifier: Apache-2.0 */
/*
 * May a flow be moved at all? Not one that goes into a VPN or to a network of its own: there the
 * routes have said where it belongs, and on an uplink it would leave the VPN.
 */
#ifndef FLOW_NODE_MOVABLE_H
#define FLOW_NODE_MOVABLE_H

#include "flows.h"
#include "mover.h"
#include "options.h"
#include "owner.h"

/* True: it may be, and `*ret_route` says where the routes lead it. False, with the reason: it is
 * left alone. Where the kernel does not say, `*ret_error` is -errno, else 0. */
bool flow_is_movable(struct owners *owners, const struct mover *mover, const struct flow *flow,
                     struct owner_route *ret_route, char *ret_why, size_t why_size, int *ret_error);

struct mover_settings options_mover(const struct options *options);

#endif
