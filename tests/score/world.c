/* SPDX-License-Identifier: Apache-2.0 */
/* Time, applications, sleep: runs one trace. See world.h. */
#include "world.h"

#include "host.h"
#include "policy.h"
#include "stack.h"

#include "util/util.h"

#include <inttypes.h>
#include <stdarg.h>

/* The host's clock does not begin at 0: to pathdog that would be "never". */
#define BEGIN_US SECOND

/* ---- the heap ---- */

static bool before(const struct call *a, const struct call *b)
{
    return a->at_us != b->at_us ? a->at_us < b->at_us : a->sequence < b->sequence;
}

static void call_add(struct world *world, struct call call)
{
    size_t i = world->n_calls++;

    world->calls =
        array_reserve(world->calls, &world->calls_capacity, world->n_calls, sizeof(*world->calls));
    for (; i && before(&call, &world->calls[(i - 1) / 2]); i = (i - 1) / 2)
        world->calls[i] = world->calls[(i - 1) / 2];
    world->calls[i] = call;
}

void world_at(struct world *world, uint64_t at_us, call_fn function, void *object,
              uint64_t argument)
{
    call_add(world, (struct call){.at_us = at_us,
                                  .sequence = world->sequence++,
                                  .function = function,
                                  .object = object,
                                  .argument = argument});
}

void world_give(struct world *world, uint64_t at_us, call_fn function, void *object)
{
    call_add(world, (struct call){.at_us = at_us,
                                  .sequence = world->sequence++,
                                  .function = function,
                                  .object = object,
                                  .owned = true});
}

static struct call call_next(struct world *world)
{
    struct call first = world->calls[0], last = world->calls[--world->n_calls];
    size_t i = 0, child;

    while ((child = 2 * i + 1) < world->n_calls) {
        child +=
            child + 1 < world->n_calls && before(&world->calls[child + 1], &world->calls[child]);
        if (!before(&world->calls[child], &last))
            break;
        world->calls[i] = world->calls[child];
        i = child;
    }
    world->calls[i] = last;
    return first;
}

/* ---- what happens ---- */

void world_say(const struct world *world, const char *format, ...)
{
    va_list arguments;

    if (!world->trace)
        return;
    printf("%9.3f ", (double)world->now_us / 1e6);
    va_start(arguments, format);
    vprintf(format, arguments);
    va_end(arguments);
    putchar('\n');
}

static void news_call(struct world *world, void *object, uint64_t argument);

static void news_at(struct world *world, uint64_t at_us, const struct news *news)
{
    struct news *copy = memory_new(1, sizeof(*copy));

    *copy = *news;
    world_give(world, at_us, news_call, copy);
}

static void news_call(struct world *world, void *object, uint64_t argument)
{
    const struct news *news = object;

    (void)argument;
    if (world->asleep)
        news_at(world, world->wake_us, news);
    else if (world->policy->news)
        world->policy->news(world, world->self, news);
}

/* Not from within whatever it is that makes news: a policy acts on it at once. */
void world_news(struct world *world, const struct news *news)
{
    news_at(world, world->now_us, news);
}

static void policy_call(struct world *world, void *object, uint64_t argument)
{
    (void)object;
    if (argument != world->policy_us || world->asleep)
        return;
    world->policy_us = NEVER;
    world->policy->timer(world, world->self);
}

void world_policy_at(struct world *world, uint64_t host_us)
{
    if (host_us == world->policy_us)
        return;
    world->policy_us = host_us;
    if (host_us != NEVER)
        world_at(world, max_u64(host_us + world->slept_us, world->now_us), policy_call, NULL,
                 host_us);
}

uint32_t world_port(struct world *world)
{
    uint32_t port = (uint32_t)(world->now_us / MS);

    world->last_port = port > world->last_port ? port : world->last_port + 1;
    return world->last_port;
}

static void network_call(struct world *world, void *object, uint64_t argument)
{
    (void)object;
    (void)argument;
    if (network_advance(&world->network, world->now_us))
        world_news(world, &(struct news){.type = NEWS_KERNEL});
    if (network_next_us(&world->network) != NEVER)
        world_at(world, network_next_us(&world->network), network_call, NULL, 0);
}

static void speak(struct world *world, void *object, uint64_t argument)
{
    struct peer *peer = object;
    const struct traffic *traffic = &peer->traffic[argument];
    struct conn *conn = argument == OUT ? peer->live : peer->far_live;
    uint64_t next_us = traffic->interval_us - traffic->spread_us +
                       choose(&world->random, 2 * traffic->spread_us + 1);

    world_at(world, world->now_us + next_us, speak, object, argument);
    if (world->asleep)
        return;
    stream_make(&peer->streams[argument], traffic->bytes, world->now_us);
    if (conn)
        stack_flush(world, argument == OUT ? &conn->host : &conn->far);
}

static void sleep_call(struct world *world, void *object, uint64_t argument)
{
    (void)object;
    (void)argument;
    world_say(world, "the host sleeps");
    world->asleep = true;
}

static void resume_call(struct world *world, void *object, uint64_t argument)
{
    (void)object;
    (void)argument;
    world_say(world, "the host is awake");
    world->asleep = false;
    world->slept_us += world->wake_us - world->sleep_us;
    for (struct conn *conn = world->conns; conn; conn = conn->next) {
        conn->host.armed_us = NEVER;
        stack_arm(world, &conn->host);
    }
    host_timers(world);
    world_news(world, &(struct news){.type = NEWS_RESUMED});
    world_news(world, &(struct news){.type = NEWS_KERNEL});
    if (world->policy_us != NEVER)
        world_at(world, max_u64(world->policy_us + world->slept_us, world->now_us), policy_call,
                 NULL, world->policy_us);
}

/* ---- one trace ---- */

void world_init(struct world *world, unsigned n_uplinks, uint64_t seed)
{
    *world = (struct world){
        .now_us = BEGIN_US,
        .random = choice_seeded(seed * 2 + 1),
        .sleep_us = NEVER,
        .policy_us = NEVER,
        .score = {.first_us = NEVER, .fault_us = NEVER},
    };
    network_init(&world->network, n_uplinks, seed * 2);
}

static void begin(struct world *world)
{
    network_begin(&world->network);
    world->self = memory_new(1, world->policy->size);
    host_begin(world);
    network_call(world, NULL, 0);
    for (unsigned i = 0; i < PEERS; i++)
        for (unsigned k = OUT; k <= IN; k++)
            world_at(world,
                     world->now_us + choose(&world->random, world->peers[i].traffic[k].interval_us),
                     speak, &world->peers[i], k);
    if (world->sleep_us != NEVER) {
        world_at(world, world->sleep_us, sleep_call, NULL, 0);
        world_at(world, world->wake_us, resume_call, NULL, 0);
    }
    score_begin(world);
    if (world->policy->start)
        world->policy->start(world, world->self);
}

void world_run(struct world *world)
{
    begin(world);
    while (world->n_calls && world->calls[0].at_us < world->end_us) {
        struct call call = call_next(world);

        world->now_us = call.at_us;
        call.function(world, call.object, call.argument);
        if (call.owned)
            free(call.object);
    }
    if (world->policy->stop)
        world->policy->stop(world, world->self);
}

void world_done(struct world *world)
{
    struct conn *next;

    for (size_t i = 0; i < world->n_calls; i++)
        if (world->calls[i].owned)
            free(world->calls[i].object);
    free(world->calls);
    for (struct conn *conn = world->conns; conn; conn = next) {
        next = conn->next;
        free(conn);
    }
    free(world->self);
    network_done(&world->network);
}
