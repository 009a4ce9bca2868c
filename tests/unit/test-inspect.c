/* SPDX-License-Identifier: Apache-2.0 */
/* Questions about the engine: they foretell what the gate does, and change nothing. */
#include "engine-lab.h"
#include "engine/inspect.h"

static struct inspect_explain explain(struct lab *lab, const char *name)
{
    struct inspect_explain ret;

    assert_true(inspect_explain(lab->engine, lab->now_us, name, &ret));
    return ret;
}

/* What it says of advice that no operator and no fallback gives. */
static const struct inspect_verdict *of_kind(const struct inspect_explain *explained,
                                             enum pd_kind kind)
{
    for (size_t i = 0; i < INSPECT_QUESTIONS; i++)
        if (explained->verdicts[i].kind == kind && !explained->verdicts[i].fallback)
            return &explained->verdicts[i];
    fail();
    return NULL;
}

/* Foretells, then advises: the same, and the first row that applies. */
static void check_foretold(struct lab *lab, uint64_t conn, const char *name, enum pd_kind kind,
                           enum verdict verdict)
{
    struct inspect_explain explained = explain(lab, name);
    const struct inspect_verdict *foretold = of_kind(&explained, kind);

    assert_string_equal(verdict_name(foretold->verdict), verdict_name(verdict));
    if (foretold->applies)
        assert_int_equal(__builtin_ctz(foretold->applies), verdict);
    lab_advise(lab, conn, kind);
    expect_decision(lab, conn, verdict);
}

static void foretells(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 1);
    lab_peer_up_role(lab, "in", 2, PD_ROLE_SERVER);
    check_foretold(lab, 2, "in", PD_KIND_MOVED, VERDICT_INBOUND);
    lab_hold(lab, "a", 0);
    check_foretold(lab, 1, "a", PD_KIND_MOVED, VERDICT_HELD);
    lab_withdraw(lab, 1); /* else it is given again */
    lab_release(lab, "a");
    check_foretold(lab, 1, "a", PD_KIND_MOVED, VERDICT_MIGRATE);
    check_foretold(lab, 1, "a", PD_KIND_DEAD, VERDICT_IN_FLIGHT);
    lab_answer_ok(lab, expect_migrate(lab, 1));
    lab_skip(lab);
    lab_answer_ok(lab, 2); /* what was remembered meanwhile */
    lab_time(lab, 5 * SEC);
    lab_skip(lab);
    check_foretold(lab, 1, "a", PD_KIND_DEGRADED, VERDICT_COOLING);
    lab_observe(lab, true);
    check_foretold(lab, 1, "a", PD_KIND_MOVED, VERDICT_OBSERVING);
    lab_withdraw(lab, 1);
    lab_observe(lab, false);
    lab_node_down(lab);
    lab_skip(lab);
    check_foretold(lab, 1, "a", PD_KIND_MOVED, VERDICT_GONE);
}

/* What is open, and would be taken back; and what waits for an answer to that. */
static void what_gives_way(void **state)
{
    struct lab *lab = *state;
    uint64_t first;

    lab_peer_up(lab, "a", 1);
    assert_false(explain(lab, "a").gives_way);
    lab_operator(lab, "a", COMMAND_BY_MIGRATE);
    assert_false(explain(lab, "a").gives_way); /* an operator's does not */
    lab_answer_ok(lab, expect_migrate(lab, 1));
    lab_advise_full(lab, 1, &(struct pd_advice){.kind = PD_KIND_MOVED, .reason = "one"});
    first = expect_migrate(lab, 1);
    assert_true(explain(lab, "a").gives_way);
    assert_int_equal(explain(lab, "a").waits_for, 0);
    lab_time(lab, MS);
    lab_advise_full(lab, 1, &(struct pd_advice){.kind = PD_KIND_MOVED, .reason = "two"});
    lab_answer_error(lab, expect_migrate(lab, 1), NODE_BUSY);
    assert_int_equal(explain(lab, "a").waits_for, first);
    assert_int_equal(explain(lab, "a").peer.move, INSPECT_WAITING);
    lab_answer_error(lab, first, NODE_TIMEOUT);
    assert_int_equal(explain(lab, "a").waits_for, 0);
}

