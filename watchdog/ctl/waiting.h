/* SPDX-License-Identifier: Apache-2.0 */
/* What pathdog is waiting for, in words, by an answer to `status`. Pure. */
#ifndef CTL_WAITING_H
#define CTL_WAITING_H

#include <jansson.h>

/* To be freed. */
char *waiting_text(const json_t *status);

#endif
