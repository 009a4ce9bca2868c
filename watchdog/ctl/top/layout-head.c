/* SPDX-License-Identifier: Apache-2.0 */
/* The first lines: how things are, by and large. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "../../util/format.h"
#include "../../util/util.h"
#include "../health.h"
#include "../members.h"
#include "layout.h"
#include "lines.h"

#define ROWS_MANY 20 /* a terminal with so many has some to spare */

/* A line that is written piece by piece. */
struct line {
    struct canvas *canvas;
    int row, col, end;
};

static void add(struct line *line, uint8_t style, const char *text)
{
    line->col +=
        canvas_text(line->canvas, line->row, line->col, line->end - line->col, style, text);
}

__attribute__((format(printf, 3, 4))) static void addf(struct line *line, uint8_t style,
                                                       const char *format, ...)
{
    va_list arguments;
    char text[512];

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    add(line, style, text);
}

/* ---- the bar ---- */

static void bar_link(const struct top_model *model, struct line *line)
{
    char span[DURATION_SIZE];

    duration_text(span, sub_u64(model->now_us, model->link_since_us) / 1000000 * 1000000);
    if (model->link == LINK_DOWN)
        addf(line, STYLE_ALARM, " pathdog is away for %s: %s; trying again", span, model->link_why);
    else
        addf(line, STYLE_ALARM,
             " pathdog has not answered for %s: its process hangs, or is stopped", span);
}

static void bar_node(const struct top_model *model, struct line *line)
{
    const json_t *node = json_object_get(model->status, "node");
    const char *state = text_of(node, "state");
    char span[SHORT_SIZE];

    addf(line, STYLE_TITLE, " pathdog  node %s",
         has(node, "name") ? text_of(node, "name") : text_of(node, "path"));
    if (has(node, "silent_us"))
        addf(line, STYLE_TITLE, ": no answer for %s", short_span_of(span, node, "silent_us"));
    else if (!strcmp(state, "snapshot"))
        add(line, STYLE_TITLE, " up, waiting for its peer list");
    else
        addf(line, STYLE_TITLE, " %s", state);
    addf(line, STYLE_TITLE, "  mode %s%s", text_of(model->status, "mode"),
         flag_of(model->status, "all_held") ? ", all held" : "");
}

static void draw_bar(const struct top_model *model, struct canvas *canvas)
{
    uint8_t style = model->link == LINK_UP ? STYLE_TITLE : STYLE_ALARM;
    struct line line = {.canvas = canvas, .end = canvas->cols - 10};
    char time[SHORT_SIZE];

    canvas_bar(canvas, 0, style);
    if (model->paused)
        line.end -= 9;
    if (model->link != LINK_UP)
        bar_link(model, &line);
    else if (!model->status)
        add(&line, style, " pathdog  waiting for its first answer");
    else
        bar_node(model, &line);
    if (model->paused)
        canvas_right(canvas, 0, canvas->cols - 18, 8, style, "PAUSED");
    if (model->wall_us)
        canvas_right(canvas, 0, canvas->cols - 9, 8, style, clock_text(time, model->wall_us));
}

/* ---- is all well? ---- */

static uint64_t condition(const struct top_model *model, const char *name)
{
    return number_of(model->conditions, name);
}

static enum health health(const struct top_model *model, char text[HEALTH_SIZE])
{
    if (!model->status) {
        *text = '\0';
        return HEALTH_OK;
    }
    return health_of(model->status, text);
}

static uint8_t health_style(enum health health)
{
    return health == HEALTH_OK ? STYLE_GOOD : health == HEALTH_LOOK ? STYLE_LOOK : STYLE_BAD;
}

/* How many bytes of it fit into a row: to a blank, if there is one. */
static size_t first_row(const struct canvas *canvas, const char *text, int width)
{
    size_t length = 0;

    for (const char *end = text; *end;) {
        char *part;
        bool fits;

        end += strspn(end, " ");
        end += strcspn(end, " ");
        part = string_format("%.*s", (int)(end - text), text);
        fits = canvas_width(canvas, part) <= width;
        free(part);
        if (!fits)
            break;
        length = (size_t)(end - text);
    }
    return length ? length : strlen(text);
}

/* In two rows where there is room for it. Returns how many it took. */
static int draw_health(const struct top_model *model, struct canvas *canvas, int row)
{
    struct line line = {.canvas = canvas, .row = row, .col = 1, .end = canvas->cols};
    char text[HEALTH_SIZE], *part;
    enum health grade = health(model, text);
    size_t length;

    if (!*text)
        return 1;
    add(&line, faded(model, health_style(grade)), health_words[grade]);
    add(&line, faded(model, STYLE_PLAIN), ": ");
    length = canvas->rows < ROWS_MANY ? strlen(text) : first_row(canvas, text, line.end - line.col);
    part = string_format("%.*s", (int)length, text);
    add(&line, faded(model, STYLE_PLAIN), part);
    free(part);
    if (!text[length])
        return 1;
    line.row++;
    line.col = 1 + (int)strlen(health_words[grade]) + 2;
    add(&line, faded(model, STYLE_PLAIN), text + length + 1);
    return 2;
}

