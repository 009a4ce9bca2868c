/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Notices, limited by kind. The table of kinds is bounded: a kind beyond it is
 * counted with the last one, `more`.
 */
#include "notice.h"

#include <stdarg.h>
#include <stdio.h>

#include "../state.h"
#include "outbox.h"

#define MINUTE_US 60000000u

/* What operators did, and the lines that a command wrote (the trigger exec bounds them itself): the
 * last of them does not stand for those before it. */
static const char *const always[] = {"hold",     "mode",           "release",    "reload",
                                     "reloaded", "restart-needed", "exec-stderr"};

static void write_notice(struct engine *engine, enum pd_level level, struct text *what,
                         struct text *text, uint64_t count)
{
    struct record *record = outbox_record(engine, RECORD_NOTICE);

    record->notice = (struct record_notice){
        .level = level,
        .what = text_ref(what),
        .text = text_ref(text),
        .count = count,
    };
}

void notice_due(struct engine *engine, struct deadline *deadline)
{
    struct notice_kind *kind = CONTAINER_OF(deadline, struct notice_kind, deadline);

    if (!kind->count)
        return;
    write_notice(engine, kind->level, kind->what, kind->text, kind->count);
    kind->count = 0;
    deadline_set(&engine->deadlines, deadline, engine->now_us + MINUTE_US);
}

static bool is_always_written(enum pd_level level, const char *what)
{
    for (size_t i = 0; i < ARRAY_SIZE(always); i++)
        if (!strcmp(always[i], what))
            return true;
    return level <= PD_LEVEL_ERROR;
}

static struct notice_kind *kind_of(struct engine *engine, const char *instance, const char *what)
{
    struct notices *notices = &engine->notices;
    struct notice_kind *kind;

    for (size_t i = 0; i < notices->count; i++)
        if (notices->kinds[i]->instance == instance && !strcmp(notices->kinds[i]->what->s, what))
            return notices->kinds[i];
    if (notices->count == ARRAY_SIZE(notices->kinds))
        return notices->kinds[notices->count - 1];
    if (notices->count == ARRAY_SIZE(notices->kinds) - 1)
        what = "more";
    kind = memory_new(1, sizeof(*kind));
    kind->instance = instance;
    kind->what = text_new(what);
    kind->deadline.kind = DEADLINE_NOTICE;
    notices->kinds[notices->count++] = kind;
    return kind;
}

static void notice_kind(struct engine *engine, struct notice_kind *kind, enum pd_level level,
                        struct text *text, uint64_t count)
{
    text_unref(kind->text);
    kind->text = text;
    kind->level = level;
    kind->count += count;
    if (deadline_is_on(&kind->deadline) && !is_always_written(level, kind->what->s))
        return;
    write_notice(engine, level, kind->what, kind->text, kind->count);
    kind->count = 0;
    deadline_set(&engine->deadlines, &kind->deadline, engine->now_us + MINUTE_US);
}

void notice(struct engine *engine, enum pd_level level, const char *what, const char *text,
            uint64_t count)
{
    notice_kind(engine, kind_of(engine, NULL, what), level, text_new(text), count);
}

void notice_of(struct engine *engine, const char *instance, enum pd_level level, const char *what,
               const char *text)
{
    size_t size = strlen(instance) + 2 + strlen(text) + 1;
    char *whole = memory_new(1, size);

    snprintf(whole, size, "%s: %s", instance, text);
    notice_kind(engine, kind_of(engine, instance, what), level, text_new(whole), 1);
    free(whole);
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
        notice_due(engine, &kind->deadline);
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
