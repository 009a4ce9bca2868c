/* SPDX-License-Identifier: Apache-2.0 */
/* Defect: an option whose range is empty. */
#include "fixture.h"

static const struct pd_option options[] = {
    {"odd", PD_OPTION_INTEGER, NULL, 5, 4, "help"},
    {NULL},
};

FIXTURE(PD_TRIGGER_ABI, FIXTURE_SIZE, "bad-option-range", "a fixture", options, 0, 0);
