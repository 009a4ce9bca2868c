/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A strict look at what the node sends, line by line: what pathdog forgives and
 * counts is a fault here. Asks nothing of the node.
 */
#include <inttypes.h>
#include <net/if.h>

#include "../node/decode.h"
#include "../node/relays.h"
#include "../util/address.h"
#include "../util/clock.h"
#include "../util/printable.h"
#include "../util/utf8.h"
#include "checker.h"

/* Of all answers on one connection: JSON takes many times its length in memory. */
#define KEPT_MAX (4u << 20)
/* docs/node-protocol.md, push. */
#define PUSH_GAP_US    20000u
#define PUSHES_AT_ONCE 50u

static struct report *report_of(struct checker *checker)
{
    return &checker->report;
}

/* ---- members ---- */

static const json_t *member(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);

    return json_is_null(value) ? NULL : value;
}

static void text_lint(struct checker *checker, enum check check, const char *method,
                      const json_t *object, const char *name)
{
    const json_t *value = member(object, name);

    report_seen(report_of(checker), check);
    if (value && !json_is_string(value))
        report_fault(report_of(checker), check, "%s: \"%s\" is not a string", method, name);
}

static void boolean_lint(struct checker *checker, enum check check, const char *method,
                         const json_t *object, const char *name)
{
    const json_t *value = member(object, name);

    report_seen(report_of(checker), check);
    if (value && !json_is_boolean(value))
        report_fault(report_of(checker), check, "%s: \"%s\" is not true or false", method, name);
}

static void address_lint(struct checker *checker, const char *method, const json_t *object,
                         const char *name)
{
    const json_t *value = member(object, name);
    struct pd_address address;

    if (!value)
        return;
    report_seen(report_of(checker), CHECK_ADDRESSES);
    if (!json_is_string(value))
        report_fault(report_of(checker), CHECK_ADDRESSES, "%s: \"%s\" is not a string", method,
                     name);
    else if (strlen(json_string_value(value)) != json_string_length(value) ||
             address_parse(json_string_value(value), &address))
        report_fault(report_of(checker), CHECK_ADDRESSES,
                     "%s: \"%s\" is \"%.80s\"; allowed is ADDRESS:PORT, like 192.0.2.1:443 or "
                     "[2001:db8::1]:443",
                     method, name, json_string_value(value));
}

/* pathdog takes another name for none. */
static void interface_lint(struct checker *checker, const char *method, const json_t *params)
{
    const json_t *value = member(params, "interface");
    size_t length = json_string_length(value);

    text_lint(checker, CHECK_PEER_MEMBERS, method, params, "interface");
    if (json_is_string(value) &&
        (!length || length >= IF_NAMESIZE || !text_is_printable(json_string_value(value), length) ||
         strpbrk(json_string_value(value), "/ ")))
        report_fault(
            report_of(checker), CHECK_PEER_MEMBERS,
            "%s: \"interface\" is \"%.40s\"; allowed are 1 to 15 bytes without blanks and /",
            method, json_string_value(value));
}

static uint64_t conn_lint(struct checker *checker, const char *method, const json_t *params)
{
    uint64_t conn = conn_value(json_object_get(params, "conn"));

    report_seen(report_of(checker), CHECK_PEER_CONN);
    if (!conn)
        report_fault(report_of(checker), CHECK_PEER_CONN,
                     "%s: \"conn\" is not an integer from 1 to 2^53-1", method);
    return conn;
}

/* ---- hello ---- */

static void features_lint(struct checker *checker, const json_t *features)
{
    const json_t *feature;
    size_t i;

    if (features && !json_is_array(features))
        report_fault(report_of(checker), CHECK_HELLO_MEMBERS, "\"features\" is not an array");
    json_array_foreach(features, i, feature)
    {
        if (!json_is_string(feature))
            report_fault(report_of(checker), CHECK_HELLO_MEMBERS,
                         "\"features\" has a value that is not a string");
        checker->can_reconnect |= string_equal(json_string_value(feature), "reconnect");
        checker->can_bind |= string_equal(json_string_value(feature), "bind");
        checker->can_probe |= string_equal(json_string_value(feature), "probe");
        checker->can_probe_path |= string_equal(json_string_value(feature), "probe_path");
        checker->can_push |= string_equal(json_string_value(feature), "push");
        checker->can_relay |= string_equal(json_string_value(feature), "relay");
        checker->can_keep |= string_equal(json_string_value(feature), "make_before_break");
    }
}

