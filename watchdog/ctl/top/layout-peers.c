/* SPDX-License-Identifier: Apache-2.0 */
/* The table of peers. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "../../util/util.h"
#include "../members.h"
#include "../peers-order.h"
#include "layout.h"
#include "lines.h"

#define STATE_COLS  6
#define SILENT_COLS 7
#define SRTT_COLS   9 /* in brackets */
#define NOTES_COLS  10
#define SPARK_LEAST 6
#define SPARK_WIDE  48

/* Where the columns begin, and how wide they are; 0: it is left out. */
struct columns {
    int peer, state, silent, srtt, spark, uplink, notes;
    int spark_at, uplink_at, notes_at;
};

static const char *uplink_of(const json_t *peer)
{
    return text_of(peer, has(peer, "uplink") ? "uplink" : "interface");
}

/* The widest of those that are shown, within bounds. */
static int widest(const struct canvas *canvas, const struct top_model *model, int rows,
                  const char *(*text)(const json_t *peer), int least, int most)
{
    int width = least;

    for (int i = 0; i < rows; i++) {
        int place = model->offset + i;
        const json_t *peer = json_array_get(model->peers, (size_t)place);
        int w = peer ? canvas_width(canvas, text(peer)) : 0;

        width = w > width ? w : width;
    }
    return width < most ? width : most;
}

static const char *name_of(const json_t *peer)
{
    return text_of(peer, "peer");
}

/* What there is no room for goes from the right. */
static struct columns columns_of(const struct canvas *canvas, const struct top_model *model,
                                 int rows)
{
    struct columns columns = {.state = STATE_COLS, .silent = SILENT_COLS, .srtt = SRTT_COLS};
    int left = canvas->cols - 1 - STATE_COLS - SILENT_COLS - SRTT_COLS - 3;

    columns.peer = widest(canvas, model, rows, name_of, 8, canvas->cols / 3);
    left -= columns.peer;
    if (left >= SPARK_LEAST + 2 + 8) {
        columns.uplink = widest(canvas, model, rows, uplink_of, 6, 12);
        left -= columns.uplink + 2;
    }
    if (left >= SPARK_LEAST + 2 + NOTES_COLS + 2) {
        columns.notes = NOTES_COLS;
        left -= NOTES_COLS + 1;
    }
    if (left >= SPARK_LEAST + 2)
        columns.spark = left - 2 < SPARK_WIDE ? left - 2 : SPARK_WIDE;
    columns.spark_at = 1 + columns.peer + 1 + STATE_COLS + 1 + SILENT_COLS + 1 + SRTT_COLS + 2;
    columns.uplink_at = columns.spark_at + (columns.spark ? columns.spark + 2 : 0);
    columns.notes_at = columns.uplink_at + columns.uplink + 1;
    if (columns.notes)
        columns.notes = canvas->cols - columns.notes_at;
    return columns;
}

static void draw_heading(const struct top_model *model, struct canvas *canvas, int row,
                         const struct columns *columns)
{
    uint8_t style = STYLE_HEAD;
    int col = 1;

    canvas_bar(canvas, row, style);
    canvas_text(canvas, row, col, columns->peer, style, "PEER");
    col += columns->peer + 1;
    canvas_text(canvas, row, col, STATE_COLS, style, "STATE");
    col += STATE_COLS + 1;
    canvas_right(canvas, row, col, SILENT_COLS, style, "SILENT");
    col += SILENT_COLS + 1;
    canvas_right(canvas, row, col, SRTT_COLS, style, "SRTT ");
    if (columns->spark)
        canvas_right(canvas, row, columns->spark_at, columns->spark, style, "RTT");
    if (columns->uplink)
        canvas_text(canvas, row, columns->uplink_at, columns->uplink, style,
                    json_array_size(model->uplinks) ? "UPLINK" : "OVER");
    if (columns->notes)
        canvas_text(canvas, row, columns->notes_at, columns->notes, style, "NOTES");
}

static uint8_t state_style(const json_t *peer)
{
    static const uint8_t styles[] = {STYLE_BAD,  STYLE_BAD,   STYLE_BAD, STYLE_BAD,
                                     STYLE_LOOK, STYLE_PLAIN, STYLE_DIM, STYLE_GOOD};
    size_t bad = peers_badness(peer);

    return bad < ARRAY_SIZE(styles) ? styles[bad] : STYLE_PLAIN;
}

/* What is from before the last sign of life is in brackets. */
static void draw_srtt(const struct top_model *model, struct canvas *canvas, int row, int col,
                      const json_t *peer)
{
    bool old = peers_badness(peer) <= BADNESS_BAD_MOST || number_of(peer, "silent_us");
    char span[SHORT_SIZE], text[SHORT_SIZE + 3];

    short_span_of(span, peer, "srtt_us");
    if (old && has(peer, "srtt_us"))
        snprintf(text, sizeof(text), "(%s)", span);
    else
        snprintf(text, sizeof(text), "%s ", span);
    canvas_right(canvas, row, col, SRTT_COLS, faded(model, old ? STYLE_DIM : STYLE_PLAIN), text);
}

