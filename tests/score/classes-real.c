/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Classes made of recorded traces. A trace has an RTT or a capacity, never both: the other is made
 * up. The two halves read disjoint files, or disjoint parts of one.
 */
#include "class.h"
#include "traces.h"

#include "util/util.h"

#define TRACE_US (120 * SECOND)
#define LEAD_US  (5 * SECOND) /* in which all is well */
#define DEAD_BPS 12500u       /* 100 kbit/s, as in the folder's own description */
#define WINDOW   110u         /* rows of a second each */
#define SKIP     2            /* a pause of the campaign, in seconds */

/* One file of this half; NULL: there is none. */
static const struct trace *pick(const struct trace_folder *folder, const struct class_input *input)
{
    size_t n = (folder->n_traces + 1 - (size_t)input->half) / 2;

    return n ? &folder->traces[2 * choose(input->random, n) + (size_t)input->half] : NULL;
}

/* ---- four uplinks of a car: their capacity each second ---- */

/* Begins at a row after which there is no pause for a whole window. */
static bool window_whole(const struct trace *trace, size_t row)
{
    return row + WINDOW < trace->n_rows &&
           trace_value(trace, row + WINDOW, 0) - trace_value(trace, row, 0) <
               (int64_t)WINDOW + SKIP;
}

static size_t window_dead(const struct trace *trace, size_t row, unsigned column)
{
    size_t dead = 0;

    for (size_t i = 0; i < WINDOW; i++)
        dead += trace_value(trace, row + i, column) < 100;
    return dead;
}

/* Even windows for one half, odd ones for the other; four of five with the first uplink dead for
 * a while, but not all the time. */
static size_t window_pick(const struct trace *trace, const struct class_input *input)
{
    size_t n = trace->n_rows / WINDOW;
    bool trouble = choose(input->random, 5) != 0;

    for (size_t i = 0; i < 1000; i++) {
        size_t window = 2 * choose(input->random, n / 2) + (size_t)input->half;
        size_t row = window * WINDOW, dead;

        if (!window_whole(trace, row))
            continue;
        dead = window_dead(trace, row, 1);
        if (!trouble || (dead >= 2 && dead < WINDOW - 20))
            return row;
    }
    return SIZE_MAX;
}

static bool make_uplinks(struct world *world, const struct class_input *input)
{
    const struct trace_folder *folder = &input->traces->uplinks;
    const struct trace *trace = folder->n_traces ? &folder->traces[0] : NULL;
    size_t row;

    if (!trace || trace->n_columns != TRACE_COLUMNS)
        return false;
    class_host(world, input->random, UPLINKS_MAX, LOAD_BUSY);
    world->end_us = LEAD_US + WINDOW * SECOND;
    row = window_pick(trace, input);
    if (row == SIZE_MAX)
        return false;
    world->score.fault_us = NEVER;
    for (size_t i = 0; i < WINDOW; i++) {
        for (unsigned k = 0; k < UPLINKS_MAX; k++) {
            uint64_t from_us = LEAD_US + i * SECOND;
            uint64_t rate = (uint64_t)trace_value(trace, row + i, k + 1) * 125;
            struct condition *end,
                *at = network_spell(&world->network.uplinks[k], from_us, from_us + SECOND, &end);

            for (; at < end; at++) {
                at->out.dead = at->in.dead = rate < DEAD_BPS;
                at->out.rate = at->in.rate = max_u64(rate, DEAD_BPS);
            }
            if (k == 0 && rate < DEAD_BPS && world->score.fault_us == NEVER)
                world->score.fault_us = from_us;
        }
    }
    return true;
}

/* ---- pings: the RTT and the losses of the first uplink ---- */

/* Where the trace ends the next one begins: no file is long enough. */
static uint64_t pings_lay(struct world *world, const struct trace *trace, uint64_t from_us)
{
    uint64_t begin_us = from_us;

    for (size_t i = 0; i < trace->n_rows && from_us < TRACE_US; i++) {
        uint64_t next_us = i + 1 < trace->n_rows
                               ? begin_us + (uint64_t)trace_value(trace, i + 1, 0) * MS
                               : from_us + 200 * MS;
        int64_t rtt_us = trace_value(trace, i, 1);
        struct condition *end, *at;

        if (next_us <= from_us)
            continue;
        at = network_spell(&world->network.uplinks[0], from_us, next_us, &end);
        for (; at < end; at++) {
            at->out.dead = at->in.dead = rtt_us < 0;
            if (rtt_us >= 0)
                at->out.delay_us = at->in.delay_us = (uint64_t)rtt_us / 2;
        }
        if (rtt_us < 0 && world->score.fault_us == NEVER)
            world->score.fault_us = from_us;
        from_us = next_us;
    }
    return from_us;
}

/* The peers are near: the trace has the whole way in it. */
static void peers_near(struct world *world)
{
    for (unsigned i = 0; i < PEERS; i++)
        world->network.peers[i].timeline[0].delay_us = MS;
}

static bool make_pings(struct world *world, const struct trace_folder *folder,
                       const struct class_input *input)
{
    uint64_t at_us = LEAD_US;

    class_host(world, input->random, 2, LOAD_BUSY);
    world->end_us = TRACE_US;
    peers_near(world);
    while (at_us < TRACE_US) {
        const struct trace *trace = pick(folder, input);

        if (!trace || trace->n_columns != 2)
            return false;
        at_us = pings_lay(world, trace, at_us);
    }
    return true;
}

static bool make_handover(struct world *world, const struct class_input *input)
{
    return make_pings(world, &input->traces->handover, input);
}

static bool make_driving(struct world *world, const struct class_input *input)
{
    return make_pings(world, &input->traces->driving, input);
}

/* ---- labelled RTTs: a sample of four minutes is two seconds here ---- */

#define LABELLED_US (2 * SECOND)

static void labelled_lay(struct world *world, unsigned peer, const struct trace *trace,
                         struct choice *random)
{
    size_t n = (TRACE_US - LEAD_US) / LABELLED_US;
    size_t row = choose(random, trace->n_rows > n ? trace->n_rows - n : 1);
    uint64_t from_us = 0;

    for (size_t i = 0; i < n && row + i < trace->n_rows; i++) {
        uint64_t to_us = LEAD_US + (i + 1) * LABELLED_US;
        int64_t rtt_us = trace_value(trace, row + i, 1);
        struct far *end, *at;

        if (rtt_us <= 0) /* a lost ping of four minutes ago says nothing */
            continue;
        at = network_far_spell(&world->network.peers[peer], from_us, NEVER, &end);
        for (; at < end; at++)
            at->delay_us = (uint64_t)rtt_us / 2;
        from_us = to_us;
    }
}

static bool make_labelled(struct world *world, const struct class_input *input)
{
    class_host(world, input->random, 2, LOAD_BUSY);
    world->end_us = TRACE_US;
    for (unsigned i = 0; i < PEERS; i++) {
        const struct trace *trace = pick(&input->traces->labelled, input);

        if (!trace || trace->n_columns != 3)
            return false;
        labelled_lay(world, i, trace, input->random);
    }
    return true;
}

const struct class classes_real[] = {
    {"real-uplinks", "a satellite link and three cellular ones of one car", true, 0, make_uplinks},
    {"real-handover", "5G hand-over: gaps of 3 to 15 s that heal by themselves", true, 4,
     make_handover},
    {"real-driving", "LTE and 5G while driving", true, 0, make_driving},
    {"real-labelled", "RTTs of internet paths over every uplink: nothing", true, 0, make_labelled},
    {0},
};
