/* SPDX-License-Identifier: Apache-2.0 */
#include "target.h"

#include "util/util.h"

void lease_relays_take(struct lease_relays *relays, const struct pd_relays *told)
{
    relays->obeys = told->obeys;
    relays->n = 0;
    for (size_t i = 0; i < told->n && relays->n < LEASE_RELAYS_MAX; i++) {
        size_t length = strlen(told->list[i].name);

        if (length < LEASE_NAME_SIZE)
            memcpy(relays->names[relays->n++], told->list[i].name, length + 1);
    }
}

/* Its place, `n` if it is not there. */
static size_t place_of(const struct lease_relays *relays, const char *name)
{
    size_t i = 0;

    while (i < relays->n && strcmp(relays->names[i], name) != 0)
        i++;
    return i;
}

const char *lease_target(const struct lease_relays *relays, const char *now, bool stay,
                         uint32_t attempt)
{
    size_t place, others;

    if (!relays->obeys || !now)
        return NULL;
    place = place_of(relays, now);
    others = relays->n - (place < relays->n);
    attempt %= (uint32_t)others + 1;
    if (stay ? !attempt : attempt == others)
        return now;
    attempt -= stay;
    /* Not in the list: from its first on. */
    return relays->names[(place < relays->n ? place + 1 + attempt : attempt) % relays->n];
}
