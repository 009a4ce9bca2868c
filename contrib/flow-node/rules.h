/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Policy routing for the moved flows: each uplink has a number, and by it a mark, a routing table
 * with its default route, and for each family a rule from the mark to the table. Before them
 * stands one rule for each family by which specific routes of table main still win:
 *
 *   900: not from all fwmark 0/0x1f000000 lookup main suppress_prefixlength 0 proto 177
 *   901: from all fwmark 0x1000000/0x1f000000 lookup 7001 proto 177
 *
 * All of it has a routing protocol number of its own, by which it is found again. Compares what
 * there is with what there should be and says which steps lead there; what others made is never a
 * step. Pure.
 */
#ifndef FLOW_NODE_RULES_H
#define FLOW_NODE_RULES_H

#include "uplinks.h"

#define RULES_NUMBERS_MAX 255u

struct rules_settings {
    uint32_t mark_mask; /* bits that are ours, one beside the other */
    uint32_t table;     /* uplink n has table + n */
    uint32_t priority;  /* and priority + 1 */
    uint8_t protocol;
};

enum rules_step_kind { STEP_ROUTE_ADD, STEP_RULE_ADD, STEP_RULE_DELETE, STEP_ROUTE_DELETE };

struct rules_step {
    enum rules_step_kind kind;
    uint8_t family;
    uint32_t table;
    struct rtnl_hop hop;                   /* route */
    uint32_t metric;                       /* route */
    uint32_t priority, mark, mask;         /* rule */
    bool specific_first;                   /* the rule to table main */
    const struct rules_settings *settings; /* of the rules that the step is from */
};

struct rules;

/* Returns 0, or -EINVAL with a text. */
int rules_new(const struct rules_settings *settings, struct rules **ret, char *ret_error,
              size_t error_size);
struct rules *rules_free(struct rules *rules);

/* A dump of rules and of routes, of all tables. */
void rules_begin(struct rules *rules);
void rules_take(struct rules *rules, const struct rtnl_event *event);

/* After the first dump: uplinks that still have a table of ours from an earlier run keep their
 * number. `uplinks` knows the names of the interfaces. */
void rules_adopt(struct rules *rules, const struct uplinks *uplinks);

/* The number of an interface, 1 and more; a new one if it has none. 0: all are in use. */
unsigned rules_number(struct rules *rules, const char *interface);
/* NULL: not in use. */
const char *rules_interface(const struct rules *rules, unsigned number);
void rules_release(struct rules *rules, const char *interface);
uint32_t rules_mark(const struct rules *rules, unsigned number);

/* What is to be done so that every uplink with a number has its rules and routes, and nothing else
 * of ours is there. Until the next call. */
const struct rules_step *rules_plan(struct rules *rules, const struct uplinks *uplinks,
                                    size_t *ret_count);
/* The request for a step, with room for it: RULES_REQUEST_MAX bytes, aligned. */
#define RULES_REQUEST_MAX 512u
struct nlmsghdr *rules_request(const struct rules_step *step, void *buffer);

/* What others have that gets into our way, one at a time: `*at` starts at 0. False: no more. */
bool rules_clash(const struct rules *rules, size_t *at, char *ret_text, size_t size);

/* Is this news about a rule or a route of ours? */
bool rules_concerned(const struct rules *rules, const struct rtnl_event *event);

#endif
