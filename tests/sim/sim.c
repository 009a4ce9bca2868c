/* SPDX-License-Identifier: Apache-2.0 */
/* One run: an engine with some config, steps, the stop. */
#include "sim.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "util/glob.h"
#include "util/util.h"

#define TIMERS_MAX    4    /* in a row, at one time */
#define RESTART_EVERY 2000 /* steps, on average */

static uint64_t pick(struct sim *sim, uint64_t n)
{
    return choose(&sim->choice, n);
}

static void configure(struct sim *sim, struct sim_setup *setup)
{
    struct engine_config *config = &setup->config;
    bool usual = pick(sim, 3) == 0;

    config->mode = usual || pick(sim, 8) ? MODE_ACTIVE : MODE_OBSERVE;
    config->prefer = usual ? PREFER_NODE : (enum prefer)pick(sim, 3);
    config->fallback = usual || pick(sim, 4) ? FALLBACK_RECONNECT : FALLBACK_OFF;
    config->sample_interval_us = usual ? 5000000 : 100000 + pick(sim, 5000000);
    config->close_interval_us = usual ? 500000 : 20000 + pick(sim, 1000000);
    config->close_max = usual ? 1024 : 1 + (uint32_t)pick(sim, 30);
    config->migrate_timeout_us = usual ? 5000000 : 100000 + pick(sim, 5000000);
    config->timeout_max_us = usual ? 30000000 : 5200000 + pick(sim, 10000000);
    config->retries = usual ? 2 : (uint32_t)pick(sim, 4);
    config->max_in_flight = usual ? 0 : (uint32_t)pick(sim, 12);
    config->merge_window_us = usual ? 2000000 : pick(sim, 3000000);
    config->max_peers = pick(sim, 3) ? 262144 : 10 + (uint32_t)pick(sim, SIM_NAMES);
    config->cooldown_us = usual ? 30000000 : 1 + pick(sim, 20000000);
    config->cooldown_max_us = 900000000;
    config->backoff_min_us = usual ? 5000000 : 1 + pick(sim, 5000000);
    config->backoff_max_us = 300000000;
    config->move_burst = usual ? 5 : 1 + (uint32_t)pick(sim, 8);
    config->move_refill_us = usual ? 10000000 : 1 + pick(sim, 10000000);
    config->reconnect_gap_us = usual ? 10000000 : 1 + pick(sim, 12000000);
    config->effect_window_us = usual ? 10000000 : 1 + pick(sim, 12000000);
    config->fallback_after_us = usual ? 3000000 : 100000 + pick(sim, 4000000);
    config->fallback_blind_us = usual ? 20000000 : 100000 + pick(sim, 40000000);
    config->decisions_kept = (uint32_t)pick(sim, 100);
    config->choose = true;
    config->shared_peers = pick(sim, 3) ? 2 + (uint32_t)pick(sim, 8) : 0;
    config->shared_fraction = usual ? 800 : 500 + (uint32_t)pick(sim, 501);
    hosts_configure(sim, setup);
    config->instances = setup->instances;
}

/* All or, after a reload, some of them, in any order. */
static void add_instances(struct sim *sim, struct sim_setup *setup, bool all)
{
    const struct globs *some = sim->some;
    const struct instance_config instances[SIM_INSTANCES] = {
        {.trigger = &pathdog_trigger_poke, .name = "poke"},
        {.trigger = &pathdog_trigger_poke, .name = "poke:some", .match = some},
        {.trigger = &pathdog_trigger_prod, .name = "prod"},
        {.trigger = &pathdog_trigger_prod, .name = "prod:some", .match = some},
    };
    uint32_t first = all ? 0 : (uint32_t)pick(sim, SIM_INSTANCES);
    size_t count = 0;

    for (uint32_t i = 0; i < SIM_INSTANCES; i++) {
        uint32_t owner = (first + i) % SIM_INSTANCES;

        if (!all && pick(sim, 4) == 0)
            continue;
        setup->instances[count] = instances[owner];
        setup->instances[count].values = &sim->values[owner];
        if (!all && pick(sim, 4) == 0)
            setup->instances[count].match = some;
        setup->owners[count++] = owner;
    }
    setup->config.n_instances = count;
}

void sim_configure(struct sim *sim)
{
    struct sim_setup *next = &sim->setups[!sim->setup];

    configure(sim, next);
    add_instances(sim, next, false);
    if (pick(sim, 2)) { /* else every instance is started again */
        next->config.sample_interval_us = sim->config.sample_interval_us;
        next->config.close_interval_us = sim->config.close_interval_us;
    }
    sim->least_gap_us = min_u64(sim->least_gap_us, next->config.reconnect_gap_us);
    sim->least_fallback_us = min_u64(sim->least_fallback_us, next->config.fallback_after_us);
    sim->most_timeout_us = max_u64(sim->most_timeout_us, next->config.timeout_max_us);
    SIM_CHECK(sim, engine_configure(sim->engine, &next->config) == 0, "a config is refused");
}

