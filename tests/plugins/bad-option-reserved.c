/* SPDX-License-Identifier: Apache-2.0 */
/* Defect: an option with a name of pathdog's own. */
#include "fixture.h"

static const struct pd_option options[] = {
    {"match", PD_OPTION_GLOBS, NULL, 0, 0, "help"},
    {NULL},
};

FIXTURE(PD_TRIGGER_ABI, FIXTURE_SIZE, "bad-option-reserved", "a fixture", options, 0, 0);
