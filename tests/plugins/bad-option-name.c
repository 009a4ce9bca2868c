/* SPDX-License-Identifier: Apache-2.0 */
/* Defect: an option whose name is none. */
#include "fixture.h"

static const struct pd_option options[] = {
    {"Bad-Name", PD_OPTION_TIME, "1s", 0, 0, "help"},
    {NULL},
};

FIXTURE(PD_TRIGGER_ABI, FIXTURE_SIZE, "bad-option-name", "a fixture", options, 0, 0);
