/* SPDX-License-Identifier: Apache-2.0 */
/* What must always hold, whatever happens. */
#include <inttypes.h>
#include <string.h>

#include "engine/peers/peer.h"
#include "engine/state.h"
#include "sim.h"

struct sim_request *request_of(struct sim *sim, uint64_t request)
{
    SIM_CHECK(sim, request && request <= sim->n_requests, "request %" PRIu64 " was never made",
              request);
    return &sim->requests[request];
}

static uint8_t *decision_of(struct sim *sim, uint64_t decision)
{
    size_t old = sim->decisions_capacity;

    SIM_CHECK(sim, decision && decision <= sim->engine->last_decision,
              "decision %" PRIu64 " does not exist", decision);
    sim->decisions = array_reserve(sim->decisions, &sim->decisions_capacity, decision + 1, 1);
    memset(sim->decisions + old, 0, sim->decisions_capacity - old);
    return &sim->decisions[decision];
}

static void set_decision(uint8_t *decision, enum sim_decision state)
{
    *decision = (uint8_t)((*decision & SIM_FALLBACK) | state);
}

/* ---- requests end ---- */

static void check_outcome(struct sim *sim, const struct record_outcome *record)
{
    struct sim_request *request = request_of(sim, record->request);
    uint8_t *decision = decision_of(sim, record->decision);
    bool moved = record->outcome == OUTCOME_MIGRATED || record->outcome == OUTCOME_RECONNECTED;

    SIM_CHECK(sim, request->open, "request %" PRIu64 " ended twice", record->request);
    SIM_CHECK(sim, record->conn_new == 0 || record->by == BY_RECONNECT, "a new conn by migrate");
    SIM_CHECK(sim, record->subject.conn == request->conn && record->by == request->by,
              "outcome of request %" PRIu64 " is about another", record->request);
    SIM_CHECK(sim, (*decision & ~SIM_FALLBACK) == SIM_ASKED, "decision %" PRIu64 " was not asked",
              record->decision);
    SIM_CHECK(sim, !request->decision || request->decision == record->decision,
              "request %" PRIu64 " is of another decision", record->request);
    SIM_CHECK(sim, (request->decision != 0) == (record->attempt == 1),
              "attempt %u of request %" PRIu64, record->attempt, record->request);
    SIM_CHECK(
        sim,
        record->elapsed_us <= request->timeout_ms * UINT64_C(1000) + 1000000 || sim->late_us > 0,
        "request %" PRIu64 " was open for %" PRIu64 " us", record->request, record->elapsed_us);
    SIM_CHECK(sim, !(*decision & SIM_FALLBACK) || request->quiet_enough,
              "the fallback closed %s, which had made progress %" PRIu64 " us before",
              request->peer->name, request->stalled_us);
    check_outcome_uplink(sim, record);
    if (record->outcome == OUTCOME_CANCELLED)
        check_cancelled(sim, record);
    else
        SIM_CHECK(sim, !request->cancelled, "request %" PRIu64 " was taken back, and is %s",
                  record->request, outcome_name(record->outcome));
    request->open = false;
    request->peer->request = 0;
    sim->open--;
    sim->outcomes[record->outcome]++;
    if (moved) {
        set_decision(decision, SIM_MOVED);
        sim->moved++;
    }
}

static void check_effect(struct sim *sim, const struct record_effect *record)
{
    uint8_t *decision = decision_of(sim, record->decision);

    SIM_CHECK(sim, (*decision & ~SIM_FALLBACK) == SIM_MOVED,
              "effect of decision %" PRIu64 ", which is in state %u", record->decision, *decision);
    SIM_CHECK(sim, record->samples_before <= 3 && record->samples_after <= 3, "too many samples");
    SIM_CHECK(sim, (record->samples_after == 0) == (record->rtt_after_us == PD_UNKNOWN),
              "rtt_after without samples");
    set_decision(decision, SIM_EVALUATED);
    sim->effects[record->effect]++;
    sim->moved--;
}

/* ---- requests begin ---- */

/* Where an uplink lost its carrier a while ago, what cannot be migrated is dialled at once. */
#define CUT_WATCH_US UINT64_C(70000000)
#define CUT_LEAST_US UINT64_C(50000)

static bool may_be_cut(const struct sim *sim, const struct sim_peer *peer)
{
    return sim->hosts.cut_us && sim->now_us - sim->hosts.cut_us < CUT_WATCH_US &&
           (peer->role == PD_ROLE_SERVER || peer->disabled || !peer->migratable);
}

