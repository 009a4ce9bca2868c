/* SPDX-License-Identifier: Apache-2.0 */
#include "http.h"

#include <strings.h>

#include "http-accept.h"

static const char *const content_types[] = {
    [FORM_OPENMETRICS] = "application/openmetrics-text; version=1.0.0; charset=utf-8",
    [FORM_PROMETHEUS] = "text/plain; version=0.0.4; charset=utf-8"};

/* A request that is being read. */
struct reading {
    struct http_request *request;
    struct http_accept accept;
    unsigned minor; /* of HTTP/1.x */
    unsigned hosts;
};

static bool refuse(struct reading *reading, enum http_status status, const char *why)
{
    reading->request->status = status;
    reading->request->why = why;
    return false;
}

static bool is_token(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_word(const char *s, size_t length, const char *word)
{
    return length == strlen(word) && !memcmp(s, word, length);
}

static bool is_field(const char *s, size_t length, const char *name)
{
    return length == strlen(name) && !strncasecmp(s, name, length);
}

/* ---- the first line ---- */

/* "HTTP/1.1" */
static bool read_version(struct reading *reading, const char *s, size_t length)
{
    if (length != 8 || memcmp(s, "HTTP/", 5) != 0 || s[5] < '0' || s[5] > '9' || s[6] != '.' ||
        s[7] < '0' || s[7] > '9')
        return refuse(reading, HTTP_BAD, "the request line does not end in HTTP/1.0 or HTTP/1.1");
    if (s[5] != '1')
        return refuse(reading, HTTP_VERSION, "only HTTP/1.0 and HTTP/1.1 are spoken here");
    reading->minor = (unsigned)(s[7] - '0');
    return true;
}

/* "/metrics?x=y", or the same after "http://host". */
static bool is_metrics(const char *s, size_t length)
{
    static const char path[] = "/metrics";
    const char *slash;

    if (length > 7 && !strncasecmp(s, "http://", 7)) {
        slash = memchr(s + 7, '/', length - 7);
        if (!slash)
            return false;
        length -= (size_t)(slash - s);
        s = slash;
    }
    return length >= strlen(path) && !memcmp(s, path, strlen(path)) &&
           (length == strlen(path) || s[strlen(path)] == '?');
}

static bool read_method(struct reading *reading, const char *s, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!is_token(s[i]))
            return refuse(reading, HTTP_BAD, "the request does not begin with a method");
    reading->request->head = is_word(s, length, "HEAD");
    return true;
}

static bool read_first_line(struct reading *reading, const char *line, size_t length)
{
    const char *method_end = memchr(line, ' ', length), *end = line + length, *target, *target_end;

    if (!method_end || method_end == line)
        return refuse(reading, HTTP_BAD, "the request does not begin with a method");
    if (!read_method(reading, line, (size_t)(method_end - line)))
        return false;
    target = method_end + 1;
    target_end = memchr(target, ' ', (size_t)(end - target));
    if (!target_end || target_end == target)
        return refuse(reading, HTTP_BAD, "the request line is not METHOD TARGET HTTP/1.1");
    for (const char *s = target; s < target_end; s++)
        if (*s <= ' ' || *s == 0x7f || *s == '#')
            return refuse(reading, HTTP_BAD,
                          "the request's target has a character that no target has");
    if (!read_version(reading, target_end + 1, (size_t)(end - target_end - 1)))
        return false;
    if (!is_metrics(target, (size_t)(target_end - target)))
        return refuse(reading, HTTP_NOT_FOUND, "only /metrics is here");
    if (!reading->request->head && !is_word(line, (size_t)(method_end - line), "GET"))
        return refuse(reading, HTTP_NOT_ALLOWED, "only GET and HEAD are allowed");
    return true;
}

/* ---- its fields ---- */

static bool is_zero(const char *s, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (s[i] != '0')
            return false;
    return length;
}

static bool take_field(struct reading *reading, const char *name, size_t n_name, const char *value,
                       size_t n_value)
{
    if (is_field(name, n_name, "accept"))
        http_accept_add(&reading->accept, value, n_value);
    else if (is_field(name, n_name, "host") && ++reading->hosts > 1)
        return refuse(reading, HTTP_BAD, "there is more than one Host");
    else if (is_field(name, n_name, "transfer-encoding") ||
             (is_field(name, n_name, "content-length") && !is_zero(value, n_value)))
        return refuse(reading, HTTP_BAD, "a request for /metrics has no content");
    return true;
}

