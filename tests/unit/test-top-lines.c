/* SPDX-License-Identifier: Apache-2.0 */
/* ctl/top/lines.c: spans that fit into a column, records in a line. */
#include "check.h"
#include "ctl/top/lines.h"

static void spans(void **state)
{
    static const struct {
        uint64_t us;
        const char *text;
    } spans[] = {
        {0, "0.0 ms"},        {412, "0.4 ms"},        {9999, "9.9 ms"},       {41200, "41 ms"},
        {999999, "999 ms"},   {3120000, "3.1 s"},     {72000000, "72 s"},     {723000000, "12 min"},
        {10800000000, "3 h"}, {345600000000, "96 h"}, {864000000000, "10 d"}, {UINT64_MAX, "long"},
    };
    char text[SHORT_SIZE];

    for (size_t i = 0; i < sizeof(spans) / sizeof(*spans); i++)
        assert_string_equal(short_span(text, spans[i].us), spans[i].text);
    for (uint64_t us = 1; us < UINT64_MAX / 3; us *= 3)
        assert_true(strlen(short_span(text, us)) <= 7);
}

static void expect(json_t *record, const char *word, const char *subject, const char *why)
{
    struct record_line line = record_line(record);

    assert_string_equal(line.word, word);
    assert_string_equal(line.subject, subject);
    assert_string_equal(line.why, why);
    assert_int_equal(strlen(line.time), 8);
    free(line.why);
    json_decref(record);
}

static void records(void **state)
{
    expect(json_pack("{s:s,s:I,s:s,s:s,s:s,s:s,s:s,s:{s:s},s:s}", "record", "decision", "time_us",
                     (json_int_t)1795170000123456, "peer", "b", "trigger", "stall", "kind", "dead",
                     "reason", "no progress", "verdict", "cooling", "evidence", "proof", "silent",
                     "target", "lte"),
           "cooling", "b", "stall dead (silent): no progress → lte");
    expect(json_pack("{s:s,s:s,s:s,s:s,s:s}", "record", "decision", "peer", "b", "trigger",
                     "operator", "kind", "operator", "verdict", "migrate"),
           "migrate", "b", "operator: -");
    expect(json_pack("{s:s,s:s,s:s,s:i,s:s,s:s,s:n}", "record", "outcome", "peer", "b", "outcome",
                     "migrated", "elapsed_us", 41000, "local_before", "x:1", "local_after", "y:2",
                     "error"),
           "migrated", "b", "after 41 ms, x:1 → y:2");
    expect(json_pack("{s:s,s:s,s:s,s:{s:i,s:s}}", "record", "outcome", "peer", "b", "outcome",
                     "failed", "error", "code", -32007, "message", "no\x1bpath"),
           "failed", "b", "after -: no\\x1bpath");
    expect(json_pack("{s:s,s:s,s:s,s:i,s:i}", "record", "effect", "peer", "b", "effect", "better",
                     "rtt_before_us", 312000, "rtt_after_us", 41000),
           "better", "b", "RTT 312 ms → 41 ms");
    expect(json_pack("{s:s,s:s,s:s,s:s}", "record", "uplink", "uplink", "home", "change", "silent",
                     "reason", "nothing"),
           "silent", "home", "nothing");
    expect(json_object(), "-", "-", "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spans),
        cmocka_unit_test(records),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
