/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines → entries, one line at a time: comments and the blanks around it are
 * taken away, then it is a section or a pair, or refused.
 */
#include "entries.h"

#include <errno.h>

#include "../util/format.h"
#include "../util/utf8.h"

/* More than any sane file; keeps the search for duplicates cheap. */
#define INI_ENTRIES_MAX 4096u

struct reader {
    struct ini *ini;
    const char *file; /* owned by the list */
    const char *at, *end;
    unsigned line;
    const char *section;  /* owned by the list; NULL: none yet */
    size_t first_entry;   /* of this text */
    size_t section_entry; /* where the present section opened */
    char *buffer;         /* the present line */
    char *error;
};

static char *ini_own(struct ini *ini, char *string)
{
    ini->owned =
        array_reserve(ini->owned, &ini->owned_capacity, ini->n_owned + 1, sizeof(*ini->owned));
    ini->owned[ini->n_owned++] = string;
    return string;
}

void ini_clear(struct ini *ini)
{
    for (size_t i = 0; i < ini->n_owned; i++)
        free(ini->owned[i]);
    free(ini->owned);
    free(ini->entries);
    *ini = (struct ini){0};
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

__attribute__((format(printf, 2, 3))) static int reader_fail(struct reader *reader,
                                                             const char *format, ...)
{
    va_list arguments;
    CLEANUP_FREE char *text = NULL;

    va_start(arguments, format);
    text = string_vformat(format, arguments);
    va_end(arguments);
    if (!reader->error)
        reader->error = string_format("%s:%u: %s", reader->file, reader->line, text);
    return -EINVAL;
}

static int reader_add(struct reader *reader, const char *key, const char *value)
{
    struct ini *ini = reader->ini;

    if (ini->n_entries >= INI_ENTRIES_MAX)
        return reader_fail(reader, "more than %u lines that are not blank or comments",
                           INI_ENTRIES_MAX);
    ini->entries =
        array_reserve(ini->entries, &ini->capacity, ini->n_entries + 1, sizeof(*ini->entries));
    ini->entries[ini->n_entries++] = (struct ini_entry){
        .section = reader->section,
        .key = key ? ini_own(ini, string_copy(key)) : NULL,
        .value = value ? ini_own(ini, string_copy(value)) : NULL,
        .file = reader->file,
        .line = reader->line,
    };
    return 0;
}

/* Copies the next line into the buffer: no comment, no blanks around it.
 * Returns false at the end or on an error. */
static bool reader_next_line(struct reader *reader)
{
    const char *newline, *s = reader->at;
    size_t length, kept = 0;

    if (s >= reader->end)
        return false;
    newline = memchr(s, '\n', (size_t)(reader->end - s));
    length = (size_t)((newline ? newline : reader->end) - s);
    reader->at = newline ? newline + 1 : reader->end;
    reader->line++;
    if (length > INI_LINE_BYTES)
        return reader_fail(reader, "line of %zu bytes; at most %u are read", length,
                           INI_LINE_BYTES) == 0;
    if (length && s[length - 1] == '\r') /* anywhere else it is a control character */
        length--;
    if (reader->line == 1 && length >= 3 && !memcmp(s, "\xef\xbb\xbf", 3)) {
        s += 3;
        length -= 3;
    }
    while (length && is_blank(*s)) {
        s++;
        length--;
    }
    while (kept < length) {
        size_t n = utf8_length(s + kept, length - kept);

        if ((s[kept] == '#' || s[kept] == ';') && (!kept || is_blank(s[kept - 1])))
            break;
        if (!n)
            return reader_fail(reader, "not UTF-8") == 0;
        if (((unsigned char)s[kept] < ' ' && !is_blank(s[kept])) || s[kept] == 0x7f)
            return reader_fail(reader, "control character 0x%02x", s[kept]) == 0;
        kept += n;
    }
    while (kept && is_blank(s[kept - 1]))
        kept--;
    for (size_t i = kept, n; i < length; i += n) { /* a comment is of the file, too */
        n = utf8_length(s + i, length - i);
        if (!n)
            return reader_fail(reader, "not UTF-8, in a comment") == 0;
    }
    memcpy(reader->buffer, s, kept);
    reader->buffer[kept] = '\0';
    return true;
}

/* `[section]` is in the buffer. */
static int reader_section(struct reader *reader)
{
    char *name = reader->buffer + 1, *close = strchr(name, ']');
    const struct ini_entry *entries = reader->ini->entries;

    if (!close || close[1])
        return reader_fail(reader,
                           "\"%.60s\" is not a section; allowed is [NAME], and nothing after it",
                           reader->buffer);
    *close = '\0';
    if (!*name || strlen(name) > INI_SECTION_MAX ||
        strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789:._@-") !=
            strlen(name))
        return reader_fail(reader,
                           "[%.60s]: a section's name has 1 to %u letters, digits, and : . _ @ -",
                           name, INI_SECTION_MAX);
    for (size_t i = reader->first_entry; i < reader->ini->n_entries; i++)
        if (!entries[i].key && !strcmp(entries[i].section, name))
            return reader_fail(reader, "the section [%s] appears twice; first in line %u", name,
                               entries[i].line);
    reader->section = ini_own(reader->ini, string_copy(name));
    reader->section_entry = reader->ini->n_entries;
    *close = ']';
    return reader_add(reader, NULL, NULL);
}

/* `key = value` is in the buffer. */
static int reader_pair(struct reader *reader)
{
    char *line = reader->buffer, *equals = strchr(line, '='), *value;
    size_t key_bytes, value_bytes;

    if (!equals)
        return reader_fail(reader, "\"%.60s\" is neither key = value nor [section]", line);
    if (!reader->section)
        return reader_fail(reader, "\"%.60s\" stands before the first [section]", line);
    for (key_bytes = (size_t)(equals - line); key_bytes && is_blank(line[key_bytes - 1]);)
        key_bytes--;
    if (!key_bytes || key_bytes > INI_KEY_MAX ||
        strspn(line, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-") !=
            key_bytes)
        return reader_fail(reader, "\"%.*s\": a key has 1 to %u letters, digits, _ and -",
                           (int)min_u64(key_bytes, 60), line, INI_KEY_MAX);
    for (value = equals + 1; is_blank(*value);)
        value++;
    value_bytes = strlen(value);
    if (value_bytes && value[value_bytes - 1] == '\\')
        return reader_fail(reader, "ends with a backslash; a line is not continued by the next");
    line[key_bytes] = '\0';
    for (size_t i = reader->section_entry; i < reader->ini->n_entries; i++) {
        const struct ini_entry *entry = &reader->ini->entries[i];

        if (entry->key && !strcmp(entry->key, line))
            return reader_fail(reader, "[%s] %s is set twice; first in line %u", reader->section,
                               entry->key, entry->line);
    }
    return reader_add(reader, line, value);
}

int ini_read(struct ini *ini, const char *file, const char *text, size_t n_bytes, char **ret_error)
{
    struct reader reader = {
        .ini = ini,
        .file = ini_own(ini, string_copy(file)),
        .at = text,
        .end = text + n_bytes,
        .section = ini->outside,
        .first_entry = ini->n_entries,
        .section_entry = ini->n_entries,
    };

    if (n_bytes > INI_FILE_BYTES)
        return error_set(ret_error, -EINVAL, "%s: %zu bytes; at most %u are read", file, n_bytes,
                         INI_FILE_BYTES);
    reader.buffer = memory_new(INI_LINE_BYTES + 1, 1);
    while (!reader.error && reader_next_line(&reader))
        if (*reader.buffer == '[')
            reader_section(&reader);
        else if (*reader.buffer)
            reader_pair(&reader);
    free(reader.buffer);
    if (reader.error) {
        *ret_error = reader.error;
        return -EINVAL;
    }
    return 0;
}
