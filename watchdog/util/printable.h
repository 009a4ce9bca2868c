/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Foreign text made fit for a log line and a terminal: UTF-8, bounded, and without anything that a
 * terminal would obey or a reader not see: control characters, what changes the direction of
 * writing, what has no shape. What must not be shown is written as its number: \x1b (also a byte
 * that is not UTF-8), \u202e, \U000e0041. Pure.
 */
#ifndef UTIL_PRINTABLE_H
#define UTIL_PRINTABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The longest form of a character, and how much longer a text can become. */
#define PRINTABLE_MOST   10u
#define PRINTABLE_GROWTH 4u

/* Is it UTF-8 without control characters (U+0000–1F, 7F–9F)? That is what a name must be. */
bool text_is_printable(const char *text, size_t length);

/* May it be shown as it is? */
bool character_is_shown(uint32_t c);
bool text_is_shown(const char *text, size_t length);

/* Copies into `out` of `size` bytes (at least 8), ended by NUL, as it may be shown; what does not
 * fit ends in "...". Everything fits into PRINTABLE_GROWTH * length + 1. Returns the length. */
size_t text_printable(char *out, size_t size, const char *text, size_t length);

/* A copy, which the caller frees, that may be shown. Of lines, their ends stay. */
char *text_shown(const char *text);
char *lines_shown(const char *text);

#endif
