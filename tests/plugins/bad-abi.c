/* SPDX-License-Identifier: Apache-2.0 */
/* Defect: built for another ABI. */
#include "fixture.h"

FIXTURE(PD_TRIGGER_ABI + 1, FIXTURE_SIZE, "bad-abi", "a fixture", NULL, 0, 0);
