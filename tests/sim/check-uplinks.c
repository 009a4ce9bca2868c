/* SPDX-License-Identifier: Apache-2.0 */
/* What must always hold of uplinks. Each rule is told by its name when it is broken. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "engine/inspect.h"
#include "engine/peers/peer.h"
#include "engine/state.h"
#include "sim.h"

#define RETURNS_APART_US 15000000u /* of one connection, but from a metered one */
#define PROBING_MOST_US  3000000u  /* a probe's own time, and some more */
#define TURN_MOST        (SIM_NAMES * (HOST_INTERFACES + 4) + 64)

static const struct host_uplink *find(const struct host_uplink list[], size_t count,
                                      const char *name, bool by_interface)
{
    for (size_t i = 0; i < count; i++)
        if (!strcmp(by_interface ? list[i].interface : list[i].name, name))
            return &list[i];
    return NULL;
}

/* Learned ones that the host has no more are remembered, behind the others. */
static size_t count_all(const struct sim *sim)
{
    struct inspect_uplink uplink;
    size_t count = 0;

    while (inspect_uplink(sim->engine, sim->now_us, count, &uplink))
        count++;
    return count;
}

static bool may_choose(const struct sim *sim)
{
    return (sim->features & NODE_BIND) && sim->config.choose && count_all(sim) >= 2;
}

/* Of the other end: over this an uplink has to lead. 0: not known, or told as two. */
static uint8_t family_of(const struct sim *sim, uint64_t conn)
{
    const struct peer *peer = peers_find(sim->engine, conn);
    uint8_t local = peer->view.path->local.family, remote = peer->view.path->remote.family;

    return !remote ? local : !local || local == remote ? remote : 0;
}

static bool is_known(const struct sim *sim, const char *name)
{
    struct inspect_uplink uplink;

    return inspect_uplink_find(sim->engine, sim->now_us, name, &uplink);
}

static bool is_held(const struct sim *sim, const char *name)
{
    struct inspect_uplink uplink;

    return inspect_uplink_find(sim->engine, sim->now_us, name, &uplink) && uplink.held;
}

static void check_usable(struct sim *sim, const struct host_uplink *uplink, uint64_t conn,
                         const char *what)
{
    uint8_t family = family_of(sim, conn);

    SIM_CHECK(sim, uplink->carrier && uplink->addresses && (uplink->route4 || uplink->route6),
              "target-is-up: %s of conn %" PRIu64 " over %s, which is not", what, conn,
              uplink->interface);
    SIM_CHECK(sim, hosts_family(uplink->addresses, family),
              "target-has-family: %s of conn %" PRIu64 " over %s, which has no address of IPv%u",
              what, conn, uplink->interface, family);
    SIM_CHECK(sim,
              family == 4   ? uplink->route4
              : family == 6 ? uplink->route6
                            : true,
              "target-has-route: %s of conn %" PRIu64 " over %s, which has no route of IPv%u", what,
              conn, uplink->interface, family);
    SIM_CHECK(sim, !is_held(sim, uplink->name), "target-is-not-held: %s of conn %" PRIu64 " to %s",
              what, conn, uplink->name);
}

void check_request_uplink(struct sim *sim, const struct action_move *move,
                          struct sim_request *request)
{
    struct host_uplink list[HOST_INTERFACES];
    size_t count = hosts_uplinks(sim, list);
    const char *reason = move->reason ? move->reason->s : "";
    const struct host_uplink *uplink;

    request->interface = move->interface ? hosts_find(move->interface) : HOST_INTERFACES;
    request->prescribed =
        !strncmp(reason, "named", strlen("named")) || !strncmp(reason, "asked by", strlen("asked"));
    if (!move->interface || !sim->hosts.on || request->prescribed)
        return;
    SIM_CHECK(sim, may_choose(sim),
              "choice-is-possible: a request names %s; of %zu uplinks, choose %d, features %x",
              move->interface, count_all(sim), sim->config.choose, sim->features);
    uplink = find(list, count, move->interface, true);
    SIM_CHECK(sim, uplink, "target-is-an-uplink: a request names %s", move->interface);

