/* SPDX-License-Identifier: Apache-2.0 */
/* For the tests of the trigger exec: a source with a host that keeps what it was told, a loop, and
 * a directory with the commands that a test writes. */
#ifndef TEST_EXEC_RIG_H
#define TEST_EXEC_RIG_H

#include "check.h"

#include "exec/source.h"

#include <stdbool.h>

#define RIG_SECOND UINT64_C(1000000)

struct exec_rig {
    struct pd_source_host host;
    struct pd_value values[4];
    struct exec_config config;
    struct exec_source *source;
    char directory[64];
    char helper[512];
    unsigned n_messages, n_states, n_notices;
    char messages[16384]; /* "event|tunnel|peers|reason\n" */
    char states[8192];    /* a line each */
    char notices[65536];  /* "what: text\n" */
};

/* For cmocka: a rig in `*state`; its end checks that nothing is left of what ran. */
int rig_begin(void **state);
int rig_end(void **state);

/* Writes a shell script into the directory, to be run as the command. */
void rig_script(struct exec_rig *rig, const char *text);
/* What a script may wait with until rig_go. */
#define RIG_UNTIL_GO "while [ ! -e \"${0%/*}/go\" ]; do sleep 0.05; done"
void rig_go(struct exec_rig *rig);
/* Runs this command line. */
void rig_start(struct exec_rig *rig, const char *command);
void rig_stop(struct exec_rig *rig);

/* Runs the loop until the text has this in it; fails the test after a long time. */
void rig_wait(struct exec_rig *rig, const char *text, const char *part);
/* Runs the loop for so long. */
void rig_run(struct exec_rig *rig, uint64_t for_us);

/* The numbers behind each "NAME=" in the text. Returns how many. */
size_t rig_numbers(const char *text, const char *name, int *numbers, size_t most);
/* Waits until there is no such process. */
void rig_wait_gone(int pid);

#endif
