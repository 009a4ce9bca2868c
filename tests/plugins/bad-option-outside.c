/* SPDX-License-Identifier: Apache-2.0 */
/* Defect: a default outside its range. */
#include "fixture.h"

static const struct pd_option options[] = {
    {"odd", PD_OPTION_INTEGER, "9", 1, 8, "help"},
    {NULL},
};

FIXTURE(PD_TRIGGER_ABI, FIXTURE_SIZE, "bad-option-outside", "a fixture", options, 0, 0);
