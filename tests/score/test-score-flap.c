/* SPDX-License-Identifier: Apache-2.0 */
/* A primary uplink that comes and goes, for an hour: pathdog leaves it, and comes back only where
 * it is proven, each time later. */
#include "class.h"
#include "policies.h"

#include "util/util.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define HOUR  (3600 * SECOND)
#define BEGIN (20 * SECOND)
/* Not in step with pathdog's rounds of 5 s, which could miss it for ever. The connection that the
 * peer dialled may stay: it is never silent for long enough to be closed. */
#define SHORT     (5300 * MS)
#define MOVES_MAX 12u /* of one connection in that hour */

static const char sections[] = "[watchdog]\n"
                               "node = /run/node/pathdog.sock\n"
                               "[uplink:up0]\n"
                               "[uplink:up1]\n"
                               "class = spare\n"
                               "[trigger:route]\n"
                               "[trigger:srtt]\n"
                               "[trigger:stall]\n"
                               "[trigger:congestion]\n"
                               "[trigger:send-errors]\n";

/* How it goes: silently, or as the kernel sees it. */
typedef void (*away_fn)(struct condition *at);

static void silent(struct condition *at)
{
    at->out.dead = at->in.dead = true;
}

static void receives_nothing(struct condition *at)
{
    at->in.dead = true;
}

static void unplugged(struct condition *at)
{
    at->carrier = at->address = at->route = false;
}

/* What an hour costs in which the first uplink is away for every other `spell_us`. */
static struct score flap(uint64_t seed, uint64_t spell_us, away_fn away, const char *config)
{
    struct world *world = memory_new(1, sizeof(*world));
    struct choice random = choice_seeded(seed);
    struct condition *end, *at;
    struct score score;

    class_host(world, &random, 2, LOAD_BUSY);
    world->end_us = HOUR;
    world->score.fault_us = BEGIN;
    for (uint64_t from_us = BEGIN; from_us < HOUR; from_us += 2 * spell_us)
        for (at = network_spell(&world->network.uplinks[0], from_us, from_us + spell_us, &end);
             at < end; at++)
            away(at);
    world->policy = &policy_pathdog;
    world->config = config;
    world_run(world);
    score = world->score;
    world_done(world);
    free(world);
    return score;
}

static void check(uint64_t spell_us, away_fn away, const char *config, double outage_s)
{
    for (uint64_t seed = 1; seed <= 4; seed++) {
        struct score score = flap(seed, spell_us, away, config);

        for (unsigned i = 0; i < PEERS; i++)
            if (score.asked[i] > MOVES_MAX)
                fail_msg("seed %u: connection %u was moved %u times in an hour", (unsigned)seed, i,
                         (unsigned)score.asked[i]);
        if (score.outage_s > outage_s)
            fail_msg("seed %u: an outage of %.1f s", (unsigned)seed, score.outage_s);
    }
}

static void test_long_spells(void **state)
{
    (void)state;
    check(30 * SECOND, silent, sections, 60);
}

static void test_short_spells(void **state)
{
    (void)state;
    check(SHORT, silent, sections, 660);
}

static void test_one_way(void **state)
{
    (void)state;
    check(30 * SECOND, receives_nothing, sections, 60);
}

static void test_carrier(void **state)
{
    (void)state;
    check(30 * SECOND, unplugged, sections, 60);
    check(SHORT, unplugged, sections, 60);
}

/* Learned uplinks: nobody configured anything. */
static void test_learned(void **state)
{
    (void)state;
    check(30 * SECOND, silent, NULL, 60);
    check(SHORT, silent, NULL, 660);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_long_spells), cmocka_unit_test(test_short_spells),
        cmocka_unit_test(test_one_way),     cmocka_unit_test(test_carrier),
        cmocka_unit_test(test_learned),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
