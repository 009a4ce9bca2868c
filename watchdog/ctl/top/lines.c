/* SPDX-License-Identifier: Apache-2.0 */
#include "lines.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "../../util/buffer.h"
#include "../../util/format.h"
#include "../history.h"
#include "../members.h"

#define MS  UINT64_C(1000)
#define SEC (1000 * MS)
#define MIN (60 * SEC)
#define HR  (60 * MIN)
#define DAY (24 * HR)

char *short_span(char out[SHORT_SIZE], uint64_t span_us)
{
    if (span_us < 10 * MS)
        snprintf(out, SHORT_SIZE, "%u.%u ms", (unsigned)(span_us / MS),
                 (unsigned)(span_us % MS / 100));
    else if (span_us < SEC)
        snprintf(out, SHORT_SIZE, "%u ms", (unsigned)(span_us / MS));
    else if (span_us < 10 * SEC)
        snprintf(out, SHORT_SIZE, "%u.%u s", (unsigned)(span_us / SEC),
                 (unsigned)(span_us % SEC / (100 * MS)));
    else if (span_us < 100 * SEC)
        snprintf(out, SHORT_SIZE, "%u s", (unsigned)(span_us / SEC));
    else if (span_us < 100 * MIN)
        snprintf(out, SHORT_SIZE, "%u min", (unsigned)(span_us / MIN));
    else if (span_us < 100 * HR)
        snprintf(out, SHORT_SIZE, "%u h", (unsigned)(span_us / HR));
    else if (span_us < 10000 * DAY)
        snprintf(out, SHORT_SIZE, "%u d", (unsigned)(span_us / DAY));
    else
        snprintf(out, SHORT_SIZE, "long");
    return out;
}

char *short_span_of(char out[SHORT_SIZE], const json_t *object, const char *name)
{
    if (has(object, name))
        return short_span(out, number_of(object, name));
    snprintf(out, SHORT_SIZE, "-");
    return out;
}

char *clock_text(char out[SHORT_SIZE], uint64_t wall_us)
{
    time_t seconds = (time_t)(wall_us / SEC);
    struct tm tm;

    if (!localtime_r(&seconds, &tm) || !strftime(out, SHORT_SIZE, "%H:%M:%S", &tm))
        snprintf(out, SHORT_SIZE, "-");
    return out;
}

/* ---- records ---- */

static void add(struct buffer *out, const char *before, const char *text, const char *after)
{
    buffer_text(out, before);
    buffer_text(out, text);
    buffer_text(out, after);
}

static void decision(struct buffer *out, const json_t *record)
{
    const char *trigger = text_of(record, "trigger"), *kind = text_of(record, "kind");
    const json_t *evidence = json_object_get(record, "evidence");

    add(out, "", trigger, "");
    if (strcmp(trigger, kind) != 0) /* an operator's is both */
        add(out, " ", kind, "");
    if (has(evidence, "proof"))
        add(out, " (", text_of(evidence, "proof"), ")");
    add(out, ": ", text_of(record, "reason"), "");
    if (has(record, "target"))
        add(out, " → ", text_of(record, "target"), "");
    if (has(record, "choice"))
        add(out, "; ", text_of(record, "choice"), "");
}

static void outcome(struct buffer *out, const json_t *record)
{
    const json_t *error = json_object_get(record, "error");

    add(out, "after ", span_of(record, "elapsed_us"), "");
    if (has(record, "target"))
        add(out, ", to ", text_of(record, "target"), "");
    if (has(record, "local_before") && has(record, "local_after")) {
        add(out, ", ", text_of(record, "local_before"), "");
        add(out, " → ", text_of(record, "local_after"), "");
    }
    if (json_is_object(error))
        add(out, ": ", text_of(error, "message"), "");
}

static void effect(struct buffer *out, const json_t *record)
{
    if (!strcmp(text_of(record, "effect"), "stalled"))
        buffer_text(out, "the move did not help: nothing is received since");
    if (!has(record, "rtt_before_us") || !has(record, "rtt_after_us"))
        return;
    add(out, "RTT ", span_of(record, "rtt_before_us"), "");
    add(out, " → ", span_of(record, "rtt_after_us"), "");
}

static const char *word_of(const json_t *record, const char *type)
{
    if (!strcmp(type, "decision"))
        return text_of(record, "verdict");
    if (!strcmp(type, "outcome"))
        return text_of(record, "outcome");
    if (!strcmp(type, "effect"))
        return record_is_restored(record) ? "restored" : text_of(record, "effect");
    return has(record, "change") ? text_of(record, "change") : type;
}

struct record_line record_line(const json_t *record)
{
    const char *type = text_of(record, "record");
    struct buffer why = {0};
    struct record_line line = {
        .word = word_of(record, type),
        .subject = text_of(record, has(record, "peer") ? "peer" : "uplink"),
    };

    clock_text(line.time, number_of(record, "time_us"));
    if (!strcmp(type, "decision"))
        decision(&why, record);
    else if (!strcmp(type, "outcome"))
        outcome(&why, record);
    else if (!strcmp(type, "effect"))
        effect(&why, record);
    else if (has(record, "reason"))
        buffer_text(&why, text_of(record, "reason"));
    line.why = string_format("%.*s", (int)why.length, buffer_bytes(&why));
    buffer_clear(&why);
    return line;
}
