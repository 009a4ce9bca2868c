/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FLOW_NODE_MOVER_PRIVATE_H
#define FLOW_NODE_MOVER_PRIVATE_H

#include "moved.h"
#include "mover.h"
#include "nfnl.h"
#include "rules.h"
#include "skeleton.h"

/* Packets that are on their way over an old uplink when a flow is moved are here within a round
 * trip, and so are the server's probes of the old path (RFC 9000, section 9.3.3). */
#define MOVER_LATE_US UINT64_C(3000000)
/* What changes all the time is looked at so often. */
#define MOVER_PAUSE_US UINT64_C(200000)

/* Of somebody who changes the table all the time so many lines are said in such a time. */
#define MOVER_SAID_MOST 10u
#define MOVER_SAID_US   UINT64_C(60000000)

struct mover {
    struct mover_settings settings;
    struct skeleton skeleton;
    struct nfnl *nfnl;
    struct uplinks *uplinks;
    struct rules *rules;
    struct moved moved;
    struct element_batch batch;

    struct moved_flow **dirty;
    size_t n_dirty, dirty_capacity;
    struct entry *entries;
    size_t entries_capacity;

    int route_fd, news_fd, timer_fd, epoll_fd;
    uint32_t route_sequence;

    bool sets_up;           /* rules, routes and the table are ours to take away */
    bool routes_due;        /* the host's links, addresses, routes, rules changed */
    bool table_due;         /* somebody removed what is ours */
    bool catching;          /* the chains that look for late and held packets are there */
    bool touched;           /* in the transaction of which the end has not come yet */
    char by[64];            /* who */
    uint64_t table_said_us; /* since when, how many were said, and not */
    unsigned n_table_said, n_table_unsaid;
    uint64_t routes_at_us, table_at_us; /* not before */

    struct uplink *known; /* as the handlers know them */
    size_t n_known, known_capacity;
    bool strict_told[RULES_NUMBERS_MAX + 1];
    uint64_t clashes[16]; /* hashes of those that were told */
    size_t n_clashes;
    char route_error_told[256], hidden_told[256];
};

/* mover-table.c: the table as a whole, with every flow where it is wanted. */
int mover_table_set_up(struct mover *mover, char *ret_error, size_t error_size);
int mover_table_chain(struct mover *mover, const char *interface, bool there, char *ret_error,
                      size_t error_size);
/* Returns 0 or -errno; -EEXIST: somebody else's table has that name. */
int mover_table_adopt(struct mover *mover);
int mover_table_remove(struct mover *mover, char *ret_error, size_t error_size);

/* mover-routes.c: reads what the host has. */
int mover_routes_read(struct mover *mover);
/* Makes rules and routes as they should be. Returns 0, or -errno with a text: as far as it went. */
int mover_routes_apply(struct mover *mover, char *ret_error, size_t error_size);
bool mover_routes_strict(const char *interface, int *ret_value);

/* mover-timer.c: whoever adds or removes a deadline calls it. */
void mover_timer_arm(struct mover *mover);

/* mover-commit.c */
void mover_late_expire(struct mover *mover, uint64_t now_us);
/* While the table was not there, moved flows went by the host's routes, and may have made entries
 * there that keep them from being masqueraded: all are looked at. */
int mover_commit_all(struct mover *mover, char *ret_error, size_t error_size);

/* mover-tell.c */
struct mover_listener {
    const struct mover_handlers *handlers;
    void *user;
};

__attribute__((format(printf, 2, 3))) void mover_notice(const struct mover_listener *listener,
                                                        const char *format, ...);
/* Once, as long as it is so; `told` keeps it. */
void mover_tell_text(const struct mover_listener *listener, char *told, size_t size,
                     const char *text);
/* Whether the kernel drops what comes back over it. */
void mover_tell_strict(struct mover *mover, const struct mover_listener *listener,
                       const struct uplink *uplink);
/* Rules and tables of somebody else that get into the way. */
void mover_tell_clashes(struct mover *mover, const struct mover_listener *listener);
/* What somebody does all the time would fill the journal: the next line has how often it was. */
__attribute__((format(printf, 4, 5))) void mover_tell_table(struct mover *mover,
                                                            const struct mover_listener *listener,
                                                            uint64_t now_us, const char *format,
                                                            ...);

#endif
