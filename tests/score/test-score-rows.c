/* SPDX-License-Identifier: Apache-2.0 */
/* What the rows of the simulated node say of application data, and when it sends one unasked. */
#include "class.h"
#include "host.h"
#include "policy.h"

#include "util/util.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define FAULT_US  (20 * SECOND)
#define SPELL_US  (10 * SECOND)
#define HEALED_US (FAULT_US + SPELL_US)
#define END_US    (40 * SECOND)
#define EACH_US   (100 * MS)
#define ROWS_MAX  1024u
#define PUSH_MAX  32u

/* A policy that looks at one connection and does nothing. */
struct look {
    uint64_t at_us;
    struct pd_row row;
};

struct observer {
    struct look looks[ROWS_MAX], pushes[PUSH_MAX];
    size_t n_looks, n_pushes;
};

static void look(struct world *world, struct look *ret)
{
    assert_non_null(world->peers[0].live);
    ret->at_us = world->now_us;
    host_row(world, world->peers[0].live, &ret->row);
}

static void observe(struct world *world, void *self)
{
    struct observer *observer = self;

    assert_true(observer->n_looks < ROWS_MAX);
    look(world, &observer->looks[observer->n_looks++]);
    world_policy_at(world, world->now_us + EACH_US);
}

/* What the node's `probe` does, each second. */
static void observe_and_ping(struct world *world, void *self)
{
    observe(world, self);
    if (world->now_us % SECOND == 0)
        host_ping(world, world->peers[0].live);
}

static void hear(struct world *world, void *self, const struct news *news)
{
    struct observer *observer = self;

    if (news->type != NEWS_PUSH || news->conn != world->peers[0].live)
        return;
    assert_true(observer->n_pushes < PUSH_MAX);
    look(world, &observer->pushes[observer->n_pushes++]);
}

static const struct policy watcher = {.name = "watcher",
                                      .size = sizeof(struct observer),
                                      .push = true,
                                      .start = observe,
                                      .timer = observe,
                                      .news = hear};
static const struct policy pinger = {.name = "pinger",
                                     .size = sizeof(struct observer),
                                     .push = true,
                                     .start = observe_and_ping,
                                     .timer = observe_and_ping,
                                     .news = hear};

/* ---- a host with one uplink, and one spell in which that is not as it should be ---- */

typedef void (*alter_fn)(struct condition *at);

static void dead(struct condition *at)
{
    at->out.dead = at->in.dead = true;
}

static void one_way_up(struct condition *at)
{
    at->out.dead = true;
}

static void mtu_hole(struct condition *at)
{
    at->out.mtu = at->in.mtu = LEAST_BYTES + 50;
}

struct lab {
    struct world *world;
    const struct observer *seen;
};

static void lab_make(struct lab *lab, enum load load)
{
    struct choice random = choice_seeded(1);

    lab->world = memory_new(1, sizeof(*lab->world));
    class_host(lab->world, &random, 1, load);
    lab->world->end_us = END_US;
    lab->world->score.fault_us = FAULT_US;
    lab->world->policy = &watcher;
}

static void lab_alter(struct lab *lab, uint64_t from_us, uint64_t to_us, alter_fn alter)
{
    struct condition *end, *at;

    for (at = network_spell(&lab->world->network.uplinks[0], from_us, to_us, &end); at < end; at++)
        alter(at);
}

static void lab_run(struct lab *lab)
{
    world_run(lab->world);
    lab->seen = lab->world->self;
    assert_true(lab->seen->n_looks > 380);
}

static void lab_done(struct lab *lab)
{
    world_done(lab->world);
    free(lab->world);
}

/* The last look until then. */
static const uint64_t *lab_at(const struct lab *lab, uint64_t at_us)
{
    size_t i = lab->seen->n_looks - 1;

    while (lab->seen->looks[i].at_us > at_us)
        i--;
    return lab->seen->looks[i].row.v;
}

/* Application data gets older, and none of it is acknowledged. */
static void assert_outstanding(const struct lab *lab, uint64_t from_us, uint64_t to_us)
{
    const uint64_t *first = lab_at(lab, from_us), *last = lab_at(lab, to_us);

    assert_int_equal(last[PD_UNACKED_MS] - first[PD_UNACKED_MS], (to_us - from_us) / MS);
    assert_true(first[PD_UNACKED_MS] > 0 && first[PD_UNACKED_BYTES] > 0);
    assert_int_equal(last[PD_ACKED_BYTES], first[PD_ACKED_BYTES]);
}

