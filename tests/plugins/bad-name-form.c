/* SPDX-License-Identifier: Apache-2.0 */
/* Defect: a name that is none. */
#include "fixture.h"

FIXTURE(PD_TRIGGER_ABI, FIXTURE_SIZE, "Bad_Name", "a fixture", NULL, 0, 0);
