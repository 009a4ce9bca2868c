/* SPDX-License-Identifier: Apache-2.0 */
/* The uplinks: of the configuration, or learned; how they are, and which connection uses which. */
#include "engine-lab.h"

#include "engine/uplinks/uplinks.h"
#include "util/address.h"

static const struct uplink_config sections[] = {
    {"home", "up0", UPLINK_PRIMARY},
    {"lte", "wwan0", UPLINK_METERED},
};

static void host(struct lab *lab, const struct event_interface *list, size_t n)
{
    lab_event(lab, &(struct event){.type = EVENT_INTERFACES, .interfaces = {list, n}});
}

static void configure(struct lab *lab, const struct uplink_config *uplinks, size_t n)
{
    struct engine_config *next = &lab->next[lab->engine->config == &lab->next[0]];

    *next = lab->config;
    next->uplinks = uplinks;
    next->n_uplinks = n;
    assert_int_equal(engine_configure(lab->engine, next), 0);
    lab_command(lab, &(struct event_command){.type = COMMAND_CONFIG});
}

static const struct uplink *named(const struct lab *lab, const char *name)
{
    return uplinks_find(lab->engine, name);
}

static const char *of(const struct lab *lab, const char *local, const char *interface)
{
    struct pd_path path = {.interface = interface};
    const struct uplink *uplink;

    assert_int_equal(address_parse(local, &path.local), 0);
    uplink = uplinks_of(lab->engine, &path);
    return uplink ? uplink->name->s : "none";
}

static void learned(void **state)
{
    struct lab *lab = *state;
    const struct event_interface both[] = {
        {"eth0", "10.0.0.2 2001:db8::2", true, false, true, false},
        {"wwan0", "10.9.0.7", true, true, true, false},
    };

    assert_null(named(lab, "eth0"));
    host(lab, both, 2);
    assert_int_equal(named(lab, "eth0")->class, UPLINK_SPARE);
    assert_int_equal(named(lab, "wwan0")->class, UPLINK_METERED);
    assert_false(named(lab, "eth0")->configured);
    assert_int_equal(named(lab, "eth0")->condition, UPLINK_UP);
    assert_true(named(lab, "eth0")->route4);
    assert_false(named(lab, "eth0")->route6);
    assert_int_equal(named(lab, "eth0")->n_addresses, 2);
    host(lab, both, 1);
    assert_null(named(lab, "wwan0"));
    host(lab, NULL, 0);
    assert_int_equal(lab->engine->uplinks.n, 0);
}

static void configured(void **state)
{
    struct lab *lab = *state;
    const struct event_interface up0[] = {{"up0", "10.0.0.2", true, false, true, false},
                                          {"eth7", "10.0.7.2", true, false, true, false}};

    host(lab, up0, 2);
    configure(lab, sections, 2);
    assert_int_equal(lab->engine->uplinks.n, 2); /* eth7 has no section */
    assert_string_equal(named(lab, "home")->interface->s, "up0");
    assert_ptr_equal(named(lab, "up0"), named(lab, "home"));
    assert_int_equal(named(lab, "home")->condition, UPLINK_UP);
    assert_int_equal(named(lab, "lte")->condition, UPLINK_ABSENT); /* it may come */
    assert_int_equal(named(lab, "lte")->class, UPLINK_METERED);
    configure(lab, NULL, 0);
    assert_non_null(named(lab, "eth7"));
    assert_null(named(lab, "home"));
}

static void conditions(void **state)
{
    struct lab *lab = *state;
    static const struct {
        struct event_interface has;
        enum uplink_condition condition;
    } steps[] = {
        {{"up0", "", false, false, false, false}, UPLINK_NO_CARRIER},
        {{"up0", "10.0.0.2", false, false, true, false}, UPLINK_NO_CARRIER},
        {{"up0", "", true, false, true, false}, UPLINK_NO_ADDRESS},
        {{"up0", "no-address", true, false, true, false}, UPLINK_NO_ADDRESS},
        {{"up0", "10.0.0.2", true, false, false, false}, UPLINK_NO_ROUTE},
        {{"up0", "10.0.0.2", true, false, false, true}, UPLINK_UP},
    };

    configure(lab, sections, 2);
    assert_int_equal(named(lab, "home")->condition, UPLINK_ABSENT);
    for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
        lab_time(lab, SEC);
        host(lab, &steps[i].has, 1);
        assert_int_equal(named(lab, "home")->condition, steps[i].condition);
    }
    /* since when: not what changed beside it */
    lab_time(lab, 7 * SEC);
    host(lab, &(struct event_interface){"up0", "10.0.0.3", true, false, true, true}, 1);
    assert_int_equal(lab->engine->now_us - named(lab, "home")->is.since_us, 7 * SEC);
    lab_time(lab, SEC);
    configure(lab, sections, 1);
    assert_int_equal(lab->engine->now_us - named(lab, "home")->is.since_us, 8 * SEC);
}

