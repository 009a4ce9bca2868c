/* SPDX-License-Identifier: Apache-2.0 */
/* How requests end: names, retries, what is learnt, a socket that closes. */
#include "engine-lab.h"

static uint64_t asked(struct lab *lab, enum pd_kind kind)
{
    lab_peer_up(lab, "a", 17);
    lab_advise(lab, 17, kind);
    expect_decision(lab, 17, VERDICT_MIGRATE);
    return expect_migrate(lab, 17);
}

static void migrated(void **state)
{
    struct lab *lab = *state;
    const struct record_outcome *outcome;
    uint64_t request = asked(lab, PD_KIND_MOVED);

    lab_time(lab, 41200);
    lab_answer_ok(lab, request);
    outcome = expect_outcome(lab, 17, OUTCOME_MIGRATED);
    assert_int_equal(outcome->decision, 1);
    assert_int_equal(outcome->request, request);
    assert_int_equal(outcome->attempt, 1);
    assert_int_equal(outcome->by, BY_MIGRATE);
    assert_int_equal(outcome->elapsed_us, 41200);
    assert_true(outcome->validated);
    assert_string_equal(outcome->local_before->s, "10.0.1.2:40001");
    assert_string_equal(outcome->local_after->s, "10.0.2.2:51313");
    assert_int_equal(outcome->conn_new, 0);
    assert_int_equal(outcome->error_code, 0);
    assert_null(outcome->error_message);
    assert_int_equal(lab->poke.changes[PD_PEER_MIGRATED], 1);
}

/* The node told the new path before it answered. */
static void path_told_first(void **state)
{
    struct lab *lab = *state;
    const struct record_outcome *outcome;
    uint64_t request = asked(lab, PD_KIND_MOVED);

    lab_event(lab, &(struct event){
                       .type = EVENT_PEER_PATH,
                       .peer_path = {.conn = 17, .local = "10.0.2.2:51313"},
                   });
    lab_answer_ok(lab, request);
    outcome = expect_outcome(lab, 17, OUTCOME_MIGRATED);
    assert_string_equal(outcome->local_before->s, "10.0.1.2:40001");
    assert_string_equal(outcome->local_after->s, "10.0.2.2:51313");
}

/* What the node reports of the new path, before its answer or after it; NULL: nothing. */
static void expect_bound(const char *before, const char *after, const char *expected)
{
    struct lab lab;
    uint64_t request;

    lab_init(&lab);
    lab.features |= NODE_BIND;
    lab_begin(&lab);
    lab_peer_told(&lab, &(struct event_peer_up){.peer = "a",
                                                .conn = 17,
                                                .local = "10.0.1.2:40001",
                                                .migratable = true,
                                                .interface = "up0"});
    lab_command(&lab, &(struct event_command){
                          .type = COMMAND_MOVE, .peer = "a", .interface = "up2", .who = "uid 7"});
    request = expect_migrate(&lab, 17);
    if (before)
        lab_event(&lab,
                  &(struct event){
                      .type = EVENT_PEER_PATH,
                      .peer_path = {.conn = 17, .local = "10.0.2.2:51313", .interface = before}});
    lab_answer_ok(&lab, request);
    if (after)
        lab_event(&lab, &(struct event){.type = EVENT_PEER_PATH,
                                        .peer_path = {.conn = 17, .interface = after}});
    assert_string_equal(lab_peer(&lab, 17)->view.path->interface, expected);
    lab_end(&lab);
}

static void the_node_says_to_which_interface(void **state)
{
    (void)state;
    expect_bound(NULL, NULL, "up2"); /* it does not: what was asked for has to do */
    expect_bound("up2", NULL, "up2");
    expect_bound("up1", NULL, "up1");
    expect_bound(NULL, "up1", "up1");
}

