/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is not a record but a state, and goes on: the node, what `status` says is wrong, and whether
 * pathdog can be reached. Only its changes are events. Pure; times are arguments.
 */
#ifndef ALERT_STATE_H
#define ALERT_STATE_H

#include "event.h"

/* So long pathdog may be gone before that is told: a restart takes less. */
#define STATE_GONE_US UINT64_C(10000000)

/* Something that is looked at again and again: true twice in a row is true. */
struct state_twice {
    bool now, before, told;
};

struct state {
    int node;         /* -1: not known, 0 down, 1 up; as it was told last */
    uint64_t gone_us; /* since when pathdog is not reached; 0: it is */
    bool gone_told;
    struct state_twice node_silent, peers_silent;
    int grade, grade_before, grade_told; /* 0 ok, 1 look, 2 broken */
    char reason[256];                    /* why it is not reached */
};

/* `record` is a reference that it takes over. */
typedef void (*state_tell_fn)(void *user, enum alert_event event, json_t *record);

void state_init(struct state *state);

/* What was told, to be kept over a restart; and back from that. What is not such an object, or
 * NULL, changes nothing. */
json_t *state_save(const struct state *state);
void state_load(struct state *state, const json_t *saved);

/* A record about the node: is it a change? */
bool state_node(struct state *state, const json_t *record);

/* An answer to `status`; `time_us` is CLOCK_REALTIME. */
void state_status(struct state *state, const json_t *status, uint64_t time_us, state_tell_fn tell,
                  void *user);

/* It cannot be reached, since now at the latest; and: it is. */
void state_gone(struct state *state, const char *reason, uint64_t now_us);
void state_back(struct state *state, const char *run, uint64_t time_us, state_tell_fn tell,
                void *user);

/* Tells it where it has been gone for long. Returns when to ask again; UINT64_MAX: not by itself.
 */
uint64_t state_gone_due(struct state *state, uint64_t now_us, uint64_t time_us, state_tell_fn tell,
                        void *user);

#endif
