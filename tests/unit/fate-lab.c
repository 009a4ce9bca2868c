/* SPDX-License-Identifier: Apache-2.0 */
/* See fate-lab.h. */
#include "fate-lab.h"

static int setup(void **state, uint32_t features, bool fibre)
{
    struct lab *lab = memory_new(1, sizeof(*lab));

    uplinks_init(lab, features);
    lab->config.shared_peers = 5;
    lab->config.shared_fraction = 800;
    lab->config.cooldown_us = 30 * SEC;
    lab->config.returns = RETURN_NEVER;
    uplinks_begin(lab);
    for (uint64_t conn = 2; conn <= PEERS; conn++)
        uplinks_peer(lab, conn, ON_HOME);
    if (fibre)
        uplinks_peer(lab, ON_FAST, ON_FIBRE);
    lab_skip(lab);
    *state = lab;
    return 0;
}

int fate_setup(void **state)
{
    return setup(state, BINDS, true);
}

int fate_setup_alone(void **state)
{
    return setup(state, BINDS, false);
}

int fate_setup_probes(void **state)
{
    return setup(state, PROBES, false);
}

static uint64_t poll_of_all(const struct lab *lab)
{
    for (size_t i = lab->n_actions; i-- > 0;)
        if (lab->actions[i].type == ACTION_SUMMARY && lab->actions[i].all)
            return lab->actions[i].poll;
    fail_msg("no poll of all");
    return 0;
}

void fate_end_round(struct lab *lab)
{
    lab_summary_done(lab, poll_of_all(lab), false);
    lab_event(lab, &(struct event){.type = EVENT_TIMER}); /* what is due at once */
}

void fate_rows(struct lab *lab, uint64_t n_slow, uint64_t rtt_us)
{
    const struct peer *peer;
    char text[96];

    for (uint32_t i = 0; (peer = peers_next(lab->engine, &i));) {
        uint64_t conn = peer->view.conn;
        unsigned long now_us = conn <= n_slow && conn != ON_FAST ? rtt_us : FAST;

        if (peer->state != PEER_UP)
            continue;
        snprintf(text, sizeof(text), "srtt=%lu latest=%lu samples=%u sent=%u", now_us, now_us,
                 peer->rtt_samples + 1, conn == 7 ? 9000 : 1000);
        lab_row(lab, conn, text);
    }
}

void fate_slow_round(struct lab *lab, uint64_t n_slow)
{
    const struct peer *peer;

    lab_time(lab, 5 * SEC);
    lab_skip(lab);
    fate_rows(lab, n_slow, SLOW);
    for (uint32_t i = 0; (peer = peers_next(lab->engine, &i));)
        if (peer->view.conn <= n_slow && (peer->uplink == 1 || peer->uplink == 3))
            lab_advise(lab, peer->view.conn, PD_KIND_DEGRADED);
}

uint64_t fate_scout_goes(struct lab *lab)
{
    fate_slow_round(lab, SLOW_ALL);
    expect_no_decision(lab);
    fate_end_round(lab);
    return expect_move_over(lab, 7, "up1");
}

void fate_effect(struct lab *lab, uint64_t conn, uint64_t rtt_us)
{
    for (unsigned i = 0; i < 3; i++)
        lab_fresh(lab, conn, rtt_us);
    lab_event(lab, &(struct event){.type = EVENT_TIMER});
}

void fate_expect_cause(struct lab *lab, const char *reason)
{
    const struct record *record = lab_next(lab, RECORD_CAUSE);

    assert_non_null(record);
    assert_string_equal(record->cause->trigger, "shared");
    assert_string_equal(record->cause->reason->s, reason);
}

unsigned fate_count(struct lab *lab, enum verdict verdict)
{
    const struct record *record;
    unsigned n = 0;

    while ((record = lab_next(lab, RECORD_DECISION)))
        n += record->decision.verdict == verdict && !record->decision.repeats;
    return n;
}

void fate_expect_none_waits(struct lab *lab)
{
    const struct peer *peer;

    for (uint32_t i = 0; (peer = peers_next(lab->engine, &i));)
        assert_true(!peer->moves || !peer->moves->deferred);
}
