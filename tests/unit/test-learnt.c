/* SPDX-License-Identifier: Apache-2.0 */
/* What was learnt: out of one engine, into the next. */
#include "engine-lab.h"
#include "kept.h"

#include "engine/peers/name.h"

/* Stops the engine; another one begins, with what it had learnt. The node is not there yet. */
static void restart(struct lab *lab)
{
    struct kept kept;
    struct event event = {.type = EVENT_RESTORE};

    lab_stop(lab);
    kept_take(&kept, lab->engine, 3);
    lab->engine = engine_free(lab->engine);
    memset(&lab->poke, 0, sizeof(lab->poke));
    lab_new_engine(lab);
    event.restore = kept.learnt;
    lab_event(lab, &event);
    kept_free(&kept);
    lab_skip(lab);
}

static void restart_told(struct lab *lab, const char *name, uint64_t conn)
{
    restart(lab);
    lab_node_up(lab, "boot");
    lab_peer_up(lab, name, conn);
    lab_snapshot(lab);
    lab_skip(lab);
}

static void refuse(struct lab *lab, uint64_t conn)
{
    lab_advise(lab, conn, PD_KIND_MOVED);
    lab_answer_error(lab, expect_migrate(lab, conn), NODE_PEER_DISABLE_MIGRATION);
    lab_skip(lab);
}

static void disabled(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 1);
    refuse(lab, 1);
    restart_told(lab, "a", 1);
    lab_advise(lab, 1, PD_KIND_MOVED);
    expect_decision(lab, 1, VERDICT_DISABLED);
    expect_no_move(lab);
}

static void undialable(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 1);
    lab_operator(lab, "a", COMMAND_BY_RECONNECT);
    lab_answer_error(lab, expect_reconnect(lab, 1), NODE_NOT_MIGRATABLE);
    restart_told(lab, "a", 1);
    lab_operator(lab, "a", COMMAND_BY_RECONNECT);
    expect_decision(lab, 1, VERDICT_DISABLED);
}

/* Another boot of the node, another conn, another name: nothing of it fits. */
static void another_connection(void **state)
{
    struct lab *lab = *state;
    static const struct {
        const char *boot, *name;
        uint64_t conn;
    } cases[] = {{"boot-2", "a", 1}, {"boot", "a", 2}, {"boot", "b", 1}, {"", "a", 1}};

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        if (i) {
            lab_node_up(lab, "boot");
            lab_snapshot(lab);
        }
        lab_peer_up(lab, "a", 1);
        refuse(lab, 1);
        restart(lab);
        lab_node_up(lab, cases[i].boot);
        lab_peer_up(lab, cases[i].name, cases[i].conn);
        lab_snapshot(lab);
        lab_skip(lab);
        assert_int_equal(lab->poke.restored, 0);
        lab_advise(lab, cases[i].conn, PD_KIND_MOVED);
        expect_decision(lab, cases[i].conn, VERDICT_MIGRATE);
        lab_answer_ok(lab, expect_migrate(lab, cases[i].conn));
        restart(lab);
    }
}

static void cooling(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 1);
    lab_migrated(lab, 1, PD_KIND_DEGRADED);
    lab_time(lab, 20 * SEC);
    restart_told(lab, "a", 1);
    lab_advise(lab, 1, PD_KIND_DEGRADED);
    expect_decision(lab, 1, VERDICT_COOLING);
    lab_time(lab, 10 * SEC);
    lab_advise(lab, 1, PD_KIND_DEGRADED);
    expect_decision(lab, 1, VERDICT_MIGRATE);
}

static void backing_off(void **state)
{
    struct lab *lab = *state;
    uint64_t until_us;
    uint8_t doublings;

    lab_peer_up(lab, "a", 1);
    lab_advise(lab, 1, PD_KIND_DEGRADED);
    lab_answer_error(lab, expect_migrate(lab, 1), NODE_NO_PATH);
    until_us = lab_peer(lab, 1)->moves->backoff_until_us[BY_MIGRATE];
    doublings = lab_peer(lab, 1)->moves->backoffs[BY_MIGRATE];
    assert_true(until_us > lab->now_us && doublings == 1);
    restart_told(lab, "a", 1);
    assert_int_equal(lab_peer(lab, 1)->moves->backoff_until_us[BY_MIGRATE], until_us);
    assert_int_equal(lab_peer(lab, 1)->moves->backoffs[BY_MIGRATE], doublings);
    lab_time(lab, 2 * SEC); /* the merge window is not kept, and over anyway */
    lab_advise(lab, 1, PD_KIND_DEGRADED);
    expect_decision(lab, 1, VERDICT_BACKING_OFF);
}

static void tokens(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 1);
    for (unsigned i = 0; i < 5; i++)
        lab_migrated(lab, 1, PD_KIND_DEAD);
    restart_told(lab, "a", 1);
    lab_advise(lab, 1, PD_KIND_DEAD);
    expect_decision(lab, 1, VERDICT_DAMPED);
    lab_time(lab, 10 * SEC);
    expect_decision(lab, 1, VERDICT_MIGRATE); /* remembered, and there is one again */
}

