/* SPDX-License-Identifier: Apache-2.0 */
/* Requests that a node must answer whatever they ask for. None of them moves anything. */
#include <inttypes.h>

#include "checker.h"

static bool is_error(const struct asked *answer)
{
    return answer && answer->type == MESSAGE_ERROR;
}

static bool is_unknown_conn(const struct asked *answer)
{
    return is_error(answer) && (answer->code == -32001 || answer->code == -32002);
}

static void moves_of_nobody(struct checker *checker, struct client *client)
{
    const struct asked *answer;
    char params[192], text[64];

    snprintf(params, sizeof(params),
             "{\"conn\":%" PRIu64 ",\"timeout_ms\":1000,\"reason\":\"node-check\",\"x-new\":[1]}",
             CONN_NOBODY);
    answer = client_call(checker, client, "migrate_peer", params);
    expect(checker, CHECK_MIGRATE_UNKNOWN, is_unknown_conn(answer), "%s",
           answer_text(answer, text));
    report_done(&checker->report, CHECK_MIGRATE_UNKNOWN);
    if (checker->can_reconnect) {
        answer = client_call(checker, client, "reconnect_peer", params);
        expect(checker, CHECK_RECONNECT_UNKNOWN, is_unknown_conn(answer), "%s",
               answer_text(answer, text));
        report_done(&checker->report, CHECK_RECONNECT_UNKNOWN);
    } else {
        report_skip(&checker->report, CHECK_RECONNECT_UNKNOWN,
                    "the node does not offer the feature reconnect");
    }
    snprintf(params, sizeof(params), "{\"conn\":%" PRIu64 ",\"timeout_ms\":1000}", CONN_NOBODY);
    answer = client_call(checker, client, "migrate_peer", params);
    expect(checker, CHECK_REASON_MISSING, is_unknown_conn(answer), "without a reason, %s",
           answer_text(answer, text));
    report_done(&checker->report, CHECK_REASON_MISSING);
}

static void probe(struct checker *checker, struct client *client)
{
    const struct asked *answer;
    const json_t *result;
    char params[64], text[64];

    if (!checker->can_probe) {
        report_skip(&checker->report, CHECK_PROBE, "the node does not offer the feature probe");
        return;
    }
    snprintf(params, sizeof(params), "{\"conns\":[%" PRIu64 "]}", CONN_NOBODY);
    answer = client_call(checker, client, "probe", params);
    result = answer ? json_object_get(answer->answer, "result") : NULL;
    expect(checker, CHECK_PROBE, json_is_object(result), "%s",
           result ? "the result is not an object" : answer_text(answer, text));
    report_done(&checker->report, CHECK_PROBE);
}

/* Any connection that is up: this moves none. */
static const struct entry *any_up(const struct book *book)
{
    for (size_t i = 0; i < book->n_entries; i++)
        if (book_is_up(book, &book->entries[i]))
            return &book->entries[i];
    return NULL;
}

#define PROBE_TIMEOUT_MS 1000
#define PROBE_MAX_US     (2 * PROBE_TIMEOUT_MS * 1000) /* pathdog waits for a second more */

static void probe_path_look(struct checker *checker, uint64_t conn, const char *local,
                            const struct asked *answer)
{
    const json_t *result = answer ? json_object_get(answer->answer, "result") : NULL;
    const json_t *rtt = json_object_get(result, "rtt_us");
    const struct entry *after = book_find(&checker->book, conn);
    char text[64];

    expect(checker, CHECK_PROBE_PATH,
           is_error(answer) ? answer->code != -32601 && answer->code != -32602
                            : json_is_integer(rtt) && json_integer_value(rtt) >= 0,
           "probe_path of conn %" PRIu64 ": %s%s", conn, answer_text(answer, text),
           is_error(answer) ? "" : " without an integer \"rtt_us\" of 0 or more");
    expect(checker, CHECK_PROBE_PATH, json_integer_value(rtt) <= PROBE_MAX_US,
           "\"rtt_us\" of conn %" PRIu64 " is %" JSON_INTEGER_FORMAT
           ", longer than the probe was open",
           conn, json_integer_value(rtt));
    expect(checker, CHECK_PROBE_PATH, !after || string_equal(after->local, local),
           "conn %" PRIu64 " moved from %s to %s while its other path was probed", conn,
           local ? local : "an unknown address",
           after && after->local ? after->local : "an unknown address");
    report_done(&checker->report, CHECK_PROBE_PATH);
}

static void probe_path_nowhere(struct checker *checker, struct client *client, uint64_t conn)
{
    const struct asked *answer;
    char params[128], text[64];

    snprintf(params, sizeof(params),
             "{\"conn\":%" PRIu64 ",\"timeout_ms\":%d,\"interface\":\"%s\"}", conn,
             PROBE_TIMEOUT_MS, INTERFACE_NOBODY);
    answer = client_call(checker, client, "probe_path", params);
    if (is_error(answer) && answer->code == -32005) {
        report_skip(&checker->report, CHECK_PROBE_PATH_NOWHERE,
                    "no path to conn %" PRIu64 " can be probed from here: error -32005", conn);
        return;
    }
    expect(checker, CHECK_PROBE_PATH_NOWHERE, is_error(answer) && answer->code == -32007,
           "probe_path of conn %" PRIu64 " over \"%s\": %s", conn, INTERFACE_NOBODY,
           answer_text(answer, text));
    report_done(&checker->report, CHECK_PROBE_PATH_NOWHERE);
}