/* What the peer opened is dialled anew 1 s after the route changed: it cannot be migrated before.
 */
static uint64_t least_fallback_us(const struct sim *sim, const struct sim_peer *peer)
{
    if (may_be_cut(sim, peer))
        return min_u64(sim->least_fallback_us, CUT_LEAST_US);
    return peer->role == PD_ROLE_SERVER ? min_u64(sim->least_fallback_us, 1000000)
                                        : sim->least_fallback_us;
}

static void check_request(struct sim *sim, const struct action *action)
{
    const struct action_move *move = &action->move;
    enum by by = action->type == ACTION_RECONNECT ? BY_RECONNECT : BY_MIGRATE;
    struct sim_peer *peer = model_find(sim, move->conn);

    SIM_CHECK(sim, move->request == sim->n_requests + 1, "request %" PRIu64 " after %zu",
              move->request, sim->n_requests);
    SIM_CHECK(sim, sim->up && peer && !peer->unreported,
              "asked about conn %" PRIu64 ", which is not there", move->conn);
    SIM_CHECK(sim, !peer->gone, "asked about conn %" PRIu64 ", which is gone", move->conn);
    SIM_CHECK(sim, !peer->request, "two requests are open for %s", peer->name);
    SIM_CHECK(sim, move->timeout_ms && move->timeout_ms <= sim->most_timeout_us / 1000,
              "timeout of %u ms", move->timeout_ms);
    if (by == BY_MIGRATE) {
        SIM_CHECK(sim, peer->role == PD_ROLE_CLIENT, "migrate of %s, which is inbound", peer->name);
        SIM_CHECK(sim, peer->migratable && !peer->disabled, "migrate of %s, which is disabled",
                  peer->name);
    } else {
        SIM_CHECK(sim, (sim->features & NODE_RECONNECT) && peer->reconnectable && !peer->undialable,
                  "reconnect of %s, which is not possible", peer->name);
    }
    SIM_CHECK(sim, !move->interface || (sim->features & NODE_BIND), "interface without bind");
    SIM_CHECK(sim, !move->via || (sim->features & NODE_RELAY), "via without relay");
    SIM_CHECK(sim,
              !move->keep_old || (by == BY_RECONNECT && (sim->features & NODE_MAKE_BEFORE_BREAK)),
              "keep_old without make_before_break");
    sim->requests = array_reserve(sim->requests, &sim->requests_capacity, sim->n_requests + 2,
                                  sizeof(struct sim_request));
    sim->requests[++sim->n_requests] = (struct sim_request){
        .conn = move->conn,
        .peer = peer,
        .stalled_us = sim->now_us - peer->progress_us,
        .quiet_enough = sim->now_us - peer->progress_us >= least_fallback_us(sim, peer),
        .gap_us = peer->reconnect_us ? sim->now_us - peer->reconnect_us : NEVER,
        .reconnect_before_us = peer->reconnect_us,
        .keep_old = move->keep_old,
        .timeout_ms = move->timeout_ms,
        .by = by,
        .open = true,
    };
    check_request_uplink(sim, move, &sim->requests[sim->n_requests]);
    peer->request = sim->n_requests;
    if (by == BY_RECONNECT)
        peer->reconnect_us = sim->now_us;
    sim->open++;
}

static void check_action(struct sim *sim, const struct action *action)
{
    switch (action->type) {
    case ACTION_SUMMARY:
        SIM_CHECK(sim, sim->up && sim->reported, "a look before the snapshot");
        SIM_CHECK(sim, action->summary.n_conns <= sim->config.close_max, "too many in a look");
        SIM_CHECK(sim, action->summary.poll > sim->poll, "look %" PRIu64 " again",
                  action->summary.poll);
        SIM_CHECK(sim, !sim->looking, "two looks at once");
        sim->looking = true;
        sim->poll = action->summary.poll;
        break;
    case ACTION_PROBE:
        SIM_CHECK(sim, sim->features & NODE_PROBE, "probe without the feature");
        for (size_t i = 0; i < action->probe.n_conns; i++)
            SIM_CHECK(sim, model_find(sim, action->probe.conns[i]), "probe of nobody");
        break;
    case ACTION_MIGRATE:
    case ACTION_RECONNECT:
        check_request(sim, action);
        break;
    case ACTION_PROBE_PATH:
        check_probe_path(sim, &action->probe_path);
        break;
    case ACTION_CANCEL:
        SIM_CHECK(sim, !request_of(sim, action->cancel.request)->open,
                  "request %" PRIu64 " is taken back, and goes on", action->cancel.request);
        break;
    case ACTION_QUERY:
        SIM_CHECK(sim, action->query.instance < sim->config.n_instances, "query of nobody");
        break;
    case ACTION_CLOSE:
        SIM_CHECK(sim, action->close.instance < sim->config.n_instances, "a close of nobody");
        given_up_unsure(sim);
        break;
    }
}

