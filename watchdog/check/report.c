/* SPDX-License-Identifier: Apache-2.0 */
/* The names of the checks, and their results as text and as JSON. */
#include "report.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>

#include "../util/format.h"
#include "../util/printable.h"

static const struct {
    const char *name, *title;
} checks[CHECK_COUNT] = {
    [CHECK_SOCKET_MODE] = {"socket-mode", "the socket has mode 0660"},
    [CHECK_SOCKET_DIRECTORY] = {"socket-directory", "only its owner may write the directory"},
    [CHECK_SOCKET_RENAME] = {"socket-rename", "the socket appears by rename"},
    [CHECK_HELLO] = {"hello", "hello is answered with protocol 1 and a boot"},
    [CHECK_HELLO_MEMBERS] = {"hello-members", "optional members of hello have their types"},
    [CHECK_HELLO_FIRST] = {"hello-first", "nothing is sent before the answer to hello"},
    [CHECK_HELLO_NETNS] = {"hello-netns", "netns is the network namespace of the node"},
    [CHECK_HELLO_BOOT] = {"hello-boot", "boot is the same on every connection"},
    [CHECK_HELLO_TWICE] = {"hello-twice", "a second hello is answered once"},
    [CHECK_HELLO_VERSIONS] = {"hello-versions", "protocol 1 is chosen from several"},
    [CHECK_HELLO_UNSUPPORTED] = {"hello-unsupported", "no protocol in common is error -32010"},
    [CHECK_EARLY_REQUEST] = {"early-request", "a request before hello does no harm"},
    [CHECK_SNAPSHOT] = {"snapshot", "subscribe is answered with the number of peers reported"},
    [CHECK_SNAPSHOT_FIRST] = {"snapshot-first",
                              "every peer that is up is reported before the answer to subscribe"},
    [CHECK_SNAPSHOT_AGAIN] = {"snapshot-again",
                              "a new connection gets the same peers with the same conns"},
    [CHECK_SUMMARY] = {"summary", "summary is answered with the number of rows sent"},
    [CHECK_SUMMARY_ORDER] = {"summary-order", "the rows of a summary come before its answer"},
    [CHECK_SUMMARY_CONNS] = {"summary-conns", "a summary of given conns has no other rows"},
    [CHECK_SUMMARY_UNKNOWN] = {"summary-unknown", "an unknown conn is left out of a summary"},
    [CHECK_SUMMARY_MANY] = {"summary-many", "a summary of 4096 conns is answered"},
    [CHECK_PROBE] = {"probe", "probe is answered with {}"},
    [CHECK_PROBE_PATH] = {"probe-path", "probe_path is answered with rtt_us, and moves nothing"},
    [CHECK_PROBE_PATH_NOWHERE] = {"probe-path-nowhere",
                                  "probe_path over an interface that does not exist is -32007"},
    [CHECK_PROBE_PATH_UNKNOWN] = {"probe-path-unknown",
                                  "probe_path of an unknown conn is -32001 or -32002"},
    [CHECK_MIGRATE_UNKNOWN] = {"migrate-unknown",
                               "migrate_peer of an unknown conn is -32001 or -32002"},
    [CHECK_RECONNECT_UNKNOWN] = {"reconnect-unknown",
                                 "reconnect_peer of an unknown conn is -32001 or -32002"},
    [CHECK_REASON_MISSING] = {"reason-missing", "migrate_peer is accepted without a reason"},
    [CHECK_BAD_PARAMS] = {"bad-params", "a request with bad params is answered with an error"},
    [CHECK_UNKNOWN_METHOD] = {"unknown-method", "an unknown method is error -32601"},
    [CHECK_UNKNOWN_PARAMS] = {"unknown-params", "unknown members and params are ignored"},
    [CHECK_NULL_MEMBERS] = {"null-members", "an optional member that is null counts as absent"},
    [CHECK_IGNORED] = {"ignored", "unknown notifications and answers are ignored"},
    [CHECK_SPLIT_LINES] = {"split-lines", "a line may come one byte at a time"},
    [CHECK_ONE_WRITE] = {"one-write", "many lines may come at once"},
    [CHECK_EMPTY_LINES] = {"empty-lines", "empty lines are ignored"},
    [CHECK_LONG_LINE] = {"long-line", "a line of 1 MiB with its LF is accepted"},
    [CHECK_OVERLONG_LINE] = {"overlong-line", "the node survives a line over 1 MiB"},
    [CHECK_BAD_LINES] = {"bad-lines", "the node survives lines that are not a JSON object"},
    [CHECK_NEWER_CLIENT] = {"newer-client", "a newer client replaces the older one"},
    [CHECK_HALF_LINE] = {"half-line", "the node survives a client that leaves in mid-line"},
    [CHECK_OUTPUT_BUFFER] = {"output-buffer", "1 MiB of output may wait for its reader"},
    [CHECK_SLOW_READER] = {"slow-reader",
                           "a client that does not read does not stop other clients"},
    [CHECK_MOVE] = {"move", "migrate_peer is answered within its timeout_ms"},
    [CHECK_MOVE_BUSY] = {"move-busy", "a second migrate_peer of one conn is -32006"},
    [CHECK_MOVE_OPEN] = {"move-open", "other requests are answered while a move is open"},
    [CHECK_MOVE_LOCAL] = {"move-local", "the new local address is reported"},
    [CHECK_MOVE_NOWHERE] = {"move-nowhere", "migrate_peer to an interface that does not exist is "
                                            "-32007, and moves nothing"},
    [CHECK_MOVE_SAMPLES] = {"move-samples", "rtt_samples starts again on the new path"},
    [CHECK_CANCEL] = {"cancel", "a request that was taken back is answered, and makes room"},
    [CHECK_RECONNECT] = {"reconnect", "reconnect_peer is answered with the new conn"},
    [CHECK_RECONNECT_BIND] = {"reconnect-bind", "reconnect_peer with local dials from there"},
    [CHECK_RECONNECT_ORDER] = {"reconnect-order", "peer_down, peer_up, answer: in this order"},
    [CHECK_KEEP_OLD] = {"keep-old",
                        "reconnect_peer with keep_old closes nothing if the dial fails"},
    [CHECK_LINE_LENGTH] = {"line-length", "no line is over 1 MiB with its LF"},
    [CHECK_LINE_UTF8] = {"line-utf8", "every line is UTF-8"},
    [CHECK_LINE_JSON] = {"line-json", "every line is one JSON object"},
    [CHECK_VERSION] = {"jsonrpc", "every message has \"jsonrpc\":\"2.0\""},
    [CHECK_MESSAGES] = {"messages", "every message is a notification or an answer"},
    [CHECK_REQUESTS] = {"no-requests", "the node sends no requests"},
    [CHECK_ANSWERED] = {"answered", "every request is answered in time"},
    [CHECK_ANSWER_ONCE] = {"answer-once", "every request is answered only once"},
    [CHECK_ANSWER_KNOWN] = {"answer-known",
                            "answers go only to the connection that sent the request"},
    [CHECK_KEPT_OPEN] = {"kept-open", "the node does not close a connection without need"},
    [CHECK_PEER_NAME] = {"peer-name", "peer is 1 to 255 bytes without control characters"},
    [CHECK_PEER_CONN] = {"peer-conn", "conn is an integer from 1 to 2^53-1"},
    [CHECK_PEER_ROLE] = {"peer-role", "role is client or server"},
    [CHECK_PEER_MEMBERS] = {"peer-members", "members of notifications have their types"},
    [CHECK_RELAYS] = {"relays", "relays has at most 64 entries, each a name once and an address"},
    [CHECK_ADDRESSES] = {"addresses", "addresses are numeric, with a port"},
    [CHECK_CONN_NAME] = {"conn-name", "a conn keeps its peer"},
    [CHECK_CONN_AGAIN] = {"conn-again", "a conn is never used again"},
    [CHECK_CONN_GROWS] = {"conn-grows", "a later connection has a greater conn"},
    [CHECK_CONN_KNOWN] = {"conn-known", "peer_down and peer_path are of known conns"},
    [CHECK_COLUMNS] = {"columns", "columns are strings, each once, conn among them"},
    [CHECK_COLUMNS_SAME] = {"columns-same", "every summaries line has the same columns"},
    [CHECK_COLUMNS_PROGRESS] = {"columns-progress",
                                "rtt_samples, bytes_received or silent_ms is among the columns"},
    [CHECK_COLUMNS_OUTSTANDING] = {"columns-outstanding",
                                   "in_flight_bytes, pto_count or bytes_sent is among the columns"},
    [CHECK_ROWS] = {"rows", "a row is as long as the columns and has a conn"},
    [CHECK_ROWS_KNOWN] = {"rows-known", "rows are of known conns"},
    [CHECK_ROWS_ONCE] = {"rows-once", "a conn has one row in a summaries line"},
    [CHECK_VALUES] = {"values", "values are integers from 0 to 2^53-1, or null"},
    [CHECK_COUNTERS] = {"counters", "counters of a connection do not go back"},
    [CHECK_AGREE] = {"columns-agree", "the values of a row do not contradict each other"},
    [CHECK_PUSH] = {"push", "a connection has no more than one unasked row in 20 ms"},
};