static bool read_field(struct reading *reading, const char *line, size_t length)
{
    const char *colon = memchr(line, ':', length), *value;
    size_t n_name = colon ? (size_t)(colon - line) : 0, n_value;

    if (!n_name)
        return refuse(reading, HTTP_BAD, "a line of the head is not NAME: VALUE");
    for (size_t i = 0; i < n_name; i++)
        if (!is_token(line[i]))
            return refuse(reading, HTTP_BAD, "a name in the head has a character that no name has");
    value = colon + 1;
    n_value = length - n_name - 1;
    for (size_t i = 0; i < n_value; i++)
        if (((unsigned char)value[i] < ' ' && value[i] != '\t') || value[i] == 0x7f)
            return refuse(reading, HTTP_BAD, "a value in the head has a control character");
    while (n_value && (*value == ' ' || *value == '\t')) {
        value++;
        n_value--;
    }
    while (n_value && (value[n_value - 1] == ' ' || value[n_value - 1] == '\t'))
        n_value--;
    return take_field(reading, line, n_name, value, n_value);
}

/* ---- all of it ---- */

/* The next line without its end. False: it is not complete. */
static bool next_line(const char *bytes, size_t length, size_t *at, const char **ret_line,
                      size_t *ret_length)
{
    const char *line = bytes + *at, *end = memchr(line, '\n', length - *at);

    if (!end)
        return false;
    *ret_line = line;
    *ret_length = (size_t)(end - line);
    *at += *ret_length + 1;
    if (*ret_length && line[*ret_length - 1] == '\r')
        (*ret_length)--;
    return true;
}

static void finish(struct reading *reading)
{
    reading->request->form = http_accept_form(&reading->accept);
    if (reading->minor >= 1 && !reading->hosts)
        (void)refuse(reading, HTTP_BAD, "HTTP/1.1 needs a Host");
}

bool http_parse(const char *bytes, size_t length, struct http_request *ret)
{
    struct reading reading = {.request = ret};
    size_t at = 0, n_line;
    const char *line;

    *ret = (struct http_request){.status = HTTP_OK};
    if (length && !is_token(bytes[0])) { /* TLS, for example: its end will never come */
        (void)refuse(&reading, HTTP_BAD, "the request does not begin with a method");
        return true;
    }
    if (!next_line(bytes, length, &at, &line, &n_line)) {
        (void)refuse(&reading, HTTP_TOO_LARGE, "the head of the request is longer than 8192 bytes");
        return length >= HTTP_HEAD_MAX;
    }
    if (!read_first_line(&reading, line, n_line))
        return true;
    for (unsigned n = 0; next_line(bytes, length, &at, &line, &n_line); n++) {
        if (!n_line) {
            finish(&reading);
            return true;
        }
        if (n == HTTP_FIELDS_MAX)
            (void)refuse(&reading, HTTP_TOO_LARGE,
                         "the head of the request has more than 100 lines");
        if (n == HTTP_FIELDS_MAX || !read_field(&reading, line, n_line))
            return true;
    }
    (void)refuse(&reading, HTTP_TOO_LARGE, "the head of the request is longer than 8192 bytes");
    return length >= HTTP_HEAD_MAX;
}

/* ---- answers ---- */

static const char *phrase_of(enum http_status status)
{
    switch (status) {
    case HTTP_OK:
        return "200 OK";
    case HTTP_BAD:
        return "400 Bad Request";
    case HTTP_NOT_FOUND:
        return "404 Not Found";
    case HTTP_NOT_ALLOWED:
        return "405 Method Not Allowed";
    case HTTP_TIMEOUT:
        return "408 Request Timeout";
    case HTTP_TOO_LARGE:
        return "431 Request Header Fields Too Large";
    case HTTP_UNAVAILABLE:
        return "503 Service Unavailable";
    case HTTP_VERSION:
        return "505 HTTP Version Not Supported";
    }
    return "500 Internal Server Error";
}

static void put_head(struct buffer *out, enum http_status status, const char *type, size_t n_bytes)
{
    buffer_text(out, "HTTP/1.1 ");
    buffer_text(out, phrase_of(status));
    buffer_text(out, "\r\nContent-Type: ");
    buffer_text(out, type);
    buffer_text(out, "\r\nContent-Length: ");
    buffer_u64(out, n_bytes);
    buffer_text(out, "\r\nConnection: close\r\n");
}

void http_answer_page(struct buffer *out, enum text_form form, size_t n_bytes)
{
    put_head(out, HTTP_OK, content_types[form], n_bytes);
    buffer_text(out, "Vary: Accept\r\n\r\n");
}

void http_answer_error(struct buffer *out, enum http_status status, const char *why, bool head)
{
    put_head(out, status, "text/plain; charset=utf-8", strlen(why) + 1);
    if (status == HTTP_NOT_ALLOWED)
        buffer_text(out, "Allow: GET, HEAD\r\n");
    if (status == HTTP_UNAVAILABLE)
        buffer_text(out, "Retry-After: 1\r\n");
    buffer_text(out, "\r\n");
    if (head)
        return;
    buffer_text(out, why);
    buffer_text(out, "\n");
}
