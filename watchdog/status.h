/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What systemd is told: ready, and in one line how the node and its peers are.
 * At most once a second, so that a flood of peers is not a flood of messages.
 */
#ifndef STATUS_H
#define STATUS_H

#include "engine/engine.h"
#include "supervisor.h"

struct status;

/* `supervisor` is borrowed. */
struct status *status_new(const char *node_path, struct supervisor *supervisor);

/* READY=1, with the first status. */
void status_ready(struct status *status);

/* After each event: tells what has changed. */
void status_event(struct status *status, const struct engine *engine, const struct event *event);

/* NULL is fine. Returns NULL. */
struct status *status_free(struct status *status);

#endif