/* ---- decisions ---- */

static void check_refusal(struct sim *sim, const struct record_decision *record)
{
    const struct sim_peer *peer = model_find(sim, record->subject.conn);
    bool operator= record->kind == PD_KIND_OPERATOR;

    SIM_CHECK(sim, !record->request && !record->attempt && !record->timeout_ms,
              "a refusal with a request");
    SIM_CHECK(sim,
              record->verdict == VERDICT_AWAITING ||
                  (record->verdict == VERDICT_MERGED) == (record->into != 0),
              "into without merged");
    if (record->repeats) /* their time was another */
        return;
    switch (record->verdict) {
    case VERDICT_INBOUND:
        SIM_CHECK(sim, record->by == BY_MIGRATE && peer->role == PD_ROLE_SERVER, "not inbound");
        break;
    case VERDICT_DISABLED:
        SIM_CHECK(sim,
                  record->by == BY_MIGRATE ? peer->disabled || !peer->migratable
                                           : peer->undialable || !peer->reconnectable ||
                                                 !(sim->features & NODE_RECONNECT),
                  "not disabled");
        break;
    case VERDICT_HELD:
        SIM_CHECK(sim, !operator&& model_held(sim, peer), "not held");
        break;
    case VERDICT_IN_FLIGHT:
        SIM_CHECK(sim, peer->request, "nothing is in flight");
        break;
    case VERDICT_COOLING:
        SIM_CHECK(sim, record->kind >= PD_KIND_DEGRADED, "cooling a %s", kind_name(record->kind));
        break;
    case VERDICT_BACKING_OFF:
        SIM_CHECK(sim, !operator, "backing off an operator");
        break;
    case VERDICT_DAMPED:
        SIM_CHECK(sim, record->kind == PD_KIND_MOVED || record->kind == PD_KIND_DEAD,
                  "damping a %s", kind_name(record->kind));
        break;
    case VERDICT_OBSERVING:
        SIM_CHECK(sim, !operator&& sim->observing, "not observing");
        break;
    default:
        break;
    }
}

/* Only after a change of the route less than reconnect_gap lies between two reconnects of a name:
 * twenty times in a row, and once more each five seconds. */
static void check_gap(struct sim *sim, const struct sim_request *request)
{
    struct sim_peer *peer = request->peer;

    if (request->gap_us >= sim->least_gap_us)
        return;
    SIM_CHECK(sim, request->gap_us >= 1000000, "reconnects of %s %" PRIu64 " us apart", peer->name,
              request->gap_us);
    peer->sooner_us = max_u64(peer->sooner_us, sim->now_us) + 5000000;
    SIM_CHECK(sim, peer->sooner_us <= sim->now_us + 20 * UINT64_C(5000000),
              "reconnects of %s, too many of them soon", peer->name);
}

static void check_asked(struct sim *sim, const struct record_decision *record, uint8_t *decision)
{
    struct sim_request *request = request_of(sim, record->request);
    bool operator= record->kind == PD_KIND_OPERATOR;

    SIM_CHECK(sim, request->open && !request->decision, "request %" PRIu64 " has a decision",
              record->request);
    SIM_CHECK(sim, record->attempt == 1 && record->timeout_ms == request->timeout_ms,
              "the first attempt is %u with %u ms", record->attempt, record->timeout_ms);
    SIM_CHECK(sim, record->subject.conn == request->conn && record->by == request->by,
              "decision about another");
    SIM_CHECK(sim, (record->verdict == VERDICT_RECONNECT) == (record->by == BY_RECONNECT),
              "verdict and by differ");
    SIM_CHECK(sim, operator|| !model_held(sim, request->peer), "asked although held");
    SIM_CHECK(sim, operator|| !sim->observing, "asked although observing");
    if (!operator&& record->by == BY_RECONNECT)
        check_gap(sim, request);
    request->decision = record->decision;
    request->by_operator = operator;
    set_decision(decision, SIM_ASKED);
}

