/* SPDX-License-Identifier: Apache-2.0 */
/* Defect: a source of another size. */
#include "fixture.h"

FIXTURE(PD_TRIGGER_ABI, FIXTURE_SIZE, "bad-source-size", "a fixture", NULL, 0, 0);

#include <pathdog/source.h>

static int start(struct pd_source_host *host, const struct pd_start *from, void **ret_self)
{
    *ret_self = NULL;
    return 0;
}

static void stop(void *self)
{
}

PD_SOURCE(fixture) = {PD_SOURCE_ABI, 8, start, stop, NULL};
