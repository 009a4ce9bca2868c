/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A command line as words, without a shell: blanks separate, '…' and "…" keep blanks, a backslash
 * takes the next character as it is (within "…" only before " and \, within '…' never). Nothing
 * else has a meaning: no variables, no globs, no pipes. Pure.
 */
#ifndef UTIL_WORDS_H
#define UTIL_WORDS_H

#define WORDS_MAX 64u

/* Returns the words, ended by NULL, in one block that the caller frees; or NULL, and what is wrong:
 * the first word must be an absolute path. */
char **words_split(const char *text, const char **ret_error);

#endif
