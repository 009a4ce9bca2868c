/* SPDX-License-Identifier: Apache-2.0 */
/* Defect: a descriptor of another size. */
#include "fixture.h"

FIXTURE(PD_TRIGGER_ABI, (uint32_t)PD_TRIGGER_SIZE_MIN - 8, "bad-size", "a fixture", NULL, 0, 0);
