/* SPDX-License-Identifier: Apache-2.0 */
/* Defect: no summary. */
#include "fixture.h"

FIXTURE(PD_TRIGGER_ABI, FIXTURE_SIZE, "bad-summary", NULL, NULL, 0, 0);
