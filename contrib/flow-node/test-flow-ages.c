/* SPDX-License-Identifier: Apache-2.0 */
/* What samples say of a flow: since when it is silent, what awaits an answer, how long one takes.
 */
#include "flows-lab.h"

static void test_silence(void **state)
{
    struct flows *flows = flows_new(&defaults);
    struct flow_entry entry = entry_of(CLIENT);
    struct flow *flow = told(flows, &entry, SECOND);
    struct flow_row row;

    (void)state;
    flows_sample(flows, &entry, SECOND + EVERY);
    flow_row(&defaults, flow, &row);
    assert_int_equal(row.silent_us, EVERY);
    assert_int_equal(row.unacked_us, 0); /* nothing was sent: idle */
    carry(&entry, FLOW_RECEIVED, 1);
    flows_sample(flows, &entry, SECOND + 2 * EVERY);
    flow_row(&defaults, flow, &row);
    assert_int_equal(row.silent_us, 0);
    assert_int_equal(row.bytes_received, 11200);
    assert_int_equal(row.bytes_sent, 10000);
    assert_int_equal(row.packets_sent, 10);
    flows_free(flows);
}

/* An hour of nothing, and of keep-alives that are answered. */
static void test_an_idle_flow_awaits_nothing(void **state)
{
    struct flows *flows = flows_new(&defaults);
    struct flow_entry entry = entry_of(CLIENT);
    uint64_t now_us = SECOND;
    struct flow *flow = told(flows, &entry, now_us);

    (void)state;
    for (unsigned i = 0; i < 36000; i++) {
        now_us += EVERY;
        if (i % 150 == 0) {
            carry(&entry, FLOW_SENT, 1);
            carry(&entry, FLOW_RECEIVED, 1);
        }
        flows_sample(flows, &entry, now_us);
        assert_int_equal(unacked_ms(flow), 0);
    }
    flows_free(flows);
}

/* The client's bare acknowledgements of a download that ends: in the interval after its last
 * packet, and as many as came at most. */
static void test_acknowledgements_await_nothing(void **state)
{
    struct flows *flows = flows_new(&defaults);
    struct flow_entry entry = entry_of(CLIENT);
    struct flow *flow = told(flows, &entry, SECOND);

    (void)state;
    carry(&entry, FLOW_RECEIVED, 100);
    carry(&entry, FLOW_SENT, 40);
    flows_sample(flows, &entry, SECOND + EVERY);
    carry(&entry, FLOW_SENT, 50);
    for (unsigned i = 2; i < 100; i++) {
        flows_sample(flows, &entry, SECOND + i * EVERY);
        assert_int_equal(unacked_ms(flow), 0);
    }
    flows_free(flows);
}

/* A CONNECTION_CLOSE, which nothing answers, long after. */
static void test_one_packet_awaits_nothing(void **state)
{
    struct flows *flows = flows_new(&defaults);
    struct flow_entry entry = entry_of(CLIENT);
    struct flow *flow = told(flows, &entry, SECOND);

    (void)state;
    flows_sample(flows, &entry, 2 * SECOND);
    carry(&entry, FLOW_SENT, 1);
    for (unsigned i = 1; i < 300; i++) {
        flows_sample(flows, &entry, 2 * SECOND + i * EVERY);
        assert_int_equal(unacked_ms(flow), 0);
    }
    flows_free(flows);
}

/* A request and its probes: with the second of them it is known, and counts from the first. */
static void test_repeated_sending_without_an_answer(void **state)
{
    struct flows *flows = flows_new(&defaults);
    struct flow_entry entry = entry_of(CLIENT);
    struct flow *flow = told(flows, &entry, SECOND);
    struct flow_row row;

    (void)state;
    flows_sample(flows, &entry, 2 * SECOND);
    carry(&entry, FLOW_SENT, 1);
    flows_sample(flows, &entry, 2 * SECOND + EVERY);
    assert_int_equal(unacked_ms(flow), 0);
    flows_sample(flows, &entry, 2 * SECOND + 2 * EVERY);
    assert_int_equal(unacked_ms(flow), 0);
    carry(&entry, FLOW_SENT, 2);
    flows_sample(flows, &entry, 2 * SECOND + 3 * EVERY);
    assert_int_equal(unacked_ms(flow), 200);
    flows_sample(flows, &entry, 4 * SECOND);
    assert_int_equal(unacked_ms(flow), 1900);
    flow_row(&defaults, flow, &row);
    assert_int_equal(row.silent_us, 3 * SECOND);
    carry(&entry, FLOW_RECEIVED, 1); /* an answer, at last */
    flows_sample(flows, &entry, 5 * SECOND);
    assert_int_equal(unacked_ms(flow), 0);
    flows_free(flows);
}

