/* SPDX-License-Identifier: Apache-2.0 */
/* The parts of the screen; layout.c puts them together. Each draws into its rows alone. */
#ifndef TOP_LAYOUT_H
#define TOP_LAYOUT_H

#include "canvas.h"
#include "model.h"

/* Some rows of a canvas. */
struct area {
    int row, rows;
};

/* What an area is drawn in while pathdog is away: what it said last is old. */
static inline uint8_t faded(const struct top_model *model, uint8_t style)
{
    return model->link == LINK_DOWN ? (uint8_t)STYLE_DIM : style;
}

/* ---- layout-head.c ---- */

/* Returns how many rows it took. */
int draw_head(const struct top_model *model, struct canvas *canvas);
/* In a line or a few of any width; for a terminal that is too small. */
void draw_small(const struct top_model *model, struct canvas *canvas);

/* ---- layout-peers.c ---- */

/* Moves the part that is shown to where the cursor is. */
void draw_peers(struct top_model *model, struct canvas *canvas, struct area area);

/* ---- layout-text.c ---- */

/* The last ones, a line each. */
void draw_records(const struct top_model *model, struct canvas *canvas, struct area area);
/* VIEW_DECISIONS, VIEW_EXPLAIN, VIEW_HELP: all lines, broken where they are too long. */
void draw_pane(struct top_model *model, struct canvas *canvas, struct area area);

/* ---- layout-foot.c ---- */

/* What is asked, what came of it, or the keys. Returns the column of the cursor, or -1. */
int draw_foot(const struct top_model *model, struct canvas *canvas);

#endif
