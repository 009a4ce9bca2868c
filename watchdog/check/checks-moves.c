/* SPDX-License-Identifier: Apache-2.0 */
/* What disturbs live connections, and is done only when it was asked for. */
#include <inttypes.h>

#include "../util/address.h"
#include "checker.h"

#define MOVE_TIMEOUT_MS 2000
#define GRACE_MS        1000 /* pathdog's, on top */
#define BLOCKED_US      UINT64_C(250000)
#define SAMPLES_MIN     10 /* fewer could be there again so soon */

static const char reason[] = "pathdog-node-check";

static const json_t *result_of(const struct asked *answer)
{
    return json_object_get(answer ? answer->answer : NULL, "result");
}

/* The codes that a move may end with (docs/node-protocol.md, "Error codes"). */
static bool is_code(int64_t code, bool reconnect)
{
    return (code <= -32001 && code >= -32008) || (reconnect && code == -32009);
}

static void migrate_params(char *params, size_t size, uint64_t conn)
{
    snprintf(params, size, "{\"conn\":%" PRIu64 ",\"timeout_ms\":%d,\"reason\":\"%s\"}", conn,
             MOVE_TIMEOUT_MS, reason);
}

const struct entry *pick_peer(const struct book *book, bool reconnect)
{
    for (size_t i = 0; i < book->n_entries; i++) {
        const struct entry *entry = &book->entries[i];

        if (book_is_up(book, entry) &&
            (reconnect ? !entry->not_reconnectable : !entry->server && !entry->not_migratable))
            return entry;
    }
    return NULL;
}

static void answer_look(struct checker *checker, const struct asked *answer, uint64_t conn)
{
    const json_t *result = result_of(answer), *validated = json_object_get(result, "validated");
    char text[64];

    if (!answer)
        return;
    expect(checker, CHECK_MOVE,
           result || (answer->type == MESSAGE_ERROR && is_code(answer->code, false)),
           "conn %" PRIu64 ": %s", conn, answer_text(answer, text));
    expect(checker, CHECK_MOVE, !result || json_is_object(result), "the result is not an object");
    expect(checker, CHECK_MOVE, !validated || json_is_null(validated) || json_is_boolean(validated),
           "\"validated\" is not true or false");
}

/* Three requests in one go: the move, the same again, and something else. */
static void ask_three(struct checker *checker, struct client *client, uint64_t conn,
                      uint64_t ret_ids[3])
{
    char params[160];

    migrate_params(params, sizeof(params), conn);
    ret_ids[0] = client_ask(checker, client, "migrate_peer", params);
    ret_ids[1] = client_ask(checker, client, "migrate_peer", params);
    ret_ids[2] = client_ask(checker, client, METHOD_NOBODY, NULL);
}

static void busy_look(struct checker *checker, const struct asked *first,
                      const struct asked *second)
{
    char text[64];

    if (!first || !second)
        return;
    /* Where the first was over before the second was read, that one is a move of its own. */
    if (second->n_lines > first->n_lines)
        expect(checker, CHECK_MOVE_BUSY,
               second->type == MESSAGE_RESULT || is_code(second->code, false), "%s",
               answer_text(second, text));
    else
        expect(checker, CHECK_MOVE_BUSY, second->type == MESSAGE_ERROR && second->code == -32006,
               "while the first is open, %s", answer_text(second, text));
    report_done(&checker->report, CHECK_MOVE_BUSY);
}

/* Where it is now: in the answer, or in a peer_path before or after it. */
static void local_look(struct checker *checker, struct client *client, uint64_t conn,
                       const char *before, const json_t *result)
{
    const char *answered = json_string_value(json_object_get(result, "local"));
    struct pd_address address;
    const struct entry *entry;

    (void)client_call(checker, client, METHOD_NOBODY, NULL);
    entry = book_find(&checker->book, conn);
    if (answered)
        expect(checker, CHECK_MOVE_LOCAL, !address_parse(answered, &address) && address.family,
               "\"local\" is \"%.80s\"", answered);
    else
        expect(checker, CHECK_MOVE_LOCAL,
               entry && entry->local && !string_equal(entry->local, before),
               "neither the answer nor peer_path reports another local address than %s",
               before ? before : "before");
    report_done(&checker->report, CHECK_MOVE_LOCAL);
}

static void samples_look(struct checker *checker, struct client *client, uint64_t conn,
                         uint64_t before)
{
    const struct entry *entry;

    (void)client_call(checker, client, "summary", NULL);
    entry = book_find(&checker->book, conn);
    if (!entry || !entry->sampled || before < SAMPLES_MIN) {
        report_skip(&checker->report, CHECK_MOVE_SAMPLES,
                    "the check needs the column rtt_samples, and %d samples before the move",
                    SAMPLES_MIN);
        return;
    }
    expect(checker, CHECK_MOVE_SAMPLES, entry->rtt_samples < before,
           "rtt_samples of conn %" PRIu64 " is %" PRIu64 " after the move, before %" PRIu64, conn,
           entry->rtt_samples, before);
    report_done(&checker->report, CHECK_MOVE_SAMPLES);
}

