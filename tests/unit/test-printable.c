/* SPDX-License-Identifier: Apache-2.0 */
/* util/printable.[ch], util/utf8.h: what may be shown, and what is shown instead. */
#include "check.h"
#include "util/printable.h"
#include "util/utf8.h"
#include "util/util.h"

static void assert_printable(const char *text, size_t length, size_t size, const char *expected)
{
    char out[64];

    assert_int_equal(text_printable(out, size, text, length), strlen(expected));
    assert_string_equal(out, expected);
}

static void test_escapes(void **state)
{
    assert_printable("plain \xc3\xa9", 8, 64, "plain \xc3\xa9");
    assert_printable("a\nb\x7f\x01", 5, 64, "a\\x0ab\\x7f\\x01");
    assert_printable("a\xc2\x85z", 4, 64, "a\\u0085z"); /* U+0085 is one character */
    assert_printable("a\xff\xfe", 3, 64, "a\\xff\\xfe");
    assert_printable("a\0b", 3, 64, "a\\x00b");
    assert_printable("\xe2\x80\xae.", 4, 64, "\\u202e.");
    assert_printable("\xf3\xa0\x81\x81", 4, 64, "\\U000e0041");
    assert_printable("\xe2\x80", 2, 64, "\\xe2\\x80"); /* cut off */
    assert_printable("\xed\xa0\x80", 3, 64, "\\xed\\xa0\\x80");
}

static void test_bounds(void **state)
{
    assert_printable("1234567", 7, 8, "1234567");
    assert_printable("12345678", 8, 8, "1234...");
    /* never half a character, nor half an escape, before the ellipsis */
    assert_printable("123\xf0\x9f\x98\x80"
                     "5678",
                     11, 8, "123...");
    assert_printable("12\xe2\x80\xae", 5, 8, "12...");
    assert_printable("1\xe2\x80\xae", 4, 8, "1\\u202e");
    assert_printable("\xf3\xa0\x81\x81", 4, 11, "\\U000e0041");
    assert_printable("\xf3\xa0\x81\x81", 4, 10, "...");
}

static void test_names(void **state)
{
    assert_true(text_is_printable("a b\xc2\xa0", 5));
    assert_false(text_is_printable("a\xc2\x9f", 3));
    assert_false(text_is_printable("\x1f", 1));
    assert_false(text_is_printable("\x7f", 1));
    assert_false(text_is_printable("\xed\xa0\x80", 3));
    assert_true(text_is_printable("\xe2\x80\xae", 3)); /* a name may have it */
    assert_true(text_is_shown("a\xe2\x80\xa7\xe2\x80\xaf\xd8\x9b", 9));
    assert_false(text_is_shown("a\xe2\x80\xae", 4));
    assert_false(text_is_shown("\x1b", 1));
    assert_false(text_is_shown("\xff", 1));
}

/* What is hidden, and nothing beside it: both ends of each range, and their neighbours. */
static void test_edges(void **state)
{
    static const struct {
        uint32_t first, last;
    } ranges[] = {
        {0, 0x1f},          {0x7f, 0x9f},        {0xad, 0xad},       {0x34f, 0x34f},
        {0x600, 0x605},     {0x61c, 0x61c},      {0x6dd, 0x6dd},     {0x70f, 0x70f},
        {0x890, 0x891},     {0x8e2, 0x8e2},      {0x115f, 0x1160},   {0x17b4, 0x17b5},
        {0x180b, 0x180f},   {0x200b, 0x200f},    {0x2028, 0x202e},   {0x2060, 0x206f},
        {0x2800, 0x2800},   {0x3164, 0x3164},    {0xe000, 0xf8ff},   {0xfdd0, 0xfdef},
        {0xfe00, 0xfe0f},   {0xfeff, 0xfeff},    {0xffa0, 0xffa0},   {0xfff0, 0xfffb},
        {0xfffe, 0xffff},   {0x110bd, 0x110bd},  {0x110cd, 0x110cd}, {0x13430, 0x1343f},
        {0x1bca0, 0x1bca3}, {0x1d173, 0x1d17a},  {0x1fffe, 0x1ffff}, {0x2fffe, 0x2ffff},
        {0xdfffe, 0xe0fff}, {0xefffe, 0x10ffff},
    };
    uint32_t hidden = 0, expected = 0;

    for (size_t i = 0; i < ARRAY_SIZE(ranges); i++) {
        if (ranges[i].first)
            assert_true(character_is_shown(ranges[i].first - 1));
        assert_false(character_is_shown(ranges[i].first));
        assert_false(character_is_shown(ranges[i].last));
        if (ranges[i].last < 0x10ffff)
            assert_true(character_is_shown(ranges[i].last + 1));
        expected += ranges[i].last - ranges[i].first + 1;
    }
    for (uint32_t plane = 3; plane < 13; plane++) {
        assert_true(character_is_shown(plane << 16 | 0xfffd));
        assert_false(character_is_shown(plane << 16 | 0xfffe));
        assert_false(character_is_shown(plane << 16 | 0xffff));
        expected += 2;
    }
    for (uint32_t c = 0; c <= 0x10ffff; c++)
        hidden += !character_is_shown(c);
    assert_int_equal(hidden, expected);
}

static size_t encode(char out[4], uint32_t c)
{
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

    if (n == 1) {
        out[0] = (char)c;
        return 1;
    }
    for (size_t i = n; i-- > 1; c >>= 6)
        out[i] = (char)(0x80 | (c & 0x3f));
    out[0] = (char)(0xf00 >> n | c);
    return n;
}

/* Every character goes through as it is, or as a number that is its own, in the room there is. */
static void test_all(void **state)
{
    for (uint32_t c = 1; c <= 0x10ffff; c++) {
        char text[4], out[PRINTABLE_GROWTH * 4 + 1];
        size_t length, used;
        uint32_t back;

        if (c >= 0xd800 && c < 0xe000)
            continue;
        length = encode(text, c);
        assert_int_equal(utf8_decode(text, length, &back), length);
        assert_int_equal(back, c);
        used = text_printable(out, PRINTABLE_GROWTH * length + 1, text, length);
        assert_true(text_is_shown(out, used));
        if (character_is_shown(c))
            assert_memory_equal(out, text, length);
        else
            assert_int_equal(strtoul(out + 2, NULL, 16), c);
    }
}

static void test_copies(void **state)
{
    char *text = text_shown("a\nb\xe2\x80\x8b"), *lines = lines_shown("\x01\n\n\xe2\x80\x8b\nc\n");

    assert_string_equal(text, "a\\x0ab\\u200b");
    assert_string_equal(lines, "\\x01\n\n\\u200b\nc\n");
    free(text);
    free(lines);
    text = text_shown("");
    assert_string_equal(text, "");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_escapes), cmocka_unit_test(test_bounds),
        cmocka_unit_test(test_names),   cmocka_unit_test(test_edges),
        cmocka_unit_test(test_all),     cmocka_unit_test(test_copies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
