/* SPDX-License-Identifier: Apache-2.0 */
/* The peers and their rows: subscribe and summary. */
#include <inttypes.h>

#include "../util/buffer.h"
#include "checker.h"

/* A node that lives may tell something of its own in the middle: what must fit is tried so
 * often, and has to fit once. */
#define TRIES 4

#define CONNS_MANY 4096

/* Peers told in the snapshot of this session, by conn. */
static json_t *snapshot_of(const struct book *book)
{
    json_t *peers = memory_check(json_object());
    char key[DECIMAL_MAX + 1];

    for (size_t i = 0; i < book->n_entries; i++) {
        if (!book_is_up(book, &book->entries[i]))
            continue;
        snprintf(key, sizeof(key), "%" PRIu64, book->entries[i].conn);
        json_object_set_new(peers, key, json_string(book->entries[i].peer));
    }
    return peers;
}

/* The count in an answer, -1: there is none. */
static json_int_t count_of(const struct asked *answer, const char *name)
{
    const json_t *value =
        json_object_get(json_object_get(answer ? answer->answer : NULL, "result"), name);

    return json_is_integer(value) ? json_integer_value(value) : -1;
}

/* A request that the node answers when it has sent all that came before. */
static void settle(struct checker *checker, struct client *client)
{
    (void)client_call(checker, client, METHOD_NOBODY, NULL);
}

/* One subscription. Returns its peers, NULL: there was none; `*ret_fits`: as many as told. */
static json_t *subscribed(struct checker *checker, bool *ret_fits, json_int_t *ret_count,
                          uint64_t *ret_reported)
{
    struct client client;
    json_t *peers = NULL;

    if (!session_open(checker, &client))
        return NULL;
    *ret_count = count_of(&client.asked[1], "peers");
    *ret_reported = client.asked[1].n_ups;
    *ret_fits = *ret_count >= 0 && ((uint64_t)*ret_count == *ret_reported ||
                                    (uint64_t)*ret_count == client.asked[1].n_up);
    peers = snapshot_of(&checker->book);
    settle(checker, &client);
    client_close(&client);
    return peers;
}

void checks_snapshots(struct checker *checker)
{
    json_t *before = NULL, *peers = NULL;
    bool fits = false, fitted = false, same = false;
    json_int_t count = -1;
    uint64_t reported = 0;

    for (int i = 0; i < TRIES && !(fitted && same); i++) {
        json_decref(before);
        before = peers;
        peers = subscribed(checker, &fits, &count, &reported);
        if (!peers)
            break;
        fitted = fitted || fits;
        same = before && json_equal(before, peers);
    }
    if (peers) {
        expect(checker, CHECK_SNAPSHOT, count >= 0, "\"peers\" of the answer is not a count");
        expect(checker, CHECK_SNAPSHOT, fitted,
               "the answer counts %" JSON_INTEGER_FORMAT " peers, but %" PRIu64
               " came before the answer",
               count, reported);
    } else {
        expect(checker, CHECK_SNAPSHOT, false, "subscribe was not answered with a result");
    }
    report_done(&checker->report, CHECK_SNAPSHOT);
    if (peers) {
        expect(checker, CHECK_SNAPSHOT_AGAIN, same,
               "in %d connections one after the other, no two got the same peers", TRIES);
        report_done(&checker->report, CHECK_SNAPSHOT_AGAIN);
    }
    json_decref(before);
    json_decref(peers);
}

/* One summary of all: does its count fit, do rows come late? */
static bool summary_fits(struct checker *checker, struct client *client, json_int_t *ret_count,
                         uint64_t *ret_rows)
{
    uint64_t before = client->n_rows;
    const struct asked *answer = client_call(checker, client, "summary", NULL);

    *ret_count = count_of(answer, "rows");
    *ret_rows = answer ? answer->n_rows - before : 0;
    if (!answer)
        return false;
    settle(checker, client);
    if (*ret_count >= 0 && (uint64_t)*ret_count > *ret_rows && client->n_rows - before > *ret_rows)
        report_fault(&checker->report, CHECK_SUMMARY_ORDER,
                     "%" PRIu64 " rows came after the answer that counts them",
                     client->n_rows - before - *ret_rows);
    return *ret_count >= 0 && (uint64_t)*ret_count == *ret_rows;
}

