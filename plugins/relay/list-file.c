/* SPDX-License-Identifier: Apache-2.0 */
#include "list-file.h"

#include "util/util.h"

/* The line without its comment. */
static size_t without_comment(const char *line, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (line[i] == '#' && (i == 0 || line[i - 1] == ' ' || line[i - 1] == '\t'))
            return i;
    return length;
}

static bool is_empty(const char *line, size_t length)
{
    while (length && (line[length - 1] == ' ' || line[length - 1] == '\t'))
        length--;
    return !length;
}

static void note_bad(struct list_file *file, size_t line, const char *why)
{
    if (file->n_bad < LIST_FILE_NAMED)
        file->bad[file->n_bad] = (struct list_file_bad){line, why};
    file->n_bad++;
}

static void line_take(struct list_file *file, const char *line, size_t length, size_t number,
                      enum relay_speaks otherwise)
{
    struct relay_entry entry;
    const char *why;

    if (length && line[length - 1] == '\r')
        length--;
    length = without_comment(line, length);
    if (is_empty(line, length))
        return;
    why = relay_entry_parse(line, length, &entry);
    if (!why && relay_list_find(&file->list, entry.name))
        why = "another line has this name already";
    if (why) {
        note_bad(file, number, why);
    } else if (file->list.count == RELAY_LIST_MAX) {
        if (!file->n_left_out++)
            file->left_out_line = number;
    } else {
        if (!entry.speaks_given)
            entry.speaks = otherwise;
        file->list.entries[file->list.count++] = entry;
    }
}

void list_file_parse(const char *text, size_t length, enum relay_speaks otherwise,
                     struct list_file *ret)
{
    size_t number = 1;

    memset(ret, 0, sizeof(*ret));
    for (size_t at = 0; at < length; number++) {
        const char *end = memchr(text + at, '\n', length - at);
        size_t n = end ? (size_t)(end - (text + at)) : length - at;

        line_take(ret, text + at, n, number, otherwise);
        at += n + 1;
    }
}

void list_file_say(const struct list_file *file, char out[static LIST_FILE_TEXT])
{
    size_t n_named = min_u64(file->n_bad, LIST_FILE_NAMED), used = 0;

    out[0] = '\0';
    for (size_t i = 0; i < n_named; i++)
        used += (size_t)snprintf(out + used, LIST_FILE_TEXT - used, "%sline %zu: %s", i ? "; " : "",
                                 file->bad[i].line, file->bad[i].why);
    if (file->n_bad > n_named)
        used += (size_t)snprintf(out + used, LIST_FILE_TEXT - used, "; and %zu more bad lines",
                                 file->n_bad - n_named);
    if (file->n_left_out)
        (void)snprintf(out + used, LIST_FILE_TEXT - used,
                       "%s%zu relays from line %zu on are left out: a list has at most %u",
                       used ? "; " : "", file->n_left_out, file->left_out_line, RELAY_LIST_MAX);
}
