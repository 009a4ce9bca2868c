/* SPDX-License-Identifier: Apache-2.0 */
/* watchdog/util/words.c: a command line without a shell. */
#include "check.h"

#include "util/words.h"

#include "util/util.h"

#include <stdio.h>

/* The words, as "one|two|". */
static char *joined(const char *text)
{
    const char *error = "not written";
    char **words = words_split(text, &error);
    char *all = memory_new(1, 8192);

    if (!words) {
        assert_non_null(error);
        snprintf(all, 8192, "error: %s", error);
        return all;
    }
    assert_null(error);
    for (size_t i = 0; words[i]; i++) {
        strcat(all, words[i]);
        strcat(all, "|");
    }
    free(words);
    return all;
}

static void test_words(void **state)
{
    static const struct {
        const char *text, *words;
    } rows[] = {
        {"/bin/true", "/bin/true|"},
        {"  /bin/true \t a  b ", "/bin/true|a|b|"},
        {"/bin/sh -c 'echo \"$x\"; a\\b'", "/bin/sh|-c|echo \"$x\"; a\\b|"},
        {"/bin/x \"a b\" \"c \\\"d\\\" \\\\ \\n\"", "/bin/x|a b|c \"d\" \\ \\n|"},
        {"/bin/x a\\ b \\'c \\\\ d\\\"e", "/bin/x|a b|'c|\\|d\"e|"},
        {"/bin/x '' \"\" a''b", "/bin/x|||ab|"},
        {"/bin/x $HOME *.c | > ; & `y` # z", "/bin/x|$HOME|*.c|||>|;|&|`y`|#|z|"},
        {"'/bin/a b' größer", "/bin/a b|größer|"},
        {"", "error: is empty"},
        {" \t ", "error: is empty"},
        {"true", "error: the program is not an absolute path"},
        {"'' /bin/true", "error: the program is not an absolute path"},
        {"/bin/x 'a", "error: a ' has no second one"},
        {"/bin/x \"a\\\"", "error: a \" has no second one"},
        {"/bin/x a\\", "error: a backslash at the end"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        CLEANUP_FREE char *words = joined(rows[i].text);

        assert_string_equal(words, rows[i].words);
    }
}

static void test_at_most_64(void **state)
{
    char text[512] = "/x";
    CLEANUP_FREE char *most = NULL, *more = NULL;

    (void)state;
    for (int i = 1; i < 64; i++)
        strcat(text, " y");
    most = joined(text);
    assert_int_equal(strlen(most), 3 + 63 * 2);
    strcat(text, " y");
    more = joined(text);
    assert_string_equal(more, "error: more than 64 words");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_words),
        cmocka_unit_test(test_at_most_64),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
