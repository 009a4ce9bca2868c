/* SPDX-License-Identifier: Apache-2.0 */
/* The path of a cgroup (version 2) by its number, as sockets have it. */
#ifndef FLOW_NODE_CGROUPS_H
#define FLOW_NODE_CGROUPS_H

#include <stdbool.h>
#include <stdint.h>

#define CGROUP_PATH_SIZE 1024u

struct cgroups;

struct cgroups *cgroups_new(void);
struct cgroups *cgroups_free(struct cgroups *cgroups);

/* Below the mount point, "/system.slice/nginx.service". False: it is not found. */
bool cgroups_path(struct cgroups *cgroups, uint64_t number, char ret_path[static CGROUP_PATH_SIZE]);

#endif