/* An upload: a window full of data goes out, which can be no acknowledgements. */
static void test_more_than_could_be_acknowledgements(void **state)
{
    struct flows *flows = flows_new(&defaults);
    struct flow_entry entry = entry_of(CLIENT);
    struct flow *flow = told(flows, &entry, SECOND);

    (void)state;
    carry(&entry, FLOW_RECEIVED, 10);
    carry(&entry, FLOW_SENT, 20);
    flows_sample(flows, &entry, SECOND + EVERY);
    assert_int_equal(unacked_ms(flow), 0);
    carry(&entry, FLOW_SENT, 14); /* as many as came, and 4 */
    flows_sample(flows, &entry, SECOND + EVERY + 10 * MS);
    assert_int_equal(unacked_ms(flow), 0);
    carry(&entry, FLOW_SENT, 1);
    flows_sample(flows, &entry, SECOND + EVERY + 20 * MS);
    assert_int_equal(unacked_ms(flow), 1); /* from here on; 0 would be nothing */
    flows_sample(flows, &entry, 2 * SECOND);
    assert_int_equal(unacked_ms(flow), 880);
    flows_free(flows);
}

/* WireGuard answers data within 10 s at the latest, by a keep-alive. */
static void test_a_protocol_that_takes_its_time(void **state)
{
    struct flows *flows = flows_new(&defaults);
    struct flow_entry entry = entry_of("udp:192.0.2.7:51820#10.0.0.1:51820");
    struct flow *flow = told(flows, &entry, SECOND);
    struct flow_row row;

    (void)state;
    for (unsigned i = 1; i <= 100; i++) {
        carry(&entry, FLOW_SENT, 1);
        flows_sample(flows, &entry, SECOND + i * EVERY);
        assert_int_equal(unacked_ms(flow), 0);
        flow_row(&defaults, flow, &row);
        assert_true(row.silent_us == FLOW_UNKNOWN && row.bytes_sent == FLOW_UNKNOWN);
        assert_int_equal(row.bytes_received, 10000);
    }
    for (unsigned i = 101; i <= 130; i++) {
        carry(&entry, FLOW_SENT, 1);
        flows_sample(flows, &entry, SECOND + i * EVERY);
    }
    assert_true(unacked_ms(flow) >= 12000);
    flow_row(&defaults, flow, &row);
    assert_int_equal(row.silent_us, 13 * SECOND);
    assert_true(row.bytes_sent != FLOW_UNKNOWN);
    flows_free(flows);
}

/* WireGuard's persistent keep-alive is not answered, for up to the two minutes to a handshake. */
static void test_keepalives_await_nothing(void **state)
{
    struct flows *flows = flows_new(&defaults);
    struct flow_entry entry = entry_of("udp:192.0.2.7:51820#10.0.0.1:51820");
    struct flow *flow = told(flows, &entry, SECOND);
    static const unsigned every[] = {250, 100, 5}; /* samples */

    (void)state;
    for (size_t k = 0; k < ARRAY_SIZE(every); k++) {
        for (unsigned i = 1; i <= 600; i++) {
            if (i % every[k] == 0) {
                entry.packets[FLOW_SENT]++;
                entry.bytes[FLOW_SENT] += 60;
            }
            flows_sample(flows, &entry, flow->sampled_us + EVERY);
            assert_int_equal(unacked_ms(flow), 0);
        }
    }
    for (unsigned i = 1; i <= 200; i++) { /* a handshake each 5 s is: its path is dead */
        if (i % 50 == 1) {
            entry.packets[FLOW_SENT]++;
            entry.bytes[FLOW_SENT] += 176;
        }
        flows_sample(flows, &entry, flow->sampled_us + EVERY);
    }
    assert_true(unacked_ms(flow) >= 19000);
    flows_free(flows);
}

