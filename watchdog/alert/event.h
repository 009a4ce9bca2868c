/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records, as docs/records.md has them: which event each is, in a few words what happened, and one
 * of each kind for a trial. Pure; a time is an argument.
 */
#ifndef ALERT_EVENT_H
#define ALERT_EVENT_H

#include <jansson.h>
#include <stdbool.h>

#include "../config/alert.h"

/* Of a record that pathdog wrote. Returns an enum alert_event, or -1: none. */
int event_of(const json_t *record);

/* The number of that name, or -1. */
int event_find(const char *name);

/* A copy of the record with two members more: "event" and "sentence". */
json_t *event_object(const json_t *record, enum alert_event event);

/* A record for a trial: such a one as is told for this event. */
json_t *event_example(enum alert_event event, uint64_t time_us);

/* A member that is a string; "" where there is none. */
const char *member_text(const json_t *object, const char *name);
/* A member that is a whole number; 0 where there is none. */
uint64_t member_number(const json_t *object, const char *name);
/* Where the member is null or not there, nothing is set. */
void member_set_text(json_t *object, const char *name, const char *text);
void member_set_number(json_t *object, const char *name, uint64_t number);

#endif