static void codes(void **state)
{
    static const struct {
        int64_t code;
        enum outcome outcome;
    } cases[] = {
        {NODE_NOT_CONNECTED, OUTCOME_GONE},
        {NODE_NO_CONN, OUTCOME_GONE},
        {NODE_PEER_DISABLE_MIGRATION, OUTCOME_DISABLED},
        {NODE_TIMEOUT, OUTCOME_TIMEOUT},
        {NODE_NOT_MIGRATABLE, OUTCOME_NOT_MIGRATABLE},
        {NODE_BUSY, OUTCOME_BUSY},
        {NODE_NO_PATH, OUTCOME_NO_PATH},
        {NODE_UNKNOWN_VIA, OUTCOME_FAILED},
        {NODE_DIAL_FAILED, OUTCOME_DIAL_FAILED},
        {NODE_OLD_LIVES, OUTCOME_FAILED}, /* to a migrate */
        {NODE_CANCELLED, OUTCOME_FAILED}, /* of what was not taken back */
        {-32603, OUTCOME_FAILED},
        {0, OUTCOME_FAILED},
        {5, OUTCOME_FAILED},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct record_outcome *outcome;
        struct lab lab;

        lab_init(&lab);
        lab_begin(&lab);
        lab_answer_error(&lab, asked(&lab, PD_KIND_DEGRADED), cases[i].code);
        outcome = expect_outcome(&lab, 17, cases[i].outcome);
        assert_int_equal(outcome->error_code, cases[i].code);
        assert_string_equal(outcome->error_message->s, "no");
        assert_false(outcome->validated);
        assert_null(outcome->local_after);
        assert_int_equal((lab_notice(&lab, "unknown-via") != NULL),
                         cases[i].code == NODE_UNKNOWN_VIA);
        expect_no_move(&lab);
        lab_time(&lab, 5 * MIN);
        expect_no_move(&lab); /* degraded: one request */
        lab_end(&lab);
    }
}

static void malformed(void **state)
{
    struct lab *lab = *state;

    lab_answer(lab,
               &(struct event_answer){.request = asked(lab, PD_KIND_MOVED), .malformed = true});
    expect_outcome(lab, 17, OUTCOME_FAILED);
    lab_time(lab, 100 * MS);
    expect_migrate(lab, 17);
}

/* busy, no-path, failed: again after 100 ms, 400 ms, … `retries` times. */
static void retried(void **state)
{
    static const int64_t codes[] = {NODE_BUSY, NODE_NO_PATH, -32603};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
        struct lab lab;
        uint64_t wait_us = 100 * MS, request;

        lab_init(&lab);
        lab.config.retries = 3;
        lab_begin(&lab);
        request = asked(&lab, i % 2 ? PD_KIND_MOVED : PD_KIND_DEAD);
        for (uint32_t attempt = 1; attempt <= 3; attempt++, wait_us *= 4) {
            lab_answer_error(&lab, request, codes[i]);
            assert_int_equal(lab.records[lab.n_records - 1].outcome.attempt, attempt);
            assert_int_equal(lab.records[lab.n_records - 1].outcome.decision, 1);
            assert_int_equal(engine_counts(lab.engine).retrying, 1);
            lab_time(&lab, wait_us - 1);
            expect_no_move(&lab);
            lab_time(&lab, 1);
            request = expect_migrate(&lab, 17);
            assert_int_equal(request, attempt + 1);
        }
        lab_answer_error(&lab, request, codes[i]);
        assert_int_equal(engine_counts(lab.engine).retrying, 0);
        lab_time(&lab, 2 * SEC);
        expect_no_move(&lab);
        if (i % 2) /* until it is asked again */
            expect_decision(&lab, 17, VERDICT_BACKING_OFF);
        expect_no_decision(&lab); /* all of it was one decision */
        lab_end(&lab);
    }
}

