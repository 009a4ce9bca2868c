/* SPDX-License-Identifier: Apache-2.0 */
/* The last line: what is asked, what came of it, or the keys. */
#include <stdio.h>
#include <string.h>

#include "../../util/util.h"
#include "../members.h"
#include "layout.h"

static const char *shown(const char *text)
{
    return clean(text, strlen(text));
}

static int draw_prompt(const struct top_model *model, struct canvas *canvas, int row)
{
    char text[TOP_NAME_SIZE * 10];
    int used;

    switch (model->prompt) {
    case PROMPT_FILTER:
        snprintf(text, sizeof(text), "filter (a part of the name, or a glob; empty: all): ");
        break;
    case PROMPT_HOLD:
        snprintf(text, sizeof(text), "hold %s for (empty: until released): ", shown(model->asked));
        break;
    case PROMPT_MOVE:
        snprintf(text, sizeof(text),
                 "move %s to (empty: pathdog chooses; Tab: uplinks): ", shown(model->asked));
        break;
    case PROMPT_CONFIRM:
        snprintf(text, sizeof(text), "move %s%s%s now? y/n ", shown(model->asked),
                 *model->uplink ? " to " : "", shown(model->uplink));
        break;
    case PROMPT_NONE:
        return -1;
    }
    /* the end of what is typed is always seen */
    used = canvas_width(canvas, model->input) + 1;
    used = used < canvas->cols / 2 ? used : canvas->cols / 2;
    used = canvas_text(canvas, row, 0, canvas->cols - used, STYLE_BOLD, text);
    used +=
        canvas_text(canvas, row, used, canvas->cols - used - 1, STYLE_PLAIN, shown(model->input));
    return used < canvas->cols ? used : canvas->cols - 1;
}

static void draw_keys(const struct top_model *model, struct canvas *canvas, int row)
{
    static const struct {
        const char *key, *what;
    } list[] = {{"q", "quit"}, {"?", "help"},    {"/", "filter"}, {"s", "sort"},  {"e", "explain"},
                {"h", "hold"}, {"r", "release"}, {"m", "move"},   {"p", "pause"}, {"d", "log"}},
      pane[] = {{"Esc", "back"}, {"Up/Down PgUp/PgDn", "scroll"}, {"p", "pause"}};
    bool in_list = model->view == VIEW_PEERS;
    size_t n = in_list ? ARRAY_SIZE(list) : ARRAY_SIZE(pane);
    int col = 0;

    for (size_t i = 0; i < n; i++) {
        const char *key = in_list ? list[i].key : pane[i].key,
                   *what = in_list ? list[i].what : pane[i].what;
        const char *paused = model->paused && !strcmp(key, "p") ? "go on" : what;

        if (col + (int)strlen(key) + 1 + (int)strlen(paused) > canvas->cols)
            break;
        col += canvas_text(canvas, row, col, canvas->cols, STYLE_BOLD, key) + 1;
        col += canvas_text(canvas, row, col, canvas->cols, STYLE_DIM, paused) + 1;
    }
}

int draw_foot(const struct top_model *model, struct canvas *canvas)
{
    int row = canvas->rows - 1;

    canvas_bar(canvas, row, STYLE_PLAIN);
    if (model->prompt != PROMPT_NONE)
        return draw_prompt(model, canvas, row);
    if (*model->message)
        canvas_text(canvas, row, 0, canvas->cols, model->message_bad ? STYLE_BAD : STYLE_BOLD,
                    shown(model->message));
    else
        draw_keys(model, canvas, row);
    return -1;
}
