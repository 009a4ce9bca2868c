/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plugins/loss.c: each rule of docs/triggers.md "loss" by itself.
 */
#include "check.h"

#include <pathdog/mock-host.h>

#define SECOND 1000000ull

extern const struct pd_trigger pathdog_trigger_loss;

/* The counters of the connection, in the next regular row. */
static void look(struct mock *mock, uint64_t sent, uint64_t lost)
{
    struct pd_row row = mock_row();

    row.v[PD_PACKETS_SENT] = sent;
    row.v[PD_PACKETS_LOST] = lost;
    mock_time(mock, mock->turn.now_us + 5 * SECOND);
    mock_sample(mock, 0, &row, true);
}

static void begin(struct mock *mock, const char *options)
{
    *mock = (struct mock){0};
    assert_int_equal(mock_start(mock, &pathdog_trigger_loss, options), 0);
    mock_peer_up(mock, "bravo", NULL, NULL);
}

static void test_fires_after_strikes(void **state)
{
    struct mock mock;

    begin(&mock, NULL);
    look(&mock, 1000, 900); /* what was before says nothing */
    look(&mock, 1300, 930);
    assert_int_equal(mock.n_advice, 0);
    look(&mock, 1712, 955);
    assert_int_equal(mock.n_advice, 1);
    assert_int_equal(mock.advice[0].kind, PD_KIND_DEGRADED);
    assert_int_equal(mock.advice[0].cause, 0);
    assert_string_equal(mock.advice[0].reason,
                        "6.1 % of 412 packets lost (limit 5 %), 2 measurements in a row");
    assert_string_equal(mock.advice[0].evidence,
                        "packets_lost=25 packets_sent=412 threshold_permille=50 strikes=2");
    /* From none again: one more is not enough, two are. */
    look(&mock, 2000, 1000);
    assert_int_equal(mock.n_advice, 1);
    look(&mock, 2300, 1050);
    assert_int_equal(mock.n_advice, 2);
    assert_int_equal(mock.peers[0].look_until_us, 0);
    assert_int_equal(mock.n_notices, 0);
    mock_stop(&mock);
}

static void test_the_threshold_is_not_above(void **state)
{
    struct mock mock;

    begin(&mock, "strikes=1");
    look(&mock, 0, 0);
    look(&mock, 2000, 100);
    assert_int_equal(mock.n_advice, 0);
    look(&mock, 4000, 201);
    assert_int_equal(mock.n_advice, 1);
    assert_string_equal(mock.advice[0].reason,
                        "5.1 % of 2000 packets lost (limit 5 %), 1 measurement in a row");
    mock_stop(&mock);
}

static void test_options(void **state)
{
    struct mock mock;

    begin(&mock, "threshold=125 strikes=3");
    look(&mock, 0, 0);
    for (uint64_t i = 1; i < 4; i++) {
        assert_int_equal(mock.n_advice, 0);
        look(&mock, i * 1000, i * 126);
    }
    assert_string_equal(mock.advice[0].reason,
                        "12.6 % of 1000 packets lost (limit 12.5 %), 3 measurements in a row");
    mock_stop(&mock);
}

