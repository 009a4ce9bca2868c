/* SPDX-License-Identifier: Apache-2.0 */
/* A system bus of the test's own, by a real dbus-daemon. Everybody may do everything on it. */
#ifndef BUS_RIG_H
#define BUS_RIG_H

#include <stdbool.h>
#include <sys/types.h>

struct bus_rig {
    char directory[32];
    char *address, *path; /* of its socket, in the directory */
    pid_t daemon;
};

/* Makes a directory for it. Returns 0 or -1. */
int bus_rig_new(struct bus_rig *rig);
void bus_rig_free(struct bus_rig *rig);

bool bus_rig_possible(void);

/* It listens when this returns. */
void bus_rig_start(struct bus_rig *rig);

/* By a kill; the socket is gone, too. */
void bus_rig_stop(struct bus_rig *rig);

#endif
