/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The socket to the node, on the loop: connects, backs off, reads in slices,
 * writes what fits, closes what stands still. Never blocks, decides nothing.
 */
#ifndef NODE_LINK_H
#define NODE_LINK_H

#include <systemd/sd-event.h>

#include "../engine/engine.h"

/* More output than this that the node does not take closes the connection. */
#define LINK_OUTPUT_MAX_BYTES ((size_t)64 * 1024 * 1024)

#define LINK_BACKOFF_MIN_US UINT64_C(100000)
#define LINK_BACKOFF_MAX_US UINT64_C(2000000)
#define LINK_UNSUPPORTED_US UINT64_C(10000000) /* between attempts without a common protocol */
#define LINK_GOOD_US        UINT64_C(10000000) /* after which the back-off starts small again */
#define LINK_STALLED_US     UINT64_C(30000000) /* output pending, and nothing taken */

struct link;

struct link_config {
    const char *path;      /* of the socket; "@name": abstract, needs node_user */
    const char *node_user; /* who must serve it, name or number; NULL: anybody */
    uint64_t sample_interval_us;
    uint64_t netns;     /* inode of our own network namespace, 0: not known */
    const char *client; /* "pathdog/0.1.0" */
    uint64_t seed;      /* of the jitter */
};

struct link_handlers {
    /* Called for each event, without times, always from the loop. May call
     * link_send; must not free the link. */
    void (*event)(void *userdata, struct event *event);
    /* Also from within link_send: must only note it. */
    void (*notice)(void *userdata, enum pd_level level, const char *what, const char *text);
    void *userdata;
};

/* Everything of `config` is copied. Returns 0 or -errno: -EINVAL path too long, empty,
 * or abstract without node_user; -ENOENT no such user. */
int link_new(sd_event *loop, const struct link_config *config, const struct link_handlers *handlers,
             struct link **ret_link);
struct link *link_free(struct link *link);

/* The first attempt is made in the loop's next turn. */
int link_start(struct link *link);

void link_set_sample_interval(struct link *link, uint64_t sample_interval_us);

/* Writes requests now, as far as the socket takes them. Where the link is not
 * up they are dropped: EVENT_NODE_DOWN has been said. What is for sources is passed over. */
void link_send(struct link *link, const struct action *actions, size_t n_actions);

/* Writes more of what waits, if anything does. */
void link_push(struct link *link);

bool link_is_up(const struct link *link);        /* hello was answered */
uint32_t link_peer_uid(const struct link *link); /* UINT32_MAX: not known */

#endif
