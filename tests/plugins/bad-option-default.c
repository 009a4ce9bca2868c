/* SPDX-License-Identifier: Apache-2.0 */
/* Defect: a default that cannot be read. */
#include "fixture.h"

static const struct pd_option options[] = {
    {"odd", PD_OPTION_TIME, "soon", 0, 0, "help"},
    {NULL},
};

FIXTURE(PD_TRIGGER_ABI, FIXTURE_SIZE, "bad-option-default", "a fixture", options, 0, 0);
