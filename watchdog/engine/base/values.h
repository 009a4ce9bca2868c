/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a trigger instance is set to: one value for each option of its trigger. A policy and its
 * source each keep a copy, since they may outlive the configuration that they were started from.
 */
#ifndef ENGINE_VALUES_H
#define ENGINE_VALUES_H

#include <pathdog/trigger.h>

struct pd_value *values_copy(const struct pd_trigger *trigger, const struct pd_value *values);
struct pd_value *values_free(const struct pd_trigger *trigger, struct pd_value *values);

/* Would a start with the one say the same as with the other? */
bool values_equal(const struct pd_trigger *trigger, const struct pd_value *a,
                  const struct pd_value *b);

#endif