/* The same of larger ones, where they come more seldom than an answer may. */
static void test_what_is_not_sent_again_awaits_nothing(void **state)
{
    struct flows *flows = flows_new(&defaults);
    struct flow_entry entry = entry_of("udp:[2001:db8::7]:51820#[2001:db8::1]:51820");
    struct flow *flow = told(flows, &entry, SECOND);

    (void)state;
    for (unsigned i = 1; i <= 2000; i++) {
        if (i % 250 == 0)
            carry(&entry, FLOW_SENT, 1);
        flows_sample(flows, &entry, flow->sampled_us + EVERY);
        assert_int_equal(unacked_ms(flow), 0);
    }
    flows_free(flows);
}

/* Told where it has been seen often enough: the longest of late, and what RFC 9002 adds. */
static void test_how_long_an_answer_takes(void **state)
{
    struct flows *flows = flows_new(&defaults);
    struct flow_entry entry = entry_of(CLIENT);
    uint64_t now_us = SECOND;
    struct flow *flow = told(flows, &entry, now_us);
    struct flow_row row;

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        flow_row(&defaults, flow, &row);
        assert_true(row.pto_us == FLOW_UNKNOWN);
        carry(&entry, FLOW_SENT, 1);
        carry(&entry, FLOW_RECEIVED, 1);
        flows_sample(flows, &entry, now_us += EVERY);
    }
    flow_row(&defaults, flow, &row);
    assert_int_equal(row.pto_us, EVERY + 25 * MS);
    flows_sample(flows, &entry, now_us += 10 * SECOND); /* idle: that is no wait */
    carry(&entry, FLOW_SENT, 1);
    flows_sample(flows, &entry, now_us += EVERY);
    carry(&entry, FLOW_RECEIVED, 1);
    flows_sample(flows, &entry, now_us += EVERY);
    flow_row(&defaults, flow, &row);
    assert_int_equal(row.pto_us, 2 * EVERY + 25 * MS);
    for (unsigned i = 0; i < 400; i++) {
        carry(&entry, FLOW_SENT, 1);
        carry(&entry, FLOW_RECEIVED, 1);
        flows_sample(flows, &entry, now_us += EVERY);
    }
    flow_row(&defaults, flow, &row);
    assert_true(row.pto_us < EVERY + 26 * MS); /* it is forgotten */
    /* A move's time is none of the way's. */
    carry(&entry, FLOW_SENT, 1);
    flows_sample(flows, &entry, now_us += EVERY);
    flow->move.state = MOVE_SET;
    carry(&entry, FLOW_RECEIVED, 1);
    flows_sample(flows, &entry, now_us += 3 * SECOND);
    flow_row(&defaults, flow, &row);
    assert_true(row.pto_us < EVERY + 26 * MS);
    flow->move.state = MOVE_NONE;
    /* Nor is that of a sample that came late. */
    carry(&entry, FLOW_SENT, 1);
    carry(&entry, FLOW_RECEIVED, 1);
    flows_sample(flows, &entry, now_us += 4 * SECOND);
    carry(&entry, FLOW_SENT, 1);
    flows_sample(flows, &entry, now_us += EVERY);
    carry(&entry, FLOW_RECEIVED, 1);
    flows_sample(flows, &entry, now_us += 4 * SECOND);
    flow_row(&defaults, flow, &row);
    assert_true(row.pto_us < EVERY + 26 * MS);
    /* And no answer is thought to take longer than RFC 9002 begins with. */
    carry(&entry, FLOW_SENT, 1);
    for (unsigned i = 0; i < 30; i++)
        flows_sample(flows, &entry, now_us += EVERY);
    carry(&entry, FLOW_RECEIVED, 1);
    flows_sample(flows, &entry, now_us + EVERY);
    flow_row(&defaults, flow, &row);
    assert_int_equal(row.pto_us, SECOND + 25 * MS);
    flows_free(flows);
}

