/* SPDX-License-Identifier: Apache-2.0 */
/* The uplinks, as an operator is told of them. */
#include "base/names.h"
#include "inspect.h"
#include "state.h"
#include "uplinks/evidence.h"
#include "uplinks/return.h"

static uint64_t ago_us(uint64_t now_us, uint64_t at_us)
{
    return at_us ? sub_u64(now_us, at_us) : INSPECT_NEVER;
}

static void report_proof(const struct uplink *uplink, struct inspect_uplink *ret)
{
    const struct proof *proof = &uplink->is.proof;

    ret->proving = proof->good > 0;
    ret->proof_good = proof->good;
    ret->proof_needed = RETURN_PROBES;
    ret->proof_us = proof->hold_us;
}

static void report_uplink(const struct uplink *uplink, uint64_t now_us, struct inspect_uplink *ret)
{
    *ret = (struct inspect_uplink){
        .name = uplink->name->s,
        .interface = uplink->interface->s,
        .class = uplink->class,
        .configured = uplink->configured,
        .condition = uplink_condition_names[uplink->condition],
        .for_us = sub_u64(now_us, uplink->is.since_us),
        .route4 = uplink->route4,
        .route6 = uplink->route6,
        .peers = uplink->n_peers,
        .rtt_us = uplink->is.rtt_us ? uplink->is.rtt_us : INSPECT_NEVER,
        .heard_us = ago_us(now_us, uplink->is.heard_us),
        .suspect = uplink->is.suspect,
        .penalty_us = evidence_penalty_us(uplink, 0, now_us),
        .held = uplink_held(uplink, now_us),
        .held_for_us =
            uplink->is.held_until_us ? sub_u64(uplink->is.held_until_us, now_us) : INSPECT_NEVER,
        .change_us = INSPECT_NEVER,
    };
    report_proof(uplink, ret);
    if (!uplink->is.change_reason)
        return;
    ret->change = uplink_change_name(uplink->is.change);
    ret->change_reason = uplink->is.change_reason->s;
    ret->change_us = sub_u64(now_us, uplink->is.change_us);
}

static const char *const state_names[] = {[INSPECT_UPLINK_ABSENT] = "absent",
                                          [INSPECT_UPLINK_NO_CARRIER] = "no-carrier",
                                          [INSPECT_UPLINK_NO_ADDRESS] = "no-address",
                                          [INSPECT_UPLINK_NO_ROUTE] = "no-route",
                                          [INSPECT_UPLINK_HELD] = "held",
                                          [INSPECT_UPLINK_PENALTY] = "penalty",
                                          [INSPECT_UPLINK_UNPROVEN] = "unproven",
                                          [INSPECT_UPLINK_UP] = "up"};

enum inspect_uplink_state inspect_uplink_state(const struct inspect_uplink *uplink)
{
    for (size_t i = 0; i <= INSPECT_UPLINK_NO_ROUTE; i++)
        if (!strcmp(uplink->condition, state_names[i]))
            return (enum inspect_uplink_state)i;
    return uplink->held         ? INSPECT_UPLINK_HELD
           : uplink->penalty_us ? INSPECT_UPLINK_PENALTY
           : uplink->suspect    ? INSPECT_UPLINK_UNPROVEN
                                : INSPECT_UPLINK_UP;
}

const char *inspect_uplink_state_name(enum inspect_uplink_state state)
{
    return (size_t)state < ARRAY_SIZE(state_names) ? state_names[state] : "?";
}

bool inspect_uplink(const struct engine *engine, uint64_t now_us, size_t place,
                    struct inspect_uplink *ret)
{
    if (place >= engine->uplinks.n)
        return false;
    report_uplink(&engine->uplinks.list[place], now_us, ret);
    return true;
}

bool inspect_uplink_find(const struct engine *engine, uint64_t now_us, const char *name,
                         struct inspect_uplink *ret)
{
    const struct uplink *uplink = uplinks_find(engine, name);

    if (uplink)
        report_uplink(uplink, now_us, ret);
    return uplink;
}
