/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every line that the scanner of summaries takes, jansson must take too, with the
 * same columns and rows, none of them bad: then there is nothing to be noticed
 * either. Most random lines are refused by both at once; so the input is the line
 * itself, or a recipe for lines that are nearly right.
 */
#include <errno.h>
#include <stdio.h>

#include "node/summaries-scan.h"
#include "util/buffer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- a recipe: each byte a choice ---- */

struct recipe {
    const uint8_t *data;
    size_t size;
};

static unsigned choose(struct recipe *recipe, unsigned n)
{
    if (!recipe->size)
        return 0;
    recipe->size--;
    return *recipe->data++ % n;
}

/* Mostly nothing, now and then one byte that should not be there. */
static void stray(struct recipe *recipe, struct buffer *line)
{
    static const char bytes[] = " \t,[]{}:\"0-.e\\n\r\x01\x7f\x80\xc3";

    if (choose(recipe, 64) == 63)
        buffer_append(line, &bytes[choose(recipe, sizeof(bytes))], 1);
}

static void piece(struct recipe *recipe, struct buffer *line, const char *text)
{
    stray(recipe, line);
    if (choose(recipe, 128) != 127)
        buffer_text(line, text);
}

static void cell(struct recipe *recipe, struct buffer *line)
{
    static const char *const odd[] = {
        "null",
        "true",
        "false",
        "-1",
        "01",
        "1.5",
        "1e2",
        "\"1\"",
        "[]",
        "{}",
        "[1]",
        "{\"a\":1}",
        "9007199254740991",
        "9007199254740992",
        "9999999999999999",
        "10000000000000000",
        "9223372036854775807",
        "9223372036854775808",
        "99999999999999999999999",
        "-0",
        "0.0",
        "\"\\u0000\"",
        "nul",
        "",
        "00",
        "1E400",
    };
    unsigned kind = choose(recipe, 16);

    if (kind == 0) {
        piece(recipe, line, odd[choose(recipe, ARRAY_SIZE(odd))]);
        return;
    }
    if (kind < 5) {
        buffer_u64(line, choose(recipe, 4));
        return;
    }
    for (unsigned i = choose(recipe, kind < 14 ? 9 : 18) + 1; i-- > 0;) {
        char digit = (char)('0' + choose(recipe, 10));

        buffer_append(line, &digit, 1);
    }
}

static void row(struct recipe *recipe, struct buffer *line, unsigned n_columns)
{
    unsigned n = n_columns;

    if (choose(recipe, 32) == 31)
        n = choose(recipe, 40);
    piece(recipe, line, "[");
    for (unsigned i = 0; i < n; i++) {
        if (i)
            piece(recipe, line, ",");
        cell(recipe, line);
    }
    piece(recipe, line, "]");
}

static void column(struct recipe *recipe, struct buffer *line)
{
    static const char *const odd[] = {
        "\"\"", "\"new\"", "7", "null", "\"c\\u006fnn\"", "\"\xc3\xa4\"", "\"\\u0000\"", "\"a b\"",
    };
    unsigned kind = choose(recipe, PD_COLUMN_COUNT + 1 + ARRAY_SIZE(odd));

    if (kind > PD_COLUMN_COUNT) {
        piece(recipe, line, odd[kind - PD_COLUMN_COUNT - 1]);
        return;
    }
    buffer_text(line, "\"");
    buffer_text(line, kind ? column_name((enum pd_column)(kind - 1)) : "conn");
    piece(recipe, line, "\"");
}

/* Returns how many columns it has. */
static unsigned head_make(struct recipe *recipe, struct buffer *head)
{
    unsigned n_columns = choose(recipe, 8) ? choose(recipe, 6) : choose(recipe, 40);

    buffer_clear(head);
    piece(recipe, head, "{\"jsonrpc\":\"2.0\",\"method\":\"summaries\",");
    piece(recipe, head, "\"params\":{\"columns\":[");
    if (choose(recipe, 16))
        buffer_text(head, "\"conn\"");
    else
        column(recipe, head);
    for (unsigned i = 0; i < n_columns; i++) {
        piece(recipe, head, ",");
        column(recipe, head);
    }
    piece(recipe, head, "],\"rows\":[");
    return n_columns + 1;
}

static void line_make(struct recipe *recipe, const struct buffer *head, unsigned n_columns,
                      struct buffer *line)
{
    buffer_append(line, buffer_bytes(head), head->length);
    for (unsigned i = 0, n_rows = choose(recipe, 6); i < n_rows; i++) {
        if (i)
            piece(recipe, line, ",");
        row(recipe, line, n_columns);
    }
    piece(recipe, line, "]}}");
    stray(recipe, line);
}

/* ---- the comparison ---- */

static void differ(const char *what, const char *line, size_t length)
{
    fprintf(stderr, "scanner and jansson differ: %s\n%.*s\n", what, (int)length, line);
    abort();
}

/* Given just the bytes: one beyond them is found by AddressSanitizer. */
static void compare(struct summaries_scan *scan, const char *line, size_t length)
{
    struct summaries taken = {0}, wanted = {0};
    char *copy = memory_new(length, 1);

    memcpy(copy, line, length);
    if (summaries_scan(scan, copy, length, &taken)) {
        if (summaries_decode(copy, length, &wanted))
            differ("jansson refuses", line, length);
        if (wanted.bad_rows || taken.bad_rows)
            differ("a row is bad", line, length);
        if (taken.columns != wanted.columns)
            differ("columns", line, length);
        if (taken.n_rows != wanted.n_rows)
            differ("number of rows", line, length);
        if (taken.n_rows && memcmp(taken.rows, wanted.rows, taken.n_rows * sizeof(*taken.rows)))
            differ("values", line, length);
    }
    summaries_clear(&taken);
    summaries_clear(&wanted);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct recipe recipe = {data, size};
    struct summaries_scan scan = {0}; /* its memory of columns is part of what is tested */
    struct buffer head = {0};
    unsigned n_columns = 0;

    if (!size)
        return 0;
    if (choose(&recipe, 4) == 0) {
        compare(&scan, (const char *)recipe.data, recipe.size);
        return 0;
    }
    for (unsigned i = 0; i < 6 && recipe.size; i++) {
        struct buffer line = {0};

        if (!n_columns || choose(&recipe, 3) == 0)
            n_columns = head_make(&recipe, &head);
        line_make(&recipe, &head, n_columns, &line);
        compare(&scan, buffer_bytes(&line), line.length);
        buffer_clear(&line);
    }
    buffer_clear(&head);
    return 0;
}
