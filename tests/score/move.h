/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Moving the host's end to another path, as contrib/quic-node/migrate.c does it: validated
 * before data follows, unless the old path is silent; then data goes at once, and back if the
 * new path is dead as well.
 */
#ifndef SCORE_MOVE_H
#define SCORE_MOVE_H

#include "world.h"

void move_begin(struct world *world, struct conn *conn, const struct path *path,
                uint64_t timeout_us, uint64_t request);
void move_validated(struct world *world, struct conn *conn, uint64_t token);
void move_timer(struct world *world, struct conn *conn);
uint64_t move_deadline(const struct conn *conn);
/* It is taken back: answered, and data goes where it went before. */
void move_cancel(struct world *world, struct conn *conn);
/* The connection ended. */
void move_drop(struct world *world, struct conn *conn);

#endif
