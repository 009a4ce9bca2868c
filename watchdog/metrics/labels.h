/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Names that strangers choose, as places in an array of so many at most: the first ones have a
 * place each, all later ones share the last. Pure.
 */
#ifndef METRICS_LABELS_H
#define METRICS_LABELS_H

#include "../util/util.h"

/* The most that any has; the place behind is that of all others. */
#define LABELS_MAX 128u

/* What the last place is called; a name that is the same goes there too. */
#define LABELS_OTHER "other"

/* Zeroed but for `most` is empty. */
struct labels {
    size_t most; /* at most LABELS_MAX */
    size_t n, last;
    char *names[LABELS_MAX];
};

/* `most` where there is no room for one more. */
size_t labels_place(struct labels *labels, const char *name);
void labels_clear(struct labels *labels);

#endif
