/* SPDX-License-Identifier: Apache-2.0 */
/* A short list: each call may walk over all of it. */
#include "path-probes.h"

#include "../util/util.h"

void path_probes_add(struct path_probes *probes, const struct path_probe *probe)
{
    probes->next_us = min_u64(path_probes_deadline_us(probes), probe->deadline_us);
    probes->list =
        array_reserve(probes->list, &probes->capacity, probes->count + 1, sizeof(*probes->list));
    probes->list[probes->count++] = *probe;
}

static void take(struct path_probes *probes, size_t at, struct path_probe *ret_probe)
{
    *ret_probe = probes->list[at];
    probes->count--;
    memmove(probes->list + at, probes->list + at + 1, (probes->count - at) * sizeof(*probes->list));
    probes->next_us = UINT64_MAX;
    for (size_t i = 0; i < probes->count; i++)
        probes->next_us = min_u64(probes->next_us, probes->list[i].deadline_us);
}

bool path_probes_take(struct path_probes *probes, uint64_t id, struct path_probe *ret_probe)
{
    for (size_t i = 0; id && i < probes->count; i++) {
        if (probes->list[i].id != id)
            continue;
        take(probes, i, ret_probe);
        return true;
    }
    return false;
}

bool path_probes_expire(struct path_probes *probes, uint64_t now_us, struct path_probe *ret_probe)
{
    for (size_t i = 0; now_us >= path_probes_deadline_us(probes) && i < probes->count; i++) {
        if (probes->list[i].deadline_us > now_us)
            continue;
        take(probes, i, ret_probe);
        return true;
    }
    return false;
}

void path_probes_clear(struct path_probes *probes)
{
    free(probes->list);
    *probes = (struct path_probes){0};
}
