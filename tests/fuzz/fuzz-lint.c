/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as what a node sends to pathdog-node-check, after hello and subscribe were asked. Each
 * fault has a reason, which a terminal can show.
 */
#include "fuzz.h"

#include "check/checker.h"
#include "util/printable.h"

static void feed(struct checker *checker, struct client *client, const char *bytes, size_t length)
{
    const char *line;
    size_t n;

    lines_feed(&client->lines, bytes, length);
    while (lines_next(&client->lines, &line, &n) > 0)
        lint_line(checker, client, line, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct checker checker = {0};
    struct asked asked[4] = {{.sent_us = 1}, {.sent_us = 1}, {.sent_us = 1, .flood = true}};
    struct client client = {.fd = -1, .first_id = 1, .asked = asked, .n_asked = 3};
    const json_t *result;

    client.subscribe_id = 2;
    client.greeted = true;
    book_session(&checker.book);
    feed(&checker, &client, (const char *)data, size);
    for (size_t i = 0; i < client.n_asked; i++) {
        result = json_object_get(asked[i].answer, "result");
        if (result)
            lint_hello(&checker, result);
        json_decref(asked[i].answer);
    }
    MUST(book_count(&checker.book) <= checker.book.n_entries);
    report_finish(&checker.report, "the end");
    for (size_t i = 0; i < CHECK_COUNT; i++) {
        const char *why = checker.report.results[i].why;

        MUST(!checker.report.results[i].faults || why);
        MUST(!why || text_is_printable(why, strlen(why)));
    }
    free(checker.boot);
    free(checker.node);
    free(checker.implementation);
    lines_clear(&client.lines);
    book_clear(&checker.book);
    report_clear(&checker.report);
    return 0;
}
