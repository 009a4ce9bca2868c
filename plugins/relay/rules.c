/* SPDX-License-Identifier: Apache-2.0 */
/* When a connection goes over a relay, and when it comes back. See rules.h. */
#include "rules.h"

#include <errno.h>

const char *const relay_rule_names[RELAY_RULE_COUNT] = {
    [RELAY_RULE_NODE] = "node",
    [RELAY_RULE_SILENCE] = "silence",
    [RELAY_RULE_SEND_ERRORS] = "send-errors",
    [RELAY_RULE_OPERATOR] = "operator",
};

bool relay_miss(struct relay_counts *counts, const struct relay_limits *limits, uint64_t silence_us,
                bool may_flip)
{
    if (!may_flip || silence_us <= limits->max_silence_us)
        return false;
    if (++counts->misses < limits->flip_after)
        return false;
    counts->misses = 0;
    return true;
}

bool relay_send_errors(struct relay_counts *counts, const struct relay_limits *limits,
                       uint64_t more, bool may_flip)
{
    uint64_t room = limits->flip_after - counts->errors;

    counts->errors = (uint16_t)(counts->errors + (more < room ? more : room));
    if (!may_flip || !more || counts->errors < limits->flip_after)
        return false;
    counts->errors = 0;
    counts->misses = 0;
    return true;
}

bool relay_error_counts(int error)
{
    return error == ECONNREFUSED || error == EHOSTUNREACH || error == ENETUNREACH;
}

void relay_receipt(struct relay_counts *counts)
{
    counts->misses = 0;
    counts->errors = 0;
}

bool relay_tried(struct relay_counts *counts, const struct relay_limits *limits, bool good)
{
    if (!counts->relayed || counts->pinned || !good) {
        counts->cleared = 0;
        return false;
    }
    if (++counts->cleared < limits->clear_after)
        return false;
    counts->cleared = 0;
    return true;
}

void relay_way(struct relay_counts *counts, bool relayed)
{
    relay_receipt(counts);
    counts->cleared = 0;
    if (!relayed) {
        counts->pinned = false;
        counts->rule = RELAY_RULE_NODE;
    }
    counts->relayed = relayed;
}

bool relay_has_room(const struct relay_limits *limits, uint64_t relayed)
{
    return relayed < limits->max_relayed;
}
