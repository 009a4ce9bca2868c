/* SPDX-License-Identifier: Apache-2.0 */
/* The control socket: status, sessions, metrics. */
#ifndef UDP_RELAY_CONTROL_H
#define UDP_RELAY_CONTROL_H

#include "server.h"

#include <systemd/sd-event.h>

struct control;

/* What is told of the list of members; the program keeps it up to date. */
struct control_members {
    const char *path; /* NULL: none */
    size_t entries, bad;
    uint64_t taken_us; /* 0: none yet, all may register */
    char fault[160];   /* why the newest was not taken; "" */
};

/* Returns 0, or -errno and a sentence, to be freed. All that is given is borrowed. */
int control_new(sd_event *loop, struct server *server, const struct options *options,
                const struct control_members *members, struct control **ret, char **ret_error);
/* NULL is fine. Returns NULL. */
struct control *control_free(struct control *control);

#endif
