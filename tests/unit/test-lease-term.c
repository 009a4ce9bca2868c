/* SPDX-License-Identifier: Apache-2.0 */
/* plugins/lease: meter.c, term.c, target.c, text.c, each rule by itself. */
#include "check.h"

#include "lease/target.h"
#include "lease/term.h"
#include "lease/text.h"
#include "util/util.h"

#define SECOND 1000000ull

static struct pd_row a_row(void)
{
    struct pd_row row;

    for (size_t i = 0; i < PD_COLUMN_COUNT; i++)
        row.v[i] = PD_UNKNOWN;
    return row;
}

/* ---- meter ---- */

static void test_rate(void **state)
{
    struct lease_meter meter = {0};

    lease_meter_row(&meter, 100 * SECOND, 5000, 0);
    assert_int_equal(meter.rate, 0);
    assert_int_equal(lease_meter_used(&meter, 5000), 0); /* there is no limit: it matters not */
    lease_meter_row(&meter, 105 * SECOND, 10000, 0);
    assert_int_equal(meter.rate, 1000);
    lease_meter_row(&meter, 110 * SECOND, 60000, 0); /* up at once */
    assert_int_equal(meter.rate, 10000);
    lease_meter_row(&meter, 115 * SECOND, 70000, 0); /* half of the way down */
    assert_int_equal(meter.rate, 6000);
    lease_meter_row(&meter, 120 * SECOND, 70000, 0); /* nothing */
    assert_int_equal(meter.rate, 0);
    lease_meter_row(&meter, 125 * SECOND, 70001, 0);
    assert_int_equal(meter.rate, 0);
    assert_int_equal(lease_meter_used(&meter, 70001), 65001);
}

/* Rows of fast polls are no measure: what falls between two of them would be a burst. */
static void test_windows(void **state)
{
    struct lease_meter meter = {0};

    lease_meter_row(&meter, 100 * SECOND, 0, 0);
    for (uint64_t i = 1; i < 10; i++) {
        lease_meter_row(&meter, 100 * SECOND + i * SECOND / 10, i * i * 100, 0);
        assert_int_equal(meter.rate, 0);
        assert_int_equal(lease_meter_used(&meter, i * i * 100), i * i * 100);
    }
    lease_meter_row(&meter, 101 * SECOND, 10000, 0);
    assert_int_equal(meter.rate, 10000);
    lease_meter_row(&meter, 102 * SECOND - 1, 90000, 0);
    assert_int_equal(meter.rate, 10000);
    assert_int_equal(lease_meter_used(&meter, 90000), 90000);
    lease_meter_row(&meter, 102 * SECOND, 90000, 0);
    assert_int_equal(meter.rate, 80000);
}

static void test_first_row(void **state)
{
    struct lease_meter meter = {0};

    lease_meter_row(&meter, SECOND, 5000, 10000); /* a connection that came up a moment ago */
    assert_int_equal(lease_meter_used(&meter, 5000), 5000);
    meter = (struct lease_meter){0};
    lease_meter_row(&meter, SECOND, 10000, 10000); /* it cannot all have been here */
    assert_int_equal(lease_meter_used(&meter, 10000), 0);
    assert_int_equal(lease_meter_used(&meter, 10500), 500);
}

static void test_odd_counters(void **state)
{
    struct lease_meter meter = {0};

    lease_meter_row(&meter, SECOND, PD_UNKNOWN, 0);
    assert_int_equal(meter.window_us, 0);
    lease_meter_row(&meter, 2 * SECOND, 5000, 0);
    lease_meter_row(&meter, 3 * SECOND, 9000, 0);
    lease_meter_row(&meter, 4 * SECOND, PD_UNKNOWN, 0);
    assert_int_equal(meter.rate, 4000);
    assert_int_equal(lease_meter_used(&meter, PD_UNKNOWN), 4000);
    lease_meter_row(&meter, 5 * SECOND, 700, 0); /* counted anew */
    assert_int_equal(meter.rate, 4000);
    assert_int_equal(lease_meter_used(&meter, 700), 4700);
    lease_meter_row(&meter, 6 * SECOND, (UINT64_C(1) << 53) - 1, 0);
    assert_true(meter.rate == (UINT64_C(1) << 53) - 701);
    lease_meter_restart(&meter);
    assert_int_equal(lease_meter_used(&meter, (UINT64_C(1) << 53) - 1), 0);
}

