// SPDX-License-Identifier: Apache-2.0
// A trigger in C++, both halves, built by out-of-tree.sh against the installed headers.
#include <cstdio>
#include <pathdog/source.h>
#include <pathdog/trigger.h>

namespace {

struct peer_state {
    uint32_t strikes;
};

int sample(pd_turn *turn, const pd_sample *sample)
{
    auto *state = static_cast<peer_state *>(sample->state);
    pd_advice advice = {};

    if (!sample->regular || sample->unacked_us == PD_UNKNOWN || sample->unacked_us < 1000000)
        return 0;
    if (++state->strikes < 2)
        return 0;
    state->strikes = 0;
    advice.kind = PD_KIND_DEAD;
    advice.reason = "not acknowledged for a second, twice";
    return turn->host->advise(turn, sample->peer->index, &advice);
}

int tell(const void *, const pd_peer *, const void *state, uint64_t, char *text, size_t size)
{
    return std::snprintf(text, size, "%u of 2 strikes",
                         static_cast<const peer_state *>(state)->strikes);
}

int source_start(pd_source_host *, const pd_start *, void **ret_self)
{
    *ret_self = nullptr;
    return 0;
}

void source_stop(void *)
{
}

} // namespace

PD_TRIGGER(cpp) = {
    .abi = PD_TRIGGER_ABI,
    .size = sizeof(struct pd_trigger),
    .name = "cpp",
    .summary = "a trigger in C++",
    .options = nullptr,
    .instance_size = 0,
    .peer_size = sizeof(peer_state),
    .start = nullptr,
    .stop = nullptr,
    .node = nullptr,
    .peer = nullptr,
    .sample = sample,
    .signal = nullptr,
    .timer = nullptr,
    .save = nullptr,
    .restore = nullptr,
    .tell = tell,
    .finds_dead = true,
    .relays = nullptr,
    .tell_relay = nullptr,
    .tell_relayed = nullptr,
};

PD_SOURCE(cpp) = {
    .abi = PD_SOURCE_ABI,
    .size = sizeof(struct pd_source),
    .start = source_start,
    .stop = source_stop,
    .query = nullptr,
};
