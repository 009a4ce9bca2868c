/* SPDX-License-Identifier: Apache-2.0 */
/* ctl/top/layout*.c: what is seen at which size. */
#include "top-rig.h"
#include "util/util.h"

#define EACH(function) cmocka_unit_test_setup_teardown(function, setup, top_teardown)

static json_t *decision(void)
{
    return json_pack(
        "{s:s,s:i,s:I,s:s,s:s,s:s,s:s,s:s}", "record", "decision", "decision", 41, "time_us",
        (json_int_t)1795170000123456, "peer", "bravo@h", "trigger", "route", "kind", "moved",
        "reason", "default route flip: up0 via 10.0.1.1 → up1 via 10.0.2.1", "verdict", "migrate");
}

static int setup(void **state)
{
    struct top_model *model;
    json_t *answer, *bad;

    if (top_setup(state) < 0)
        return -1;
    model = *state;
    answer = top_answer(3, 3);
    bad = top_peer("bravo@h", 9, "silent");
    json_object_set_new(bad, "silent_us", json_integer(3120000));
    json_object_set_new(bad, "held", json_true());
    json_array_insert_new(json_object_get(answer, "peers"), 0, bad);
    json_object_set_new(json_object_get(answer, "conditions"), "silent", json_integer(1));
    top_take_status(model, top_status());
    top_take_peers(model, answer);
    top_take_uplinks(model, json_pack("[{s:s,s:s,s:i,s:i},{s:s,s:s}]", "uplink", "home", "state",
                                      "up", "rtt_us", 18000, "peers", 4, "uplink", "lte", "state",
                                      "no-carrier"));
    top_take_record(model, decision());
    return 0;
}

static void at_80_24(void **state)
{
    struct top_model *model = *state;

    top_expect(model, 24, 80, 0, "node alpha@h up  mode active");
    top_expect(model, 24, 80, 1, "ok: node alpha@h is up, 3 peers, none silent");
    top_expect(model, 24, 80, 2, "4 peers  1 silent  3 up   requests: 2 open");
    top_expect(model, 24, 80, 3, "uplinks:  lte no-carrier  home up 18 ms, 4 peers");
    top_expect(model, 24, 80, 4, "PEER     STATE   SILENT     SRTT");
    top_expect(model, 24, 80, 5, " bravo@h  silent   3.1 s   (41 ms)");
    top_expect(model, 24, 80, 5, "home   held");
    top_expect(model, 24, 80, 6, " p1       up           -    41 ms   ");
    top_expect(model, 24, 80, 6, "▁");
    top_expect(model, 24, 80, -3, "LAST DECISIONS");
    top_expect(model, 24, 80, -3, "peers 1-4 of 4, by worst");
    top_expect(model, 24, 80, -2, "migrate     bravo@h  route moved: default route flip: up0 via");
    top_expect(model, 24, 80, -1,
               "q quit ? help / filter s sort e explain h hold r release m move");
}

static void in_ascii(void **state)
{
    struct top_model *model = *state;
    struct canvas canvas;

    model->utf8 = false;
    canvas_init(&canvas, 24, 200, false);
    top_draw(model, &canvas);
    for (int row = 0; row < 24; row++)
        for (int col = 0; col < 200; col++)
            assert_in_range(canvas_at(&canvas, row, col)->c, 0x20, 0x7e);
    canvas_clear(&canvas);
    top_expect(model, 24, 200, -2, "up0 via 10.0.1.1 -> up1 via 10.0.2.1");
    top_expect(model, 24, 80, 6, "_");
}

/* What is left out goes from the right, and the reason last. */
static void narrow(void **state)
{
    struct top_model *model = *state;

    top_expect(model, 12, 40, 0, "node alpha@h up");
    top_expect(model, 12, 40, 4, "SRTT");
    top_expect(model, 12, 40, 5, "bravo@h  silent");
    top_expect(model, 8, 40, -1, "q quit");
    top_expect(model, 8, 40, 5, "bravo@h");
}

static void too_small(void **state)
{
    struct top_model *model = *state;

    top_expect(model, 5, 20, 0, "pathdog ok");
    top_expect(model, 5, 20, 1, "20x5 is too small");
    top_expect(model, 5, 20, 2, "least is 40x8");
    top_expect(model, 5, 20, 3, "1 of 4 silent");
    top_expect(model, 5, 20, 4, "q quit");
    top_expect(model, 1, 1, 0, "…");
    top_link_set(model, LINK_DOWN, "no process listens");
    top_expect(model, 5, 20, 0, "pathdog is away");
}

/* Every size, in every view, with every question. */
static void all_sizes(void **state)
{
    struct top_model *model = *state;

    for (int rows = 1; rows < 40; rows += 3)
        for (int cols = 1; cols < 140; cols += 7)
            for (int view = VIEW_PEERS; view <= VIEW_HELP; view++)
                for (int prompt = PROMPT_NONE; prompt <= PROMPT_CONFIRM; prompt++) {
                    struct canvas canvas;
                    int cursor;

                    model->view = (enum top_view)view;
                    model->prompt = (enum top_prompt)prompt;
                    canvas_init(&canvas, rows, cols, model->utf8);
                    cursor = top_draw(model, &canvas);
                    assert_true(cursor < cols);
                    assert_true(model->page >= 1);
                    canvas_clear(&canvas);
                }
}

