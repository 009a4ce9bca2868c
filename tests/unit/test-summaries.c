/* SPDX-License-Identifier: Apache-2.0 */
/* node/summaries.[ch]: "Columns of summaries", rule by rule. */
#include "check.h"

#include <errno.h>

#include "node/summaries.h"
#include "util/buffer.h"

static struct summaries batch;

static int decode(const char *columns, const char *rows)
{
    struct buffer line = {0};
    int r;

    buffer_text(&line, "{\"jsonrpc\":\"2.0\",\"method\":\"summaries\",\"params\":{\"columns\":");
    buffer_text(&line, columns);
    buffer_text(&line, ",\"rows\":");
    buffer_text(&line, rows);
    buffer_text(&line, "}}");
    r = summaries_decode(buffer_bytes(&line), line.length, &batch);
    buffer_clear(&line);
    return r;
}

/* The value of `column` in the only row. */
static uint64_t value(const char *column, const char *text)
{
    char columns[64], rows[128];

    snprintf(columns, sizeof(columns), "[\"conn\",\"%s\"]", column);
    snprintf(rows, sizeof(rows), "[[1,%s]]", text);
    assert_int_equal(decode(columns, rows), 0);
    assert_int_equal(batch.n_rows, 1);
    assert_int_equal(batch.columns, 1u << column_find(column));
    for (int i = 0; i < PD_COLUMN_COUNT; i++) {
        if (i != column_find(column))
            assert_true(batch.rows[0].row.v[i] == PD_UNKNOWN);
    }
    return batch.rows[0].row.v[column_find(column)];
}

static void test_values(void **state)
{
    static const char *const unknown[] = {
        "null",
        "-1",
        "9007199254740992",
        "9223372036854775807",
        "18446744073709551616",
        "1.0",
        "1e3",
        "1e999",
        "\"5\"",
        "{}",
        "[5]",
        "true",
        "false",
        "-0.0",
    };

    assert_true(value("srtt_us", "48210") == 48210);
    assert_true(value("srtt_us", "0") == 0);
    assert_true(value("silent_ms", "-0") == 0);
    assert_true(value("bytes_sent", "9007199254740991") == (UINT64_C(1) << 53) - 1);
    for (size_t i = 0; i < ARRAY_SIZE(unknown); i++) {
        if (value("srtt_us", unknown[i]) != PD_UNKNOWN)
            fail_msg("%s is a value", unknown[i]);
    }
}

static void test_flags(void **state)
{
    static const char *const flags[] = {"congested", "in_recovery"};

    for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
        assert_true(value(flags[i], "0") == 0);
        assert_true(value(flags[i], "1") == 1);
        assert_true(value(flags[i], "true") == 1);
        assert_true(value(flags[i], "false") == 0);
        assert_true(value(flags[i], "null") == PD_UNKNOWN);
        assert_true(value(flags[i], "2") == PD_UNKNOWN);
        assert_true(value(flags[i], "\"1\"") == PD_UNKNOWN);
    }
}

static void test_every_column(void **state)
{
    static const char *const names[] = {
        "srtt_us",
        "latest_rtt_us",
        "min_rtt_us",
        "rttvar_us",
        "rtt_samples",
        "cwnd_bytes",
        "in_flight_bytes",
        "congested",
        "in_recovery",
        "pto_count",
        "bytes_sent",
        "bytes_received",
        "packets_lost",
        "send_errors",
        "silent_ms",
        "unacked_ms",
        "unacked_bytes",
        "acked_bytes",
        "packets_sent",
        "pto_us",
        "lease_ms",
        "lease_sent_bytes",
        "lease_received_bytes",
        "lease_bytes",
    };

    assert_int_equal(ARRAY_SIZE(names), PD_COLUMN_COUNT);
    for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
        assert_int_equal(column_find(names[i]), (int)i);
        assert_string_equal(column_name((enum pd_column)i), names[i]);
        assert_true(value(names[i], "1") == 1);
    }
    assert_int_equal(column_find("conn"), -1);
    assert_int_equal(column_find("SRTT_US"), -1);
}

