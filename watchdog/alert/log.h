/* SPDX-License-Identifier: Apache-2.0 */
/* Lines for the journal, or for standard error. */
#ifndef ALERT_LOG_H
#define ALERT_LOG_H

#include <pathdog/trigger.h>

/* What is foreign in it is shown as numbers. */
void alert_say(enum pd_level level, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