/* ---- counts ---- */

static void draw_counts(const struct top_model *model, struct canvas *canvas, int row)
{
    static const struct {
        const char *name;
        uint8_t style;
    } parts[] = {
        {"silent", STYLE_BAD},  {"gone", STYLE_BAD},  {"unseen", STYLE_BAD}, {"untold", STYLE_BAD},
        {"moving", STYLE_LOOK}, {"new", STYLE_PLAIN}, {"idle", STYLE_PLAIN}, {"up", STYLE_GOOD},
    };
    struct line line = {.canvas = canvas, .row = row, .col = 1, .end = canvas->cols};
    const json_t *requests = json_object_get(model->status, "requests");
    uint8_t plain = faded(model, STYLE_PLAIN);

    addf(&line, plain, "%" PRIu64 " peer%s", top_count(model), top_count(model) == 1 ? "" : "s");
    if (*model->filter)
        addf(&line, plain, " of \"%s\"", clean(model->filter, strlen(model->filter)));
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        uint64_t count = condition(model, parts[i].name);

        if (count)
            addf(&line, faded(model, parts[i].style), "  %" PRIu64 " %s", count, parts[i].name);
    }
    if (!model->status)
        return;
    addf(&line, plain, "   requests: %" PRIu64 " open", number_of(requests, "open"));
    if (number_of(requests, "queued"))
        addf(&line, plain, ", %" PRIu64 " queued", number_of(requests, "queued"));
    if (number_of(requests, "waiting"))
        addf(&line, plain, ", %" PRIu64 " to be tried again", number_of(requests, "waiting"));
}

/* ---- uplinks ---- */

static uint8_t uplink_style(const char *state)
{
    if (!strcmp(state, "up"))
        return STYLE_GOOD;
    return !strcmp(state, "held") || !strcmp(state, "penalty") || !strcmp(state, "unproven")
               ? STYLE_LOOK
               : STYLE_BAD;
}

/* Those that are not well come first: the others may not fit. */
static void draw_uplinks(const struct top_model *model, struct canvas *canvas, int row)
{
    struct line line = {.canvas = canvas, .row = row, .col = 1, .end = canvas->cols};
    size_t n = json_array_size(model->uplinks);
    char span[SHORT_SIZE];

    addf(&line, faded(model, STYLE_PLAIN), "uplinks:");
    for (int well = 0; well <= 1; well++)
        for (size_t i = 0; i < n; i++) {
            const json_t *uplink = json_array_get(model->uplinks, i);
            const char *state = text_of(uplink, "state");
            uint64_t peers = number_of(uplink, "peers");

            if ((strcmp(state, "up") == 0) != well)
                continue;
            addf(&line, faded(model, STYLE_BOLD), "  %s ", text_of(uplink, "uplink"));
            add(&line, faded(model, uplink_style(state)), state);
            if (has(uplink, "rtt_us") || has(uplink, "srtt_us"))
                addf(&line, faded(model, STYLE_PLAIN), " %s",
                     short_span_of(span, uplink, has(uplink, "rtt_us") ? "rtt_us" : "srtt_us"));
            if (peers)
                addf(&line, faded(model, STYLE_PLAIN), ", %" PRIu64 " peer%s", peers,
                     peers == 1 ? "" : "s");
        }
}

int draw_head(const struct top_model *model, struct canvas *canvas)
{
    int row = 1;

    draw_bar(model, canvas);
    row += draw_health(model, canvas, row);
    draw_counts(model, canvas, row++);
    if (json_array_size(model->uplinks))
        draw_uplinks(model, canvas, row++);
    return row;
}

/* ---- too small ---- */

void draw_small(const struct top_model *model, struct canvas *canvas)
{
    int cols = canvas->cols, row = 0;
    char text[HEALTH_SIZE];
    enum health grade = health(model, text);

    canvas_bar(canvas, 0, model->link == LINK_UP ? STYLE_TITLE : STYLE_ALARM);
    canvas_print(canvas, row, 0, cols, model->link == LINK_UP ? STYLE_TITLE : STYLE_ALARM,
                 "pathdog %s",
                 model->link == LINK_DOWN     ? "is away"
                 : model->link == LINK_SILENT ? "hangs"
                 : model->status              ? health_words[grade]
                                              : "");
    canvas_print(canvas, ++row, 0, cols, STYLE_PLAIN, "%dx%d is too small", canvas->cols,
                 canvas->rows);
    canvas_print(canvas, ++row, 0, cols, STYLE_PLAIN, "least is %dx%d", TOP_COLS_LEAST,
                 TOP_ROWS_LEAST);
    canvas_print(canvas, ++row, 0, cols, condition(model, "silent") ? STYLE_BAD : STYLE_PLAIN,
                 "%" PRIu64 " of %" PRIu64 " silent", condition(model, "silent"), top_count(model));
    if (model->prompt == PROMPT_NONE)
        canvas_text(canvas, ++row, 0, cols, STYLE_DIM, "q quit");
}
