/* SPDX-License-Identifier: Apache-2.0 */
/* engine/uplinks/choose.[ch]: what waited is asked for only where there is still a sense in it. */
#include "uplinks-lab.h"

static const struct uplink_config sections[] = {
    {"home", "up0", UPLINK_PRIMARY},
    {"lte", "wwan0", UPLINK_METERED},
};

static void peer(struct lab *lab, const char *name, uint64_t conn, const char *local)
{
    lab_peer_told(lab, &(struct event_peer_up){.peer = name,
                                               .conn = conn,
                                               .local = local,
                                               .remote = "192.0.2.1:443",
                                               .migratable = true});
}

static int setup(void **state)
{
    static const struct event_interface list[] = {
        {"up0", "10.0.0.2", true, false, true, false},
        {"wwan0", "10.9.0.7", true, true, true, false},
    };
    struct lab *lab = memory_new(1, sizeof(*lab));

    lab_init(lab);
    lab->config.uplinks = sections;
    lab->config.n_uplinks = ARRAY_SIZE(sections);
    lab->config.max_in_flight = 1;
    lab->config.migrate_timeout_us = lab->config.timeout_max_us = 5 * MIN;
    lab->features = NODE_BIND;
    lab_begin(lab);
    lab_event(lab,
              &(struct event){.type = EVENT_INTERFACES, .interfaces = {list, ARRAY_SIZE(list)}});
    peer(lab, "a", 1, "10.0.0.2:9");
    peer(lab, "b", 2, "10.5.5.5:9"); /* on none of them */
    lab_time(lab, 10 * SEC);
    lab_advise(lab, 1, PD_KIND_DEAD);
    lab_answer(lab, &(struct event_answer){.request = lab_next_move(lab)->request,
                                           .ok = true,
                                           .validated = true,
                                           .local = "10.9.0.7:9"});
    *state = lab;
    return 0;
}

static enum verdict next_return(struct lab *lab)
{
    const struct record *record;

    while ((record = lab_next(lab, RECORD_DECISION)))
        if (!strcmp(record->decision.trigger, "return"))
            return record->decision.verdict;
    return VERDICT_COUNT;
}

/* The budget is used up by the other connection, so the return waits in the queue. */
static uint64_t wait_in_queue(struct lab *lab)
{
    enum verdict verdict = VERDICT_COUNT;
    uint64_t open;

    lab_operator(lab, "b", COMMAND_BY_MIGRATE);
    open = lab_next_move(lab)->request;
    for (unsigned i = 0; i < 120 && verdict == VERDICT_COUNT; i++) {
        lab_time(lab, SEC);
        lab_fresh(lab, 1, 30 * MS);
        verdict = next_return(lab);
    }
    assert_int_equal(verdict, VERDICT_QUEUED);
    return open;
}

static void a_return_waits_for_the_budget(void **state)
{
    struct lab *lab = *state;

    lab_answer_ok(lab, wait_in_queue(lab));
    assert_int_equal(next_return(lab), VERDICT_MIGRATE);
    assert_string_equal(lab_next_move(lab)->interface, "up0");
}

static void no_return_is_wanted_any_more(void **state)
{
    struct lab *lab = *state;
    uint64_t open = wait_in_queue(lab);

    lab->next[0] = lab->config;
    lab->next[0].returns = RETURN_NEVER;
    assert_int_equal(engine_configure(lab->engine, &lab->next[0]), 0);
    lab_command(lab, &(struct event_command){.type = COMMAND_CONFIG});
    lab_answer_ok(lab, open);
    assert_int_equal(next_return(lab), VERDICT_SUPERSEDED);
    assert_null(lab_next_move(lab));
}

/* What waited cannot wait for probes, too: it goes where it can. */
static void its_target_went_while_it_waited(void **state)
{
    struct lab *lab = *state;
    uint64_t open;
    size_t since;

    uplinks_peer(lab, 2, ON_HOME);
    lab_operator(lab, "p2", COMMAND_BY_MIGRATE);
    open = lab_next_move(lab)->request;
    since = lab->n_actions;
    uplinks_dead(lab, 1);
    uplinks_probed(lab, uplinks_find_probe(lab, since, "up1"), 20 * MS);
    assert_int_equal(engine_counts(lab->engine).queued, 1);
    uplinks_host(lab, "up1");
    uplinks_time(lab, 30 * SEC); /* what was asked of the others is old by now */
    lab_answer_ok(lab, open);
    expect_move_over(lab, 1, "up2");
}

static int setup_waiting(void **state)
{
    struct lab *lab = memory_new(1, sizeof(*lab));

    uplinks_init(lab, PROBES);
    lab->config.max_in_flight = 1;
    lab->config.migrate_timeout_us = lab->config.timeout_max_us = 5 * MIN;
    uplinks_begin(lab);
    *state = lab;
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_return_waits_for_the_budget, setup, lab_teardown),
        cmocka_unit_test_setup_teardown(no_return_is_wanted_any_more, setup, lab_teardown),
        cmocka_unit_test_setup_teardown(its_target_went_while_it_waited, setup_waiting,
                                        lab_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
