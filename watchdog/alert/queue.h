/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which events are told when: one by one as long as there are tokens, then in sums. Pure; the time
 * is an argument (CLOCK_MONOTONIC). Holds at most `burst` records and one sum, whatever comes.
 */
#ifndef ALERT_QUEUE_H
#define ALERT_QUEUE_H

#include "event.h"

struct queue_config {
    uint32_t burst;
    uint64_t every_us;
};

struct queue;

struct queue *queue_new(const struct queue_config *config, uint64_t now_us);

/* What waits stays. */
void queue_configure(struct queue *queue, const struct queue_config *config, uint64_t now_us);

/* `object` is of event_object(); a reference of it is kept. */
void queue_add(struct queue *queue, enum alert_event event, json_t *object, uint64_t now_us);

/* The next that is to be told now, which the caller frees; NULL: none. Of several that had to wait
 * it is one object: `"record":"summary"`. */
json_t *queue_take(struct queue *queue, uint64_t now_us);

/* When queue_take may have something; UINT64_MAX: nothing waits. */
uint64_t queue_due_us(struct queue *queue, uint64_t now_us);

/* How many events wait. */
uint64_t queue_waiting(const struct queue *queue);

/* What waits is dropped. */
void queue_clear(struct queue *queue);

/* NULL is fine. Returns NULL. */
struct queue *queue_free(struct queue *queue);

#endif