static void holds(void **state)
{
    struct lab *lab = *state;

    lab_hold(lab, "a", 0);
    lab_hold(lab, "b", 10 * SEC);
    lab_hold(lab, "c", 100 * SEC);
    lab_time(lab, 20 * SEC);
    restart(lab); /* by name: no node, and no connection, is needed */
    assert_true(name_held(lab->engine, "a"));
    assert_false(name_held(lab->engine, "b"));
    assert_true(name_held(lab->engine, "c"));
    assert_false(name_held(lab->engine, "d"));
    lab_time(lab, 80 * SEC);
    lab_release(lab, "a");
    restart(lab);
    assert_false(name_held(lab->engine, "a"));
    assert_false(name_held(lab->engine, "c"));
    lab_hold(lab, NULL, 0);
    restart(lab);
    assert_true(name_held(lab->engine, "d"));
    lab_release(lab, NULL);
    restart(lab);
    assert_false(name_held(lab->engine, "d"));
}

static void gaps(void **state)
{
    struct lab *lab = *state;
    uint64_t allowed_us;

    lab_peer_up(lab, "a", 1);
    lab_operator(lab, "a", COMMAND_BY_RECONNECT);
    lab_answer_error(lab, expect_reconnect(lab, 1), NODE_BUSY);
    allowed_us = name_reconnect_allowed_us(lab->engine, "a");
    assert_true(allowed_us > lab->now_us);
    restart(lab);
    assert_int_equal(name_reconnect_allowed_us(lab->engine, "a"), allowed_us);
}

static void triggers(void **state)
{
    struct lab *lab = *state;
    struct kept kept;

    lab_peer_up(lab, "a", 1);
    lab_peer_up(lab, "b", 2);
    restart(lab);
    lab_node_up(lab, "boot");
    lab_peer_up(lab, "b", 2);
    assert_int_equal(lab->poke.restored, 1);
    assert_int_equal(lab->poke.restored_conn, 2);
    kept_take(&kept, lab->engine, 1); /* one of them waits still; neither is there twice */
    assert_int_equal(kept.learnt.n_peers, 2);
    kept_free(&kept);
    lab_peer_up(lab, "b", 2); /* told again: once is enough */
    assert_int_equal(lab->poke.restored, 1);
    lab_snapshot(lab);
    lab_peer_up(lab, "a", 1); /* it was not told: what was known of it is forgotten */
    assert_int_equal(lab->poke.restored, 1);
}

/* A text that the policy cannot use is said, and costs the instance nothing. */
static void a_bad_text(void **state)
{
    struct lab *lab = *state;
    const struct learnt_saved saved[] = {{"gone", "x"}, {"poke", "rubbish"}};
    struct learnt_peer peers[20];
    struct event event = {.type = EVENT_RESTORE};

    lab->engine = engine_free(lab->engine);
    lab_new_engine(lab);
    for (uint64_t i = 0; i < ARRAY_SIZE(peers); i++)
        peers[i] = (struct learnt_peer){.peer = "a", .conn = 20 - i, .saved = saved, .n_saved = 2};
    event.restore = (struct learnt){.node_boot = "boot", .peers = peers, .n_peers = 20};
    lab_event(lab, &event);
    lab_node_up(lab, "boot");
    for (uint64_t i = 1; i <= 20; i++)
        lab_peer_up(lab, "a", i);
    assert_int_equal(lab->poke.restored, 20);
    assert_non_null(lab_notice(lab, "restore-failed"));
    assert_null(lab_notice(lab, "trigger-closed"));
    lab_advise(lab, 20, PD_KIND_MOVED);
    expect_decision(lab, 20, VERDICT_MIGRATE);
}

/* Before the node has told it, what waits is kept for the run after this one too. */
static void two_restarts(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 1);
    lab_peer_up(lab, "b", 2);
    refuse(lab, 1);
    restart(lab);
    restart(lab);
    lab_node_up(lab, "boot");
    lab_peer_up(lab, "b", 2);
    lab_node_down(lab);
    restart_told(lab, "a", 1);
    lab_advise(lab, 1, PD_KIND_MOVED);
    expect_decision(lab, 1, VERDICT_DISABLED);
    lab_snapshot(lab);
}

static void link_lost_before_the_snapshot(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 1);
    refuse(lab, 1);
    restart(lab);
    lab_node_up(lab, "boot");
    lab_node_down(lab);
    lab_node_up(lab, "boot");
    lab_peer_up(lab, "a", 1);
    lab_snapshot(lab);
    lab_advise(lab, 1, PD_KIND_MOVED);
    expect_decision(lab, 1, VERDICT_DISABLED);
}

