/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The text of a list of relays: one a line, as in entry.h; what begins with # at the beginning of a
 * line or after a blank is a comment. A line that is no relay costs itself and no other. Pure;
 * fuzzed.
 */
#ifndef RELAY_LIST_FILE_H
#define RELAY_LIST_FILE_H

#include "entry.h"

/* What is longer is no list of relays. */
#define LIST_FILE_MAX ((size_t)8 * 1024 * 1024)

/* So many bad lines are named, the others counted. */
#define LIST_FILE_NAMED 3u

struct list_file_bad {
    size_t line; /* from 1 */
    const char *why;
};

struct list_file {
    struct relay_list list;
    struct list_file_bad bad[LIST_FILE_NAMED];
    size_t n_bad;
    size_t n_left_out; /* relays beyond RELAY_LIST_MAX */
    size_t left_out_line;
};

/* `otherwise`: what a relay speaks whose line does not say it. Nothing is allocated. */
void list_file_parse(const char *text, size_t length, enum relay_speaks otherwise,
                     struct list_file *ret);

/* What was wrong, as one sentence without the file's name; "" where nothing was. */
#define LIST_FILE_TEXT 512u
void list_file_say(const struct list_file *file, char out[static LIST_FILE_TEXT]);

#endif