    check_usable(sim, uplink, move->conn, "a request");
}

void check_probe_path(struct sim *sim, const struct action_probe_path *probe)
{
    struct hosts *hosts = &sim->hosts;
    struct host_uplink list[HOST_INTERFACES];
    size_t count = hosts_uplinks(sim, list), at = hosts_find(probe->interface);
    const struct host_uplink *uplink = find(list, count, probe->interface, true);
    const struct sim_peer *peer = model_find(sim, probe->conn);

    SIM_CHECK(sim, sim->features & NODE_PROBE_PATH, "probe-needs-feature");
    SIM_CHECK(sim, may_choose(sim), "probe-has-a-purpose: %zu uplinks, choose %d", count_all(sim),
              sim->config.choose);
    SIM_CHECK(sim, sim->up && peer && !peer->unreported && !peer->gone,
              "probe-is-of-somebody: conn %" PRIu64 " is not there", probe->conn);
    SIM_CHECK(sim, uplink && at < HOST_INTERFACES, "probe-is-over-an-uplink: %s", probe->interface);
    check_usable(sim, uplink, probe->conn, "a probe");
    SIM_CHECK(sim, probe->probe == hosts->n_probes + 1,
              "probe-numbers-are-new: %" PRIu64 " after %zu", probe->probe, hosts->n_probes);
    SIM_CHECK(sim, probe->timeout_ms && probe->timeout_ms <= sim->most_timeout_us / 1000,
              "probe-is-bounded: %u ms", probe->timeout_ms);
    hosts->probes = array_reserve(hosts->probes, &hosts->probes_capacity, hosts->n_probes + 2,
                                  sizeof(*hosts->probes));
    hosts->probes[++hosts->n_probes] = (struct host_probe){
        .conn = probe->conn,
        .interface = at,
        .until_us = sim->now_us + probe->timeout_ms * UINT64_C(1000),
        .open = true,
    };
    hosts->open++;
    hosts->asked++;
}

/* ---- decisions ---- */

static void check_return(struct sim *sim, const struct record_decision *record,
                         const struct host_uplink *from, bool asked)
{
    struct sim_peer *peer = model_find(sim, record->subject.conn);

    if (!asked)
        return;
    SIM_CHECK(sim, sim->config.returns != RETURN_NEVER, "never-returns: %s", peer->name);
    sim->hosts.returned++;
    if (from && from->class == UPLINK_METERED) /* at the first proof; and then on, to a primary */
        return;
    SIM_CHECK(sim, !peer->return_us || sim->now_us - peer->return_us >= RETURNS_APART_US,
              "returns-are-apart: %s again after %" PRIu64 " us, from %s", peer->name,
              sim->now_us - peer->return_us, from ? from->name : "nowhere");
    sim->requests[record->request].returns = true;
}

/* Where a bound one has nowhere else to go. */
static bool is_new_port(const struct record_decision *record)
{
    return record->choice && (strstr(record->choice->s, "a new port") ||
                              strstr(record->choice->s, "a new connection"));
}

