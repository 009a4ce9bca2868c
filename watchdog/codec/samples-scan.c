/* SPDX-License-Identifier: Apache-2.0 */
/* One pass over the bytes; the rows are counted first, by their brackets. */
#include "samples-scan.h"

#include <string.h>

#include "../node/summaries.h"
#include "../util/util.h"

/* So many digits are certainly no more than 2^63-1. */
#define DIGITS_MAX 18

struct scan {
    const char *p, *end;
};

static bool skip(struct scan *scan, const char *text, size_t length)
{
    if ((size_t)(scan->end - scan->p) < length || memcmp(scan->p, text, length) != 0)
        return false;
    scan->p += length;
    return true;
}

#define SKIP(scan, text) skip((scan), (text), sizeof(text) - 1)

static inline bool number(struct scan *scan, uint64_t *ret)
{
    const char *first = scan->p, *p = first;
    uint64_t value = 0;

    while (p < scan->end && *p >= '0' && *p <= '9')
        value = value * 10 + (uint64_t)(*p++ - '0');
    if (p == first || p - first > DIGITS_MAX || (*first == '0' && p - first > 1))
        return false;
    scan->p = p;
    *ret = value;
    return true;
}

/* `"srtt_us","rtt_samples"]`, each at most once. */
static bool columns(struct scan *scan, uint8_t list[static PD_COLUMN_COUNT], size_t *ret_n,
                    uint32_t *ret_columns)
{
    *ret_n = 0;
    *ret_columns = 0;
    do {
        char name[32];
        const char *quote;
        int column;

        if (!SKIP(scan, "\""))
            return false;
        quote = memchr(scan->p, '"', (size_t)(scan->end - scan->p));
        if (!quote || (size_t)(quote - scan->p) >= sizeof(name))
            return false;
        *(char *)mempcpy(name, scan->p, (size_t)(quote - scan->p)) = '\0';
        column = column_find(name);
        if (column < 0 || *ret_columns & (1u << column))
            return false;
        *ret_columns |= 1u << column;
        list[(*ret_n)++] = (uint8_t)column;
        scan->p = quote + 1;
    } while (SKIP(scan, ","));
    return SKIP(scan, "]");
}

/* From behind its bracket. */
static inline bool row(struct scan *scan, const uint8_t *list, size_t n, struct sample_row *ret)
{
    if (!number(scan, &ret->conn))
        return false;
    memset(&ret->row, 0xff, sizeof(ret->row)); /* PD_UNKNOWN */
    for (size_t i = 0; i < n; i++)
        if (!SKIP(scan, ",") || (!number(scan, &ret->row.v[list[i]]) && !SKIP(scan, "null")))
            return false;
    return SKIP(scan, "]");
}

static size_t count(const struct scan *scan, char c)
{
    size_t n = 0;

    for (const char *p = scan->p; (p = memchr(p, c, (size_t)(scan->end - p))) != NULL; p++)
        n++;
    return n;
}

bool samples_scan(const char *line, size_t length, struct arena *arena, struct event *ret)
{
    struct scan scan = {line, line + length};
    uint8_t list[PD_COLUMN_COUNT];
    struct sample_row *rows;
    size_t n_columns, n_rows;

    *ret = (struct event){.type = EVENT_SAMPLES};
    if (!SKIP(&scan, "{\"t\":") || !number(&scan, &ret->now_us) || !SKIP(&scan, ",\"rt\":") ||
        !number(&scan, &ret->realtime_us) || !SKIP(&scan, ",\"event\":\"samples\",\"columns\":[") ||
        !columns(&scan, list, &n_columns, &ret->samples.columns) || !SKIP(&scan, ",\"rows\":["))
        return false;
    n_rows = count(&scan, '[');
    rows = arena_new(arena, n_rows, sizeof(*rows));
    for (size_t i = 0; i < n_rows; i++)
        if ((i && !SKIP(&scan, ",")) || !SKIP(&scan, "[") || !row(&scan, list, n_columns, &rows[i]))
            return false;
    ret->samples.rows = rows;
    ret->samples.n_rows = n_rows;
    if (!SKIP(&scan, "]}"))
        return false;
    return scan.p == scan.end || (SKIP(&scan, "\n") && scan.p == scan.end);
}
