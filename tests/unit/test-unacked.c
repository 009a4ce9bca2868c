/* SPDX-License-Identifier: Apache-2.0 */
/* engine/peers/unacked.[ch]: what is unacknowledged and since when, whether that is application
 * data, and whether only the peer's packets get through, or only small ones. */
#include "engine-lab.h"

#include "engine/peers/unacked.h"

/* Its sample after that row. */
static const struct pd_sample *row(struct lab *lab, const char *columns)
{
    lab_row(lab, 17, columns);
    return &lab->poke.sample;
}

static const struct pd_sample *row_after(struct lab *lab, uint64_t span_us, const char *columns)
{
    lab_time(lab, span_us);
    return row(lab, columns);
}

static int setup(void **state)
{
    (void)lab_setup(state);
    lab_peer_up(*state, "a", 17);
    return 0;
}

/* ---- since when ---- */

/* The node's own age counts from the first row on. */
static void age_of_the_node(void **state)
{
    struct lab *lab = *state;
    const struct pd_sample *sample = row(lab, "unacked=1700 in_flight=9");

    assert_int_equal(sample->unacked_us, 1700 * MS);
    assert_true(sample->application);
    assert_int_equal(lab_peer(lab, 17)->unacked_since_us, lab->now_us - 1700 * MS);
    sample = row_after(lab, SEC, "unacked=1 in_flight=9");
    assert_int_equal(sample->unacked_us, MS);
    assert_true(sample->application);
    sample = row_after(lab, SEC, "unacked=0 in_flight=900"); /* at most a keep-alive */
    assert_int_equal(sample->unacked_us, 0);
    assert_false(sample->application);
    assert_int_equal(lab_peer(lab, 17)->unacked_since_us, 0);
}

/* Without it what is in flight in every row counts, from the first such row on. */
static void age_by_what_is_in_flight(void **state)
{
    struct lab *lab = *state;

    assert_int_equal(row(lab, "samples=1 in_flight=0")->unacked_us, 0);
    assert_int_equal(row_after(lab, SEC, "in_flight=1")->unacked_us, 0);
    assert_int_equal(row_after(lab, SEC, "in_flight=1")->unacked_us, SEC);
    assert_int_equal(row_after(lab, SEC, "in_flight=0 pto=1")->unacked_us, 2 * SEC);
    assert_int_equal(row_after(lab, SEC, "pto=0")->unacked_us, 0);
    assert_int_equal(row_after(lab, SEC, "pto=1")->unacked_us, 0);
    assert_int_equal(row_after(lab, SEC, "received=9")->unacked_us, PD_UNKNOWN);
    assert_int_equal(row_after(lab, SEC, "pto=1 received=10")->unacked_us, 2 * SEC); /* heard */
}

/* What is in flight after an acknowledgement was sent after what that was for. */
static void age_begins_anew_with_an_acknowledgement(void **state)
{
    struct lab *lab = *state;

    row(lab, "srtt=9 samples=1 in_flight=9 acked=1");
    assert_int_equal(row_after(lab, SEC, "srtt=9 samples=1 in_flight=9 acked=1")->unacked_us, SEC);
    assert_int_equal(row_after(lab, SEC, "srtt=9 samples=2 in_flight=9 acked=1")->unacked_us, 0);
    assert_int_equal(row_after(lab, SEC, "srtt=9 samples=2 in_flight=9 acked=1")->unacked_us, SEC);
    assert_int_equal(row_after(lab, SEC, "srtt=9 samples=2 in_flight=9 acked=2")->unacked_us, 0);
}

static void shows(void **state)
{
    static const struct {
        enum pd_column column;
        uint64_t value;
        bool shows;
    } cases[] = {
        {PD_IN_FLIGHT_BYTES, 0, false}, {PD_IN_FLIGHT_BYTES, 1, true}, {PD_PTO_COUNT, 0, false},
        {PD_PTO_COUNT, 1, true},        {PD_UNACKED_MS, 0, false},     {PD_UNACKED_MS, 1, true},
        {PD_UNACKED_BYTES, 1, false},   {PD_SILENT_MS, 1, false},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct pd_row row;

        for (size_t k = 0; k < PD_COLUMN_COUNT; k++)
            row.v[k] = PD_UNKNOWN;
        assert_false(unacked_shows(&row));
        row.v[cases[i].column] = cases[i].value;
        assert_int_equal(unacked_shows(&row), cases[i].shows);
    }
}

