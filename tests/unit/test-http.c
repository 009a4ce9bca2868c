/* SPDX-License-Identifier: Apache-2.0 */
/* metrics/http.c, metrics/http-accept.c: what a scraper asks, and is answered. */
#include "check.h"
#include "metrics/http.h"
#include "util/util.h"

static struct http_request parse(const char *text)
{
    struct http_request request;

    if (!http_parse(text, strlen(text), &request))
        fail_msg("more is wanted of: %s", text);
    return request;
}

static void expect(enum http_status status, const char *text)
{
    struct http_request request = parse(text);

    if (request.status != status)
        fail_msg("%d (%s) and not %d: %s", request.status, request.why ? request.why : "", status,
                 text);
    assert_int_equal(request.why == NULL, status == HTTP_OK);
}

static void test_answered(void **state)
{
    expect(HTTP_OK, "GET /metrics HTTP/1.0\r\n\r\n");
    expect(HTTP_OK, "GET /metrics HTTP/1.1\r\nHost: h\r\n\r\n");
    expect(HTTP_OK, "GET /metrics?collect[]=x HTTP/1.1\r\nHOST:\th \r\n\r\n");
    expect(HTTP_OK, "GET http://h:1/metrics HTTP/1.1\nhost: h\n\n");
    expect(HTTP_OK, "GET /metrics HTTP/1.1\r\nHost:\r\nContent-Length: 0\r\n\r\n");
    expect(HTTP_OK, "GET /metrics HTTP/1.1\r\nHost: h\r\nX: caf\xc3\xa9\r\n\r\nGET / HTTP/1.1\r\n");
    assert_false(parse("GET /metrics HTTP/1.0\r\n\r\n").head);
    assert_true(parse("HEAD /metrics HTTP/1.0\r\n\r\n").head);
}

static void test_refused(void **state)
{
    expect(HTTP_NOT_FOUND, "GET / HTTP/1.0\r\n\r\n");
    expect(HTTP_NOT_FOUND, "GET /metricsx HTTP/1.0\r\n\r\n");
    expect(HTTP_NOT_FOUND, "GET metrics HTTP/1.0\r\n\r\n");
    expect(HTTP_NOT_FOUND, "GET http://h HTTP/1.0\r\n\r\n");
    expect(HTTP_NOT_ALLOWED, "POST /metrics HTTP/1.0\r\n\r\n");
    expect(HTTP_NOT_ALLOWED, "get /metrics HTTP/1.0\r\n\r\n");
    expect(HTTP_VERSION, "PRI * HTTP/2.0\r\n\r\n");
    expect(HTTP_BAD, "GET /metrics\r\n\r\n");
    expect(HTTP_BAD, "GET  /metrics HTTP/1.0\r\n\r\n");
    expect(HTTP_BAD, "GET /metrics HTTP/1.0 \r\n\r\n");
    expect(HTTP_BAD, "GET /metrics HTTP/11\r\n\r\n");
    expect(HTTP_BAD, "GET /metrics http/1.0\r\n\r\n");
    expect(HTTP_BAD, "GET /metrics#x HTTP/1.0\r\n\r\n");
    expect(HTTP_BAD, "GET\r\n\r\n");
    expect(HTTP_BAD, "\r\nGET /metrics HTTP/1.0\r\n\r\n");
    expect(HTTP_BAD, "\x16\x03\x01");
    expect(HTTP_BAD, "G\x01T /metrics HTTP/1.0\r\n\r\n");
}

static void test_fields_refused(void **state)
{
    expect(HTTP_BAD, "GET /metrics HTTP/1.1\r\n\r\n");
    expect(HTTP_BAD, "GET /metrics HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n");
    expect(HTTP_BAD, "GET /metrics HTTP/1.0\r\nno colon\r\n\r\n");
    expect(HTTP_BAD, "GET /metrics HTTP/1.0\r\n: x\r\n\r\n");
    expect(HTTP_BAD, "GET /metrics HTTP/1.0\r\nX : x\r\n\r\n");
    expect(HTTP_BAD, "GET /metrics HTTP/1.0\r\nX: a\r\n b\r\n\r\n");
    expect(HTTP_BAD, "GET /metrics HTTP/1.0\r\nX: a\x01\r\n\r\n");
    expect(HTTP_BAD, "GET /metrics HTTP/1.0\r\nX: a\rb\r\n\r\n");
    expect(HTTP_BAD, "GET /metrics HTTP/1.0\r\nContent-Length: 5\r\n\r\n");
    expect(HTTP_BAD, "GET /metrics HTTP/1.0\r\nContent-Length:\r\n\r\n");
    expect(HTTP_BAD, "GET /metrics HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n");
}

static void test_nul_is_no_end(void **state)
{
    static const char target[] = "GET /metrics\0 HTTP/1.0\r\n\r\n";
    static const char value[] = "GET /metrics HTTP/1.0\r\nX: a\0\r\n\r\n";
    struct http_request request;

    assert_true(http_parse(target, sizeof(target) - 1, &request));
    assert_int_equal(request.status, HTTP_BAD);
    assert_true(http_parse(value, sizeof(value) - 1, &request));
    assert_int_equal(request.status, HTTP_BAD);
}

/* Whatever the pieces are, nothing is answered before the end, or the first error. */
static void test_in_pieces(void **state)
{
    static const char text[] = "GET /metrics HTTP/1.1\r\nHost: h\r\nAccept: text/plain\r\n\r\n";
    struct http_request request;

    for (size_t i = 0; i < strlen(text); i++)
        if (http_parse(text, i, &request))
            fail_msg("%zu bytes are enough", i);
    assert_true(http_parse(text, strlen(text), &request));
    assert_int_equal(request.form, FORM_PROMETHEUS);
}

