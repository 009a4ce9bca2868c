/* SPDX-License-Identifier: Apache-2.0 */
/*
 * exec: a command, which may be written in any language, reports that a tunnel or a path changed:
 * the peers concerned are moved (messages/jobs.h). Pure; what the command writes comes as the
 * signal `notice`, and how it does as the signal `command` {text}.
 */
#include "../messages/jobs.h"
#include "options.h"
#include "util/words.h"

#include "util/util.h"

#include <errno.h>
#include <stdio.h>

#define SECOND UINT64_C(1000000)
#define HOUR   (3600 * SECOND)

static const struct pd_option options[] = {
    [EXEC_OPTION_COMMAND] = {"command", PD_OPTION_TEXT, NULL, 0, 0,
                             "the program, by its absolute path, and its arguments"},
    [EXEC_OPTION_USER] = {"user", PD_OPTION_TEXT, NULL, 0, 0,
                          "whom it runs as where pathdog runs as root; default: nobody"},
    [EXEC_OPTION_INTERVAL] = {"interval", PD_OPTION_TIME, NULL, SECOND, 24 * HOUR,
                              "from start to start of a command that ends; default: it stays"},
    [EXEC_OPTION_TIMEOUT] = {"timeout", PD_OPTION_TIME, NULL, SECOND, 24 * HOUR,
                             "stop one that writes nothing for so long; default: 30s with "
                             "interval, else never"},
    {0},
};

static const struct messages_names names = {
    .nobody = "exec-nobody",
    .busy = "exec-busy",
    .folded = "exec-folded",
};

struct exec {
    struct messages messages; /* first: see jobs.h */
    char command[128];        /* how it does; "": nothing is known yet */
};

/* ---- callbacks ---- */

static int exec_start(struct pd_turn *turn, const struct pd_start *start)
{
    struct exec *exec = turn->self;
    const char *command = start->values[EXEC_OPTION_COMMAND].text, *error = NULL;
    char text[160];
    char **words = command ? words_split(command, &error) : NULL;

    exec->messages.names = &names;
    if (words) {
        free(words);
        return 0;
    }
    snprintf(text, sizeof(text), "command%s%s", command ? ": " : "",
             command ? error : " is missing: set it to the program to run, by its absolute path");
    turn->host->notice(turn, PD_LEVEL_ERROR, "bad-option", text);
    return -EINVAL;
}

static void exec_stop(struct pd_turn *turn)
{
    messages_stop(turn->self);
}

static int exec_peer(struct pd_turn *turn, const struct pd_peer_event *event)
{
    messages_peer(turn->self, event);
    return 0;
}

static int exec_signal(struct pd_turn *turn, const struct pd_signal *signal)
{
    struct exec *exec = turn->self;

    if (!strcmp(signal->kind, "notice"))
        return messages_signal(turn, signal);
    if (!strcmp(signal->kind, "command") && signal->n_fields && signal->fields[0].text) {
        snprintf(exec->command, sizeof(exec->command), "%s", signal->fields[0].text);
        message_text_cut(exec->command, sizeof(exec->command));
    }
    return 0;
}

static int exec_tell(const void *self, const struct pd_peer *who, const void *state,
                     uint64_t now_us, char *text, size_t size)
{
    const struct exec *exec = self;
    int n = snprintf(text, size, "command %s; ",
                     *exec->command ? exec->command : "has not started yet");

    (void)who;
    return n + messages_report(&exec->messages, state, now_us, text + n, size - (size_t)n);
}

PD_TRIGGER(exec) = {
    .abi = PD_TRIGGER_ABI,
    .size = sizeof(struct pd_trigger),
    .name = "exec",
    .summary = "a command reports that a tunnel or a path changed",
    .options = options,
    .instance_size = sizeof(struct exec),
    .peer_size = sizeof(struct message_peer),
    .start = exec_start,
    .stop = exec_stop,
    .peer = exec_peer,
    .signal = exec_signal,
    .timer = messages_timer,
    .tell = exec_tell,
};
