/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines and JSON-RPC messages. What comes in is foreign: nothing here may
 * trust a length, a type or a depth.
 */
#include "jsonrpc.h"

#include <errno.h>
#include <stdio.h>

#include "../util/printable.h"

/* The longest id of a request that is sent back; a longer one comes back as null. */
#define ID_MAX_BYTES 1024
/* An empty object has two bytes in a line and some two hundred in memory. A message has three. */
#define VALUES_MAX 65536

void lines_feed(struct lines *lines, const char *bytes, size_t length)
{
    lines->input = bytes;
    lines->input_length = length;
}

static void drop_carried(struct lines *lines)
{
    if (!lines->carried)
        return;
    buffer_take(&lines->carry, lines->carry.length);
    lines->carried = false;
}

/* Takes one line, or what there is of it, off the input. */
static int take_line(struct lines *lines, const char **ret_line, size_t *ret_length)
{
    const char *end = memchr(lines->input, '\n', lines->input_length);
    size_t length = end ? (size_t)(end - lines->input) : lines->input_length;

    if (lines->carry.length + length >= LINE_MAX_BYTES)
        return -EMSGSIZE;
    *ret_line = lines->input;
    *ret_length = length;
    if (!end || lines->carry.length) {
        buffer_append(&lines->carry, lines->input, length);
        *ret_line = buffer_bytes(&lines->carry);
        *ret_length = lines->carry.length;
        lines->carried = end != NULL;
    }
    lines->input += length + (end ? 1 : 0);
    lines->input_length -= length + (end ? 1 : 0);
    return end ? 1 : 0;
}

int lines_next(struct lines *lines, const char **ret_line, size_t *ret_length)
{
    while (lines->input_length) {
        int r;

        drop_carried(lines);
        r = take_line(lines, ret_line, ret_length);
        if (r < 0 || (r > 0 && *ret_length))
            return r;
    }
    drop_carried(lines);
    return 0;
}

void lines_clear(struct lines *lines)
{
    buffer_clear(&lines->carry);
    *lines = (struct lines){0};
}

/* ---- what jansson refuses although it is JSON ---- */

static size_t digits(const char *s, size_t length)
{
    size_t n = 0;

    while (n < length && s[n] >= '0' && s[n] <= '9')
        n++;
    return n;
}

/* Is it a number as RFC 8259 §6 writes it? */
static bool is_number(const char *s, size_t length)
{
    size_t at = length && *s == '-' ? 1 : 0, n = digits(s + at, length - at);

    if (!n || (n > 1 && s[at] == '0'))
        return false;
    at += n;
    if (at < length && s[at] == '.') {
        n = digits(s + at + 1, length - at - 1);
        at += n + 1;
        if (!n)
            return false;
    }
    if (at < length && (s[at] == 'e' || s[at] == 'E')) {
        at++;
        if (at < length && (s[at] == '+' || s[at] == '-'))
            at++;
        n = digits(s + at, length - at);
        at += n;
        if (!n)
            return false;
    }
    return at == length;
}

/* A number too large for int64 or double becomes 0.5, which no member may be
 * either. Returns the length of the token. */
static size_t tame_number(char *s, size_t length)
{
    size_t n = 0;

    while (n < length && s[n] && strchr("+-.0123456789eE", s[n]))
        n++;
    if ((n > 18 || memchr(s, 'e', n) || memchr(s, 'E', n)) && is_number(s, n)) {
        memset(s, ' ', n);
        memcpy(s, "0.5", 3);
    }
    return n;
}

/* U+0000 becomes U+0001: both are forbidden where it matters, but the former is
 * refused in the name of a member. Returns the length of the string token. */
static size_t tame_string(char *s, size_t length)
{
    size_t at = 1;

    while (at < length && s[at] != '"') {
        if (s[at] == '\\' && length - at >= 6 && !memcmp(s + at, "\\u0000", 6))
            s[at + 5] = '1';
        at += s[at] == '\\' ? 2 : 1;
    }
    return min_u64(at + 1, length);
}

/* jansson gives up on numbers and names that are valid JSON but fit none of its
 * types. They must spoil a value, not the connection: such a line is read again
 * with them replaced. */
static json_t *load_tamed(const char *line, size_t length, json_error_t *error)
{
    char *copy = memory_new(length, 1);
    json_t *root;
    size_t at = 0;

    memcpy(copy, line, length);
    while (at < length) {
        if (copy[at] == '"')
            at += tame_string(copy + at, length - at);
        else if (copy[at] == '-' || (copy[at] >= '0' && copy[at] <= '9'))
            at += tame_number(copy + at, length - at);
        else
            at++;
    }
    root = json_loadb(copy, length, JSON_ALLOW_NUL, error);
    free(copy);
    return root;
}

