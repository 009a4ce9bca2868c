/* SPDX-License-Identifier: Apache-2.0 */
/* Objects of JSON that are built member by member. They end the process where there is no memory.
 */
#ifndef VARLINK_OBJECT_H
#define VARLINK_OBJECT_H

#include <stdbool.h>
#include <stdint.h>
#include <systemd/sd-json.h>

/* `*object`: NULL is an empty one. A NULL value is left out, and none is taken over. */
void object_set(sd_json_variant **object, const char *name, sd_json_variant *value);
void object_set_flag(sd_json_variant **object, const char *name, bool value);
void object_set_number(sd_json_variant **object, const char *name, uint64_t value);
void object_set_text(sd_json_variant **object, const char *name, const char *value);

/* {name: value} */
sd_json_variant *object_with(const char *name, sd_json_variant *value);

void array_add(sd_json_variant **array, sd_json_variant *value);

#endif
