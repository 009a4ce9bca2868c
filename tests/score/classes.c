/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The synthetic classes: each a spell in which something is different, mostly on the preferred
 * uplink. One choice per statement: a seed means the same to every compiler.
 */
#include "class.h"

#include "util/util.h"

#define WARM_UP_US (20 * SECOND)
#define TRACE_US   (120 * SECOND)

/* `at` are the entries of a spell; `random` for what differs from seed to seed. */
typedef void (*alter_fn)(struct condition *at, uint64_t value);

static void spell(struct world *world, unsigned uplink, uint64_t from_us, uint64_t to_us,
                  alter_fn alter, uint64_t value)
{
    struct condition *end, *at;

    if (uplink >= world->network.n_uplinks || from_us >= to_us)
        return;
    for (at = network_spell(&world->network.uplinks[uplink], from_us, to_us, &end); at < end; at++)
        alter(at, value);
}

/* ---- what may be altered ---- */

static void alter_down(struct condition *at, uint64_t value)
{
    (void)value;
    at->carrier = at->address = at->route = false;
}

static void alter_dead(struct condition *at, uint64_t value)
{
    (void)value;
    at->out.dead = at->in.dead = true;
}

static void alter_dead_out(struct condition *at, uint64_t value)
{
    (void)value;
    at->out.dead = true;
}

static void alter_dead_in(struct condition *at, uint64_t value)
{
    (void)value;
    at->in.dead = true;
}

static void alter_mtu(struct condition *at, uint64_t value)
{
    at->out.mtu = at->in.mtu = (uint32_t)value;
}

static void alter_mtu_out(struct condition *at, uint64_t value)
{
    at->out.mtu = (uint32_t)value;
}

static void alter_metric(struct condition *at, uint64_t value)
{
    at->metric = (uint32_t)value;
}

static void alter_loss(struct condition *at, uint64_t value)
{
    at->out.loss = at->in.loss = (uint32_t)value;
}

static void alter_slow(struct condition *at, uint64_t value)
{
    at->out.delay_us += value / 2;
    at->in.delay_us += value / 2;
}

static void alter_ports(struct condition *at, uint64_t value)
{
    at->ports_from = (uint32_t)value;
}

static void alter_rate(struct condition *at, uint64_t value)
{
    at->out.rate = at->in.rate = value;
    at->out.queue = at->in.queue = 3 * value / 2; /* a second and a half */
}

/* ---- the makers ---- */

static uint64_t seconds(struct choice *random, uint64_t least, uint64_t most)
{
    return class_between(random, least * SECOND, most * SECOND);
}

/* When it begins. */
static uint64_t fault(struct world *world, struct choice *random)
{
    world->score.fault_us = seconds(random, WARM_UP_US / SECOND, WARM_UP_US / SECOND + 10);
    return world->score.fault_us;
}

static void host(struct world *world, struct choice *random, enum load load)
{
    unsigned n_uplinks = 2 + (unsigned)choose(random, 2);

    class_host(world, random, n_uplinks, load);
    world->end_us = TRACE_US;
}

/* The preferred uplink for 40 to 60 s; of eight hosts, one has the same on its second. */
static bool long_spell(struct world *world, const struct class_input *input, enum load load,
                       alter_fn alter, uint64_t value)
{
    struct choice *random = input->random;
    uint64_t from_us, to_us;

    host(world, random, load);
    from_us = fault(world, random);
    to_us = from_us + seconds(random, 40, 60);
    spell(world, 0, from_us, to_us, alter, value);
    if (input->seed % 8 == 0)
        spell(world, 1, from_us, to_us, alter, value);
    return true;
}

/* `count` gaps, each of a length in the range, with as much as `pause` between. */
static bool gaps(struct world *world, struct choice *random, enum load load, alter_fn alter,
                 unsigned count, uint64_t least_us, uint64_t most_us)
{
    uint64_t at_us;

    host(world, random, load);
    at_us = fault(world, random);
    for (unsigned i = 0; i < count; i++) {
        uint64_t to_us = at_us + class_between(random, least_us, most_us);

        spell(world, 0, at_us, to_us, alter, 0);
        at_us = to_us + seconds(random, 8, 16);
    }
    return true;
}

static bool make_failover(struct world *world, const struct class_input *input)
{
    return long_spell(world, input, LOAD_BUSY, alter_down, 0);
}

