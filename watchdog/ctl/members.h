/* SPDX-License-Identifier: Apache-2.0 */
/* Members of what the daemon answers, as a terminal may show them. Pure. */
#ifndef CTL_MEMBERS_H
#define CTL_MEMBERS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "../util/duration.h"

/* Members, as far as they are there: else "-", 0, false. */
const char *text_of(const json_t *object, const char *name);
/* A string in an array. */
const char *text_at(const json_t *array, size_t place);

/* As a terminal may show it: the text itself, or a copy that is good until 16 others are made. */
const char *clean(const char *text, size_t length);
uint64_t number_of(const json_t *object, const char *name);
bool flag_of(const json_t *object, const char *name);
bool has(const json_t *object, const char *name); /* there, and not null */

/* Spans in microseconds as text, "-" where it is null; the text lives as long as
 * the block that it is asked for in. */
#define span_text(span_us)    duration_text((char[DURATION_SIZE]){0}, (span_us))
#define span_of(object, name) span_at((char[DURATION_SIZE]){0}, (object), (name))
const char *span_at(char out[DURATION_SIZE], const json_t *object, const char *name);

#endif
