/* SPDX-License-Identifier: Apache-2.0 */
/* pathdog-alert --test: the program once, with an example, and what came of it. */
#ifndef ALERT_TRIAL_H
#define ALERT_TRIAL_H

#include "alert.h"

/* Prints on standard output what was given, what it wrote, and how it ended. Returns 1 where it
 * ended well, 0 where not, or -errno. */
int trial_run(const struct alert_options *options, const struct config *config,
              enum alert_event event);

#endif
