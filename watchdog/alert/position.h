/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How far the records were read: the run, and the last record of a kind that pathdog remembers.
 * After a break, what is newer than that is still to be told. Pure.
 */
#ifndef ALERT_POSITION_H
#define ALERT_POSITION_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

/* Zeroed: nothing was read yet. */
struct position {
    char *run;
    json_t *last; /* NULL: none of that run */
};

/* Another run, of which nothing was read, unless it is the present one. */
void position_enter(struct position *position, const char *run);

/* A record was read, in its order. */
void position_move(struct position *position, json_t *record);

/* ---- what was missed ---- */

/* Gathers, from the newest record backwards. */
struct catch_up {
    bool first_time; /* nothing was ever read: only the place is looked for, nothing is missed */
    bool found;      /* the last one that was read */
    bool too_many;   /* further ones are left out */
    json_t *missed;  /* array, the newest first */
};

void catch_up_begin(struct catch_up *catch_up, struct position *position, const char *run);

/* A page of the memory, the newest first. Returns true: an older page may have more. */
bool catch_up_page(struct catch_up *catch_up, const struct position *position, const json_t *page);

/* Those that were missed, the oldest first; the position is behind them. The caller frees it. */
json_t *catch_up_end(struct catch_up *catch_up, struct position *position);

void catch_up_clear(struct catch_up *catch_up);

/* ---- kept in a file ---- */

/* As text with `state`, to be freed by the caller; NULL: there is nothing to be kept. */
char *position_text(const struct position *position, json_t *state);
/* False: it is no such text; then nothing has changed. `*ret_state` may be NULL. */
bool position_parse(struct position *position, const char *text, size_t n_bytes,
                    json_t **ret_state);

void position_clear(struct position *position);

#endif
