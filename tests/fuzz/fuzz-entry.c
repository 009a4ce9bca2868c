/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as entries of a journal, as records, and as a history with its report. A field ends
 * with 0x1e and an entry with 0x1d: all other bytes may be in names and values.
 */
#include "fuzz.h"

#include "ctl/entry.h"
#include "ctl/report.h"

#define FIELDS_MAX 320u

static size_t split(const char *at, size_t length, struct entry_field *fields)
{
    size_t n = 0;

    while (length && n < FIELDS_MAX) {
        const char *end = memchr(at, 0x1e, length);
        size_t bytes = end ? (size_t)(end - at) : length;
        const char *equals = memchr(at, '=', bytes);

        if (equals)
            fields[n++] = (struct entry_field){.name = at,
                                               .n_name = (size_t)(equals - at),
                                               .value = equals + 1,
                                               .n_value = bytes - (size_t)(equals - at) - 1};
        bytes += end != NULL;
        at += bytes;
        length -= bytes;
    }
    return n;
}

/* As it is shown to programs, it can be read again. */
static void check(const json_t *value)
{
    char *text = json_dumps(value, JSON_COMPACT);
    json_t *again;

    MUST(text);
    again = json_loads(text, JSON_ALLOW_NUL, NULL);
    MUST(again && json_equal(value, again));
    json_decref(again);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct history history = {0};
    const char *at = (const char *)data;
    json_t *report, *units = json_object();

    while (size) {
        const char *end = memchr(at, 0x1d, size);
        size_t length = end ? (size_t)(end - at) : size;
        struct entry_field fields[FIELDS_MAX];
        json_t *record = entry_record(fields, split(at, length, fields));

        if (record) {
            check(record);
            history_add(&history, record);
        }
        length += end != NULL;
        at += length;
        size -= length;
    }
    history_order(&history);
    for (size_t i = 0; i < history.n_records; i++)
        MUST(history_has(&history, history.records[i]));
    report = report_make(&history, units);
    MUST(json_is_object(report));
    check(report);
    json_decref(report);
    json_decref(units);
    history_clear(&history);
    return 0;
}
