/* SPDX-License-Identifier: Apache-2.0 */
/* Advice with its evidence: which relay, and why that one. */
#include "policy.h"

void relay_say_number(struct relay_said *said, const char *name, uint64_t number)
{
    said->fields[said->n++] = (struct pd_field){.name = name, .number = number};
}

void relay_say_text(struct relay_said *said, const char *name, const char *text)
{
    said->fields[said->n++] = (struct pd_field){.name = name, .text = text};
}

static const char *pick_word(const struct relay_target *target)
{
    static const char *const words[] = {
        [RELAY_WHY_ONLY] = "only",     [RELAY_WHY_KEY] = "key",
        [RELAY_WHY_FASTER] = "faster", [RELAY_WHY_UNMEASURED] = "measured",
        [RELAY_WHY_KEPT] = "kept",
    };

    return target->next ? "next" : words[target->why];
}

int relay_advise(struct pd_turn *turn, uint32_t index, enum pd_kind kind, struct relay_said *said,
                 const struct relay_target *target)
{
    const struct relay_trigger *trigger = turn->self;
    struct pd_advice advice = {.kind = kind,
                               .reason = said->reason,
                               .evidence = said->fields,
                               .via = target->entry ? target->entry->name : "direct"};

    relay_say_number(said, "relays", trigger->relays.list.count);
    if (target->entry) {
        relay_say_text(said, "relay", target->entry->name);
        relay_say_text(said, "address", target->entry->address_text);
        relay_say_text(said, "pick", pick_word(target));
    }
    if (target->entry && target->rtt_ns != RELAY_NO_RTT)
        relay_say_number(said, "rtt_ms", target->rtt_ns / 1000000);
    advice.n_evidence = said->n;
    return turn->host->advise(turn, index, &advice);
}
