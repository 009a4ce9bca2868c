/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A command that runs: its helper, its two streams, and its end, on the loop. Knows nothing of
 * messages, limits and when to start again (source.c). Never waits for the command.
 */
#ifndef EXEC_RUNNER_H
#define EXEC_RUNNER_H

#include "wire.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <systemd/sd-event.h>

/* Bytes read before other events have their turn. */
#define RUNNER_SLICE 16384u

struct runner_config {
    sd_event *loop;
    const char *helper; /* the program */
    const char *user;   /* "": none named */
    char *const *words; /* the command */
    char *const *environment;
    int input; /* a descriptor that becomes its standard input; -1: /dev/null */

    /* What the helper said. HELPER_PID comes before anything that the command wrote. */
    void (*word)(void *user, const struct helper_word *word);
    /* What the command wrote; `n` 0: it has closed the stream. */
    void (*output)(void *user, bool is_error, const char *bytes, size_t n);
    /* Nothing of it is left, and nothing more comes; the last call. It may be started again. */
    void (*gone)(void *user);
    void *callbacks_user;
};

struct runner {
    struct runner_config config;
    bool running;
    int control;
    int pidfd;
    sd_event_source *words, *end, *out, *err;
    char bytes[RUNNER_SLICE];
};

/* Returns 0 or -errno: then nothing runs. */
int runner_start(struct runner *runner, const struct runner_config *config);

/* SIGTERM, and SIGKILL after HELPER_GRACE_US. What it writes is not read until it is gone. */
void runner_stop(struct runner *runner);

/* The same, and nothing is said any more. */
void runner_close(struct runner *runner);

#endif
