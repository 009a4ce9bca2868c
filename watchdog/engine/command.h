/* SPDX-License-Identifier: Apache-2.0 */
/* Commands: of an operator, and the daemon's last one, stop. */
#ifndef ENGINE_COMMAND_H
#define ENGINE_COMMAND_H

#include "state.h"

void command_run(struct engine *engine, const struct event_command *command);

#endif