/* The newest at the right. */
static void draw_spark(const struct top_model *model, struct canvas *canvas, int row,
                       const struct columns *columns, const json_t *peer)
{
    uint8_t levels[SPARK_MOST];
    size_t most = columns->spark < (int)SPARK_MOST ? (size_t)columns->spark : SPARK_MOST;
    size_t n = spark_levels(sparks_find(&model->sparks, number_of(peer, "conn"), name_of(peer)),
                            most, levels);

    for (size_t i = 0; i < n; i++) {
        uint8_t style = !levels[i]       ? STYLE_DIM
                        : levels[i] >= 7 ? STYLE_BAD
                        : levels[i] >= 4 ? STYLE_LOOK
                                         : STYLE_GOOD;

        canvas_put(canvas, row, columns->spark_at + columns->spark - (int)n + (int)i,
                   faded(model, style), spark_glyph(levels[i], canvas->utf8));
    }
}

static void note(char *notes, size_t size, const char *before, const char *text)
{
    size_t length = strlen(notes);

    snprintf(notes + length, size - length, "%s%s%s", length ? " " : "", before, text);
}

static void draw_notes(const struct top_model *model, struct canvas *canvas, int row,
                       const struct columns *columns, const json_t *peer)
{
    char notes[160] = "";

    if (flag_of(peer, "held"))
        note(notes, sizeof(notes), "", "held");
    if (has(peer, "move"))
        note(notes, sizeof(notes), "", text_of(peer, "move"));
    if (has(peer, "via"))
        note(notes, sizeof(notes), "via ", text_of(peer, "via"));
    if (!flag_of(peer, "migratable") && !strcmp(text_of(peer, "role"), "client"))
        note(notes, sizeof(notes), "", "unmigratable");
    canvas_text(canvas, row, columns->notes_at, columns->notes, faded(model, STYLE_LOOK), notes);
}

static void draw_peer(const struct top_model *model, struct canvas *canvas, int row,
                      const struct columns *columns, const json_t *peer)
{
    uint8_t state = faded(model, state_style(peer)), plain = faded(model, STYLE_PLAIN);
    char span[SHORT_SIZE];
    int col = 1;

    canvas_text(canvas, row, col, columns->peer, faded(model, STYLE_BOLD), name_of(peer));
    col += columns->peer + 1;
    canvas_text(canvas, row, col, STATE_COLS, state, text_of(peer, "condition"));
    col += STATE_COLS + 1;
    canvas_right(canvas, row, col, SILENT_COLS, plain,
                 number_of(peer, "silent_us") ? short_span_of(span, peer, "silent_us") : "-");
    col += SILENT_COLS + 1;
    draw_srtt(model, canvas, row, col, peer);
    if (columns->spark)
        draw_spark(model, canvas, row, columns, peer);
    if (columns->uplink)
        canvas_text(canvas, row, columns->uplink_at, columns->uplink, plain, uplink_of(peer));
    if (columns->notes)
        draw_notes(model, canvas, row, columns, peer);
}

/* Why there is none. */
static void draw_none(const struct top_model *model, struct canvas *canvas, int row)
{
    const json_t *node = json_object_get(model->status, "node");

    if (!model->peers || !model->status)
        return;
    if (*model->filter)
        canvas_print(canvas, row, 1, canvas->cols - 1, STYLE_DIM,
                     "no peer matches \"%s\": / changes the filter, Esc ends it",
                     clean(model->filter, strlen(model->filter)));
    else if (!strcmp(text_of(node, "state"), "up"))
        canvas_text(canvas, row, 1, canvas->cols - 1, STYLE_DIM, "the node has no connections");
    else
        canvas_text(canvas, row, 1, canvas->cols - 1, STYLE_DIM,
                    "the node has told of no peers yet");
}

static void scroll(struct top_model *model, int rows)
{
    int n = (int)json_array_size(model->peers);

    model->page = rows > 0 ? rows : 1;
    if (model->cursor < model->offset)
        model->offset = model->cursor;
    if (model->cursor >= model->offset + rows)
        model->offset = model->cursor - rows + 1;
    if (model->offset > n - rows)
        model->offset = n - rows;
    if (model->offset < 0)
        model->offset = 0;
}

void draw_peers(struct top_model *model, struct canvas *canvas, struct area area)
{
    int rows = area.rows - 1, shown = 0;
    struct columns columns;

    scroll(model, rows);
    columns = columns_of(canvas, model, rows);
    draw_heading(model, canvas, area.row, &columns);
    for (; shown < rows; shown++) {
        int place = model->offset + shown;
        const json_t *peer = json_array_get(model->peers, (size_t)place);

        if (!peer)
            break;
        draw_peer(model, canvas, area.row + 1 + shown, &columns, peer);
        if (place == model->cursor)
            canvas_select(canvas, area.row + 1 + shown);
    }
    if (!shown)
        draw_none(model, canvas, area.row + 1);
}
