/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A screen as a grid of characters with styles, to be looked at by tests or copied to a terminal.
 * Pure, but for the widths of characters, which the C library has of the locale.
 */
#ifndef TOP_CANVAS_H
#define TOP_CANVAS_H

#include <stdbool.h>
#include <stdint.h>

#define CELL_MARKS 2u /* combining characters on top of another */

enum style {
    STYLE_PLAIN,
    STYLE_DIM,
    STYLE_BOLD,
    STYLE_GOOD,
    STYLE_LOOK,
    STYLE_BAD,
    STYLE_TITLE, /* a bar */
    STYLE_ALARM, /* a bar that says what is wrong */
    STYLE_HEAD,  /* of a table */
    STYLE_COUNT,
};

#define STYLE_SELECTED 0x80u /* besides one of these */

struct cell {
    uint32_t c; /* 0: the second half of a wide one */
    uint32_t marks[CELL_MARKS];
    uint8_t style;
};

struct canvas {
    int rows, cols;
    bool utf8; /* else what is not ASCII is written with ASCII */
    struct cell *cells;
};

/* Blank. */
void canvas_init(struct canvas *canvas, int rows, int cols, bool utf8);
void canvas_clear(struct canvas *canvas);

/* NULL outside of it. */
struct cell *canvas_at(const struct canvas *canvas, int row, int col);

/* How many columns it takes: what cannot be shown takes one for each byte or character. */
int canvas_width(const struct canvas *canvas, const char *text);

/* Into `width` columns from there on, and no further than the edge. What does not fit ends in "…".
 * Returns how many columns it took. */
int canvas_text(struct canvas *canvas, int row, int col, int width, uint8_t style,
                const char *text);

/* The same, at the right end of these columns. */
void canvas_right(struct canvas *canvas, int row, int col, int width, uint8_t style,
                  const char *text);

__attribute__((format(printf, 6, 7))) int canvas_print(struct canvas *canvas, int row, int col,
                                                       int width, uint8_t style, const char *format,
                                                       ...);

/* One character. */
void canvas_put(struct canvas *canvas, int row, int col, uint8_t style, uint32_t c);

/* A whole row in this style, blank. */
void canvas_bar(struct canvas *canvas, int row, uint8_t style);

/* Adds to the style of a row. */
void canvas_select(struct canvas *canvas, int row);

/* A row as UTF-8, without blanks at its end, to be freed. */
char *canvas_row(const struct canvas *canvas, int row);

#endif
