/* SPDX-License-Identifier: Apache-2.0 */
/* Defect: wants too much per instance. */
#include "fixture.h"

FIXTURE(PD_TRIGGER_ABI, FIXTURE_SIZE, "bad-instance-size", "a fixture", NULL, (1 << 20) + 1, 0);
