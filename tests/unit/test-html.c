/* SPDX-License-Identifier: Apache-2.0 */
/* ctl/html.c: nothing from outside becomes markup. */
#include "check.h"

#include "ctl/html.h"

static char *written(const char *text, size_t most)
{
    struct buffer out = {0};
    char *ret;

    html_text(&out, text, most);
    ret = strndup(buffer_bytes(&out), out.length);
    buffer_clear(&out);
    return ret;
}

static void assert_written(const char *text, size_t most, const char *expected)
{
    char *got = written(text, most);

    assert_string_equal(got, expected);
    free(got);
}

static void test_text(void **state)
{
    (void)state;
    assert_written("", 10, "");
    assert_written("bravo@10.0.0.2 → é 日本", 100, "bravo@10.0.0.2 → é 日本");
    assert_written("<script>alert(\"1\")</script>'&amp;", 100,
                   "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&#39;&amp;amp;");
    assert_written("]]>-->", 100, "]]&gt;--&gt;");
    assert_written("a\x1b[2J\x7f\xc2\x9b", 100, "a\\x1b[2J\\x7f\\u009b");
    assert_written("\u202egnp.exe\u2066", 100, "\\u202egnp.exe\\u2066");
    assert_written("\xff\xfe<\xc3", 100, "\\xff\\xfe&lt;\\xc3");
}

static void test_cut(void **state)
{
    (void)state;
    assert_written("<<<<", 4, "&lt;&lt;&lt;&lt;");
    assert_written("<<<<<", 4, "&lt;&lt;&lt;&lt;… (5 bytes)");
    assert_written("aéé", 4, "aé… (5 bytes)"); /* not half a character */
    assert_written("\xff\xff\xff", 2, "\\xff\\xff… (3 bytes)");
}

/* Whatever bytes there are: no quote, no angle bracket, and only entities of this program. */
static void test_every_byte(void **state)
{
    (void)state;
    for (unsigned a = 1; a < 256; a++)
        for (unsigned b = 1; b < 256; b++) {
            char text[] = {(char)a, (char)b, '<', '\0'}, *got = written(text, 100);

            assert_null(strpbrk(got, "<>\"'\n\r\x1b"));
            for (const char *at = got; (at = strchr(at, '&')); at++)
                assert_true(!strncmp(at, "&lt;", 4) || !strncmp(at, "&gt;", 4) ||
                            !strncmp(at, "&amp;", 5) || !strncmp(at, "&quot;", 6) ||
                            !strncmp(at, "&#39;", 5));
            free(got);
        }
}

static void test_numbers(void **state)
{
    static const struct {
        uint64_t part, whole;
        const char *expected;
    } parts[] = {{0, 10, "0.00%"},
                 {1, 3, "33.33%"},
                 {3, 3, "100.00%"},
                 {4, 3, "100.00%"},
                 {1, 0, "0.00%"},
                 {UINT64_MAX, UINT64_MAX, "100.00%"},
                 {UINT64_MAX / 2, UINT64_MAX, "50.00%"}};
    struct buffer out = {0};

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
        out.length = 0;
        html_percent(&out, parts[i].part, parts[i].whole);
        assert_int_equal(out.length, strlen(parts[i].expected));
        assert_memory_equal(buffer_bytes(&out), parts[i].expected, out.length);
    }
    out.length = 0;
    html_count(&out, 1234567);
    html_put(&out, ";");
    html_count(&out, 999);
    assert_int_equal(out.length, strlen("1\u202f234\u202f567;999"));
    assert_memory_equal(buffer_bytes(&out), "1\u202f234\u202f567;999", out.length);
    buffer_clear(&out);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_every_byte),
        cmocka_unit_test(test_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