/* ---- term ---- */

static void test_payload(void **state)
{
    assert_int_equal(lease_payload(0), 0);
    assert_int_equal(lease_payload(1), 0);
    assert_int_equal(lease_payload(20), 19);
    assert_int_equal(lease_payload(21), 19);
    assert_int_equal(lease_payload(100), 95);
    assert_int_equal(lease_payload(131072), 124518);
    assert_int_equal(lease_payload(1073741824), 1020054732);
}

struct term_case {
    const char *what;
    struct lease_limits limits;
    uint64_t ms, sent, received, bytes; /* the node's columns; UN: unknown */
    uint64_t used[2], rate[2];
    enum lease_end end;
    uint64_t eta_ms;
};

#define UN PD_UNKNOWN

/* 40 s after the connection came onto the relay. */
static void test_eta(void **state)
{
    static const struct term_case cases[] = {
        {"no limit", {0, 0}, UN, UN, UN, UN, {7, 7}, {9, 9}, LEASE_END_NONE, UN},
        {"no rate", {1000, 0}, UN, UN, UN, UN, {999, 999}, {0, 0}, LEASE_END_NONE, UN},
        {"age", {0, 60 * SECOND}, UN, UN, UN, UN, {0, 0}, {0, 0}, LEASE_END_TIME, 20000},
        {"over", {0, 30 * SECOND}, UN, UN, UN, UN, {0, 0}, {0, 0}, LEASE_END_TIME, 0},
        {"0.95 of the limit", {1000, 0}, UN, UN, UN, UN, {450, 0}, {100, 0}, LEASE_END_SENT, 5000},
        {"received", {1000, 0}, UN, UN, UN, UN, {450, 450}, {100, 125}, LEASE_END_RECEIVED, 4000},
        {"a direction by itself",
         {1000, 0},
         UN,
         UN,
         UN,
         UN,
         {950, 0},
         {0, 1},
         LEASE_END_RECEIVED,
         950000},
        {"used up", {1000, 0}, UN, UN, UN, UN, {950, 0}, {1, 0}, LEASE_END_SENT, 0},
        {"more than used up", {1000, 0}, UN, UN, UN, UN, {5000, 0}, {1, 0}, LEASE_END_SENT, 0},
        {"the least",
         {1000, 60 * SECOND},
         UN,
         UN,
         UN,
         UN,
         {0, 0},
         {10, 95},
         LEASE_END_RECEIVED,
         10000},
        {"told ms", {0, 60 * SECOND}, 1234, UN, UN, UN, {0, 0}, {0, 0}, LEASE_END_TIME, 1234},
        {"told 0 ms", {0, 60 * SECOND}, 0, UN, UN, UN, {0, 0}, {0, 0}, LEASE_END_TIME, 0},
        {"told bytes", {1000, 0}, UN, 2000, UN, UN, {999, 0}, {100, 0}, LEASE_END_SENT, 19000},
        {"told of one",
         {1000, 0},
         UN,
         2000,
         UN,
         UN,
         {999, 450},
         {100, 100},
         LEASE_END_RECEIVED,
         5000},
        {"told 0 bytes", {0, 0}, UN, 0, UN, UN, {0, 0}, {1, 0}, LEASE_END_SENT, 0},
        {"told 0 bytes, no rate", {0, 0}, UN, 0, 0, 0, {0, 0}, {0, 0}, LEASE_END_NONE, UN},
        {"told of both", {0, 0}, UN, UN, UN, 100, {0, 0}, {19, 95}, LEASE_END_RECEIVED, 1000},
        {"both, and less of one", {0, 0}, UN, 20, UN, 100, {0, 0}, {19, 95}, LEASE_END_SENT, 1000},
        {"both, and more of one", {0, 0}, UN, 400, UN, 100, {0, 0}, {19, 1}, LEASE_END_SENT, 5000},
        {"all three", {0, 0}, 700, 200, 100, UN, {0, 0}, {190, 95}, LEASE_END_TIME, 700},
        {"the greatest",
         {0, 0},
         (UINT64_C(1) << 53) - 1,
         (UINT64_C(1) << 53) - 1,
         UN,
         UN,
         {0, 0},
         {1, 0},
         LEASE_END_SENT,
         UINT64_C(1) << 50},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        const struct term_case *c = &cases[i];
        struct lease_meter sent = {1, 0, c->used[0], c->rate[0]};
        struct lease_meter received = {1, 0, c->used[1], c->rate[1]};
        struct pd_row row = a_row();
        struct lease_left left;
        struct lease_term term;

        row.v[PD_LEASE_MS] = c->ms;
        row.v[PD_LEASE_SENT_BYTES] = c->sent;
        row.v[PD_LEASE_RECEIVED_BYTES] = c->received;
        row.v[PD_LEASE_BYTES] = c->bytes;
        left = lease_left(&row, &c->limits, 100 * SECOND, 60 * SECOND, &sent, &received);
        term = lease_term(&row, &c->limits, &left, 100 * SECOND, &sent, &received);
        if (term.end != c->end || term.eta_ms != c->eta_ms)
            fail_msg("%s: %d in %llu ms", c->what, (int)term.end, (unsigned long long)term.eta_ms);
    }
}

