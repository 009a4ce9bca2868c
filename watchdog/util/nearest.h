/* SPDX-License-Identifier: Apache-2.0 */
/* Which word was meant? Pure, and bounded: it is asked of thousands of names. */
#ifndef UTIL_NEAREST_H
#define UTIL_NEAREST_H

#include <stdbool.h>
#include <stddef.h>

/* More edits than this are another word. */
#define NEAREST_MOST 3u

/* How many letters must be added, removed or changed to make one of the other;
 * NEAREST_MOST + 1 if more than NEAREST_MOST. Words over 255 bytes are unlike. */
unsigned edit_distance(const char *a, const char *b);

/* Is a word so far away still worth offering instead of one of `length` letters? */
static inline bool near_enough(size_t length, unsigned distance)
{
    return distance <= NEAREST_MOST && distance * 2 < length + 1;
}

/* The one of `words` that was probably meant, NULL: none. */
const char *nearest_word(const char *word, const char *const *words, size_t n_words);

#endif
