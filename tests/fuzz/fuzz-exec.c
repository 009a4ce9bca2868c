/* SPDX-License-Identifier: Apache-2.0 */
/* Anything as what a command writes, and as its command line: messages and lines are the same in
 * whatever pieces they come, and words have no more bytes than the line. */
#include "fuzz.h"

#include "exec/stream.h"
#include "util/words.h"

#include "util/hash.h"

struct seen {
    uint64_t hash;
    size_t n;
};

static void on_message(void *user, const struct message *message)
{
    struct seen *seen = user;

    seen->n++;
    seen->hash = hash_text(hash_text(seen->hash, message->event), message->tunnel);
    seen->hash = hash_text(hash_text(seen->hash, message->peers), message->reason);
}

static void on_bad(void *user, const char *error)
{
    struct seen *seen = user;

    seen->n++;
    seen->hash = hash_text(seen->hash, error);
}

static void on_line(void *user, const char *text, size_t length, bool cut)
{
    struct seen *seen = user;

    MUST(length > 0 && length <= STREAM_LINE_MAX);
    seen->n++;
    for (size_t i = 0; i < length; i++) {
        const char one[2] = {text[i] ? text[i] : 1, '\0'};

        seen->hash = hash_text(seen->hash, one);
    }
    seen->hash = hash_text(seen->hash, cut ? "cut" : "whole");
}

static struct seen messages(const char *text, size_t size, size_t step)
{
    struct seen seen = {HASH_START, 0};
    const struct message_stream_handlers handlers = {on_message, on_bad, &seen};
    struct message_stream stream;

    message_stream_init(&stream);
    for (size_t at = 0; at < size; at += step)
        message_stream_feed(&stream, text + at, size - at < step ? size - at : step, &handlers);
    message_stream_end(&stream, &handlers);
    MUST(!message_stream_is_open(&stream));
    return seen;
}

static struct seen lines(const char *text, size_t size, size_t step)
{
    struct seen seen = {HASH_START, 0};
    struct line_stream stream = {0};

    for (size_t at = 0; at < size; at += step)
        line_stream_feed(&stream, text + at, size - at < step ? size - at : step, on_line, &seen);
    line_stream_end(&stream, on_line, &seen);
    return seen;
}

static void words(const char *text, size_t size)
{
    char *copy = malloc(size + 1);
    const char *error = NULL;
    char **split;
    size_t total = 0;

    MUST(copy);
    memcpy(copy, text, size);
    copy[size] = '\0';
    split = words_split(copy, &error);
    MUST(!split == !!error);
    for (size_t i = 0; split && split[i]; i++)
        total += strlen(split[i]) + 1;
    MUST(!split || (split[0][0] == '/' && total <= strlen(copy) + 1));
    free(split);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data + 1;
    size_t step = size ? data[0] % 64 + 1u : 1;
    struct seen whole, pieces;

    if (!size)
        return 0;
    size--;
    whole = messages(text, size, size ? size : 1);
    pieces = messages(text, size, step);
    MUST(whole.n == pieces.n && whole.hash == pieces.hash);
    whole = lines(text, size, size ? size : 1);
    pieces = lines(text, size, step);
    MUST(whole.n == pieces.n && whole.hash == pieces.hash);
    words(text, size);
    return 0;
}
