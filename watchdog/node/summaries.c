/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rows of summaries. No allocation of its own per row: `batch` grows to the
 * largest line and stays.
 */
#include "summaries.h"

#include <errno.h>

#include "../util/util.h"
#include "jsonrpc.h"

#define ROWS_KEPT 4096 /* more are freed after use: a line has 256, by good custom */

static const char *const names[PD_COLUMN_COUNT] = {
    [PD_SRTT_US] = "srtt_us",
    [PD_LATEST_RTT_US] = "latest_rtt_us",
    [PD_MIN_RTT_US] = "min_rtt_us",
    [PD_RTTVAR_US] = "rttvar_us",
    [PD_RTT_SAMPLES] = "rtt_samples",
    [PD_CWND_BYTES] = "cwnd_bytes",
    [PD_IN_FLIGHT_BYTES] = "in_flight_bytes",
    [PD_CONGESTED] = "congested",
    [PD_IN_RECOVERY] = "in_recovery",
    [PD_PTO_COUNT] = "pto_count",
    [PD_BYTES_SENT] = "bytes_sent",
    [PD_BYTES_RECEIVED] = "bytes_received",
    [PD_PACKETS_LOST] = "packets_lost",
    [PD_SEND_ERRORS] = "send_errors",
    [PD_SILENT_MS] = "silent_ms",
    [PD_UNACKED_MS] = "unacked_ms",
    [PD_UNACKED_BYTES] = "unacked_bytes",
    [PD_ACKED_BYTES] = "acked_bytes",
    [PD_PACKETS_SENT] = "packets_sent",
    [PD_PTO_US] = "pto_us",
    [PD_LEASE_MS] = "lease_ms",
    [PD_LEASE_SENT_BYTES] = "lease_sent_bytes",
    [PD_LEASE_RECEIVED_BYTES] = "lease_received_bytes",
    [PD_LEASE_BYTES] = "lease_bytes",
};

const char *column_name(enum pd_column column)
{
    return (size_t)column < PD_COLUMN_COUNT ? names[column] : "?";
}

int column_find(const char *name)
{
    for (int i = 0; i < PD_COLUMN_COUNT; i++) {
        if (!strcmp(names[i], name))
            return i;
    }
    return -1;
}

/* Where in a row the known columns are. */
struct layout {
    size_t n_columns;
    size_t conn;
    size_t n_known;
    struct {
        size_t place;
        enum pd_column column;
    } known[PD_COLUMN_COUNT];
};

static int layout_read(const json_t *columns, struct layout *ret, uint32_t *ret_columns)
{
    const json_t *name;
    bool has_conn = false;
    size_t place;

    *ret = (struct layout){.n_columns = json_array_size(columns)};
    *ret_columns = 0;
    json_array_foreach(columns, place, name)
    {
        const char *text = json_string_value(name);
        int column;

        if (!text || strlen(text) != json_string_length(name))
            continue;
        if (!strcmp(text, "conn")) {
            ret->conn = has_conn ? ret->conn : place;
            has_conn = true;
            continue;
        }
        column = column_find(text);
        if (column < 0 || *ret_columns & (1u << column))
            continue;
        *ret_columns |= 1u << column;
        ret->known[ret->n_known].place = place;
        ret->known[ret->n_known++].column = (enum pd_column)column;
    }
    return has_conn ? 0 : -EPROTO;
}

static bool is_flag(enum pd_column column)
{
    return column == PD_CONGESTED || column == PD_IN_RECOVERY;
}

static uint64_t cell_value(const json_t *cell, enum pd_column column)
{
    json_int_t value;

    if (is_flag(column) && json_is_boolean(cell))
        return json_is_true(cell);
    if (!json_is_integer(cell))
        return PD_UNKNOWN;
    value = json_integer_value(cell);
    if (value < 0 || (uint64_t)value > (is_flag(column) ? 1 : CONN_MAX))
        return PD_UNKNOWN;
    return (uint64_t)value;
}

/* Returns NULL, or why the row is skipped. */
static const char *row_read(const json_t *row, const struct layout *layout, struct sample_row *ret)
{
    if (!json_is_array(row))
        return "is not an array";
    if (json_array_size(row) != layout->n_columns)
        return "is not as long as the columns";
    ret->conn = conn_value(json_array_get(row, layout->conn));
    if (!ret->conn)
        return "has no conn from 1 to 2^53-1";
    for (size_t i = 0; i < PD_COLUMN_COUNT; i++)
        ret->row.v[i] = PD_UNKNOWN;
    for (size_t i = 0; i < layout->n_known; i++)
        ret->row.v[layout->known[i].column] =
            cell_value(json_array_get(row, layout->known[i].place), layout->known[i].column);
    return NULL;
}

void summaries_begin(struct summaries *batch)
{
    if (batch->capacity > ROWS_KEPT)
        summaries_clear(batch);
    batch->n_rows = 0;
    batch->columns = 0;
    batch->bad_rows = 0;
    batch->first_bad = 0;
    batch->bad_why = NULL;
}

static int problem_set(struct problem *problem, const char *member, const char *what)
{
    *problem = (struct problem){.member = member, .what = what};
    return -EPROTO;
}

int summaries_params(const json_t *params, struct summaries *batch, struct problem *problem)
{
    const json_t *columns = json_object_get(params, "columns");
    const json_t *rows = json_object_get(params, "rows"), *row;
    struct layout layout;
    size_t i;

    summaries_begin(batch);
    if (!json_is_object(params))
        return problem_set(problem, "params", "is not an object");
    if (!json_is_array(columns))
        return problem_set(problem, "columns", "is not an array");
    if (!json_is_array(rows))
        return problem_set(problem, "rows", "is not an array");
    if (layout_read(columns, &layout, &batch->columns))
        return problem_set(problem, "columns", "has no \"conn\"");
    batch->rows =
        array_reserve(batch->rows, &batch->capacity, json_array_size(rows), sizeof(*batch->rows));
    json_array_foreach(rows, i, row)
    {
        const char *why = row_read(row, &layout, &batch->rows[batch->n_rows]);

        if (!why)
            batch->n_rows++;
        else if (!batch->bad_rows++) {
            batch->first_bad = i;
            batch->bad_why = why;
        }
    }
    return 0;
}

int summaries_decode(const char *line, size_t length, struct summaries *batch)
{
    struct message message;
    struct problem problem;
    char why[128];
    int r = message_parse(line, length, &message, why, sizeof(why));

    summaries_begin(batch);
    if (r < 0)
        return r;
    r = -EPROTO;
    if (message.type == MESSAGE_NOTIFICATION && message.method_length == 9 &&
        !strcmp(message.method, "summaries"))
        r = summaries_params(message.params, batch, &problem);
    message_clear(&message);
    return r;
}

void summaries_clear(struct summaries *batch)
{
    free(batch->rows);
    *batch = (struct summaries){0};
}
