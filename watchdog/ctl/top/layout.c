/* SPDX-License-Identifier: Apache-2.0 */
#include "layout.h"

#include "../members.h"

#define RECORDS_LEAST 3 /* with their heading; below that they are left out */
#define PEERS_LEAST   5 /* with theirs: they come first */

static int least(int a, int b)
{
    return a < b ? a : b;
}

/* A third of the room for what happened, and what the peers leave of theirs. */
static int rows_of_records(const struct top_model *model, int rows)
{
    int wanted = 1 + (int)json_array_size(model->records), third = rows / 3,
        left = rows - 1 - (int)json_array_size(model->peers);

    wanted = wanted < 2 ? 2 : wanted;
    wanted = least(wanted, third > left ? third : left);
    if (rows - wanted < PEERS_LEAST)
        wanted = rows - PEERS_LEAST;
    return wanted < RECORDS_LEAST - 1 ? 0 : wanted;
}

int top_draw(struct top_model *model, struct canvas *canvas)
{
    int head, rows, records;

    model->rows = canvas->rows;
    model->cols = canvas->cols;
    if (canvas->rows < TOP_ROWS_LEAST || canvas->cols < TOP_COLS_LEAST) {
        draw_small(model, canvas);
        return model->prompt != PROMPT_NONE && canvas->rows > 1 ? draw_foot(model, canvas) : -1;
    }
    head = draw_head(model, canvas);
    rows = canvas->rows - head - 1;
    if (model->view == VIEW_PEERS) {
        records = rows_of_records(model, rows);
        draw_peers(model, canvas, (struct area){head, rows - records});
        if (records)
            draw_records(model, canvas, (struct area){canvas->rows - 1 - records, records});
    } else {
        draw_pane(model, canvas, (struct area){head, rows});
    }
    return draw_foot(model, canvas);
}
