/* SPDX-License-Identifier: Apache-2.0 */
/* node/summaries-scan.[ch]: what it takes it reads as jansson does; what it leaves, it must. */
#include "check.h"

#include "node/summaries-scan.h"
#include "util/buffer.h"

#define HEAD "{\"jsonrpc\":\"2.0\",\"method\":\"summaries\",\"params\":{\"columns\":"

static struct summaries_scan scan;
static struct summaries taken, wanted;

static bool take(const char *line)
{
    /* A copy of just that size: AddressSanitizer then sees a byte too far. */
    size_t length = strlen(line);
    char *copy = memory_new(length, 1);
    bool done;

    memcpy(copy, line, length);
    done = summaries_scan(&scan, copy, length, &taken);
    if (done) {
        assert_int_equal(summaries_decode(copy, length, &wanted), 0);
        assert_int_equal(wanted.bad_rows, 0);
        assert_int_equal(taken.bad_rows, 0);
        assert_int_equal(taken.columns, wanted.columns);
        assert_int_equal(taken.n_rows, wanted.n_rows);
        for (size_t i = 0; i < taken.n_rows; i++)
            assert_memory_equal(&taken.rows[i], &wanted.rows[i], sizeof(taken.rows[i]));
    }
    free(copy);
    return done;
}

/* One row of three cells, the second a number, the third a flag. */
static bool take_cells(const char *conn, const char *srtt, const char *congested)
{
    char line[512];

    snprintf(line, sizeof(line),
             HEAD "[\"conn\",\"srtt_us\",\"congested\"],\"rows\":[[%s,%s,%s]]}}", conn, srtt,
             congested);
    return take(line);
}

static void test_takes_numbers(void **state)
{
    static const char *const numbers[] = {
        "0",
        "7",
        "10",
        "123",
        "4567",
        "89012",
        "345678",
        "9012345",
        "67890123",
        "456789012",
        "3456789012",
        "34567890123",
        "100000000",
        "1000000000",
        "99999999999",
        "999999999999",
        "1234567890123",
        "12345678901234",
        "100000000000000",
        "4503599627370496",
        "9007199254740991",
        "null",
    };

    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
        assert_true(take_cells("17", numbers[i], "0"));
        assert_int_equal(taken.n_rows, 1);
        assert_true(taken.rows[0].conn == 17);
        if (strcmp(numbers[i], "null") != 0)
            assert_true(taken.rows[0].row.v[PD_SRTT_US] == strtoull(numbers[i], NULL, 10));
        else
            assert_true(taken.rows[0].row.v[PD_SRTT_US] == PD_UNKNOWN);
        assert_true(taken.rows[0].row.v[PD_CWND_BYTES] == PD_UNKNOWN);
        if (strcmp(numbers[i], "0") != 0 && strcmp(numbers[i], "null") != 0)
            assert_true(take_cells(numbers[i], "5", "1"));
    }
}

static void test_takes_flags(void **state)
{
    assert_true(take_cells("1", "5", "1"));
    assert_true(taken.rows[0].row.v[PD_CONGESTED] == 1);
    assert_true(take_cells("1", "5", "true"));
    assert_true(taken.rows[0].row.v[PD_CONGESTED] == 1);
    assert_true(take_cells("1", "5", "false"));
    assert_true(taken.rows[0].row.v[PD_CONGESTED] == 0);
    assert_true(take_cells("1", "5", "null"));
    assert_true(taken.rows[0].row.v[PD_CONGESTED] == PD_UNKNOWN);
}

static void test_leaves_values(void **state)
{
    static const char *const numbers[] = {
        "",
        "-1",
        "01",
        "00",
        "1.0",
        "1e3",
        "9007199254740992",
        "12345678901234567",
        "true",
        "false",
        "\"5\"",
        "[5]",
        "{}",
        " 5",
        "5 ",
        "nul",
        "+5",
        "5a",
        "5,6",
        "nulll",
        "0x10",
        "1_0",
        "99999999999999999999",
        ":",
        "/",
        "1:",
        "12345678:",
        "1/",
        "\xff",
        "1\x80",
    };

    for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
        assert_false(take_cells("17", numbers[i], "0"));
    assert_false(take_cells("0", "5", "0"));
    assert_false(take_cells("null", "5", "0"));
    assert_false(take_cells("true", "5", "0"));
    assert_false(take_cells("9007199254740992", "5", "0"));
    assert_false(take_cells("17", "5", "2"));
    assert_false(take_cells("17", "5", "tru"));
    assert_false(take_cells("17", "5", "truee"));
}

static void test_takes_lines(void **state)
{
    assert_true(take(HEAD "[\"conn\"],\"rows\":[]}}"));
    assert_int_equal(taken.n_rows, 0);
    assert_true(take(HEAD "[\"conn\"],\"rows\":[[1],[2],[3]]}}"));
    assert_int_equal(taken.n_rows, 3);
    assert_true(take(HEAD "[\"srtt_us\",\"conn\"],\"rows\":[[5,1]]}}"));
    assert_true(taken.rows[0].conn == 1 && taken.rows[0].row.v[PD_SRTT_US] == 5);
    assert_true(take(HEAD "[\"conn\",\"new\",\"srtt_us\",\"\"],\"rows\":[[1,7,5,null]]}}"));
    assert_true(taken.rows[0].row.v[PD_SRTT_US] == 5);
    assert_int_equal(taken.columns, 1u << PD_SRTT_US);
}

