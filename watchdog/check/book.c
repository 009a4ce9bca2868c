/* SPDX-License-Identifier: Apache-2.0 */
/* Connections and rows, as told; what does not fit becomes a fault. */
#include "book.h"

#include <inttypes.h>

#include "../node/decode.h"
#include "../util/buffer.h"
#include "../util/format.h"

/* More than any node has: an endless list must not take all memory. */
#define BOOK_MAX (1u << 19)
/* Each is compared with all before it. */
#define COLUMNS_MAX 1024u

/* Those of a row that only grow while the connection lives. */
static const char *const counters[] = {"bytes_sent", "bytes_received", "packets_lost",
                                       "acked_bytes", "packets_sent"};

void book_session(struct book *book)
{
    book->session++;
    book->complete = false;
    book->greatest = book->greatest_now;
}

void book_complete(struct book *book)
{
    book->complete = true;
}

struct entry *book_find(const struct book *book, uint64_t conn)
{
    char key[DECIMAL_MAX + 1];
    const json_t *place;

    snprintf(key, sizeof(key), "%" PRIu64, conn);
    place = json_object_get(book->index, key);
    return place ? &book->entries[json_integer_value(place)] : NULL;
}

bool book_is_up(const struct book *book, const struct entry *entry)
{
    return entry->state == ENTRY_UP && entry->session == book->session;
}

size_t book_count(const struct book *book)
{
    size_t n = 0;

    for (size_t i = 0; i < book->n_entries; i++)
        n += book_is_up(book, &book->entries[i]);
    return n;
}

static struct entry *entry_new(struct book *book, uint64_t conn, const char *peer)
{
    char key[DECIMAL_MAX + 1];
    struct entry *entry;

    if (!book->index)
        book->index = memory_check(json_object());
    book->entries =
        array_reserve(book->entries, &book->capacity, book->n_entries + 1, sizeof(*book->entries));
    snprintf(key, sizeof(key), "%" PRIu64, conn);
    json_object_set_new(book->index, key, json_integer((json_int_t)book->n_entries));
    entry = &book->entries[book->n_entries++];
    *entry = (struct entry){.conn = conn, .peer = string_copy(peer)};
    return entry;
}

/* Of two conns of one name the greater is the live one, whichever is told first. */
static void name_take(struct book *book, struct entry *entry)
{
    const json_t *other_conn;
    struct entry *other;

    if (!book->names)
        book->names = memory_check(json_object());
    other_conn = json_object_get(book->names, entry->peer);
    other = other_conn ? book_find(book, (uint64_t)json_integer_value(other_conn)) : NULL;
    if (other && other->state == ENTRY_UP)
        (other->conn < entry->conn ? other : entry)->state = ENTRY_REPLACED;
    if (!other || other->conn < entry->conn)
        json_object_set_new(book->names, entry->peer, json_integer((json_int_t)entry->conn));
}

struct entry *book_up(struct book *book, struct report *report, uint64_t conn, const char *peer)
{
    struct entry *entry = book_find(book, conn);
    uint64_t before = book->complete ? book->greatest_now : book->greatest;

    report_seen(report, CHECK_CONN_NAME);
    report_seen(report, CHECK_CONN_AGAIN);
    report_seen(report, CHECK_CONN_GROWS);
    if (entry && !string_equal(entry->peer, peer))
        report_fault(report, CHECK_CONN_NAME, "conn %" PRIu64 " is reported as %s, before as %s",
                     conn, peer, entry->peer);
    if (entry && entry->state == ENTRY_DOWN)
        report_fault(report, CHECK_CONN_AGAIN,
                     "conn %" PRIu64 " is reported up again after its peer_down", conn);
    if (!entry && conn < before)
        report_fault(report, CHECK_CONN_GROWS,
                     "conn %" PRIu64 " is new, although %" PRIu64 " was reported before", conn,
                     before);
    report_seen(report, CHECK_SNAPSHOT_FIRST);
    if (entry && entry->state == ENTRY_UP && entry->session != book->session && book->complete)
        report_fault(report, CHECK_SNAPSHOT_FIRST,
                     "conn %" PRIu64 " was up before, but is reported after the answer", conn);
    if (!entry && book->n_entries >= BOOK_MAX) {
        report_fault(report, CHECK_CONN_GROWS, "more than %u connections are reported", BOOK_MAX);
        return NULL;
    }
    if (!entry) {
        entry = entry_new(book, conn, peer);
        name_take(book, entry);
    }
    if (entry->session != book->session)
        entry->rows = 0;
    entry->session = book->session;
    entry->up_at = ++book->clock;
    book->greatest_now = max_u64(book->greatest_now, conn);
    return entry;
}

