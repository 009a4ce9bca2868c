/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is asked of the daemon, and when: a round of queries each second, sooner where a record says
 * that something happened, later where a round takes long. Has no terminal.
 */
#ifndef TOP_APP_H
#define TOP_APP_H

#include "../ctl.h"
#include "feed.h"
#include "model.h"

struct app {
    struct ctl *ctl; /* for how an explanation is written */
    struct top_model model;
    struct feed feed;
    bool drawn; /* what is known is on the screen */

    uint64_t round; /* answers to another one are out of date */
    bool asking;    /* its answers are not all there */
    uint64_t round_us, next_us, uplinks_us;
    bool again;       /* another one follows at once */
    json_t *pages;    /* of peers, as far as they came */
    json_t *uplinks;  /* the same */
    json_t *explain;  /* while its records are on their way */
    uint64_t open_at; /* not connected: when it is tried again */
    uint64_t moved;   /* the decision of the last move; 0: none is waited for */
};

void app_init(struct app *app, struct ctl *ctl, bool utf8);
void app_clear(struct app *app);

/* Does what is due: connects, asks. */
void app_turn(struct app *app, uint64_t now_us);
/* The connection is readable. */
void app_read(struct app *app, uint64_t now_us);
/* What the operator does. */
void app_do(struct app *app, uint64_t now_us, const struct top_action *action);

/* When app_turn is due next. */
uint64_t app_due(const struct app *app);

#endif
