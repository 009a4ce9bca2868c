/* SPDX-License-Identifier: Apache-2.0 */
/* ctl/top/model.c: what the daemon says, and where the cursor is meanwhile. */
#include "top-rig.h"
#include "util/util.h"

/* Whoever is about to press a key means the peer, and not the place in the list. */
static void cursor_stays_with_its_peer(void **state)
{
    struct top_model *model = *state;
    json_t *answer;

    top_take_peers(model, top_answer(5, 5));
    top_select(model, 2);
    assert_string_equal(model->selected, "p3");
    answer = top_answer(5, 5);
    json_array_insert_new(json_object_get(answer, "peers"), 0, top_peer("new", 9, "silent"));
    top_take_peers(model, answer);
    assert_int_equal(model->cursor, 3);
    assert_string_equal(model->selected, "p3");
    answer = top_answer(2, 2); /* it is gone */
    top_take_peers(model, answer);
    assert_int_equal(model->cursor, 1);
    assert_string_equal(model->selected, "p2");
    top_take_peers(model, top_answer(0, 0));
    assert_null(top_selected(model));
    assert_string_equal(model->selected, "");
}

/* Two connections of one name are two. */
static void cursor_knows_connections(void **state)
{
    struct top_model *model = *state;
    json_t *answer = top_answer(0, 2), *peers = json_object_get(answer, "peers");

    json_array_append_new(peers, top_peer("a", 1, "up"));
    json_array_append_new(peers, top_peer("a", 2, "up"));
    top_take_peers(model, json_deep_copy(answer));
    top_select(model, 1);
    json_array_insert_new(peers, 0, top_peer("b", 3, "silent"));
    top_take_peers(model, answer);
    assert_int_equal(model->cursor, 2);
    assert_int_equal(model->selected_conn, 2);
}

/* Who has not chosen any sees the worst. */
static void unchosen_stays_on_top(void **state)
{
    struct top_model *model = *state;
    json_t *answer = top_answer(3, 3);

    top_take_peers(model, top_answer(3, 3));
    json_array_insert_new(json_object_get(answer, "peers"), 0, top_peer("bad", 9, "silent"));
    top_take_peers(model, answer);
    assert_int_equal(model->cursor, 0);
}

static void pages_are_merged(void **state)
{
    json_t *all = NULL, *one = top_answer(2, 100), *other = top_answer(0, 50);
    json_t *bad = top_peer("bad", 77, "silent");

    json_object_set_new(bad, "silent_us", json_integer(5000000));
    json_array_append_new(json_object_get(other, "peers"), bad);
    json_object_set_new(other, "next", json_integer(4096));
    top_merge(&all, one, "worst", 2);
    top_merge(&all, other, "worst", 2);
    assert_int_equal(json_array_size(json_object_get(all, "peers")), 2);
    assert_int_equal(json_integer_value(
                         json_object_get(json_array_get(json_object_get(all, "peers"), 0), "conn")),
                     77);
    assert_int_equal(json_integer_value(json_object_get(json_object_get(all, "conditions"), "up")),
                     150);
    assert_int_equal(json_integer_value(json_object_get(all, "next")), 4096);
    json_decref(all);
}

static void records_have_a_bound(void **state)
{
    struct top_model *model = *state;

    for (int i = 0; i < 300; i++)
        top_take_record(model, json_pack("{s:i}", "decision", i));
    assert_int_equal(json_array_size(model->records), TOP_RECORDS_MOST);
    assert_int_equal(
        json_integer_value(json_object_get(json_array_get(model->records, 0), "decision")), 299);
    model->paused = true;
    top_take_record(model, json_pack("{s:i}", "decision", 300));
    assert_int_equal(model->n_missed, 1);
    assert_int_equal(
        json_integer_value(json_object_get(json_array_get(model->records, 0), "decision")), 299);
    top_take_records(model, NULL);
    assert_int_equal(json_array_size(model->records), 0);
    assert_int_equal(model->n_missed, 0);
}

/* No more is asked for than can be seen soon. */
static void asks_for_little(void **state)
{
    struct top_model *model = *state;

    model->page = 12;
    assert_int_equal(top_wanted(model), 24);
    top_take_peers(model, top_answer(256, 9000));
    top_select(model, 250);
    assert_int_equal(top_wanted(model), TOP_ROWS_MOST);
    assert_int_equal(top_count(model), 9000);
}

static void filters(void **state)
{
    struct top_model *model = *state;
    char *match = top_match(model);

    assert_null(match);
    snprintf(model->filter, sizeof(model->filter), "eu-");
    match = top_match(model);
    assert_string_equal(match, "*eu-*");
    free(match);
    snprintf(model->filter, sizeof(model->filter), "eu-?@*");
    match = top_match(model);
    assert_string_equal(match, "eu-?@*");
    free(match);
}

static void messages_end(void **state)
{
    struct top_model *model = *state;

    top_say(model, true, "no");
    assert_false(top_forget_message(model));
    model->now_us += 60000000;
    assert_true(top_forget_message(model));
    assert_string_equal(model->message, "");
    assert_false(top_forget_message(model));
}

/* Since when it is so, and not since when it was last looked at. */
static void link_since(void **state)
{
    struct top_model *model = *state;

    top_link_set(model, LINK_DOWN, "a");
    model->now_us += 5000000;
    top_link_set(model, LINK_DOWN, "b");
    assert_int_equal(model->now_us - model->link_since_us, 5000000);
    assert_string_equal(model->link_why, "b");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(cursor_stays_with_its_peer, top_setup, top_teardown),
        cmocka_unit_test_setup_teardown(cursor_knows_connections, top_setup, top_teardown),
        cmocka_unit_test_setup_teardown(unchosen_stays_on_top, top_setup, top_teardown),
        cmocka_unit_test_setup_teardown(pages_are_merged, top_setup, top_teardown),
        cmocka_unit_test_setup_teardown(records_have_a_bound, top_setup, top_teardown),
        cmocka_unit_test_setup_teardown(asks_for_little, top_setup, top_teardown),
        cmocka_unit_test_setup_teardown(filters, top_setup, top_teardown),
        cmocka_unit_test_setup_teardown(messages_end, top_setup, top_teardown),
        cmocka_unit_test_setup_teardown(link_since, top_setup, top_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