/* ---- application data, or a keep-alive ---- */

/* In each case the row before has nothing in flight, and 1000 bytes were sent. */
static void what_a_keep_alive_may_be(void **state)
{
    static const struct {
        const char *columns;
        bool application;
    } cases[] = {
        {"in_flight=128 sent=1000", false},
        {"in_flight=129 sent=1000", true},
        {"in_flight=1 sent=1128", false},
        {"in_flight=1 sent=1129", true},
        {"in_flight=1", false},
        {"in_flight=0 sent=9000", false}, /* it is acknowledged */
        /* two probes of 48 bytes for each probe timeout */
        {"pto=1", false},
        {"pto=1 in_flight=224 sent=1224", false},
        {"pto=1 in_flight=225 sent=1224", true},
        {"pto=1 in_flight=224 sent=1225", true},
        {"pto=3 in_flight=416", false},
        {"pto=3 in_flight=417", true},
        /* of sixteen at most */
        {"pto=16 in_flight=1664", false},
        {"pto=16 in_flight=1665", true},
        {"pto=17 in_flight=1664", false},
        {"pto=17 in_flight=1665", true},
        /* where the node says how much data there is, that counts */
        {"in_flight=9000 sent=9000 unacked_bytes=0", false},
        {"in_flight=1 sent=1000 unacked_bytes=1", true},
        {"in_flight=0 sent=1000 unacked_bytes=1", false},
        /* and first of all, since when there is any */
        {"in_flight=9000 unacked_bytes=9000 unacked=0", false},
        {"in_flight=1 unacked_bytes=0 unacked=1", true},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct lab lab;

        lab_init(&lab);
        lab_begin(&lab);
        lab_peer_up(&lab, "a", 17);
        row(&lab, "samples=1 in_flight=0 pto=0 sent=1000");
        if (row_after(&lab, SEC, cases[i].columns)->application != cases[i].application)
            fail_msg("row %s", cases[i].columns);
        lab_end(&lab);
    }
}

/* Of a first row is not known what was sent before it, nor where that was never said. */
static void what_was_sent_before(void **state)
{
    struct lab *lab = *state;

    assert_false(row(lab, "in_flight=1 sent=90000")->application);
    lab_peer_up(lab, "b", 18);
    lab_row(lab, 18, "in_flight=1");
    lab_time(lab, SEC);
    lab_row(lab, 18, "in_flight=1 sent=90000");
    assert_false(lab->poke.sample.application);
    assert_false(row_after(lab, SEC, "in_flight=1 sent=80000")->application);
}

/* Small packets that follow data do not hide it, until something is acknowledged. */
static void application_data_stays(void **state)
{
    struct lab *lab = *state;

    assert_true(row(lab, "srtt=9 samples=1 in_flight=500")->application);
    assert_true(row_after(lab, SEC, "srtt=9 samples=1 in_flight=100")->application);
    assert_true(row_after(lab, SEC, "srtt=9 samples=1 in_flight=0 pto=1")->application);
    assert_false(row_after(lab, SEC, "srtt=9 samples=2 in_flight=100")->application);
    assert_false(row_after(lab, SEC, "srtt=9 samples=2 in_flight=100")->application);
    assert_true(row_after(lab, SEC, "srtt=9 samples=2 in_flight=500")->application);
    assert_false(row_after(lab, SEC, "srtt=9 samples=2 in_flight=0")->application);
    assert_false(row_after(lab, SEC, "srtt=9 samples=2 in_flight=100")->application);
}