static void summary_all(struct checker *checker, struct client *client)
{
    json_int_t count = -1;
    uint64_t rows = 0;
    bool fits = false;

    for (int i = 0; i < TRIES && !fits && !client->ended; i++)
        fits = summary_fits(checker, client, &count, &rows);
    expect(checker, CHECK_SUMMARY, count >= 0, "\"rows\" of the answer is not a count");
    expect(checker, CHECK_SUMMARY, fits,
           "the answer counts %" JSON_INTEGER_FORMAT " rows, but %" PRIu64
           " came before the answer",
           count, rows);
    report_done(&checker->report, CHECK_SUMMARY);
    if (checker->book.n_summaries)
        report_done(&checker->report, CHECK_SUMMARY_ORDER);
    else
        report_skip(&checker->report, CHECK_SUMMARY_ORDER, "the node sent no rows");
}

/* Rows of a summary of given conns; -1: no result. */
static int64_t rows_of(struct checker *checker, struct client *client, enum check check,
                       const char *params)
{
    uint64_t before = client->n_rows;
    const struct asked *answer = client_call(checker, client, "summary", params);
    char text[64];

    if (!expect(checker, check, answer && answer->type == MESSAGE_RESULT, "summary with %.60s: %s",
                params, answer_text(answer, text)) ||
        !answer)
        return -1;
    return (int64_t)(answer->n_rows - before);
}

static void summary_given(struct checker *checker, struct client *client)
{
    const struct entry *one = NULL;
    char params[64];
    int64_t rows = 2;

    for (size_t i = 0; i < checker->book.n_entries && !one; i++)
        if (book_is_up(&checker->book, &checker->book.entries[i]))
            one = &checker->book.entries[i];
    if (!one || book_count(&checker->book) < 2) {
        report_skip(&checker->report, CHECK_SUMMARY_CONNS, "the check needs two peers that are up");
    } else {
        snprintf(params, sizeof(params), "{\"conns\":[%" PRIu64 "]}", one->conn);
        for (int i = 0; i < TRIES && rows > 1 && !client->ended; i++)
            rows = rows_of(checker, client, CHECK_SUMMARY_CONNS, params);
        expect(checker, CHECK_SUMMARY_CONNS, rows <= 1, "summary with %s: %" PRId64 " rows", params,
               rows);
        report_done(&checker->report, CHECK_SUMMARY_CONNS);
    }
    rows = 1;
    snprintf(params, sizeof(params), "{\"conns\":[%" PRIu64 "]}", CONN_NOBODY);
    for (int i = 0; i < TRIES && rows > 0 && !client->ended; i++)
        rows = rows_of(checker, client, CHECK_SUMMARY_UNKNOWN, params);
    expect(checker, CHECK_SUMMARY_UNKNOWN, rows <= 0, "summary with %s: %" PRId64 " rows", params,
           rows);
    report_done(&checker->report, CHECK_SUMMARY_UNKNOWN);
}

static void summary_many(struct checker *checker, struct client *client)
{
    struct buffer params = {0};

    buffer_text(&params, "{\"conns\":[");
    for (uint64_t i = 0; i < CONNS_MANY; i++) {
        if (i)
            buffer_text(&params, ",");
        buffer_u64(&params, CONN_NOBODY - i);
    }
    buffer_append(&params, "]}", 3); /* with its NUL */
    (void)rows_of(checker, client, CHECK_SUMMARY_MANY, buffer_bytes(&params));
    report_done(&checker->report, CHECK_SUMMARY_MANY);
    buffer_clear(&params);
}

void checks_summary(struct checker *checker)
{
    struct client client;

    if (!session_open(checker, &client))
        return;
    summary_all(checker, &client);
    summary_given(checker, &client);
    summary_many(checker, &client);
    client_close(&client);
}
