/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pathdogctl: an operator's hands. Asks the daemon over its control socket
 * (docs/control.md) and shows the answers to people or, with --json, to programs.
 */
#ifndef CTL_H
#define CTL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "members.h"

#define DEFAULT_CONTROL "/run/pathdog/control.sock"
#define DEFAULT_NOTIFY  "/run/pathdog/notify"

enum ctl_status {
    CTL_GOOD = 0,
    CTL_FAILED = 1, /* refused, or it did not succeed */
    CTL_USAGE = 2,  /* the command line is wrong */
    CTL_NO_DAEMON = 3,

    /* of status --check */
    CTL_LOOK = 1,   /* something needs a look */
    CTL_BROKEN = 2, /* nothing works */
};

/* Where records of the past are read. */
enum source_choice {
    SOURCE_AUTO,
    SOURCE_JOURNAL,
    SOURCE_DAEMON,
};

/* What the command line says. Texts are NULL where not said. */
struct options {
    const char *socket, *by, *interface, *uplink, *local, *via, *peer, *trigger, *verdict, *since,
        *peers, *reason, *sort, *until, *unit, *directory, *file, *output, *config;
    enum source_choice source;
    const char *notify;    /* where the tunnel trigger listens by default */
    char instance[2][128]; /* the sockets of --instance */
    uint64_t for_us;
    uint64_t limit; /* 0: not said */
    bool json, all, follow, no_wait, absent, check, everything, socket_given, html;
};

#define CALL_MS      10000
#define CALL_HOOK_MS 3000 /* where nobody sits in front of it */

struct channel; /* channel.h */

struct ctl {
    struct options options;
    struct channel *channel; /* NULL until the daemon is asked */
    int call_ms;             /* how long an answer is waited for */
    json_t *pending;         /* notifications that came before an answer; an array */
    bool quiet;              /* a call that fails is not said, only kept in `failure` */
    char failure[512];
    bool colour;
    char **words; /* of the command, without its name; ends in NULL */
    int n_words;
};

/* ---- asking (call.c) ---- */

/* Asks, and returns the result, which the caller owns. `params` is taken over,
 * NULL: none. On failure NULL, with everything said, and `*ret_status` set. */
json_t *ctl_call(struct ctl *ctl, const char *method, json_t *params, enum ctl_status *ret_status);

/* The same about the peer `name`. One that is not known may be the beginning of
 * just one name: then that is meant, and it is said. `*ret_name` is the name that
 * was used at last, which the caller frees. */
json_t *ctl_call_peer(struct ctl *ctl, const char *method, json_t *params, const char *name,
                      char **ret_name, enum ctl_status *ret_status);

/* The next notification: its method, and `*ret_params` to be freed. NULL: none
 * within that time (then `*ret_status` is CTL_GOOD), or the daemon went away. */
const char *ctl_next(struct ctl *ctl, int timeout_ms, json_t **ret_params,
                     enum ctl_status *ret_status);

/* Params for the last so many records about just this peer (cmd-explain.c). */
json_t *ctl_records_of(const char *name, int limit);

/* ---- saying (show.c) ---- */

/* "pathdogctl: …" on standard error. */
__attribute__((format(printf, 1, 2))) void complain(const char *format, ...);
enum ctl_status usage(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* The same of a call that failed: kept where a command wants it so. */
__attribute__((format(printf, 2, 3))) void fail_call(struct ctl *ctl, const char *format, ...);

/* A socket may not be opened: who may, as far as it may be looked at. */
void fail_denied(struct ctl *ctl, const char *path);

/* Escape sequences, "" where there are to be no colours. */
const char *bold(const struct ctl *ctl);
const char *red(const struct ctl *ctl);
const char *green(const struct ctl *ctl);
const char *yellow(const struct ctl *ctl);
const char *dim(const struct ctl *ctl);
const char *plain(const struct ctl *ctl);

/* One line of JSON. */
void show_json(const json_t *value);
/* Why that uplink, or why none; without the name of what was chosen, which stands before it. */
const char *choice_of(const json_t *object);
/* A record as one line for people. */
void show_record(const struct ctl *ctl, const json_t *record);
void write_record(FILE *out, const struct ctl *ctl, const json_t *record);

/* The answer to `explain`, with the last records of that peer (cmd-explain.c). */
void write_explain(FILE *out, const struct ctl *ctl, const json_t *peer, const json_t *records);

/* Adds up what another page of uplinks counted. */
void uplinks_merge(json_t *uplinks, const json_t *page);
/* What there is to say of an uplink besides its state, each in a line of its own. */
void show_uplink_state(FILE *out, const struct ctl *ctl, const json_t *state, const char *indent);
const char *uplink_colour(const struct ctl *ctl, const char *state);

/* The line of `status --check`; `status` NULL: there was no answer, and `failure` says why. */
enum ctl_status show_check(const struct ctl *ctl, const json_t *status);

/* ---- commands ---- */

enum ctl_status command_status(struct ctl *ctl);
enum ctl_status command_peers(struct ctl *ctl);
enum ctl_status command_names(struct ctl *ctl);
enum ctl_status command_decisions(struct ctl *ctl);
enum ctl_status command_relays(struct ctl *ctl);
enum ctl_status command_report(struct ctl *ctl);
enum ctl_status command_explain(struct ctl *ctl);
enum ctl_status command_uplinks(struct ctl *ctl);
enum ctl_status command_metrics(struct ctl *ctl);
enum ctl_status command_migrate(struct ctl *ctl);
enum ctl_status command_hold(struct ctl *ctl);
enum ctl_status command_release(struct ctl *ctl);
enum ctl_status command_mode(struct ctl *ctl);
enum ctl_status command_notify(struct ctl *ctl);
enum ctl_status command_reload(struct ctl *ctl);
enum ctl_status command_check(struct ctl *ctl);
enum ctl_status command_top(struct ctl *ctl);
enum ctl_status command_version(struct ctl *ctl);

#endif