/* Before the move: the connection is to stay where it is. */
static void nowhere_look(struct checker *checker, struct client *client, uint64_t conn,
                         const char *local)
{
    const struct asked *answer;
    const struct entry *after;
    char params[192], text[64];

    if (!checker->can_bind) {
        report_skip(&checker->report, CHECK_MOVE_NOWHERE,
                    "the node does not offer the feature bind");
        return;
    }
    snprintf(params, sizeof(params),
             "{\"conn\":%" PRIu64 ",\"timeout_ms\":%d,\"reason\":\"%s\",\"interface\":\"%s\"}",
             conn, MOVE_TIMEOUT_MS, reason, INTERFACE_NOBODY);
    answer = client_call(checker, client, "migrate_peer", params);
    expect(checker, CHECK_MOVE_NOWHERE,
           answer && answer->type == MESSAGE_ERROR && answer->code == -32007,
           "conn %" PRIu64 " to \"%s\": %s", conn, INTERFACE_NOBODY, answer_text(answer, text));
    (void)client_call(checker, client, METHOD_NOBODY, NULL);
    after = book_find(&checker->book, conn);
    expect(checker, CHECK_MOVE_NOWHERE, !after || string_equal(after->local, local),
           "conn %" PRIu64 " moved from %s to %s", conn, local ? local : "an unknown address",
           after && after->local ? after->local : "an unknown address");
    report_done(&checker->report, CHECK_MOVE_NOWHERE);
}

static void move(struct checker *checker, struct client *client)
{
    const struct entry *entry;
    const struct asked *answers[3];
    CLEANUP_FREE char *local = NULL;
    uint64_t ids[3], conn, samples;
    const json_t *result;

    (void)client_call(checker, client, "summary", NULL);
    entry = pick_peer(&checker->book, false);
    if (!entry) {
        for (int check = CHECK_MOVE; check <= (int)CHECK_MOVE_SAMPLES; check++)
            report_skip(&checker->report, (enum check)check,
                        "no peer that is up may be migrated from here");
        return;
    }
    conn = entry->conn;
    local = string_copy(entry->local);
    samples = entry->sampled ? entry->rtt_samples : 0;
    nowhere_look(checker, client, conn, local);
    ask_three(checker, client, conn, ids);
    for (size_t i = 0; i < 3; i++)
        answers[i] =
            client_wait_us(checker, client, ids[i], UINT64_C(1000) * (MOVE_TIMEOUT_MS + GRACE_MS));
    expect(checker, CHECK_MOVE, answers[0],
           "the request was not answered within %d ms and one second more", MOVE_TIMEOUT_MS);
    answer_look(checker, answers[0], conn);
    report_done(&checker->report, CHECK_MOVE);
    if (!answers[0])
        return;
    busy_look(checker, answers[0], answers[1]);
    if (answers[2]) {
        expect(checker, CHECK_MOVE_OPEN,
               answers[2]->n_lines < answers[0]->n_lines ||
                   answers[2]->answered_us - answers[2]->sent_us < BLOCKED_US,
               "another request was answered only after the move, %" PRIu64 " ms later",
               (answers[2]->answered_us - answers[2]->sent_us) / 1000);
        report_done(&checker->report, CHECK_MOVE_OPEN);
    }
    result = result_of(answers[0]);
    if (!result) {
        report_skip(&checker->report, CHECK_MOVE_LOCAL, "the move failed with error %" PRId64,
                    answers[0]->code);
        report_skip(&checker->report, CHECK_MOVE_SAMPLES, "the move failed with error %" PRId64,
                    answers[0]->code);
        return;
    }
    local_look(checker, client, conn, local, result);
    samples_look(checker, client, conn, samples);
}

/* `clock`: of the book when the answer came. */
static void reconnect_look(struct checker *checker, uint64_t old, const char *peer, uint64_t now,
                           uint64_t clock)
{
    const struct entry *before = book_find(&checker->book, old);
    const struct entry *after = book_find(&checker->book, now);

    expect(checker, CHECK_RECONNECT, now > old,
           "the new conn, %" PRIu64 ", is not greater than %" PRIu64, now, old);
    expect(checker, CHECK_RECONNECT, after && string_equal(after->peer, peer),
           "conn %" PRIu64 " is %s, not %s", now, after ? after->peer : "never reported up", peer);
    report_done(&checker->report, CHECK_RECONNECT);
    expect(checker, CHECK_RECONNECT_ORDER, before && before->down_at && before->down_at <= clock,
           "there was no peer_down of conn %" PRIu64 " before the answer", old);
    expect(checker, CHECK_RECONNECT_ORDER, after && after->up_at <= clock,
           "there was no peer_up of conn %" PRIu64 " before the answer", now);
    expect(checker, CHECK_RECONNECT_ORDER, !before || !after || before->down_at < after->up_at,
           "the peer_up of conn %" PRIu64 " came before the peer_down of %" PRIu64, now, old);
    report_done(&checker->report, CHECK_RECONNECT_ORDER);
}