static void never_retried(void **state)
{
    static const int64_t codes[] = {NODE_NOT_CONNECTED,  NODE_NO_CONN,
                                    NODE_NOT_MIGRATABLE, NODE_PEER_DISABLE_MIGRATION,
                                    NODE_UNKNOWN_VIA,    NODE_DIAL_FAILED};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
        struct lab lab;

        lab_init(&lab);
        lab_begin(&lab);
        lab_answer_error(&lab, asked(&lab, PD_KIND_MOVED), codes[i]);
        lab_time(&lab, 2 * SEC);
        expect_no_move(&lab);
        lab_end(&lab);
    }
}

static void timeout_doubles(void **state)
{
    struct lab *lab = *state;
    const struct lab_action *action;
    uint32_t timeout_ms = 5000;

    lab->config.retries = 5;
    lab_peer_up(lab, "a", 17);
    lab_advise(lab, 17, PD_KIND_MOVED);
    for (unsigned i = 0; i < 6; i++) {
        action = lab_next_move(lab);
        assert_non_null(action); /* at once */
        assert_int_equal(action->timeout_ms, timeout_ms);
        lab_answer_error(lab, action->request, NODE_TIMEOUT);
        timeout_ms = timeout_ms * 2 > 30000 ? 30000 : timeout_ms * 2;
    }
    expect_no_move(lab);
}

static void unanswered(void **state)
{
    struct lab *lab = *state;
    uint64_t request = asked(lab, PD_KIND_MOVED);

    lab_time(lab, 6 * SEC - 1);
    expect_no_outcome(lab);
    lab_time(lab, 1);
    assert_int_equal(expect_outcome(lab, 17, OUTCOME_UNANSWERED)->elapsed_us, 6 * SEC);
    lab_time(lab, 100 * MS);
    assert_int_equal(expect_migrate(lab, 17), request + 1);
    /* late: changes nothing, but is learnt from, once */
    lab_answer_error(lab, request, NODE_BUSY);
    expect_no_outcome(lab);
    assert_int_equal(engine_counts(lab->engine).open, 1);
    assert_int_equal(engine_counts(lab->engine).ignored, 0);
    lab_answer_error(lab, request, NODE_NOT_MIGRATABLE);
    assert_int_equal(engine_counts(lab->engine).ignored, 1);
    assert_false(lab_peer(lab, 17)->disabled);
}

static void late_is_learnt_from(void **state)
{
    struct lab *lab = *state;
    uint64_t request = asked(lab, PD_KIND_MOVED);

    lab_time(lab, 6 * SEC);
    expect_outcome(lab, 17, OUTCOME_UNANSWERED);
    lab_answer_error(lab, request, NODE_PEER_DISABLE_MIGRATION);
    lab_time(lab, 10 * SEC); /* so the retry that was due is not made */
    expect_no_move(lab);
    lab_advise(lab, 17, PD_KIND_MOVED);
    expect_decision(lab, 17, VERDICT_DISABLED);
}

static void late_migrated(void **state)
{
    struct lab *lab = *state;
    uint64_t request = asked(lab, PD_KIND_DEGRADED);

    lab_time(lab, 6 * SEC);
    lab_answer_ok(lab, request);
    assert_int_equal(lab->poke.changes[PD_PEER_MIGRATED], 1);
    assert_string_equal(lab_peer(lab, 17)->view.path->local_text, "10.0.2.2:51313");
    expect_outcome(lab, 17, OUTCOME_UNANSWERED);
    expect_no_outcome(lab);
    expect_no_effect(lab);
}

static void unknown_and_twice(void **state)
{
    struct lab *lab = *state;
    uint64_t request = asked(lab, PD_KIND_MOVED);

    lab_answer_ok(lab, 99);
    lab_answer_ok(lab, 0);
    assert_int_equal(engine_counts(lab->engine).ignored, 2);
    lab_answer_ok(lab, request);
    lab_answer_error(lab, request, NODE_NOT_MIGRATABLE);
    assert_int_equal(engine_counts(lab->engine).ignored, 3);
    expect_outcome(lab, 17, OUTCOME_MIGRATED);
    expect_no_outcome(lab);
    assert_false(lab_peer(lab, 17)->disabled);
}