static void check_target(struct sim *sim, const struct record_decision *record,
                         const struct host_uplink list[], size_t count)
{
    const struct sim_request *request = &sim->requests[record->request];
    const struct host_uplink *target =
        record->target ? find(list, count, record->target->s, false) : NULL;

    SIM_CHECK(
        sim, !record->target || target || (request->prescribed && is_known(sim, record->target->s)),
        "target-is-an-uplink: %s", record->target->s);
    if (request->prescribed) {
        SIM_CHECK(sim, !target || request->interface == hosts_find(target->interface),
                  "target-is-asked-for: %s, asked for %s", target->name,
                  hosts_name(request->interface));
        return;
    }
    SIM_CHECK(sim, request->interface == (target ? hosts_find(target->interface) : HOST_INTERFACES),
              "target-is-asked-for: %s, asked for %s", target ? target->name : "none",
              hosts_name(request->interface));
    if (!target)
        return;
    sim->hosts.chosen[record->kind]++;
    if (record->kind == PD_KIND_DEGRADED) {
        SIM_CHECK(sim, sim->config.n_uplinks, "degraded-needs-sections: to %s", target->name);
        SIM_CHECK(sim, target->class != UPLINK_METERED, "degraded-is-not-metered: to %s",
                  target->name);
    }
    SIM_CHECK(sim,
              record->kind != PD_KIND_DEAD || !record->uplink || is_new_port(record) ||
                  strcmp(record->uplink->s, target->name) != 0,
              "dead-goes-elsewhere: from %s to itself", target->name);
}

void check_decision_uplink(struct sim *sim, const struct record_decision *record)
{
    struct host_uplink list[HOST_INTERFACES];
    size_t count = hosts_uplinks(sim, list);
    const struct host_uplink *from =
        record->uplink ? find(list, count, record->uplink->s, false) : NULL;
    bool asked = record->verdict == VERDICT_MIGRATE || record->verdict == VERDICT_RECONNECT;

    SIM_CHECK(sim,
              !sim->hosts.on || record->verdict != VERDICT_PROBING || record->repeats ||
                  (may_choose(sim) && (sim->features & NODE_PROBE_PATH) &&
                   record->kind != PD_KIND_OPERATOR),
              "probing-is-possible: features %x, %zu uplinks", sim->features, count);
    if (!record->repeats && !strcmp(record->trigger, "return"))
        check_return(sim, record, from, asked);
    if (asked)
        check_target(sim, record, list, count);
}

/* Of each attempt: what it was asked for is what its end says. */
void check_outcome_uplink(struct sim *sim, const struct record_outcome *record)
{
    const struct sim_request *request = &sim->requests[record->request];

    SIM_CHECK(sim, !record->target || request->interface < HOST_INTERFACES || request->prescribed,
              "outcome-has-its-target: %s, asked for none", record->target->s);
    if (request->returns && record->outcome == OUTCOME_MIGRATED)
        request->peer->return_us = sim->now_us;
    SIM_CHECK(sim, record->target || request->interface == HOST_INTERFACES || request->prescribed,
              "outcome-has-its-target: none, asked for %s", hosts_name(request->interface));
}

/* ---- after each turn ---- */

static void check_missed(struct sim *sim, const struct host_uplink list[], size_t count,
                         const struct inspect_uplink *seen)
{
    SIM_CHECK(sim,
              !sim->config.n_uplinks && !seen->configured && !strcmp(seen->condition, "absent") &&
                  !find(list, count, seen->name, false),
              "table-is-as-told: %s is %s, was not told", seen->name, seen->condition);
}

static void check_table(struct sim *sim)
{
    struct host_uplink list[HOST_INTERFACES];
    size_t count = hosts_uplinks(sim, list), i = 0;
    struct inspect_uplink seen;
    uint32_t peers = 0;

    for (; inspect_uplink(sim->engine, sim->now_us, i, &seen); i++) {
        const struct host_uplink *uplink = &list[i];
        bool up;

        peers += seen.peers;
        if (i >= count) {
            check_missed(sim, list, count, &seen);
            continue;
        }
        up = uplink->carrier && uplink->addresses && (uplink->route4 || uplink->route6);

        SIM_CHECK(sim,
                  !strcmp(seen.name, uplink->name) && !strcmp(seen.interface, uplink->interface) &&
                      seen.class == uplink->class && seen.configured == uplink->configured &&
                      seen.route4 == uplink->route4 && seen.route6 == uplink->route6,
                  "table-is-as-told: %s at place %zu", seen.name, i);
        SIM_CHECK(sim, !strcmp(seen.condition, "up") == up, "table-is-as-told: %s is %s", seen.name,
                  seen.condition);
    }
    SIM_CHECK(sim, i >= count, "table-is-as-told: %zu uplinks, not %zu", i, count);
    SIM_CHECK(sim, peers <= engine_counts(sim->engine).peers, "peers-are-counted-once: %u of %u",
              peers, engine_counts(sim->engine).peers);
}

