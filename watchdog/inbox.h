/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Events that come up while another one is being dispatched (a source emits, a
 * sink has lost something): copied, kept in order, bounded. Pure.
 */
#ifndef INBOX_H
#define INBOX_H

#include <pathdog/trigger.h>

#include "engine/event.h"

#define INBOX_MAX_EVENTS 65536u
#define INBOX_MAX_BYTES  ((size_t)64 << 20)

struct inbox;

struct inbox *inbox_new(void);
struct inbox *inbox_free(struct inbox *inbox);

/* Copies everything. What does not fit is counted. */
void inbox_signal(struct inbox *inbox, const char *instance, const struct pd_signal *signal);
void inbox_notice(struct inbox *inbox, enum pd_level level, const char *what, const char *text,
                  uint64_t count);

bool inbox_is_empty(const struct inbox *inbox);

/* The oldest event, without times; NULL: none. Valid until the next take. What
 * was lost is told first, as a notice. */
struct event *inbox_take(struct inbox *inbox);

#endif
