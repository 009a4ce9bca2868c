/* SPDX-License-Identifier: Apache-2.0 */
/* How things are shown: colours, spans of time, records as lines. */
#include <inttypes.h>
#include <stdarg.h>

#include "../util/format.h"
#include "../util/printable.h"
#include "../util/util.h"
#include "ctl.h"
#include "history.h"
#include "tone.h"
#include "when.h"

/* What a message names is foreign text, and standard error a terminal. */
__attribute__((format(printf, 1, 0))) static void say(const char *format, va_list arguments,
                                                      const char *end)
{
    CLEANUP_FREE char *text = string_vformat(format, arguments);

    fflush(stdout);
    fprintf(stderr, "pathdogctl: %s%s\n", clean(text, strlen(text)), end);
}

void complain(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say(format, arguments, "");
    va_end(arguments);
}

void fail_call(struct ctl *ctl, const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(ctl->failure, sizeof(ctl->failure), format, arguments);
    va_end(arguments);
    if (!ctl->quiet)
        complain("%s", ctl->failure);
}

enum ctl_status usage(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    say(format, arguments, "; see \"pathdogctl --help\"");
    va_end(arguments);
    return CTL_USAGE;
}

static const char *paint(const struct ctl *ctl, const char *sequence)
{
    return ctl->colour ? sequence : "";
}

const char *bold(const struct ctl *ctl)
{
    return paint(ctl, "\033[1m");
}

const char *red(const struct ctl *ctl)
{
    return paint(ctl, "\033[31m");
}

const char *green(const struct ctl *ctl)
{
    return paint(ctl, "\033[32m");
}

const char *yellow(const struct ctl *ctl)
{
    return paint(ctl, "\033[33m");
}

const char *dim(const struct ctl *ctl)
{
    return paint(ctl, "\033[2m");
}

const char *plain(const struct ctl *ctl)
{
    return paint(ctl, "\033[0m");
}

/* ---- records ---- */

/* As \uXXXX where a terminal would not show it as it is: that is the same JSON. */
void show_json(const json_t *value)
{
    CLEANUP_FREE char *text = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);

    if (text && text_is_shown(text, strlen(text)))
        puts(text);
    else if (json_dumpf(value, stdout, JSON_COMPACT | JSON_ENCODE_ANY | JSON_ENSURE_ASCII) == 0)
        putchar('\n');
}

static void show_time(FILE *out, const struct ctl *ctl, const json_t *record)
{
    char text[WHEN_SIZE];

    fprintf(out, "%s%s%s  ", dim(ctl), when_format(text, number_of(record, "time_us"), true),
            plain(ctl));
}

static bool is_one_of(const char *word, const char *const *words)
{
    for (; *words; words++)
        if (!strcmp(word, *words))
            return true;
    return false;
}

static const char *colour_of(const struct ctl *ctl, const char *word)
{
    switch (tone_of(word)) {
    case TONE_GOOD:
        return green(ctl);
    case TONE_REFUSED:
        return yellow(ctl);
    case TONE_BAD:
        return red(ctl);
    case TONE_NEUTRAL:
        break;
    }
    return "";
}

const char *choice_of(const json_t *object)
{
    const char *choice = text_of(object, "choice"), *target = text_of(object, "target");
    size_t length = strlen(target);

    return has(object, "target") && !strncmp(choice, target, length) &&
                   !strncmp(choice + length, ": ", 2)
               ? choice + length + 2
               : choice;
}

static void show_decision(FILE *out, const struct ctl *ctl, const json_t *record)
{
    const char *verdict = text_of(record, "verdict"), *trigger = text_of(record, "trigger");
    const char *kind = text_of(record, "kind");
    const char *proof =
        json_string_value(json_object_get(json_object_get(record, "evidence"), "proof"));
    bool one = !strcmp(trigger, kind); /* an operator's */

    fprintf(out, "#%-5" PRIu64 " %s%s%s  %s%s%s", number_of(record, "decision"), bold(ctl),
            text_of(record, "peer"), plain(ctl), trigger, one ? "" : " ", one ? "" : kind);
    if (proof)
        fprintf(out, " (%s)", proof);
    fprintf(out, ": %s → %s%s%s", text_of(record, "reason"), colour_of(ctl, verdict), verdict,
            plain(ctl));
    if (has(record, "into"))
        fprintf(out, " into #%" PRIu64, number_of(record, "into"));
    if (has(record, "target"))
        fprintf(out, has(record, "request") ? " to %s" : " (to %s)", text_of(record, "target"));
    if (has(record, "choice"))
        fprintf(out, ": %s", choice_of(record));
    if (has(record, "repeats"))
        fprintf(out, " (%" PRIu64 " times)", number_of(record, "repeats"));
    fputc('\n', out);
}

