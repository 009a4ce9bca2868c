/* SPDX-License-Identifier: Apache-2.0 */
/* watchdog/ctl/entry.c: what record_journal writes is read again as what record_json writes. */
#include "check.h"

#include "ctl/entry.h"
#include "engine/base/text.h"
#include "out/format.h"

static size_t split(const struct iovec *lines, size_t n_lines, struct entry_field *ret)
{
    for (size_t i = 0; i < n_lines; i++) {
        const char *bytes = lines[i].iov_base, *equals = memchr(bytes, '=', lines[i].iov_len);

        assert_non_null(equals);
        ret[i] = (struct entry_field){bytes, (size_t)(equals - bytes), equals + 1,
                                      lines[i].iov_len - (size_t)(equals + 1 - bytes)};
    }
    return n_lines;
}

static void assert_same(const struct record *record)
{
    struct buffer json = {0}, journal = {0};
    struct iovec lines[JOURNAL_FIELDS_MAX];
    struct entry_field fields[JOURNAL_FIELDS_MAX];
    json_t *wanted, *got;
    size_t n;

    record_json(&json, record, "5f0c");
    wanted = json_loadb(buffer_bytes(&json), json.length, 0, NULL);
    assert_non_null(wanted);
    record_journal(&journal, record, "5f0c", 3);
    n = split(lines,
              journal_split(buffer_bytes(&journal), journal.length, lines, JOURNAL_FIELDS_MAX),
              fields);
    got = entry_record(fields, n);
    if (!json_equal(wanted, got)) {
        json_dumpf(wanted, stderr, JSON_COMPACT);
        json_dumpf(got, stderr, JSON_COMPACT);
        fail_msg("not the same");
    }
    json_decref(wanted);
    json_decref(got);
    buffer_clear(&json);
    buffer_clear(&journal);
}

static struct record_subject bravo(void)
{
    return (struct record_subject){text_new("bravo@10.0.0.2"), 17};
}

static void decisions(void **state)
{
    const struct pd_field evidence[] = {{"oif_before", "up\"0", 0}, {"srtt_us", NULL, 312000}};
    struct record record = {.type = RECORD_DECISION,
                            .time_us = 1795170000123456,
                            .decision = {.subject = bravo(),
                                         .decision = 41,
                                         .cause = 7,
                                         .trigger = "srtt:overseas",
                                         .kind = PD_KIND_MOVED,
                                         .by = BY_MIGRATE,
                                         .verdict = VERDICT_MIGRATE,
                                         .reason = text_new("up0 → up1"),
                                         .evidence = evidence_new(evidence, 2),
                                         .request = 12,
                                         .attempt = 1,
                                         .timeout_ms = 5000}};

    assert_same(&record);
    record.decision.request = record.decision.attempt = record.decision.timeout_ms = 0;
    record.decision.cause = 0;
    record.decision.verdict = VERDICT_NO_TARGET;
    record.decision.into = 40;
    record.decision.repeats = 59;
    assert_same(&record);
    record.decision.uplink = text_new("home");
    record.decision.choice = text_new("bound to home, which lives");
    assert_same(&record);
    record.decision.target = text_new("lte");
    assert_same(&record);
    record_unref(&record);
}

static void outcomes(void **state)
{
    struct record record = {.type = RECORD_OUTCOME,
                            .time_us = 1,
                            .outcome = {.subject = bravo(),
                                        .decision = 41,
                                        .request = 12,
                                        .attempt = 2,
                                        .by = BY_MIGRATE,
                                        .outcome = OUTCOME_MIGRATED,
                                        .validated = true,
                                        .elapsed_us = 41200,
                                        .local_before = text_new("10.0.1.2:40001"),
                                        .local_after = text_new("[::1]:51313")}};

    assert_same(&record);
    record.outcome.by = BY_RECONNECT;
    record.outcome.conn_new = 18;
    record.outcome.error = true;
    record.outcome.error_code = -32007;
    assert_same(&record);
    record.outcome.error_message = text_new("no_path");
    assert_same(&record);
    record.outcome.target = text_new("lte");
    assert_same(&record);
    record_unref(&record);
}

