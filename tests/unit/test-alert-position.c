/* SPDX-License-Identifier: Apache-2.0 */
/* watchdog/alert/position.c: after a break nothing is told twice, and nothing left out. */
#include "check.h"

#include "alert/position.h"

#include "alert/event.h"
#include "util/util.h"

static json_t *record(uint64_t number)
{
    json_t *one = json_pack("{s:s}", "record", number % 2 ? "effect" : "uplink");

    member_set_number(one, "time_us", number);
    return one;
}

/* The records from..to, the newest first: as the memory answers. */
static json_t *page(uint64_t from, uint64_t to)
{
    json_t *array = json_array();

    for (uint64_t i = to; i >= from; i--)
        json_array_append_new(array, record(i));
    return array;
}

static bool feed_page(struct catch_up *catch_up, struct position *position, uint64_t from,
                      uint64_t to)
{
    json_t *array = page(from, to);
    bool more = catch_up_page(catch_up, position, array);

    json_decref(array);
    return more;
}

static void read_until(struct position *position, uint64_t number)
{
    json_t *one = record(number);

    position_move(position, one);
    json_decref(one);
}

static void check_missed(struct catch_up *catch_up, struct position *position, uint64_t from,
                         uint64_t to)
{
    json_t *missed = catch_up_end(catch_up, position);

    assert_int_equal(json_array_size(missed), to + 1 - from);
    for (uint64_t i = from; i <= to; i++)
        assert_int_equal(member_number(json_array_get(missed, i - from), "time_us"), i);
    json_decref(missed);
}

static void test_first_time(void **state)
{
    struct position position = {0};
    struct catch_up catch_up;

    (void)state;
    catch_up_begin(&catch_up, &position, "run");
    assert_false(feed_page(&catch_up, &position, 1, 9)); /* one is enough */
    check_missed(&catch_up, &position, 1, 0);
    assert_int_equal(member_number(position.last, "time_us"), 9);
    assert_string_equal(position.run, "run");
    position_clear(&position);
}

static void test_a_break(void **state)
{
    struct position position = {0};
    struct catch_up catch_up;

    (void)state;
    position_enter(&position, "run");
    read_until(&position, 20);
    catch_up_begin(&catch_up, &position, "run");
    assert_true(feed_page(&catch_up, &position, 41, 60));
    assert_true(feed_page(&catch_up, &position, 31, 40));
    assert_false(feed_page(&catch_up, &position, 15, 30));
    assert_true(catch_up.found);
    check_missed(&catch_up, &position, 21, 60);
    assert_int_equal(member_number(position.last, "time_us"), 60);
    /* again, and nothing is new */
    catch_up_begin(&catch_up, &position, "run");
    assert_false(feed_page(&catch_up, &position, 41, 60));
    check_missed(&catch_up, &position, 1, 0);
    position_clear(&position);
}

/* The memory has forgotten it: all that it has is newer. */
static void test_forgotten(void **state)
{
    struct position position = {0};
    struct catch_up catch_up;

    (void)state;
    position_enter(&position, "run");
    read_until(&position, 20);
    catch_up_begin(&catch_up, &position, "run");
    assert_true(feed_page(&catch_up, &position, 41, 60));
    assert_false(catch_up.found);
    check_missed(&catch_up, &position, 41, 60);
    position_clear(&position);
}

/* Of another run nothing was read. */
static void test_another_run(void **state)
{
    struct position position = {0};
    struct catch_up catch_up;

    (void)state;
    position_enter(&position, "run");
    read_until(&position, 3);
    catch_up_begin(&catch_up, &position, "other");
    assert_null(position.last);
    assert_true(feed_page(&catch_up, &position, 1, 5));
    check_missed(&catch_up, &position, 1, 5);
    assert_string_equal(position.run, "other");
    position_clear(&position);
}

/* A run of which there was no record yet: what came since is new. */
static void test_nothing_yet(void **state)
{
    struct position position = {0};
    struct catch_up catch_up;

    (void)state;
    position_enter(&position, "run");
    catch_up_begin(&catch_up, &position, "run");
    assert_true(feed_page(&catch_up, &position, 1, 4));
    check_missed(&catch_up, &position, 1, 4);
    position_clear(&position);
}

static void test_too_many(void **state)
{
    struct position position = {0};
    struct catch_up catch_up;

    (void)state;
    position_enter(&position, "run");
    catch_up_begin(&catch_up, &position, "run");
    assert_false(feed_page(&catch_up, &position, 1, 20000));
    assert_true(catch_up.too_many);
    assert_int_equal(json_array_size(catch_up.missed), 16384);
    catch_up_clear(&catch_up);
    position_clear(&position);
}

/* Only what the memory has can be looked for there. */
static void test_kinds(void **state)
{
    struct position position = {0};
    json_t *notice = json_pack("{s:s}", "record", "notice");

    (void)state;
    position_enter(&position, "run");
    position_move(&position, notice);
    assert_null(position.last);
    json_decref(notice);
    position_clear(&position);
}

static void test_kept(void **state)
{
    struct position position = {0}, again = {0};
    static const char *const bad[] = {
        "",
        "{",
        "[]",
        "{\"version\":2,\"run\":\"x\"}",
        "{\"version\":1}",
        "{\"version\":1,\"run\":\"x\",\"last\":3}",
    };
    json_t *state_there = json_integer(7), *saved = NULL;
    CLEANUP_FREE char *text = NULL;

    (void)state;
    assert_null(position_text(&position, state_there));
    position_enter(&position, "run");
    read_until(&position, 41);
    text = position_text(&position, state_there);
    assert_true(position_parse(&again, text, strlen(text), &saved));
    assert_int_equal(json_integer_value(saved), 7);
    json_decref(saved);
    json_decref(state_there);
    assert_string_equal(again.run, "run");
    assert_true(json_equal(again.last, position.last));
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        assert_false(position_parse(&again, bad[i], strlen(bad[i]), &saved));
    assert_string_equal(again.run, "run");
    position_clear(&position);
    position_clear(&again);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_first_time),  cmocka_unit_test(test_a_break),
        cmocka_unit_test(test_forgotten),   cmocka_unit_test(test_another_run),
        cmocka_unit_test(test_nothing_yet), cmocka_unit_test(test_too_many),
        cmocka_unit_test(test_kinds),       cmocka_unit_test(test_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
