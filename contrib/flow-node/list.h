/* SPDX-License-Identifier: Apache-2.0 */
/* flow-node --list. */
#ifndef FLOW_NODE_LIST_H
#define FLOW_NODE_LIST_H

#include <stdio.h>

#include "options.h"

/* Prints the flows that would be told, as a table. Returns 0, or -errno and a sentence, to be
 * freed.
 */
int list_print(const struct options *options, FILE *out, char **ret_error);

#endif