static void show_outcome(FILE *out, const struct ctl *ctl, const json_t *record)
{
    const json_t *error = json_object_get(record, "error");
    const char *outcome = text_of(record, "outcome");

    fprintf(out, "#%-5" PRIu64 " %s%s%s  %s%s%s after %s", number_of(record, "decision"), bold(ctl),
            text_of(record, "peer"), plain(ctl), colour_of(ctl, outcome), outcome, plain(ctl),
            span_of(record, "elapsed_us"));
    if (has(record, "target"))
        fprintf(out, ", to %s", text_of(record, "target"));
    if (has(record, "local_before") && has(record, "local_after"))
        fprintf(out, ", %s → %s", text_of(record, "local_before"), text_of(record, "local_after"));
    if (json_is_object(error))
        fprintf(out, ": %s (%" JSON_INTEGER_FORMAT ")", text_of(error, "message"),
                json_integer_value(json_object_get(error, "code")));
    fputc('\n', out);
}

static void show_effect(FILE *out, const struct ctl *ctl, const json_t *record)
{
    const char *effect = text_of(record, "effect"), *colour = colour_of(ctl, effect);
    bool rtts = has(record, "rtt_before_us") && has(record, "rtt_after_us");

    if (record_is_restored(record))
        effect = "restored";
    fprintf(out, "#%-5" PRIu64 " %s%s%s  effect %s%s%s", number_of(record, "decision"), bold(ctl),
            text_of(record, "peer"), plain(ctl), colour, effect, plain(ctl));
    if (rtts)
        fprintf(out, ": RTT %s → %s", span_of(record, "rtt_before_us"),
                span_of(record, "rtt_after_us"));
    fputc('\n', out);
}

static void show_uplink(FILE *out, const struct ctl *ctl, const json_t *record)
{
    static const char *const bad[] = {"down", "silent", "slow", "penalty", NULL};
    const char *change = text_of(record, "change"), *interface = text_of(record, "interface");
    bool one = !strcmp(text_of(record, "uplink"), interface);
    uint64_t peers = number_of(record, "peers");

    fprintf(out, "uplink %s%s%s%s%s%s  %s%s%s", bold(ctl), text_of(record, "uplink"), plain(ctl),
            one ? "" : " (", one ? "" : interface, one ? "" : ")",
            is_one_of(change, bad) ? yellow(ctl) : green(ctl), change, plain(ctl));
    if (has(record, "reason"))
        fprintf(out, ": %s", text_of(record, "reason"));
    if (peers)
        fprintf(out, ", %" PRIu64 " connection%s on it", peers, peers == 1 ? "" : "s");
    fputc('\n', out);
}

void write_record(FILE *out, const struct ctl *ctl, const json_t *record)
{
    const char *type = text_of(record, "record");

    show_time(out, ctl, record);
    if (!strcmp(type, "decision"))
        show_decision(out, ctl, record);
    else if (!strcmp(type, "outcome"))
        show_outcome(out, ctl, record);
    else if (!strcmp(type, "effect"))
        show_effect(out, ctl, record);
    else if (!strcmp(type, "uplink"))
        show_uplink(out, ctl, record);
    else if (!strcmp(type, "cause"))
        fprintf(out, "cause  %s: %s, %" PRIu64 " of %" PRIu64 " peers\n",
                text_of(record, "trigger"), text_of(record, "reason"), number_of(record, "advised"),
                number_of(record, "peers"));
    else if (!strcmp(type, "notice"))
        fprintf(out, "notice %s: %s\n", text_of(record, "what"), text_of(record, "text"));
    else
        fprintf(out, "%-6s %s is %s%s%s\n", type,
                has(record, "peer") ? text_of(record, "peer") : text_of(record, "node"),
                text_of(record, "state"), has(record, "reason") ? ": " : "",
                has(record, "reason") ? text_of(record, "reason") : "");
}

void show_record(const struct ctl *ctl, const json_t *record)
{
    write_record(stdout, ctl, record);
}
