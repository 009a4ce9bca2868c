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
    bad_params(checker, &client);
    null_members(checker, &client);
    client_close(&client);
}