static void probe_path(struct checker *checker, struct client *client)
{
    const struct entry *entry = any_up(&checker->book);
    CLEANUP_FREE char *local = NULL;
    const struct asked *answer;
    char params[96], text[64];
    uint64_t conn;

    if (!checker->can_probe_path) {
        for (int check = CHECK_PROBE_PATH; check <= (int)CHECK_PROBE_PATH_UNKNOWN; check++)
            report_skip(&checker->report, (enum check)check,
                        "the node does not offer the feature probe_path");
        return;
    }
    snprintf(params, sizeof(params), "{\"conn\":%" PRIu64 ",\"timeout_ms\":%d}", CONN_NOBODY,
             PROBE_TIMEOUT_MS);
    answer = client_call(checker, client, "probe_path", params);
    expect(checker, CHECK_PROBE_PATH_UNKNOWN, is_unknown_conn(answer), "%s",
           answer_text(answer, text));
    report_done(&checker->report, CHECK_PROBE_PATH_UNKNOWN);
    if (!entry) {
        report_skip(&checker->report, CHECK_PROBE_PATH, "no peer is up");
        report_skip(&checker->report, CHECK_PROBE_PATH_NOWHERE, "no peer is up");
        return;
    }
    conn = entry->conn;
    local = string_copy(entry->local);
    snprintf(params, sizeof(params), "{\"conn\":%" PRIu64 ",\"timeout_ms\":%d}", conn,
             PROBE_TIMEOUT_MS);
    answer = client_call(checker, client, "probe_path", params);
    probe_path_look(checker, conn, local, answer);
    probe_path_nowhere(checker, client, conn);
}

static void bad_params(struct checker *checker, struct client *client)
{
    static const struct {
        const char *method, *params;
    } bad[] = {
        {"migrate_peer", "{\"timeout_ms\":1000}"},
        {"migrate_peer", "{\"conn\":\"x\",\"timeout_ms\":1000}"},
        {"migrate_peer", "[]"},
        {"summary", "{\"conns\":\"x\"}"},
        {"summary", "{\"conns\":[-1.5]}"},
    };
    char text[64];

    for (size_t i = 0; i < ARRAY_SIZE(bad) && !client->ended; i++) {
        const struct asked *answer = client_call(checker, client, bad[i].method, bad[i].params);

        expect(checker, CHECK_BAD_PARAMS, is_error(answer), "%s with %s: %s", bad[i].method,
               bad[i].params, answer_text(answer, text));
    }
    report_done(&checker->report, CHECK_BAD_PARAMS);
}

static void unknown_things(struct checker *checker, struct client *client)
{
    const struct asked *answer = client_call(checker, client, METHOD_NOBODY, "{\"a\":1}");
    char text[64];

    expect(checker, CHECK_UNKNOWN_METHOD, is_error(answer) && answer->code == -32601, "%s",
           answer_text(answer, text));
    report_done(&checker->report, CHECK_UNKNOWN_METHOD);
    answer = client_call(checker, client, "summary", "{\"x-new\":{\"a\":[null]}}");
    expect(checker, CHECK_UNKNOWN_PARAMS, answer && answer->type == MESSAGE_RESULT,
           "summary with params {\"x-new\":…}: %s", answer_text(answer, text));
    report_done(&checker->report, CHECK_UNKNOWN_PARAMS);
}

static void null_members(struct checker *checker, struct client *client)
{
    const struct asked *answer = client_call(checker, client, "summary", "{\"conns\":null}");
    char params[160], text[64];

    expect(checker, CHECK_NULL_MEMBERS, answer && answer->type == MESSAGE_RESULT,
           "summary with \"conns\":null: %s", answer_text(answer, text));
    answer = client_call(checker, client, "summary", "null");
    expect(checker, CHECK_NULL_MEMBERS, answer && answer->type == MESSAGE_RESULT,
           "summary with \"params\":null: %s", answer_text(answer, text));
    snprintf(params, sizeof(params),
             "{\"conn\":%" PRIu64 ",\"timeout_ms\":1000,\"reason\":null,\"interface\":null,"
             "\"local\":null,\"via\":null}",
             CONN_NOBODY);
    answer = client_call(checker, client, "migrate_peer", params);
    expect(checker, CHECK_NULL_MEMBERS, is_unknown_conn(answer),
           "migrate_peer of an unknown conn with members that are null: %s",
           answer_text(answer, text));
    report_done(&checker->report, CHECK_NULL_MEMBERS);
}

void checks_requests(struct checker *checker)
{
    struct client client;

    if (!session_open(checker, &client))
        return;
    unknown_things(checker, &client);
    moves_of_nobody(checker, &client);
    probe(checker, &client);
    probe_path(checker, &client);
    bad_params(checker, &client);
    null_members(checker, &client);
    client_close(&client);
}
