/* SPDX-License-Identifier: Apache-2.0 */
/* Defect: an option of no type. */
#include "fixture.h"

static const struct pd_option options[] = {
    {"odd", (enum pd_option_type)99, NULL, 0, 0, "help"},
    {NULL},
};

FIXTURE(PD_TRIGGER_ABI, FIXTURE_SIZE, "bad-option-type", "a fixture", options, 0, 0);
