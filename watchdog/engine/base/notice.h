/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Notices: what an operator should know that is no decision. Each kind, of each trigger
 * instance, is said once at first and then at most once a minute, with its count; errors,
 * what operators did, and what a command of the trigger exec wrote, always.
 */
#ifndef ENGINE_NOTICE_H
#define ENGINE_NOTICE_H

#include "../record.h"
#include "deadline.h"

struct engine;

struct notice_kind {
    const char *instance; /* whose, by its one name; NULL: nobody's */
    struct text *what;
    struct text *text; /* the last */
    enum pd_level level;
    uint64_t count; /* not said yet */
    struct deadline deadline;
};

struct notices {
    struct notice_kind *kinds[64];
    size_t count;
};

void notice(struct engine *engine, enum pd_level level, const char *what, const char *text,
            uint64_t count);
__attribute__((format(printf, 4, 5))) void notice_format(struct engine *engine, enum pd_level level,
                                                         const char *what, const char *format, ...);

/* Of a trigger instance: its name stands before the text. */
void notice_of(struct engine *engine, const char *instance, enum pd_level level, const char *what,
               const char *text);

/* Says what was held back for a minute, if there is any. */
void notice_due(struct engine *engine, struct deadline *deadline);

/* Says what is still held back; at stop. */
void notices_flush(struct engine *engine);
void notices_clear(struct engine *engine);

#endif
