/* SPDX-License-Identifier: Apache-2.0 */
/* Another configuration for a running engine. */
#ifndef ENGINE_CONFIGURE_H
#define ENGINE_CONFIGURE_H

#include "state.h"

/* 0, or -EINVAL: it asks for more than is allowed. */
int configure_check(const struct engine_config *config);

/* Takes the one that is coming, if there is one. */
void configure_take(struct engine *engine);

#endif