static void hold(struct lab *lab, const char *name)
{
    lab_command(lab, &(struct event_command){.type = COMMAND_HOLD, .uplink = name});
}

/* What is remembered is the interface's: it stays under another name, in another place and class,
 * with sections and without. */
static void under_another_name(void **state)
{
    struct lab *lab = *state;
    static const struct uplink_config renamed[] = {
        {"mobile", "wwan0", UPLINK_SPARE},
        {"cable", "up0", UPLINK_PRIMARY},
    };
    static const struct uplink_config exchanged[] = {
        {"home", "wwan0", UPLINK_PRIMARY},
        {"lte", "up0", UPLINK_METERED},
    };
    const struct event_interface list[] = {
        {"up0", "10.0.0.2", true, false, true, false},
        {"wwan0", "10.9.0.7", true, true, true, false},
    };

    configure(lab, sections, 2);
    host(lab, list, 2);
    lab_time(lab, 5 * SEC);
    hold(lab, "home");
    configure(lab, renamed, 2);
    assert_null(named(lab, "home"));
    assert_true(uplink_held(named(lab, "cable"), lab->engine->now_us));
    assert_false(uplink_held(named(lab, "mobile"), lab->engine->now_us));
    assert_int_equal(lab->engine->now_us - named(lab, "cable")->is.since_us, 5 * SEC);
    configure(lab, exchanged, 2);
    assert_true(uplink_held(named(lab, "lte"), lab->engine->now_us));
    assert_false(uplink_held(named(lab, "home"), lab->engine->now_us));
    configure(lab, NULL, 0);
    assert_true(uplink_held(named(lab, "up0"), lab->engine->now_us));
    assert_false(uplink_held(named(lab, "wwan0"), lab->engine->now_us));
}

static void of_a_connection(void **state)
{
    struct lab *lab = *state;
    const struct event_interface list[] = {
        {"up0", "10.0.0.2 fe80::1 10.3.3.3", true, false, true, false},
        {"wwan0", "10.9.0.7 fe80::1 10.3.3.3", true, true, true, false},
    };

    configure(lab, sections, 2);
    host(lab, list, 2);
    assert_string_equal(of(lab, "10.0.0.2:9", NULL), "home");
    assert_string_equal(of(lab, "10.9.0.7:9", NULL), "lte");
    assert_string_equal(of(lab, "10.9.0.8:9", NULL), "none");
    assert_string_equal(of(lab, "10.3.3.3:9", NULL), "none"); /* both have it */
    assert_string_equal(of(lab, "[fe80::1%wwan0]:9", NULL), "lte");
    assert_string_equal(of(lab, "[fe80::1%up0]:9", NULL), "home");
    /* where it was moved to counts for more than an address */
    assert_string_equal(of(lab, "10.3.3.3:9", "wwan0"), "lte");
    assert_string_equal(of(lab, "10.0.0.2:9", "wwan0"), "lte");
    assert_string_equal(of(lab, "10.0.0.2:9", "tun7"), "home");
}

/* One that was not there before is a reason to look at what is dead, as one that comes up is. */
static void a_new_one_wakes(void **state)
{
    struct lab *lab = *state;
    const struct event_interface both[] = {
        {"eth0", "10.0.0.2", true, false, true, false},
        {"wwan0", "10.9.0.7", true, true, true, false},
    };
    const struct lab_action *move;

    lab->features = NODE_BIND;
    lab_node_up(lab, "boot2");
    lab_snapshot(lab);
    host(lab, both, 1);
    lab_peer_told(lab, &(struct event_peer_up){.peer = "a",
                                               .conn = 1,
                                               .local = "10.0.0.2:9",
                                               .remote = "192.0.2.1:443",
                                               .migratable = true});
    lab_fresh(lab, 1, 50 * MS);
    for (unsigned i = 0; i < 3; i++) {
        lab_time(lab, SEC);
        lab_silent(lab, 1);
    }
    expect_no_move(lab);
    host(lab, both, 2);
    move = lab_next_move(lab);
    assert_non_null(move);
    assert_string_equal(move->interface, "wwan0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(learned, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(configured, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(conditions, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(under_another_name, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(of_a_connection, lab_setup, lab_teardown),
        cmocka_unit_test_setup_teardown(a_new_one_wakes, lab_setup, lab_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