static bool make_route_flap(struct world *world, const struct class_input *input)
{
    uint64_t at_us;

    host(world, input->random, LOAD_BUSY);
    at_us = fault(world, input->random);
    for (unsigned i = 0; i < 5; i++) {
        uint64_t to_us = at_us + seconds(input->random, 3, 8);

        spell(world, 0, at_us, to_us, alter_metric, 1000);
        at_us = to_us + seconds(input->random, 3, 8);
    }
    return true;
}

static bool make_flap_loss(struct world *world, const struct class_input *input)
{
    uint64_t at_us;

    host(world, input->random, LOAD_BUSY);
    at_us = fault(world, input->random);
    for (unsigned i = 0; i < 4; i++) {
        uint64_t to_us = at_us + seconds(input->random, 4, 10);

        spell(world, 0, at_us, to_us, alter_down, 0);
        at_us = to_us + seconds(input->random, 4, 10);
    }
    return true;
}

static bool make_hole_load(struct world *world, const struct class_input *input)
{
    return long_spell(world, input, LOAD_BUSY, alter_dead, 0);
}

static bool make_hole_idle(struct world *world, const struct class_input *input)
{
    return long_spell(world, input, LOAD_IDLE, alter_dead, 0);
}

static bool make_one_way_up(struct world *world, const struct class_input *input)
{
    return long_spell(world, input, LOAD_BUSY, alter_dead_out, 0);
}

static bool make_one_way_down(struct world *world, const struct class_input *input)
{
    return long_spell(world, input, LOAD_BUSY, alter_dead_in, 0);
}

static bool make_mtu(struct world *world, const struct class_input *input)
{
    bool out_only = input->seed % 2;

    return long_spell(world, input, LOAD_THICK, out_only ? alter_mtu_out : alter_mtu, 1300);
}

static bool make_handover_short(struct world *world, const struct class_input *input)
{
    return gaps(world, input->random, LOAD_BUSY, alter_dead, 4, 300 * MS, 1500 * MS);
}

static bool make_handover_long(struct world *world, const struct class_input *input)
{
    return gaps(world, input->random, LOAD_BUSY, alter_dead, 3, 3 * SECOND, 15 * SECOND);
}

static bool make_keep_alive_4(struct world *world, const struct class_input *input)
{
    return gaps(world, input->random, LOAD_IDLE, alter_dead, 3, 4 * SECOND, 4 * SECOND);
}

static bool make_keep_alive_8(struct world *world, const struct class_input *input)
{
    return gaps(world, input->random, LOAD_IDLE, alter_dead, 3, 8 * SECOND, 8 * SECOND);
}

static bool make_keep_alive_14(struct world *world, const struct class_input *input)
{
    return gaps(world, input->random, LOAD_IDLE, alter_dead, 2, 14 * SECOND, 14 * SECOND);
}

static bool make_bufferbloat(struct world *world, const struct class_input *input)
{
    struct choice *random = input->random;
    enum direction direction;
    uint64_t from_us, rate;

    host(world, random, LOAD_BUSY);
    from_us = fault(world, random);
    rate = class_between(random, 125000, 500000); /* 1 to 4 Mbit/s */
    for (unsigned i = 0; i < world->network.n_uplinks; i++)
        spell(world, i, 0, NEVER, alter_rate, rate);
    direction = choose(random, 2) ? OUT : IN;
    world->peers[0].traffic[direction].bulk_from_us = from_us;
    world->peers[0].traffic[direction].bulk_until_us = from_us + seconds(random, 30, 50);
    return true;
}

static void far_delay(struct world *world, unsigned peer, uint64_t from_us, uint64_t more_us,
                      uint32_t loss)
{
    struct far *end, *at;

    for (at = network_far_spell(&world->network.peers[peer], from_us, NEVER, &end); at < end;
         at++) {
        at->delay_us += more_us;
        at->loss += loss;
    }
}

static bool make_far_peer(struct world *world, const struct class_input *input)
{
    host(world, input->random, LOAD_BUSY);
    far_delay(world, 0, 0, class_between(input->random, 110 * MS, 200 * MS), 0);
    return true;
}

static bool make_outlier(struct world *world, const struct class_input *input)
{
    struct choice *random = input->random;
    unsigned peer;
    uint64_t from_us, more_us;

    host(world, random, LOAD_BUSY);
    peer = (unsigned)choose(random, PEERS);
    from_us = fault(world, random);
    more_us = class_between(random, 100 * MS, 200 * MS);
    far_delay(world, peer, from_us, more_us, 20000);
    return true;
}

