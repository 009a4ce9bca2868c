/* SPDX-License-Identifier: Apache-2.0 */
#include "canvas.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "../../util/format.h"
#include "../../util/printable.h"
#include "../../util/utf8.h"
#include "../../util/util.h"

#define SIDE_MOST 1000 /* no terminal has more, whatever it says */

static int bounded(int side)
{
    return side < 1 ? 1 : side > SIDE_MOST ? SIDE_MOST : side;
}

void canvas_init(struct canvas *canvas, int rows, int cols, bool utf8)
{
    *canvas = (struct canvas){.rows = bounded(rows), .cols = bounded(cols), .utf8 = utf8};
    canvas->cells = memory_new((size_t)canvas->rows * (size_t)canvas->cols, sizeof(*canvas->cells));
    for (int row = 0; row < canvas->rows; row++)
        canvas_bar(canvas, row, STYLE_PLAIN);
}

void canvas_clear(struct canvas *canvas)
{
    free(canvas->cells);
    *canvas = (struct canvas){0};
}

struct cell *canvas_at(const struct canvas *canvas, int row, int col)
{
    if (row < 0 || col < 0 || row >= canvas->rows || col >= canvas->cols)
        return NULL;
    return &canvas->cells[(size_t)row * (size_t)canvas->cols + (size_t)col];
}

void canvas_put(struct canvas *canvas, int row, int col, uint8_t style, uint32_t c)
{
    struct cell *cell = canvas_at(canvas, row, col);

    if (cell)
        *cell = (struct cell){.c = c, .style = style};
}

void canvas_bar(struct canvas *canvas, int row, uint8_t style)
{
    for (int col = 0; col < canvas->cols; col++)
        canvas_put(canvas, row, col, style, ' ');
}

void canvas_select(struct canvas *canvas, int row)
{
    for (int col = 0; col < canvas->cols; col++) {
        struct cell *cell = canvas_at(canvas, row, col);

        if (cell)
            cell->style |= STYLE_SELECTED;
    }
}

/* ---- text ---- */

/* What stands for a character where there is only ASCII. */
static const char *in_ascii(uint32_t c)
{
    switch (c) {
    case 0x2192: /* → */
        return "->";
    case 0x2026: /* … */
        return "...";
    case 0xd7: /* × */
        return "x";
    case 0xb7: /* · */
        return ".";
    case 0xb5: /* µ */
        return "u";
    default:
        return "?";
    }
}

/* The next character of `*text`, which moves behind it; its columns are 0 for a mark, 1 or 2.
 * False: the end. */
static bool next(const char **text, bool utf8, uint32_t *ret_c, int *ret_columns)
{
    size_t length = utf8_decode(*text, strnlen(*text, 4), ret_c);
    int columns;

    if (!**text)
        return false;
    if (!length || !character_is_shown(*ret_c)) {
        *text += length ? length : 1;
        *ret_c = '?';
        *ret_columns = 1;
        return true;
    }
    *text += length;
    columns = *ret_c < 0x80 || !utf8 ? 1 : wcwidth((wchar_t)*ret_c);
    *ret_columns = columns < 0 ? 1 : columns;
    if (columns < 0) /* the locale does not know it */
        *ret_c = '?';
    return true;
}

/* Where a text is written, and what is left of its place. */
struct pen {
    struct canvas *canvas; /* NULL: it is only measured */
    int row, col, used;
    uint8_t style;
};

static void pen_mark(const struct pen *pen, uint32_t c)
{
    struct cell *cell = pen->canvas ? canvas_at(pen->canvas, pen->row, pen->col - 1) : NULL;

    if (cell && !cell->c) /* on top of a wide one */
        cell = canvas_at(pen->canvas, pen->row, pen->col - 2);
    for (size_t i = 0; cell && i < CELL_MARKS; i++)
        if (!cell->marks[i]) {
            cell->marks[i] = c;
            return;
        }
}

static void pen_put(struct pen *pen, uint32_t c, int columns)
{
    for (int i = 0; i < columns; i++) {
        if (pen->canvas)
            canvas_put(pen->canvas, pen->row, pen->col, pen->style, i ? 0 : c);
        pen->col++;
        pen->used++;
    }
}

/* Returns false: there was no room for it. */
static bool pen_character(struct pen *pen, bool utf8, uint32_t c, int columns, int width)
{
    if (utf8 || c < 0x80) {
        if (pen->used + columns > width)
            return false;
        if (columns)
            pen_put(pen, c, columns);
        else if (pen->used)
            pen_mark(pen, c);
        return true;
    }
    if (!columns)
        return true;
    for (const char *s = in_ascii(c); *s; s++) {
        if (pen->used >= width)
            return false;
        pen_put(pen, (unsigned char)*s, 1);
    }
    return true;
}

static bool pen_text(struct pen *pen, bool utf8, int width, const char *text)
{
    uint32_t c;
    int columns;

    while (next(&text, utf8, &c, &columns))
        if (!pen_character(pen, utf8, c, columns, width))
            return false;
    return true;
}

int canvas_width(const struct canvas *canvas, const char *text)
{
    struct pen pen = {0};

    pen_text(&pen, canvas->utf8, 0x7fff, text);
    return pen.used;
}

int canvas_text(struct canvas *canvas, int row, int col, int width, uint8_t style, const char *text)
{
    struct pen pen = {.canvas = canvas, .row = row, .col = col, .style = style};

    if (width > canvas->cols - col)
        width = canvas->cols - col;
    if (width <= 0)
        return 0;
    if (canvas_width(canvas, text) <= width) {
        pen_text(&pen, canvas->utf8, width, text);
        return pen.used;
    }
    pen_text(&pen, canvas->utf8, width - 1, text);
    while (pen.used < width - 1)
        pen_put(&pen, ' ', 1);
    pen_put(&pen, canvas->utf8 ? 0x2026 : '~', 1);
    return pen.used;
}

void canvas_right(struct canvas *canvas, int row, int col, int width, uint8_t style,
                  const char *text)
{
    int used = canvas_width(canvas, text);

    canvas_text(canvas, row, col + (used < width ? width - used : 0), width, style, text);
}

int canvas_print(struct canvas *canvas, int row, int col, int width, uint8_t style,
                 const char *format, ...)
{
    va_list arguments;
    char *text;
    int used;

    va_start(arguments, format);
    text = string_vformat(format, arguments);
    va_end(arguments);
    used = canvas_text(canvas, row, col, width, style, text);
    free(text);
    return used;
}

/* ---- to be read ---- */

static size_t encode(char *out, uint32_t c)
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

char *canvas_row(const struct canvas *canvas, int row)
{
    char *text = memory_new((size_t)canvas->cols * 4 * (1 + CELL_MARKS) + 1, 1);
    size_t length = 0;

    for (int col = 0; col < canvas->cols; col++) {
        const struct cell *cell = canvas_at(canvas, row, col);

        if (!cell || !cell->c)
            continue;
        length += encode(text + length, cell->c);
        for (size_t i = 0; i < CELL_MARKS && cell->marks[i]; i++)
            length += encode(text + length, cell->marks[i]);
    }
    while (length && text[length - 1] == ' ')
        length--;
    text[length] = '\0';
    return text;
}
