/* SPDX-License-Identifier: Apache-2.0 */
/* Defect: an option twice. */
#include "fixture.h"

static const struct pd_option options[] = {
    {"once", PD_OPTION_TIME, "1s", 0, 0, "help"},
    {"once", PD_OPTION_SIZE, "1K", 0, 0, "help"},
    {NULL},
};

FIXTURE(PD_TRIGGER_ABI, FIXTURE_SIZE, "bad-option-twice", "a fixture", options, 0, 0);
