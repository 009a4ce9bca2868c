/* SPDX-License-Identifier: Apache-2.0 */
/* Connections that are ready for a check, and what checks say in common. */
#include <inttypes.h>
#include <stdarg.h>

#include "../util/format.h"
#include "checker.h"
#include "version.h"

/* So many sessions in a row that could not be had: then the node is not asked any more. */
#define FAILURES_MAX 2

bool expect(struct checker *checker, enum check check, bool good, const char *format, ...)
{
    CLEANUP_FREE char *text = NULL;
    va_list arguments;

    if (good)
        return true;
    va_start(arguments, format);
    text = string_vformat(format, arguments);
    va_end(arguments);
    report_fault(&checker->report, check, "%s", text);
    return false;
}

const char *answer_text(const struct asked *answer, char text[static 64])
{
    if (!answer)
        return "there was no answer";
    if (answer->type == MESSAGE_ERROR)
        snprintf(text, 64, "the answer was error %" PRId64, answer->code);
    else
        snprintf(text, 64, "the answer was %s",
                 answer->type == MESSAGE_RESULT ? "a result" : "malformed");
    return text;
}

/* What needed that session cannot be said to be good. */
static void failed(struct checker *checker, const char *method)
{
    checker->report.incomplete = true;
    if (++checker->n_failures >= FAILURES_MAX && !checker->gone)
        checker->gone =
            string_format("the node did not answer %s %d times in a row", method, FAILURES_MAX);
}

bool session_hello(struct checker *checker, struct client *client)
{
    const struct asked *answer;

    if (checker->gone || client_open(checker, client) < 0)
        return false;
    answer =
        client_call(checker, client, "hello",
                    "{\"protocol\":[1],\"client\":\"pathdog-node-check/" PATHDOG_VERSION "\"}");
    if (answer && answer->type == MESSAGE_RESULT) {
        lint_hello(checker, json_object_get(answer->answer, "result"));
        client->greeted = true;
        checker->n_failures = 0;
        return true;
    }
    failed(checker, "hello");
    client_close(client);
    return false;
}

bool session_open(struct checker *checker, struct client *client)
{
    const struct asked *answer;

    if (!session_hello(checker, client))
        return false;
    client->subscribe_id = client->first_id + client->n_asked;
    answer = client_call(checker, client, "subscribe", NULL);
    if (answer && answer->type == MESSAGE_RESULT) {
        client->subscribed = true;
        return true;
    }
    failed(checker, "subscribe");
    client_close(client);
    return false;
}

bool session_alive(struct checker *checker, enum check check, const char *after)
{
    struct client client;
    bool alive = session_hello(checker, &client);

    if (alive)
        client_close(&client);
    return expect(checker, check, alive, "the node serves no new client after %s", after);
}
