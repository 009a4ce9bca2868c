/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Shared immutable strings and evidence, counted; and `reason`, what one piece
 * of advice says, shared by all the peers that it was given for.
 */
#ifndef ENGINE_TEXT_H
#define ENGINE_TEXT_H

#include "../record.h"

struct text *text_new(const char *s); /* NULL for NULL */
struct text *text_ref(struct text *text);
struct text *text_unref(struct text *text); /* returns NULL */

struct destination *destination_ref(struct destination *destination);
struct destination *destination_unref(struct destination *destination); /* returns NULL */

struct evidence *evidence_new(const struct pd_field *fields, size_t n_fields); /* NULL for none */
struct evidence *evidence_ref(struct evidence *evidence);
struct evidence *evidence_unref(struct evidence *evidence);
bool evidence_equal(const struct evidence *evidence, const struct pd_field *fields,
                    size_t n_fields);

/* By what means, if somebody already decided. */
enum reason_by {
    REASON_BY_RULE, /* the node's or the config's `prefer` */
    REASON_BY_MIGRATE,
    REASON_BY_RECONNECT,
};

struct reason {
    uint32_t refs;
    enum pd_kind kind;
    enum reason_by by;
    bool no_target;
    bool bulk;           /* its cause concerns more than a thousand peers */
    bool repeated;       /* its move failed for good before: this is the same once more */
    const char *trigger; /* instance name, "operator" or "fallback"; lives as long as the engine */
    uint64_t cause;      /* 0: none */
    struct text *text;
    struct evidence *evidence;
    char *interface, *local, *via; /* owned; NULL: not said */
};

struct reason *reason_new(const char *trigger, enum reason_by by, const struct pd_advice *advice);
/* The same of another cause; and with this text, unless it is NULL. */
struct reason *reason_again(const struct reason *reason, uint64_t cause, struct text *text);
struct reason *reason_repeated(const struct reason *reason); /* a copy that is */
struct reason *reason_ref(struct reason *reason);
struct reason *reason_unref(struct reason *reason);

/* Is this the proof that its evidence names? */
bool reason_proves(const struct reason *reason, const char *proof);

/* Would a new one say the same? */
bool reason_equal(const struct reason *reason, const char *trigger, enum reason_by by,
                  const struct pd_advice *advice);

/* A copy of a record holds what it points to by itself; and lets go of it. */
void record_ref(struct record *record);
void record_unref(struct record *record);

/* About how much memory it holds beside itself: of what is shared, its part. */
size_t record_bytes(const struct record *record);

#endif