static json_t *load(const char *line, size_t length, json_error_t *error)
{
    json_t *root = json_loadb(line, length, JSON_ALLOW_NUL, error);
    enum json_error_code code = root ? json_error_unknown : json_error_code(error);

    if (code == json_error_numeric_overflow || code == json_error_null_byte_in_key)
        root = load_tamed(line, length, error);
    return root;
}

/* ---- messages ---- */

static int spoil(struct message *message, const char *problem)
{
    message->type = MESSAGE_MALFORMED;
    message->problem = problem;
    return 0;
}

static int check_error(struct message *message, const json_t *error)
{
    const json_t *code = json_object_get(error, "code");
    const json_t *text = json_object_get(error, "message");

    if (!json_is_object(error))
        return spoil(message, "\"error\" is not an object");
    if (!json_is_integer(code))
        return spoil(message, "\"code\" of the error is not an integer");
    if (text && !json_is_string(text) && !json_is_null(text))
        return spoil(message, "\"message\" of the error is not a string");
    message->type = MESSAGE_ERROR;
    message->code = json_integer_value(code);
    message->error_message = json_is_string(text) ? text : NULL;
    return 0;
}

static int check_answer(struct message *message)
{
    const json_t *error = json_object_get(message->root, "error");

    message->result = json_object_get(message->root, "result");
    if (!message->id)
        return spoil(message, "neither \"method\" nor \"id\"");
    if (!json_is_integer(message->id))
        return spoil(message, "\"id\" is not an integer");
    message->number = json_integer_value(message->id);
    if (!message->result == !error)
        return spoil(message,
                     error ? "both \"result\" and \"error\"" : "neither \"result\" nor \"error\"");
    if (error)
        return check_error(message, error);
    message->type = MESSAGE_RESULT;
    return 0;
}

static int check_message(struct message *message)
{
    const json_t *version = json_object_get(message->root, "jsonrpc");
    const json_t *method = json_object_get(message->root, "method");
    bool versioned = json_is_string(version) && json_string_length(version) == 3 &&
                     !strcmp(json_string_value(version), "2.0");

    message->id = json_object_get(message->root, "id");
    message->params = json_object_get(message->root, "params");
    if (method && !json_is_string(method))
        return spoil(message, "\"method\" is not a string");
    if (!method) {
        check_answer(message);
        return versioned ? 0 : spoil(message, "\"jsonrpc\" is not \"2.0\"");
    }
    message->method = json_string_value(method);
    message->method_length = json_string_length(method);
    message->type = message->id ? MESSAGE_REQUEST : MESSAGE_NOTIFICATION;
    if (!versioned && !message->id)
        return spoil(message, "\"jsonrpc\" is not \"2.0\"");
    return 0;
}

/* Each costs hundreds of bytes once it is read. Brackets in strings count too: nobody has so many.
 * Rows in the usual form do not come here: summaries-scan.c reads them. What is nested too deeply
 * is no JSON to the parser, which says so. */
static bool has_too_many_values(const char *line, size_t length)
{
    size_t n = 0;

    for (size_t i = 0; length > VALUES_MAX && i < length; i++)
        n += line[i] == '{' || (line[i] == '[' && i && line[i - 1] != '[');
    return n > VALUES_MAX;
}

int message_parse(const char *line, size_t length, struct message *ret, char *ret_problem,
                  size_t size)
{
    json_error_t error;

    *ret = (struct message){0};
    if (has_too_many_values(line, length))
        return spoil(ret, "more than 65536 objects and arrays in a line");
    ret->root = load(line, length, &error);
    if (!ret->root) {
        char words[96];

        text_printable(words, sizeof(words), error.text, strlen(error.text));
        snprintf(ret_problem, size, "not JSON: %s (byte %d)", words, error.position);
        return -EBADMSG;
    }
    if (!json_is_object(ret->root)) {
        message_clear(ret);
        snprintf(ret_problem, size, "not a JSON object");
        return -EBADMSG;
    }
    return check_message(ret);
}

void message_clear(struct message *message)
{
    json_decref(message->root);
    *message = (struct message){0};
}

void message_refuse(struct buffer *out, const struct message *request)
{
    buffer_text(out, "{\"jsonrpc\":\"2.0\",\"id\":");
    if (json_is_integer(request->id))
        buffer_i64(out, json_integer_value(request->id));
    else if (json_is_string(request->id) && json_string_length(request->id) <= ID_MAX_BYTES)
        buffer_json(out, json_string_value(request->id), json_string_length(request->id));
    else
        buffer_text(out, "null");
    buffer_text(out, ",\"error\":{\"code\":-32601,\"message\":\"method not found\"}}\n");
}
