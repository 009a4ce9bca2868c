/* SPDX-License-Identifier: Apache-2.0 */
/* ctl/top/spark.c: which RTTs are kept of a peer, and how high they are. */
#include "check.h"
#include "ctl/top/spark.h"

#define SEC UINT64_C(1000000)

/* A peer as the daemon reports it: of a row that is so old. */
static void take(struct sparks *sparks, uint64_t now_us, int conn, int looked_us, int samples,
                 int rtt_us)
{
    json_t *peer = json_pack("{s:s,s:i,s:i,s:i,s:i}", "peer", "a@h", "conn", conn, "looked_us",
                             looked_us, "rtt_samples", samples, "latest_rtt_us", rtt_us);

    sparks_take(sparks, now_us, peer);
    json_decref(peer);
}

static size_t levels(const struct sparks *sparks, int conn, uint8_t out[SPARK_MOST])
{
    return spark_levels(sparks_find(sparks, (uint64_t)conn, "a@h"), SPARK_MOST, out);
}

/* The screen asks more often than the node reports. */
static void one_for_each_row(void **state)
{
    struct sparks sparks = {0};
    uint8_t out[SPARK_MOST];

    for (int i = 0; i < 10; i++) /* a row each 5 s, looked at each second */
        take(&sparks, 100 * SEC + (uint64_t)i * SEC, 1, i % 5 * 1000000, 10 + i / 5, 20000);
    assert_int_equal(levels(&sparks, 1, out), 2);
    assert_int_equal(out[0], 1);
    assert_int_equal(out[1], 1);
    take(&sparks, 110 * SEC, 1, 0, 11, 20000); /* a row without a new RTT */
    assert_int_equal(levels(&sparks, 1, out), 3);
    assert_int_equal(out[2], SPARK_GAP);
    sparks_clear(&sparks);
}

static void heights(void **state)
{
    static const int rtts[] = {20000, 21000, 40000, 80000, 160000, 192000, 400000};
    struct sparks sparks = {0};
    uint8_t out[SPARK_MOST];

    for (int i = 0; i < 7; i++)
        take(&sparks, (uint64_t)(i + 1) * SEC, 1, 0, i + 1, rtts[i]);
    assert_int_equal(levels(&sparks, 1, out), 7);
    assert_int_equal(out[0], 1);
    assert_int_equal(out[1], 1);
    for (int i = 2; i < 7; i++)
        assert_true(out[i] >= out[i - 1]);
    assert_true(out[2] > 1 && out[2] < SPARK_HIGH);
    assert_int_equal(out[6], SPARK_HIGH);
    sparks_clear(&sparks);
    for (int i = 0; i < 2; i++) /* a millisecond more is nothing to look at */
        take(&sparks, (uint64_t)(i + 1) * SEC, 1, 0, i + 1, i ? 800 : 200);
    assert_int_equal(levels(&sparks, 1, out), 2);
    assert_int_equal(out[1], 1);
    sparks_clear(&sparks);
}

static void the_last_ones(void **state)
{
    struct sparks sparks = {0};
    uint8_t out[SPARK_MOST];

    for (int i = 0; i < 200; i++)
        take(&sparks, (uint64_t)(i + 1) * SEC, 1, 0, i + 1, i == 199 ? 900000 : 20000);
    assert_int_equal(levels(&sparks, 1, out), SPARK_MOST);
    assert_int_equal(out[SPARK_MOST - 1], SPARK_HIGH);
    assert_int_equal(spark_levels(sparks_find(&sparks, 1, "a@h"), 3, out), 3);
    assert_int_equal(out[0], 1);
    assert_int_equal(out[2], SPARK_HIGH);
    sparks_clear(&sparks);
}

/* However many peers pass by, what is kept has a bound; the one in sight stays. */
static void bounded(void **state)
{
    struct sparks sparks = {0};

    for (int i = 0; i < 5000; i++) {
        take(&sparks, (uint64_t)(i + 1) * SEC, 1, 0, i + 1, 20000);
        take(&sparks, (uint64_t)(i + 1) * SEC, 2 + i, 0, 1, 20000);
    }
    assert_int_equal(sparks.n, SPARKS_MOST);
    assert_non_null(sparks_find(&sparks, 1, "a@h"));
    assert_non_null(sparks_find(&sparks, 5001, "a@h"));
    assert_null(sparks_find(&sparks, 2, "a@h"));
    assert_null(sparks_find(&sparks, 1, "b@h")); /* another run's connection 1 */
    sparks_clear(&sparks);
}

static void no_row_yet(void **state)
{
    struct sparks sparks = {0};
    json_t *peer = json_pack("{s:s,s:i,s:n}", "peer", "a@h", "conn", 1, "looked_us");
    uint8_t out[SPARK_MOST];

    sparks_take(&sparks, SEC, peer);
    assert_int_equal(levels(&sparks, 1, out), 0);
    json_decref(peer);
    sparks_clear(&sparks);
    assert_int_equal(levels(&sparks, 1, out), 0);
}

static void glyphs(void **state)
{
    for (uint8_t level = 0; level <= SPARK_HIGH; level++) {
        assert_in_range(spark_glyph(level, false), 0x21, 0x7e);
        for (uint8_t other = 0; other < level; other++)
            assert_int_not_equal(spark_glyph(level, false), spark_glyph(other, false));
    }
    assert_int_equal(spark_glyph(1, true), 0x2581);
    assert_int_equal(spark_glyph(SPARK_HIGH, true), 0x2588);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_for_each_row), cmocka_unit_test(heights),
        cmocka_unit_test(the_last_ones),    cmocka_unit_test(bounded),
        cmocka_unit_test(no_row_yet),       cmocka_unit_test(glyphs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
