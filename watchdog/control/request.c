/* SPDX-License-Identifier: Apache-2.0 */
/* A request's params, and the frame of its one answer. */
#include <stdarg.h>
#include <stdio.h>

#include "../util/printable.h"
#include "private.h"

/* Steps between two looks at the clock: fewer would cost more than they spare. */
#define STEPS_UNSEEN 32u

bool request_goes_on(struct request *request)
{
    return ++request->steps % STEPS_UNSEEN || clock_us(CLOCK_MONOTONIC) < request->until_us;
}

/* ---- answers ---- */

static void put_id(struct buffer *out, const json_t *id)
{
    buffer_text(out, "{\"jsonrpc\":\"2.0\",\"id\":");
    if (json_is_integer(id))
        buffer_i64(out, json_integer_value(id));
    else if (json_is_string(id) && json_string_length(id) <= ID_BYTES_MAX)
        buffer_json(out, json_string_value(id), json_string_length(id));
    else
        buffer_append(out, "null", 4);
}

struct buffer *answer_begin(struct request *request)
{
    put_id(request->out, request->id);
    buffer_text(request->out, ",\"result\":");
    return request->out;
}

void answer_end(struct request *request)
{
    buffer_append(request->out, "}\n", 2);
}

void answer_error(struct request *request, enum error_code code, const char *format, ...)
{
    char text[512], shown[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    text_printable(shown, sizeof(shown), text, strlen(text));
    put_id(request->out, request->id);
    buffer_text(request->out, ",\"error\":{\"code\":");
    buffer_i64(request->out, code);
    put_text(request->out, "message", shown);
    buffer_text(request->out, "}}\n");
    if (code == ERROR_PARSE || code == ERROR_INVALID || code == ERROR_METHOD)
        request->client->invalid_lines++;
}

/* ---- members of the params ---- */

const char *param_text(const struct request *request, const char *name)
{
    return json_string_value(json_object_get(request->params, name));
}

uint64_t param_u64(const struct request *request, const char *name)
{
    return (uint64_t)json_integer_value(json_object_get(request->params, name));
}

bool param_bool(const struct request *request, const char *name)
{
    return json_is_true(json_object_get(request->params, name));
}

bool param_given(const struct request *request, const char *name)
{
    return json_object_get(request->params, name);
}

bool param_glob(struct request *request, const char *name, struct glob **ret_glob)
{
    const char *text = param_text(request, name);

    *ret_glob = text ? glob_new(text) : NULL;
    if (!text || !glob_is_too_long(*ret_glob))
        return true;
    *ret_glob = glob_free(*ret_glob);
    answer_error(request, ERROR_PARAMS,
                 "\"%s\" is a glob that stands for more than %u bytes; no peer's name is longer",
                 name, GLOB_PLACES_MAX);
    return false;
}

/* "a, b and c" */
void list_words(char *text, size_t size, const char *const *words, size_t n)
{
    size_t at = 0;

    text[0] = '\0';
    for (size_t i = 0; i < n && at < size; i++)
        at += (size_t)snprintf(text + at, size - at, "%s%s", words[i],
                               i + 2 < n    ? ", "
                               : i + 2 == n ? " and "
                                            : "");
}

int param_choice(struct request *request, const char *name, const char *const *names, int absent)
{
    const char *text = param_text(request, name);
    char allowed[256];
    size_t n = 0;

    if (!text)
        return absent;
    for (; names[n]; n++)
        if (!strcmp(names[n], text))
            return (int)n;
    list_words(allowed, sizeof(allowed), names, n);
    answer_error(request, ERROR_PARAMS, "\"%s\" may not be \"%.64s\"; allowed is %s", name, text,
                 allowed);
    return -1;
}
