/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One line → one answer. What a method may be given stands in one table; what
 * is not in it is refused with what would be right.
 */
#include "../node/jsonrpc.h"
#include "../util/printable.h"
#include "private.h"

#define PARAMS_MAX     9u
#define TEXT_BYTES_MAX 1024u
#define NAME_BYTES_MAX 255u

enum param_type {
    PARAM_TEXT,
    PARAM_NAME, /* of a peer */
    PARAM_NUMBER,
    PARAM_FLAG,
};

struct param {
    const char *name;
    enum param_type type;
    bool needed;
};

static const struct method {
    const char *name;
    void (*run)(struct request *request);
    struct param params[PARAMS_MAX + 1]; /* ended by a NULL name */
} methods[] = {
    {"version", answer_version, {{0}}},
    {"status", answer_status, {{0}}},
    {"as", answer_as, {{"uid", PARAM_NUMBER, true}}},
    {"metrics", answer_metrics, {{0}}},
    {"count", answer_count, {{"after", PARAM_NUMBER, false}}},
    {"peers",
     answer_peers,
     {{"after", PARAM_NUMBER, false},
      {"limit", PARAM_NUMBER, false},
      {"match", PARAM_TEXT, false},
      {"prefix", PARAM_TEXT, false},
      {"names", PARAM_FLAG, false},
      {"sort", PARAM_TEXT, false}}},
    {"relays", answer_relays, {{"after", PARAM_NUMBER, false}}},
    {"uplinks", answer_uplinks, {{"after", PARAM_NUMBER, false}}},
    {"resolve", answer_resolve, {{"peer", PARAM_NAME, true}, {"after", PARAM_NUMBER, false}}},
    {"explain", answer_explain, {{"peer", PARAM_NAME, true}}},
    {"decisions",
     answer_decisions,
     {{"before", PARAM_NUMBER, false},
      {"limit", PARAM_NUMBER, false},
      {"peer", PARAM_TEXT, false},
      {"trigger", PARAM_TEXT, false},
      {"verdict", PARAM_TEXT, false},
      {"uplink", PARAM_TEXT, false},
      {"since_us", PARAM_NUMBER, false},
      {"follow", PARAM_FLAG, false},
      {"all", PARAM_FLAG, false}}},
    {"migrate",
     command_migrate,
     {{"peer", PARAM_NAME, true},
      {"by", PARAM_TEXT, false},
      {"interface", PARAM_TEXT, false},
      {"uplink", PARAM_TEXT, false},
      {"local", PARAM_TEXT, false},
      {"via", PARAM_TEXT, false}}},
    {"hold",
     command_hold,
     {{"peer", PARAM_NAME, false},
      {"uplink", PARAM_TEXT, false},
      {"all", PARAM_FLAG, false},
      {"for_us", PARAM_NUMBER, false},
      {"absent", PARAM_FLAG, false}}},
    {"release",
     command_release,
     {{"peer", PARAM_NAME, false},
      {"uplink", PARAM_TEXT, false},
      {"all", PARAM_FLAG, false},
      {"if_held", PARAM_FLAG, false}}},
    {"mode", command_mode, {{"mode", PARAM_TEXT, false}}},
    {"reload", command_reload, {{0}}},
};

static bool is_text(const json_t *value, size_t most)
{
    return json_is_string(value) && json_string_length(value) >= 1 &&
           json_string_length(value) <= most &&
           text_is_printable(json_string_value(value), json_string_length(value));
}

/* NULL: good; else what it should be. */
static const char *param_wrong(const struct param *param, const json_t *value)
{
    switch (param->type) {
    case PARAM_TEXT:
        return is_text(value, TEXT_BYTES_MAX) ? NULL : "a string of 1 to 1024 printable bytes";
    case PARAM_NAME:
        return is_text(value, NAME_BYTES_MAX) ? NULL : "a peer's name: 1 to 255 bytes, printable";
    case PARAM_NUMBER:
        return json_is_integer(value) && json_integer_value(value) >= 0 ? NULL
                                                                        : "an integer, 0 or more";
    case PARAM_FLAG:
        return json_is_boolean(value) ? NULL : "true or false";
    }
    return NULL;
}