/* A node that reports none of the ages: what is sent waits for any sign of the peer. */
static void application_data_of_a_node_that_reports_no_age(void **state)
{
    struct lab *lab = *state;

    assert_false(row(lab, "sent=1000 received=1")->application);
    assert_false(row_after(lab, SEC, "sent=1128 received=1")->application);
    assert_true(row_after(lab, SEC, "sent=1257 received=1")->application);
    assert_true(row_after(lab, SEC, "sent=1257 received=1")->application);
    assert_int_equal(lab->poke.sample.unacked_us, PD_UNKNOWN);
    assert_false(row_after(lab, SEC, "sent=1300 received=2")->application); /* heard */
    assert_true(row_after(lab, SEC, "sent=1500 received=2")->application);
    assert_false(row_after(lab, SEC, "srtt=9 sent=1500 received=2")->application); /* fresh */
    assert_true(row_after(lab, SEC, "srtt=9 sent=1500 unacked_bytes=1")->application);
}

/* ---- acknowledged ---- */

static void acknowledged_by_bytes(void **state)
{
    static const struct {
        const char *columns;
        bool acknowledged;
    } rows[] = {
        {"acked=7", false}, /* the first: compared with nothing */
        {"acked=7", false},
        {"acked=8", true},
        {"received=1", false},
        {"acked=8", false}, /* compared with the last that was reported */
        {"acked=4294967295", true},
        {"acked=4294967296", true}, /* beyond 32 bits */
        {"acked=4294967296", false},
        {"acked=4294967297", true},
        {"acked=0", true}, /* of another connection of that number */
        {"acked=0", false},
    };
    struct lab *lab = *state;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        const struct pd_sample *sample = row_after(lab, SEC, rows[i].columns);

        if (sample->acknowledged != rows[i].acknowledged)
            fail_msg("row %zu: %s", i, rows[i].columns);
        assert_false(sample->fresh);
        assert_int_equal(sample->progress, rows[i].acknowledged);
        assert_int_equal(lab->engine->polls.acknowledged_us == lab->now_us, rows[i].acknowledged);
    }
}

static void acknowledged_by_a_sample(void **state)
{
    struct lab *lab = *state;
    const struct pd_sample *sample = row(lab, "srtt=9 samples=1 received=1");

    assert_true(sample->acknowledged);
    assert_int_equal(lab->engine->polls.acknowledged_us, lab->now_us);
    sample = row_after(lab, SEC, "srtt=9 samples=1 received=2"); /* heard is another thing */
    assert_true(sample->heard);
    assert_true(sample->progress);
    assert_false(sample->acknowledged);
    assert_int_equal(lab->engine->polls.acknowledged_us, lab->now_us - SEC);
}

static void silent_for(void **state)
{
    struct lab *lab = *state;

    assert_int_equal(row(lab, "silent=1700")->silent_us, 1700 * MS);
    assert_int_equal(row(lab, "silent=0")->silent_us, 0);
    assert_int_equal(row(lab, "received=1")->silent_us, PD_UNKNOWN);
}

/* ---- the probe timeout ---- */

static void probe_timeout(void **state)
{
    static const struct {
        const char *columns;
        uint64_t pto_us;
    } rows[] = {
        {"pto_us=7 srtt=50000 rttvar=5000", 7},
        {"pto_us=0 srtt=50000 rttvar=5000", 95000},
        {"srtt=50000 rttvar=5000", 95000},
        {"srtt=50000", 175000}, /* RFC 6298: the first RTTVAR is half of the RTT */
        {"srtt=50000 rttvar=250", 76000},
        {"srtt=50000 rttvar=251", 76004},
        {"srtt=50000 rttvar=0", 76000},
        {"rttvar=5000", 378000},
        {"received=1", 1024000},
    };
    struct lab *lab = *state;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
        assert_int_equal(row_after(lab, SEC, rows[i].columns)->pto_us, rows[i].pto_us);
}

/* ---- one way ---- */

/* The second row, 1 s after the first, which had samples=1 and received=1. */
struct second_row {
    const char *columns;
    bool one_way;
};

