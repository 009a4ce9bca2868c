/* SPDX-License-Identifier: Apache-2.0 */
/* Defect: not the name of its file. */
#include "fixture.h"

FIXTURE(PD_TRIGGER_ABI, FIXTURE_SIZE, "other", "a fixture", NULL, 0, 0);
