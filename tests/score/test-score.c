/* SPDX-License-Identifier: Apache-2.0 */
/* The scoreboard's own parts: what it measures with must be right before what it measures. */
#include "class.h"
#include "host.h"
#include "kernel.h"
#include "policies.h"
#include "traces.h"

#include "util/util.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static const struct class *find_class(const char *name)
{
    for (size_t i = 0; classes[i].name; i++)
        if (!strcmp(classes[i].name, name))
            return &classes[i];
    fail_msg("there is no class %s", name);
    return NULL;
}

static struct score run(const char *class, enum half half, uint64_t seed,
                        const struct policy *policy)
{
    struct world *world = memory_new(1, sizeof(*world));
    struct score score;

    assert_true(class_make(find_class(class), half, seed, NULL, world));
    world->policy = policy;
    world_run(world);
    score = world->score;
    world_done(world);
    free(world);
    return score;
}

/* ---- the network ---- */

static void two_uplinks(struct network *network)
{
    network_init(network, 2, 1);
    for (unsigned i = 0; i < 2; i++) {
        struct way way = {.delay_us = (10 + 10 * i) * MS, .rate = 1000000, .queue = 10000};

        network->uplinks[i].timeline[0].out = network->uplinks[i].timeline[0].in = way;
    }
}

static void test_spell(void **state)
{
    struct network network;
    struct condition *end, *at;
    struct path path = {.source = 0, .bound = NO_UPLINK, .port = 1};

    (void)state;
    two_uplinks(&network);
    for (at = network_spell(&network.uplinks[0], 2 * SECOND, 5 * SECOND, &end); at < end; at++)
        at->out.dead = true;
    for (at = network_spell(&network.uplinks[0], 4 * SECOND, 7 * SECOND, &end); at < end; at++)
        at->in.dead = true;
    network_begin(&network);
    assert_int_equal(network_quality(&network, 0, &path, 2 * SECOND - 1), QUALITY_GOOD);
    assert_int_equal(network_quality(&network, 0, &path, 2 * SECOND), QUALITY_DEAD);
    assert_int_equal(network_quality(&network, 0, &path, 6 * SECOND), QUALITY_DEAD);
    assert_int_equal(network_quality(&network, 0, &path, 7 * SECOND), QUALITY_GOOD);
    assert_int_equal(network_dead_until(&network, 0, &path, 3 * SECOND), 7 * SECOND);
    assert_int_equal(network_dead_until(&network, 0, &path, SECOND), SECOND);
    network_done(&network);
}

static void test_route(void **state)
{
    struct network network;
    struct condition *end, *at;

    (void)state;
    two_uplinks(&network);
    at = network_spell(&network.uplinks[0], SECOND, NEVER, &end);
    at->metric = 1000;
    assert_int_equal(network_route(&network, NO_UPLINK), 0);
    assert_int_equal(network_route(&network, 1), 0);
    assert_true(network_advance(&network, SECOND));
    assert_int_equal(network_route(&network, NO_UPLINK), 1);
    assert_int_equal(network_route(&network, 0), 1);
    network.source_rules = true;
    assert_int_equal(network_route(&network, 0), 0);
    network.uplinks[0].timeline[1].carrier = false;
    assert_int_equal(network_route(&network, 0), 1);
    network_done(&network);
}

