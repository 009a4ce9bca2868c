/* SPDX-License-Identifier: Apache-2.0 */
/* A trigger that does what a test tells it to do. */
#define PD_TRIGGER_STATIC
#include "poke.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct instance_state {
    struct poke *poke;
};

struct peer_state {
    uint64_t mark;
};

struct pd_value poke_value(struct poke *poke)
{
    return (struct pd_value){.number = (uint64_t)(uintptr_t)poke, .given = true};
}

struct poke_step *poke_add(struct poke *poke, enum poke_call in, enum poke_do what)
{
    struct poke_step *step;

    if (poke->n_steps[in] == POKE_STEPS)
        poke->n_steps[in]--;
    step = &poke->steps[in][poke->n_steps[in]++];
    *step = (struct poke_step){.what = what};
    return step;
}

static void given_up(struct pd_turn *turn, struct poke *poke, const struct poke_step *step)
{
    const struct pd_peer *peer = turn->host->peer(turn, step->peer);

    if (peer && poke->given_up)
        poke->given_up(poke->user, peer->conn, step->number);
    turn->host->given_up(turn, step->peer, step->number);
}

static void no_route(struct pd_turn *turn, struct poke *poke, const struct poke_step *step)
{
    const struct pd_peer *peer = turn->host->peer(turn, step->peer);

    if (peer && poke->no_route)
        poke->no_route(poke->user, peer->conn, step->number);
    turn->host->no_route(turn, step->peer, step->number);
}

static int do_step(struct pd_turn *turn, struct poke *poke, const struct poke_step *step)
{
    const struct pd_host *host = turn->host;

    switch (step->what) {
    case POKE_ADVISE:
    case POKE_ADVISE_SAME:
        poke->last_result =
            host->advise(turn, step->peer, step->what == POKE_ADVISE ? &step->advice : NULL);
        poke->advised += poke->last_result == 0;
        break;
    case POKE_WITHDRAW:
        host->withdraw(turn, step->peer);
        break;
    case POKE_OPEN_CAUSE:
        poke->last_cause = host->open_cause(turn, step->text);
        break;
    case POKE_CLOSE_CAUSE:
        host->close_cause(turn, step->number);
        break;
    case POKE_POLL:
        host->look(turn, step->peer, step->number);
        break;
    case POKE_TIMER:
        host->set_timer(turn, step->number);
        break;
    case POKE_QUERY:
        host->query(turn, &(struct pd_query){
                              .id = step->number,
                              .fields = &(struct pd_field){.name = "text", .text = step->text},
                              .n_fields = 1,
                          });
        break;
    case POKE_PROBE:
        host->probe(turn, step->peer);
        break;
    case POKE_GIVEN_UP:
        given_up(turn, poke, step);
        break;
    case POKE_NO_ROUTE:
        no_route(turn, poke, step);
        break;
    case POKE_NOTICE:
        host->notice(turn, PD_LEVEL_WARNING, "poke", step->text);
        break;
    case POKE_WAITS:
        poke->waits = host->waits(turn, step->peer);
        break;
    case POKE_FAIL:
        return -EPROTO;
    }
    return 0;
}

/* A step may refer to the cause that a step before it opened: number and cause
 * 0 of a close, and cause UINT64_MAX of advice, mean the last one. */
static int run(struct pd_turn *turn, enum poke_call in)
{
    struct poke *poke = ((struct instance_state *)turn->self)->poke;
    size_t count = poke->n_steps[in];
    int result = 0;

    poke->called[in]++;
    poke->n_steps[in] = 0;
    for (size_t i = 0; i < count; i++) {
        struct poke_step *step = &poke->steps[in][i];

        if (step->what == POKE_CLOSE_CAUSE && !step->number)
            step->number = poke->last_cause;
        if (step->what == POKE_ADVISE && step->advice.cause == UINT64_MAX)
            step->advice.cause = poke->last_cause;
        if (do_step(turn, poke, step) < 0)
            result = -EPROTO;
    }
    return result;
}

