/* SPDX-License-Identifier: Apache-2.0 */
/* Distances between words. */
#include "check.h"
#include "util/nearest.h"

/* The whole table, as it is in the books. */
static unsigned slow_distance(const char *a, const char *b)
{
    size_t n_a = strlen(a), n_b = strlen(b);
    unsigned table[20][20];

    for (size_t i = 0; i <= n_a; i++)
        for (size_t j = 0; j <= n_b; j++) {
            if (!i || !j) {
                table[i][j] = (unsigned)(i + j);
                continue;
            }
            table[i][j] = table[i - 1][j - 1] + (a[i - 1] != b[j - 1]);
            if (table[i - 1][j] + 1 < table[i][j])
                table[i][j] = table[i - 1][j] + 1;
            if (table[i][j - 1] + 1 < table[i][j])
                table[i][j] = table[i][j - 1] + 1;
        }
    return table[n_a][n_b] > NEAREST_MOST ? NEAREST_MOST + 1 : table[n_a][n_b];
}

static void random_word(char *word, unsigned *seed)
{
    size_t length = (size_t)rand_r(seed) % 12;

    for (size_t i = 0; i < length; i++)
        word[i] = (char)('a' + rand_r(seed) % 3);
    word[length] = '\0';
}

static void distances(void **state)
{
    unsigned seed = 17;
    char a[16], b[16], long_word[400];

    for (unsigned i = 0; i < 20000; i++) {
        random_word(a, &seed);
        random_word(b, &seed);
        if (edit_distance(a, b) != slow_distance(a, b))
            fail_msg("\"%s\" and \"%s\": %u, not %u", a, b, edit_distance(a, b),
                     slow_distance(a, b));
    }
    memset(long_word, 'x', sizeof(long_word) - 1);
    long_word[sizeof(long_word) - 1] = '\0';
    assert_int_equal(edit_distance(long_word, long_word), NEAREST_MOST + 1);
    long_word[255] = '\0';
    assert_int_equal(edit_distance(long_word, long_word), 0);
    assert_true(near_enough(6, 2));
    assert_false(near_enough(2, 2));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(distances),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
