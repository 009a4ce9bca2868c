/* SPDX-License-Identifier: Apache-2.0 */
/*
 * As much of HTTP/1.1 (RFC 9110, 9112) as a scraper needs: GET and HEAD of /metrics, one request on
 * a connection. Pure.
 */
#ifndef METRICS_HTTP_H
#define METRICS_HTTP_H

#include "../util/buffer.h"
#include "text.h"

#define HTTP_HEAD_MAX   ((size_t)8192) /* bytes of a request, its empty line included */
#define HTTP_FIELDS_MAX 100u

enum http_status {
    HTTP_OK = 200,
    HTTP_BAD = 400,
    HTTP_NOT_FOUND = 404,
    HTTP_NOT_ALLOWED = 405,
    HTTP_TIMEOUT = 408,
    HTTP_TOO_LARGE = 431,
    HTTP_UNAVAILABLE = 503,
    HTTP_VERSION = 505,
};

struct http_request {
    enum http_status status; /* that it is to be answered with */
    const char *why;         /* one sentence; NULL where that is HTTP_OK */
    bool head;               /* HEAD: without the page itself */
    enum text_form form;     /* that it accepts */
};

/* What came so far. False: that is not all of a request yet. */
bool http_parse(const char *bytes, size_t length, struct http_request *ret);

/* The head of an answer with a page of so many bytes. */
void http_answer_page(struct buffer *out, enum text_form form, size_t n_bytes);

/* The whole of an answer that is an error. */
void http_answer_error(struct buffer *out, enum http_status status, const char *why, bool head);

#endif
