/* SPDX-License-Identifier: Apache-2.0 */
/* watchdog/alert/queue.c: one by one, then in sums. */
#include "check.h"

#include "alert/queue.h"

#include "util/util.h"

#define SECOND UINT64_C(1000000)

static const struct queue_config three = {.burst = 3, .every_us = 10 * SECOND};

static void add(struct queue *queue, enum alert_event event, uint64_t number, uint64_t now_us)
{
    json_t *record = json_pack("{s:s,s:s,s:s}", "record", "check", "run", "r", "text", "words");
    json_t *object;

    member_set_number(record, "time_us", number);
    object = event_object(record, event);
    queue_add(queue, event, object, now_us);
    json_decref(object);
    json_decref(record);
}

/* The number of the one that is next; 0: none is. */
static uint64_t take(struct queue *queue, uint64_t now_us)
{
    json_t *object = queue_take(queue, now_us);
    uint64_t number = object ? member_number(object, "time_us") : 0;

    if (object)
        assert_string_not_equal(member_text(object, "record"), "summary");
    json_decref(object);
    return number;
}

static void test_in_order(void **state)
{
    struct queue *queue = queue_new(&three, 5);

    (void)state;
    assert_int_equal(queue_due_us(queue, 5), UINT64_MAX);
    assert_int_equal(take(queue, 5), 0);
    for (uint64_t i = 1; i <= 3; i++)
        add(queue, ALERT_WORSE, i, 5);
    assert_int_equal(queue_due_us(queue, 6), 6);
    assert_int_equal(queue_waiting(queue), 3);
    for (uint64_t i = 1; i <= 3; i++)
        assert_int_equal(take(queue, 6), i);
    assert_int_equal(take(queue, 6), 0);
    assert_int_equal(queue_waiting(queue), 0);
    queue_free(queue);
}

/* 3 one by one, 812 in a sum after 10 s. */
static void test_flood(void **state)
{
    struct queue *queue = queue_new(&three, SECOND);
    json_t *sum;

    (void)state;
    for (uint64_t i = 1; i <= 815; i++)
        add(queue, i == 600 ? ALERT_UPLINK_SILENT : i % 2 ? ALERT_STALLED : ALERT_WORSE, i, SECOND);
    for (uint64_t i = 1; i <= 3; i++)
        assert_int_equal(take(queue, SECOND), i);
    assert_null(queue_take(queue, SECOND));
    assert_int_equal(queue_due_us(queue, SECOND), 11 * SECOND);
    assert_null(queue_take(queue, 11 * SECOND - 1));
    sum = queue_take(queue, 11 * SECOND);
    assert_string_equal(member_text(sum, "record"), "summary");
    assert_string_equal(member_text(sum, "event"), "uplink-silent");
    assert_string_equal(member_text(sum, "run"), "r");
    assert_int_equal(member_number(sum, "count"), 812);
    assert_int_equal(member_number(sum, "first_us"), 4);
    assert_int_equal(member_number(sum, "last_us"), 815);
    assert_int_equal(member_number(json_object_get(sum, "worst"), "time_us"), 600);
    assert_int_equal(member_number(json_object_get(sum, "last"), "time_us"), 815);
    assert_int_equal(member_number(json_object_get(sum, "events"), "stalled"), 406);
    assert_int_equal(member_number(json_object_get(sum, "events"), "worse"), 405);
    assert_string_equal(
        member_text(sum, "sentence"),
        "and 812 more: 1 uplink-silent, 406 stalled, 405 worse; the gravest: words");
    json_decref(sum);
    assert_null(queue_take(queue, 100 * SECOND));
    assert_int_equal(queue_due_us(queue, 100 * SECOND), UINT64_MAX);
    queue_free(queue);
}

/* What waited alone is no sum. */
static void test_sum_of_one(void **state)
{
    struct queue *queue = queue_new(&three, 0);

    (void)state;
    for (uint64_t i = 1; i <= 4; i++)
        add(queue, ALERT_WORSE, i, 0);
    for (uint64_t i = 1; i <= 3; i++)
        assert_int_equal(take(queue, 0), i);
    assert_int_equal(take(queue, 10 * SECOND), 4);
    queue_free(queue);
}

/* One call in 10 s as long as it goes on; after a quiet time all tokens are back. */
static void test_rate(void **state)
{
    struct queue *queue = queue_new(&three, 0);
    unsigned n = 0;

    (void)state;
    for (uint64_t now_us = 0; now_us < 1000 * SECOND; now_us += SECOND / 2) {
        json_t *object;

        add(queue, ALERT_WORSE, now_us + 1, now_us);
        while ((object = queue_take(queue, now_us))) {
            n++;
            json_decref(object);
        }
    }
    assert_in_range(n, 101, 103);
    json_decref(queue_take(queue, 2000 * SECOND)); /* the last sum */
    for (uint64_t i = 1; i <= 3; i++) {
        add(queue, ALERT_WORSE, i, 3000 * SECOND);
        assert_int_equal(take(queue, 3000 * SECOND), i);
    }
    queue_free(queue);
}

/* While the program hangs no more than a burst is kept. */
static void test_nobody_takes(void **state)
{
    struct queue *queue = queue_new(&three, 0);
    json_t *sum;

    (void)state;
    for (uint64_t i = 1; i <= 100; i++)
        add(queue, ALERT_WORSE, i, i * 100 * SECOND);
    assert_int_equal(queue_waiting(queue), 100);
    for (uint64_t i = 1; i <= 3; i++)
        assert_int_equal(take(queue, 20000 * SECOND), i);
    sum = queue_take(queue, 20000 * SECOND);
    assert_int_equal(member_number(sum, "count"), 97);
    json_decref(sum);
    queue_free(queue);
}

static void test_reload(void **state)
{
    static const struct queue_config five = {.burst = 5, .every_us = SECOND};
    struct queue *queue = queue_new(&three, 0);

    (void)state;
    for (uint64_t i = 1; i <= 5; i++)
        add(queue, ALERT_WORSE, i, 0);
    queue_configure(queue, &five, SECOND);
    assert_int_equal(queue_waiting(queue), 5); /* nothing is lost */
    for (uint64_t i = 1; i <= 3; i++)
        assert_int_equal(take(queue, SECOND), i);
    json_decref(queue_take(queue, SECOND));
    assert_int_equal(queue_waiting(queue), 0);
    queue_configure(queue, &three, 2 * SECOND);
    queue_free(queue);
    assert_null(queue_free(NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_order),     cmocka_unit_test(test_flood),
        cmocka_unit_test(test_sum_of_one),   cmocka_unit_test(test_rate),
        cmocka_unit_test(test_nobody_takes), cmocka_unit_test(test_reload),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