static const char *const words[] = {
    [STATUS_OPEN] = "open", [STATUS_OK] = "ok", [STATUS_FAIL] = "FAIL", [STATUS_SKIP] = "skip"};

bool report_wants(const struct report *report, enum check check)
{
    return !report->any_chosen || report->chosen[check];
}

int report_choose(struct report *report, const char *names, char **ret_bad)
{
    CLEANUP_FREE char *copy = string_copy(names);
    char *rest = copy, *name;

    report->any_chosen = true;
    while ((name = strsep(&rest, ","))) {
        size_t i = 0;

        while (i < CHECK_COUNT && strcmp(checks[i].name, name))
            i++;
        if (i == CHECK_COUNT) {
            *ret_bad = string_copy(name);
            return -EINVAL;
        }
        report->chosen[i] = true;
    }
    return 0;
}

/* Foreign text comes in by way of `why`: nothing of it may drive a terminal. */
static void why_set(struct result *result, const char *format, va_list arguments)
{
    CLEANUP_FREE char *text = string_vformat(format, arguments);

    free(result->why);
    result->why = text_shown(text);
}

static void settle(struct report *report, enum check check, enum status status)
{
    struct result *result = &report->results[check];

    result->status = status;
    if (!report->out || !report_wants(report, check))
        return;
    fprintf(report->out, "%-5s %-20s %s", words[status], checks[check].name, checks[check].title);
    if (result->why)
        fprintf(report->out, ": %s", result->why);
    if (result->faults > 1)
        fprintf(report->out, " (and %" PRIu64 " more)", result->faults - 1);
    fputc('\n', report->out);
    fflush(report->out);
}

