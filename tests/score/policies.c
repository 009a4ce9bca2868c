/* SPDX-License-Identifier: Apache-2.0 */
/* All policies, in the order of the table. */
#include "policies.h"

const struct policy *const policies[] = {
    &policy_nothing,
    &policy_recipe,
    &policy_plb,
    &policy_pilot,
    &policy_iroh,
    &policy_mwan3,
    &policy_chromium,
    &policy_pathdog,
    &policy_oracle_route,
    &policy_oracle,
    NULL,
};