static bool make_peer_away(struct world *world, const struct class_input *input)
{
    struct choice *random = input->random;
    unsigned peer;
    uint64_t from_us, to_us;
    struct far *end, *at;

    host(world, random, LOAD_BUSY);
    peer = (unsigned)choose(random, PEERS);
    from_us = fault(world, random);
    to_us = from_us + seconds(random, 15, 50);
    at = network_far_spell(&world->network.peers[peer], from_us, to_us, &end);
    for (; at < end; at++)
        at->away = true;
    return true;
}

static bool make_cgnat(struct world *world, const struct class_input *input)
{
    bool idle = choose(input->random, 2);
    uint64_t from_us;

    host(world, input->random, idle ? LOAD_IDLE : LOAD_BUSY);
    from_us = fault(world, input->random);
    spell(world, 0, from_us, NEVER, alter_ports, from_us / MS);
    return true;
}

/* Short or long; half of the hosts wake up without their first uplink. */
static bool make_sleep(struct world *world, const struct class_input *input)
{
    struct choice *random = input->random;
    bool is_long;

    host(world, random, LOAD_BUSY);
    world->sleep_us = fault(world, random);
    is_long = choose(random, 2);
    world->wake_us =
        world->sleep_us + (is_long ? seconds(random, 60, 600) : seconds(random, 5, 25));
    world->score.fault_us = world->wake_us;
    world->end_us += world->wake_us - world->sleep_us;
    if (choose(random, 2))
        spell(world, 0, world->sleep_us + SECOND, world->wake_us + seconds(random, 20, 40),
              alter_down, 0);
    return true;
}

static bool make_loss(struct world *world, const struct class_input *input)
{
    return long_spell(world, input, LOAD_BUSY, alter_loss, 100000);
}

static bool make_slow(struct world *world, const struct class_input *input)
{
    struct choice *random = input->random;
    uint64_t from_us;

    host(world, random, LOAD_BUSY);
    from_us = fault(world, random);
    spell(world, 0, from_us, from_us + 30 * SECOND, alter_slow,
          class_between(random, 300 * MS, 600 * MS));
    return true;
}

static bool make_distance(struct world *world, const struct class_input *input)
{
    struct choice *random = input->random;
    uint64_t from_us, more_us;

    host(world, random, LOAD_BUSY);
    from_us = fault(world, random);
    more_us = class_between(random, 90 * MS, 160 * MS);
    for (unsigned i = 0; i < PEERS; i++)
        far_delay(world, i, from_us, more_us, 0);
    return true;
}

const struct class classes[] = {
    {"failover", "the first uplink loses carrier and routes: leave at once, return", false, 0,
     make_failover},
    {"route-flap", "metrics flip, both uplinks live: follow where the source is filtered", false, 0,
     make_route_flap},
    {"flap-loss", "the first uplink goes down and up each few seconds: leave, return late", false,
     0, make_flap_loss},
    {"hole-load", "up and silent, under load: leave at once, return", false, 0, make_hole_load},
    {"hole-idle", "the same of idle connections: be gone before there is data", false, 0,
     make_hole_idle},
    {"one-way-up", "ours are lost, theirs arrive: leave", false, 0, make_one_way_up},
    {"one-way-down", "ours arrive, theirs are lost: leave", false, 0, make_one_way_down},
    {"mtu-hole", "full packets vanish, small ones pass: leave", false, 0, make_mtu},
    {"handover-short", "gaps of 0.3 to 1.5 s heal by themselves: leave for the longer ones", false,
     0, make_handover_short},
    {"handover-long", "gaps of 3 to 15 s heal by themselves: leave, never close", false, 0,
     make_handover_long},
    {"keep-alive-4", "4 s of silence on idle connections: nothing", false, 0, make_keep_alive_4},
    {"keep-alive-8", "8 s: nothing", false, 0, make_keep_alive_8},
    {"keep-alive-14", "14 s: nothing, or leave; never close", false, 0, make_keep_alive_14},
    {"bufferbloat", "a bulk transfer fills the queue: another uplink would be the same", false, 0,
     make_bufferbloat},
    {"far-peer", "one peer is far away: nothing", false, 0, make_far_peer},
    {"outlier", "one peer gets slow over every uplink: nothing", false, 0, make_outlier},
    {"peer-away", "one peer is gone over every uplink: nothing", false, 0, make_peer_away},
    {"cgnat", "mappings are forgotten, a new port works: a new port", false, 0, make_cgnat},
    {"sleep", "the host sleeps, the peers may have given up: dial again at once", false, 0,
     make_sleep},
    {"loss-10", "10 % loss each way: leave", false, 0, make_loss},
    {"slow-30", "300 to 600 ms more for 30 s: leave", false, 0, make_slow},
    {"distance", "all peers get further away over every uplink: nothing", false, 0, make_distance},
    {0},
};
