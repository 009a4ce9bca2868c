/* SPDX-License-Identifier: Apache-2.0 */
/* util/glob.[ch]: as fnmatch(3), and as fast whatever the glob is. */
#include <fnmatch.h>
#include <string.h>
#include <time.h>

#include "check.h"
#include "util/glob.h"
#include "util/util.h"

static void assert_same(const char *pattern, const char *name)
{
    bool expected = fnmatch(pattern, name, 0) == 0;

    if (glob_matches_once(pattern, name) != expected)
        fail_msg("\"%s\" and \"%s\": fnmatch says %s", pattern, name, expected ? "yes" : "no");
}

static void test_cases(void **state)
{
    static const char *const patterns[] = {
        "",         "*",         "**",       "?",          "a",        "a*",         "*a",
        "*@au-*",   "a?c",       "a\\*c",    "a\\",        "[abc]",    "[!abc]",     "[^abc]",
        "[a-c]*",   "[c-a]",     "[]a]",     "[!]a]",      "[a-]",     "[-a]",       "[a",
        "[",        "[]",        "a[",       "[\\]]",      "[a\\]",    "[\\a-\\c]x", "[[:alpha:]]",
        "[[:a]",    "[[:foo:]]", "[[=a=]]b", "[[.a.]-c]x", "[!a-c]??", "*[0-9].*",   "\\[a]",
        "[[:x:]ab", "[%--]",     ".*",       "*/*",        "[!\xc3]*", "a\\\\b",     "*a*b*c*",
    };
    static const char *const names[] = {"",     "a",   "b",   "]",   "[",       "-",       "a*c",
                                        "abc",  "axc", "]a",  "a]",  "x@au-1",  "ax",      "bx",
                                        "cx",   "ab",  ".a",  "a/b", "h1.x",    "[a]",     "*",
                                        "a\\b", "x?y", "[[:", "a[",  "aabbcc.", "\xc3\xa9"};

    for (size_t i = 0; i < ARRAY_SIZE(patterns); i++)
        for (size_t k = 0; k < ARRAY_SIZE(names); k++)
            assert_same(patterns[i], names[k]);
}

/* Every byte in every class. */
static void test_classes(void **state)
{
    static const char *const classes[] = {"alnum", "alpha", "blank", "cntrl", "digit", "graph",
                                          "lower", "print", "punct", "space", "upper", "xdigit"};

    for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
        for (unsigned byte = 1; byte < 256; byte++) {
            char pattern[24], name[2] = {(char)byte, '\0'};

            snprintf(pattern, sizeof(pattern), "[[:%s:]]", classes[i]);
            assert_same(pattern, name);
            snprintf(pattern, sizeof(pattern), "[![:%s:]_]", classes[i]);
            assert_same(pattern, name);
        }
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 16;
}

static void fill(char *out, size_t length, const char *letters, uint32_t *seed)
{
    size_t n_letters = strlen(letters);

    for (size_t i = 0; i < length; i++)
        out[i] = letters[next_random(seed) % n_letters];
    out[length] = '\0';
}

/* Names and globs of few letters, so that many match; the seed is always the same. */
static void test_random(void **state)
{
    static const char *const alphabets[] = {"ab*?", "ab**", "ab*?[]!-", "a[]^\\b", "abc*[-]"};
    uint32_t seed = 7;
    unsigned hits = 0;

    for (unsigned i = 0; i < 400000; i++) {
        char pattern[16], name[16];

        fill(pattern, next_random(&seed) % 13, alphabets[i % ARRAY_SIZE(alphabets)], &seed);
        fill(name, next_random(&seed) % 10, "aab]", &seed);
        assert_same(pattern, name);
        hits += fnmatch(pattern, name, 0) == 0;
    }
    assert_true(hits > 20000);
}

/* Where a set of states goes from one word to the next. */
static void test_long(void **state)
{
    uint32_t seed = 11;

    for (unsigned i = 0; i < 20000; i++) {
        char pattern[320], name[280];
        size_t length = 40 + next_random(&seed) % 215;

        fill(name, length, "ab", &seed);
        memcpy(pattern, name, length + 1);
        for (unsigned k = next_random(&seed) % 8; k; k--)
            pattern[next_random(&seed) % length] = "*?a"[next_random(&seed) % 3];
        if (i % 3 == 0)
            name[next_random(&seed) % length] = 'c';
        assert_same(pattern, name);
    }
}

static void assert_fits(const char *pattern)
{
    struct glob *glob = glob_new(pattern);

    assert_false(glob_is_too_long(glob));
    glob_free(glob);
}

static void test_too_long(void **state)
{
    char pattern[600], name[300];
    struct globs *globs;

    memset(pattern, '?', sizeof(pattern));
    memset(name, 'x', sizeof(name));
    name[GLOB_PLACES_MAX] = pattern[GLOB_PLACES_MAX] = '\0';
    assert_fits(pattern);
    assert_true(glob_matches_once(pattern, name));
    assert_false(glob_matches_once(pattern, name + 1));
    pattern[GLOB_PLACES_MAX] = '*'; /* a star takes no place */
    pattern[GLOB_PLACES_MAX + 1] = '\0';
    assert_fits(pattern);
    assert_true(glob_matches_once(pattern, name));
    pattern[GLOB_PLACES_MAX + 1] = 'x';
    pattern[GLOB_PLACES_MAX + 2] = '\0';
    globs = globs_new(pattern);
    assert_true(globs_too_long(globs));
    globs_free(globs);
    assert_false(glob_matches_once(pattern, name));
}

static void test_several(void **state)
{
    struct globs *globs = globs_new(" a* \t*b "), *none = globs_new("");

    assert_int_equal(globs->n, 2);
    assert_false(globs_too_long(globs));
    assert_true(globs_match(globs, "ax"));
    assert_true(globs_match(globs, "xb"));
    assert_false(globs_match(globs, "xx"));
    assert_false(globs_match(none, ""));
    assert_null(globs_free(globs));
    assert_null(globs_free(none));
    assert_null(globs_free(NULL));
}

static uint64_t cpu_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* The least of several measurements: what else runs can only add to it. */
static uint64_t cost_of(const char *pattern, const char *name)
{
    struct glob *glob = glob_new(pattern);
    uint64_t least = UINT64_MAX;

    for (unsigned i = 0; i < 20; i++) {
        uint64_t begin = cpu_ns(), took;

        for (unsigned k = 0; k < 50; k++)
            assert_false(glob_matches(glob, name));
        took = cpu_ns() - begin;
        least = took < least ? took : least;
    }
    glob_free(glob);
    return least;
}

/* What took fnmatch minutes costs no more than ten times what a single star does, which has as many
 * bytes to look at: it is one step a byte, over words of 64 places. */
static void test_cost(void **state)
{
    static const char *const patterns[] = {
        "*a*a*a*a*a*a*a*a*a*a*a*a*b", "*?*?*?*?*?*?*?*?*?*?*?b", "*[a-z]*[a-z]*[a-z]*[a-z]*[a-z]*b",
        ("*aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" /* one, of two */
         "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab")};
    char name[256];

    memset(name, 'a', sizeof(name));
    name[255] = '\0';
    for (size_t i = 0; i < ARRAY_SIZE(patterns); i++)
        assert_true(cost_of(patterns[i], name) < 10 * cost_of("*b", name));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cases),    cmocka_unit_test(test_classes),
        cmocka_unit_test(test_random),   cmocka_unit_test(test_long),
        cmocka_unit_test(test_too_long), cmocka_unit_test(test_several),
        cmocka_unit_test(test_cost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
