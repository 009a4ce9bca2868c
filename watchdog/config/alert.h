/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The keys of [alert], and the names of what a program can be called for. pathdog reads and
 * checks the section, and does nothing with it: pathdog-alert(8), a process of its own, runs the
 * program.
 */
#ifndef CONFIG_ALERT_H
#define CONFIG_ALERT_H

#include <pathdog/trigger.h>

enum alert_key {
    ALERT_PROGRAM,
    ALERT_ON,
    ALERT_MATCH,
    ALERT_TIMEOUT,
    ALERT_AT_ONCE,
    ALERT_BURST,
    ALERT_EVERY,
    ALERT_CHECK_INTERVAL,
    ALERT_KEY_COUNT,
};

/* By enum alert_key; ended by one without a name. */
extern const struct pd_option alert_options[];

/* The gravest first: of a flood this is the one that is told whole. */
enum alert_event {
    ALERT_BROKEN,
    ALERT_PATHDOG_DOWN,
    ALERT_NODE_DOWN,
    ALERT_NODE_SILENT,
    ALERT_PEERS_SILENT,
    ALERT_ERROR,
    ALERT_UPLINK_SILENT,
    ALERT_UPLINK_DOWN,
    ALERT_LOOK,
    ALERT_STALLED,
    ALERT_WORSE,
    ALERT_FAILED,
    ALERT_UPLINK_PENALTY,
    ALERT_UPLINK_SLOW,
    ALERT_DEAD,
    ALERT_WARNING,
    ALERT_MOVE,
    ALERT_UPLINK_HELD,
    ALERT_UPLINK_RELEASED,
    ALERT_UPLINK_PROVEN,
    ALERT_UPLINK_UP,
    ALERT_PEERS_HEARD,
    ALERT_NODE_ANSWERS,
    ALERT_NODE_UP,
    ALERT_PATHDOG_UP,
    ALERT_OK,
    ALERT_EVENT_COUNT,
};

struct alert_event_name {
    const char *name;
    const char *when; /* half a sentence, for the manual */
};

extern const struct alert_event_name alert_events[ALERT_EVENT_COUNT];

#endif