static void foretells_the_queue(void **state)
{
    struct lab *lab = *state;

    lab->config.max_in_flight = 1;
    lab_node_up(lab, "boot");
    lab_snapshot(lab);
    lab_peer_up(lab, "a", 1);
    lab_peer_up(lab, "b", 2);
    check_foretold(lab, 1, "a", PD_KIND_MOVED, VERDICT_MIGRATE);
    check_foretold(lab, 2, "b", PD_KIND_MOVED, VERDICT_QUEUED);
    assert_int_equal(explain(lab, "b").peer.move, INSPECT_QUEUED);
}

static void tokens(void **state)
{
    struct lab *lab = *state;
    struct inspect_explain explained;

    lab_peer_up(lab, "a", 1);
    assert_int_equal(explain(lab, "a").tokens, 5);
    for (unsigned i = 1; i <= 5; i++) {
        lab_migrated(lab, 1, PD_KIND_MOVED); /* it has its own */
        assert_int_equal(explain(lab, "a").moved_in_us, i < 5 ? 0 : SEC);
        lab_migrated(lab, 1, PD_KIND_DEAD);
        assert_int_equal(explain(lab, "a").tokens, 5 - i);
    }
    lab_skip(lab);
    explained = explain(lab, "a");
    assert_int_equal(explained.token_in_us, lab->config.move_refill_us);
    check_foretold(lab, 1, "a", PD_KIND_DEAD, VERDICT_DAMPED);
    assert_int_equal(explain(lab, "a").verdicts[0].verdict, VERDICT_DAMPED); /* moved */
}

/* It is asked between events: what ends meanwhile has ended. */
static void asks_for_now(void **state)
{
    struct lab *lab = *state;
    struct inspect_explain explained;

    lab_peer_up(lab, "a", 1);
    lab_migrated(lab, 1, PD_KIND_MOVED);
    lab_hold(lab, "a", 10 * SEC);
    assert_true(inspect_explain(lab->engine, lab->now_us + 9 * SEC, "a", &explained));
    assert_true(explained.peer.held);
    assert_int_equal(explained.peer.held_left_us, SEC);
    assert_int_equal(explained.cooling_left_us, 21 * SEC);
    assert_int_equal(of_kind(&explained, PD_KIND_MOVED)->verdict, VERDICT_HELD);
    assert_true(inspect_explain(lab->engine, lab->now_us + 31 * SEC, "a", &explained));
    assert_false(explained.peer.held);
    assert_int_equal(explained.cooling_left_us, 0);
    assert_int_equal(of_kind(&explained, PD_KIND_DEGRADED)->verdict, VERDICT_MIGRATE);
    /* nothing was changed by asking */
    assert_true(explain(lab, "a").peer.held);
    assert_false(inspect_explain(lab->engine, lab->now_us, "nobody", &explained));
}

static void samples(void **state)
{
    struct lab *lab = *state;
    struct inspect_peer peer;

    lab_peer_up(lab, "a", 1);
    assert_true(inspect_find(lab->engine, lab->now_us, "a", &peer));
    assert_int_equal(peer.polled_ago_us, INSPECT_NEVER);
    assert_int_equal(peer.srtt_us, PD_UNKNOWN);
    lab_row(lab, 1, "srtt=50000 samples=3 received=100 sent=70");
    assert_true(inspect_find(lab->engine, lab->now_us + 7, "a", &peer));
    assert_int_equal(peer.srtt_us, 50000);
    assert_int_equal(peer.rtt_samples, 3);
    assert_int_equal(peer.polled_ago_us, 7);
    assert_int_equal(peer.n_rtt, 1);
}

static struct inspect_peer peer_of(struct lab *lab, const char *name)
{
    struct inspect_peer peer;

    assert_true(inspect_find(lab->engine, lab->now_us, name, &peer));
    return peer;
}

static void check_condition(struct lab *lab, const char *name, enum inspect_condition condition,
                            uint64_t silent_us)
{
    struct inspect_peer peer = peer_of(lab, name);

    assert_int_equal(peer.condition, condition);
    assert_true(peer.silent_us == silent_us);
}