/* ---- the columns ---- */

/* What lives: data is acknowledged within an RTT, and counted. */
static void test_healthy(void **state)
{
    struct lab lab;
    const uint64_t *first, *last;

    (void)state;
    lab_make(&lab, LOAD_BUSY);
    lab_run(&lab);
    for (size_t i = 0; i < lab.seen->n_looks; i++) {
        const uint64_t *v = lab.seen->looks[i].row.v;

        assert_true(v[PD_UNACKED_MS] <= 150 && v[PD_UNACKED_BYTES] <= 300);
        assert_int_equal(v[PD_PTO_US],
                         v[PD_SRTT_US] + max_u64(4 * v[PD_RTTVAR_US], MS) + MAX_ACK_DELAY);
        if (!v[PD_UNACKED_BYTES])
            assert_int_equal(v[PD_UNACKED_MS], 0);
    }
    first = lab_at(&lab, 5 * SECOND);
    last = lab_at(&lab, 35 * SECOND);
    assert_in_range(last[PD_ACKED_BYTES] - first[PD_ACKED_BYTES], 14000, 38000);
    assert_true(last[PD_PACKETS_SENT] - first[PD_PACKETS_SENT] >=
                (last[PD_ACKED_BYTES] - first[PD_ACKED_BYTES]) / 100);
    assert_int_equal(lab.seen->n_pushes, 0);
    lab_done(&lab);
}

/* A keep-alive is no application data, whether it is answered or not. */
static void test_keep_alives(void **state)
{
    struct lab lab;
    const uint64_t *last;

    (void)state;
    lab_make(&lab, LOAD_IDLE);
    lab.world->peers[0].traffic[OUT].interval_us = lab.world->peers[0].traffic[IN].interval_us =
        UINT64_C(36000) * SECOND;
    lab_alter(&lab, FAULT_US, NEVER, dead);
    lab_run(&lab);
    for (size_t i = 0; i < lab.seen->n_looks; i++) {
        const uint64_t *v = lab.seen->looks[i].row.v;

        assert_int_equal(v[PD_UNACKED_MS] | v[PD_UNACKED_BYTES] | v[PD_ACKED_BYTES], 0);
    }
    last = lab_at(&lab, END_US);
    assert_true(last[PD_IN_FLIGHT_BYTES] && last[PD_PTO_COUNT] && last[PD_SILENT_MS] > 15000);
    assert_true(last[PD_PACKETS_SENT] > lab_at(&lab, SECOND)[PD_PACKETS_SENT]);
    assert_int_equal(lab.seen->n_pushes, 0);
    lab_done(&lab);
}

static void test_hole(void **state)
{
    struct lab lab;

    (void)state;
    lab_make(&lab, LOAD_BUSY);
    lab_alter(&lab, FAULT_US, HEALED_US, dead);
    lab_run(&lab);
    assert_outstanding(&lab, FAULT_US + 500 * MS, HEALED_US);
    assert_true(lab_at(&lab, HEALED_US)[PD_UNACKED_MS] > 9000);
    assert_true(lab_at(&lab, HEALED_US)[PD_SILENT_MS] > 9000);
    /* Back-off is not in it. */
    assert_true(lab_at(&lab, HEALED_US)[PD_PTO_COUNT] > 0);
    assert_int_equal(lab_at(&lab, HEALED_US)[PD_PTO_US],
                     lab_at(&lab, FAULT_US + SECOND)[PD_PTO_US]);
    assert_true(lab_at(&lab, END_US)[PD_UNACKED_MS] <= 150);
    assert_true(lab_at(&lab, END_US)[PD_ACKED_BYTES] > lab_at(&lab, HEALED_US)[PD_ACKED_BYTES]);
    lab_done(&lab);
}

/* The peer is heard, and acknowledges nothing. */
static void test_one_way_up(void **state)
{
    struct lab lab;

    (void)state;
    lab_make(&lab, LOAD_BUSY);
    lab_alter(&lab, FAULT_US, HEALED_US, one_way_up);
    lab_run(&lab);
    assert_outstanding(&lab, FAULT_US + 500 * MS, HEALED_US);
    assert_true(lab_at(&lab, HEALED_US)[PD_BYTES_RECEIVED] >
                lab_at(&lab, HEALED_US - 2 * SECOND)[PD_BYTES_RECEIVED]);
    assert_true(lab_at(&lab, HEALED_US)[PD_SILENT_MS] < 3000);
    assert_int_equal(lab_at(&lab, HEALED_US)[PD_RTT_SAMPLES],
                     lab_at(&lab, FAULT_US + 500 * MS)[PD_RTT_SAMPLES]);
    lab_done(&lab);
}