static void cached_until_the_connection_ends(void **state)
{
    struct lab *lab = *state;

    lab_answer_error(lab, asked(lab, PD_KIND_MOVED), NODE_PEER_DISABLE_MIGRATION);
    lab_peer_up(lab, "a", 17); /* told again: still the same connection */
    lab_advise(lab, 17, PD_KIND_MOVED);
    expect_decision(lab, 17, VERDICT_DISABLED);
    lab_operator(lab, "a", COMMAND_BY_RECONNECT); /* another thing */
    expect_decision(lab, 17, VERDICT_RECONNECT);
    lab_peer_up(lab, "a", 18);
    lab_answer_conn(lab, expect_reconnect(lab, 17), 18);
    lab_advise(lab, 18, PD_KIND_MOVED);
    expect_decision(lab, 18, VERDICT_MIGRATE);
}

static void gone_with_its_connection(void **state)
{
    struct lab *lab = *state;

    asked(lab, PD_KIND_MOVED);
    lab_peer_down(lab, 17);
    expect_outcome(lab, 17, OUTCOME_GONE);
    assert_int_equal(engine_counts(lab->engine).open, 0);
}

/* ---- reconnects ---- */

static void reconnecting(struct lab *lab)
{
    lab_peer_up(lab, "a", 17);
    lab_operator(lab, "a", COMMAND_BY_RECONNECT);
    expect_decision(lab, 17, VERDICT_RECONNECT);
    expect_reconnect(lab, 17);
}

static void reconnected(void **state)
{
    struct lab *lab = *state;
    const struct record_outcome *outcome;

    reconnecting(lab);
    lab_peer_down(lab, 17); /* by ourselves: does not end it */
    expect_no_outcome(lab);
    assert_int_equal(engine_counts(lab->engine).open, 1);
    lab_peer_up(lab, "a", 31);
    lab_advise(lab, 31, PD_KIND_DEGRADED);
    expect_decision(lab, 31, VERDICT_IN_FLIGHT);
    lab_answer_conn(lab, 1, 31);
    outcome = expect_outcome(lab, 17, OUTCOME_RECONNECTED);
    assert_int_equal(outcome->conn_new, 31);
    assert_int_equal(outcome->by, BY_RECONNECT);
    assert_string_equal(outcome->local_before->s, "10.0.1.2:40001");
}

static void reconnected_in_any_order(void **state)
{
    struct lab *lab = *state;

    reconnecting(lab);
    lab_answer_conn(lab, 1, 31);
    assert_int_equal(expect_outcome(lab, 17, OUTCOME_RECONNECTED)->conn_new, 31);
    lab_peer_up(lab, "a", 31);
    lab_peer_down(lab, 17);
    lab_fresh(lab, 31, 10000);
    expect_effect(lab, 31, EFFECT_BETTER);
    assert_int_equal(engine_counts(lab->engine).effects, 0);
}

static void closed_but_not_dialled(void **state)
{
    struct lab *lab = *state;

    reconnecting(lab);
    lab_peer_down(lab, 17);
    lab_answer_error(lab, 1, NODE_DIAL_FAILED);
    expect_outcome(lab, 17, OUTCOME_DIAL_FAILED);
    lab_peer_up(lab, "a", 31); /* the node goes on by its own rules */
    lab_advise(lab, 31, PD_KIND_DEGRADED);
    expect_decision(lab, 31, VERDICT_MIGRATE);
}

static void closed_and_unanswered(void **state)
{
    struct lab *lab = *state;

    reconnecting(lab);
    lab_peer_down(lab, 17);
    lab_time(lab, 6 * SEC);
    expect_outcome(lab, 17, OUTCOME_UNANSWERED);
    assert_int_equal(engine_counts(lab->engine).open, 0);
}

/* ---- the node's socket closes ---- */

static void back(struct lab *lab, const char *boot)
{
    lab_node_up(lab, boot);
    lab_peer_up(lab, "a", 17);
    expect_no_move(lab); /* not before the snapshot */
    lab_snapshot(lab);
    lab_time(lab, 1);
}

