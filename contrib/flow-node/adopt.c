/* SPDX-License-Identifier: Apache-2.0 */
/* Flows that a process before this one moved, and left. */
#include "node_private.h"

#include <stdio.h>
#include <string.h>
#include <syslog.h>

#include "util/util.h"

struct adoption {
    struct node *node;
    struct flow_tuple *tuples;
    char (*interfaces)[IF_NAMESIZE];
    size_t n, tuples_capacity, interfaces_capacity, n_kept;
};

static void on_each(void *user, const struct flow_tuple *tuple, const char *interface)
{
    struct adoption *adoption = user;

    adoption->tuples = array_reserve(adoption->tuples, &adoption->tuples_capacity, adoption->n + 1,
                                     sizeof(*adoption->tuples));
    adoption->interfaces = array_reserve(adoption->interfaces, &adoption->interfaces_capacity,
                                         adoption->n + 1, sizeof(*adoption->interfaces));
    adoption->tuples[adoption->n] = *tuple;
    snprintf(adoption->interfaces[adoption->n++], IF_NAMESIZE, "%s", interface);
}

static void on_adopted(size_t i, const struct flow_entry *entry, void *user)
{
    struct adoption *adoption = user;
    struct node *node = adoption->node;

    if (entry && adoption->n_kept < node->settings.limit) {
        flows_adopt(node->flows, entry, adoption->interfaces[i], node->now_us);
        adoption->n_kept++;
        return;
    }
    (void)mover_set(node->mover, &adoption->tuples[i], NULL);
    node->uncommitted = true;
}

/* Those of which the kernel did not say whether they live: nobody would take them away later. */
static void adopt_none(struct adoption *adoption, int r)
{
    struct node *node = adoption->node;

    log_line(node->log, LOG_WARNING,
             "conntrack did not say which of the %zu flows that had been moved before the start "
             "live, they go where the routes lead: %s",
             adoption->n, strerror(-r));
    for (size_t i = 0; i < adoption->n; i++)
        if (!flows_find(node->flows, &adoption->tuples[i]))
            (void)mover_set(node->mover, &adoption->tuples[i], NULL);
    node->uncommitted = true;
}

void adopt_flows(struct node *node)
{
    struct adoption adoption = {.node = node};
    int r = 0;

    mover_each(node->mover, on_each, &adoption);
    if (adoption.n)
        r = conntrack_get(node->conntrack, adoption.tuples, adoption.n, on_adopted, &adoption);
    if (r < 0)
        adopt_none(&adoption, r);
    else if (adoption.n)
        log_line(node->log, LOG_NOTICE,
                 "%zu flows had been moved before the start; %zu live, and are kept where they are",
                 adoption.n, adoption.n_kept);
    free(adoption.tuples);
    free(adoption.interfaces);
    steer_commit(node);
}