/* Small packets are acknowledged, the data is not. */
static void test_mtu_hole(void **state)
{
    struct lab lab;

    (void)state;
    lab_make(&lab, LOAD_THICK);
    lab.world->policy = &pinger;
    lab_alter(&lab, FAULT_US, HEALED_US, mtu_hole);
    lab_run(&lab);
    assert_outstanding(&lab, FAULT_US + 500 * MS, HEALED_US);
    assert_true(lab_at(&lab, HEALED_US)[PD_RTT_SAMPLES] >=
                lab_at(&lab, FAULT_US + 500 * MS)[PD_RTT_SAMPLES] + 8);
    lab_done(&lab);
}

/* A node that does not know of it. */
static void test_old_node(void **state)
{
    struct lab lab;

    (void)state;
    lab_make(&lab, LOAD_BUSY);
    lab.world->node = NODE_OLD;
    lab_alter(&lab, FAULT_US, HEALED_US, dead);
    lab_run(&lab);
    assert_int_equal(host_columns(lab.world), (1u << PD_UNACKED_MS) - 1);
    for (int i = PD_UNACKED_MS; i < PD_COLUMN_COUNT; i++)
        assert_true(lab_at(&lab, HEALED_US)[i] == PD_UNKNOWN);
    assert_int_not_equal(lab_at(&lab, HEALED_US)[PD_SILENT_MS], PD_UNKNOWN);
    assert_int_equal(lab.seen->n_pushes, 0);
    lab_done(&lab);
}

/* ---- rows that nobody asked for ---- */

/* In a spell that begins then: the first at max(4 PTO, 500 ms), each more after twice the time.
 * Returns how many there were. */
static size_t assert_pushes(const struct lab *lab, uint64_t from_us)
{
    uint64_t wanted = 0;
    size_t n = 0;

    for (size_t i = 0; i < lab->seen->n_pushes; i++) {
        const struct look *push = &lab->seen->pushes[i];

        if (push->at_us < from_us || push->at_us >= from_us + SPELL_US)
            continue;
        wanted = wanted ? 2 * wanted : max_u64(4 * push->row.v[PD_PTO_US] / MS, 500);
        assert_in_range(push->row.v[PD_UNACKED_MS], wanted - 2, wanted + 2);
        wanted = push->row.v[PD_UNACKED_MS];
        n++;
    }
    return n;
}

static void push_case(uint64_t far_us, size_t n)
{
    struct lab lab;

    lab_make(&lab, LOAD_BUSY);
    lab.world->end_us = 60 * SECOND;
    lab.world->network.peers[0].timeline[0].delay_us = far_us;
    lab_alter(&lab, FAULT_US, HEALED_US, dead);
    lab_alter(&lab, FAULT_US + 20 * SECOND, HEALED_US + 20 * SECOND, one_way_up);
    lab_run(&lab);
    assert_int_equal(assert_pushes(&lab, FAULT_US), n);
    /* Another time the gaps begin anew. */
    assert_int_equal(assert_pushes(&lab, FAULT_US + 20 * SECOND), n);
    for (size_t i = 0; i < lab.seen->n_pushes; i++)
        assert_true(lab.seen->pushes[i].at_us >= FAULT_US);
    lab_done(&lab);
}

static void test_push(void **state)
{
    (void)state;
    push_case(2 * MS, 5);   /* 500 ms count */
    push_case(150 * MS, 3); /* 4 PTO count */
}

static void test_no_push(void **state)
{
    struct lab lab;

    (void)state;
    lab_make(&lab, LOAD_BUSY);
    lab.world->node = NODE_NO_PUSH;
    lab_alter(&lab, FAULT_US, HEALED_US, dead);
    lab_run(&lab);
    assert_true(lab_at(&lab, HEALED_US)[PD_UNACKED_MS] > 9000);
    assert_int_equal(lab.seen->n_pushes, 0);
    lab_done(&lab);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_healthy),  cmocka_unit_test(test_keep_alives),
        cmocka_unit_test(test_hole),     cmocka_unit_test(test_one_way_up),
        cmocka_unit_test(test_mtu_hole), cmocka_unit_test(test_old_node),
        cmocka_unit_test(test_push),     cmocka_unit_test(test_no_push),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