/* Of a file that was edited: no time in the future holds anybody for ever. */
static void impossible_values(void **state)
{
    struct lab *lab = *state;
    const struct learnt_peer peer = {
        .peer = "a",
        .conn = 1,
        .cooling_since_us = UINT64_MAX,
        .cooldown_doublings = UINT32_MAX,
        .backoff_until_us = {UINT64_MAX, UINT64_MAX},
        .backoffs = {UINT32_MAX, UINT32_MAX},
        .tokens_used = UINT32_MAX,
        .tokens_us = UINT64_MAX,
    };
    const struct learnt_name name = {"a", false, UINT64_MAX, UINT64_MAX, UINT64_MAX};
    struct event event = {
        .type = EVENT_RESTORE,
        .restore =
            {.node_boot = "boot", .peers = &peer, .n_peers = 1, .names = &name, .n_names = 1},
    };

    lab->engine = engine_free(lab->engine);
    lab_new_engine(lab);
    lab_event(lab, &event);
    lab_node_up(lab, "boot");
    lab_peer_up(lab, "a", 1);
    lab_snapshot(lab);
    lab_skip(lab);
    assert_in_range(name_reconnect_allowed_us(lab->engine, "a"), lab->now_us,
                    lab->now_us + 30 * SEC);
    lab_advise(lab, 1, PD_KIND_DEAD);
    expect_decision(lab, 1, VERDICT_BACKING_OFF);
    lab_time(lab, 30 * SEC);
    lab_advise(lab, 1, PD_KIND_DEAD);
    expect_decision(lab, 1, VERDICT_MIGRATE);
    lab_answer_ok(lab, expect_migrate(lab, 1));
    lab_time(lab, 16 * MIN);
    lab_skip(lab);
    lab_advise(lab, 1, PD_KIND_DEGRADED);
    expect_decision(lab, 1, VERDICT_MIGRATE);
}

static void no_more_than_max_peers(void **state)
{
    struct lab *lab = *state;
    struct learnt_peer *peers = memory_new(100, sizeof(*peers));
    struct event event = {.type = EVENT_RESTORE};
    struct kept kept;

    for (uint64_t i = 0; i < 100; i++)
        peers[i] = (struct learnt_peer){.peer = "a", .conn = i + 1, .disabled = true};
    event.restore = (struct learnt){.node_boot = "boot", .peers = peers, .n_peers = 100};
    lab->engine = engine_free(lab->engine);
    lab->config.max_peers = 10;
    lab_new_engine(lab);
    lab_event(lab, &event);
    kept_take(&kept, lab->engine, 1);
    assert_int_equal(kept.learnt.n_peers, 10);
    kept_free(&kept);
    free(peers);
}

/* Once a node is there, nothing from before may be laid over what was seen of it. */
static void too_late(void **state)
{
    struct lab *lab = *state;
    const struct learnt_peer peer = {.peer = "a", .conn = 1, .disabled = true};
    struct event event = {
        .type = EVENT_RESTORE,
        .restore = {.node_boot = "boot", .peers = &peer, .n_peers = 1},
    };

    lab_event(lab, &event);
    lab_peer_up(lab, "a", 1);
    lab_advise(lab, 1, PD_KIND_MOVED);
    expect_decision(lab, 1, VERDICT_MIGRATE);
}

/* In any slices the same, and nothing is different by it. */
static void in_slices(void **state)
{
    struct lab *lab = *state;
    struct kept whole, sliced;
    char name[16];

    for (uint64_t i = 1; i <= 50; i++) {
        snprintf(name, sizeof(name), "n%u", (unsigned)i);
        lab_peer_up(lab, name, i);
    }
    kept_take(&whole, lab->engine, SIZE_MAX);
    assert_int_equal(whole.learnt.n_peers, 50);
    for (size_t slice = 1; slice <= 51; slice++) {
        kept_take(&sliced, lab->engine, slice);
        assert_int_equal(sliced.learnt.n_peers, 50);
        for (size_t i = 0; i < 50; i++) {
            assert_int_equal(sliced.peers[i].conn, whole.peers[i].conn);
            assert_string_equal(sliced.peers[i].saved[0].text, whole.peers[i].saved[0].text);
        }
        kept_free(&sliced);
    }
    kept_free(&whole);
}

/* A node that does not say its boot: nothing could be found again. */
static void no_boot(void **state)
{
    struct lab *lab = *state;
    struct kept kept;

    lab_node_up(lab, "");
    lab_peer_up(lab, "a", 1);
    refuse(lab, 1);
    kept_take(&kept, lab->engine, 10);
    assert_int_equal(kept.learnt.n_peers, 0);
    kept_free(&kept);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(disabled),
        LAB_TEST(undialable),
        LAB_TEST(another_connection),
        LAB_TEST(cooling),
        LAB_TEST(backing_off),
        LAB_TEST(tokens),
        LAB_TEST(holds),
        LAB_TEST(gaps),
        LAB_TEST(triggers),
        LAB_TEST(a_bad_text),
        LAB_TEST(two_restarts),
        LAB_TEST(link_lost_before_the_snapshot),
        LAB_TEST(impossible_values),
        LAB_TEST(no_more_than_max_peers),
        LAB_TEST(too_late),
        LAB_TEST(in_slices),
        LAB_TEST(no_boot),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
