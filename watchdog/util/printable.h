/* SPDX-License-Identifier: Apache-2.0 */
/* Foreign text made fit for a log line and a terminal: no control characters, UTF-8, bounded. Pure.
 */
#ifndef UTIL_PRINTABLE_H
#define UTIL_PRINTABLE_H

#include <stdbool.h>
#include <stddef.h>

/* Is it UTF-8 without control characters (U+0000–1F, 7F–9F)? */
bool text_is_printable(const char *text, size_t length);

/* Is it so, and has it nothing either that changes the order in which a terminal shows it? */
bool text_is_shown(const char *text, size_t length);

/* Copies into `out` of `size` bytes (at least 8), ended by NUL. What is not to
 * be shown becomes '?'; what does not fit ends in "...". Returns the length. */
size_t text_printable(char *out, size_t size, const char *text, size_t length);

#endif
