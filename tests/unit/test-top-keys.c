/* SPDX-License-Identifier: Apache-2.0 */
/* ctl/top/keys.c: what a key does, and what it never does. */
#include "top-rig.h"

static int setup(void **state)
{
    if (top_setup(state) < 0)
        return -1;
    top_take_peers(*state, top_answer(30, 30));
    ((struct top_model *)*state)->page = 10;
    return 0;
}

static void moving_about(void **state)
{
    struct top_model *model = *state;

    assert_int_equal(top_key(model, KEY_OF_DOWN).what, DO_NOTHING);
    assert_int_equal(model->cursor, 1);
    top_key(model, KEY_OF_PAGE_DOWN);
    assert_int_equal(model->cursor, 10);
    assert_int_equal(top_key(model, KEY_OF_PAGE_DOWN).what, DO_NOTHING);
    assert_int_equal(top_key(model, KEY_OF_PAGE_DOWN).what, DO_ASK); /* there may be more */
    top_key(model, KEY_OF_HOME);
    assert_int_equal(model->cursor, 0);
    top_key(model, KEY_OF_UP);
    assert_int_equal(model->cursor, 0);
    top_type(model, "jjk");
    assert_int_equal(model->cursor, 1);
}

/* The end is where the end of the list is, when it is there. */
static void to_the_end(void **state)
{
    struct top_model *model = *state;

    assert_int_equal(top_key(model, KEY_OF_END).what, DO_ASK);
    assert_int_equal(top_wanted(model), TOP_ROWS_MOST);
    top_take_peers(model, top_answer(100, 100));
    assert_int_equal(model->cursor, 99);
    top_take_peers(model, top_answer(256, 1000));
    top_key(model, KEY_OF_END);
    assert_int_equal(model->cursor, 255);
    assert_non_null(strstr(model->message, "the first 256"));
}

static void hold(void **state)
{
    struct top_model *model = *state;
    struct top_action action;

    top_key(model, KEY_OF_DOWN);
    assert_int_equal(top_type(model, "h").what, DO_NOTHING);
    assert_string_equal(model->input, "10min");
    top_take_peers(model, top_answer(1, 1)); /* the list moves while it is typed */
    action = top_key(model, KEY_OF_ENTER);
    assert_int_equal(action.what, DO_HOLD);
    assert_string_equal(action.peer, "p2");
    assert_int_equal(action.for_us, 600000000);
    assert_int_equal(model->prompt, PROMPT_NONE);
    top_type(model, "h");
    for (int i = 0; i < 9; i++)
        top_key(model, KEY_OF_BACKSPACE);
    action = top_key(model, KEY_OF_ENTER);
    assert_int_equal(action.what, DO_HOLD);
    assert_int_equal(action.for_us, 0);
    assert_int_equal(top_type(model, "hx\n").what, DO_NOTHING);
    assert_non_null(strstr(model->message, "10minx"));
    assert_true(model->message_bad);
    top_type(model, "h");
    assert_int_equal(top_key(model, KEY_OF_ESCAPE).what, DO_NOTHING);
    assert_int_equal(model->prompt, PROMPT_NONE);
}

static void release(void **state)
{
    struct top_action action = top_type(*state, "r");

    assert_int_equal(action.what, DO_RELEASE);
    assert_string_equal(action.peer, "p1");
}

/* Nothing is moved but by two keys that say so. */
static void move_is_confirmed(void **state)
{
    struct top_model *model = *state;
    struct top_action action;

    assert_int_equal(top_type(model, "mm\n").what, DO_NOTHING);
    assert_int_equal(model->prompt, PROMPT_CONFIRM);
    assert_int_equal(top_type(model, "\n").what, DO_NOTHING);
    assert_int_equal(model->prompt, PROMPT_NONE);
    assert_int_equal(top_type(model, "m\nn").what, DO_NOTHING);
    action = top_type(model, "m\ny");
    assert_int_equal(action.what, DO_MOVE);
    assert_string_equal(action.peer, "p1");
    assert_string_equal(action.uplink, "");
    action = top_type(model, "mlte\ny");
    assert_string_equal(action.uplink, "lte");
}

static void tab_names_uplinks(void **state)
{
    struct top_model *model = *state;

    top_take_uplinks(model, json_pack("[{s:s},{s:s}]", "uplink", "home", "uplink", "lte"));
    top_type(model, "m");
    top_key(model, KEY_OF_TAB);
    assert_string_equal(model->input, "home");
    top_key(model, KEY_OF_TAB);
    assert_string_equal(model->input, "lte");
    top_key(model, KEY_OF_TAB);
    assert_string_equal(model->input, "");
}

static void filter(void **state)
{
    struct top_model *model = *state;

    top_key(model, KEY_OF_DOWN);
    assert_int_equal(top_type(model, "/q?h\n").what, DO_ASK); /* none of them is a command now */
    assert_string_equal(model->filter, "q?h");
    assert_int_equal(model->cursor, 0);
    top_type(model, "/");
    assert_string_equal(model->input, "q?h");
    top_key(model, KEY_OF_ESCAPE);
    assert_string_equal(model->filter, "q?h");
    assert_int_equal(top_key(model, KEY_OF_ESCAPE).what, DO_ASK);
    assert_string_equal(model->filter, "");
}