static void conditions(void **state)
{
    struct lab *lab = *state;
    struct inspect_tally tally = {0};

    lab_peer_up(lab, "a", 1);
    check_condition(lab, "a", INSPECT_IS_NEW, INSPECT_NEVER);
    lab_row(lab, 1, "srtt=50000 samples=3 received=100 sent=70 in_flight=0");
    check_condition(lab, "a", INSPECT_IS_UP, 0);
    lab->now_us += 2 * SEC; /* nothing was sent, and nothing came */
    lab_row(lab, 1, "srtt=50000 samples=3 received=100 sent=70 in_flight=0");
    check_condition(lab, "a", INSPECT_IS_IDLE, 2 * SEC);
    for (unsigned i = 0; i < 3; i++) { /* sent, and nothing came: not dead before three rows */
        check_condition(lab, "a", i ? INSPECT_IS_UP : INSPECT_IS_IDLE, (2 + 2 * i) * SEC);
        lab->now_us += 2 * SEC;
        lab_row(lab, 1, "srtt=50000 samples=3 received=100 sent=90 in_flight=20");
    }
    check_condition(lab, "a", INSPECT_IS_SILENT, 8 * SEC);
    inspect_tally(lab->engine, lab->now_us, 0, UINT32_MAX, &tally);
    assert_int_equal(tally.silent, 1);
    assert_int_equal(tally.unseen + tally.moving + tally.idle, 0);
    lab_row(lab, 1, "srtt=50000 samples=4 received=200 sent=90 in_flight=0");
    check_condition(lab, "a", INSPECT_IS_UP, 0);
    lab->now_us += 16 * SEC; /* three rounds, and a little */
    check_condition(lab, "a", INSPECT_IS_UP, 0);
    lab->now_us += 1;
    check_condition(lab, "a", INSPECT_IS_UNSEEN, 0); /* that it was silent is not known */
    lab_node_down(lab);
    check_condition(lab, "a", INSPECT_IS_UNREPORTED, 0);
}

/* What was moved is moving until it is known to live. */
static void moving(void **state)
{
    struct lab *lab = *state;

    lab_peer_up(lab, "a", 1);
    lab_row(lab, 1, "srtt=50000 samples=3 received=100 sent=70 in_flight=0");
    lab_advise(lab, 1, PD_KIND_MOVED);
    check_condition(lab, "a", INSPECT_IS_MOVING, 0);
    lab_answer_ok(lab, expect_migrate(lab, 1));
    check_condition(lab, "a", INSPECT_IS_MOVING, 0);
    lab->now_us += 2 * SEC;
    lab_row(lab, 1, "srtt=50000 samples=4 received=200 sent=90 in_flight=0");
    lab->now_us += SEC;
    lab_row(lab, 1, "srtt=50000 samples=5 received=300 sent=90 in_flight=0");
    check_condition(lab, "a", INSPECT_IS_UP, 0);
    lab_skip(lab);
}

static void status(void **state)
{
    struct lab *lab = *state;
    struct inspect_status reported = inspect_status(lab->engine, lab->now_us);
    struct inspect_instance instance;

    assert_true(reported.up && reported.reported);
    assert_int_equal(reported.columns, 0);
    assert_false(reported.all_held);
    lab_hold(lab, NULL, 5 * SEC);
    reported = inspect_status(lab->engine, lab->now_us + 2 * SEC);
    assert_true(reported.all_held);
    assert_int_equal(reported.held_left_us, 3 * SEC);
    assert_false(inspect_status(lab->engine, lab->now_us + 5 * SEC).all_held);
    assert_true(inspect_instance(lab->engine, 0, &instance));
    assert_true(instance.open);
    assert_false(inspect_instance(lab->engine, 1, &instance));
    lab_node_down(lab);
    reported = inspect_status(lab->engine, lab->now_us);
    assert_false(reported.up);
    assert_non_null(reported.down_reason);
}

static void pages(void **state)
{
    struct lab *lab = *state;
    struct inspect_tally tally = {0};
    struct inspect_peer peer;
    uint32_t place = 0, count = 0;
    char name[16];

    for (unsigned i = 1; i <= 10; i++) {
        snprintf(name, sizeof(name), "p%u", i);
        lab_peer_up_role(lab, name, i, i % 3 ? PD_ROLE_CLIENT : PD_ROLE_SERVER);
    }
    lab_peer_down(lab, 4); /* leaves an empty place */
    for (uint32_t end = 3; place < inspect_places(lab->engine); end += 3)
        while (inspect_next(lab->engine, lab->now_us, &place, end, &peer))
            count++;
    assert_int_equal(count, 9);
    place = 1000000;
    assert_false(inspect_next(lab->engine, lab->now_us, &place, UINT32_MAX, &peer));
    for (uint32_t begin = 0; begin < inspect_places(lab->engine); begin += 4)
        inspect_tally(lab->engine, lab->now_us, begin, begin + 4, &tally);
    assert_int_equal(tally.up, 9);
    assert_int_equal(tally.server, 3);
    assert_int_equal(tally.client, 6);
    assert_int_equal(tally.held, 0);
    lab_hold(lab, "p5", 0);
    inspect_tally(lab->engine, lab->now_us, 0, UINT32_MAX, &tally);
    assert_int_equal(tally.held, 1);
}