static void test_too_long(void **state)
{
    struct http_request request;
    struct buffer text = {0};

    buffer_text(&text, "GET /");
    while (text.length < HTTP_HEAD_MAX)
        buffer_text(&text, "x");
    assert_false(http_parse(buffer_bytes(&text), HTTP_HEAD_MAX - 1, &request));
    assert_true(http_parse(buffer_bytes(&text), HTTP_HEAD_MAX, &request));
    assert_int_equal(request.status, HTTP_TOO_LARGE);
    buffer_clear(&text);
    buffer_text(&text, "GET /metrics HTTP/1.0\r\n");
    for (unsigned i = 0; i <= HTTP_FIELDS_MAX; i++)
        buffer_text(&text, "a: b\r\n");
    assert_true(http_parse(buffer_bytes(&text), text.length, &request));
    assert_int_equal(request.status, HTTP_TOO_LARGE);
    buffer_clear(&text);
}

static enum text_form form_of(const char *accept)
{
    char text[512];

    snprintf(text, sizeof(text), "GET /metrics HTTP/1.0\r\n%s\r\n", accept);
    return parse(text).form;
}

static void test_accept(void **state)
{
    static const struct {
        const char *accept;
        enum text_form form;
    } cases[] = {
        {"", FORM_OPENMETRICS},
        {"Accept: */*\r\n", FORM_OPENMETRICS},
        {"Accept: text/plain\r\n", FORM_PROMETHEUS},
        {"Accept: TEXT/Plain;version=0.0.4\r\n", FORM_PROMETHEUS},
        {"Accept: text/*\r\n", FORM_PROMETHEUS},
        {"Accept: text/html, */*;q=0.8\r\n", FORM_OPENMETRICS},
        {"Accept: image/png\r\n", FORM_OPENMETRICS},
        {"Accept: application/openmetrics-text;version=1.0.0,text/plain;q=0.5\r\n",
         FORM_OPENMETRICS},
        {"Accept: application/openmetrics-text; version=1.0.0; q=0.4, text/plain; q=0.5\r\n",
         FORM_PROMETHEUS},
        {"Accept: application/openmetrics-text;version=0.0.1,text/plain;version=0.0.4;q=0.3\r\n",
         FORM_PROMETHEUS},
        {"Accept: application/openmetrics-text;version=\"1.0.0\",text/plain;q=0.9\r\n",
         FORM_OPENMETRICS},
        /* the most exact one counts, not the greatest */
        {"Accept: */*, application/openmetrics-text;q=0.1\r\n", FORM_PROMETHEUS},
        {"Accept: application/openmetrics-text;q=0.1, */*\r\n", FORM_PROMETHEUS},
        {"Accept: text/plain;x=\"a,b;q=0\\\"\";q=1.0,application/*;q=0.999\r\n", FORM_PROMETHEUS},
        /* several, and rubbish between */
        {"Accept: text/plain\r\nAccept: application/openmetrics-text\r\n", FORM_OPENMETRICS},
        {"Accept: ,;=,\"\r\nAccept: text/plain;q=x;;=\r\nAccept: text/plain;q=.5\r\n",
         FORM_OPENMETRICS},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        if (form_of(cases[i].accept) != cases[i].form)
            fail_msg("%s", cases[i].accept);
}

/* Of Prometheus 2.42 and 3.0, as they send it. */
static void test_accept_of_prometheus(void **state)
{
    assert_int_equal(form_of("Accept: application/openmetrics-text;version=1.0.0,application/"
                             "openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,"
                             "*/*;q=0.1\r\n"),
                     FORM_OPENMETRICS);
    assert_int_equal(form_of("Accept: application/openmetrics-text;version=1.0.0;escaping=allow-"
                             "utf-8;q=0.5,application/openmetrics-text;version=0.0.1;q=0.4,text/"
                             "plain;version=1.0.0;escaping=allow-utf-8;q=0.3,text/"
                             "plain;version=0.0.4;q=0.2,*/*;q=0.1\r\n"),
                     FORM_OPENMETRICS);
}

static void test_answers(void **state)
{
    struct buffer out = {0};

    http_answer_page(&out, FORM_OPENMETRICS, 42);
    buffer_append(&out, "", 1);
    assert_string_equal(
        buffer_bytes(&out),
        "HTTP/1.1 200 OK\r\n"
        "Content-Type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n"
        "Content-Length: 42\r\nConnection: close\r\nVary: Accept\r\n\r\n");
    buffer_clear(&out);
    http_answer_error(&out, HTTP_NOT_ALLOWED, "no", false);
    buffer_append(&out, "", 1);
    assert_string_equal(buffer_bytes(&out),
                        "HTTP/1.1 405 Method Not Allowed\r\n"
                        "Content-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\n"
                        "Connection: close\r\nAllow: GET, HEAD\r\n\r\nno\n");
    buffer_clear(&out);
    http_answer_error(&out, HTTP_UNAVAILABLE, "no", true);
    buffer_append(&out, "", 1);
    assert_non_null(strstr(buffer_bytes(&out), "\r\nRetry-After: 1\r\n\r\n"));
    assert_null(strstr(buffer_bytes(&out), "no"));
    buffer_clear(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answered),       cmocka_unit_test(test_refused),
        cmocka_unit_test(test_fields_refused), cmocka_unit_test(test_nul_is_no_end),
        cmocka_unit_test(test_in_pieces),      cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_accept),         cmocka_unit_test(test_accept_of_prometheus),
        cmocka_unit_test(test_answers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
