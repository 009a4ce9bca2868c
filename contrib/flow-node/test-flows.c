/* SPDX-License-Identifier: Apache-2.0 */
/* The table of flows: which are told, and when one has ended. */
#include "flows-lab.h"

/* ---- which are told ---- */

static void test_a_long_flow_is_told_with_its_name(void **state)
{
    struct flows *flows = flows_new(&defaults);
    struct flow_entry entry = entry_of(CLIENT);
    struct flow *flow = flows_sample(flows, &entry, SECOND);

    (void)state;
    assert_int_equal(flow->state, FLOW_READY);
    flow_tell(flows, flow, "browser.service");
    assert_string_equal(flow->name, "udp:192.0.2.7:443#50000@browser.service");
    assert_int_equal(flow->conn, 1);
    assert_int_equal(flows_told(flows), 1);
    assert_ptr_equal(flows_find(flows, &entry.tuple), flow);
    assert_ptr_equal(flows_find_conn(flows, 1), flow);
    assert_null(flows_find_conn(flows, 2));
    flow_remove(flows, flow);
    assert_int_equal(flows_told(flows), 0);
    assert_null(flows_find(flows, &entry.tuple));
    flows_free(flows);
}

static void test_short_ones_are_not_even_kept(void **state)
{
    struct flows *flows = flows_new(&defaults);
    struct flow_entry entry = entry_of(CLIENT);

    (void)state;
    entry.age_us = 5 * SECOND - 1;
    assert_null(flows_sample(flows, &entry, SECOND));
    entry.age_us = 6 * SECOND;
    entry.bytes[FLOW_SENT] = 4095;
    entry.bytes[FLOW_RECEIVED] = 0;
    assert_null(flows_sample(flows, &entry, SECOND));
    entry.bytes[FLOW_RECEIVED] = 1;
    assert_non_null(flows_sample(flows, &entry, SECOND));
    entry = entry_of("udp:192.0.2.7:444#10.0.0.1:50000");
    assert_null(flows_sample(flows, &entry, SECOND)); /* the port is none of ours */
    flows_free(flows);
}

/* Without the kernel's timestamps the age counts from the first sample. */
static void test_an_age_that_is_not_known(void **state)
{
    struct flows *flows = flows_new(&defaults);
    struct flow_entry entry = entry_of(CLIENT);
    struct flow *flow;

    (void)state;
    entry.age_us = FLOW_UNKNOWN;
    flow = flows_sample(flows, &entry, SECOND);
    assert_non_null(flow);
    assert_int_equal(flow->state, FLOW_YOUNG);
    flows_sample(flows, &entry, 6 * SECOND - 1);
    assert_int_equal(flow->state, FLOW_YOUNG);
    flows_sample(flows, &entry, 6 * SECOND);
    assert_int_equal(flow->state, FLOW_READY);
    flows_free(flows);
}

/* What is not counted is told by its age, and nothing is known of it. */
static void test_what_is_not_counted(void **state)
{
    struct flows *flows = flows_new(&defaults);
    struct flow_entry entry = entry_of(CLIENT);
    struct flow_row row;

    (void)state;
    entry.counted = false;
    memset(entry.bytes, 0, sizeof(entry.bytes));
    memset(entry.packets, 0, sizeof(entry.packets));
    flow_row(&defaults, told(flows, &entry, SECOND), &row);
    assert_true(row.bytes_sent == FLOW_UNKNOWN && row.bytes_received == FLOW_UNKNOWN);
    assert_true(row.packets_sent == FLOW_UNKNOWN && row.silent_us == FLOW_UNKNOWN);
    assert_true(row.unacked_us == FLOW_UNKNOWN);
    flows_free(flows);
}

static void test_two_of_one_short_name(void **state)
{
    struct flows *flows = flows_new(&defaults);
    struct flow_entry a = entry_of(CLIENT), b = entry_of("udp:192.0.2.7:443#10.0.0.2:50000"),
                      c = entry_of("udp:192.0.2.7:443#10.0.0.3:50001");
    struct flow *flow;

    (void)state;
    assert_string_equal(told(flows, &a, SECOND)->name, "udp:192.0.2.7:443#50000");
    assert_string_equal(told(flows, &b, SECOND)->name, "udp:192.0.2.7:443#10.0.0.2:50000");
    assert_string_equal(told(flows, &c, SECOND)->name, "udp:192.0.2.7:443#50001");
    flow_remove(flows, flows_find(flows, &a.tuple));
    flow_remove(flows, flows_find(flows, &b.tuple));
    flow = flows_sample(flows, &a, 2 * SECOND);
    flow->forwarded = true; /* of a LAN: always with the client's address */
    flow_tell(flows, flow, NULL);
    assert_string_equal(flow->name, "udp:192.0.2.7:443#10.0.0.1:50000");
    assert_int_equal(flow->conn, 4); /* never used again */
    flows_free(flows);
}

