/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One pass over the bytes, no allocation but for a batch that must grow. Every
 * doubt is a "no": a number with a sign, a fraction or a leading zero, a flag of
 * 2, a column told twice, a row that is short.
 */
#include "summaries-scan.h"

#include <endian.h>

#include "../util/util.h"

/* Numbers of up to 16 digits are read by two loads of 8 bytes; nearer to the
 * line's end than this they are read byte by byte. */
#define LOAD_BYTES 16

/* Where the value of a place goes: conn first, then the columns, then those that
 * nobody knows. */
enum cell {
    CELL_CONN,
    CELL_COLUMN,
    CELL_IGNORED = CELL_COLUMN + PD_COLUMN_COUNT,
    CELL_COUNT,
};

static const char begin[] =
    "{\"jsonrpc\":\"2.0\",\"method\":\"summaries\",\"params\":{\"columns\":[";
static const char middle[] = "],\"rows\":[";
static const char close[] = "}}";

#define LENGTH(text) (sizeof(text) - 1)

static bool starts_with(const char *p, const char *end, const char *text, size_t length)
{
    return (size_t)(end - p) >= length && !memcmp(p, text, length);
}

/* ---- columns ---- */

/* A name without escapes, from behind its quote to the closing one. NULL: none. */
static const char *name_scan(const char *p, const char *end, char name[static 32])
{
    size_t n = 0;

    for (; p < end && *p != '"'; p++) {
        if (*p < 0x20 || *p > 0x7e || *p == '\\')
            return NULL;
        if (n < 31)
            name[n++] = *p;
    }
    name[n] = '\0';
    return p < end ? p : NULL;
}

static bool column_take(struct summaries_scan *scan, const char *name, bool *has_conn)
{
    int column = column_find(name);

    if (scan->n_places == SCAN_COLUMNS_MAX)
        return false;
    if (!strcmp(name, "conn")) {
        if (*has_conn)
            return false;
        *has_conn = true;
        scan->cells[scan->n_places++] = CELL_CONN;
        return true;
    }
    if (column < 0) {
        scan->cells[scan->n_places++] = CELL_IGNORED;
        return true;
    }
    if (scan->columns & (1u << column))
        return false;
    scan->columns |= 1u << column;
    scan->cells[scan->n_places++] = (uint8_t)(CELL_COLUMN + column);
    return true;
}

/* Reads what stands before the rows. Returns where they begin, or NULL. */
static const char *head_scan(struct summaries_scan *scan, const char *line, const char *end)
{
    const char *p = line + LENGTH(begin);
    bool has_conn = false;
    char name[32];

    scan->head_length = 0;
    scan->n_places = 0;
    scan->columns = 0;
    memset(scan->lengths, 1, sizeof(scan->lengths));
    if (!starts_with(line, end, begin, LENGTH(begin)))
        return NULL;
    for (;;) {
        if (p == end || *p != '"')
            return NULL;
        p = name_scan(p + 1, end, name);
        if (!p || !column_take(scan, name, &has_conn))
            return NULL;
        p++;
        if (p == end || *p != ',')
            break;
        p++;
    }
    if (!has_conn || !starts_with(p, end, middle, LENGTH(middle)))
        return NULL;
    p += LENGTH(middle);
    if ((size_t)(p - line) > SCAN_HEAD_MAX)
        return NULL;
    scan->head_length = (size_t)(p - line);
    memcpy(scan->head, line, scan->head_length);
    return p;
}

/* ---- numbers ---- */

static const uint32_t powers[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000};

/* 8 bytes, each digit as its value; the first is the lowest. */
static inline uint64_t word_load(const char *p)
{
    uint64_t word;

    memcpy(&word, p, sizeof(word));
    return le64toh(word) ^ UINT64_C(0x3030303030303030);
}

/* The high bit of each byte that is no digit: right up to the first of them,
 * which is all that counts. */
static inline uint64_t word_others(uint64_t word)
{
    return ((word + UINT64_C(0x7676767676767676)) | word) & UINT64_C(0x8080808080808080);
}

/* The value of the first `n` digits, 1 … 8: pairs, then pairs of pairs, then those. */
static inline uint64_t word_value(uint64_t word, unsigned n)
{
    word <<= 64 - 8 * n;
    word = word * 10 + (word >> 8);
    return ((word & UINT64_C(0x000000ff000000ff)) * UINT64_C(0x000f424000000064) +
            (word >> 16 & UINT64_C(0x000000ff000000ff)) * UINT64_C(0x0000271000000001)) >>
           32;
}

/* The digits at the front of 8 bytes: how many, and their value. */
static inline unsigned digits_scan(const char *p, uint64_t *ret_value)
{
    uint64_t word = word_load(p), others = word_others(word);
    unsigned n = others ? (unsigned)__builtin_ctzll(others) / 8 : 8;

    if (n)
        *ret_value = word_value(word, n);
    return n;
}

