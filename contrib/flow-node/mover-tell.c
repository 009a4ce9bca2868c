/* SPDX-License-Identifier: Apache-2.0 */
/* What is said of the host and of the table, and how often. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "mover-private.h"
#include "util/hash.h"
#include "util/util.h"

void mover_notice(const struct mover_listener *listener, const char *format, ...)
{
    char text[512];
    va_list arguments;

    if (!listener->handlers->notice)
        return;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    listener->handlers->notice(listener->user, text);
}

void mover_tell_text(const struct mover_listener *listener, char *told, size_t size,
                     const char *text)
{
    if (!strcmp(told, text))
        return;
    snprintf(told, size, "%s", text);
    if (*text)
        mover_notice(listener, "%s", text);
}

void mover_tell_strict(struct mover *mover, const struct mover_listener *listener,
                       const struct uplink *uplink)
{
    unsigned number = rules_number(mover->rules, uplink->name);
    int value;
    bool strict = uplink->family == 4 && mover_routes_strict(uplink->name, &value);

    if (uplink->family != 4 || mover->strict_told[number] == strict)
        return;
    mover->strict_told[number] = strict;
    if (strict)
        mover_notice(
            listener,
            "uplink %s: rp_filter is 1 (strict), the kernel drops the answers to moved flows; "
            "set net.ipv4.conf.%s.rp_filter=2",
            uplink->name, uplink->name);
}

/* Each that was not there the last time. */
void mover_tell_clashes(struct mover *mover, const struct mover_listener *listener)
{
    uint64_t hashes[ARRAY_SIZE(mover->clashes)] = {0};
    size_t at = 0, n_hashes = 0;
    char text[256];

    while (n_hashes < ARRAY_SIZE(hashes) && rules_clash(mover->rules, &at, text, sizeof(text))) {
        uint64_t hash = hash_text(HASH_START, text);
        bool told = false;

        for (size_t i = 0; i < mover->n_clashes; i++)
            told = told || mover->clashes[i] == hash;
        for (size_t i = 0; i < n_hashes; i++)
            told = told || hashes[i] == hash;
        if (!told)
            mover_notice(listener, "%s", text);
        hashes[n_hashes++] = hash;
    }
    memcpy(mover->clashes, hashes, n_hashes * sizeof(*hashes));
    mover->n_clashes = n_hashes;
}

void mover_tell_table(struct mover *mover, const struct mover_listener *listener, uint64_t now_us,
                      const char *format, ...)
{
    char text[384], times[64] = "";
    va_list arguments;

    if (!mover->n_table_said || now_us - mover->table_said_us >= MOVER_SAID_US) {
        mover->table_said_us = now_us;
        mover->n_table_said = 0;
    }
    if (mover->n_table_said == MOVER_SAID_MOST) {
        mover->n_table_unsaid++;
        return;
    }
    mover->n_table_said++;
    if (mover->n_table_unsaid)
        snprintf(times, sizeof(times), "; %u more times since that was said last",
                 mover->n_table_unsaid);
    mover->n_table_unsaid = 0;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    mover_notice(listener, "table inet %s %s%s", mover->settings.table, text, times);
}