static void test_an_owner_with_a_long_name(void **state)
{
    struct flows *flows = flows_new(&defaults);
    struct flow_entry entry = entry_of("udp:[2001:db8:1111:2222:3333:4444:5555:6666]:443#"
                                       "[2001:db8:1111:2222:3333:4444:5555:7777]:50000");
    struct flow *flow = flows_sample(flows, &entry, SECOND);
    char owner[400];

    (void)state;
    memset(owner, 'x', sizeof(owner) - 1);
    owner[sizeof(owner) - 1] = '\0';
    flow->forwarded = true;
    flow_tell(flows, flow, owner);
    assert_true(strlen(flow->name) > 200 && strlen(flow->name) <= 255);
    flows_free(flows);
}

static struct flow_entry nth(unsigned i)
{
    struct flow_entry entry = entry_of(CLIENT);

    entry.tuple.sport = (uint16_t)i;
    entry.tuple.saddr[1] = (uint8_t)(i >> 16);
    return entry;
}

static void test_the_limit(void **state)
{
    struct flows *flows = flows_new(&defaults);
    struct flow *flow;
    struct flow_entry entry;
    unsigned n = 0;

    (void)state;
    for (unsigned i = 0; i < 100; i++) {
        entry = nth(i);
        flows_sample(flows, &entry, SECOND);
    }
    while ((flow = flows_ready(flows))) {
        flow_tell(flows, flow, NULL);
        n++;
    }
    assert_int_equal(n, 16);
    assert_true(flows_over_limit(flows) > 0);
    /* One goes: another one takes its place with its next sample. */
    flow_remove(flows, flows_at(flows, 3));
    for (unsigned i = 0; i < 100; i++) {
        entry = nth(i);
        flows_sample(flows, &entry, 2 * SECOND);
    }
    assert_non_null(flows_ready(flows));
    flow_tell(flows, flows_ready(flows), NULL);
    assert_null(flows_ready(flows));
    assert_int_equal(flows_told(flows), 16);
    flows_free(flows);
}

/* A million of them, as in a flood: none is kept. With no timestamps a bounded number is. */
static void test_a_flood_is_bounded(void **state)
{
    struct flows *flows = flows_new(&defaults);
    unsigned kept = 0;

    (void)state;
    for (unsigned i = 0; i < 1000000; i++) {
        struct flow_entry entry = nth(i);

        entry.age_us = SECOND;
        kept += flows_sample(flows, &entry, SECOND) != NULL;
    }
    assert_int_equal(kept, 0);
    for (unsigned i = 0; i < 1000; i++) {
        struct flow_entry entry = nth(i);

        entry.age_us = FLOW_UNKNOWN;
        kept += flows_sample(flows, &entry, SECOND) != NULL;
    }
    assert_int_equal(kept, 2 * defaults.limit);
    flows_free(flows);
}

static void count_and_remove(struct flow *flow, void *user)
{
    struct flows **flows = user;

    flow_missing(flow, 3 * SECOND);
    flow_remove(*flows, flow);
}

static void test_what_is_older_and_the_order(void **state)
{
    struct flows *flows = flows_new(&defaults);
    struct flow_entry entry;

    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        entry = nth(i);
        told(flows, &entry, i < 4 ? SECOND : 2 * SECOND);
    }
    entry = nth(10);
    flow_leave(flows, flows_sample(flows, &entry, SECOND));
    assert_null(flows_ready(flows));
    flows_each_older(flows, 2 * SECOND, count_and_remove, &flows);
    assert_int_equal(flows_told(flows), 6);
    assert_null(flows_find(flows, &entry.tuple));
    assert_int_equal(flows_next(flows, 0)->conn, 5);
    assert_int_equal(flows_next(flows, 5)->conn, 6);
    assert_null(flows_next(flows, 10));
    assert_null(flows_next(flows, UINT64_MAX));
    flows_free(flows);
}

static void test_a_ready_one_that_goes(void **state)
{
    struct flows *flows = flows_new(&defaults);
    struct flow_entry a = nth(1), b = nth(2), c = nth(3);

    (void)state;
    flows_sample(flows, &a, SECOND);
    flows_sample(flows, &b, SECOND);
    flows_sample(flows, &c, SECOND);
    flow_remove(flows, flows_find(flows, &b.tuple));
    flow_remove(flows, flows_find(flows, &a.tuple));
    assert_ptr_equal(flows_ready(flows), flows_find(flows, &c.tuple));
    flow_leave(flows, flows_ready(flows));
    assert_null(flows_ready(flows));
    flows_free(flows);
}

