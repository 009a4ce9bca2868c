/* SPDX-License-Identifier: Apache-2.0 */
/* What --list-triggers prints; knows nothing of loading. */
#ifndef HOST_LIST_H
#define HOST_LIST_H

#include <pathdog/trigger.h>
#include <stdio.h>

void list_begin(bool json, FILE *out);
void list_trigger(const struct pd_trigger *trigger, bool has_source, bool json, bool first,
                  FILE *out);
void list_refused(const char *name, const char *error, bool json, bool first, FILE *out);
void list_end(bool json, FILE *out);

#endif
