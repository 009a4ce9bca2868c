/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The control socket: operators ask and command, in lines of JSON-RPC 2.0
 * (docs/control.md). What changes the engine goes in as an event, so that it is
 * recorded and replays; the rest are questions to engine/inspect.h. No client
 * can make the daemon wait, nor make it keep more than a bounded amount.
 */
#ifndef CONTROL_H
#define CONTROL_H

#include <systemd/sd-event.h>

#include "../config/config.h"
#include "../engine/engine.h"

struct control;

struct control_host {
    sd_event *loop;
    const struct engine *engine; /* outlives the control socket */
    const char *run;             /* borrowed */
    const char *version;
    const struct config *(*config)(void *user); /* the present one */
    /* Is the engine in the middle of a turn, so that questions may be answered but nothing be
     * dispatched? NULL: never. */
    bool (*busy)(void *user);
    void (*dispatch)(void *user, struct event *event);
    /* May be called from within the others. */
    void (*notice)(void *user, enum pd_level level, const char *what, const char *text);
    /* As at SIGHUP. Returns 0, or -errno and a sentence that the caller frees. */
    int (*reload)(void *user, char **ret_left, char **ret_error);
    const char *(*metrics)(void *user); /* where scrapers are answered, NULL: nowhere */
    void *user;
};

/* Listens at `path`, or where systemd says. Returns 0, or -errno and a sentence:
 * then there is none, and all else goes on. */
int control_new(const struct control_host *host, const char *path, struct control **ret_control,
                char **ret_error);

/* What was decided in a turn, for those who follow. May be called from within
 * dispatch; only takes note. NULL is fine. */
void control_records(struct control *control, const struct record *records, size_t n_records);

/* The engine's turn is over: commands that came in the middle of it are carried out. NULL is fine.
 */
void control_go_on(struct control *control);

/* Before the engine goes. NULL is fine. Returns NULL. */
struct control *control_free(struct control *control);

#endif
