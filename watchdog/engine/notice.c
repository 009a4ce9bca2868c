/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Notices, limited by kind. The table of kinds is bounded: a kind beyond it is
 * counted with the last one, `more`.
 */
#include "notice.h"

#include <stdarg.h>
#include <stdio.h>

#include "outbox.h"

#define MINUTE_US 60000000u

static void say(struct engine *engine, enum pd_level level, struct text *what, struct text *text,
                uint64_t count)
{
    struct record *record = outbox_record(engine, RECORD_NOTICE);

    record->notice = (struct record_notice){
        .level = level,
        .what = text_ref(what),
        .text = text_ref(text),
        .count = count,
    };
}

static void minute_over(struct engine *engine, struct deadline *deadline)
{
    struct notice_kind *kind = CONTAINER_OF(deadline, struct notice_kind, deadline);

    if (!kind->count)
        return;
    say(engine, kind->level, kind->what, kind->text, kind->count);
    kind->count = 0;
    deadline_set(&engine->deadlines, deadline, engine->now_us + MINUTE_US);
}

static struct notice_kind *kind_of(struct engine *engine, const char *what)
{
    struct notices *notices = &engine->notices;
    struct notice_kind *kind;

    for (size_t i = 0; i < notices->count; i++)
        if (strcmp(notices->kinds[i]->what->s, what) == 0)
            return notices->kinds[i];
    if (notices->count == ARRAY_SIZE(notices->kinds))
        return notices->kinds[notices->count - 1];
    if (notices->count == ARRAY_SIZE(notices->kinds) - 1)
        what = "more";
    kind = memory_new(1, sizeof(*kind));
    kind->what = text_new(what);
    kind->deadline.run = minute_over;
    notices->kinds[notices->count++] = kind;
    return kind;
}

void notice(struct engine *engine, enum pd_level level, const char *what, const char *text,
            uint64_t count)
{
    struct notice_kind *kind = kind_of(engine, what);

    text_unref(kind->text);
    kind->text = text_new(text);
    kind->level = level;
    kind->count += count;
    if (deadline_is_on(&kind->deadline) && level > PD_LEVEL_ERROR)
        return;
    say(engine, level, kind->what, kind->text, kind->count);
    kind->count = 0;
    deadline_set(&engine->deadlines, &kind->deadline, engine->now_us + MINUTE_US);
}

void notice_format(struct engine *engine, enum pd_level level, const char *what, const char *format,
                   ...)
{
    char text[512];
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    notice(engine, level, what, text, 1);
}

void notices_flush(struct engine *engine)
{
    for (size_t i = 0; i < engine->notices.count; i++) {
        struct notice_kind *kind = engine->notices.kinds[i];

        deadline_set(&engine->deadlines, &kind->deadline, NEVER);
        minute_over(engine, &kind->deadline);
    }
}

void notices_clear(struct engine *engine)
{
    for (size_t i = 0; i < engine->notices.count; i++) {
        struct notice_kind *kind = engine->notices.kinds[i];

        text_unref(kind->what);
        text_unref(kind->text);
        free(kind);
    }
}
