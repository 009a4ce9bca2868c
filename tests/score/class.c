/* SPDX-License-Identifier: Apache-2.0 */
/* What all classes have in common. See class.h. */
#include "class.h"

#include "util/hash.h"
#include "util/util.h"

uint64_t class_between(struct choice *random, uint64_t least, uint64_t most)
{
    return least + choose(random, most - least + 1);
}

static void uplinks_begin(struct world *world, struct choice *random)
{
    for (unsigned i = 0; i < world->network.n_uplinks; i++) {
        struct way *out = &world->network.uplinks[i].timeline[0].out;

        out->delay_us = class_between(random, (3 + 6 * i) * MS, (10 + 10 * i) * MS);
        out->rate = class_between(random, 625000, 5000000); /* 5 to 40 Mbit/s */
        out->queue = 256000;
        world->network.uplinks[i].timeline[0].in = *out;
    }
}

static struct traffic traffic_of(struct choice *random, enum load load)
{
    switch (load) {
    case LOAD_IDLE:
        return (struct traffic){.interval_us = 30 * SECOND, .spread_us = 10 * SECOND, .bytes = 100};
    case LOAD_THICK:
        return (struct traffic){.interval_us = 150 * MS, .spread_us = 50 * MS, .bytes = FULL_BYTES};
    case LOAD_BUSY:
        break;
    }
    return (struct traffic){.interval_us = class_between(random, 80 * MS, 200 * MS),
                            .spread_us = 20 * MS,
                            .bytes = 100};
}

void class_host(struct world *world, struct choice *random, unsigned n_uplinks, enum load load)
{
    world_init(world, n_uplinks, choose(random, UINT32_MAX));
    world->network.source_rules = choose(random, 2);
    uplinks_begin(world, random);
    world->network.peers[ANYWHERE].timeline[0].delay_us = 5 * MS;
    for (unsigned i = 0; i < PEERS; i++) {
        world->peers[i].dialled = i < PEERS - 1;
        world->network.peers[i].timeline[0].delay_us = class_between(random, 2 * MS, 30 * MS);
        for (unsigned k = OUT; k <= IN; k++)
            world->peers[i].traffic[k] = traffic_of(random, load);
    }
}

bool class_make(const struct class *class, enum half half, uint64_t seed,
                const struct traces *traces, struct world *world)
{
    /* By its name: so a class that is added changes none of the others. */
    struct choice random =
        choice_seeded(hash_bytes(HASH_START + 2 * seed + half, class->name, strlen(class->name)));
    const struct class_input input = {
        .random = &random, .half = half, .seed = seed, .traces = traces};

    return class->make(world, &input);
}