static void test_send(void **state)
{
    struct network network;
    struct path own = {.source = 0, .bound = NO_UPLINK, .port = 1};
    struct path foreign = {.source = 1, .bound = NO_UPLINK, .port = 1};
    struct path bound = {.source = 1, .bound = 1, .port = 1};
    uint64_t arrival_us;

    (void)state;
    two_uplinks(&network);
    assert_int_equal(network_send(&network, 0, &own, OUT, 1000, SECOND, &arrival_us),
                     TRANSIT_ARRIVES);
    assert_int_equal(arrival_us, SECOND + MS + 10 * MS);
    /* The second waits for the first. */
    assert_int_equal(network_send(&network, 0, &own, OUT, 1000, SECOND, &arrival_us),
                     TRANSIT_ARRIVES);
    assert_int_equal(arrival_us, SECOND + 2 * MS + 10 * MS);
    /* A source that is not the egress uplink's is filtered; a bound socket is not. */
    assert_int_equal(network_send(&network, 0, &foreign, OUT, 1000, SECOND, &arrival_us),
                     TRANSIT_LOST);
    assert_int_equal(network_send(&network, 0, &bound, OUT, 1000, SECOND, &arrival_us),
                     TRANSIT_ARRIVES);
    for (unsigned i = 0; i < 20; i++)
        (void)network_send(&network, 0, &own, OUT, 1000, SECOND, &arrival_us);
    assert_int_equal(network_send(&network, 0, &own, OUT, 1000, SECOND, &arrival_us), TRANSIT_LOST);
    network.uplinks[1].timeline[0].carrier = false;
    assert_int_equal(network_send(&network, 0, &bound, OUT, 1000, SECOND, &arrival_us),
                     TRANSIT_REFUSED);
    network_done(&network);
}

/* ---- loss recovery ---- */

static void test_recovery(void **state)
{
    struct recovery recovery = {0};
    struct stream stream = {0};
    struct ack ack = {.any = true, .largest = 4, .mask = 1};

    (void)state;
    recovery_init(&recovery);
    for (unsigned i = 0; i < 5; i++) {
        stream_make(&stream, 100, SECOND);
        stream_sent(&stream, i, SECOND + i);
        assert_int_equal(recovery_sent(&recovery, i, 140, SECOND + i), i);
    }
    assert_int_equal(recovery.in_flight, 700);
    assert_int_equal(recovery_deadline_us(&recovery),
                     SECOND + 4 + 333000 + 4 * (333000 / 2) + 25000);
    recovery.ptos = 2;
    assert_int_equal(recovery_deadline_us(&recovery),
                     SECOND + 4 + 4 * (333000 + 4 * (333000 / 2) + 25000));
    /* Number 4 is acknowledged: 0 and 1 are lost by the packet threshold, 2 and 3 not yet. */
    recovery_acked(&recovery, &stream, &ack, SECOND + 50 * MS + 4);
    assert_int_equal(recovery.srtt_us, 50 * MS);
    assert_int_equal(recovery.ptos, 0);
    assert_int_equal(recovery.lost, 2);
    assert_int_equal(recovery.n_outstanding, 2);
    assert_int_equal(recovery.loss_us, SECOND + 2 + 50 * MS * 9 / 8);
    assert_int_equal(stream_next(&stream), 0);
    assert_int_equal(recovery.window, 12000 * 7 / 10);
    /* Another path: no RTT, nothing in flight; what was under way can still be acknowledged. */
    recovery_path(&recovery);
    assert_int_equal(recovery.in_flight, 0);
    assert_int_equal(recovery.samples, 0);
    ack = (struct ack){.any = true, .largest = 3, .mask = 1};
    recovery_acked(&recovery, &stream, &ack, SECOND + 60 * MS);
    assert_int_equal(recovery.in_flight, 0);
    assert_int_equal(recovery.samples, 0);
    assert_int_equal(recovery.n_outstanding, 1);
}

static void test_stream(void **state)
{
    struct stream stream = {0};

    (void)state;
    for (unsigned i = 0; i < 4; i++)
        stream_make(&stream, 100, i * SECOND);
    stream_sent(&stream, 0, SECOND);
    stream_sent(&stream, 1, SECOND);
    stream_sent(&stream, 2, SECOND);
    stream_arrived(&stream, 1, 9 * SECOND);
    assert_int_equal(stream_waits_us(&stream), 0);
    stream_arrived(&stream, 0, 9 * SECOND);
    assert_int_equal(stream_waits_us(&stream), 2 * SECOND);
    assert_int_equal(stream_acked(&stream, 1), 100);
    assert_int_equal(stream_acked(&stream, 1), 0);
    assert_int_equal(stream_oldest(&stream), 0);
    assert_int_equal(stream.unacked, 200);
    assert_int_equal(stream_oldest_us(&stream), SECOND);
    /* The connection ends: 2 was on its way and is lost, 0 had arrived, 3 was never sent. */
    stream_cut(&stream);
    assert_int_equal(stream.unacked, 0);
    assert_true(stream_oldest_us(&stream) == NEVER);
    assert_int_equal(stream.lost, 1);
    assert_int_equal(stream_next(&stream), 3);
    assert_int_equal(stream_waits_us(&stream), 3 * SECOND);
}

