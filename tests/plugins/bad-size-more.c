/* SPDX-License-Identifier: Apache-2.0 */
/* Defect: a descriptor of a later pathdog. */
#include "fixture.h"

FIXTURE(PD_TRIGGER_ABI, FIXTURE_SIZE + 8, "bad-size-more", "a fixture", NULL, 0, 0);