void sim_configured(struct sim *sim)
{
    sim->setup = !sim->setup;
    if (sim->config.mode != sim->setups[sim->setup].config.mode)
        sim->observing = sim->setups[sim->setup].config.mode == MODE_OBSERVE;
    sim->config = sim->setups[sim->setup].config;
}

void sim_init(struct sim *sim, struct choice choice)
{
    *sim = (struct sim){.choice = choice, .now_us = 1000000, .digest = 0xcbf29ce484222325u};
    sim->some = globs_new("*1 *2");
    for (size_t i = 0; i < SIM_NAMES; i++) {
        snprintf(sim->peers[i].name, sizeof(sim->peers[i].name), "peer%zu", i);
        sim->peers[i].received = PD_UNKNOWN;
    }
    for (size_t i = 0; i < SIM_INSTANCES; i++)
        sim->values[i] = poke_value(&sim->pokes[i]);
    given_up_init(sim);
    hosts_init(sim);
    sim->failing = pick(sim, 5) == 0;
    sim->rubbish = pick(sim, 4) == 0;
    configure(sim, &sim->setups[0]);
    add_instances(sim, &sim->setups[0], true);
    sim->config = sim->setups[0].config;
    sim->observing = sim->config.mode == MODE_OBSERVE;
    sim->least_gap_us = sim->config.reconnect_gap_us;
    sim->least_fallback_us = sim->config.fallback_after_us;
    sim->most_timeout_us = sim->config.timeout_max_us;
    if (engine_new(&sim->setups[0].config, sim->now_us, sim->now_us, &sim->engine) < 0)
        sim_fail(sim, "no engine");
    sim->box = engine_outbox(sim->engine);
    check_outbox(sim);
}

static void note_causes(struct sim *sim)
{
    for (size_t i = 0; i < SIM_INSTANCES; i++) {
        if (sim->pokes[i].last_cause)
            sim->causes[pick(sim, SIM_CAUSES)] = sim->pokes[i].last_cause;
        sim->pokes[i].last_cause = 0;
    }
}

void sim_handle(struct sim *sim)
{
    uint64_t due_us = sim->box->wake_at_us;
    bool done = sim->event.type == EVENT_SUMMARY_DONE && sim->event.summary_done.poll == sim->poll;

    sim->turn++;
    sim->open_before = sim->open;
    sim->late_us = sub_u64(sim->now_us, due_us);
    sim->event.now_us = sim->now_us;
    sim->event.realtime_us = sim->now_us + UINT64_C(1700000000000000);
    digest_event(sim);
    model_event(sim);
    if (done || !sim->up || sim->event.type == EVENT_NODE_UP)
        sim->looking = false;
    sim->box = engine_handle(sim->engine, &sim->event);
    digest_outbox(sim);
    if (sim->event.type == EVENT_COMMAND && sim->event.command.type == COMMAND_CONFIG)
        given_up_unsure(sim); /* with what instances said as they were stopped */
    check_outbox(sim);
    note_causes(sim);
}

void sim_step(struct sim *sim)
{
    unsigned timers = 0;

    sim->step++;
    if (pick(sim, RESTART_EVERY) == 0)
        sim_restart(sim);
    world_next(sim);
    sim_handle(sim);
    while (sim->event.type == EVENT_TIMER && sim->box->wake_at_us <= sim->now_us) {
        SIM_CHECK(sim, ++timers <= TIMERS_MAX, "the timer is wanted again and again");
        sim_handle(sim);
    }
}

void sim_finish(struct sim *sim)
{
    sim->event = (struct event){.type = EVENT_COMMAND, .command.type = COMMAND_STOP};
    sim_handle(sim);
    check_stopped(sim);
    sim->event = (struct event){.type = EVENT_TIMER};
    sim_handle(sim); /* it is over: nothing happens any more */
    SIM_CHECK(sim, !sim->box->n_records, "records after the stop");
    sim->engine = engine_free(sim->engine);
    for (size_t i = 0; i < SIM_INSTANCES; i++)
        SIM_CHECK(sim, sim->pokes[i].stops <= sim->pokes[i].called[POKE_IN_START],
                  "a trigger was stopped twice");
    globs_free(sim->some);
    hosts_clear(sim);
    free(sim->requests);
    free(sim->decisions);
}

void sim_fail(const struct sim *sim, const char *format, ...)
{
    va_list arguments;

    fflush(stdout);
    fprintf(stderr, "simulator: step %" PRIu64 ", at %" PRIu64 " us: ", sim->step, sim->now_us);
    va_start(arguments, format);
    vfprintf(stderr, format, arguments);
    va_end(arguments);
    fprintf(stderr, "\n");
    abort();
}