/* ---- the kernel's answers ---- */

static const char *field_text(const struct kernel_answer *answer, const char *name)
{
    for (size_t i = 0; i < answer->n_fields; i++)
        if (!strcmp(answer->fields[i].name, name))
            return answer->fields[i].text ? answer->fields[i].text : "a number";
    return NULL;
}

static void test_kernel(void **state)
{
    struct world world = {0};
    struct pd_field fields[] = {{"source", "10.0.0.2", 0}, {"interface", "up1", 0}};
    struct pd_query query = {.id = 7, .fields = fields, .n_fields = 1};
    struct kernel_answer answer;
    struct condition *end, *at;

    (void)state;
    two_uplinks(&world.network);
    kernel_answer(&world, &query, &answer);
    assert_string_equal(field_text(&answer, "ifname"), "up0");
    assert_string_equal(field_text(&answer, "source"), "10.0.0.2");
    assert_null(field_text(&answer, "source_gone"));
    query.n_fields = 2;
    kernel_answer(&world, &query, &answer);
    assert_string_equal(field_text(&answer, "ifname"), "up1");
    at = network_spell(&world.network.uplinks[0], 0, NEVER, &end);
    at->carrier = at->address = at->route = false;
    query.n_fields = 1;
    kernel_answer(&world, &query, &answer);
    assert_string_equal(field_text(&answer, "ifname"), "up1");
    assert_string_equal(field_text(&answer, "source"), "10.0.1.2");
    assert_non_null(field_text(&answer, "source_gone"));
    world.network.uplinks[1].timeline[0].route = false;
    kernel_answer(&world, &query, &answer);
    assert_string_equal(field_text(&answer, "error"), "ENETUNREACH");
    network_done(&world.network);
}

/* ---- whole traces ---- */

/* The same seed gives the same trace; the halves have none in common. */
static void test_deterministic(void **state)
{
    struct score one = run("flap-loss", HALF_TUNE, 3, &policy_pathdog);
    struct score two = run("flap-loss", HALF_TUNE, 3, &policy_pathdog);
    struct score other = run("flap-loss", HALF_SCORE, 3, &policy_pathdog);

    (void)state;
    assert_memory_equal(&one, &two, sizeof(one));
    assert_int_not_equal(one.fault_us, other.fault_us);
}

/* Where nothing happens, doing nothing costs nothing, and a move is needless. */
static void test_far_peer(void **state)
{
    struct score nothing = run("far-peer", HALF_TUNE, 1, &policy_nothing);
    struct score recipe = run("far-peer", HALF_TUNE, 1, &policy_recipe);

    (void)state;
    assert_true(score_cost(&nothing) < 0.01);
    assert_true(recipe.moves > 0);
    assert_int_equal(recipe.moves, recipe.needless);
    assert_int_equal(recipe.closes, 0);
}

/* A silent uplink: nobody moves, and it lasts; an oracle that may choose loses next to nothing, and
 * one that may only follow the route table as much as nobody. */
static void test_hole(void **state)
{
    struct score nothing = run("hole-load", HALF_TUNE, 1, &policy_nothing);
    struct score table = run("hole-load", HALF_TUNE, 1, &policy_oracle_route);
    struct score oracle = run("hole-load", HALF_TUNE, 1, &policy_oracle);

    (void)state;
    assert_true(nothing.outage_s > 35);
    assert_true(table.outage_s > 0.9 * nothing.outage_s);
    assert_true(oracle.outage_s < 1);
    assert_int_equal(oracle.needless, 0);
    assert_true(oracle.moves >= 10); /* five leave, five return */
    assert_true(oracle.closes >= 1); /* and the one that cannot leave is dialled anew */
    assert_true(oracle.first_us < 100 * MS);
}

