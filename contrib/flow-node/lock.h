/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Only one flow-node in a network namespace: of two the second must not touch what the first has
 * set up, whatever its table is called, since both take the rules and routes of one protocol number
 * for theirs.
 */
#ifndef FLOW_NODE_LOCK_H
#define FLOW_NODE_LOCK_H

#include <stddef.h>

#include "log.h"

/* `*ret_fd` has the lock until it is closed; -1 where somebody who cannot be a flow-node is in its
 * place, which is logged. Returns 0; -EADDRINUSE: there is another one; or -errno; and a sentence.
 */
int lock_take(struct log *log, int *ret_fd, char *ret_error, size_t error_size);

#endif