static int poke_start(struct pd_turn *turn, const struct pd_start *start)
{
    struct instance_state *state = turn->self;

    state->poke = (struct poke *)(uintptr_t)start->values[0].number;
    return run(turn, POKE_IN_START);
}

static void poke_stop(struct pd_turn *turn)
{
    ((struct instance_state *)turn->self)->poke->stops++;
    (void)run(turn, POKE_IN_STOP);
}

static int poke_node(struct pd_turn *turn, const struct pd_node_event *event)
{
    ((struct instance_state *)turn->self)->poke->node = *event;
    return run(turn, POKE_IN_NODE);
}

static int poke_peer(struct pd_turn *turn, const struct pd_peer_event *event)
{
    struct poke *poke = ((struct instance_state *)turn->self)->poke;
    struct peer_state *state = event->state;

    poke->changes[event->change]++;
    poke->change = event->change;
    poke->change_conn = event->peer->conn;
    snprintf(poke->change_via, sizeof(poke->change_via), "%s", event->via ? event->via : "-");
    poke->change_asked = event->asked;
    if (event->change == PD_PEER_UP)
        poke->state_was_zero = state->mark == 0;
    state->mark = event->peer->conn;
    return run(turn, POKE_IN_PEER);
}

static int poke_relays(struct pd_turn *turn, const struct pd_relays *relays)
{
    struct poke *poke = ((struct instance_state *)turn->self)->poke;

    poke->relays = *relays;
    poke->relays_told++;
    poke->first_key = relays->n_key ? relays->key[0] : 0;
    poke->first_relay[0] = '\0';
    if (relays->n)
        snprintf(poke->first_relay, sizeof(poke->first_relay), "%s %s %s", relays->list[0].name,
                 relays->list[0].address, relays->list[0].speaks);
    return 0;
}

static int poke_sample(struct pd_turn *turn, const struct pd_sample *sample)
{
    ((struct instance_state *)turn->self)->poke->sample = *sample;
    return run(turn, POKE_IN_SAMPLE);
}

static int poke_signal(struct pd_turn *turn, const struct pd_signal *signal)
{
    ((struct instance_state *)turn->self)->poke->signal = *signal;
    return run(turn, POKE_IN_SIGNAL);
}

static int poke_timer(struct pd_turn *turn)
{
    ((struct instance_state *)turn->self)->poke->timer_us = turn->now_us;
    return run(turn, POKE_IN_TIMER);
}

static const struct pd_option options[] = {
    {"poke", PD_OPTION_INTEGER, NULL, 0, 0, "address of the test's struct poke"},
    {0},
};

static int poke_save(const void *self, const struct pd_peer *peer, const void *state, char *text,
                     size_t size)
{
    const struct peer_state *mark = state;

    (void)self;
    return snprintf(text, size, "mark of %s\t%llu", peer->name, (unsigned long long)mark->mark);
}

static int poke_restore(struct pd_turn *turn, const struct pd_peer_event *event, const char *text)
{
    struct poke *poke = ((struct instance_state *)turn->self)->poke;
    char expected[PD_SAVED_MAX];

    poke->restored++;
    (void)poke_save(turn->self, event->peer, event->state, expected, sizeof(expected));
    if (strcmp(text, expected) != 0)
        return -EINVAL;
    poke->restored_conn = event->peer->conn;
    return 0;
}

#define POKE_DESCRIPTOR(label)                                                                     \
    .abi = PD_TRIGGER_ABI, .size = sizeof(struct pd_trigger), .name = label,                       \
    .summary = "does what a test tells it", .options = options,                                    \
    .instance_size = sizeof(struct instance_state), .peer_size = sizeof(struct peer_state),        \
    .start = poke_start, .stop = poke_stop, .node = poke_node, .peer = poke_peer,                  \
    .sample = poke_sample, .signal = poke_signal, .timer = poke_timer, .save = poke_save,          \
    .restore = poke_restore, .relays = poke_relays

PD_TRIGGER(poke) = {POKE_DESCRIPTOR("poke")};
PD_TRIGGER(prod) = {POKE_DESCRIPTOR("prod")};