/* Is it known in this session? Before the snapshot is complete nobody can say. */
static struct entry *known(struct book *book, struct report *report, enum check check,
                           const char *what, uint64_t conn)
{
    struct entry *entry = book_find(book, conn);
    bool here = entry && entry->session == book->session && entry->state != ENTRY_DOWN;

    report_seen(report, check);
    if (!here && book->complete)
        report_fault(report, check, "%s of conn %" PRIu64 ", which is not up", what, conn);
    return here ? entry : NULL;
}

struct entry *book_path(struct book *book, struct report *report, const char *method, uint64_t conn)
{
    return known(book, report, CHECK_CONN_KNOWN, method, conn);
}

void book_down(struct book *book, struct report *report, uint64_t conn)
{
    struct entry *entry = known(book, report, CHECK_CONN_KNOWN, "peer_down", conn);

    if (!entry)
        return;
    entry->state = ENTRY_DOWN;
    entry->down_at = ++book->clock;
}

void entry_set_local(struct entry *entry, const char *local)
{
    free(entry->local);
    entry->local = string_copy(local);
}

/* ---- summaries ---- */

static int place_of(const json_t *columns, const char *name)
{
    const json_t *column;
    size_t i;

    json_array_foreach(columns, i,
                       column) if (string_equal(json_string_value(column), name)) return (int)i;
    return -1;
}

static bool any_of(const json_t *columns, const char *a, const char *b, const char *c)
{
    return place_of(columns, a) >= 0 || place_of(columns, b) >= 0 || place_of(columns, c) >= 0;
}

static char *columns_text(const json_t *columns)
{
    return memory_check(json_dumps(columns, JSON_COMPACT));
}

/* Returns whether the rows can be read by them. */
static bool columns_lint(struct book *book, struct report *report, const json_t *columns)
{
    CLEANUP_FREE char *text = NULL;
    const json_t *column;
    size_t i;

    report_seen(report, CHECK_COLUMNS);
    if (!json_is_array(columns)) {
        report_fault(report, CHECK_COLUMNS, "\"columns\" is not an array");
        return false;
    }
    if (json_array_size(columns) > COLUMNS_MAX) {
        report_fault(report, CHECK_COLUMNS, "there are %zu; at most %u are looked at",
                     json_array_size(columns), COLUMNS_MAX);
        return false;
    }
    json_array_foreach(columns, i, column)
    {
        if (!json_is_string(column))
            report_fault(report, CHECK_COLUMNS, "column %zu is not a string", i);
        else if (place_of(columns, json_string_value(column)) < (int)i)
            report_fault(report, CHECK_COLUMNS, "column %s appears twice",
                         json_string_value(column));
    }
    if (place_of(columns, "conn") < 0) {
        report_fault(report, CHECK_COLUMNS, "the column conn is missing");
        return false;
    }
    report_seen(report, CHECK_COLUMNS_PROGRESS);
    if (!any_of(columns, "rtt_samples", "bytes_received", "silent_ms"))
        report_fault(report, CHECK_COLUMNS_PROGRESS,
                     "none of these columns is reported: no connection can be found dead");
    report_seen(report, CHECK_COLUMNS_OUTSTANDING);
    if (!any_of(columns, "in_flight_bytes", "pto_count", "bytes_sent"))
        report_fault(report, CHECK_COLUMNS_OUTSTANDING,
                     "none of these columns is reported: no connection can be found dead");
    report_seen(report, CHECK_COLUMNS_SAME);
    text = columns_text(columns);
    if (book->columns && strcmp(book->columns, text))
        report_fault(report, CHECK_COLUMNS_SAME, "%s, before %s", text, book->columns);
    if (!book->columns)
        book->columns = string_copy(text);
    return true;
}