static void test_leaves_lines(void **state)
{
    static const char *const lines[] = {
        "",
        "{}",
        HEAD,
        HEAD "[]",
        HEAD "[],\"rows\":[]}}",
        HEAD "[\"conn\"],\"rows\":[",
        HEAD "[\"conn\"],\"rows\":[]",
        HEAD "[\"conn\"],\"rows\":[]}",
        HEAD "[\"conn\"],\"rows\":[]}} ",
        HEAD "[\"conn\"],\"rows\":[]}}}",
        HEAD "[\"conn\"],\"rows\":[]},\"more\":1}",
        HEAD "[\"conn\"],\"rows\":[[1]",
        HEAD "[\"conn\"],\"rows\":[[1],]}}",
        HEAD "[\"conn\"],\"rows\":[[1][2]]}}",
        HEAD "[\"conn\"],\"rows\":[[1]]]}}",
        HEAD "[\"conn\"],\"rows\":[,[1]]}}",
        HEAD "[\"conn\"],\"rows\":[[]]}}",
        HEAD "[\"conn\"],\"rows\":[[1,2]]}}",
        HEAD "[\"conn\"],\"rows\":[1]}}",
        HEAD "[\"conn\",\"srtt_us\"],\"rows\":[[1]]}}",
        HEAD "[\"srtt_us\"],\"rows\":[[1]]}}",
        HEAD "[\"conn\",\"conn\"],\"rows\":[[1,2]]}}",
        HEAD "[\"conn\",\"srtt_us\",\"srtt_us\"],\"rows\":[[1,2,3]]}}",
        HEAD "[\"conn\",],\"rows\":[[1]]}}",
        HEAD "[\"c\\u006fnn\"],\"rows\":[[1]]}}",
        HEAD "[\"conn\",\"\xc3\xa4\"],\"rows\":[[1,2]]}}",
        HEAD "[\"conn\",7],\"rows\":[[1,2]]}}",
        HEAD "[\"conn\",\"new\"],\"rows\":[[1,true]]}}",
        HEAD "[\"conn\"], \"rows\":[[1]]}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"summary\",\"params\":{\"columns\":[\"conn\"],\"rows\":[]"
        "}}",
        "{\"method\":\"summaries\",\"jsonrpc\":\"2.0\",\"params\":{\"columns\":[\"conn\"],\"rows\":"
        "[]}}",
    };

    for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
        assert_false(take(lines[i]));
}

/* The columns of the line before are used only where they stand there again. */
static void test_remembers_columns(void **state)
{
    assert_true(take(HEAD "[\"conn\",\"srtt_us\"],\"rows\":[[1,5]]}}"));
    assert_true(take(HEAD "[\"conn\",\"srtt_us\"],\"rows\":[[2,6]]}}"));
    assert_true(taken.rows[0].conn == 2 && taken.rows[0].row.v[PD_SRTT_US] == 6);
    assert_true(take(HEAD "[\"conn\",\"pto_count\"],\"rows\":[[3,7]]}}"));
    assert_true(taken.rows[0].row.v[PD_PTO_COUNT] == 7);
    assert_true(taken.rows[0].row.v[PD_SRTT_US] == PD_UNKNOWN);
    assert_false(take(HEAD "[\"pto_count\"],\"rows\":[[3]]}}"));
    assert_false(take(HEAD "[\"pto_count\"],\"rows\":[[3]]}}"));
    assert_true(take(HEAD "[\"conn\",\"srtt_us\"],\"rows\":[[4,8]]}}"));
    assert_true(taken.rows[0].row.v[PD_SRTT_US] == 8);
    assert_false(take(HEAD "[\"conn\",\"srtt_us\"],\"rows\":["));
}

/* A head that does not fit, and more columns than places: left alone. */
static void test_leaves_large_heads(void **state)
{
    struct buffer line = {0};

    buffer_text(&line, HEAD "[\"conn\"");
    for (unsigned i = 1; i < SCAN_COLUMNS_MAX; i++)
        buffer_text(&line, ",\"x\"");
    buffer_text(&line, "],\"rows\":[]}}");
    buffer_append(&line, "", 1);
    assert_true(take(buffer_bytes(&line)));
    buffer_clear(&line);
    buffer_text(&line, HEAD "[\"conn\"");
    for (unsigned i = 1; i <= SCAN_COLUMNS_MAX; i++)
        buffer_text(&line, ",\"x\"");
    buffer_text(&line, "],\"rows\":[]}}");
    buffer_append(&line, "", 1);
    assert_false(take(buffer_bytes(&line)));
    buffer_clear(&line);
    buffer_text(&line, HEAD "[\"conn\",\"");
    for (unsigned i = 0; i < SCAN_HEAD_MAX; i++)
        buffer_text(&line, "x");
    buffer_text(&line, "\"],\"rows\":[]}}");
    buffer_append(&line, "", 1);
    assert_false(take(buffer_bytes(&line)));
    buffer_clear(&line);
}

/* No prefix of a good line is a good line, and none is read beyond its end. */
static void test_leaves_prefixes(void **state)
{
    static const char line[] = HEAD "[\"conn\",\"srtt_us\",\"bytes_sent\",\"congested\"],\"rows\":"
                                    "[[1,20001,1234567890123,true],[2,null,17,0]]}}";
    char text[sizeof(line)];

    assert_true(take(line));
    for (size_t length = 0; length < sizeof(line) - 1; length++) {
        memcpy(text, line, length);
        text[length] = 0;
        assert_false(take(text));
    }
}

static int clear(void **state)
{
    summaries_clear(&taken);
    summaries_clear(&wanted);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_takes_numbers),      cmocka_unit_test(test_takes_flags),
        cmocka_unit_test(test_leaves_values),      cmocka_unit_test(test_takes_lines),
        cmocka_unit_test(test_leaves_lines),       cmocka_unit_test(test_remembers_columns),
        cmocka_unit_test(test_leaves_large_heads), cmocka_unit_test(test_leaves_prefixes),
    };

    return cmocka_run_group_tests(tests, NULL, clear);
}
