/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs the program: each time with an object on its standard input, in an environment of its own,
 * for a limited time; what it writes is logged, line by line, within bounds. Nothing of it is left
 * when it has ended (plugins/exec/helper.c). Never waits.
 */
#ifndef ALERT_LAUNCH_H
#define ALERT_LAUNCH_H

#include <jansson.h>
#include <systemd/sd-event.h>

#include "../config/config.h"

#define LAUNCH_MOST 16u

/* Of one run, in each of its two streams. */
#define LAUNCH_LINES 20u
#define LAUNCH_BYTES ((size_t)1 << 20)

struct launcher;

struct launch_result {
    bool good; /* it ended with status 0 within its time */
    uint64_t took_us;
    const char *text; /* "/usr/bin/mail has ended with status 0 after 0.2 s" */
};

struct launcher_config {
    sd_event *loop;
    const char *control; /* of pathdog, for the program; copied */
    const char *helper;  /* pathdog-exec */
    /* One has ended, or could not be started: the last word about it. */
    void (*ended)(void *user, const json_t *object, const struct launch_result *result);
    /* A line that it wrote, which may be shown. */
    void (*line)(void *user, const char *program, const char *line);
    void *user;
};

struct launcher *launcher_new(const struct launcher_config *config);

/* What is run from now on. The texts are copied. */
void launcher_configure(struct launcher *launcher, const struct config_alert *alert,
                        const char *control);

/* How many run, and may one more? */
unsigned launcher_running(const struct launcher *launcher);
bool launcher_has_room(const struct launcher *launcher);

/* Runs it once. `object` is of event_object(), or a sum. */
void launcher_run(struct launcher *launcher, json_t *object);

/* Ends all that run; `ended` comes for each. */
void launcher_stop(struct launcher *launcher);

/* NULL is fine. Returns NULL. */
struct launcher *launcher_free(struct launcher *launcher);

#endif
