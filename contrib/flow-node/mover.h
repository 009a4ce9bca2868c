/* SPDX-License-Identifier: Apache-2.0 */
#ifndef FLOW_NODE_MOVER_H
#define FLOW_NODE_MOVER_H

#include <net/if.h>
#include <stddef.h>

#include "tuple.h"

struct mover;

struct mover_settings {
    const char *table;
    uint32_t mark_mask, route_table, rule_priority;
    const char *const *uplinks;
    size_t n_uplinks;
};

struct uplink {
    char name[IF_NAMESIZE];
    uint8_t family;
    uint8_t address[16], gateway[16];
};

struct mover_handlers {
    void (*lost)(const struct flow_tuple *tuple, const char *interface, void *user);
    void (*uplink)(const struct uplink *uplink, bool there, void *user);
    void (*notice)(const char *text, void *user);
};

int mover_new(const struct mover_settings *settings, struct mover **ret, char *ret_error,
              size_t error_size);
struct mover *mover_free(struct mover *mover);
int mover_set(struct mover *mover, const struct flow_tuple *tuple, const char *interface);
int mover_commit(struct mover *mover, char *ret_error, size_t error_size);
int mover_fd(const struct mover *mover);
int mover_process(struct mover *mover, const struct mover_handlers *handlers, void *user);
int mover_each(struct mover *mover,
               void (*function)(const struct flow_tuple *tuple, const char *interface, void *user),
               void *user);
bool mover_uplink(const struct mover *mover, const char *interface, uint8_t family,
                  struct uplink *ret);

#endif