static void unknown_param(struct request *request, const struct method *method, const char *key)
{
    const char *names[PARAMS_MAX] = {0};
    char list[256];
    size_t n = 0;

    for (; method->params[n].name; n++)
        names[n] = method->params[n].name;
    list_words(list, sizeof(list), names, n);
    answer_error(request, ERROR_PARAMS, "%s: unknown parameter \"%.64s\"; %s%s", method->name, key,
                 n ? "allowed is " : "none is allowed", list);
}

/* Returns false: answered with an error. */
static bool params_check(struct request *request, const struct method *method)
{
    const char *key;
    json_t *value;

    json_object_foreach((json_t *)request->params, key, value)
    {
        const struct param *param = method->params;
        const char *wrong;

        while (param->name && strcmp(param->name, key) != 0)
            param++;
        if (!param->name) {
            unknown_param(request, method, key);
            return false;
        }
        wrong = param_wrong(param, value);
        if (wrong) {
            answer_error(request, ERROR_PARAMS, "\"%s\" is not %s", key, wrong);
            return false;
        }
    }
    for (const struct param *param = method->params; param->name; param++)
        if (param->needed && !param_given(request, param->name)) {
            answer_error(request, ERROR_PARAMS, "%s needs \"%s\"", method->name, param->name);
            return false;
        }
    return true;
}

static const struct method *method_find(struct request *request, const char *name)
{
    const char *names[ARRAY_SIZE(methods)], *nearest;
    char list[256];

    for (size_t i = 0; i < ARRAY_SIZE(methods); i++) {
        if (!strcmp(name, methods[i].name))
            return &methods[i];
        names[i] = methods[i].name;
    }
    nearest = nearest_word(name, names, ARRAY_SIZE(names));
    list_words(list, sizeof(list), names, ARRAY_SIZE(names));
    answer_error(request, ERROR_METHOD, "unknown method \"%.64s\"%s%s%s; the methods are %s", name,
                 nearest ? " (did you mean " : "", nearest ? nearest : "", nearest ? "?)" : "",
                 list);
    return NULL;
}

static void request_run(struct request *request, const struct message *message)
{
    const struct method *method;

    if (message->type == MESSAGE_NOTIFICATION) {
        answer_error(request, ERROR_INVALID, "\"id\" is missing: every request is answered");
        return;
    }
    if (message->type != MESSAGE_REQUEST) {
        answer_error(request, ERROR_INVALID, "%s",
                     message->problem ? message->problem
                                      : "an answer, but pathdog sends no requests here");
        return;
    }
    if (!json_is_integer(message->id) &&
        !(json_is_string(message->id) && json_string_length(message->id) <= ID_BYTES_MAX)) {
        answer_error(request, ERROR_INVALID, "\"id\" is neither an integer nor a short string");
        return;
    }
    request->id = message->id;
    if (message->params && !json_is_object(message->params)) {
        answer_error(request, ERROR_PARAMS, "\"params\" is not an object");
        return;
    }
    request->params = message->params;
    method = method_find(request, message->method);
    if (method && params_check(request, method))
        method->run(request);
}

static bool changes_something(const char *name)
{
    static void (*const commands[])(struct request * request) = {
        command_migrate, command_hold, command_release, command_mode, command_reload};

    for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
        for (size_t k = 0; k < ARRAY_SIZE(commands); k++)
            if (methods[i].run == commands[k] && !strcmp(name, methods[i].name))
                return true;
    return false;
}

bool request_waits(const char *line, size_t length)
{
    struct message message;
    char problem[160];
    bool waits;

    if (message_parse(line, length, &message, problem, sizeof(problem)) < 0)
        return false;
    waits = message.type == MESSAGE_REQUEST && changes_something(message.method);
    message_clear(&message);
    return waits;
}

void request_line(struct client *client, const char *line, size_t length, uint64_t share_us)
{
    struct request request = {
        .control = client->control,
        .client = client,
        .engine = client->control->host.engine,
        .out = &client->out,
        .now_us = clock_us(CLOCK_MONOTONIC),
    };
    struct message message;
    char problem[160];

    request.until_us = request.now_us + share_us;
    if (message_parse(line, length, &message, problem, sizeof(problem)) < 0) {
        answer_error(&request, ERROR_PARSE, "%s", problem);
        return;
    }
    request_run(&request, &message);
    message_clear(&message);
}