static void value_lint(struct report *report, const char *column, uint64_t conn,
                       const json_t *value)
{
    bool flag = string_equal(column, "congested") || string_equal(column, "in_recovery");
    json_int_t number = json_integer_value(value);
    CLEANUP_FREE char *text = NULL;

    report_seen(report, CHECK_VALUES);
    if (json_is_null(value) || (flag && json_is_boolean(value)))
        return;
    if (json_is_integer(value) && number >= 0 && number <= (flag ? 1 : (json_int_t)CONN_MAX))
        return;
    text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    report_fault(report, CHECK_VALUES, "%s of conn %" PRIu64 " is %.80s", column, conn,
                 text ? text : "not readable");
}

static void counters_lint(struct report *report, struct entry *entry, const json_t *columns,
                          const json_t *row)
{
    int place = place_of(columns, "rtt_samples");
    const json_t *value = place < 0 ? NULL : json_array_get(row, (size_t)place);

    entry->sampled = json_is_integer(value);
    if (entry->sampled)
        entry->rtt_samples = (uint64_t)json_integer_value(value);
    for (size_t i = 0; i < ARRAY_SIZE(counters); i++) {
        place = place_of(columns, counters[i]);
        value = place < 0 ? NULL : json_array_get(row, (size_t)place);
        if (!json_is_integer(value) || json_integer_value(value) < 0)
            continue;
        if (entry->counted) {
            report_seen(report, CHECK_COUNTERS);
            if ((uint64_t)json_integer_value(value) < entry->counters[i])
                report_fault(report, CHECK_COUNTERS,
                             "%s of conn %" PRIu64 " is %" JSON_INTEGER_FORMAT ", before %" PRIu64,
                             counters[i], entry->conn, json_integer_value(value),
                             entry->counters[i]);
        }
        entry->counters[i] = (uint64_t)json_integer_value(value);
    }
    entry->counted = true;
}

/* Returns whether both are there, as integers. */
static bool both_of(const json_t *columns, const json_t *row, const char *a, const char *b,
                    json_int_t ret[static 2])
{
    int places[] = {place_of(columns, a), place_of(columns, b)};

    for (int i = 0; i < 2; i++) {
        const json_t *value = places[i] < 0 ? NULL : json_array_get(row, (size_t)places[i]);

        if (!json_is_integer(value))
            return false;
        ret[i] = json_integer_value(value);
    }
    return true;
}

/* lease_bytes is the least of both directions, where those are told as well. */
static void lease_lint(struct report *report, uint64_t conn, const json_t *columns,
                       const json_t *row)
{
    static const char *const directions[] = {"lease_sent_bytes", "lease_received_bytes"};
    json_int_t v[2];

    for (size_t i = 0; i < ARRAY_SIZE(directions); i++) {
        if (!both_of(columns, row, "lease_bytes", directions[i], v))
            continue;
        report_seen(report, CHECK_AGREE);
        if (v[0] > v[1])
            report_fault(report, CHECK_AGREE,
                         "conn %" PRIu64 " has lease_bytes %" JSON_INTEGER_FORMAT
                         " and %s %" JSON_INTEGER_FORMAT ": it is the least of both directions",
                         conn, v[0], directions[i], v[1]);
    }
}

