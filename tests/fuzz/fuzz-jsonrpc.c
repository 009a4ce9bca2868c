/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as lines and messages: the pieces they come in make no difference. */
#include "fuzz.h"

#include <errno.h>

#include "node/jsonrpc.h"

static void check_message(const char *line, size_t length)
{
    struct buffer out = {0};
    struct message message;
    char why[128];

    if (message_parse(line, length, &message, why, sizeof(why))) {
        MUST(strlen(why) > 0);
        return;
    }
    MUST(message.type == MESSAGE_MALFORMED || message.method || message.id);
    MUST(message.type != MESSAGE_MALFORMED || message.problem);
    MUST(message.type != MESSAGE_RESULT || (message.result && message.number != INT64_MIN));
    if (message.type == MESSAGE_REQUEST) {
        json_t *root;

        message_refuse(&out, &message);
        MUST(out.length < LINE_MAX_BYTES && buffer_bytes(&out)[out.length - 1] == '\n');
        root = json_loadb(buffer_bytes(&out), out.length, JSON_ALLOW_NUL, NULL);
        MUST(json_is_object(root));
        json_decref(root);
    }
    buffer_clear(&out);
    message_clear(&message);
}

/* All lines, each with its length before it. */
static struct buffer split(const uint8_t *data, size_t size, size_t step, bool check)
{
    struct lines lines = {0};
    struct buffer all = {0};
    const char *line;
    size_t length;
    int r;

    for (size_t at = 0; at < size; at += step) {
        lines_feed(&lines, (const char *)data + at, min_u64(step, size - at));
        while ((r = lines_next(&lines, &line, &length)) == 1) {
            MUST(length > 0 && length < LINE_MAX_BYTES && !memchr(line, '\n', length));
            buffer_append(&all, &length, sizeof(length));
            buffer_append(&all, line, length);
            if (check)
                check_message(line, length);
        }
        if (r < 0)
            break;
    }
    lines_clear(&lines);
    return all;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buffer whole, pieces;

    if (size < 2)
        return 0;
    whole = split(data + 1, size - 1, size, true);
    pieces = split(data + 1, size - 1, 1 + data[0], false);
    MUST(whole.length == pieces.length);
    MUST(!whole.length || !memcmp(buffer_bytes(&whole), buffer_bytes(&pieces), whole.length));
    buffer_clear(&whole);
    buffer_clear(&pieces);
    return 0;
}