static void test_a_good_look_clears(void **state)
{
    struct mock mock;

    begin(&mock, NULL);
    look(&mock, 0, 0);
    look(&mock, 400, 40);
    look(&mock, 800, 41);
    look(&mock, 1200, 81);
    assert_int_equal(mock.n_advice, 0);
    look(&mock, 1600, 121);
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

/* 10 packets in 5 s, 2 of them lost: a measurement is 100 s long. */
static void test_a_thin_stream(void **state)
{
    struct mock mock;
    uint64_t rows = 0;

    begin(&mock, NULL);
    for (; !mock.n_advice && rows < 1000; rows++)
        look(&mock, rows * 10, rows * 2);
    assert_int_equal(rows, 41);
    assert_string_equal(mock.advice[0].reason,
                        "20 % of 200 packets lost (limit 5 %), 2 measurements in a row");
    mock_stop(&mock);
}

static void test_too_few_are_neither(void **state)
{
    struct mock mock;

    begin(&mock, NULL);
    look(&mock, 0, 0);
    look(&mock, 300, 30); /* one strike */
    look(&mock, 400, 30); /* 100 packets without a loss do not clear it */
    look(&mock, 499, 129);
    assert_int_equal(mock.n_advice, 0);
    look(&mock, 500, 129); /* the 200th */
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

static void test_fast_polls_do_not_count(void **state)
{
    struct mock mock;

    begin(&mock, NULL);
    look(&mock, 0, 0);
    mock.fast_polls = true;
    for (uint64_t i = 1; i < 20; i++)
        look(&mock, i * 300, i * 100);
    assert_int_equal(mock.n_advice, 0);
    mock.fast_polls = false;
    look(&mock, 6000, 2000); /* all of that is one measurement */
    assert_int_equal(mock.n_advice, 0);
    look(&mock, 6300, 2100);
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

/* Counted anew: a node whose counters are of 32 bits, or begin again on another path. */
static void test_counters_that_restart(void **state)
{
    struct mock mock;

    begin(&mock, NULL);
    look(&mock, UINT32_MAX - 500, 70000);
    look(&mock, UINT32_MAX - 100, 70100); /* one strike */
    look(&mock, 200, 30);                 /* no look, and no strike is left */
    look(&mock, 500, 60);
    assert_int_equal(mock.n_advice, 0);
    assert_string_equal(mock_tell(&mock, 0),
                        "1 of 2 strikes (10 % of the last packets lost; limit 5 %)");
    look(&mock, 700, 80);
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);

    begin(&mock, "strikes=1");
    look(&mock, 1000, 500);
    look(&mock, 1300, 0); /* only the lost ones: less than none is none */
    assert_int_equal(mock.n_advice, 0);
    look(&mock, 1600, 30);
    assert_int_equal(mock.n_advice, 1);
    assert_string_equal(mock.advice[0].evidence,
                        "packets_lost=30 packets_sent=300 threshold_permille=50 strikes=1");
    mock_stop(&mock);
}

/* Only their growth is kept, of few bits: where those begin again, nothing else does. */
static void test_large_counters(void **state)
{
    static const uint64_t wraps[] = {1ull << 32, 1ull << 36, 1ull << 37, 1ull << 52};
    struct mock mock;

    for (size_t i = 0; i < sizeof(wraps) / sizeof(wraps[0]); i++) {
        begin(&mock, NULL);
        look(&mock, wraps[i] - 250, wraps[i] - 20);
        look(&mock, wraps[i] + 50, wraps[i] + 10);
        assert_int_equal(mock.n_advice, 0);
        look(&mock, wraps[i] + 350, wraps[i] + 40);
        assert_int_equal(mock.n_advice, 1);
        assert_string_equal(mock.advice[0].reason,
                            "10 % of 300 packets lost (limit 5 %), 2 measurements in a row");
        mock_stop(&mock);
    }
}

/* Acknowledged late, after they were declared lost: what counts is what remains of a
 * measurement. */
static void test_losses_that_were_none(void **state)
{
    struct mock mock;

    begin(&mock, "strikes=1");
    look(&mock, 1000, 100);
    look(&mock, 1100, 150); /* 50 of 100, the measurement goes on */
    look(&mock, 1300, 105);
    assert_int_equal(mock.n_advice, 0);
    look(&mock, 1600, 95); /* below what it was when the look began */
    assert_int_equal(mock.n_advice, 0);
    assert_string_equal(mock_tell(&mock, 0),
                        "0 of 1 strikes (0 % of the last packets lost; limit 5 %)");
    look(&mock, 1900, 115);
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

/* Those of the measurement before may be declared lost in this one. */
static void test_no_more_than_all(void **state)
{
    struct mock mock;

    begin(&mock, "strikes=1");
    look(&mock, 10000, 0);
    look(&mock, 10200, 5000);
    assert_string_equal(mock.advice[0].reason,
                        "100 % of 200 packets lost (limit 5 %), 1 measurement in a row");
    mock_stop(&mock);

    begin(&mock, "strikes=1 threshold=1000"); /* that is never above */
    look(&mock, 0, 0);
    look(&mock, (1ull << 53) - 1, (1ull << 53) - 1);
    assert_int_equal(mock.n_advice, 0);
    mock_stop(&mock);
}

static void test_unknown_is_neither(void **state)
{
    struct mock mock;

    begin(&mock, NULL);
    look(&mock, PD_UNKNOWN, PD_UNKNOWN);
    look(&mock, 0, 0);
    look(&mock, 300, 30);
    look(&mock, 600, PD_UNKNOWN);
    look(&mock, PD_UNKNOWN, 90);
    look(&mock, PD_UNKNOWN, PD_UNKNOWN);
    assert_int_equal(mock.n_advice, 0);
    assert_int_equal(mock.n_notices, 0); /* null is not missing */
    look(&mock, 900, 90);
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

static void test_changes_clear(void **state)
{
    static const enum pd_peer_change clears[] = {PD_PEER_MISSING, PD_PEER_PATH, PD_PEER_MIGRATED};

    for (size_t i = 0; i < 3; i++) {
        struct mock mock;

        begin(&mock, NULL);
        look(&mock, 0, 0);
        look(&mock, 300, 100);
        mock_peer_change(&mock, 0, clears[i]);
        look(&mock, 600, 200); /* on another path the first one */
        assert_int_equal(mock.n_advice, 0);
        look(&mock, 900, 300);
        assert_int_equal(mock.n_advice, clears[i] == PD_PEER_MISSING);
        look(&mock, 1200, 400);
        assert_int_equal(mock.n_advice, 1);
        mock_stop(&mock);
    }
    struct mock mock;

    begin(&mock, NULL);
    look(&mock, 0, 0);
    look(&mock, 300, 100);
    mock_peer_change(&mock, 0, PD_PEER_TOLD); /* the same connection: does not */
    look(&mock, 600, 200);
    assert_int_equal(mock.n_advice, 1);
    mock_stop(&mock);
}

static void without(struct mock *mock, uint32_t columns)
{
    struct pd_row row = mock_row();

    mock_time(mock, mock->turn.now_us + 5 * SECOND);
    mock_sample_columns(mock, 0, &row, true, UINT32_MAX & ~columns);
}

static void test_a_node_without_the_columns(void **state)
{
    static const struct {
        uint32_t columns;
        const char *text;
    } nodes[] = {
        {1u << PD_PACKETS_SENT, "the node reports no packets_sent: no peer's loss is evaluated"},
        {1u << PD_PACKETS_LOST, "the node reports no packets_lost: no peer's loss is evaluated"},
        {1u << PD_PACKETS_SENT | 1u << PD_PACKETS_LOST,
         "the node reports no packets_sent and no packets_lost: no peer's loss is evaluated"},
    };
    struct mock mock;

    for (size_t i = 0; i < 3; i++) {
        begin(&mock, NULL);
        for (unsigned rows = 0; rows < 5; rows++)
            without(&mock, nodes[i].columns);
        assert_int_equal(mock.n_notices, 1); /* once */
        assert_string_equal(mock.notices[0].what, "loss-columns");
        assert_memory_equal(mock.notices[0].text, nodes[i].text, strlen(nodes[i].text));
        assert_string_equal(mock_tell(&mock, 0),
                            "no row with packets_sent and packets_lost since this path is used");
        mock_node(&mock, 1000); /* it came anew: once again */
        without(&mock, nodes[i].columns);
        without(&mock, nodes[i].columns);
        assert_int_equal(mock.n_notices, 2);
        mock_stop(&mock);
    }
}

static void test_what_it_tells(void **state)
{
    struct mock mock;

    begin(&mock, NULL);
    assert_string_equal(mock_tell(&mock, 0),
                        "no row with packets_sent and packets_lost since this path is used");
    look(&mock, 0, 0);
    look(&mock, 199, 100);
    assert_string_equal(
        mock_tell(&mock, 0),
        "fewer than 200 packets sent since this path is used; 2 measurements above 5 % "
        "lost are advised");
    look(&mock, 1000, 101);
    assert_string_equal(mock_tell(&mock, 0),
                        "1 of 2 strikes (10.1 % of the last packets lost; limit 5 %)");
    mock_stop(&mock);
}

static void test_state_is_small(void **state)
{
    assert_true(pathdog_trigger_loss.peer_size <= 12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fires_after_strikes),
        cmocka_unit_test(test_the_threshold_is_not_above),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_a_good_look_clears),
        cmocka_unit_test(test_a_thin_stream),
        cmocka_unit_test(test_too_few_are_neither),
        cmocka_unit_test(test_fast_polls_do_not_count),
        cmocka_unit_test(test_counters_that_restart),
        cmocka_unit_test(test_large_counters),
        cmocka_unit_test(test_losses_that_were_none),
        cmocka_unit_test(test_no_more_than_all),
        cmocka_unit_test(test_unknown_is_neither),
        cmocka_unit_test(test_changes_clear),
        cmocka_unit_test(test_a_node_without_the_columns),
        cmocka_unit_test(test_what_it_tells),
        cmocka_unit_test(test_state_is_small),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
