/* SPDX-License-Identifier: Apache-2.0 */
/* The control server beside a lab's engine, and clients of it. */
#ifndef TEST_CONTROL_LAB_H
#define TEST_CONTROL_LAB_H

#include "control/private.h"
#include "engine-lab.h"

struct desk {
    bool busy; /* the engine is in the middle of a turn */
    struct lab lab;
    struct config config;
    sd_event *loop;
    struct control *control;
    char directory[32], path[64];
    unsigned notices;
    char notice[256];          /* the last one */
    struct event_command last; /* the last one; its uplink is in the next one */
    char uplink[32];
};

/* For cmocka: such a desk, in *state. */
int desk_setup(void **state);
int desk_teardown(void **state);

/* Runs the loop until it has nothing to do. */
void desk_run(struct desk *desk);

/* Connects without a turn of the loop. Returns -1 if that fails. */
int desk_knock(const struct desk *desk);

int desk_connect(struct desk *desk);

/* Closes all clients. */
void desk_close(struct desk *desk, const int *fds, size_t n);

/* Writes a line, and returns what comes of it. */
const char *ask(struct desk *desk, int fd, const char *line);

/* Reads all that there is: is it the end? */
bool is_closed(int fd);

/* A request for all decisions from now on. */
extern const char follow_all[];

#endif
