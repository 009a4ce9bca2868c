/* SPDX-License-Identifier: Apache-2.0 */
/* The source of the trigger exec, with the helper as an argument: for its tests. */
#ifndef EXEC_SOURCE_H
#define EXEC_SOURCE_H

#include "limits.h"
#include "options.h"
#include "runner.h"
#include "stream.h"

#include <pathdog/source.h>
#include <sys/wait.h>

struct netlink_listener;

/* What is not the operator's to choose; tests have it shorter. */
struct exec_config {
    const char *helper;
    uint64_t open_us;   /* a message that has begun must end within this */
    uint64_t start_us;  /* the command must have been started, */
    uint64_t stop_us;   /* and be gone when it was to end, */
    uint64_t closed_us; /* also where it has closed its standard output: it can say nothing more */
};

struct exec_source {
    struct pd_source_host *host;
    struct exec_config config;
    char *helper;                      /* config.helper, owned */
    struct netlink_listener *listener; /* NULL: the kernel does not tell */
    sd_event_source *timer;
    char **words;
    const char *user;
    uint64_t interval_us, quiet_us; /* 0: none */
    char *instance_text, start_text[48];
    char *environment[8];
    uint64_t n_starts;
    uint64_t backoff_us;

    /* of the present run, or the last */
    struct runner runner;
    pid_t pid; /* 0: it has not started yet */
    uint64_t started_us, heard_us;
    bool stopping; /* by us, and that was said */
    bool started;
    bool closed; /* its standard output */
    bool ended;
    int status; /* as waitpid(2) has it, where it has ended */
    int32_t n_left;
    struct helper_word failure; /* kind 0: none */
    struct message_stream messages;
    struct line_stream lines;
    struct limits limits; /* goes on over the runs */

    /* When what is due; 0: never. */
    uint64_t start_at_us; /* the next run */
    uint64_t open_at_us;  /* a message that has begun is reported */
    bool open_told;
    uint64_t stuck_at_us; /* it has not started, ended, or said why it goes on */
};

int exec_source_new(struct pd_source_host *host, const struct pd_start *start,
                    const struct exec_config *config, struct exec_source **ret_source);
void exec_source_free(struct exec_source *source);

#endif
