/* SPDX-License-Identifier: Apache-2.0 */
/* Any line as an event or a header: what is read, is written and read again the same. */
#include "fuzz.h"

#include "codec/codec.h"

static void check_event(const char *line, size_t length)
{
    struct arena arena = {0};
    struct buffer first = {0}, second = {0};
    struct event event;
    char error[200] = "";

    if (event_decode(line, length, &arena, &event, error, sizeof(error))) {
        MUST(*error);
        arena_clear(&arena);
        return;
    }
    event_encode(&first, &event);
    MUST(!event_decode(buffer_bytes(&first), first.length, &arena, &event, error, sizeof(error)));
    event_encode(&second, &event);
    MUST(first.length == second.length);
    MUST(!memcmp(buffer_bytes(&first), buffer_bytes(&second), first.length));
    MUST(memchr(buffer_bytes(&first), '\n', first.length) ==
         buffer_bytes(&first) + first.length - 1);
    buffer_clear(&first);
    buffer_clear(&second);
    arena_clear(&arena);
}

static void check_header(const char *line, size_t length)
{
    struct arena arena = {0};
    struct buffer out = {0};
    struct recording_header header, again;
    char error[200] = "";

    if (header_decode(line, length, &arena, &header, error, sizeof(error)) == 0) {
        header_encode(&out, &header);
        MUST(!header_decode(buffer_bytes(&out), out.length, &arena, &again, error, sizeof(error)));
        MUST(!strcmp(header.run, again.run) && !strcmp(header.config, again.config));
        MUST(header.started_us == again.started_us && header.realtime_us == again.realtime_us);
    }
    buffer_clear(&out);
    arena_clear(&arena);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    check_event((const char *)data, size);
    check_header((const char *)data, size);
    return 0;
}
