/* SPDX-License-Identifier: Apache-2.0 */
/*
 * simulator [--seed N] [--steps N] [--runs N] [--trace]: the same seed gives the
 * same run; each run is made twice and must say the same. Without a seed one is
 * made up, and printed.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sim.h"

struct arguments {
    uint64_t seed, steps, runs;
    bool trace;
};

static bool parse(int argc, char **argv, struct arguments *ret)
{
    static const struct option options[] = {
        {"seed", required_argument, NULL, 's'},
        {"steps", required_argument, NULL, 'n'},
        {"runs", required_argument, NULL, 'r'},
        {"trace", no_argument, NULL, 't'},
        {0},
    };
    struct timespec now;
    int option;

    clock_gettime(CLOCK_REALTIME, &now);
    *ret = (struct arguments){
        .seed = (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000 + (uint64_t)getpid(),
        .steps = 100000,
        .runs = 1,
    };
    while ((option = getopt_long(argc, argv, "", options, NULL)) >= 0) {
        if (option == 's')
            ret->seed = strtoull(optarg, NULL, 0);
        else if (option == 'n')
            ret->steps = strtoull(optarg, NULL, 0);
        else if (option == 'r')
            ret->runs = strtoull(optarg, NULL, 0);
        else if (option == 't')
            ret->trace = true;
        else
            return false;
    }
    return optind == argc;
}

static uint64_t run(struct sim *sim, uint64_t seed, uint64_t steps, bool trace)
{
    sim_init(sim, choice_seeded(seed));
    sim->trace = trace;
    while (sim->step < steps)
        sim_step(sim);
    sim_finish(sim);
    return sim->digest;
}

static void print_uplinks(const struct hosts *hosts)
{
    printf("  uplinks: %" PRIu64 " probes, %" PRIu64 " answered, %" PRIu64 " returns; chosen for",
           hosts->asked, hosts->answered, hosts->returned);
    for (size_t i = 0; i < PD_KIND_COUNT; i++)
        printf(" %s %" PRIu64, kind_name((enum pd_kind)i), hosts->chosen[i]);
    printf(";");
    for (size_t i = 0; i < UPLINK_CHANGE_COUNT; i++)
        printf(" %s %" PRIu64, uplink_change_name((enum uplink_change)i), hosts->changes[i]);
    printf("\n");
}

static void print_counts(const struct sim *sim)
{
    printf("  digest %016" PRIx64 ", %" PRIu64 " decisions (%" PRIu64
           " counted as repeats, %" PRIu64 " of the fallback, %" PRIu64
           " of the given up), %zu requests in the last of %" PRIu64 " restarts\n ",
           sim->digest, sim->last_decision, sim->repeats, sim->fallbacks, sim->given_ups,
           sim->n_requests, sim->restarts);
    for (size_t i = 0; i < VERDICT_COUNT; i++)
        printf(" %s %" PRIu64, verdict_name((enum verdict)i), sim->verdicts[i]);
    printf("\n ");
    for (size_t i = 0; i < OUTCOME_COUNT; i++)
        printf(" %s %" PRIu64, outcome_name((enum outcome)i), sim->outcomes[i]);
    printf("\n ");
    for (size_t i = 0; i < EFFECT_COUNT; i++)
        printf(" %s %" PRIu64, effect_name((enum effect)i), sim->effects[i]);
    printf("\n");
    printf("  slow together: %" PRIu64 " times one goes first, %" PRIu64
           " times there is no other uplink\n",
           sim->scouts, sim->nowhere);
    if (sim->hosts.on)
        print_uplinks(&sim->hosts);
}

int main(int argc, char **argv)
{
    struct arguments arguments;
    struct sim *sim = malloc(sizeof(*sim));
    uint64_t digest;

    if (!sim || !parse(argc, argv, &arguments)) {
        fprintf(stderr, "usage: simulator [--seed N] [--steps N] [--runs N] [--trace]\n");
        free(sim);
        return 2;
    }
    for (uint64_t i = 0; i < arguments.runs; i++) {
        uint64_t seed = arguments.seed + i;

        printf("seed %" PRIu64 " steps %" PRIu64 "\n", seed, arguments.steps);
        fflush(stdout);
        digest = run(sim, seed, arguments.steps, arguments.trace);
        print_counts(sim);
        if (digest != run(sim, seed, arguments.steps, false)) {
            fprintf(stderr, "simulator: seed %" PRIu64 " gave something else the second time\n",
                    seed);
            free(sim);
            return 1;
        }
    }
    free(sim);
    return 0;
}
