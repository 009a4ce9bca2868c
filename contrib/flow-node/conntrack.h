/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks the kernel's conntrack: all flows to the ports of the settings, piece by piece, or some by
 * their tuples, at once. Nothing is taken from events, so none can be lost, and a flood of flows
 * makes no work but what is asked for.
 */
#ifndef FLOW_NODE_CONNTRACK_H
#define FLOW_NODE_CONNTRACK_H

#include <stddef.h>

#include "flows.h"

struct conntrack;

/* What is missing or forbidden is written to `ret_error`. */
int conntrack_new(const struct flow_settings *settings, struct conntrack **ret, char *ret_error,
                  size_t error_size);
struct conntrack *conntrack_free(struct conntrack *conntrack);

/* Readable while a dump is under way. */
int conntrack_fd(const struct conntrack *conntrack);
/* Begins a dump of all; nothing where one is under way. Returns 0 or -errno. */
int conntrack_dump(struct conntrack *conntrack);
bool conntrack_is_dumping(const struct conntrack *conntrack);
/* Takes what is there of the dump, at most for some milliseconds. Returns 1 when it is complete, 0
 * when more is to come, -errno: it was given up, begin another one. `*ret_whole`, at 1: nothing
 * changed so much meanwhile that some may be missing. */
int conntrack_process(struct conntrack *conntrack,
                      void (*entry)(const struct flow_entry *entry, void *user), void *user,
                      bool *ret_whole);

/* Asks for these, and waits for the kernel's answers; `entry` is NULL where there is none. Returns
 * 0 or -errno. */
int conntrack_get(struct conntrack *conntrack, const struct flow_tuple *tuples, size_t n,
                  void (*entry)(size_t i, const struct flow_entry *entry, void *user), void *user);

/* How many entries the table has, and may have. */
int conntrack_count(struct conntrack *conntrack, uint32_t *ret_count, uint32_t *ret_most);

#endif
