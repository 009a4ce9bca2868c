/* SPDX-License-Identifier: Apache-2.0 */
/* The newer word wins: what must hold of requests that are taken back. */
#include <inttypes.h>

#include "sim.h"

/* The node is told that a request is taken back. */
static void check_cancel(struct sim *sim, uint64_t number)
{
    struct sim_request *request = request_of(sim, number);

    SIM_CHECK(sim, sim->features & NODE_MAKE_BEFORE_BREAK, "cancel without make_before_break");
    SIM_CHECK(sim, request->open && !request->cancelled, "cancel of request %" PRIu64, number);
    request->cancelled = true;
}

/* From here on the node may be asked again about that connection. It has closed nothing. */
void check_cancelled(struct sim *sim, const struct record_outcome *record)
{
    struct sim_request *request = request_of(sim, record->request);
    uint64_t number = record->request;

    SIM_CHECK(sim, request->cancelled == !!(sim->features & NODE_MAKE_BEFORE_BREAK),
              "request %" PRIu64 " is taken back, and the node is%s told", number,
              request->cancelled ? "" : " not");
    SIM_CHECK(sim, request->peer->request == number, "request %" PRIu64 " is of another", number);
    SIM_CHECK(sim, request->by == BY_MIGRATE || request->keep_old,
              "request %" PRIu64 " closed its connection, and is taken back", number);
    SIM_CHECK(sim, !request->by_operator, "request %" PRIu64 " is an operator's", number);
    request->cancelled = true;
    if (request->by == BY_RECONNECT) /* the gap is none between attempts */
        request->peer->reconnect_us = record->attempt > 1 ? 0 : request->reconnect_before_us;
    request->peer->taken_back = true;
    sim->taken_back++;
}

void check_cancels(struct sim *sim)
{
    for (size_t i = 0; i < sim->box->n_actions; i++)
        if (sim->box->actions[i].type == ACTION_CANCEL)
            check_cancel(sim, sim->box->actions[i].cancel.request);
}

/* What is taken back makes room for newer advice: `moved`, or `dead` that names a relay. */
void check_newer(struct sim *sim, const struct record_decision *record)
{
    struct sim_peer *peer = model_find(sim, record->subject.conn);

    if (!peer || !peer->taken_back ||
        (record->kind != PD_KIND_MOVED && record->kind != PD_KIND_DEAD))
        return;
    peer->taken_back = false;
    sim->taken_back--;
}

void check_taken_back(struct sim *sim)
{
    SIM_CHECK(sim, !sim->taken_back, "%u requests are taken back, and nothing takes their place",
              sim->taken_back);
}