/* What cannot both be true, whatever happens to the connection. */
static void agree_lint(struct report *report, uint64_t conn, const json_t *columns,
                       const json_t *row)
{
    json_int_t v[2];

    if (both_of(columns, row, "unacked_bytes", "unacked_ms", v)) {
        report_seen(report, CHECK_AGREE);
        if (!v[0] && v[1])
            report_fault(report, CHECK_AGREE,
                         "conn %" PRIu64 " has unacked_bytes 0 and unacked_ms %" JSON_INTEGER_FORMAT
                         ": where nothing is unacknowledged it is 0",
                         conn, v[1]);
    }
    if (both_of(columns, row, "packets_sent", "packets_lost", v)) {
        report_seen(report, CHECK_AGREE);
        if (v[0] < v[1])
            report_fault(report, CHECK_AGREE,
                         "conn %" PRIu64 " has packets_sent %" JSON_INTEGER_FORMAT
                         " and packets_lost %" JSON_INTEGER_FORMAT ": more than were sent",
                         conn, v[0], v[1]);
    }
    if (both_of(columns, row, "pto_us", "srtt_us", v)) {
        report_seen(report, CHECK_AGREE);
        if (v[0] < v[1])
            report_fault(report, CHECK_AGREE,
                         "conn %" PRIu64 " has pto_us %" JSON_INTEGER_FORMAT
                         " and srtt_us %" JSON_INTEGER_FORMAT
                         ": a probe timeout is longer than the RTT (RFC 9002 section 6.2.1)",
                         conn, v[0], v[1]);
    }
    lease_lint(report, conn, columns, row);
}

static void row_lint(struct book *book, struct report *report, const json_t *columns, size_t at,
                     const json_t *row, uint64_t rows_max)
{
    struct entry *entry;
    const json_t *value;
    uint64_t conn;
    size_t i;

    report_seen(report, CHECK_ROWS);
    if (!json_is_array(row)) {
        report_fault(report, CHECK_ROWS, "row %zu is not an array", at);
        return;
    }
    if (json_array_size(row) != json_array_size(columns)) {
        report_fault(report, CHECK_ROWS, "row %zu has %zu values for %zu columns", at,
                     json_array_size(row), json_array_size(columns));
        return;
    }
    conn = conn_value(json_array_get(row, (size_t)place_of(columns, "conn")));
    if (!conn) {
        report_fault(report, CHECK_ROWS, "row %zu has no conn from 1 to 2^53-1", at);
        return;
    }
    json_array_foreach(row, i, value)
        value_lint(report, json_string_value(json_array_get(columns, i)), conn, value);
    entry = known(book, report, CHECK_ROWS_KNOWN, "a row", conn);
    if (!entry)
        return;
    report_seen(report, CHECK_ROWS_ONCE);
    if (entry->line == book->n_summaries)
        report_fault(report, CHECK_ROWS_ONCE, "conn %" PRIu64 " has two rows", conn);
    entry->line = book->n_summaries;
    if (++entry->rows > rows_max)
        report_fault(report, CHECK_PUSH,
                     "conn %" PRIu64 " has %" PRIu64 " rows on one connection, too many for the "
                     "requests and the time",
                     conn, entry->rows);
    counters_lint(report, entry, columns, row);
    agree_lint(report, conn, columns, row);
}

uint64_t book_summaries(struct book *book, struct report *report, const json_t *params,
                        uint64_t rows_max)
{
    const json_t *columns = json_object_get(params, "columns");
    const json_t *rows = json_object_get(params, "rows"), *row;
    size_t i;

    book->n_summaries++;
    if (!json_is_array(rows))
        report_fault(report, CHECK_ROWS, "\"rows\" is not an array");
    if (!columns_lint(book, report, columns))
        return json_array_size(rows);
    json_array_foreach(rows, i, row) row_lint(book, report, columns, i, row, rows_max);
    return json_array_size(rows);
}

void book_clear(struct book *book)
{
    for (size_t i = 0; i < book->n_entries; i++) {
        free(book->entries[i].peer);
        free(book->entries[i].local);
    }
    free(book->entries);
    free(book->columns);
    json_decref(book->index);
    json_decref(book->names);
    *book = (struct book){0};
}