static void check_hold(struct sim *sim)
{
    const struct event_command *command = &sim->event.command;

    if (command->uplink && is_known(sim, command->uplink))
        SIM_CHECK(sim, is_held(sim, command->uplink) == (command->type == COMMAND_HOLD),
                  "hold-is-at-once: %s is %s", command->uplink,
                  command->type == COMMAND_HOLD ? "not held" : "held still");
}

/* An answer that nobody waits for changes nothing. */
static void check_stray(struct sim *sim)
{
    for (size_t i = 0; i < sim->box->n_actions; i++) /* policies may ask at any time */
        SIM_CHECK(sim, sim->box->actions[i].type == ACTION_QUERY,
                  "answers-count-once: something is asked after a second");
    for (size_t i = 0; i < sim->box->n_records; i++)
        SIM_CHECK(sim,
                  sim->box->records[i].type != RECORD_DECISION &&
                      sim->box->records[i].type != RECORD_UPLINK,
                  "answers-count-once: something is decided after a second");
}

/* Advice that waits for probes is decided again within their time and some more, by their answers
 * or without; the last timer saw to all that was due by then. */
static void check_probing(struct sim *sim)
{
    const struct peer *peer;

    for (uint32_t i = 0; (peer = peers_next(sim->engine, &i));) {
        const struct peer_moves *moves = peer->moves;

        if (!moves || !moves->remembered || moves->remembered_as != VERDICT_PROBING)
            continue;
        SIM_CHECK(sim,
                  deadline_is_on(&moves->remembered_deadline) &&
                      moves->remembered_deadline.at_us <= sim->now_us + PROBING_MOST_US,
                  "probing-ends: %s is not decided again", peer->view.name);
        SIM_CHECK(sim,
                  sim->event.type != EVENT_TIMER || moves->remembered_deadline.at_us > sim->now_us,
                  "probing-ends: %s is not decided in time", peer->view.name);
    }
}

static void check_record(struct sim *sim, const struct record_uplink *record)
{
    SIM_CHECK(sim, record->change < UPLINK_CHANGE_COUNT, "uplink-record: change %u",
              record->change);
    SIM_CHECK(sim, record->uplink && record->interface && record->reason,
              "uplink-record: something is missing");
    SIM_CHECK(sim, hosts_find(record->interface->s) < HOST_INTERFACES, "uplink-record: of %s",
              record->interface->s);
    sim->hosts.changes[record->change]++;
}

void check_uplinks(struct sim *sim)
{
    if (!sim->hosts.on) {
        for (size_t i = 0; i < sim->box->n_records; i++)
            SIM_CHECK(sim, sim->box->records[i].type != RECORD_UPLINK,
                      "uplink-record: without uplinks");
        return;
    }
    SIM_CHECK(sim, sim->box->n_actions <= TURN_MOST && sim->box->n_records <= 2 * TURN_MOST,
              "turns-are-short: %zu actions, %zu records", sim->box->n_actions,
              sim->box->n_records);
    for (size_t i = 0; i < sim->box->n_records; i++)
        if (sim->box->records[i].type == RECORD_UPLINK)
            check_record(sim, &sim->box->records[i].uplink);
    if (sim->event.type == EVENT_PROBED && sim->hosts.stray)
        check_stray(sim);
    if (sim->event.type == EVENT_COMMAND)
        check_hold(sim);
    check_probing(sim);
    check_table(sim);
}
