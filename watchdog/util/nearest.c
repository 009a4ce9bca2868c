/* SPDX-License-Identifier: Apache-2.0 */
/* Levenshtein's distance, only as far as it is near: a band of the table. */
#include "nearest.h"

#include <string.h>

#include "util.h"

#define LENGTH_MAX 255u
#define FAR        (NEAREST_MOST + 1u)

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

unsigned edit_distance(const char *a, const char *b)
{
    size_t n_a = strlen(a), n_b = strlen(b);
    size_t row[LENGTH_MAX + 1];

    if (n_a > LENGTH_MAX || n_b > LENGTH_MAX)
        return FAR;
    if ((n_a > n_b ? n_a - n_b : n_b - n_a) > NEAREST_MOST)
        return FAR;
    for (size_t j = 0; j <= n_b; j++)
        row[j] = least(j, FAR);
    for (size_t i = 1; i <= n_a; i++) {
        size_t first = i > NEAREST_MOST ? i - NEAREST_MOST : 1;
        size_t last = least(n_b, i + NEAREST_MOST);
        size_t corner = row[first - 1], best;

        row[first - 1] = first == 1 ? least(i, FAR) : FAR;
        best = row[first - 1];
        for (size_t j = first; j <= last; j++) {
            size_t above = j == i + NEAREST_MOST ? FAR : row[j];
            size_t here = least(corner + (a[i - 1] != b[j - 1]), least(above, row[j - 1]) + 1);

            corner = row[j];
            row[j] = least(here, FAR);
            best = least(best, row[j]);
        }
        if (best >= FAR)
            return FAR;
    }
    return (unsigned)row[n_b];
}

const char *nearest_word(const char *word, const char *const *words, size_t n_words)
{
    unsigned least_distance = FAR;
    const char *nearest = NULL;

    for (size_t i = 0; i < n_words; i++) {
        unsigned distance = edit_distance(word, words[i]);

        if (distance < least_distance && near_enough(strlen(word), distance)) {
            least_distance = distance;
            nearest = words[i];
        }
    }
    return nearest;
}
