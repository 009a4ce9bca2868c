/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Globs as fnmatch(3) has them without flags, in bytes: `*`, `?`, `[…]` with ranges, classes and a
 * leading `!` or `^`, `\` before what is meant literally. A glob is compiled once; a match then
 * takes one step for each byte of the name whatever the glob is, so a bad one costs no more than
 * a good one. Pure.
 */
#ifndef UTIL_GLOB_H
#define UTIL_GLOB_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes that a glob may stand for, its stars not counted. No peer's name is longer. */
#define GLOB_PLACES_MAX 255u

struct glob;

/* Never NULL; freed by glob_free(). One with more than GLOB_PLACES_MAX places matches nothing. */
struct glob *glob_new(const char *pattern);
bool glob_matches(const struct glob *glob, const char *name);
/* NULL is fine. Returns NULL. */
struct glob *glob_free(struct glob *glob);

/* Has it more than GLOB_PLACES_MAX places? */
bool glob_is_too_long(const struct glob *glob);

/* Compiles for one match only. */
bool glob_matches_once(const char *pattern, const char *name);

/* ---- several ---- */

struct globs {
    size_t n;
    struct glob **globs;
};

/* Of words with spaces between them; "" is none. Never NULL; freed by globs_free(). */
struct globs *globs_new(const char *words);
/* Has one of them more than GLOB_PLACES_MAX places? */
bool globs_too_long(const struct globs *globs);
/* Does one of them match? */
bool globs_match(const struct globs *globs, const char *name);
/* NULL is fine. Returns NULL. */
struct globs *globs_free(struct globs *globs);

#endif