static void check_decision(struct sim *sim, const struct record_decision *record)
{
    uint8_t *decision = decision_of(sim, record->decision);
    enum sim_decision was = *decision & ~SIM_FALLBACK;
    bool asked = record->verdict == VERDICT_MIGRATE || record->verdict == VERDICT_RECONNECT;

    sim->verdicts[record->verdict]++;
    if (strcmp(record->trigger, "fallback") == 0) {
        *decision |= SIM_FALLBACK;
        sim->fallbacks += was == SIM_UNSEEN && !record->repeats;
    }
    if (record->repeats) {
        SIM_CHECK(sim, was == SIM_UNSEEN && !asked && record->verdict != VERDICT_QUEUED,
                  "repeats of decision %" PRIu64, record->decision);
        check_refusal(sim, record);
        sim->repeats += record->repeats;
        set_decision(decision, SIM_SUPPRESSED);
        return;
    }
    if (was == SIM_QUEUED) {
        SIM_CHECK(sim,
                  asked || record->verdict == VERDICT_GONE || record->verdict == VERDICT_HELD ||
                      record->verdict == VERDICT_SUPERSEDED || record->verdict == VERDICT_EXPIRED,
                  "out of the queue as %s", verdict_name(record->verdict));
        sim->queued--;
    } else {
        SIM_CHECK(sim, was == SIM_UNSEEN, "decision %" PRIu64 " again", record->decision);
        SIM_CHECK(sim, record->verdict < VERDICT_SUPERSEDED || record->kind == PD_KIND_DEGRADED,
                  "%s, never queued", verdict_name(record->verdict));
        sim->firsts++;
    }
    set_decision(decision, SIM_REFUSED);
    if (was == SIM_UNSEEN && (asked || record->verdict == VERDICT_QUEUED))
        check_newer(sim, record);
    if (asked) {
        check_asked(sim, record, decision);
        if (was == SIM_UNSEEN)
            given_up_check(sim, request_of(sim, record->request), record);
    } else if (record->verdict == VERDICT_QUEUED) {
        set_decision(decision, SIM_QUEUED);
        sim->queued++;
    } else if (was == SIM_UNSEEN) {
        check_refusal(sim, record);
    }
    check_decision_uplink(sim, record);
}

/* Requests of this turn that no decision came with: they are tried again. */
static void check_retries(struct sim *sim, size_t first)
{
    for (size_t i = first; i <= sim->n_requests; i++) {
        const struct sim_request *request = &sim->requests[i];

        if (request->decision)
            continue;
        SIM_CHECK(sim, !model_held(sim, request->peer), "%s tried again although held",
                  request->peer->name);
        SIM_CHECK(sim, !sim->observing, "tried again although observing");
    }
}

static void check_cause(struct sim *sim, const struct record_cause *record)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < VERDICT_COUNT; i++)
        sum += record->verdicts[i];
    SIM_CHECK(sim, sum == record->advised,
              "cause %" PRIu64 ": %" PRIu64 " verdicts for %" PRIu64 " times advice", record->cause,
              sum, record->advised);
    for (size_t i = 0; i < SIM_CAUSES; i++)
        if (sim->causes[i] == record->cause)
            sim->causes[i] = 0;
}

/* ---- all together ---- */

static void check_counts(struct sim *sim)
{
    struct engine_counts counts = engine_counts(sim->engine);
    uint32_t budget = sim->config.max_in_flight ? sim->config.max_in_flight
                      : sim->node_budget        ? sim->node_budget
                                                : 1024;
    uint32_t known = 0;

    for (size_t i = 0; i < SIM_NAMES; i++)
        known += sim->peers[i].known;
    SIM_CHECK(sim, counts.peers == known, "%u peers, %u were told", counts.peers, known);
    SIM_CHECK(sim, counts.open == sim->open, "%u open, counted %u", counts.open, sim->open);
    SIM_CHECK(sim, counts.open <= budget || counts.open <= sim->open_before, "%u open, budget %u",
              counts.open, budget);
    SIM_CHECK(sim, counts.queued == sim->queued, "%u queued, counted %u", counts.queued,
              sim->queued);
    SIM_CHECK(sim, counts.effects == sim->moved, "%u effects, %u moves", counts.effects,
              sim->moved);
    SIM_CHECK(sim, counts.retrying <= known, "%u retrying", counts.retrying);
    SIM_CHECK(sim, counts.remembered <= known, "%u remembered", counts.remembered);
    SIM_CHECK(sim, counts.queued + counts.retrying <= known, "more moves than peers");
}

