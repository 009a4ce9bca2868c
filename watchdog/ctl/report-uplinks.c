/* SPDX-License-Identifier: Apache-2.0 */
/* What happened to each uplink. */
#include "report-uplinks.h"

#include <stdio.h>
#include <string.h>

#include "history.h"

static json_t *row_of(json_t *rows, const char *unit, const char *uplink)
{
    char key[512];
    json_t *row;

    snprintf(key, sizeof(key), "%s\n%s", unit, uplink);
    row = json_object_get(rows, key);
    if (row)
        return row;
    row = json_pack("{s:s?,s:s,s:{},s:i,s:i,s:n}", "unit", *unit ? unit : NULL, "uplink", uplink,
                    "changes", "moves", 0, "failed", 0, "last");
    json_object_set_new(rows, key, row);
    return row;
}

static void add(json_t *counts, const char *name)
{
    json_object_set_new(counts, name, json_integer((json_int_t)record_number(counts, name) + 1));
}

/* A change of the uplink. */
static void take_change(json_t *row, const json_t *record)
{
    add(json_object_get(row, "changes"), record_word(record, "change"));
    json_object_set_new(row, "last",
                        json_pack("{s:s,s:s,s:I}", "change", record_word(record, "change"),
                                  "reason", record_word(record, "reason"), "time_us",
                                  (json_int_t)record_number(record, "time_us")));
}

/* A move to it, or one that failed. */
static void take_outcome(json_t *row, const json_t *record)
{
    const char *outcome = record_word(record, "outcome");

    if (!strcmp(outcome, "migrated") || !strcmp(outcome, "reconnected"))
        add(row, "moves");
    else if (!record_proves_nothing(outcome))
        add(row, "failed");
}

void report_take_uplink(json_t *rows, const char *unit, const json_t *record)
{
    const char *kind = record_word(record, "record"), *target = record_word(record, "target");

    if (!strcmp(kind, "uplink"))
        take_change(row_of(rows, unit, record_word(record, "uplink")), record);
    else if (!strcmp(kind, "outcome") && *target)
        take_outcome(row_of(rows, unit, target), record);
}

json_t *report_uplinks(const json_t *rows)
{
    json_t *list = json_array(), *row;
    const char *key;

    json_object_foreach((json_t *)rows, key, row) json_array_append(list, row);
    return list;
}
