/* SPDX-License-Identifier: Apache-2.0 */
/* The position and what was told, kept over a restart of pathdog-alert in a file of its runtime
 * directory. */
#ifndef ALERT_KEEP_H
#define ALERT_KEEP_H

#include "position.h"
#include "state.h"

/* For as long as the descriptor is open nobody else keeps anything there. Returns it, or
 * -EWOULDBLOCK: somebody does; or another -errno. */
int keep_lock(const char *directory);

/* What was kept there. It stays: whoever is killed before it keeps anything goes on from there
 * again. */
void keep_load(const char *directory, struct position *position, struct state *state);

/* Returns 0 or -errno. */
int keep_save(const char *directory, const struct position *position, const struct state *state);

#endif
