/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Words that are not of records alone: for the protocol, the configuration, the control socket and
 * the recording. What record.h declares (verdict_name() and others) is in the same file.
 */
#ifndef ENGINE_NAMES_H
#define ENGINE_NAMES_H

#include <pathdog/trigger.h>

#include "../config.h"
#include "../event.h"

/* By the value that they name; ended by NULL. */
extern const char *const role_names[];
extern const char *const mode_names[];
extern const char *const uplink_class_names[]; /* by enum uplink_class */
extern const char *const uplink_condition_names[];
extern const char *const return_names[];                  /* by enum return_when */
extern const char *const level_names[PD_LEVEL_DEBUG + 1]; /* from PD_LEVEL_ERROR on */

/* Of the node, by the place of their bit in enum node_feature. */
#define FEATURE_COUNT 7u
extern const char *const feature_names[FEATURE_COUNT + 1];

/* "error", "warning", "notice", "info", "debug". */
const char *level_name(enum pd_level level);

/* 0, or -EINVAL: no such level. */
int level_parse(const char *text, enum pd_level *ret_level);

#endif
