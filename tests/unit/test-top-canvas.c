/* SPDX-License-Identifier: Apache-2.0 */
/* ctl/top/canvas.c: what is written where, how wide it is, and what there is no room for. */
#include <locale.h>

#include "check.h"
#include "ctl/top/canvas.h"
#include "util/util.h"

static void expect_row(const struct canvas *canvas, int row, const char *text)
{
    char *there = canvas_row(canvas, row);

    assert_string_equal(there, text);
    free(there);
}

static void text_ends_at_its_width(void **state)
{
    struct canvas canvas;

    canvas_init(&canvas, 3, 10, true);
    assert_int_equal(canvas_text(&canvas, 0, 1, 4, STYLE_PLAIN, "abcd"), 4);
    assert_int_equal(canvas_text(&canvas, 1, 1, 4, STYLE_PLAIN, "abcde"), 4);
    assert_int_equal(canvas_text(&canvas, 2, 7, 100, STYLE_PLAIN, "abcde"), 3);
    expect_row(&canvas, 0, " abcd");
    expect_row(&canvas, 1, " abc…");
    expect_row(&canvas, 2, "       ab…");
    canvas_right(&canvas, 0, 5, 5, STYLE_PLAIN, "xy");
    expect_row(&canvas, 0, " abcd   xy");
    canvas_clear(&canvas);
}

static void outside_is_nothing(void **state)
{
    struct canvas canvas;

    canvas_init(&canvas, 1, 1, true);
    canvas_text(&canvas, -1, 0, 5, STYLE_PLAIN, "a");
    canvas_text(&canvas, 1, 0, 5, STYLE_PLAIN, "a");
    assert_int_equal(canvas_text(&canvas, 0, 1, 5, STYLE_PLAIN, "a"), 0);
    assert_int_equal(canvas_text(&canvas, 0, 0, -3, STYLE_PLAIN, "a"), 0);
    canvas_select(&canvas, 7);
    canvas_bar(&canvas, -2, STYLE_BAD);
    expect_row(&canvas, 0, "");
    canvas_text(&canvas, 0, 0, 5, STYLE_PLAIN, "abc");
    expect_row(&canvas, 0, "…");
    canvas_clear(&canvas);
    canvas_init(&canvas, 0, -5, false); /* no terminal, but some say so */
    assert_int_equal(canvas.rows * canvas.cols, 1);
    canvas_clear(&canvas);
    canvas_init(&canvas, 65535, 65535, false);
    assert_true(canvas.rows <= 1000 && canvas.cols <= 1000);
    canvas_clear(&canvas);
}

/* A wide character is not cut in two, and a mark takes no place. */
static void widths(void **state)
{
    struct canvas canvas;

    canvas_init(&canvas, 2, 8, true);
    assert_int_equal(canvas_width(&canvas, "界"), 2);
    assert_int_equal(canvas_width(&canvas, "e\xcc\x81"), 1);
    canvas_text(&canvas, 0, 0, 4, STYLE_PLAIN, "a界界");
    expect_row(&canvas, 0, "a界…");
    canvas_text(&canvas, 0, 4, 4, STYLE_PLAIN, "e\xcc\x81y");
    expect_row(&canvas, 0, "a界…e\xcc\x81y");
    canvas_text(&canvas, 1, 0, 3, STYLE_PLAIN, "界界");
    expect_row(&canvas, 1, "界…");
    canvas_clear(&canvas);
}

/* What a terminal would obey is never in a cell. */
static void hostile(void **state)
{
    static const char *const texts[] = {"\x1b[2J",
                                        "a\rb",
                                        "\xff\xfe",
                                        "\xc2\x9b"
                                        "31m",
                                        "\xe2\x80\xae"
                                        "gpj",
                                        "\xe2\x80\x8b",
                                        "\xc3"};
    struct canvas canvas;

    for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
        for (int utf8 = 0; utf8 < 2; utf8++) {
            canvas_init(&canvas, 1, 20, utf8);
            canvas_text(&canvas, 0, 0, 20, STYLE_PLAIN, texts[i]);
            for (int col = 0; col < 20; col++) {
                uint32_t c = canvas_at(&canvas, 0, col)->c;

                assert_true(c >= 0x20 && c < 0x7f);
            }
            canvas_clear(&canvas);
        }
}

static void in_ascii(void **state)
{
    struct canvas canvas;

    canvas_init(&canvas, 1, 30, false);
    canvas_text(&canvas, 0, 0, 30, STYLE_PLAIN, "a → b … 2 × é 界");
    expect_row(&canvas, 0, "a -> b ... 2 x ? ?");
    canvas_text(&canvas, 0, 0, 5, STYLE_PLAIN, "abcdefg");
    expect_row(&canvas, 0, "abcd~b ... 2 x ? ?");
    canvas_clear(&canvas);
}

static int setup(void **state)
{
    return setlocale(LC_CTYPE, "C.UTF-8") ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_ends_at_its_width),
        cmocka_unit_test(outside_is_nothing),
        cmocka_unit_test(widths),
        cmocka_unit_test(hostile),
        cmocka_unit_test(in_ascii),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
