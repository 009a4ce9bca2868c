/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes at the metrics socket, as they come and in two pieces: what is not a request is
 * answered with an error that has a reason, what is one without; and the answer to it is whole.
 * More bytes do not change what was answered, and at HTTP_HEAD_MAX there is always an answer.
 */
#include "fuzz.h"

#include "metrics/http.h"

static void check_answer(const struct http_request *request)
{
    struct buffer out = {0};

    if (request->status == HTTP_OK) {
        MUST(!request->why && request->form < FORM_COUNT);
        http_answer_page(&out, request->form, 7);
    } else {
        MUST(request->why && request->why[0]);
        http_answer_error(&out, request->status, request->why, request->head);
    }
    MUST(out.length > 17 && !memcmp(buffer_bytes(&out), "HTTP/1.1 ", 9));
    MUST(memmem(buffer_bytes(&out), out.length, "\r\n\r\n", 4));
    buffer_clear(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_request whole, part;
    char *bytes = malloc(size ? size : 1); /* exact, so that one byte too many is seen */
    bool done;

    MUST(bytes);
    if (size)
        memcpy(bytes, data, size);
    done = http_parse(bytes, size, &whole);
    MUST(done || size < HTTP_HEAD_MAX);
    if (done)
        check_answer(&whole);
    for (size_t at = size / 2; at < size; at = at + 1 + at / 4) {
        if (!http_parse(bytes, at, &part))
            continue;
        MUST(done);
        if (at < HTTP_HEAD_MAX)
            MUST(part.status == whole.status && part.form == whole.form && part.head == whole.head);
    }
    free(bytes);
    return 0;
}
