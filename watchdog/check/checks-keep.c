/* SPDX-License-Identifier: Apache-2.0 */
/* Reconnects that dial first, and requests that are taken back: done only when it was asked for. */
#include <inttypes.h>

#include "checker.h"

#define TIMEOUT_MS 2000
#define WAIT_US    (UINT64_C(1000) * (TIMEOUT_MS + 1000))
#define BUSY       (-32006)
#define NO_PATH    (-32007)
#define DIAL       (-32009)
#define OLD_LIVES  (-32011)
#define CANCELLED  (-32012)

static uint64_t ask_move(struct checker *checker, struct client *client, const char *method,
                         uint64_t conn, const char *more)
{
    char params[256];

    snprintf(params, sizeof(params),
             "{\"conn\":%" PRIu64 ",\"timeout_ms\":%d,\"reason\":\"pathdog-node-check\"%s}", conn,
             TIMEOUT_MS, more);
    return client_ask(checker, client, method, params);
}

/* Nothing was closed: the connection is up, and no other of that peer is. */
static void kept_look(struct checker *checker, struct client *client, uint64_t conn)
{
    const struct entry *entry;

    (void)client_call(checker, client, METHOD_NOBODY, NULL);
    entry = book_find(&checker->book, conn);
    expect(checker, CHECK_KEEP_OLD, entry && book_is_up(&checker->book, entry),
           "nothing came of the dial, and conn %" PRIu64 " is not up any more", conn);
}

/* Where it can be said where to dial from, it is from where that must fail. */
static void keep_old(struct checker *checker, struct client *client)
{
    const struct entry *entry = pick_peer(&checker->book, true);
    const struct asked *answer;
    uint64_t conn, id;
    char text[64];

    if (!checker->can_keep || !checker->can_reconnect || !entry) {
        report_skip(&checker->report, CHECK_KEEP_OLD, "%s",
                    entry ? "the node does not offer the features reconnect and make_before_break"
                          : "no peer that is up may be dialed from here");
        return;
    }
    conn = entry->conn;
    id = ask_move(checker, client, "reconnect_peer", conn,
                  checker->can_bind ? ",\"keep_old\":true,\"interface\":\"" INTERFACE_NOBODY "\""
                                    : ",\"keep_old\":true");
    answer = client_wait_us(checker, client, id, WAIT_US);
    if (answer && answer->type == MESSAGE_RESULT && !checker->can_bind) {
        report_done(&checker->report, CHECK_KEEP_OLD);
        return;
    }
    expect(checker, CHECK_KEEP_OLD,
           answer && answer->type == MESSAGE_ERROR &&
               (answer->code == DIAL || answer->code == NO_PATH || answer->code == OLD_LIVES),
           "a reconnect_peer with keep_old of conn %" PRIu64 "%s: %s", conn,
           checker->can_bind ? " from \"" INTERFACE_NOBODY "\"" : "", answer_text(answer, text));
    kept_look(checker, client, conn);
    report_done(&checker->report, CHECK_KEEP_OLD);
}

static void cancel(struct checker *checker, struct client *client)
{
    const struct entry *entry = pick_peer(&checker->book, false);
    const struct asked *first, *second;
    uint64_t ids[2];
    char line[96], text[64];

    if (!checker->can_keep || !entry) {
        report_skip(&checker->report, CHECK_CANCEL, "%s",
                    entry ? "the node does not offer the feature make_before_break"
                          : "no peer that is up may be migrated from here");
        return;
    }
    ids[0] = ask_move(checker, client, "migrate_peer", entry->conn, "");
    snprintf(line, sizeof(line),
             "{\"jsonrpc\":\"2.0\",\"method\":\"cancel\",\"params\":{\"id\":%" PRIu64 "}}\n",
             ids[0]);
    (void)client_write(checker, client, line, strlen(line), false);
    ids[1] = ask_move(checker, client, "migrate_peer", entry->conn, "");
    first = client_wait_us(checker, client, ids[0], WAIT_US);
    second = client_wait_us(checker, client, ids[1], WAIT_US);
    expect(checker, CHECK_CANCEL, first, "the request that was taken back was not answered");
    expect(checker, CHECK_CANCEL,
           !first || first->code != CANCELLED || !second || second->code != BUSY,
           "the request after one that was taken back: %s", answer_text(second, text));
    report_done(&checker->report, CHECK_CANCEL);
}

static void run(struct checker *checker, enum check check, bool asked, const char *option,
                void (*look)(struct checker *checker, struct client *client))
{
    struct client client;

    if (!asked)
        report_skip(&checker->report, check,
                    "the check disturbs a live connection: add %s to run it", option);
    if (!asked || !session_open(checker, &client))
        return;
    look(checker, &client);
    client_close(&client);
}

void checks_cancel(struct checker *checker)
{
    run(checker, CHECK_CANCEL, checker->moves, "--moves", cancel);
}

void checks_keep_old(struct checker *checker)
{
    run(checker, CHECK_KEEP_OLD, checker->reconnects, "--reconnects", keep_old);
}
