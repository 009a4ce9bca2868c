/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keeps what the engine has learnt in the state file: at most once a second when
 * it may have changed, and at a clean stop. It only looks at the engine, in slices
 * between other events; a thread writes.
 */
#ifndef STATE_KEEPER_H
#define STATE_KEEPER_H

#include <systemd/sd-event.h>

#include "../engine/engine.h"
#include "lock.h"

struct keeper;

struct keeper_config {
    sd_event *loop;
    const char *directory;
    struct lock *lock;       /* of the directory; taken before it is written to */
    const char *kernel_boot; /* NULL: as the kernel says */
    uint64_t retry_us;       /* after a save that failed; 0: 10 s */
    void (*notice)(void *user, enum pd_level level, const char *what, const char *text);
    void *user;
};

int keeper_new(const struct keeper_config *config, struct keeper **ret_keeper);

/* Reads the file. 1: there is something to be used again, and `*ret_event` is to go
 * through the engine before anything else; what it points to is there until
 * keeper_start. 0: there is not; how the last run ended, and a file that is malformed, is
 * noticed. -errno and a sentence: it cannot be read, and must not be replaced. */
int keeper_load(struct keeper *keeper, struct event *ret_event, char **ret_error);

/* Says in the file that a run is under way, and keeps it from now on. */
void keeper_start(struct keeper *keeper, const struct engine *engine);

/* After each event, with what it led to. */
void keeper_event(struct keeper *keeper, const struct event *event, const struct outbox *outbox);

/* A clean stop: begins the last save. The engine may go then. */
void keeper_stop(struct keeper *keeper);

/* Waits for the save that is under way until that time of CLOCK_MONOTONIC. Returns 0, or the -errno
 * of the last save; -ETIMEDOUT: it goes on, and is only ended with the process. */
int keeper_wait(struct keeper *keeper, uint64_t until_us);

/* NULL is fine. Waits for a save that is under way. Returns NULL. */
struct keeper *keeper_free(struct keeper *keeper);

#endif
