/* SPDX-License-Identifier: Apache-2.0 */
/* What is known of an uplink: which failures speak against it, and when it is tried again. */
#include "engine-lab.h"

#include "engine/inspect.h"

static const struct uplink_config sections[] = {
    {"home", "up0", UPLINK_PRIMARY},
    {"lte", "wwan0", UPLINK_METERED},
};

static void host(struct lab *lab, bool home)
{
    const struct event_interface list[] = {
        {"up0", "10.0.0.2", home, false, true, false},
        {"wwan0", "10.9.0.7", true, true, true, false},
    };

    lab_event(lab, &(struct event){.type = EVENT_INTERFACES, .interfaces = {list, 2}});
}

static int setup(void **state)
{
    struct lab *lab = memory_new(1, sizeof(*lab));

    lab_init(lab);
    lab->config.uplinks = sections;
    lab->config.n_uplinks = ARRAY_SIZE(sections);
    lab->config.fallback = FALLBACK_OFF;
    lab->features = NODE_BIND;
    lab_begin(lab);
    host(lab, true);
    *state = lab;
    return 0;
}

static void on_home(struct lab *lab, const char *name, uint64_t conn)
{
    lab_peer_told(lab, &(struct event_peer_up){.peer = name,
                                               .conn = conn,
                                               .local = "10.0.0.2:9",
                                               .remote = "192.0.2.1:443",
                                               .migratable = true});
}

static struct inspect_uplink uplink(const struct lab *lab, const char *name)
{
    struct inspect_uplink found;

    assert_true(inspect_uplink_find(lab->engine, lab->now_us, name, &found));
    return found;
}

/* The next request names this interface. */
static uint64_t asked(struct lab *lab, const char *interface)
{
    const struct lab_action *move = lab_next_move(lab);

    assert_non_null(move);
    assert_string_equal(move->interface, interface);
    return move->request;
}

static void moved(struct lab *lab, uint64_t request, const char *local)
{
    lab_answer(lab, &(struct event_answer){
                        .request = request, .ok = true, .validated = true, .local = local});
}

/* Requests that were on their way together fail for the same cause: it counts once. */
static void one_fault_is_one_penalty(void **state)
{
    struct lab *lab = *state;
    uint64_t requests[4];

    for (uint64_t i = 0; i < ARRAY_SIZE(requests); i++) {
        const char *const names[] = {"a", "b", "c", "d"};

        on_home(lab, names[i], i + 1);
    }
    lab_time(lab, 10 * SEC);
    for (uint64_t i = 0; i < ARRAY_SIZE(requests); i++) {
        lab_advise(lab, i + 1, PD_KIND_DEAD);
        requests[i] = asked(lab, "wwan0");
    }
    lab_time(lab, 2 * SEC);
    for (uint64_t i = 0; i < ARRAY_SIZE(requests); i++)
        lab_answer_error(lab, requests[i], NODE_TIMEOUT);
    assert_int_equal(uplink(lab, "lte").penalty_us, 8 * SEC);
    /* one that began later is another */
    lab_time(lab, 9 * SEC);
    assert_int_equal(uplink(lab, "lte").penalty_us, 0);
}

/* What gets a new port where it is and fails, was silent before: nothing new is learnt. */
static void a_new_port_is_no_penalty(void **state)
{
    struct lab *lab = *state;

    on_home(lab, "a", 1);
    lab_time(lab, 10 * SEC);
    lab_advise(lab, 1, PD_KIND_DEAD);
    moved(lab, asked(lab, "wwan0"), "10.9.0.7:9");
    host(lab, false);
    lab_time(lab, 60 * SEC);
    lab_advise(lab, 1, PD_KIND_DEAD);
    lab_answer_error(lab, asked(lab, "wwan0"), NODE_TIMEOUT);
    assert_int_equal(uplink(lab, "lte").penalty_us, 0);
}

/* Seconds until it is asked to go home, which it cannot; it is heard where it is. */
static unsigned fails_to_return(struct lab *lab)
{
    for (unsigned seconds = 1; seconds < 300; seconds++) {
        const struct lab_action *move;

        lab_time(lab, SEC);
        lab_fresh(lab, 1, 30 * MS);
        move = lab_next_move(lab);
        if (!move)
            continue;
        assert_string_equal(move->interface, "up0");
        lab_answer_error(lab, move->request, NODE_TIMEOUT);
        return seconds;
    }
    return 300;
}

/* Without probes one connection tries; where that fails, the next try waits for twice as long. */
static void a_failed_return_waits(void **state)
{
    struct lab *lab = *state;
    unsigned first;

    on_home(lab, "a", 1);
    lab_time(lab, 10 * SEC);
    lab_advise(lab, 1, PD_KIND_DEAD);
    moved(lab, asked(lab, "wwan0"), "10.9.0.7:9");
    first = fails_to_return(lab);
    assert_in_range(first, 15, 60); /* its cool-down is over, too */
    assert_in_range(fails_to_return(lab), 29, 33);
    assert_in_range(fails_to_return(lab), 59, 63);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_fault_is_one_penalty, setup, lab_teardown),
        cmocka_unit_test_setup_teardown(a_new_port_is_no_penalty, setup, lab_teardown),
        cmocka_unit_test_setup_teardown(a_failed_return_waits, setup, lab_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