/* The address without its port. Returns false where there is none to dial from. */
static bool host_text(const char *local, char host[static ADDRESS_TEXT_MAX])
{
    struct pd_address address;
    char text[ADDRESS_TEXT_MAX];
    size_t length;

    if (!local || address_parse(local, &address) || !address.family)
        return false;
    address_format(&address, text);
    length = (size_t)(strrchr(text, ':') - text);
    if (*text == '[')
        snprintf(host, ADDRESS_TEXT_MAX, "%.*s", (int)length - 2, text + 1);
    else
        snprintf(host, ADDRESS_TEXT_MAX, "%.*s", (int)length, text);
    return true;
}

/* The address that it was dialled from; where the peer has dialled meanwhile, nobody was asked. */
static void bind_look(struct checker *checker, uint64_t conn, const char *host)
{
    const struct entry *entry = book_find(&checker->book, conn);
    char now[ADDRESS_TEXT_MAX] = "";

    if (!checker->can_bind || !*host || !entry || entry->server || !entry->local) {
        report_skip(&checker->report, CHECK_RECONNECT_BIND, "%s",
                    checker->can_bind ? "a local address is not known, or the peer has dialed"
                                      : "the node does not offer the feature bind");
        return;
    }
    expect(checker, CHECK_RECONNECT_BIND, host_text(entry->local, now) && string_equal(now, host),
           "the request had \"local\":\"%s\", the new conn %" PRIu64 " is at %.80s", host, conn,
           entry->local);
    report_done(&checker->report, CHECK_RECONNECT_BIND);
}

static void reconnect_skip(struct checker *checker, const char *why)
{
    report_skip(&checker->report, CHECK_RECONNECT, "%s", why);
    report_skip(&checker->report, CHECK_RECONNECT_BIND, "%s", why);
    report_skip(&checker->report, CHECK_RECONNECT_ORDER, "%s", why);
}

static void reconnect(struct checker *checker, struct client *client)
{
    const struct entry *entry = pick_peer(&checker->book, true);
    const struct asked *answer;
    CLEANUP_FREE char *peer = NULL;
    char params[256], text[64], host[ADDRESS_TEXT_MAX] = "";
    uint64_t conn;
    json_int_t now;

    if (!checker->can_reconnect || !entry) {
        reconnect_skip(checker, entry ? "the node does not offer the feature reconnect"
                                      : "no peer that is up may be dialed from here");
        return;
    }
    conn = entry->conn;
    peer = string_copy(entry->peer);
    if (checker->can_bind && host_text(entry->local, host))
        snprintf(params, sizeof(params),
                 "{\"conn\":%" PRIu64 ",\"timeout_ms\":%d,\"reason\":\"%s\",\"local\":\"%s\"}",
                 conn, MOVE_TIMEOUT_MS, reason, host);
    else
        migrate_params(params, sizeof(params), conn);
    answer = client_wait_us(checker, client, client_ask(checker, client, "reconnect_peer", params),
                            UINT64_C(1000) * (MOVE_TIMEOUT_MS + GRACE_MS));
    expect(checker, CHECK_RECONNECT, answer,
           "the request was not answered within %d ms and one second more", MOVE_TIMEOUT_MS);
    if (answer && answer->type == MESSAGE_ERROR && is_code(answer->code, true)) {
        reconnect_skip(checker, answer_text(answer, text));
        return;
    }
    now = json_integer_value(json_object_get(result_of(answer), "conn"));
    if (answer &&
        expect(checker, CHECK_RECONNECT, now > 0, "%s without a conn", answer_text(answer, text))) {
        uint64_t clock = answer->clock;

        (void)client_call(checker, client, METHOD_NOBODY, NULL);
        reconnect_look(checker, conn, peer, (uint64_t)now, clock);
        bind_look(checker, (uint64_t)now, host);
    }
    report_done(&checker->report, CHECK_RECONNECT);
}

static void skip_all(struct checker *checker, enum check first, enum check last, const char *option)
{
    for (int check = (int)first; check <= (int)last; check++)
        report_skip(&checker->report, (enum check)check,
                    "the check disturbs a live connection: add %s to run it", option);
}

void checks_move(struct checker *checker)
{
    struct client client;

    if (!checker->moves)
        skip_all(checker, CHECK_MOVE, CHECK_MOVE_SAMPLES, "--moves");
    if (!checker->moves || !session_open(checker, &client))
        return;
    move(checker, &client);
    client_close(&client);
}

void checks_reconnect(struct checker *checker)
{
    struct client client;

    if (!checker->reconnects)
        skip_all(checker, CHECK_RECONNECT, CHECK_RECONNECT_ORDER, "--reconnects");
    if (!checker->reconnects || !session_open(checker, &client))
        return;
    reconnect(checker, &client);
    client_close(&client);
}
