/* SPDX-License-Identifier: Apache-2.0 */
/* Defect: none. */
#include "fixture.h"

static const struct pd_option options[] = {
    {"threshold", PD_OPTION_TIME, "200ms", 1000, 60000000, "above is slow"},
    {"match_all", PD_OPTION_BOOLEAN, NULL, 0, 0, "a flag"},
    {NULL},
};

FIXTURE(PD_TRIGGER_ABI, FIXTURE_SIZE, "good", "a fixture", options, 1024, 64);
