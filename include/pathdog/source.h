/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The other half of a trigger, where it needs one: a source owns file
 * descriptors on the loop, decodes what it reads, and emits signals to its own
 * policy. It sees no peer and decides nothing. Exported as `pathdog_source`
 * from the same shared object, in a file of its own.
 */
#ifndef PATHDOG_SOURCE_H
#define PATHDOG_SOURCE_H

#include <pathdog/trigger.h>
#include <systemd/sd-event.h>

#define PD_SOURCE_ABI 1u

/* Given to a source at start; valid until its stop has returned. */
struct pd_source_host {
    uint32_t size;
    sd_event *loop;

    /* Tell the policy. Everything is copied; it is called in a later turn,
     * never from within emit. */
    void (*emit)(struct pd_source_host *host, const struct pd_signal *signal);

    /* As pd_host.notice. */
    void (*notice)(struct pd_source_host *host, enum pd_level level, const char *what,
                   const char *text);
};

struct pd_source {
    uint32_t abi;  /* PD_SOURCE_ABI */
    uint32_t size; /* sizeof(struct pd_source) */

    /* Sets up descriptors and returns 0 with `*ret_self` filled, or a negative
     * errno, having said why by notice. Must not block. */
    int (*start)(struct pd_source_host *host, const struct pd_start *start, void **ret_self);
    void (*stop)(void *self);

    /* The policy asks. Answered, now or later, by exactly one signal that
     * carries the query's id. Must not block and must not hold the loop for
     * more than 5 ms: long lists are worked off in slices. May be NULL. */
    int (*query)(void *self, const struct pd_query *query);
};

#define PD_SOURCE(id)                                                                              \
    extern __attribute__((visibility("default"))) const struct pd_source pathdog_source;           \
    const struct pd_source pathdog_source

#endif
