/* SPDX-License-Identifier: Apache-2.0 */
/*
 * INI text → a list of what it says, each with its file and line. Knows
 * nothing of what the sections and keys mean. What could be meant in two ways
 * (a line that is too long, a name twice, a backslash at the end) is refused.
 */
#ifndef CONFIG_ENTRIES_H
#define CONFIG_ENTRIES_H

#include <stddef.h>

/* Longest line, and longest file. */
#define INI_LINE_BYTES  4096u
#define INI_FILE_BYTES  (1u << 20)
#define INI_SECTION_MAX 48u
#define INI_KEY_MAX     32u

/* One `key = value`, or the opening of a section: then `key` is NULL. */
struct ini_entry {
    const char *section;
    const char *key;
    const char *value;
    const char *file; /* as given to ini_read */
    unsigned line;
};

struct ini {
    struct ini_entry *entries;
    size_t n_entries, capacity;
    void **owned; /* every string of the entries */
    size_t n_owned, owned_capacity;
    const char *outside; /* section of what stands before the first; NULL: refused there */
};

/* Appends what `text` says. A section that opens twice, or a key that is set
 * twice, in this text is refused. Returns 0, or -EINVAL and "FILE:LINE: …". */
int ini_read(struct ini *ini, const char *file, const char *text, size_t n_bytes, char **ret_error);

/* Frees what is in it, not the struct itself. */
void ini_clear(struct ini *ini);

#endif
