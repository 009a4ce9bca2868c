/* SPDX-License-Identifier: Apache-2.0 */
/* More than one client, and clients that behave badly. */
#include <errno.h>
#include <inttypes.h>

#include "../util/buffer.h"
#include "../util/clock.h"
#include "checker.h"

#define MIB UINT64_C(1048576)

/* So much output is asked for before a node that still keeps it is believed to be right:
 * how much it keeps is its own choice, above 1 MiB. */
#define FLOOD_MAX_BYTES (32 * MIB)
#define FLOOD_WRITE     256 /* requests in one write */

static bool has_ended(struct client *client, uint64_t unused)
{
    return client->ended;
}

static bool all_answered(struct client *client, uint64_t n_answers)
{
    return client->n_answers >= n_answers;
}

void check_newer_client(struct checker *checker)
{
    struct client older, newer;
    bool served;

    if (!session_open(checker, &older))
        return;
    older.end_is_fine = true;
    (void)client_ask(checker, &older, "summary", NULL); /* its answer is for the older one only */
    served = session_open(checker, &newer);
    expect(checker, CHECK_NEWER_CLIENT, served, "a second client is not served");
    if (served) {
        (void)client_call(checker, &newer, METHOD_NOBODY, NULL);
        client_close(&newer);
    }
    expect(checker, CHECK_NEWER_CLIENT,
           client_pump(checker, &older, checker->timeout_us, has_ended, 0),
           "the older connection is not closed");
    report_done(&checker->report, CHECK_NEWER_CLIENT);
    client_close(&older);
}

void check_half_line(struct checker *checker)
{
    static const char half[] = "{\"jsonrpc\":\"2.0\",\"id\":7,\"meth";
    struct client client;

    if (!session_hello(checker, &client))
        return;
    (void)client_write(checker, &client, half, sizeof(half) - 1, false);
    (void)client_drained(checker, &client);
    client_close(&client);
    session_alive(checker, CHECK_HALF_LINE, "half a line");
    report_done(&checker->report, CHECK_HALF_LINE);
}

/* Requests for so many bytes of answers, none of which is read. Returns what client_write does. */
static int flood(struct checker *checker, struct client *client, uint64_t n_bytes)
{
    uint64_t before = client->bytes_read, begin = clock_us(CLOCK_MONOTONIC), n;
    struct buffer lines = {0};
    int r = 0;

    (void)client_call(checker, client, METHOD_NOBODY, NULL);
    n = n_bytes / max_u64(client->bytes_read - before, 32);

    for (uint64_t i = 0; i < n && r == 0; i++) {
        buffer_text(&lines, "{\"jsonrpc\":\"2.0\",\"id\":");
        buffer_u64(&lines, client_next_id(client, true));
        buffer_text(&lines, ",\"method\":\"" METHOD_NOBODY "\"}\n");
        if ((i + 1) % FLOOD_WRITE && i + 1 < n)
            continue;
        r = client_write(checker, client, buffer_bytes(&lines), lines.length, true);
        buffer_take(&lines, lines.length);
        if (clock_us(CLOCK_MONOTONIC) - begin > 2 * checker->timeout_us)
            break;
        if (checker->progress && (i + 1) % (FLOOD_WRITE * 64) == 0)
            fprintf(stderr, "# slow-reader: %" PRIu64 " of %" PRIu64 " requests\n", i + 1, n);
    }
    buffer_clear(&lines);
    return r;
}

void check_output_buffer(struct checker *checker)
{
    struct client client;
    uint64_t goal;
    int r;

    if (!session_hello(checker, &client))
        return;
    r = flood(checker, &client, MIB);
    if (r == 0)
        (void)client_drained(checker, &client);
    goal = client.n_asked;
    expect(checker, CHECK_OUTPUT_BUFFER,
           r == 0 && client_pump(checker, &client, checker->timeout_us, all_answered, goal),
           "%s, with %" PRIu64 " of %zu requests answered",
           r == -ETIMEDOUT ? "the node takes no more requests while its answers are not read"
           : r < 0 || client.ended
               ? "the node closes the connection before 1 MiB of output waits to be read"
               : "answers are missing",
           client.n_answers, client.n_asked);
    report_done(&checker->report, CHECK_OUTPUT_BUFFER);
    client_close(&client);
}

void check_slow_reader(struct checker *checker)
{
    struct client client;
    int r;

    if (!session_hello(checker, &client))
        return;
    client.end_is_fine = true;
    r = flood(checker, &client, FLOOD_MAX_BYTES);
    expect(checker, CHECK_SLOW_READER, r != -ETIMEDOUT,
           "the node takes no more requests and does not close the connection: it waits for the "
           "client to read");
    session_alive(checker, CHECK_SLOW_READER, "a client that does not read");
    client_close(&client);
    report_done(&checker->report, CHECK_SLOW_READER);
}
