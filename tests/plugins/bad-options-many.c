/* SPDX-License-Identifier: Apache-2.0 */
/* Defect: more options than are read. */
#include "fixture.h"

#define FOUR(x)                                                                                    \
    {x "a", PD_OPTION_TEXT, NULL, 0, 0, ""}, {x "b", PD_OPTION_TEXT, NULL, 0, 0, ""},              \
        {x "c", PD_OPTION_TEXT, NULL, 0, 0, ""},                                                   \
    {                                                                                              \
        x "d", PD_OPTION_TEXT, NULL, 0, 0, ""                                                      \
    }
#define SIXTEEN(x) FOUR(x "a"), FOUR(x "b"), FOUR(x "c"), FOUR(x "d")

static const struct pd_option options[] = {
    SIXTEEN("a"), SIXTEEN("b"), SIXTEEN("c"), SIXTEEN("d"), FOUR("e"), {NULL},
};

FIXTURE(PD_TRIGGER_ABI, FIXTURE_SIZE, "bad-options-many", "a fixture", options, 0, 0);
