/* SPDX-License-Identifier: Apache-2.0 */
/* Lines as they should be, cut as nobody expects; and lines as they should not be. */
#include <inttypes.h>

#include "../util/buffer.h"
#include "../util/format.h"
#include "checker.h"

#define LINES_AT_ONCE 1000

static bool all_answered(struct client *client, uint64_t n_answers)
{
    return client->n_answers >= n_answers;
}

/* What the node must pass over without a word: the next answer says that it did. */
static void ignored(struct checker *checker, struct client *client)
{
    static const char lines[] =
        "{\"jsonrpc\":\"2.0\",\"method\":\"x-node-check\",\"params\":{\"a\":1}}\n"
        "{\"jsonrpc\":\"2.0\",\"method\":\"cancel\",\"params\":{\"id\":999999}}\n"
        "{\"jsonrpc\":\"2.0\",\"id\":999999,\"result\":{}}\n"
        "{\"jsonrpc\":\"2.0\",\"id\":\"x\",\"error\":{\"code\":-32601,\"message\":\"no\"}}\n";
    const struct asked *answer;
    char text[64];

    (void)client_write(checker, client, lines, sizeof(lines) - 1, false);
    answer = client_call(checker, client, METHOD_NOBODY, NULL);
    expect(checker, CHECK_IGNORED, answer, "%s after a notification and an answer of pathdog",
           answer_text(answer, text));
    expect(checker, CHECK_IGNORED, !client->n_strange,
           "the node answered the notification or the answer");
    report_done(&checker->report, CHECK_IGNORED);
}

static void split_lines(struct checker *checker, struct client *client)
{
    uint64_t id = client_next_id(client, false);
    CLEANUP_FREE char *line = string_format(
        "{\"jsonrpc\":\"2.0\",\"id\":%" PRIu64 ",\"method\":\"" METHOD_NOBODY "\"}\n", id);
    const struct asked *answer;
    char text[64];

    for (const char *byte = line; *byte && !client->ended; byte++) {
        if (client_write(checker, client, byte, 1, false) < 0 || !client_drained(checker, client))
            break;
    }
    answer = client_wait(checker, client, id);
    expect(checker, CHECK_SPLIT_LINES, answer, "%s", answer_text(answer, text));
    report_done(&checker->report, CHECK_SPLIT_LINES);
}

static void one_write(struct checker *checker, struct client *client)
{
    uint64_t goal = client->n_answers + LINES_AT_ONCE;
    struct buffer lines = {0};

    for (int i = 0; i < LINES_AT_ONCE; i++) {
        buffer_text(&lines, "{\"jsonrpc\":\"2.0\",\"id\":");
        buffer_u64(&lines, client_next_id(client, true));
        buffer_text(&lines, ",\"method\":\"" METHOD_NOBODY "\"}\n");
    }
    (void)client_write(checker, client, buffer_bytes(&lines), lines.length, false);
    buffer_clear(&lines);
    expect(checker, CHECK_ONE_WRITE,
           client_pump(checker, client, checker->timeout_us, all_answered, goal),
           "%" PRIu64 " of %d requests in one write were not answered", goal - client->n_answers,
           LINES_AT_ONCE);
    report_done(&checker->report, CHECK_ONE_WRITE);
}

static void empty_lines(struct checker *checker, struct client *client)
{
    const struct asked *answer;
    char text[64];

    (void)client_write(checker, client, "\n\n\n", 3, false);
    answer = client_call(checker, client, METHOD_NOBODY, NULL);
    expect(checker, CHECK_EMPTY_LINES, answer, "%s after empty lines", answer_text(answer, text));
    report_done(&checker->report, CHECK_EMPTY_LINES);
}

/* A request with an unknown member that makes it so long. */
static void padded(struct client *client, struct buffer *line, size_t length, uint64_t *ret_id)
{
    static const char tail[] = "\"}}\n";

    *ret_id = client_next_id(client, false);
    buffer_text(line, "{\"jsonrpc\":\"2.0\",\"id\":");
    buffer_u64(line, *ret_id);
    buffer_text(line, ",\"method\":\"" METHOD_NOBODY "\",\"params\":{\"x-padding\":\"");
    length -= line->length + sizeof(tail) - 1;
    memset(buffer_space(line, length), 'x', length);
    buffer_added(line, length);
    buffer_text(line, tail);
}

static void long_line(struct checker *checker, struct client *client)
{
    struct buffer line = {0};
    const struct asked *answer;
    char text[64];
    uint64_t id;

    padded(client, &line, LINE_MAX_BYTES, &id);
    (void)client_write(checker, client, buffer_bytes(&line), line.length, false);
    buffer_clear(&line);
    answer = client_wait(checker, client, id);
    expect(checker, CHECK_LONG_LINE, answer, "%s", answer_text(answer, text));
    report_done(&checker->report, CHECK_LONG_LINE);
}

/* What it does with it is the node's; but the next client finds it alive. */
static void overlong_line(struct checker *checker)
{
    struct buffer line = {0};
    struct client client;
    uint64_t id;

    if (!session_hello(checker, &client))
        return;
    client.end_is_fine = true;
    padded(&client, &line, LINE_MAX_BYTES + 1, &id);
    if (!client_write(checker, &client, buffer_bytes(&line), line.length, false))
        (void)client_drained(checker, &client);
    buffer_clear(&line);
    client_close(&client);
    session_alive(checker, CHECK_OVERLONG_LINE, "a line over 1 MiB");
    report_done(&checker->report, CHECK_OVERLONG_LINE);
}

static void bad_lines(struct checker *checker)
{
    static const struct {
        const char *what, *bytes;
    } bad[] = {
        {"a line that is not JSON", "rubbish\n"},
        {"a line that is not UTF-8", "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"\xff\xfe\"}\n"},
        {"a line that is an array", "[{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"hello\"}]\n"},
        {"a line that is a number", "17\n"},
        {"half an object", "{\"jsonrpc\":\"2.0\",\"id\":7\n"},
        {"a method that is not a string", "{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":{}}\n"},
        {"an empty object", "{}\n"},
    };
    struct client client;

    for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
        if (!session_hello(checker, &client))
            break;
        client.end_is_fine = true;
        if (!client_write(checker, &client, bad[i].bytes, strlen(bad[i].bytes), false))
            (void)client_drained(checker, &client);
        client_close(&client);
        if (!session_alive(checker, CHECK_BAD_LINES, bad[i].what))
            break;
    }
    report_done(&checker->report, CHECK_BAD_LINES);
}

void checks_framing(struct checker *checker)
{
    static void (*const calm[])(struct checker *, struct client *) = {
        ignored, split_lines, one_write, empty_lines, long_line};
    struct client client;

    for (size_t i = 0; i < ARRAY_SIZE(calm); i++) {
        if (!session_hello(checker, &client))
            return;
        calm[i](checker, &client);
        client_close(&client);
    }
    overlong_line(checker);
    bad_lines(checker);
}
