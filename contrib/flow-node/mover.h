/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moves flows of other programs from uplink to uplink: by an nftables table of its own, rules of
 * policy routing, and a new conntrack entry for each moved flow. Touches nothing else.
 */
#ifndef FLOW_NODE_MOVER_H
#define FLOW_NODE_MOVER_H

#include "tuple.h"
#include "uplinks.h"

struct mover;

struct mover_settings {
    const char *table;          /* nftables, family inet */
    uint32_t mark_mask;         /* bits of the packets' mark that are ours, side by side */
    uint32_t route_table;       /* uplink n has table route_table + n */
    uint32_t rule_priority;     /* and rule_priority + 1 */
    uint8_t protocol;           /* routing protocol number of our routes and rules */
    const char *const *uplinks; /* NULL, 0: every interface with a default route */
    size_t n_uplinks;
};

/* What is used where nothing else is set. */
#define MOVER_TABLE         "pathdog_flows"
#define MOVER_MARK_MASK     UINT32_C(0x1f000000)
#define MOVER_ROUTE_TABLE   UINT32_C(7000)
#define MOVER_RULE_PRIORITY UINT32_C(900)
#define MOVER_PROTOCOL      177

struct mover_handlers {
    /* The uplink that this flow was moved to is no uplink any more. The flow is back at the
     * routes. */
    void (*lost)(void *user, const struct flow_tuple *flow, const char *interface);
    /* An uplink came, changed, or (`there` false) went. */
    void (*uplink)(void *user, const struct uplink *uplink, bool there);
    /* Something for the log: somebody removed the table, and it was set up again; what others have
     * that gets into the way; a setting by which moves will not work. */
    void (*notice)(void *user, const char *text);
};

/* Sets up the table and the rules, and takes over what an earlier run left: mover_each tells it.
 * The settings' texts must outlive it. What it notices is told by the first mover_process. Returns
 * 0, or -errno with a text. */
int mover_new(const struct mover_settings *settings, struct mover **ret, char *ret_error,
              size_t error_size);

/* The same without setting anything up: only to ask what is known. */
int mover_look(const struct mover_settings *settings, struct mover **ret, char *ret_error,
               size_t error_size);

/* Puts all flows back to the routes and takes everything away. NULL is fine. Returns NULL. */
struct mover *mover_free(struct mover *mover);

/* From the next mover_commit on this flow uses the uplink; NULL: the host's routes, also for a flow
 * that ended. The same uplink again: its conntrack entry is looked at again. Returns 0, -ENODEV: no
 * such uplink for this family, -EPROTONOSUPPORT: not UDP. */
int mover_set(struct mover *mover, const struct flow_tuple *flow, const char *interface);

/* Does all that was set, in one transaction, or in two where packets would get lost between.
 * Returns 0, or -errno with a text: then flows that were to be moved are where they were, and the
 * others go back to the routes as soon as that can be done. */
int mover_commit(struct mover *mover, char *ret_error, size_t error_size);

/* Readable: call mover_process. */
int mover_fd(const struct mover *mover);
/* News of the kernel, and what is due. Returns 0 or -errno. */
int mover_process(struct mover *mover, const struct mover_handlers *handlers, void *user);

/* Every flow that is moved. The function must not call the mover. */
void mover_each(const struct mover *mover,
                void (*each)(void *user, const struct flow_tuple *flow, const char *interface),
                void *user);
size_t mover_count(const struct mover *mover);
/* The uplink that a flow is moved to; NULL: it goes where the routes lead. */
const char *mover_where(const struct mover *mover, const struct flow_tuple *flow);

/* False: no such uplink. */
bool mover_uplink(const struct mover *mover, const char *interface, uint8_t family,
                  struct uplink *ret);
/* All of them, by name and family, until the next mover_process. */
const struct uplink *mover_uplinks(const struct mover *mover, size_t *ret_count);
/* Is it an address of this interface; of this host? */
bool mover_is_on(const struct mover *mover, const char *interface, uint8_t family,
                 const uint8_t address[static 16]);
bool mover_is_local(const struct mover *mover, uint8_t family, const uint8_t address[static 16]);

#endif
