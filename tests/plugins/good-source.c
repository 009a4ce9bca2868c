/* SPDX-License-Identifier: Apache-2.0 */
/* Defect: none; emits a signal at once. */
#include "fixture.h"

FIXTURE(PD_TRIGGER_ABI, FIXTURE_SIZE, "good-source", "a fixture", NULL, 0, 0);

#include <pathdog/source.h>

static int start(struct pd_source_host *host, const struct pd_start *from, void **ret_self)
{
    const struct pd_field fields[] = {{"text", "\xff", 0}, {"number", NULL, 7}};
    const struct pd_signal signal = {.kind = "started", .fields = fields, .n_fields = 2};

    host->emit(host, &signal);
    *ret_self = host;
    return 0;
}

static void stop(void *self)
{
    struct pd_source_host *host = self;

    host->notice(host, PD_LEVEL_INFO, "stopped", "said by stop");
}

static int query(void *self, const struct pd_query *from)
{
    struct pd_source_host *host = self;
    const struct pd_signal signal = {.kind = "answer", .query = from->id};

    if (from->id == 13)
        return -5;
    host->emit(host, &signal);
    return 0;
}

PD_SOURCE(fixture) = {PD_SOURCE_ABI, sizeof(struct pd_source), start, stop, query};