static void keep_text(char **ret, const json_t *object, const char *name)
{
    const char *text = json_string_value(json_object_get(object, name));

    if (!*ret && text)
        *ret = text_shown(text);
}

void lint_hello(struct checker *checker, const json_t *result)
{
    static const struct {
        const char *name;
        json_int_t min;
    } counts[] = {{"max_in_flight", 1}, {"netns", 0}};
    struct report *report = report_of(checker);
    const json_t *boot = json_object_get(result, "boot"), *prefer = member(result, "prefer");

    text_lint(checker, CHECK_HELLO_MEMBERS, "hello", result, "node");
    text_lint(checker, CHECK_HELLO_MEMBERS, "hello", result, "implementation");
    text_lint(checker, CHECK_HELLO_MEMBERS, "hello", result, "prefer");
    if (json_is_string(prefer) && strcmp(json_string_value(prefer), "migrate") &&
        strcmp(json_string_value(prefer), "reconnect"))
        report_fault(report, CHECK_HELLO_MEMBERS,
                     "\"prefer\" is \"%.40s\"; allowed is migrate or reconnect",
                     json_string_value(prefer));
    for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
        const json_t *value = member(result, counts[i].name);
        json_int_t number = json_integer_value(value);

        if (value &&
            (!json_is_integer(value) || number < counts[i].min || number > (json_int_t)CONN_MAX))
            report_fault(report, CHECK_HELLO_MEMBERS, "\"%s\" is not an integer from %d to 2^53-1",
                         counts[i].name, (int)counts[i].min);
    }
    features_lint(checker, member(result, "features"));
    report_seen(report, CHECK_HELLO);
    if (json_integer_value(json_object_get(result, "protocol")) != 1)
        report_fault(report, CHECK_HELLO, "\"protocol\" is not the integer 1");
    if (!json_is_string(boot))
        report_fault(report, CHECK_HELLO, "\"boot\" is %s", boot ? "not a string" : "missing");
    keep_text(&checker->node, result, "node");
    keep_text(&checker->implementation, result, "implementation");
    if (checker->boot) {
        report_seen(report, CHECK_HELLO_BOOT);
        if (!string_equal(checker->boot, json_string_value(boot)))
            report_fault(report, CHECK_HELLO_BOOT, "\"boot\" is \"%.80s\", before \"%.80s\"",
                         json_is_string(boot) ? json_string_value(boot) : "", checker->boot);
    }
    if (!checker->boot)
        checker->boot = string_copy(json_string_value(boot));
}

/* ---- notifications ---- */

static void peer_up(struct checker *checker, struct client *client, const json_t *params)
{
    struct report *report = report_of(checker);
    const json_t *peer = json_object_get(params, "peer"), *role = member(params, "role");
    uint64_t conn = conn_lint(checker, "peer_up", params);
    size_t length = json_string_length(peer);
    struct entry *entry;

    report_seen(report, CHECK_PEER_NAME);
    report_seen(report, CHECK_PEER_ROLE);
    if (!json_is_string(peer))
        report_fault(report, CHECK_PEER_NAME, "\"peer\" is not a string");
    else if (!length || length > 255)
        report_fault(report, CHECK_PEER_NAME, "\"peer\" has %zu bytes", length);
    else if (!text_is_printable(json_string_value(peer), length))
        report_fault(report, CHECK_PEER_NAME, "\"%s\" has control characters",
                     json_string_value(peer));
    if (role && (!json_is_string(role) || (strcmp(json_string_value(role), "client") &&
                                           strcmp(json_string_value(role), "server"))))
        report_fault(report, CHECK_PEER_ROLE, "\"role\" is %s%.40s",
                     json_is_string(role) ? "" : "not a string",
                     json_is_string(role) ? json_string_value(role) : "");
    boolean_lint(checker, CHECK_PEER_MEMBERS, "peer_up", params, "migratable");
    boolean_lint(checker, CHECK_PEER_MEMBERS, "peer_up", params, "reconnectable");
    text_lint(checker, CHECK_PEER_MEMBERS, "peer_up", params, "via");
    interface_lint(checker, "peer_up", params);
    address_lint(checker, "peer_up", params, "local");
    address_lint(checker, "peer_up", params, "remote");
    client->n_ups++;
    if (!conn || !json_is_string(peer))
        return;
    entry = book_up(&checker->book, report, conn, json_string_value(peer));
    if (!entry)
        return;
    entry->server = role && !string_equal(json_string_value(role), "client");
    entry->not_migratable = json_is_false(member(params, "migratable"));
    entry->not_reconnectable = json_is_false(member(params, "reconnectable"));
    if (json_is_string(member(params, "local")))
        entry_set_local(entry, json_string_value(member(params, "local")));
}

