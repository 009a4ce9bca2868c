/* SPDX-License-Identifier: Apache-2.0 */
/* Records, and what fills the whole screen: help, an explanation, all records. */
#include <stdio.h>
#include <string.h>

#include "../../util/format.h"
#include "../../util/utf8.h"
#include "../../util/util.h"
#include "../members.h"
#include "../tone.h"
#include "layout.h"
#include "lines.h"

#define WORD_COLS    11
#define SUBJECT_COLS 24
#define HANGING_MOST 24

static uint8_t tone_style(const char *word)
{
    static const uint8_t styles[] = {[TONE_NEUTRAL] = STYLE_PLAIN,
                                     [TONE_GOOD] = STYLE_GOOD,
                                     [TONE_REFUSED] = STYLE_LOOK,
                                     [TONE_BAD] = STYLE_BAD};

    return styles[tone_of(word)];
}

/* Time, word and peer; returns where the reason begins. */
static int draw_record_head(const struct top_model *model, struct canvas *canvas, int row,
                            const struct record_line *line)
{
    int col = 1, used;
    const char *word = line->word;

    col += canvas_text(canvas, row, col, 8, faded(model, STYLE_DIM), line->time) + 1;
    canvas_text(canvas, row, col, WORD_COLS, faded(model, tone_style(word)), word);
    col += WORD_COLS + 1;
    used = canvas_text(canvas, row, col,
                       canvas->cols / 3 < SUBJECT_COLS ? canvas->cols / 3 : SUBJECT_COLS,
                       faded(model, STYLE_BOLD), line->subject);
    return col + used + 2;
}

/* "1-12 of 10000" */
static const char *peers_in_sight(const struct top_model *model, char text[static 48])
{
    int n = (int)json_array_size(model->peers), last = model->offset + model->page;

    snprintf(text, 48, "%d-%d of %llu", n ? model->offset + 1 : 0, last < n ? last : n,
             (unsigned long long)top_count(model));
    return text;
}

void draw_records(const struct top_model *model, struct canvas *canvas, struct area area)
{
    char place[80], sight[48];

    canvas_bar(canvas, area.row, STYLE_HEAD);
    if (model->paused && model->n_missed)
        canvas_print(canvas, area.row, 1, canvas->cols - 1, STYLE_HEAD,
                     "LAST DECISIONS  %llu more since the pause",
                     (unsigned long long)model->n_missed);
    else
        canvas_text(canvas, area.row, 1, canvas->cols - 1, STYLE_HEAD, "LAST DECISIONS");
    snprintf(place, sizeof(place), "peers %s, by %s", peers_in_sight(model, sight),
             top_sort(model));
    canvas_right(canvas, area.row, canvas->cols / 2, canvas->cols / 2 - 1, STYLE_DIM, place);
    for (int i = 0; i < area.rows - 1; i++) {
        const json_t *record = json_array_get(model->records, (size_t)i);
        struct record_line line;
        int col;

        if (!record)
            break;
        line = record_line(record);
        col = draw_record_head(model, canvas, area.row + 1 + i, &line);
        canvas_text(canvas, area.row + 1 + i, col, canvas->cols - col, faded(model, STYLE_PLAIN),
                    line.why);
        free(line.why);
    }
    if (!json_array_size(model->records) && model->status)
        canvas_text(canvas, area.row + 1, 1, canvas->cols - 1, STYLE_DIM,
                    "none yet in this run of pathdog");
}

/* ---- panes ---- */

/* Lines that are drawn only where they are in sight. */
struct pane {
    struct top_model *model;
    struct canvas *canvas;
    struct area area;
    int line; /* so many came so far */
};

static int pane_row(const struct pane *pane)
{
    int at = pane->line - pane->model->text_offset;

    return at >= 0 && at < pane->area.rows ? pane->area.row + at : -1;
}

/* How many bytes fit into `width`, to a blank if there is one in the second half. */
static size_t fitting(const struct canvas *canvas, const char *text, int width)
{
    size_t fits = 0, blank = 0;
    char piece[8];
    int used = 0;

    while (text[fits]) {
        size_t length = utf8_length(text + fits, strnlen(text + fits, 4));

        length = length ? length : 1;
        snprintf(piece, sizeof(piece), "%.*s", (int)length, text + fits);
        used += canvas_width(canvas, piece);
        if (used > width)
            break;
        if (text[fits] == ' ' && used > width / 2)
            blank = fits;
        fits += length;
    }
    if (!text[fits])
        return fits;
    return blank ? blank : fits ? fits : 1;
}

