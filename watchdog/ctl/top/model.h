/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pathdogctl top without a terminal and without a socket: what is known, what the operator looks
 * at, what a key does (keys.c), and how it is drawn (layout.c). Pure: time is an argument, and what
 * is to be asked of the daemon is an answer.
 */
#ifndef TOP_MODEL_H
#define TOP_MODEL_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "spark.h"

#define TOP_ROWS_MOST    256 /* peers that the daemon sends in one answer */
#define TOP_RECORDS_MOST 64u
#define TOP_NAME_SIZE    256u
#define TOP_INPUT_SIZE   256u
#define TOP_MESSAGE_SIZE 400u

enum top_view {
    VIEW_PEERS,
    VIEW_DECISIONS, /* the records alone */
    VIEW_EXPLAIN,
    VIEW_HELP,
};

/* What is asked for in the last line. */
enum top_prompt {
    PROMPT_NONE,
    PROMPT_FILTER,
    PROMPT_HOLD,
    PROMPT_MOVE,
    PROMPT_CONFIRM, /* of that move */
};

enum top_link {
    LINK_UP,
    LINK_SILENT, /* connected, but nothing is answered */
    LINK_DOWN,
};

struct top_model {
    int rows, cols;
    bool utf8;
    uint64_t now_us;  /* CLOCK_MONOTONIC, of what is drawn */
    uint64_t wall_us; /* the time of day; 0: not shown */

    /* what the daemon said; NULL: not yet */
    json_t *status, *uplinks, *peers, *conditions;
    json_t *records;   /* an array, newest first */
    uint64_t n_missed; /* records that came in a pause */
    struct sparks sparks;
    enum top_link link;
    uint64_t link_since_us;
    char link_why[160];

    /* what is looked at */
    enum top_view view;
    uint64_t selected_conn;
    char selected[TOP_NAME_SIZE]; /* "": none */
    int cursor, offset;           /* in `peers` */
    int page;                     /* how many peers fit, by the last drawing */
    bool to_end;                  /* the cursor goes to the last one, when all are there */
    size_t sort;                  /* in top_sorts */
    char filter[TOP_INPUT_SIZE];  /* as it was typed; "": all */
    bool paused;
    char *text; /* of VIEW_EXPLAIN; NULL: not yet */
    char explained[TOP_NAME_SIZE];
    int text_offset, text_lines, text_page; /* lines: by the last drawing */

    enum top_prompt prompt;
    char input[TOP_INPUT_SIZE];
    char asked[TOP_NAME_SIZE];      /* the peer that it is about */
    char uplink[TOP_INPUT_SIZE];    /* PROMPT_CONFIRM: where to; "": pathdog chooses */
    char message[TOP_MESSAGE_SIZE]; /* what came of the last command; "": none */
    bool message_bad;
    uint64_t message_us;
};

/* Orders that the daemon knows; ends in NULL. */
extern const char *const top_sorts[];

void top_init(struct top_model *model, bool utf8);
void top_clear(struct top_model *model);

/* Each takes over what it is given. */
void top_take_status(struct top_model *model, json_t *status);
void top_take_uplinks(struct top_model *model, json_t *uplinks);
/* All pages of an answer, put together by top_merge. */
void top_take_peers(struct top_model *model, json_t *answer);
void top_take_records(struct top_model *model, json_t *newest_first);
void top_take_record(struct top_model *model, json_t *record);
void top_take_text(struct top_model *model, const char *peer, char *text);

/* Puts another page to those before it: `most` of both remain, in the order of `sort`. Takes over
 * `page`; `*all` NULL: it is the first one. */
void top_merge(json_t **all, json_t *page, const char *sort, size_t most);

void top_link_set(struct top_model *model, enum top_link link, const char *why);
__attribute__((format(printf, 3, 4))) void top_say(struct top_model *model, bool bad,
                                                   const char *format, ...);
/* Messages are shown for a while. True: the time is over for one. */
bool top_forget_message(struct top_model *model);

/* How many peers there are that match, listed or not. */
uint64_t top_count(const struct top_model *model);
/* The peer under the cursor; NULL: there is none. */
const json_t *top_selected(const struct top_model *model);
/* The cursor on that place, as far as there is one. */
void top_select(struct top_model *model, int place);

/* How many peers are to be asked for. */
size_t top_wanted(const struct top_model *model);
/* The glob that stands for the filter, to be freed; NULL: none. */
char *top_match(const struct top_model *model);
const char *top_sort(const struct top_model *model);

/* ---- keys.c ---- */

enum top_key {
    KEY_OF_NONE = 0x110000, /* beyond all characters */
    KEY_OF_UP,
    KEY_OF_DOWN,
    KEY_OF_PAGE_UP,
    KEY_OF_PAGE_DOWN,
    KEY_OF_HOME,
    KEY_OF_END,
    KEY_OF_ENTER,
    KEY_OF_ESCAPE,
    KEY_OF_BACKSPACE,
    KEY_OF_TAB,
    KEY_OF_REDRAW,
};

enum top_do {
    DO_NOTHING,
    DO_ASK, /* something else is shown now: ask at once */
    DO_QUIT,
    DO_REDRAW, /* the whole screen: something else wrote on it */
    DO_HOLD,
    DO_RELEASE,
    DO_MOVE,
};

struct top_action {
    enum top_do what;
    char peer[TOP_NAME_SIZE];
    uint64_t for_us;             /* DO_HOLD; 0: until released */
    char uplink[TOP_INPUT_SIZE]; /* DO_MOVE; "": pathdog chooses */
};

/* `key`: a character, or one of enum top_key. */
struct top_action top_key(struct top_model *model, uint32_t key);

/* ---- layout.c ---- */

struct canvas;

#define TOP_COLS_LEAST 40
#define TOP_ROWS_LEAST 8

/* Draws all of it; notes in the model how much fits. Returns the column of the cursor in the last
 * row, -1: there is none. */
int top_draw(struct top_model *model, struct canvas *canvas);

#endif
