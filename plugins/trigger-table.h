/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every trigger of this build, for programs that link the policies instead of
 * loading them (tests, replay). Made from the list in plugins/meson.build.
 */
#ifndef TRIGGER_TABLE_H
#define TRIGGER_TABLE_H

#include <pathdog/trigger.h>

/* Ended by NULL. */
extern const struct pd_trigger *const trigger_table[];

#endif