void report_fault(struct report *report, enum check check, const char *format, ...)
{
    struct result *result = &report->results[check];
    va_list arguments;

    if (result->faults++)
        return;
    va_start(arguments, format);
    why_set(result, format, arguments);
    va_end(arguments);
}

void report_seen(struct report *report, enum check check)
{
    report->results[check].seen = true;
}

void report_skip(struct report *report, enum check check, const char *format, ...)
{
    struct result *result = &report->results[check];
    va_list arguments;

    if (result->status != STATUS_OPEN)
        return;
    if (!result->faults) {
        va_start(arguments, format);
        why_set(result, format, arguments);
        va_end(arguments);
    }
    settle(report, check, result->faults ? STATUS_FAIL : STATUS_SKIP);
}

void report_done(struct report *report, enum check check)
{
    if (report->results[check].status == STATUS_OPEN)
        settle(report, check, report->results[check].faults ? STATUS_FAIL : STATUS_OK);
}

void report_finish(struct report *report, const char *why)
{
    for (int check = 0; check < CHECK_COUNT; check++) {
        struct result *result = &report->results[check];

        if (result->seen || result->faults)
            report_done(report, (enum check)check);
        else if (check >= (int)CHECK_FIRST_SEEN)
            report_skip(report, (enum check)check,
                        "the node sent nothing that this can be checked with");
        else
            report_skip(report, (enum check)check, "%s", why);
    }
}

uint64_t report_count(const struct report *report, enum status status)
{
    uint64_t n = 0;

    for (size_t i = 0; i < CHECK_COUNT; i++)
        n += report_wants(report, (enum check)i) && report->results[i].status == status;
    return n;
}

bool report_conforms(const struct report *report)
{
    return !report->incomplete && !report_count(report, STATUS_FAIL);
}

void report_list(FILE *out)
{
    for (size_t i = 0; i < CHECK_COUNT; i++)
        fprintf(out, "%-20s %s\n", checks[i].name, checks[i].title);
}

void report_json(const struct report *report, FILE *out, const char *socket, const char *node,
                 const char *implementation)
{
    CLEANUP_FREE char *path = text_shown(socket);
    json_t *list = json_array(), *root;

    for (size_t i = 0; i < CHECK_COUNT; i++) {
        const struct result *result = &report->results[i];

        if (!report_wants(report, (enum check)i))
            continue;
        json_array_append_new(
            list,
            json_pack("{ss,ss,ss,ss*,sI}", "check", checks[i].name, "title", checks[i].title,
                      "status", result->status == STATUS_FAIL ? "fail" : words[result->status],
                      "reason", result->why, "faults", (json_int_t)result->faults));
    }
    root = json_pack("{ss,ss*,ss*,sb,sI,sI,sI,so}", "socket", path, "node", node, "implementation",
                     implementation, "conforms", report_conforms(report), "ok",
                     (json_int_t)report_count(report, STATUS_OK), "failed",
                     (json_int_t)report_count(report, STATUS_FAIL), "skipped",
                     (json_int_t)report_count(report, STATUS_SKIP), "checks", list);
    memory_check(root);
    json_dumpf(root, out, JSON_COMPACT | JSON_ENSURE_ASCII);
    fputc('\n', out);
    json_decref(root);
}

void report_clear(struct report *report)
{
    for (size_t i = 0; i < CHECK_COUNT; i++)
        free(report->results[i].why);
    *report = (struct report){0};
}