static void test_places(void **state)
{
    assert_int_equal(decode("[\"x\",\"silent_ms\",\"conn\",\"srtt_us\",\"silent_ms\",\"conn\",7]",
                            "[[{},3,17,4,5,18,null]]"),
                     0);
    assert_int_equal(batch.n_rows, 1);
    assert_true(batch.rows[0].conn == 17);
    assert_true(batch.rows[0].row.v[PD_SILENT_MS] == 3);
    assert_true(batch.rows[0].row.v[PD_SRTT_US] == 4);
    assert_int_equal(batch.columns, 1u << PD_SILENT_MS | 1u << PD_SRTT_US);
}

static void test_bad_rows_spoil_themselves(void **state)
{
    assert_int_equal(decode("[\"conn\",\"srtt_us\"]",
                            "[[1,5],[],[2],[3,5,6],7,\"x\",null,{},[0,5],[-1,5],[null,5],[1.5,5],"
                            "[\"1\",5],[true,5],[9007199254740992,5],[18446744073709551616,5],"
                            "[9007199254740991,6]]"),
                     0);
    assert_int_equal(batch.n_rows, 2);
    assert_true(batch.rows[0].conn == 1);
    assert_true(batch.rows[1].conn == (UINT64_C(1) << 53) - 1);
    assert_true(batch.rows[1].row.v[PD_SRTT_US] == 6);
    assert_int_equal(batch.bad_rows, 15);
    assert_int_equal(batch.first_bad, 1);
    assert_non_null(batch.bad_why);
}

static void test_malformed_messages(void **state)
{
    static const char *const lines[] = {
        "{\"jsonrpc\":\"2.0\",\"method\":\"summaries\"}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"summaries\",\"params\":[]}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"summaries\",\"params\":{\"rows\":[[1]]}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"summaries\",\"params\":{\"columns\":[\"conn\"]}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"summary\",\"params\":{\"columns\":[\"conn\"],\"rows\":[["
        "1]]}}",
        "{\"method\":\"summaries\",\"params\":{\"columns\":[\"conn\"],\"rows\":[[1]]}}",
        "{\"jsonrpc\":\"2.0\",\"method\":\"summaries\",\"id\":1,\"params\":{\"columns\":[\"conn\"],"
        "\"rows\":[[1]]}}",
    };

    for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
        assert_int_equal(summaries_decode(lines[i], strlen(lines[i]), &batch), -EPROTO);
        assert_int_equal(batch.n_rows, 0);
    }
    assert_int_equal(decode("[]", "[[]]"), -EPROTO);
    assert_int_equal(decode("[\"srtt_us\"]", "[[1]]"), -EPROTO);
    assert_int_equal(decode("[1,2]", "[[1,2]]"), -EPROTO);
    assert_int_equal(decode("\"conn\"", "[[1]]"), -EPROTO);
    assert_int_equal(decode("[\"conn\"]", "{}"), -EPROTO);
    assert_int_equal(decode("[\"conn\\u0000\"]", "[[1]]"), -EPROTO);
    assert_int_equal(summaries_decode("x", 1, &batch), -EBADMSG);
}

static void test_nothing_is_left_of_the_line_before(void **state)
{
    assert_int_equal(decode("[\"conn\",\"srtt_us\"]", "[[1,5],[2]]"), 0);
    assert_int_equal(decode("[\"conn\"]", "[]"), 0);
    assert_int_equal(batch.n_rows, 0);
    assert_int_equal(batch.columns, 0);
    assert_int_equal(batch.bad_rows, 0);
    assert_int_equal(decode("[\"conn\",\"silent_ms\"]", "[[3,1]]"), 0);
    assert_true(batch.rows[0].row.v[PD_SRTT_US] == PD_UNKNOWN);
}

static void test_memory_is_used_again(void **state)
{
    const struct sample_row *before;

    assert_int_equal(decode("[\"conn\"]", "[[1],[2],[3]]"), 0);
    before = batch.rows;
    assert_int_equal(decode("[\"conn\"]", "[[4],[5],[6]]"), 0);
    assert_ptr_equal(batch.rows, before);
}

static int teardown(void **state)
{
    summaries_clear(&batch);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_values),
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_every_column),
        cmocka_unit_test(test_places),
        cmocka_unit_test(test_bad_rows_spoil_themselves),
        cmocka_unit_test(test_malformed_messages),
        cmocka_unit_test(test_nothing_is_left_of_the_line_before),
        cmocka_unit_test(test_memory_is_used_again),
    };

    return cmocka_run_group_tests(tests, NULL, teardown);
}
