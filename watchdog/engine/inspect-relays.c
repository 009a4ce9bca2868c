/* SPDX-License-Identifier: Apache-2.0 */
/* The relays, and the connections that go over them, as an operator is told of them. */
#include "inspect.h"
#include "state.h"
#include "triggers/host.h"
#include "triggers/triggers.h"

static bool walk_triggers(const struct engine *engine, struct inspect_relay_walk *walk,
                          struct inspect_relay *ret)
{
    const struct triggers *triggers = &engine->triggers;

    for (; walk->instance < triggers->n_instances; walk->instance++, walk->place = 0) {
        const struct instance *instance = triggers->instances[walk->instance];

        ret->trigger = instance->name;
        if (instance->open && instance->trigger->tell_relay &&
            instance->trigger->tell_relay(instance->self, walk->place, &ret->report)) {
            walk->place++;
            walk->any = true;
            return true;
        }
    }
    return false;
}

bool inspect_relay(const struct engine *engine, uint64_t now_us, struct inspect_relay_walk *walk,
                   struct inspect_relay *ret)
{
    const struct node_relays *relays = &engine->relays;

    *ret = (struct inspect_relay){.report = {.rtt_ns = PD_UNKNOWN}};
    if (walk_triggers(engine, walk, ret)) {
        ret->probed_ago_us =
            ret->report.probed_us ? sub_u64(now_us, ret->report.probed_us) : INSPECT_NEVER;
        return true;
    }
    if (walk->any || walk->place >= relays->n)
        return false;
    *ret = (struct inspect_relay){
        .report = {.relay = relays->list[walk->place++], .from = "node", .rtt_ns = PD_UNKNOWN},
        .probed_ago_us = INSPECT_NEVER,
    };
    return true;
}

static void merge(struct inspect_relayed *ret, const struct pd_relayed_report *report,
                  const char *trigger)
{
    struct pd_relayed_report *merged = &ret->report;

    if (report->rule && !merged->rule) {
        ret->trigger = trigger;
        merged->rule = report->rule;
        merged->pinned = report->pinned;
    }
    merged->lease_ms = min_u64(merged->lease_ms, report->lease_ms);
    merged->lease_sent_bytes = min_u64(merged->lease_sent_bytes, report->lease_sent_bytes);
    merged->lease_received_bytes =
        min_u64(merged->lease_received_bytes, report->lease_received_bytes);
}

bool inspect_relayed(const struct engine *engine, uint32_t index, struct inspect_relayed *ret)
{
    static const struct pd_relayed_report unknown = {
        .lease_ms = PD_UNKNOWN,
        .lease_sent_bytes = PD_UNKNOWN,
        .lease_received_bytes = PD_UNKNOWN,
    };
    const struct triggers *triggers = &engine->triggers;
    struct peer *peer = index < engine->peers.top ? peer_at(engine, index) : NULL;
    const char *via = peer && peer->state != PEER_REMOVED ? peer->view.path->via : NULL;

    *ret = (struct inspect_relayed){.report = unknown};
    if (!via || string_equal(via, "direct"))
        return false;
    for (size_t kind = 0; kind < triggers->n_kinds; kind++) {
        struct instance *instance = triggers_instance(triggers, peer, kind);
        struct pd_relayed_report report = unknown;

        if (instance && instance->open && instance->trigger->tell_relayed &&
            instance->trigger->tell_relayed(instance->self, &peer->view,
                                            triggers_state(instance, peer), &report))
            merge(ret, &report, instance->name);
    }
    return true;
}
