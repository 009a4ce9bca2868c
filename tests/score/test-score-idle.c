/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Gaps of 1 to 15 s that heal by themselves, on connections that only keep themselves alive:
 * pathdog closes none, and moves each at most once. Who was moved to another uplink comes back when
 * its own is proven to work again.
 *
 *   test-score-idle [GAPS]   so many: one gap of an uplink is one for each of its six connections
 */
#include "class.h"
#include "policies.h"

#include "util/util.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define GAPS  10000u
#define BEGIN (20 * SECOND)
/* A return needs good probes for at least 15 s: what is moved before is moved because of the gap.
 */
#define UNPROVEN (14 * SECOND)
#define AFTER    (75 * SECOND)

enum where {
    FIRST_OF_TWO,
    FIRST_OF_THREE,
    BOTH,
    THE_ONLY_ONE,
    WHERES,
};

static const unsigned n_uplinks[] = {
    [FIRST_OF_TWO] = 2, [FIRST_OF_THREE] = 3, [BOTH] = 2, [THE_ONLY_ONE] = 1};

struct totals {
    uint64_t gaps, closes, timeouts, moved, returned;
    uint64_t most, most_after; /* moves of one connection: because of the gap, and in all */
};

static void note(struct world *world, void *object, uint64_t argument)
{
    struct score *then = object;

    (void)argument;
    *then = world->score;
}

/* In both directions, or in one. */
static void silence(struct world *world, enum where where, uint64_t ways, uint64_t from_us,
                    uint64_t to_us)
{
    struct condition *end, *at;

    for (unsigned i = 0; i < (where == BOTH ? 2u : 1u); i++)
        for (at = network_spell(&world->network.uplinks[i], from_us, to_us, &end); at < end; at++) {
            at->out.dead = ways != 1;
            at->in.dead = ways != 2;
        }
}

/* Nobody says anything but keep-alives. */
static void host(struct world *world, struct choice *random, enum where where)
{
    class_host(world, random, n_uplinks[where], LOAD_IDLE);
    for (unsigned i = 0; i < PEERS; i++)
        for (unsigned k = OUT; k <= IN; k++)
            world->peers[i].traffic[k].interval_us = 1000000 * SECOND;
}

/* The score, and in `ret_then` that of when the gap had healed for so long. */
static struct score gap(uint64_t seed, struct score *ret_then)
{
    struct world *world = memory_new(1, sizeof(*world));
    struct choice random = choice_seeded(seed);
    enum where where = (enum where)(seed % WHERES);
    uint64_t from_us, to_us;
    struct score score;

    host(world, &random, where);
    from_us = class_between(&random, BEGIN, BEGIN + 30 * SECOND);
    to_us = from_us + class_between(&random, SECOND, 15 * SECOND);
    silence(world, where, choose(&random, 3), from_us, to_us);
    world->node = (enum node_kind)(seed / WHERES % 3);
    world->score.fault_us = from_us;
    world->end_us = to_us + AFTER;
    world->policy = &policy_pathdog;
    world_at(world, to_us + UNPROVEN, note, ret_then, 0);
    world_run(world);
    score = world->score;
    world_done(world);
    free(world);
    return score;
}

static void add(struct totals *totals, const struct score *then, const struct score *score)
{
    totals->gaps += PEERS;
    totals->closes += score->closes;
    totals->timeouts += score->timeouts;
    for (unsigned i = 0; i < PEERS; i++) {
        totals->moved += score->asked[i] > 0;
        totals->returned += then->asked[i] > 0 && score->asked[i] > then->asked[i];
        totals->most = max_u64(totals->most, then->asked[i]);
        totals->most_after = max_u64(totals->most_after, score->asked[i]);
    }
}

static uint64_t wanted = GAPS;

static void test_idle_gaps(void **state)
{
    struct totals totals = {0};
    struct score then, score;

    (void)state;
    for (uint64_t seed = 1; totals.gaps < wanted; seed++) {
        score = gap(seed, &then);
        add(&totals, &then, &score);
        if (score.closes || score.timeouts)
            print_message("seed %" PRIu64 ": %" PRIu64 " closed, %" PRIu64 " timed out\n", seed,
                          score.closes, score.timeouts);
    }
    print_message("%" PRIu64 " gaps: %" PRIu64 " closed, %" PRIu64 " timed out, %" PRIu64
                  " moved, at most %" PRIu64 " times; %" PRIu64 " of them came back\n",
                  totals.gaps, totals.closes, totals.timeouts, totals.moved, totals.most,
                  totals.returned);
    assert_int_equal(totals.closes, 0);
    assert_int_equal(totals.timeouts, 0);
    assert_in_range(totals.most, 0, 1);
    assert_in_range(totals.most_after, 0, 2);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_idle_gaps)};

    if (argc > 1)
        wanted = strtoull(argv[1], NULL, 10);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