static void test_counters_go_on_with_a_new_entry(void **state)
{
    struct flows *flows = flows_new(&defaults);
    struct flow_entry entry = entry_of(CLIENT);
    struct flow *flow = told(flows, &entry, SECOND);
    struct flow_row row;

    (void)state;
    flow_missing(flow, SECOND + EVERY);
    assert_false(flow->there);
    entry.id = 2;
    entry.bytes[FLOW_SENT] = 1200;
    entry.packets[FLOW_SENT] = 1;
    entry.bytes[FLOW_RECEIVED] = 0;
    entry.packets[FLOW_RECEIVED] = 0;
    flows_sample(flows, &entry, SECOND + 2 * EVERY);
    flow_row(&defaults, flow, &row);
    assert_int_equal(row.bytes_sent, 11200);
    assert_int_equal(row.packets_sent, 11);
    assert_int_equal(row.bytes_received, 10000);
    assert_int_equal(row.silent_us, 2 * EVERY); /* nothing has come */
    carry(&entry, FLOW_RECEIVED, 1);
    flows_sample(flows, &entry, SECOND + 3 * EVERY);
    flow_row(&defaults, flow, &row);
    assert_int_equal(row.bytes_received, 11200);
    assert_int_equal(row.silent_us, 0);
    flows_free(flows);
}

/* With the id of the one before, and with more packets than it had. */
static void test_a_new_entry_that_looks_like_the_old_one(void **state)
{
    struct flows *flows = flows_new(&defaults);
    struct flow_entry entry = entry_of(CLIENT);
    struct flow *flow = told(flows, &entry, SECOND);
    struct flow_row row;

    (void)state;
    carry(&entry, FLOW_SENT, 5);
    carry(&entry, FLOW_RECEIVED, 5);
    entry.seen_at[0]++;
    flows_sample(flows, &entry, SECOND + EVERY);
    flow_row(&defaults, flow, &row);
    assert_int_equal(row.packets_sent, 25);
    entry.start_ns++;
    flows_sample(flows, &entry, SECOND + 2 * EVERY);
    flow_row(&defaults, flow, &row);
    assert_int_equal(row.packets_sent, 40);
    flows_free(flows);
}

static void test_when_one_has_ended(void **state)
{
    struct flows *flows = flows_new(&defaults);
    struct flow_entry entry = entry_of(CLIENT);
    struct flow *flow = told(flows, &entry, SECOND);

    (void)state;
    assert_false(flow_has_ended(&defaults, flow, 1000 * SECOND)); /* it has its entry */
    flow_missing(flow, 2 * SECOND);
    assert_false(flow_has_ended(&defaults, flow, SECOND + defaults.end_us - 1));
    assert_true(flow_has_ended(&defaults, flow, SECOND + defaults.end_us));
    strcpy(flow->interface, "up1");
    assert_false(flow_has_ended(&defaults, flow, SECOND + defaults.end_us));
    assert_true(flow_has_ended(&defaults, flow, SECOND + 4 * defaults.end_us));
    flow->move.state = MOVE_SET;
    assert_false(flow_has_ended(&defaults, flow, SECOND + 4 * defaults.end_us));
    flows_free(flows);
}

static void test_one_that_was_moved_before_the_start(void **state)
{
    struct flows *flows = flows_new(&defaults);
    struct flow_entry entry = entry_of(CLIENT);
    struct flow *flow;

    (void)state;
    entry.age_us = 0; /* its entry began with the move */
    entry.bytes[FLOW_SENT] = entry.bytes[FLOW_RECEIVED] = 0;
    flow = flows_adopt(flows, &entry, "up1", SECOND);
    assert_int_equal(flow->state, FLOW_READY);
    assert_string_equal(flow->interface, "up1");
    assert_ptr_equal(flows_ready(flows), flow);
    flows_free(flows);
}

static void test_ports(void **state)
{
    struct flow_settings settings = {.ports = {{443, 443, 0}, {8000, 8010, 5}}, .n_ports = 2};

    (void)state;
    assert_ptr_equal(flow_port_find(&settings, 443), &settings.ports[0]);
    assert_ptr_equal(flow_port_find(&settings, 8000), &settings.ports[1]);
    assert_ptr_equal(flow_port_find(&settings, 8010), &settings.ports[1]);
    assert_null(flow_port_find(&settings, 8011));
    settings.n_ports = 0;
    assert_int_equal(flow_port_find(&settings, 8011)->answers_us, 0);
    assert_null(flows_free(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_long_flow_is_told_with_its_name),
        cmocka_unit_test(test_short_ones_are_not_even_kept),
        cmocka_unit_test(test_an_age_that_is_not_known),
        cmocka_unit_test(test_what_is_not_counted),
        cmocka_unit_test(test_two_of_one_short_name),
        cmocka_unit_test(test_an_owner_with_a_long_name),
        cmocka_unit_test(test_the_limit),
        cmocka_unit_test(test_a_flood_is_bounded),
        cmocka_unit_test(test_what_is_older_and_the_order),
        cmocka_unit_test(test_a_ready_one_that_goes),
        cmocka_unit_test(test_counters_go_on_with_a_new_entry),
        cmocka_unit_test(test_a_new_entry_that_looks_like_the_old_one),
        cmocka_unit_test(test_when_one_has_ended),
        cmocka_unit_test(test_one_that_was_moved_before_the_start),
        cmocka_unit_test(test_ports),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
