/* SPDX-License-Identifier: Apache-2.0 */
/* Defect: an option without help. */
#include "fixture.h"

static const struct pd_option options[] = {
    {"odd", PD_OPTION_INTEGER, "1", 0, 0, NULL},
    {NULL},
};

FIXTURE(PD_TRIGGER_ABI, FIXTURE_SIZE, "bad-option-help", "a fixture", options, 0, 0);
