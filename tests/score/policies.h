/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SCORE_POLICIES_H
#define SCORE_POLICIES_H

#include "policy.h"

extern const struct policy policy_nothing, policy_recipe, policy_plb, policy_pilot, policy_iroh,
    policy_mwan3, policy_chromium, policy_pathdog, policy_oracle_route, policy_oracle;

#endif
