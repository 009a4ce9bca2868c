/* SPDX-License-Identifier: Apache-2.0 */
#include "labels.h"

size_t labels_place(struct labels *labels, const char *name)
{
    /* What comes in thousands comes with the same name. */
    if (labels->last < labels->n && !strcmp(labels->names[labels->last], name))
        return labels->last;
    for (size_t i = 0; i < labels->n; i++)
        if (!strcmp(labels->names[i], name)) {
            labels->last = i;
            return i;
        }
    if (labels->n == labels->most || !strcmp(name, LABELS_OTHER))
        return labels->most;
    labels->last = labels->n;
    labels->names[labels->n] = string_copy(name);
    return labels->n++;
}

void labels_clear(struct labels *labels)
{
    for (size_t i = 0; i < labels->n; i++)
        free(labels->names[i]);
    labels->n = labels->last = 0;
}