static void peer_down(struct checker *checker, struct client *client, const json_t *params)
{
    uint64_t conn = conn_lint(checker, "peer_down", params);

    text_lint(checker, CHECK_PEER_MEMBERS, "peer_down", params, "reason");
    if (conn)
        book_down(&checker->book, report_of(checker), conn);
}

static void peer_path(struct checker *checker, struct client *client, const json_t *params)
{
    uint64_t conn = conn_lint(checker, "peer_path", params);
    struct entry *entry = NULL;

    text_lint(checker, CHECK_PEER_MEMBERS, "peer_path", params, "via");
    interface_lint(checker, "peer_path", params);
    address_lint(checker, "peer_path", params, "local");
    address_lint(checker, "peer_path", params, "remote");
    if (conn)
        entry = book_path(&checker->book, report_of(checker), "peer_path", conn);
    if (entry && json_is_string(member(params, "local")))
        entry_set_local(entry, json_string_value(member(params, "local")));
}

/* How many rows one connection may have had by now. Whatever was asked may have been answered with
 * one; of what was not asked only the mean can be seen, since lines wait in the socket. */
static uint64_t rows_max(struct checker *checker, const struct client *client)
{
    uint64_t open_us;

    if (!checker->can_push || !client->n_asked)
        return UINT64_MAX;
    report_seen(report_of(checker), CHECK_PUSH);
    open_us = clock_us(CLOCK_MONOTONIC) - client->asked[0].sent_us;
    return client->n_asked + PUSHES_AT_ONCE + open_us / PUSH_GAP_US;
}

static void summaries(struct checker *checker, struct client *client, const json_t *params)
{
    client->n_rows +=
        book_summaries(&checker->book, report_of(checker), params, rows_max(checker, client));
}

/* The same rules as pathdog's own: it takes a list as a whole, or not at all. */
static void relays(struct checker *checker, struct client *client, const json_t *params)
{
    struct relays_room *room = memory_new(1, sizeof(*room));
    struct report *report = report_of(checker);
    struct event_relays event;
    struct problem problem;

    (void)client;
    report_seen(report, CHECK_RELAYS);
    if (!checker->can_relay)
        report_fault(report, CHECK_RELAYS, "relays came without the feature \"relay\"");
    if (relays_decode(params, &event, room, &problem))
        report_fault(report, CHECK_RELAYS, "\"%s\" %s", problem.member, problem.what);
    free(room);
}

static void notification(struct checker *checker, struct client *client,
                         const struct message *message)
{
    static const struct {
        const char *name;
        void (*look)(struct checker *checker, struct client *client, const json_t *params);
    } methods[] = {
        {"peer_up", peer_up}, {"peer_down", peer_down}, {"peer_path", peer_path},
        {"relays", relays},   {"summaries", summaries},
    };

    for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
        if (strcmp(message->method, methods[i].name))
            continue;
        if (!client->greeted)
            report_fault(report_of(checker), CHECK_HELLO_FIRST,
                         "%s came before the answer to hello", message->method);
        if (json_is_object(message->params))
            methods[i].look(checker, client, message->params);
        else
            report_fault(report_of(checker), CHECK_MESSAGES, "%s: \"params\" is not an object",
                         message->method);
        return;
    }
}