static void expect_second(const char *first, const struct second_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct pd_sample *sample;
        struct lab lab;

        lab_init(&lab);
        lab_begin(&lab);
        lab_peer_up(&lab, "a", 17);
        row(&lab, first);
        sample = row_after(&lab, SEC, rows[i].columns);
        if (sample->one_way != rows[i].one_way)
            fail_msg("row %s", rows[i].columns);
        assert_int_equal(sample->progress,
                         (sample->heard || sample->acknowledged) && !rows[i].one_way);
        lab_end(&lab);
    }
}

static void one_way(void **state)
{
    static const struct second_row rows[] = {
        {"srtt=9 samples=1 received=2 unacked=1499 pto_us=1", false},
        {"srtt=9 samples=1 received=2 unacked=1500 pto_us=1", true},
        /* six probe timeouts */
        {"srtt=9 samples=1 received=2 unacked=1500 pto_us=250000", true},
        {"srtt=9 samples=1 received=2 unacked=1500 pto_us=250001", false},
        {"srtt=9 samples=1 received=2 unacked=2999 pto_us=500000", false},
        {"srtt=9 samples=1 received=2 unacked=3000 pto_us=500000", true},
        /* by silent_ms, too */
        {"srtt=9 samples=1 silent=999 unacked=1500 pto_us=1", true},
        /* nothing is heard: it is silent */
        {"srtt=9 samples=1 received=1 unacked=9000 pto_us=1", false},
        {"srtt=9 samples=1 silent=1000 unacked=9000 pto_us=1", false},
        /* it is acknowledged, or nothing waits for that */
        {"srtt=9 samples=2 received=2 unacked=9000 pto_us=1", false},
        {"srtt=9 samples=1 received=2 unacked=0 pto_us=1", false},
        {"srtt=9 samples=1 received=2 pto_us=1", false},
    };

    (void)state;
    expect_second("srtt=9 samples=1 received=1", rows, ARRAY_SIZE(rows));
}

/* One column in which an acknowledgement would show has to be there. */
static void one_way_where_acknowledgements_show(void **state)
{
    static const struct second_row unacked[] = {
        {"received=2 unacked=1500 pto_us=1", true},
        {"received=2 unacked=1500 acked=1 pto_us=1", true},
    };
    struct lab *lab = *state;

    expect_second("received=1", unacked, ARRAY_SIZE(unacked));
    for (unsigned i = 1; i < 9; i++) {
        char columns[64];

        snprintf(columns, sizeof(columns), "received=%u in_flight=900 pto_us=1%s", i,
                 i == 6   ? " samples=1"
                 : i == 7 ? " acked=1"
                          : "");
        assert_int_equal(row_after(lab, SEC, columns)->one_way, i == 6 || i == 7);
        assert_int_equal(lab->poke.sample.unacked_us, (i - 1) * SEC);
    }
}

/* Without unacked_ms, by its size and the time in flight. */
static void one_way_by_what_is_in_flight(void **state)
{
    struct lab *lab = *state;

    row(lab, "srtt=9 samples=1 received=1 in_flight=900 pto_us=1");
    assert_false(row_after(lab, 1500 * MS - 1, "srtt=9 samples=1 received=2 in_flight=900 pto_us=1")
                     ->one_way);
    assert_true(row_after(lab, 1, "srtt=9 samples=1 received=3 in_flight=900 pto_us=1")->one_way);
    row(lab, "srtt=9 samples=2 received=3 in_flight=128 pto_us=1");
    assert_false(
        row_after(lab, 60 * SEC, "srtt=9 samples=2 received=4 in_flight=128 pto_us=1")->one_way);
}

/* Without any age nothing is one way, however long it lasts. */
static void never_one_way_without_an_age(void **state)
{
    struct lab *lab = *state;

    row(lab, "srtt=9 samples=1 received=1 sent=0");
    for (unsigned i = 2; i < 9; i++) {
        char columns[64];

        snprintf(columns, sizeof(columns), "srtt=9 samples=1 received=%u sent=%u", i, i * 1000);
        assert_true(row_after(lab, 10 * SEC, columns)->application);
        assert_false(lab->poke.sample.one_way);
        assert_true(lab->poke.sample.progress);
    }
}