static void test_renewed(void **state)
{
    const struct lease_left before = {100 * SECOND, 500, UN}; /* 10 s, at 90 s */
    static const struct {
        struct lease_left now;
        uint64_t now_us;
        bool renewed;
    } cases[] = {
        {{100 * SECOND, 500, UN}, 90 * SECOND, false},
        {{101 * SECOND, 400, UN}, 90 * SECOND, false},
        {{101 * SECOND + 1, 400, UN}, 90 * SECOND, true},
        {{105 * SECOND, 400, UN}, 95 * SECOND, false}, /* 10 s once more */
        {{106 * SECOND, 400, UN}, 95 * SECOND, true},
        {{100 * SECOND, 501, UN}, 90 * SECOND, true},
        {{UN, UN, UN}, 90 * SECOND, false}, /* not known: no more */
        {{100 * SECOND, 400, 9000}, 90 * SECOND, false},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
        if (lease_renewed(&before, 90 * SECOND, &cases[i].now, cases[i].now_us) != cases[i].renewed)
            fail_msg("case %zu", i);
    assert_true(
        lease_renewed(&(struct lease_left){UN, UN, 5}, 0, &(struct lease_left){UN, UN, 6}, SECOND));
    assert_true(lease_unlimited(&(struct lease_left){UN, UN, UN}));
    assert_false(lease_unlimited(&(struct lease_left){UN, UN, 0}));
}

/* ---- target ---- */

static const char *target(const char *names, const char *now, bool stay, uint32_t attempt)
{
    static struct lease_relays relays;
    struct pd_relay list[5];
    char copy[64], *rest = copy;
    struct pd_relays told = {.obeys = true, .told = true, .list = list};

    snprintf(copy, sizeof(copy), "%s", names);
    for (char *name; *copy && (name = strsep(&rest, " "));)
        list[told.n++] = (struct pd_relay){.name = name};
    lease_relays_take(&relays, &told);
    return lease_target(&relays, now, stay, attempt);
}

static void test_target(void **state)
{
    static const struct {
        const char *names, *now;
        bool stay;
        const char *places; /* of the attempts, one after the other */
    } cases[] = {
        {"", "a", false, "a a a"},          {"a", "a", false, "a a a"},
        {"a", "a", true, "a a a"},          {"a b", "a", false, "b a b a"},
        {"a b", "a", true, "a b a b"},      {"a b c", "a", false, "b c a b c a"},
        {"a b c", "b", false, "c a b c a"}, {"a b c", "c", false, "a b c a"},
        {"a b c", "b", true, "b c a b"},    {"a b", "x", false, "a b x a b x"},
        {"a b", "x", true, "x a b x"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        char got[64] = "";

        for (uint32_t k = 0; strlen(got) < strlen(cases[i].places); k++)
            snprintf(got + strlen(got), sizeof(got) - strlen(got), "%s%s", k ? " " : "",
                     target(cases[i].names, cases[i].now, cases[i].stay, k));
        assert_string_equal(got, cases[i].places);
    }
}

static void test_no_target(void **state)
{
    struct lease_relays relays = {0};
    const struct pd_relay list[] = {{.name = "a"}, {.name = "b"}};

    assert_null(target("a b", NULL, false, 0));
    lease_relays_take(&relays, &(struct pd_relays){.told = true, .list = list, .n = 2});
    assert_null(lease_target(&relays, "a", false, 0)); /* the node obeys no `via` */
    lease_relays_take(&relays, &(struct pd_relays){.obeys = true});
    assert_string_equal(lease_target(&relays, "a", false, 0), "a"); /* nothing was told */
}

/* More than may be told do not fit, and no name is cut. */
static void test_many_relays(void **state)
{
    static struct lease_relays relays;
    static struct pd_relay list[LEASE_RELAYS_MAX + 2];
    static char names[LEASE_RELAYS_MAX + 2][LEASE_NAME_SIZE + 1];

    for (size_t i = 0; i < ARRAY_SIZE(list); i++) {
        snprintf(names[i], sizeof(names[i]), "r%zu", i);
        list[i].name = names[i];
    }
    memset(names[0], 'x', LEASE_NAME_SIZE);
    lease_relays_take(&relays,
                      &(struct pd_relays){.obeys = true, .list = list, .n = ARRAY_SIZE(list)});
    assert_int_equal(relays.n, LEASE_RELAYS_MAX);
    assert_string_equal(relays.names[0], "r1");
    assert_string_equal(relays.names[LEASE_RELAYS_MAX - 1], "r64");
}

/* ---- words ---- */

static void test_words(void **state)
{
    const struct lease_left left = {113 * SECOND, 4200000, 999};
    const struct lease_term time = {LEASE_END_TIME, 13040}, sent = {LEASE_END_SENT, 9000};
    const struct lease_term received = {LEASE_END_RECEIVED, 0};
    char reason[LEASE_REASON_SIZE], report[PD_SAVED_MAX];

    lease_reason(reason, &time, &left, 0, "A", NULL);
    assert_string_equal(reason, "13.0 s left on relay A");
    lease_reason(reason, &sent, &left, 443333, "A", "A");
    assert_string_equal(reason,
                        "4.2 MB left to send on relay A, 9.0 s at 443.3 kB/s; a new circuit there");
    lease_reason(reason, &received, &left, 7, "A", "B");
    assert_string_equal(reason,
                        "999 B left to receive on relay A, 0.0 s at 7 B/s; relay B instead");
    lease_reason(reason, &time, &left, 0, NULL, NULL);
    assert_string_equal(reason, "13.0 s left on the relay");
    lease_report(report, sizeof(report), &left, 9000, "A", 100 * SECOND);
    assert_string_equal(report, "4.2 MB to send, 999 B to receive and 13.0 s left on relay A, at "
                                "this rate 9.0 s");
    lease_report(report, sizeof(report), &(struct lease_left){UN, UN, 5}, UN, NULL, 0);
    assert_string_equal(report, "5 B to receive left on the relay, at this rate for ever");
    lease_report(report, sizeof(report), &(struct lease_left){UN, UN, UN}, UN, "A", 0);
    assert_string_equal(report, "no limit is known of relay A");
    lease_report(report, sizeof(report), &(struct lease_left){3700 * SECOND, UN, UN}, 3700000, "A",
                 0);
    assert_string_equal(report, "1 h 1 min left on relay A");
}

/* Two names as long as they get, and numbers likewise. */
static void test_long_words(void **state)
{
    const struct lease_left left = {UINT64_C(1) << 60, (UINT64_C(1) << 53) - 1,
                                    (UINT64_C(1) << 53) - 1};
    const struct lease_term term = {LEASE_END_SENT, UINT64_C(1) << 50};
    char reason[LEASE_REASON_SIZE], name[LEASE_NAME_SIZE], other[LEASE_NAME_SIZE];

    memset(name, 'a', sizeof(name) - 1);
    memset(other, 'b', sizeof(other) - 1);
    name[sizeof(name) - 1] = other[sizeof(other) - 1] = '\0';
    lease_reason(reason, &term, &left, (UINT64_C(1) << 53) - 1, name, other);
    assert_string_equal(reason + strlen(reason) - 9, "b instead");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rate),      cmocka_unit_test(test_windows),
        cmocka_unit_test(test_first_row), cmocka_unit_test(test_odd_counters),
        cmocka_unit_test(test_payload),   cmocka_unit_test(test_eta),
        cmocka_unit_test(test_renewed),   cmocka_unit_test(test_target),
        cmocka_unit_test(test_no_target), cmocka_unit_test(test_many_relays),
        cmocka_unit_test(test_words),     cmocka_unit_test(test_long_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
