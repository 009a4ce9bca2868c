/* SPDX-License-Identifier: Apache-2.0 */
/* Why the node's socket cannot be connected to, in words for an operator, with what to do. */
#ifndef NODE_ACCESS_H
#define NODE_ACCESS_H

#include <stddef.h>

/* Fills `reason` after connect(2) to `path` failed with `error` (positive). `path` as in the
 * configuration, "@name" for an abstract one; `unit` is the unit of systemd that this process
 * runs in, NULL where it is not one of pathdog's. Looks at the file system and at who this
 * process is; needs no right. */
void access_explain(const char *path, int error, const char *unit, char *reason, size_t size);

#endif
