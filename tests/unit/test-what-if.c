/* SPDX-License-Identifier: Apache-2.0 */
/* ctl/what-if.c: the same events under two configurations, side by side. */
#include "check.h"

#include "ctl/history.h"
#include "ctl/what-if.h"
#include "util/util.h"

#define SECOND UINT64_C(1000000)

static void take(struct what_if *what_if, enum what_if_side side, uint64_t time_us,
                 const char *peer, const char *verdict)
{
    json_t *record =
        json_pack("{s:s,s:I,s:s,s:s,s:s}", "record", "decision", "time_us", (json_int_t)time_us,
                  "peer", peer, "trigger", "srtt", "verdict", verdict);

    assert_non_null(record);
    what_if_take(what_if, side, record);
    json_decref(record);
}

static uint64_t of(const json_t *result, const char *side, const char *member)
{
    return record_number(json_object_get(result, side), member);
}

static void test_matches(void **state)
{
    struct what_if *what_if = what_if_new();
    const json_t *row;
    json_t *result;

    (void)state;
    take(what_if, WHAT_IF_WAS, 1 * SECOND, "a", "migrate");
    take(what_if, WHAT_IF_OTHER, 1 * SECOND, "a", "migrate"); /* the same */
    take(what_if, WHAT_IF_WAS, 2 * SECOND, "b", "migrate");
    take(what_if, WHAT_IF_OTHER, 3 * SECOND, "c", "migrate");   /* another peer */
    take(what_if, WHAT_IF_OTHER, 5 * SECOND, "b", "reconnect"); /* 3 s later */
    take(what_if, WHAT_IF_OTHER, 20 * SECOND, "d", "migrate");
    take(what_if, WHAT_IF_WAS, 25 * SECOND, "d", "migrate"); /* 5 s earlier */
    take(what_if, WHAT_IF_WAS, 40 * SECOND, "e", "migrate");
    take(what_if, WHAT_IF_OTHER, 51 * SECOND, "e", "migrate"); /* too far */
    take(what_if, WHAT_IF_WAS, 51 * SECOND, "e", "cooling");
    result = what_if_end(what_if);
    assert_int_equal(record_number(result, "both"), 3);
    assert_int_equal(record_number(result, "later"), 1);
    assert_int_equal(record_number(result, "earlier"), 1);
    assert_int_equal(of(result, "recording", "moves"), 4);
    assert_int_equal(of(result, "recording", "only"), 1);
    assert_int_equal(of(result, "other", "moves"), 5);
    assert_int_equal(of(result, "other", "only"), 2);
    assert_int_equal(of(json_object_get(result, "recording"), "verdicts", "cooling"), 1);
    assert_int_equal(of(json_object_get(result, "other"), "triggers", "srtt"), 5);
    row = json_array_get(json_object_get(result, "rows"), 0);
    assert_string_equal(record_word(row, "peer"), "c");
    assert_string_equal(record_word(row, "in"), "other");
    row = json_array_get(json_object_get(result, "rows"), 1);
    assert_string_equal(record_word(row, "peer"), "e");
    assert_string_equal(record_word(row, "in"), "recording");
    json_decref(result);
}

/* A move and its reconnect of both: the first belongs to the first. */
static void test_in_their_order(void **state)
{
    struct what_if *what_if = what_if_new();
    json_t *result;

    (void)state;
    take(what_if, WHAT_IF_WAS, 1 * SECOND, "a", "migrate");
    take(what_if, WHAT_IF_WAS, 4 * SECOND, "a", "reconnect");
    take(what_if, WHAT_IF_OTHER, 5 * SECOND, "a", "migrate");
    take(what_if, WHAT_IF_OTHER, 8 * SECOND, "a", "reconnect");
    result = what_if_end(what_if);
    assert_int_equal(record_number(result, "both"), 2);
    assert_int_equal(json_array_size(json_object_get(result, "rows")), 0);
    json_decref(result);
}

/* A storm: bounded, and not slower than the number of moves. */
static void test_many(void **state)
{
    struct what_if *what_if = what_if_new();
    json_t *result;
    char peer[16];

    (void)state;
    for (int i = 0; i < 100000; i++) {
        snprintf(peer, sizeof(peer), "p%d", i);
        take(what_if, WHAT_IF_WAS, SECOND, peer, "migrate");
    }
    for (int i = 0; i < 100000; i += 2) {
        snprintf(peer, sizeof(peer), "p%d", i);
        take(what_if, WHAT_IF_OTHER, 2 * SECOND, peer, "migrate");
    }
    result = what_if_end(what_if);
    assert_int_equal(record_number(result, "both") + of(result, "other", "only"), 50000);
    assert_int_equal(record_number(result, "both") + of(result, "recording", "only"), 100000);
    assert_int_equal(json_array_size(json_object_get(result, "rows")), WHAT_IF_SHOWN);
    json_decref(result);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_matches),
        cmocka_unit_test(test_in_their_order),
        cmocka_unit_test(test_many),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