static void link_lost_once_more(void **state)
{
    struct lab *lab = *state;

    asked(lab, PD_KIND_MOVED);
    lab_node_down(lab);
    assert_int_equal(expect_outcome(lab, 17, OUTCOME_LINK_LOST)->attempt, 1);
    back(lab, "boot");
    assert_int_equal(expect_migrate(lab, 17), 2);
    lab_node_down(lab);
    assert_int_equal(expect_outcome(lab, 17, OUTCOME_LINK_LOST)->attempt, 2);
    back(lab, "boot");
    expect_no_move(lab); /* once */
    expect_no_decision(lab);
}

static void link_lost_other_boot(void **state)
{
    struct lab *lab = *state;

    asked(lab, PD_KIND_MOVED);
    lab_node_down(lab);
    back(lab, "another");
    expect_no_move(lab);
    assert_int_equal(engine_counts(lab->engine).retrying, 0);
}

static void link_lost_not_told_again(void **state)
{
    struct lab *lab = *state;

    asked(lab, PD_KIND_MOVED);
    lab_node_down(lab);
    lab_node_up(lab, "boot");
    lab_snapshot(lab);
    lab_time(lab, SEC);
    expect_no_move(lab);
    assert_null(lab_peer(lab, 17));
}

static void link_lost_degraded(void **state)
{
    struct lab *lab = *state;

    asked(lab, PD_KIND_DEGRADED);
    lab_node_down(lab);
    expect_outcome(lab, 17, OUTCOME_LINK_LOST);
    back(lab, "boot");
    expect_no_move(lab);
    lab_time(lab, 2 * SEC);
    lab_advise(lab, 17, PD_KIND_DEGRADED);
    expect_decision(lab, 17, VERDICT_BACKING_OFF);
}

/* The last token is used up: what came meanwhile would have to wait for the next one, and a
 * further attempt of what is under way need not. */
static void retried_where_the_remembered_is_damped(void **state)
{
    struct lab *lab = *state;
    uint64_t request;

    lab_peer_up(lab, "a", 17);
    for (unsigned i = 1; i < lab->config.move_burst; i++)
        lab_migrated(lab, 17, PD_KIND_MOVED);
    lab_skip(lab);
    lab_advise(lab, 17, PD_KIND_MOVED);
    request = expect_migrate(lab, 17);
    lab_advise(lab, 17, PD_KIND_MOVED);
    lab_skip(lab);
    lab_answer_error(lab, request, NODE_BUSY);
    lab_time(lab, 100 * MS);
    request = expect_migrate(lab, 17);
    lab_answer_ok(lab, request);
    expect_decision(lab, 17, VERDICT_DAMPED); /* the remembered one */
    lab_time(lab, lab->config.move_refill_us);
    expect_migrate(lab, 17);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        LAB_TEST(retried_where_the_remembered_is_damped),
        LAB_TEST(migrated),
        LAB_TEST(path_told_first),
        cmocka_unit_test(the_node_says_to_which_interface),
        cmocka_unit_test(codes),
        LAB_TEST(malformed),
        cmocka_unit_test(retried),
        cmocka_unit_test(never_retried),
        LAB_TEST(timeout_doubles),
        LAB_TEST(unanswered),
        LAB_TEST(late_is_learnt_from),
        LAB_TEST(late_migrated),
        LAB_TEST(unknown_and_twice),
        LAB_TEST(cached_until_the_connection_ends),
        LAB_TEST(gone_with_its_connection),
        LAB_TEST(reconnected),
        LAB_TEST(reconnected_in_any_order),
        LAB_TEST(closed_but_not_dialled),
        LAB_TEST(closed_and_unanswered),
        LAB_TEST(link_lost_once_more),
        LAB_TEST(link_lost_other_boot),
        LAB_TEST(link_lost_not_told_again),
        LAB_TEST(link_lost_degraded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