static const char *number_scan_slowly(const char *p, const char *end, uint64_t *ret_value)
{
    const char *first = p;
    uint64_t value = 0;

    for (; p < end && *p >= '0' && *p <= '9'; p++) {
        if (p - first == 16)
            return NULL;
        value = value * 10 + (uint64_t)(*p - '0');
    }
    *ret_value = value;
    return p > first ? p : NULL;
}

/* Returns what stands behind the number, or NULL where there is none that is
 * certainly an integer from 0 to 2^53-1. */
static inline const char *number_scan(const char *p, const char *end, uint64_t *ret_value)
{
    const char *first = p;

    if (end - p <= LOAD_BYTES) {
        p = number_scan_slowly(p, end, ret_value);
        if (!p)
            return NULL;
    } else {
        unsigned n = digits_scan(p, ret_value);

        if (!n)
            return NULL;
        p += n;
        if (n == 8) {
            uint64_t low = 0;

            n = digits_scan(p, &low);
            *ret_value = *ret_value * powers[n] + low;
            p += n;
        }
    }
    if ((*first == '0' && p - first > 1) || *ret_value > CONN_MAX)
        return NULL;
    return p;
}

/* ---- rows ---- */

static bool is_flag(enum cell cell)
{
    return cell == CELL_COLUMN + PD_CONGESTED || cell == CELL_COLUMN + PD_IN_RECOVERY;
}

/* What is no number: null, or the truth of a flag. */
static const char *word_scan(const char *p, const char *end, enum cell cell, uint64_t *ret_value)
{
    if (cell == CELL_CONN)
        return NULL;
    *ret_value = PD_UNKNOWN;
    if (starts_with(p, end, "null", 4))
        return p + 4;
    if (!is_flag(cell))
        return NULL;
    *ret_value = starts_with(p, end, "true", 4);
    if (*ret_value)
        return p + 4;
    return starts_with(p, end, "false", 5) ? p + 5 : NULL;
}

/* Is it as long as the cell above? Mostly; and where that is known beforehand, the
 * processor need not wait for one number to find the next. */
static inline const char *cell_scan(struct summaries_scan *scan, const char *p, const char *end,
                                    size_t place, uint64_t cells[static CELL_COUNT])
{
    enum cell cell = scan->cells[place];
    const char *behind;

    if (end - p > LOAD_BYTES) {
        uint64_t word = word_load(p);
        unsigned n = scan->lengths[place];

        if (word_others(word) << (56 - 8 * n) == UINT64_C(1) << 63 && ((word & 0xff) || n == 1)) {
            cells[cell] = word_value(word, n);
            return p + n;
        }
    }
    behind = number_scan(p, end, &cells[cell]);
    if (!behind)
        return word_scan(p, end, cell, &cells[cell]);
    if (behind - p < 8)
        scan->lengths[place] = (uint8_t)(behind - p);
    return behind;
}

/* From behind a row's bracket to behind the closing one. */
static inline const char *row_scan(struct summaries_scan *scan, const char *p, const char *end,
                                   struct sample_row *ret_row)
{
    uint64_t cells[CELL_COUNT];

    for (size_t i = 0; i < CELL_COUNT; i++)
        cells[i] = PD_UNKNOWN;
    for (size_t place = 0; place < scan->n_places; place++) {
        p = cell_scan(scan, p, end, place, cells);
        if (!p || p == end || *p != (place + 1 < scan->n_places ? ',' : ']'))
            return NULL;
        p++;
    }
    /* PD_UNKNOWN is 0 when one is added. */
    if (cells[CELL_COLUMN + PD_CONGESTED] + 1 > 2 || cells[CELL_COLUMN + PD_IN_RECOVERY] + 1 > 2 ||
        !cells[CELL_CONN])
        return NULL;
    ret_row->conn = cells[CELL_CONN];
    memcpy(ret_row->row.v, &cells[CELL_COLUMN], sizeof(ret_row->row.v));
    return p;
}

bool summaries_scan(struct summaries_scan *scan, const char *line, size_t length,
                    struct summaries *batch)
{
    const char *end = line + length, *p;

    if (scan->head_length && starts_with(line, end, scan->head, scan->head_length))
        p = line + scan->head_length;
    else
        p = head_scan(scan, line, end);
    if (!p)
        return false;
    summaries_begin(batch);
    batch->columns = scan->columns;
    while (p < end && *p == '[') {
        batch->rows =
            array_reserve(batch->rows, &batch->capacity, batch->n_rows + 1, sizeof(*batch->rows));
        p = row_scan(scan, p + 1, end, &batch->rows[batch->n_rows]);
        if (!p)
            return false;
        batch->n_rows++;
        if (p == end || *p != ',')
            break;
        p++;
        if (p == end || *p != '[')
            return false;
    }
    return p < end && *p == ']' && (size_t)(end - p - 1) == LENGTH(close) &&
           !memcmp(p + 1, close, LENGTH(close));
}
