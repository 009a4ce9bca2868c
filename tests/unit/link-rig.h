/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Links on real sockets: the node is played by the same thread, so
 * that nothing has to be waited for but what the loop does.
 */
#ifndef TEST_LINK_RIG_H
#define TEST_LINK_RIG_H

#include "check.h"
#include "node/link.h"
#include "util/buffer.h"

#define SECOND UINT64_C(1000000)

/* A node, and a link to it. Several can share one loop. */
struct rig {
    struct link *link;
    sd_event *loop;
    char path[64];
    int listening;
    int fd; /* accepted, -1: none */
    uint64_t made_us;
    unsigned accepted; /* how many so far */
    uint64_t accepted_us[16];
    uint64_t closed_us;     /* when the link closed it */
    bool deaf;              /* reads nothing */
    bool rude;              /* closes what it accepts */
    struct buffer in;       /* what the link sent */
    struct buffer reported; /* events as lines, "…"} left out */
    unsigned events[EVENT_TYPE_COUNT];
    size_t burst; /* moves to be sent from within the next event */
};

extern struct rig one;
extern char directory[]; /* of the sockets, while a group runs */

uint64_t now_us(void);

/* How long this process has stood still while it waited: all is in one thread, so whatever is
 * late is late by no more than that. */
extern uint64_t stalled_us;
void turn_took(uint64_t us);

/* For a link of a test's own: what it tells is kept in the rig. */
void on_event(void *userdata, struct event *event);
void on_notice(void *userdata, enum pd_level level, const char *what, const char *text);

/* Requests to migrate connections 1 to n. */
void send_moves(struct rig *rig, size_t n);

void node_listen(struct rig *rig);
void node_hang_up(struct rig *rig);

/* Accepts and reads what there is. */
void node_turn(struct rig *rig);

/* Writes all of it, while the loop runs. */
void node_send(struct rig *rig, const char *text);

#define PATIENCE 5 /* times what a good machine needs at most */

#define RUN_UNTIL(rig, seconds, condition)                                                         \
    do {                                                                                           \
        uint64_t end_us = now_us() + (seconds)*PATIENCE * SECOND;                                  \
        while (!(condition)) {                                                                     \
            uint64_t turn_us = now_us();                                                           \
            if (turn_us > end_us)                                                                  \
                fail_msg("not within %d s: %s", (seconds)*PATIENCE, #condition);                   \
            sd_event_run((rig)->loop, 1000);                                                       \
            node_turn(rig);                                                                        \
            turn_took(now_us() - turn_us);                                                         \
        }                                                                                          \
    } while (0)

bool said(const struct buffer *buffer, const char *text);

/* Of what the link sent. */
size_t lines_in(struct rig *rig);

/* The node answers until the link is up. */
void rig_up_with(struct rig *rig, const char *features);
void rig_up(struct rig *rig);

void rig_new(struct rig *rig, sd_event *loop, const char *path, const char *user);
void rig_free(struct rig *rig);

/* For cmocka, with the rig `one`. */
int group_setup(void **state);
int group_teardown(void **state);
int setup_alone(void **state);
int setup(void **state); /* with a node that listens; link_start was called */
int teardown(void **state);

#define LISTENING(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
#define ALONE(test)     cmocka_unit_test_setup_teardown(test, setup_alone, teardown)

#endif