static void test_another_way_begins_anew(void **state)
{
    struct flows *flows = flows_new(&defaults);
    struct flow_entry entry = entry_of(CLIENT);
    struct flow *flow = told(flows, &entry, SECOND);

    (void)state;
    assert_true(flow_is_answered(&defaults, flow));
    flows_sample(flows, &entry, 2 * SECOND);
    assert_false(flow_is_answered(&defaults, flow)); /* silent for a second */
    for (unsigned i = 1; i < 5; i++) {
        carry(&entry, FLOW_SENT, 1);
        flows_sample(flows, &entry, 2 * SECOND + i * EVERY);
    }
    assert_int_equal(unacked_ms(flow), 300);
    flow_rerouted(flow);
    assert_int_equal(unacked_ms(flow), 0);
    flows_sample(flows, &entry, 10 * SECOND);
    assert_int_equal(unacked_ms(flow), 0); /* nothing was sent there */
    carry(&entry, FLOW_SENT, 1);
    flows_sample(flows, &entry, 11 * SECOND);
    carry(&entry, FLOW_SENT, 1);
    flows_sample(flows, &entry, 12 * SECOND);
    assert_int_equal(unacked_ms(flow), 1000);
    assert_false(flow_is_answered(&defaults, flow));
    carry(&entry, FLOW_RECEIVED, 1);
    flows_sample(flows, &entry, 13 * SECOND);
    assert_true(flow_is_answered(&defaults, flow));
    flows_free(flows);
}

/* ---- entries that come and go ---- */

/* pathdog may ask again at once, before the way of before could show that it still lives. */
static void test_one_that_was_put_back(void **state)
{
    struct flows *flows = flows_new(&defaults);
    struct flow_entry entry = entry_of(CLIENT);
    uint64_t now_us = SECOND;
    struct flow *flow = told(flows, &entry, now_us);

    (void)state;
    carry(&entry, FLOW_SENT, 1);
    carry(&entry, FLOW_RECEIVED, 1);
    flows_sample(flows, &entry, now_us += EVERY);
    assert_true(flow_is_answered(&defaults, flow));
    carry(&entry, FLOW_SENT, 5);
    flows_sample(flows, &entry, now_us += SECOND);
    assert_false(flow_is_answered(&defaults, flow));
    flow_returned(flow, now_us);
    assert_true(flow_is_answered(&defaults, flow));
    carry(&entry, FLOW_SENT, 5);
    flows_sample(flows, &entry, now_us += 9 * SECOND);
    assert_true(flow_is_answered(&defaults, flow));
    flows_sample(flows, &entry, now_us += SECOND); /* it had its time */
    assert_false(flow_is_answered(&defaults, flow));
    flow_returned(flow, now_us);
    carry(&entry, FLOW_RECEIVED, 1);
    flows_sample(flows, &entry, now_us += EVERY);
    assert_true(flow_is_answered(&defaults, flow));
    carry(&entry, FLOW_SENT, 5);
    flows_sample(flows, &entry, now_us + SECOND); /* answered, and no more then */
    assert_false(flow_is_answered(&defaults, flow));
    flows_free(flows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_silence),
        cmocka_unit_test(test_an_idle_flow_awaits_nothing),
        cmocka_unit_test(test_acknowledgements_await_nothing),
        cmocka_unit_test(test_one_packet_awaits_nothing),
        cmocka_unit_test(test_repeated_sending_without_an_answer),
        cmocka_unit_test(test_more_than_could_be_acknowledgements),
        cmocka_unit_test(test_a_protocol_that_takes_its_time),
        cmocka_unit_test(test_keepalives_await_nothing),
        cmocka_unit_test(test_what_is_not_sent_again_awaits_nothing),
        cmocka_unit_test(test_how_long_an_answer_takes),
        cmocka_unit_test(test_another_way_begins_anew),
        cmocka_unit_test(test_one_that_was_put_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