/* ---- starved ---- */

/* Small packets are acknowledged, and data is not. */
static void starved(void **state)
{
    struct lab *lab = *state;
    const struct pd_sample *sample = row(lab, "srtt=9 samples=1 acked=1 unacked=1 pto_us=1");

    assert_int_equal(sample->starved_us, 0);
    sample = row_after(lab, 3 * SEC - 1, "srtt=9 samples=2 acked=1 unacked=9000 pto_us=1");
    assert_int_equal(sample->starved_us, 3 * SEC - 1);
    assert_false(sample->starved);
    assert_true(sample->progress);
    sample = row_after(lab, 1, "srtt=9 samples=3 acked=1 unacked=9000 pto_us=500000");
    assert_int_equal(sample->starved_us, 3 * SEC);
    assert_true(sample->starved);
    assert_true(sample->acknowledged);
    assert_false(sample->progress);
    /* six probe timeouts */
    assert_false(row(lab, "srtt=9 samples=4 acked=1 unacked=9000 pto_us=500001")->starved);
    sample = row_after(lab, SEC, "srtt=9 samples=5 acked=2 unacked=9000 pto_us=1");
    assert_int_equal(sample->starved_us, 0);
    assert_false(sample->starved);
    assert_true(sample->progress);
}

/* Data that was sent a moment ago has not waited for longer than that. */
static void starved_no_longer_than_unacknowledged(void **state)
{
    struct lab *lab = *state;

    row(lab, "acked=1 unacked=1 pto_us=1");
    assert_false(row_after(lab, 9 * SEC, "acked=1 unacked=2999 pto_us=1")->starved);
    assert_int_equal(lab->poke.sample.starved_us, 9 * SEC);
    assert_true(row_after(lab, SEC, "acked=1 unacked=3000 pto_us=1")->starved);
    /* nothing waits: from here on the time counts anew */
    assert_int_equal(row_after(lab, SEC, "acked=1 unacked=0 pto_us=1")->starved_us, 0);
    assert_false(row_after(lab, 3 * SEC - 1, "acked=1 unacked=9000 pto_us=1")->starved);
    assert_true(row_after(lab, 1, "acked=1 unacked=9000 pto_us=1")->starved);
}

static void not_starved_without_the_columns(void **state)
{
    struct lab *lab = *state;

    row(lab, "acked=1 unacked=1 pto_us=1");
    assert_int_equal(row_after(lab, 9 * SEC, "acked=1 in_flight=900 pto_us=1")->starved_us,
                     PD_UNKNOWN);
    assert_false(lab->poke.sample.starved);
    assert_int_equal(row(lab, "unacked=9000 pto_us=1")->starved_us, PD_UNKNOWN);
    assert_false(lab->poke.sample.starved);
    assert_int_equal(row(lab, "acked=1 unacked=9000 pto_us=1")->starved_us, 9 * SEC);
    assert_true(lab->poke.sample.starved);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, lab_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(age_of_the_node),
        TEST(age_by_what_is_in_flight),
        TEST(age_begins_anew_with_an_acknowledgement),
        cmocka_unit_test(shows),
        cmocka_unit_test(what_a_keep_alive_may_be),
        TEST(what_was_sent_before),
        TEST(application_data_stays),
        TEST(application_data_of_a_node_that_reports_no_age),
        TEST(acknowledged_by_bytes),
        TEST(acknowledged_by_a_sample),
        TEST(silent_for),
        TEST(probe_timeout),
        cmocka_unit_test(one_way),
        TEST(one_way_where_acknowledgements_show),
        TEST(one_way_by_what_is_in_flight),
        TEST(never_one_way_without_an_age),
        TEST(starved),
        TEST(starved_no_longer_than_unacknowledged),
        TEST(not_starved_without_the_columns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