/* ---- answers ---- */

static void answer(struct checker *checker, struct client *client, const struct message *message,
                   size_t length)
{
    struct report *report = report_of(checker);
    uint64_t place = (uint64_t)message->number - client->first_id;
    struct asked *asked;

    report_seen(report, CHECK_ANSWER_KNOWN);
    if (message->number <= 0 || (uint64_t)message->number < client->first_id ||
        place >= client->n_asked) {
        client->n_strange++;
        report_fault(report, CHECK_ANSWER_KNOWN,
                     "id %" PRId64 " answers no request of this connection", message->number);
        return;
    }
    asked = &client->asked[place];
    report_seen(report, CHECK_ANSWER_ONCE);
    if (asked->answered_us) {
        report_fault(report, CHECK_ANSWER_ONCE, "id %" PRId64 " is answered a second time",
                     message->number);
        return;
    }
    asked->answered_us = clock_us(CLOCK_MONOTONIC);
    asked->n_lines = client->n_lines;
    asked->n_rows = client->n_rows;
    asked->n_ups = client->n_ups;
    asked->clock = checker->book.clock;
    asked->type = message->type;
    asked->code = message->code;
    client->n_answers++;
    if ((uint64_t)message->number == client->subscribe_id && message->type == MESSAGE_RESULT)
        book_complete(&checker->book);
    if (asked->flood)
        return;
    asked->n_up = book_count(&checker->book);
    if ((client->kept_bytes += length) <= KEPT_MAX)
        asked->answer = json_incref(message->root);
    else
        report_fault(report, CHECK_ANSWERED, "the answers on one connection are over %u bytes",
                     KEPT_MAX);
}

static void message_lint(struct checker *checker, struct client *client,
                         const struct message *message, size_t length)
{
    struct report *report = report_of(checker);
    const json_t *version = json_object_get(message->root, "jsonrpc");

    report_seen(report, CHECK_VERSION);
    report_seen(report, CHECK_MESSAGES);
    report_seen(report, CHECK_REQUESTS);
    if (!string_equal(json_string_value(version), "2.0"))
        report_fault(report, CHECK_VERSION, "\"jsonrpc\" is %s in a message",
                     version ? "something else" : "missing");
    else if (message->type == MESSAGE_MALFORMED)
        report_fault(report, CHECK_MESSAGES, "%s", message->problem);
    if (message->type == MESSAGE_REQUEST)
        report_fault(report, CHECK_REQUESTS, "the node sent the request %.80s", message->method);
    else if (message->type == MESSAGE_NOTIFICATION)
        notification(checker, client, message);
    else if (message->type == MESSAGE_MALFORMED && !message->number)
        client->n_strange++;
    else
        answer(checker, client, message, length);
}

static bool is_utf8(const char *line, size_t length, size_t *ret_at)
{
    size_t n;

    for (*ret_at = 0; *ret_at < length; *ret_at += n) {
        n = utf8_length(line + *ret_at, length - *ret_at);
        if (!n)
            return false;
    }
    return true;
}

void lint_line(struct checker *checker, struct client *client, const char *line, size_t length)
{
    struct report *report = report_of(checker);
    struct message message;
    char why[128];
    size_t at;

    client->n_lines++;
    report_seen(report, CHECK_LINE_LENGTH);
    report_seen(report, CHECK_LINE_UTF8);
    report_seen(report, CHECK_LINE_JSON);
    report_seen(report, CHECK_HELLO_FIRST);
    if (!is_utf8(line, length, &at)) {
        report_fault(report, CHECK_LINE_UTF8, "byte %zu of a line is not UTF-8", at);
        return;
    }
    if (message_parse(line, length, &message, why, sizeof(why)) < 0) {
        report_fault(report, CHECK_LINE_JSON, "a line is %s", why);
        return;
    }
    message_lint(checker, client, &message, length);
    message_clear(&message);
}