/* What an operator held back waits no longer than it is held back. */
static void check_held_back(struct sim *sim)
{
    const struct peer *peer;
    uint32_t remembered = 0;

    for (uint32_t i = 0; (peer = peers_next(sim->engine, &i));) {
        const struct peer_moves *moves = peer->moves;
        const struct sim_peer *known = model_find(sim, peer->view.conn);
        bool due;

        if (!moves || !moves->remembered)
            continue;
        remembered++;
        due = deadline_is_on(&moves->remembered_deadline) &&
              moves->remembered_deadline.at_us <= sim->now_us;
        if (moves->remembered_as == VERDICT_HELD)
            SIM_CHECK(sim, known && (model_held(sim, known) || due),
                      "%s is not held any more, and what was held back is not given again",
                      peer->view.name);
        else if (moves->remembered_as == VERDICT_OBSERVING)
            SIM_CHECK(sim, sim->observing, "%s is not only observed any more", peer->view.name);
    }
    SIM_CHECK(sim, remembered == sim->engine->remembered, "%u are remembered, counted %u",
              remembered, sim->engine->remembered);
}

static void check_advised(struct sim *sim)
{
    uint64_t advised = 0;
    const struct event_command *command = &sim->event.command;
    bool moved = sim->event.type == EVENT_COMMAND && command->type == COMMAND_MOVE && command->peer;
    uint32_t undecided = check_fate(sim);
    uint64_t decided = sim->engine->last_decision - sim->last_decision + undecided - sim->undecided;

    for (size_t i = 0; i < SIM_INSTANCES; i++)
        advised += sim->pokes[i].advised;
    for (size_t i = 0; moved && i < SIM_NAMES; i++)
        if (strcmp(sim->peers[i].name, command->peer) == 0)
            moved = sim->peers[i].known;
    SIM_CHECK(sim, decided >= advised - sim->advised + moved,
              "%" PRIu64 " decisions for %" PRIu64 " times advice", decided,
              advised - sim->advised + moved);
    SIM_CHECK(sim, sim->engine->n_advice == 0 && sim->engine->n_admitted == 0, "advice is left");
    sim->advised = advised;
    sim->undecided = undecided;
    sim->last_decision = sim->engine->last_decision;
}

void check_outbox(struct sim *sim)
{
    const struct outbox *box = sim->box;
    bool stopped = sim->engine->stopping;
    size_t first = sim->n_requests + 1;

    check_cancels(sim);
    for (size_t i = 0; i < box->n_records; i++) {
        if (box->records[i].type == RECORD_OUTCOME)
            check_outcome(sim, &box->records[i].outcome);
        else if (box->records[i].type == RECORD_EFFECT)
            check_effect(sim, &box->records[i].effect);
    }
    SIM_CHECK(sim, !stopped || !box->n_actions, "actions after the stop");
    for (size_t i = 0; i < box->n_actions; i++)
        check_action(sim, &box->actions[i]);
    for (size_t i = 0; i < box->n_records; i++) {
        if (box->records[i].type == RECORD_DECISION)
            check_decision(sim, &box->records[i].decision);
        else if (box->records[i].type == RECORD_CAUSE)
            check_cause(sim, box->records[i].cause);
    }
    check_retries(sim, first);
    check_taken_back(sim);
    check_counts(sim);
    check_held_back(sim);
    check_advised(sim);
    check_uplinks(sim);
}

void check_stopped(struct sim *sim)
{
    struct engine_counts counts = engine_counts(sim->engine);

    SIM_CHECK(sim, !counts.open && !counts.queued && !counts.retrying && !counts.effects,
              "after the stop %u are open, %u queued, %u retried, %u judged", counts.open,
              counts.queued, counts.retrying, counts.effects);
    SIM_CHECK(sim, !counts.remembered && !counts.suppressed && !counts.causes,
              "after the stop %u are remembered, %u folded, %u causes", counts.remembered,
              counts.suppressed, counts.causes);
    SIM_CHECK(sim, sim->box->wake_at_us == NEVER, "after the stop a timer is wanted");
    SIM_CHECK(sim, sim->firsts + sim->repeats == sim->engine->last_decision,
              "%" PRIu64 " decisions, %" PRIu64 " written and %" PRIu64 " counted",
              sim->engine->last_decision, sim->firsts, sim->repeats);
    SIM_CHECK(sim,
              !sim->engine->migration.pool.in_use && !sim->engine->effect_pool.in_use &&
                  !sim->engine->repeat_pool.in_use,
              "memory is left in a pool");
}
