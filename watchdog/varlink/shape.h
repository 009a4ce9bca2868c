/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the interface promises is what is sent: of an answer of the daemon, which may have members
 * that the interface does not know, those that it does, checked. Pure.
 */
#ifndef VARLINK_SHAPE_H
#define VARLINK_SHAPE_H

#include "interface.h"

/* The members of `value`, an object or NULL, that the symbol has in this direction (of types and
 * errors: SD_VARLINK_REGULAR). Returns 0, or -EINVAL with the name of a member that is missing or
 * of another type. */
int shape(const sd_varlink_symbol *symbol, sd_varlink_field_direction_t direction,
          sd_json_variant *value, sd_json_variant **ret, const char **ret_bad);

/* Members of an object: "" and 0 where they are not there, or of another type. */
const char *text_of(sd_json_variant *object, const char *name);
uint64_t number_of(sd_json_variant *object, const char *name);
/* NULL also where it is null. */
sd_json_variant *member(sd_json_variant *object, const char *name);

#endif