/* Those that no row was told of yet, and those that go over a relay, by what the node tells of
 * their paths. */
static void new_and_relayed(void **state)
{
    struct lab *lab = *state;
    const struct event_peer_up relayed = {
        .peer = "b", .conn = 2, .role = PD_ROLE_CLIENT, .migratable = true, .via = "relay-1"};
    struct event direct = {.type = EVENT_PEER_PATH, .peer_path = {.conn = 2, .via = "direct"}};
    struct inspect_tally before = {0}, after = {0};

    lab_peer_up(lab, "a", 1);
    lab_row(lab, 1, "srtt=50000 samples=3 received=100 sent=70 in_flight=0");
    lab_peer_told(lab, &relayed);
    inspect_tally(lab->engine, lab->now_us, 0, UINT32_MAX, &before);
    assert_int_equal(before.new, 1);
    assert_int_equal(before.relayed, 1);
    lab_event(lab, &direct);
    inspect_tally(lab->engine, lab->now_us, 0, UINT32_MAX, &after);
    assert_int_equal(after.relayed, 0);
    assert_int_equal(after.new, 1);
}

/* Backwards, every record once, also those of the last turn; of a full ring too. */
static void records(void **state)
{
    struct lab *lab = *state;
    const struct record *record;
    uint64_t before = 0, last = UINT64_MAX;
    uint64_t decisions = 0, newest = 0;

    lab->config.decisions_kept = 8;
    lab_end(lab);
    lab_init(lab);
    lab->config.decisions_kept = 8;
    lab_begin(lab);
    assert_null(inspect_record(lab->engine, &before));
    lab_peer_up_role(lab, "a", 1, PD_ROLE_SERVER);
    for (unsigned i = 1; i <= 20; i++) {
        lab_operator(lab, "a", COMMAND_BY_DEFAULT); /* refused, and said each time */
        newest = 0;
        record = inspect_record(lab->engine, &newest);
        assert_non_null(record);
        assert_int_equal(record->decision.decision, i);
        assert_int_equal(newest, i);
    }
    before = 0;
    while ((record = inspect_record(lab->engine, &before))) {
        assert_true(before < last);
        last = before;
        assert_int_equal(record->decision.decision, 20 - decisions);
        decisions++;
    }
    assert_in_range(decisions, 8, 9); /* those of the last turn are kept besides */
    before = 12;
    assert_null(inspect_record(lab->engine, &before));
}

/* A node that restarts takes many connections down in one turn: their records take no
 * room from those of moves. */
static void records_of_moves_among_many_others(void **state)
{
    struct lab *lab = *state;
    const struct record *record;
    uint64_t newest = 0;
    char name[16];

    lab_end(lab);
    lab_init(lab);
    lab->config.decisions_kept = 3;
    lab_begin(lab);
    for (unsigned i = 1; i <= 6; i++) {
        snprintf(name, sizeof(name), "p%u", i);
        lab_peer_up(lab, name, i);
    }
    lab_migrated(lab, 1, PD_KIND_MOVED);
    lab_node_down(lab);
    lab_node_up(lab, "another");
    for (unsigned turn = 0; turn < 2; turn++) { /* in the outbox, then in the ring */
        newest = 0;
        record = inspect_record(lab->engine, &newest);
        assert_non_null(record);
        assert_int_equal(record->type, RECORD_EFFECT);
        assert_int_equal(newest, 3);
        lab_snapshot(lab);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(foretells),
        LAB_TEST(what_gives_way),
        LAB_TEST(foretells_the_queue),
        LAB_TEST(tokens),
        LAB_TEST(asks_for_now),
        LAB_TEST(samples),
        LAB_TEST(conditions),
        LAB_TEST(moving),
        LAB_TEST(status),
        LAB_TEST(pages),
        LAB_TEST(new_and_relayed),
        LAB_TEST(records),
        LAB_TEST(records_of_moves_among_many_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
