/* SPDX-License-Identifier: Apache-2.0 */
/* The first thing that is said. */
#include <inttypes.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "checker.h"

static void netns_look(struct checker *checker, int fd, const json_t *hello)
{
    struct report *report = &checker->report;
    json_int_t reported = json_integer_value(json_object_get(hello, "netns"));
    struct ucred credentials;
    socklen_t length = sizeof(credentials);
    char path[64];
    struct stat st;

    if (!reported) {
        report_skip(report, CHECK_HELLO_NETNS, "the node does not report netns");
        return;
    }
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &credentials, &length) < 0 || credentials.pid < 1) {
        report_skip(report, CHECK_HELLO_NETNS, "the node's process cannot be seen from here");
        return;
    }
    snprintf(path, sizeof(path), "/proc/%d/ns/net", (int)credentials.pid);
    if (stat(path, &st) < 0) {
        report_skip(report, CHECK_HELLO_NETNS,
                    "%s cannot be read: run pathdog-node-check as root or as the node's user",
                    path);
        return;
    }
    expect(checker, CHECK_HELLO_NETNS, (uint64_t)reported == st.st_ino,
           "the node reports %" JSON_INTEGER_FORMAT ", the node's process is in %" PRIu64, reported,
           (uint64_t)st.st_ino);
    report_done(report, CHECK_HELLO_NETNS);
}

/* Once more on the connection that was greeted already. */
static void hello_twice(struct checker *checker, struct client *client)
{
    const struct asked *answer = client_call(checker, client, "hello", "{\"protocol\":[1]}");
    char text[64];

    if (expect(checker, CHECK_HELLO_TWICE, answer, "%s", answer_text(answer, text)) &&
        answer->type == MESSAGE_RESULT)
        lint_hello(checker, json_object_get(answer->answer, "result"));
    report_done(&checker->report, CHECK_HELLO_TWICE);
}

/* Hello with other protocols than usual, on a new connection. */
static void hello_versions(struct checker *checker, enum check check, const char *params,
                           bool common)
{
    struct client client;
    const struct asked *answer;
    const json_t *result;
    char text[64];

    if (client_open(checker, &client) < 0)
        return;
    client.end_is_fine = !common; /* it has nothing more to say */
    answer = client_call(checker, &client, "hello", params);
    result = answer ? json_object_get(answer->answer, "result") : NULL;
    if (common)
        expect(checker, check,
               result && json_integer_value(json_object_get(result, "protocol")) == 1,
               "hello with %s: %s", params, answer_text(answer, text));
    else
        expect(checker, check, answer && answer->type == MESSAGE_ERROR && answer->code == -32010,
               "hello with %s: %s", params, answer_text(answer, text));
    if (result) {
        client.greeted = true;
        lint_hello(checker, result);
    }
    report_done(&checker->report, check);
    client_close(&client);
}

/* pathdog never does it; but whoever does must not take the node with him. */
static void early_request(struct checker *checker)
{
    struct client client;
    const struct asked *answer;
    char text[64];

    if (client_open(checker, &client) < 0)
        return;
    client.end_is_fine = true;
    answer = client_call(checker, &client, METHOD_NOBODY, NULL);
    expect(checker, CHECK_EARLY_REQUEST, answer || client.ended,
           "%s, and the node did not close the connection", answer_text(answer, text));
    client_close(&client);
    session_alive(checker, CHECK_EARLY_REQUEST, "a request before hello");
    report_done(&checker->report, CHECK_EARLY_REQUEST);
}

void checks_hello(struct checker *checker)
{
    struct client client;
    bool good = session_hello(checker, &client);

    expect(checker, CHECK_HELLO, good, "hello was not answered with a result");
    report_done(&checker->report, CHECK_HELLO);
    if (!good)
        return;
    netns_look(checker, client.fd, json_object_get(client.asked[0].answer, "result"));
    hello_twice(checker, &client);
    client_close(&client);
    hello_versions(checker, CHECK_HELLO_VERSIONS,
                   "{\"protocol\":[2,1],\"client\":\"pathdog-node-check\",\"x-new\":{\"a\":[1]}}",
                   true);
    hello_versions(checker, CHECK_HELLO_UNSUPPORTED,
                   "{\"protocol\":[99],\"client\":\"pathdog-node-check\"}", false);
    early_request(checker);
    report_done(&checker->report, CHECK_HELLO_MEMBERS);
}