/* Lost data is what a close costs: the peers gave up long ago, so after a long sleep it is free. */
static void test_sleep(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++) {
        struct score oracle = run("sleep", HALF_TUNE, seed, &policy_oracle);

        assert_true(oracle.outage_s < 2);
        assert_true(oracle.closes <= 1);
    }
}

/* What was asked before a sleep is answered after it: a policy that waits goes on. */
static void prober_ask(struct world *world, void *self)
{
    (void)self;
    host_probe(world, ANYWHERE, 0, SECOND, ++world->last_request);
}

static void prober_news(struct world *world, void *self, const struct news *news)
{
    uint64_t *answered_us = self;

    if (news->type != NEWS_PROBED)
        return;
    *answered_us = world->now_us;
    world_policy_at(world, host_now(world) + 100 * MS);
}

static void prober_stop(struct world *world, void *self)
{
    const uint64_t *answered_us = self;

    assert_true(*answered_us > world->end_us - 5 * SECOND);
}

static void test_answers_after_sleep(void **state)
{
    static const struct policy prober = {
        .name = "prober",
        .size = sizeof(uint64_t),
        .start = prober_ask,
        .timer = prober_ask,
        .news = prober_news,
        .stop = prober_stop,
    };

    (void)state;
    for (uint64_t seed = 1; seed <= 8; seed++)
        (void)run("sleep", HALF_TUNE, seed, &prober);
}

/* ---- traces ---- */

static void write_file(const char *directory, const char *name, const char *text)
{
    char path[512];
    FILE *file;

    snprintf(path, sizeof(path), "%s/%s", directory, name);
    file = fopen(path, "we");
    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static void test_traces(void **state)
{
    char directory[] = "/tmp/test-score-XXXXXX", folder[64], path[128];
    struct traces traces;

    (void)state;
    assert_non_null(mkdtemp(directory));
    assert_true(traces_read(directory, &traces)); /* no folder, no traces */
    assert_int_equal(traces.driving.n_traces, 0);
    traces_done(&traces);
    snprintf(folder, sizeof(folder), "%s/driving", directory);
    assert_int_equal(mkdir(folder, 0700), 0);
    write_file(folder, "002.csv", "t_ms,rtt_us\n0,243000\n200,-1\n");
    write_file(folder, "000.csv", "t_ms,rtt_us\n0,42000\n");
    write_file(folder, "README", "not a trace\n");
    assert_true(traces_read(directory, &traces));
    assert_int_equal(traces.driving.n_traces, 2);
    assert_string_equal(traces.driving.traces[0].name, "000.csv");
    assert_int_equal(traces.driving.traces[1].n_columns, 2);
    assert_int_equal(trace_value(&traces.driving.traces[1], 1, 1), -1);
    traces_done(&traces);
    write_file(folder, "000.csv", "t_ms,rtt_us\n0,42000\nx,1\n");
    assert_false(traces_read(directory, &traces));
    traces_done(&traces);
    for (const char *const *name = (const char *const[]){"000.csv", "002.csv", "README", NULL};
         *name; name++) {
        snprintf(path, sizeof(path), "%s/%s", folder, *name);
        unlink(path);
    }
    rmdir(folder);
    rmdir(directory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spell),    cmocka_unit_test(test_route),
        cmocka_unit_test(test_send),     cmocka_unit_test(test_recovery),
        cmocka_unit_test(test_stream),   cmocka_unit_test(test_kernel),
        cmocka_unit_test(test_traces),   cmocka_unit_test(test_deterministic),
        cmocka_unit_test(test_far_peer), cmocka_unit_test(test_hole),
        cmocka_unit_test(test_sleep),    cmocka_unit_test(test_answers_after_sleep),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
