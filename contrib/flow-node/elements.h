/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The elements of our nftables table as netlink messages: a batch that adds and removes thousands
 * of them in one transaction, and the reading of a listing and of news. Pure. Fuzzed.
 */
#ifndef FLOW_NODE_ELEMENTS_H
#define FLOW_NODE_ELEMENTS_H

#include <linux/netlink.h>
#include <net/if.h>
#include <stddef.h>

#include "tuple.h"

enum element_set {
    SET_FLOWS,     /* the flow → the chain of its uplink */
    SET_HOLD,      /* the flow: not tracked while its conntrack entry is replaced */
    SET_LATE,      /* a packet that comes back over the old uplink → the flow's own address */
    SET_LATE_PORT, /* the same, with that address → the flow's own port, if it is another */
};

/* "flows4", "late6_port". */
const char *element_set_name(enum element_set set, uint8_t family);

/* ---- a batch ---- */

struct element_batch {
    uint8_t *data;
    size_t size, capacity;
    const char *table;
    uint32_t sequence; /* of the first message; the last has sequence + n_messages - 1 */
    uint32_t n_messages, n_elements;
    size_t message, list; /* offsets of the open message and its list; 0: none */
    uint16_t type;
    enum element_set set;
    uint8_t family;
};

/* `sequence` must not be 0. The table's name must outlive the batch. */
void element_batch_begin(struct element_batch *batch, const char *table, uint32_t sequence);
/* `chain`: of SET_FLOWS. `target`: of SET_LATE its address, and of SET_LATE_PORT its port, are the
 * element's value. Both are ignored where an element is removed. */
void element_batch_put(struct element_batch *batch, enum element_set set, bool add,
                       const struct flow_tuple *key, const char *chain,
                       const struct flow_tuple *target);
/* Of a whole set. */
void element_batch_flush(struct element_batch *batch, enum element_set set, uint8_t family);
/* A base chain that does nothing but jump to another: there at once, gone at once. */
struct element_chain {
    const char *name, *target;
    uint32_t hook;
    int32_t priority;
};
void element_batch_chain(struct element_batch *batch, const struct element_chain *chain,
                         bool there);
void element_batch_end(struct element_batch *batch);
void element_batch_done(struct element_batch *batch);

/* ---- reading ---- */

/* Does this message tell of a set that is a map as flows4 or flows6 is: from keys of that size to
 * verdicts? */
bool map_is_ours(const struct nlmsghdr *message, uint8_t family);

/* One message of the listing of flows4 or flows6: `each` for every element in it that is one.
 * Returns how many elements could not be read. */
size_t elements_read(const struct nlmsghdr *message, uint8_t family,
                     void (*each)(void *user, const struct flow_tuple *key, const char *chain),
                     void *user);

enum ruleset_news {
    RULESET_OTHER,      /* of other tables */
    RULESET_REMOVED,    /* our table, or something in it, was removed */
    RULESET_ADDED,      /* something was added to our table */
    RULESET_GENERATION, /* the end of a transaction; who made it */
};

/* `ret_program`, `ret_pid`: of RULESET_GENERATION; "" and 0 where the kernel does not say. */
enum ruleset_news ruleset_decode(const struct nlmsghdr *message, const char *table,
                                 char ret_program[static 16], uint32_t *ret_pid);

/* The name of the chain that marks for an interface, and back. A chain is named by letters, digits
 * and few others; what else is in an interface's name is written as its code. */
#define CHAIN_NAME_SIZE (4u + 4u * IFNAMSIZ)
const char *chain_name(char out[static CHAIN_NAME_SIZE], const char *interface);
/* False: not the name of such a chain. */
bool chain_interface(const char *chain, char ret_interface[static IFNAMSIZ]);

#endif
