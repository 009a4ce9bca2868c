/* SPDX-License-Identifier: Apache-2.0 */
/* Defect: needs a symbol that nobody has. */
#include "fixture.h"

FIXTURE(PD_TRIGGER_ABI, FIXTURE_SIZE, "bad-undefined", "a fixture", NULL, 0, 0);

int pathdog_nobody_has_this(void);
int caller(void);
__attribute__((visibility("default"))) int caller(void)
{
    return pathdog_nobody_has_this();
}
