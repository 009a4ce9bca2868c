/* SPDX-License-Identifier: Apache-2.0 */
/* Defect: exports no descriptor. */
#include "fixture.h"

int not_a_trigger(void);
__attribute__((visibility("default"))) int not_a_trigger(void)
{
    return 0;
}