/* What is typed has a bound, and its last character goes as one. */
static void typing(void **state)
{
    struct top_model *model = *state;

    top_type(model, "/");
    top_key(model, 0xe9);
    top_key(model, 0x754c);
    top_key(model, 0x1f600);
    assert_string_equal(model->input, "\xc3\xa9\xe7\x95\x8c\xf0\x9f\x98\x80");
    top_key(model, KEY_OF_BACKSPACE);
    top_key(model, KEY_OF_BACKSPACE);
    assert_string_equal(model->input, "\xc3\xa9");
    top_key(model, 0x1b);
    top_key(model, 0x202e);
    top_key(model, KEY_OF_PAGE_UP);
    assert_string_equal(model->input, "\xc3\xa9");
    for (int i = 0; i < 1000; i++)
        top_key(model, 0x754c);
    assert_true(strlen(model->input) < sizeof(model->input));
    for (int i = 0; i < 1000; i++)
        top_key(model, KEY_OF_BACKSPACE);
    assert_string_equal(model->input, "");
}

static void panes(void **state)
{
    struct top_model *model = *state;

    assert_int_equal(top_type(model, "e").what, DO_ASK);
    assert_int_equal(model->view, VIEW_EXPLAIN);
    assert_string_equal(model->explained, "p1");
    top_take_text(model, "p2", strdup("of another"));
    assert_null(model->text);
    top_take_text(model, "p1", strdup("of this"));
    assert_string_equal(model->text, "of this");
    model->text_lines = 50;
    model->text_page = 20;
    top_key(model, KEY_OF_END);
    assert_int_equal(model->text_offset, 30);
    top_key(model, KEY_OF_PAGE_UP);
    assert_int_equal(model->text_offset, 11);
    assert_int_equal(top_type(model, "q").what, DO_NOTHING); /* back, not out */
    assert_int_equal(model->view, VIEW_PEERS);
    top_type(model, "?");
    assert_int_equal(model->view, VIEW_HELP);
    top_key(model, KEY_OF_ESCAPE);
    top_type(model, "d");
    assert_int_equal(model->view, VIEW_DECISIONS);
    top_key(model, KEY_OF_ESCAPE);
    assert_int_equal(top_type(model, "q").what, DO_QUIT);
}

static void sorts_and_pauses(void **state)
{
    struct top_model *model = *state;

    for (size_t i = 0; top_sorts[i]; i++) {
        assert_string_equal(top_sort(model), top_sorts[i]);
        assert_int_equal(top_type(model, "s").what, DO_ASK);
    }
    assert_string_equal(top_sort(model), top_sorts[0]);
    assert_int_equal(top_type(model, "p").what, DO_NOTHING);
    assert_true(model->paused);
    assert_int_equal(top_type(model, " ").what, DO_ASK);
    assert_false(model->paused);
}

static void without_peers(void **state)
{
    struct top_model *model = *state;

    top_take_peers(model, top_answer(0, 0));
    for (const char *key = "hrme\n"; *key; key++) {
        char text[2] = {*key};

        assert_int_equal(top_type(model, text).what, DO_NOTHING);
        assert_int_equal(model->prompt, PROMPT_NONE);
        assert_int_equal(model->view, VIEW_PEERS);
        assert_non_null(strstr(model->message, "there is no peer"));
    }
    top_key(model, KEY_OF_DOWN);
    top_key(model, KEY_OF_PAGE_UP);
    assert_int_equal(model->cursor, 0);
}

/* Whatever is pressed, in whatever order, at whatever size. */
static void any_keys(void **state)
{
    static const uint32_t keys[] = {'h',
                                    'm',
                                    'e',
                                    'd',
                                    '?',
                                    '/',
                                    's',
                                    'p',
                                    'r',
                                    'y',
                                    'n',
                                    'g',
                                    'G',
                                    KEY_OF_UP,
                                    KEY_OF_DOWN,
                                    KEY_OF_PAGE_UP,
                                    KEY_OF_PAGE_DOWN,
                                    KEY_OF_HOME,
                                    KEY_OF_END,
                                    KEY_OF_ENTER,
                                    KEY_OF_ESCAPE,
                                    KEY_OF_BACKSPACE,
                                    KEY_OF_TAB,
                                    0xff,
                                    0x10ffff};
    struct top_model *model = *state;
    uint64_t seed = 1;

    top_take_status(model, top_status());
    for (int i = 0; i < 20000; i++) {
        struct canvas canvas;

        seed = seed * 6364136223846793005u + 1442695040888963407u;
        top_key(model, keys[(seed >> 33) % (sizeof(keys) / sizeof(*keys))]);
        if (i % 10 == 0)
            top_take_peers(model, top_answer((int)(seed >> 40) % 40, 40));
        if (i % 7 == 0) {
            canvas_init(&canvas, 1 + (int)(seed >> 50) % 40, 1 + (int)(seed >> 44) % 120, true);
            top_draw(model, &canvas);
            canvas_clear(&canvas);
        }
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, setup, top_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(moving_about),
        TEST(to_the_end),
        TEST(hold),
        TEST(release),
        TEST(move_is_confirmed),
        TEST(tab_names_uplinks),
        TEST(filter),
        TEST(typing),
        TEST(panes),
        TEST(sorts_and_pauses),
        TEST(without_peers),
        TEST(any_keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
