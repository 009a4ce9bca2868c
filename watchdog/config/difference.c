/* SPDX-License-Identifier: Apache-2.0 */
/* Two effective configurations, compared line by line. */
#include "difference.h"

#include "../util/buffer.h"
#include "../util/format.h"

#define TEXT_MAX 400u /* a notice is one line for a person */

struct span {
    const char *at;
    size_t length;
};

/* A line of such a text: a section's head (no key), or a key with its value. */
struct entry {
    struct span section, key, value;
};

static bool span_equal(struct span a, struct span b)
{
    if (a.length != b.length)
        return false;
    return !a.length || (a.at && b.at && memcmp(a.at, b.at, a.length) == 0);
}

/* Without the one blank that may stand beside the "=". */
static struct span trimmed(const char *begin, const char *end)
{
    if (begin < end && *begin == ' ')
        begin++;
    if (begin < end && end[-1] == ' ')
        end--;
    return (struct span){begin, (size_t)(end - begin)};
}

/* The next entry at `*text`; `entry->section` is kept from call to call. */
static bool entry_next(const char **text, struct entry *entry)
{
    while (**text) {
        const char *line = *text, *end = strchrnul(line, '\n');
        const char *equals = memchr(line, '=', (size_t)(end - line));

        *text = *end ? end + 1 : end;
        if (*line == '[') {
            *entry = (struct entry){.section = {line, (size_t)(end - line)}};
            return true;
        }
        if (equals) {
            entry->key = trimmed(line, equals);
            entry->value = trimmed(equals + 1, end);
            return true;
        }
    }
    return false;
}

static bool find(const char *text, const struct entry *wanted, struct entry *ret_found)
{
    *ret_found = (struct entry){0};
    while (entry_next(&text, ret_found))
        if (span_equal(ret_found->section, wanted->section) &&
            span_equal(ret_found->key, wanted->key))
            return true;
    return false;
}

static bool has_section(const char *text, struct span section)
{
    struct entry found;

    return find(text, &(struct entry){.section = section}, &found);
}

struct words {
    struct buffer buffer;
    size_t n_left_out;
};

static void add_words(struct words *words, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add_words(struct words *words, const char *format, ...)
{
    CLEANUP_FREE char *text = NULL;
    va_list arguments;

    va_start(arguments, format);
    text = string_vformat(format, arguments);
    va_end(arguments);
    if (words->n_left_out || words->buffer.length + strlen(text) > TEXT_MAX) {
        words->n_left_out++;
        return;
    }
    if (words->buffer.length)
        buffer_text(&words->buffer, "; ");
    buffer_text(&words->buffer, text);
}

/* What one has and the other has not, or has otherwise; values that went are
 * seen from the other side. */
static void compare(struct words *words, const char *here, const char *there, bool forward)
{
    struct entry entry = {0}, other;

    while (entry_next(&here, &entry)) {
        if (!entry.key.length) {
            if (!has_section(there, entry.section))
                add_words(words, "%s: %.*s", forward ? "new" : "gone", (int)entry.section.length,
                          entry.section.at);
            continue;
        }
        if (!has_section(there, entry.section))
            continue;
        if (!find(there, &entry, &other))
            other.value = (struct span){"(not set)", strlen("(not set)")};
        else if (!forward || span_equal(entry.value, other.value))
            continue;
        add_words(words, "%.*s %.*s: %.*s → %.*s", (int)entry.section.length, entry.section.at,
                  (int)entry.key.length, entry.key.at,
                  (int)(forward ? other.value.length : entry.value.length),
                  forward ? other.value.at : entry.value.at,
                  (int)(forward ? entry.value.length : other.value.length),
                  forward ? entry.value.at : other.value.at);
    }
}

/* Of uplinks and of triggers it matters which section comes first. */
static void compare_order(struct words *words, const char *before, const char *now)
{
    struct entry entry = {0}, found, last = {0};

    while (entry_next(&now, &entry)) {
        if (entry.key.length || !find(before, &(struct entry){.section = entry.section}, &found))
            continue;
        if (last.section.at && found.section.at < last.section.at)
            add_words(words, "%.*s now before %.*s", (int)last.section.length, last.section.at,
                      (int)found.section.length, found.section.at);
        last = found;
    }
}

char *config_difference(const char *before, const char *now)
{
    struct words words = {0};
    char *text;

    compare(&words, now, before, true);
    compare(&words, before, now, false);
    compare_order(&words, before, now);
    if (!words.buffer.length && !words.n_left_out)
        buffer_text(&words.buffer, "nothing has changed");
    if (words.n_left_out)
        text = string_format("%.*s%s%zu more", (int)words.buffer.length,
                             words.buffer.length ? buffer_bytes(&words.buffer) : "",
                             words.buffer.length ? "; and " : "", words.n_left_out);
    else
        text = string_format("%.*s", (int)words.buffer.length, buffer_bytes(&words.buffer));
    buffer_clear(&words.buffer);
    return text;
}