/* A text from column `col` on in as many lines as it takes, of which the first has begun. */
static void pane_text(struct pane *pane, int col, int indent, uint8_t style, const char *text)
{
    do {
        int width = pane->canvas->cols - col;
        size_t length = fitting(pane->canvas, text, width > 0 ? width : 1);
        char *piece = string_format("%.*s", (int)length, text);

        canvas_text(pane->canvas, pane_row(pane), col, width, style, piece);
        free(piece);
        text += length;
        text += strspn(text, " ");
        col = indent;
        pane->line++;
    } while (*text);
}

/* Where the lines go on that a long one is broken into: under what stands beside its heading, or a
 * little to the right. */
static int hanging(const char *line)
{
    size_t blanks = strspn(line, " ");
    const char *gap = strstr(line + blanks, "  ");
    size_t column = gap ? (size_t)(gap - line) + strspn(gap, " ") : 0;

    if (column && column <= HANGING_MOST)
        return 1 + (int)column;
    return blanks <= HANGING_MOST ? 1 + (int)blanks + (blanks ? 0 : 2) : 3;
}

static void pane_lines(struct pane *pane, const char *text)
{
    while (*text) {
        size_t length = strcspn(text, "\n");
        char *line = string_format("%.*s", (int)length, text);

        pane_text(pane, 1, hanging(line), faded(pane->model, STYLE_PLAIN), line);
        free(line);
        text += length + (text[length] == '\n');
    }
}

static void pane_records(struct pane *pane)
{
    for (size_t i = 0; i < json_array_size(pane->model->records); i++) {
        struct record_line line = record_line(json_array_get(pane->model->records, i));
        int col = draw_record_head(pane->model, pane->canvas, pane_row(pane), &line);

        pane_text(pane, col, 10 + WORD_COLS + 1, faded(pane->model, STYLE_PLAIN), line.why);
        free(line.why);
    }
    if (!pane->line)
        pane_text(pane, 1, 1, STYLE_DIM, "no decision has been made in this run of pathdog");
}

static const char help[] =
    "Up Down PgUp PgDn Home End  the peers; also k j g G\n"
    "e  Enter  why this peer was or was not moved\n"
    "d         the last decisions, outcomes and effects, in full\n"
    "h         hold this peer: asks for how long; only operators move it then\n"
    "r         release this peer\n"
    "m         move this peer: asks where to, and whether to do it\n"
    "/         peers with this in their names; a glob with * ? [ ]; Esc: all\n"
    "s         sort by another: worst, silent, rtt, name, age\n"
    "p  Space  pause: the screen stands still\n"
    "Ctrl-L    draw everything again\n"
    "q         quit; Esc: back\n"
    "\n"
    "STATE   silent, gone, unseen, untold: bad; moving, new and idle pass\n"
    "SRTT    in brackets: out of date\n"
    "RTT     the newest at the right, of each row that came while the peer was in sight; "
    "the lowest RTT is the lowest bar, eight times that the highest; a dot: none that is new\n"
    "The first 256 peers are listed. \"man pathdogctl\" says more.\n";

void draw_pane(struct top_model *model, struct canvas *canvas, struct area area)
{
    struct pane pane = {.model = model, .canvas = canvas, .area = {area.row + 1, area.rows - 1}};
    const char *subject =
        model->view == VIEW_EXPLAIN ? clean(model->explained, strlen(model->explained)) : "";
    static const char *const titles[] = {
        [VIEW_DECISIONS] = "LAST DECISIONS", [VIEW_EXPLAIN] = "EXPLAIN ", [VIEW_HELP] = "KEYS"};

    canvas_bar(canvas, area.row, STYLE_HEAD);
    if (model->view == VIEW_DECISIONS)
        pane_records(&pane);
    else if (model->view == VIEW_HELP)
        pane_lines(&pane, help);
    else
        pane_lines(&pane, model->text ? model->text : "waiting for the answer");
    model->text_lines = pane.line;
    model->text_page = pane.area.rows;
    if (model->text_offset && model->text_offset > pane.line - pane.area.rows)
        model->text_offset = pane.line > pane.area.rows ? pane.line - pane.area.rows : 0;
    canvas_print(canvas, area.row, 1, canvas->cols - 16, STYLE_HEAD, "%s%s", titles[model->view],
                 subject);
    if (pane.line > pane.area.rows) {
        char text[64];

        snprintf(text, sizeof(text), "%d-%d of %d", model->text_offset + 1,
                 model->text_offset + pane.area.rows, pane.line);
        canvas_right(canvas, area.row, canvas->cols - 16, 15, STYLE_HEAD, text);
    }
}