static void away(void **state)
{
    struct top_model *model = *state;

    top_link_set(model, LINK_DOWN, "no process listens");
    model->now_us += 12000000;
    top_expect(model, 24, 80, 0, "pathdog is away for 12 s: no process listens; trying again");
    top_expect(model, 24, 80, 5, "bravo@h"); /* what it said last */
    top_link_set(model, LINK_SILENT, "");
    top_expect(model, 24, 80, 0, "has not answered for");
    top_link_set(model, LINK_UP, "");
    top_take_status(model, NULL);
    top_expect(model, 24, 80, 0, "waiting for its first answer");
}

static void scrolls_to_the_cursor(void **state)
{
    struct top_model *model = *state;

    top_take_peers(model, top_answer(100, 10000));
    top_expect(model, 24, 80, 5, " p1 ");
    for (int i = 0; i < 50; i++)
        top_key(model, KEY_OF_DOWN);
    top_expect(model, 24, 80, 5 + model->page - 1, " p51 ");
    top_expect(model, 24, 80, -3, "of 10000, by worst");
    top_key(model, KEY_OF_HOME);
    top_expect(model, 24, 80, 5, " p1 ");
}

static void says_why_there_is_none(void **state)
{
    struct top_model *model = *state;

    top_take_peers(model, top_answer(0, 0));
    top_expect(model, 24, 80, 5, "the node has no connections");
    snprintf(model->filter, sizeof(model->filter), "x");
    top_expect(model, 24, 80, 5, "no peer matches \"x\"");
    *model->filter = '\0';
    json_object_set_new(json_object_get(model->status, "node"), "state", json_string("down"));
    top_expect(model, 24, 80, 5, "has told of no peers yet");
}

static void asks_in_the_last_line(void **state)
{
    struct top_model *model = *state;
    struct canvas canvas;

    top_type(model, "h");
    top_expect(model, 24, 80, -1, "hold bravo@h for (empty: until released): 10min");
    canvas_init(&canvas, 24, 80, true);
    assert_int_equal(top_draw(model, &canvas), 47);
    canvas_clear(&canvas);
    top_key(model, KEY_OF_ESCAPE);
    top_type(model, "mlte\n");
    top_expect(model, 24, 80, -1, "move bravo@h to lte now? y/n");
    top_type(model, "n");
    top_expect(model, 24, 80, -1, "not moved");
    for (int i = 0; i < 200; i++) /* the end of what is typed is seen, however long it is */
        top_type(model, i ? "x" : "/");
    top_expect(model, 24, 80, -1, "xxx");
}

/* All of a reason, in lines. */
static void whole_records(void **state)
{
    struct top_model *model = *state;

    top_type(model, "d");
    top_expect(model, 24, 50, 4, "LAST DECISIONS");
    top_expect(model, 24, 50, 5, "migrate     bravo@h  route moved:");
    top_expect(model, 24, 50, 7, "                      10.0.1.1 → up1 via 10.0.2.1");
}

static void explains(void **state)
{
    struct top_model *model = *state;

    top_type(model, "e");
    top_expect(model, 24, 80, 5, "waiting for the answer");
    top_take_text(model, "bravo@h",
                  strdup("bravo@h  conn 9\npath       one two three four five six seven eight nine "
                         "ten eleven twelve\n"));
    top_expect(model, 24, 80, 4, "EXPLAIN bravo@h");
    top_expect(model, 24, 60, 6, " path       one two three");
    top_expect(model, 24, 60, 7, "            ten eleven twelve");
}

static void paused(void **state)
{
    struct top_model *model = *state;

    top_type(model, "p");
    top_take_record(model, decision());
    top_expect(model, 24, 80, 0, "PAUSED");
    top_expect(model, 24, 80, -3, "1 more since the pause");
    top_expect(model, 24, 80, -1, "p go on");
}

/* Names come from peers. */
static void hostile_names(void **state)
{
    struct top_model *model = *state;
    json_t *answer = top_answer(0, 1);

    json_array_append_new(json_object_get(answer, "peers"), top_peer("\xe2\x80\xae"
                                                                     "gpj\xc2\x9b"
                                                                     "2J",
                                                                     1, "up"));
    top_take_peers(model, answer);
    top_expect(model, 24, 80, 5, "\\u202egpj\\u009b2J");
    top_type(model, "h");
    top_expect(model, 24, 80, -1, "hold \\u202egpj\\u009b2J for");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        EACH(at_80_24),
        EACH(in_ascii),
        EACH(narrow),
        EACH(too_small),
        EACH(all_sizes),
        EACH(away),
        EACH(scrolls_to_the_cursor),
        EACH(says_why_there_is_none),
        EACH(asks_in_the_last_line),
        EACH(whole_records),
        EACH(explains),
        EACH(paused),
        EACH(hostile_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
