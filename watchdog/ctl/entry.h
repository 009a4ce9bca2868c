/* SPDX-License-Identifier: Apache-2.0 */
/* An entry of the journal → the record that it was, as in docs/records.md; pure. */
#ifndef CTL_ENTRY_H
#define CTL_ENTRY_H

#include <jansson.h>

struct entry_field {
    const char *name; /* "PATHDOG_PEER", not ended */
    size_t n_name;
    const char *value; /* not ended */
    size_t n_value;
};

/* Finds a field by its name; the first one counts. NULL: it is not there. */
const struct entry_field *entry_find(const struct entry_field *fields, size_t n_fields,
                                     const char *name);

/* The record as JSON, to be freed by the caller. NULL: a field that its kind of record has is
 * missing, or its value is none. Evidence has lost its types in the journal: what is a whole
 * number is one, everything else is text. */
json_t *entry_record(const struct entry_field *fields, size_t n_fields);

#endif
