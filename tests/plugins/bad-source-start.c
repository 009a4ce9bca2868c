/* SPDX-License-Identifier: Apache-2.0 */
/* Defect: its source does not start. */
#include "fixture.h"

FIXTURE(PD_TRIGGER_ABI, FIXTURE_SIZE, "bad-source-start", "a fixture", NULL, 0, 0);

#include <pathdog/source.h>

static int start(struct pd_source_host *host, const struct pd_start *from, void **ret_self)
{
    host->notice(host, PD_LEVEL_WARNING, "no-way", "will not");
    return -19;
}

static void stop(void *self)
{
}

PD_SOURCE(fixture) = {PD_SOURCE_ABI, sizeof(struct pd_source), start, stop, NULL};
