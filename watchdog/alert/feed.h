/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The connection to pathdog's control socket, on the loop: follows all records, looks up those that
 * were missed in a break, and asks `status` again and again. Where the connection ends, or nothing
 * is answered, it is made anew. Never waits.
 */
#ifndef ALERT_FEED_H
#define ALERT_FEED_H

#include <systemd/sd-event.h>

#include "position.h"

struct feed;

struct feed_config {
    sd_event *loop;
    const char *path; /* of the socket; copied */
    uint64_t check_us;
    struct position *position; /* outlives the feed */

    void (*record)(void *user, const json_t *record);
    void (*status)(void *user, const json_t *status);
    /* The connection is there, to this run; and it is lost, or could not be made. */
    void (*up)(void *user, const char *run, size_t n_missed, bool some_lost);
    void (*down)(void *user, const char *reason);
    void *user;
};

/* Returns 0 or -errno. */
int feed_new(const struct feed_config *config, struct feed **ret_feed);

/* Also another path: then the connection is made anew. */
int feed_configure(struct feed *feed, const char *path, uint64_t check_us);

/* NULL is fine. Returns NULL. */
struct feed *feed_free(struct feed *feed);

#endif