static void others(void **state)
{
    struct record effect = {
        .type = RECORD_EFFECT,
        .effect = {bravo(), 41, EFFECT_BETTER, 312000, PD_UNKNOWN, .samples_before = 3}};
    struct record_cause cause = {7, "route", text_new("up0 → up1"), .peers = 4102, .advised = 4000};
    struct record storm = {.type = RECORD_CAUSE, .cause = &cause};
    struct record node = {.type = RECORD_NODE, .node = {.up = true, .node = text_new("alpha")}};
    struct record peer = {.type = RECORD_PEER, .peer = {bravo(), false, PD_ROLE_SERVER}};
    struct record uplink = {.type = RECORD_UPLINK,
                            .uplink = {.uplink = text_new("home"),
                                       .interface = text_new("eth1"),
                                       .reason = text_new("nothing for 1.2 s"),
                                       .peers = 6}};
    struct record notice = {
        .type = RECORD_NOTICE,
        .notice = {PD_LEVEL_WARNING, text_new("bad-row"), text_new("row 3\nis short"), 3}};

    cause.verdicts[VERDICT_NO_TARGET] = 10;
    cause.verdicts[VERDICT_MIGRATE] = 3990;
    assert_same(&effect);
    assert_same(&storm);
    assert_same(&node);
    assert_same(&peer);
    for (int i = 0; i < UPLINK_CHANGE_COUNT; i++) {
        uplink.uplink.change = (enum uplink_change)i;
        assert_same(&uplink);
    }
    assert_same(&notice);
    record_unref(&effect);
    text_unref(cause.reason);
    record_unref(&node);
    record_unref(&peer);
    record_unref(&uplink);
    record_unref(&notice);
}

static json_t *read_lines(const char *const *lines, size_t n)
{
    struct iovec all[16];
    struct entry_field fields[16];

    for (size_t i = 0; i < n; i++)
        all[i] = (struct iovec){(char *)lines[i], strlen(lines[i])};
    return entry_record(fields, split(all, n, fields));
}

#define EFFECT(time, samples, more)                                                                \
    (const char *const[]){"PATHDOG_RECORD=effect",   "PATHDOG_RUN=5f0c",                           \
                          "PATHDOG_TIME_US=" time,   "PATHDOG_DECISION=1",                         \
                          "PATHDOG_PEER=p",          "PATHDOG_CONN=1",                             \
                          "PATHDOG_EFFECT=same",     samples,                                      \
                          "PATHDOG_SAMPLES_AFTER=0", more},                                        \
        10

/* Anybody may write to the journal. */
static void what_is_no_record(void **state)
{
    static const char *const foreign[] = {"MESSAGE=hello"}, *const odd[] = {"PATHDOG_RECORD=odd"};
    json_t *good = read_lines(EFFECT("5", "PATHDOG_SAMPLES_BEFORE=3", "A=b"));
    json_t *bytes = read_lines(EFFECT("5", "PATHDOG_SAMPLES_BEFORE=3", "PATHDOG_NODE=\xff"));

    assert_int_equal(json_integer_value(json_object_get(good, "samples_before")), 3);
    assert_true(json_equal(good, bytes));
    json_decref(good);
    json_decref(bytes);
    assert_null(read_lines(foreign, 1));
    assert_null(read_lines(odd, 1));
    assert_null(read_lines(EFFECT("", "PATHDOG_SAMPLES_BEFORE=3", "A=b")));
    assert_null(read_lines(EFFECT("5x", "PATHDOG_SAMPLES_BEFORE=3", "A=b")));
    assert_null(read_lines(EFFECT("99999999999999999999", "PATHDOG_SAMPLES_BEFORE=3", "A=b")));
    assert_null(read_lines(EFFECT("5", "A=b", "C=d")));
    assert_null(read_lines(EFFECT("5", "PATHDOG_SAMPLES_BEFORE=3", "PATHDOG_RTT_BEFORE_US=x")));
}

static void bytes_that_are_no_text(void **state)
{
    static const char *const lines[] = {
        "PATHDOG_RECORD=peer", "PATHDOG_RUN=5f0c", "PATHDOG_TIME_US=5",  "PATHDOG_STATE=up",
        "PATHDOG_PEER=a\xff",  "PATHDOG_CONN=1",   "PATHDOG_ROLE=client"};
    json_t *record = read_lines(lines, 7);

    assert_string_equal(json_string_value(json_object_get(record, "peer")), "a\\xff");
    json_decref(record);
}

static void text_that_is_too_long(void **state)
{
    static char name[14 + 100000] = "PATHDOG_PEER=";
    const char *const lines[] = {
        "PATHDOG_RECORD=peer", "PATHDOG_RUN=5f0c",   "PATHDOG_TIME_US=5", "PATHDOG_STATE=up", name,
        "PATHDOG_CONN=1",      "PATHDOG_ROLE=client"};
    json_t *record;

    memset(name + 13, 'x', 100000);
    record = read_lines(lines, 7);
    assert_in_range(json_string_length(json_object_get(record, "peer")), 65000, 65600);
    json_decref(record);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decisions),
        cmocka_unit_test(outcomes),
        cmocka_unit_test(others),
        cmocka_unit_test(what_is_no_record),
        cmocka_unit_test(bytes_that_are_no_text),
        cmocka_unit_test(text_that_is_too_long),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
