/* SPDX-License-Identifier: Apache-2.0 */
/* Defect: wants too much per peer. */
#include "fixture.h"

FIXTURE(PD_TRIGGER_ABI, FIXTURE_SIZE, "bad-peer-size", "a fixture", NULL, 0, 4097);
