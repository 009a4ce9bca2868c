/* SPDX-License-Identifier: Apache-2.0 */
/* watchdog/out/format.c, sentence.c: each kind of record, to the byte. */
#include "check.h"

#include "engine/base/names.h"
#include "out/format.h"
#include "util/util.h"

static struct text *text_of(const char *s)
{
    struct text *text = memory_new(1, sizeof(*text) + strlen(s) + 1);

    text->length = (uint32_t)strlen(s);
    memcpy(text->s, s, strlen(s));
    return text;
}

static char *taken(struct buffer *buffer)
{
    char *s = memory_new(buffer->length + 1, 1);

    memcpy(s, buffer_bytes(buffer), buffer->length);
    buffer_clear(buffer);
    return s;
}

static void assert_json(const struct record *record, const char *expected)
{
    struct buffer buffer = {0};
    char *line;

    record_json(&buffer, record, "5f0c");
    line = taken(&buffer);
    assert_string_equal(line, expected);
    free(line);
}

static void assert_sentence(const struct record *record, const char *expected)
{
    struct buffer buffer = {0};
    char *line;

    record_sentence(&buffer, record);
    line = taken(&buffer);
    assert_string_equal(line, expected);
    free(line);
}

/* The journal fields, joined by LF. */
static void assert_journal(const struct record *record, uint64_t dropped, const char *expected)
{
    struct buffer buffer = {0}, joined = {0};
    struct iovec fields[JOURNAL_FIELDS_MAX];
    size_t n;
    char *line;

    record_journal(&buffer, record, "5f0c", dropped);
    n = journal_split(buffer_bytes(&buffer), buffer.length, fields, ARRAY_SIZE(fields));
    for (size_t i = 0; i < n; i++) {
        buffer_append(&joined, fields[i].iov_base, fields[i].iov_len);
        buffer_append(&joined, "\n", 1);
    }
    line = taken(&joined);
    assert_string_equal(line, expected);
    free(line);
    buffer_clear(&buffer);
}

static void test_decision(void **state)
{
    struct evidence *evidence = memory_new(1, sizeof(*evidence) + 3 * sizeof(evidence->fields[0]));
    struct record record = {
        .type = RECORD_DECISION,
        .time_us = 1795170000123456,
        .decision =
            {
                .subject = {text_of("bravo@10.0.0.2"), 17},
                .decision = 41,
                .cause = 7,
                .trigger = "route",
                .kind = PD_KIND_MOVED,
                .by = BY_MIGRATE,
                .verdict = VERDICT_MIGRATE,
                .reason = text_of("default route flip: up0 → up1"),
                .evidence = evidence,
                .request = 12,
                .attempt = 1,
                .timeout_ms = 5000,
            },
    };

    evidence->n_fields = 3;
    evidence->fields[0] = (struct pd_field){"oif_before", "up\"0", 0};
    evidence->fields[1] = (struct pd_field){"srtt_us", NULL, 312000};
    evidence->fields[2] = (struct pd_field){"min_rtt_us", NULL, PD_UNKNOWN};
    assert_json(&record,
                "{\"record\":\"decision\",\"time_us\":1795170000123456,\"run\":\"5f0c\","
                "\"decision\":41,\"cause\":7,\"peer\":\"bravo@10.0.0.2\",\"conn\":17,"
                "\"trigger\":\"route\",\"kind\":\"moved\",\"by\":\"migrate\","
                "\"reason\":\"default route flip: up0 → up1\","
                "\"evidence\":{\"oif_before\":\"up\\\"0\",\"srtt_us\":312000,"
                "\"min_rtt_us\":null},\"verdict\":\"migrate\",\"request\":12,\"attempt\":1,"
                "\"timeout_ms\":5000}\n");
    assert_sentence(&record, "bravo@10.0.0.2 (conn 17): route says moved: default route flip: "
                             "up0 → up1 → migrate (request 12, within 5 s)");
    assert_journal(
        &record, 3,
        "MESSAGE=bravo@10.0.0.2 (conn 17): route says moved: default route flip: up0 "
        "→ up1 → migrate (request 12, within 5 s) (3 records before this one were dropped)\n"
        "PATHDOG_LOG_DROPPED=3\nPRIORITY=5\n"
        "MESSAGE_ID=ba21fb45e7d34a96a0c3bb25477bfffe\nSYSLOG_IDENTIFIER=pathdog\n"
        "PATHDOG_RECORD=decision\nPATHDOG_TIME_US=1795170000123456\nPATHDOG_RUN=5f0c\n"
        "PATHDOG_DECISION=41\nPATHDOG_CAUSE=7\nPATHDOG_PEER=bravo@10.0.0.2\n"
        "PATHDOG_CONN=17\nPATHDOG_TRIGGER=route\nPATHDOG_KIND=moved\n"
        "PATHDOG_BY=migrate\nPATHDOG_REASON=default route flip: up0 → up1\n"
        "PATHDOG_EVIDENCE_OIF_BEFORE=up\"0\nPATHDOG_EVIDENCE_SRTT_US=312000\n"
        "PATHDOG_VERDICT=migrate\nPATHDOG_REQUEST=12\nPATHDOG_ATTEMPT=1\n"
        "PATHDOG_TIMEOUT_MS=5000\n");

    record.decision.evidence = NULL;
    record.decision.cause = 0;
    record.decision.request = 0;
    record.decision.verdict = VERDICT_COOLING;
    record.decision.repeats = 59;
    assert_json(&record, "{\"record\":\"decision\",\"time_us\":1795170000123456,\"run\":\"5f0c\","
                         "\"decision\":41,\"cause\":null,\"peer\":\"bravo@10.0.0.2\",\"conn\":17,"
                         "\"trigger\":\"route\",\"kind\":\"moved\",\"by\":\"migrate\","
                         "\"reason\":\"default route flip: up0 → up1\",\"evidence\":{},"
                         "\"verdict\":\"cooling\",\"repeats\":59}\n");
    record.decision.repeats = 0;
    record.decision.verdict = VERDICT_MERGED;
    record.decision.into = 40;
    assert_sentence(&record, "bravo@10.0.0.2 (conn 17): route says moved: default route flip: "
                             "up0 → up1 → merged into decision 40");
    assert_int_equal(record_level(&record), PD_LEVEL_INFO);
    record.decision.into = 0;
    record.decision.repeats = 59;
    record.decision.verdict = VERDICT_INBOUND;
    assert_sentence(&record, "bravo@10.0.0.2 (conn 17): route says moved: default route flip: "
                             "up0 → up1 → inbound: the peer opened the connection, and only a "
                             "client may migrate (59 times more)");
    record.decision.repeats = 0;
    record.decision.kind = PD_KIND_OPERATOR;
    record.decision.trigger = "operator";
    record.decision.by = BY_RECONNECT;
    record.decision.verdict = VERDICT_DISABLED;
    assert_sentence(&record, "bravo@10.0.0.2 (conn 17): operator: default route flip: up0 → up1 → "
                             "disabled: the connection may not be reconnected");
    free(record.decision.subject.peer);
    free(record.decision.reason);
    free(evidence);
}

/* Where to, and why there; or why not. */
static void test_decision_among_uplinks(void **state)
{
    struct text *name = text_of("b"), *reason = text_of("no progress for 3 s"),
                *home = text_of("home"), *lte = text_of("lte"), *why = text_of("heard 1.2 s ago"),
                *none = text_of("no other uplink can be used"),
                *named = text_of("lte: metered, lives");
    struct record record = {.type = RECORD_DECISION,
                            .time_us = 9,
                            .decision = {.subject = {name, 17},
                                         .decision = 41,
                                         .trigger = "stall",
                                         .kind = PD_KIND_DEAD,
                                         .by = BY_MIGRATE,
                                         .verdict = VERDICT_MIGRATE,
                                         .reason = reason,
                                         .request = 12,
                                         .attempt = 1,
                                         .timeout_ms = 5000,
                                         .uplink = home,
                                         .target = lte,
                                         .choice = why}};

    assert_json(&record, "{\"record\":\"decision\",\"time_us\":9,\"run\":\"5f0c\","
                         "\"decision\":41,\"cause\":null,\"peer\":\"b\",\"conn\":17,"
                         "\"trigger\":\"stall\",\"kind\":\"dead\",\"by\":\"migrate\","
                         "\"reason\":\"no progress for 3 s\",\"evidence\":{},"
                         "\"verdict\":\"migrate\",\"uplink\":\"home\",\"target\":\"lte\","
                         "\"choice\":\"heard 1.2 s ago\",\"request\":12,\"attempt\":1,"
                         "\"timeout_ms\":5000}\n");
    assert_sentence(&record, "b (conn 17): stall says dead: no progress for 3 s → migrate to lte: "
                             "heard 1.2 s ago (request 12, within 5 s)");
    record.decision.choice = named;
    assert_sentence(&record, "b (conn 17): stall says dead: no progress for 3 s → migrate to lte: "
                             "metered, lives (request 12, within 5 s)");
    record.decision.target = NULL;
    record.decision.choice = none;
    assert_sentence(&record,
                    "b (conn 17): stall says dead: no progress for 3 s → migrate: no other "
                    "uplink can be used (request 12, within 5 s)");
    record.decision.request = 0;
    record.decision.verdict = VERDICT_NO_TARGET;
    assert_sentence(&record, "b (conn 17): stall says dead: no progress for 3 s → no-target: no "
                             "other uplink can be used");
    record.decision.choice = NULL;
    assert_sentence(&record, "b (conn 17): stall says dead: no progress for 3 s → no-target: there "
                             "is no other path");
    record.decision.verdict = VERDICT_DAMPED;
    record.decision.target = lte;
    record.decision.choice = why;
    record.decision.repeats = 2;
    assert_sentence(&record, "b (conn 17): stall says dead: no progress for 3 s → damped: the peer "
                             "was moved too often; it would move to lte: heard 1.2 s ago (2 times "
                             "more)");
    record.decision.repeats = 0;
    record.decision.verdict = VERDICT_PROBING;
    record.decision.target = NULL;
    record.decision.choice = lte;
    assert_sentence(&record, "b (conn 17): stall says dead: no progress for 3 s → probing: other "
                             "uplinks are probed first");
    free(name);
    free(reason);
    free(home);
    free(lte);
    free(why);
    free(none);
    free(named);
}

static void test_outcome(void **state)
{
    struct record record = {
        .type = RECORD_OUTCOME,
        .time_us = 9,
        .outcome =
            {
                .subject = {text_of("b\\r\n\xff"), 17},
                .decision = 41,
                .request = 12,
                .attempt = 1,
                .by = BY_MIGRATE,
                .outcome = OUTCOME_MIGRATED,
                .validated = true,
                .elapsed_us = 41200,
                .local_before = text_of("10.0.1.2:40001"),
                .local_after = text_of("10.0.2.2:51313"),
            },
    };

    assert_json(&record,
                "{\"record\":\"outcome\",\"time_us\":9,\"run\":\"5f0c\",\"decision\":41,"
                "\"request\":12,\"attempt\":1,\"peer\":\"b\\\\r\\n\xef\xbf\xbd\",\"conn\":17,"
                "\"by\":\"migrate\",\"outcome\":\"migrated\",\"validated\":true,"
                "\"elapsed_us\":41200,\"local_before\":\"10.0.1.2:40001\","
                "\"local_after\":\"10.0.2.2:51313\",\"conn_new\":null,\"error\":null}\n");
    assert_sentence(&record,
                    "b\\r\\x0a\\xff (conn 17): request 12 (migrate): migrated after 41.2 ms, "
                    "validated, 10.0.1.2:40001 → 10.0.2.2:51313");
    record.outcome.target = text_of("lte");
    assert_sentence(
        &record, "b\\r\\x0a\\xff (conn 17): request 12 (migrate to lte): migrated after 41.2 ms, "
                 "validated, 10.0.1.2:40001 → 10.0.2.2:51313");
    assert_json(&record,
                "{\"record\":\"outcome\",\"time_us\":9,\"run\":\"5f0c\",\"decision\":41,"
                "\"request\":12,\"attempt\":1,\"peer\":\"b\\\\r\\n\xef\xbf\xbd\",\"conn\":17,"
                "\"by\":\"migrate\",\"outcome\":\"migrated\",\"validated\":true,"
                "\"elapsed_us\":41200,\"local_before\":\"10.0.1.2:40001\","
                "\"local_after\":\"10.0.2.2:51313\",\"target\":\"lte\",\"conn_new\":null,"
                "\"error\":null}\n");
    free(record.outcome.target);
    record.outcome.target = NULL;
    free(record.outcome.local_before);
    free(record.outcome.local_after);
    record.outcome.local_before = record.outcome.local_after = NULL;
    record.outcome.by = BY_RECONNECT;
    record.outcome.outcome = OUTCOME_DIAL_FAILED;
    record.outcome.error = true;
    record.outcome.error_code = -32009;
    record.outcome.error_message = text_of("dial_failed");
    assert_json(&record,
                "{\"record\":\"outcome\",\"time_us\":9,\"run\":\"5f0c\",\"decision\":41,"
                "\"request\":12,\"attempt\":1,\"peer\":\"b\\\\r\\n\xef\xbf\xbd\",\"conn\":17,"
                "\"by\":\"reconnect\",\"outcome\":\"dial-failed\",\"validated\":null,"
                "\"elapsed_us\":41200,\"local_before\":null,\"local_after\":null,"
                "\"conn_new\":null,\"error\":{\"code\":-32009,\"message\":\"dial_failed\"}}\n");
    assert_sentence(&record,
                    "b\\r\\x0a\\xff (conn 17): request 12 (reconnect): dial-failed after 41.2 "
                    "ms: dial_failed (-32009)");
    assert_int_equal(record_level(&record), PD_LEVEL_WARNING);
    record.outcome.outcome = OUTCOME_OLD_LIVES; /* nothing failed */
    assert_int_equal(record_level(&record), PD_LEVEL_INFO);
    record.outcome.error = false;
    record.outcome.outcome = OUTCOME_CANCELLED;
    assert_sentence(&record,
                    "b\\r\\x0a\\xff (conn 17): request 12 (reconnect): cancelled after 41.2 ms, "
                    "taken back: newer advice is requested instead");
    assert_int_equal(record_level(&record), PD_LEVEL_INFO);
    record.outcome.outcome = OUTCOME_RECONNECTED;
    record.outcome.conn_new = 31;
    record.outcome.elapsed_us = 10500000;
    assert_sentence(&record,
                    "b\\r\\x0a\\xff (conn 17): request 12 (reconnect): reconnected after 10.5 "
                    "s, now conn 31");
    free(record.outcome.error_message);
    free(record.outcome.subject.peer);
}

static void test_effect(void **state)
{
    struct record record = {
        .type = RECORD_EFFECT,
        .time_us = 9,
        .effect = {.subject = {text_of("b"), 17},
                   .decision = 41,
                   .effect = EFFECT_BETTER,
                   .rtt_before_us = 312000,
                   .rtt_after_us = 900,
                   .samples_before = 3,
                   .samples_after = 2},
    };

    assert_json(&record, "{\"record\":\"effect\",\"time_us\":9,\"run\":\"5f0c\",\"decision\":41,"
                         "\"peer\":\"b\",\"conn\":17,\"effect\":\"better\","
                         "\"rtt_before_us\":312000,\"rtt_after_us\":900,\"samples_before\":3,"
                         "\"samples_after\":2}\n");
    assert_sentence(&record, "b (conn 17): effect of decision 41: better, RTT 312 ms → 900 us");
    record.effect.rtt_before_us = 1000; /* after moved or dead: it gets through, and is no faster */
    assert_sentence(&record, "b (conn 17): effect of decision 41: restored, RTT 1 ms → 900 us");
    record.effect.rtt_before_us = PD_UNKNOWN;
    assert_sentence(&record, "b (conn 17): effect of decision 41: restored");
    record.effect.rtt_before_us = 312000;
    record.effect.effect = EFFECT_STALLED;
    record.effect.rtt_after_us = PD_UNKNOWN;
    record.effect.samples_after = 0;
    assert_json(&record, "{\"record\":\"effect\",\"time_us\":9,\"run\":\"5f0c\",\"decision\":41,"
                         "\"peer\":\"b\",\"conn\":17,\"effect\":\"stalled\","
                         "\"rtt_before_us\":312000,\"rtt_after_us\":null,\"samples_before\":3,"
                         "\"samples_after\":0}\n");
    free(record.effect.subject.peer);
}

static void test_cause(void **state)
{
    struct record_cause cause = {
        .cause = 7, .trigger = "route", .reason = text_of("flip"), .peers = 4102, .advised = 4000};
    struct record record = {.type = RECORD_CAUSE, .time_us = 9, .cause = &cause};

    cause.verdicts[VERDICT_MIGRATE] = 3990;
    cause.verdicts[VERDICT_IN_FLIGHT] = 10;
    assert_json(&record, "{\"record\":\"cause\",\"time_us\":9,\"run\":\"5f0c\",\"cause\":7,"
                         "\"trigger\":\"route\",\"reason\":\"flip\",\"peers\":4102,"
                         "\"advised\":4000,\"verdicts\":{\"in-flight\":10,\"migrate\":3990}}\n");
    assert_sentence(&record, "cause 7 of route: flip: 4102 peers up, 4000 advised: 10 in-flight, "
                             "3990 migrate");
    assert_journal(&record, 0,
                   "MESSAGE=cause 7 of route: flip: 4102 peers up, 4000 advised: 10 in-flight, "
                   "3990 migrate\nPRIORITY=5\nMESSAGE_ID=07eb5f6b34bd4759b0b7f0c7207bdf6d\n"
                   "SYSLOG_IDENTIFIER=pathdog\nPATHDOG_RECORD=cause\nPATHDOG_TIME_US=9\n"
                   "PATHDOG_RUN=5f0c\nPATHDOG_CAUSE=7\nPATHDOG_TRIGGER=route\n"
                   "PATHDOG_REASON=flip\nPATHDOG_PEERS=4102\nPATHDOG_ADVISED=4000\n"
                   "PATHDOG_VERDICTS_IN_FLIGHT=10\nPATHDOG_VERDICTS_MIGRATE=3990\n");
    free(cause.reason);
}

static void test_others(void **state)
{
    struct text *alpha = text_of("alpha"), *why = text_of("idle_timeout");
    struct record record = {
        .type = RECORD_NODE, .time_us = 9, .node = {.up = true, .node = alpha, .boot = alpha}};

    assert_json(&record, "{\"record\":\"node\",\"time_us\":9,\"run\":\"5f0c\",\"state\":\"up\","
                         "\"node\":\"alpha\",\"implementation\":null,\"boot\":\"alpha\","
                         "\"reason\":null}\n");
    assert_sentence(&record, "node alpha is up");
    record =
        (struct record){.type = RECORD_PEER,
                        .time_us = 9,
                        .peer = {.subject = {alpha, 3}, .role = PD_ROLE_SERVER, .reason = why}};
    assert_json(&record, "{\"record\":\"peer\",\"time_us\":9,\"run\":\"5f0c\",\"state\":\"down\","
                         "\"peer\":\"alpha\",\"conn\":3,\"role\":\"server\","
                         "\"reason\":\"idle_timeout\"}\n");
    assert_sentence(&record, "alpha (conn 3): down: idle_timeout");
    record = (struct record){
        .type = RECORD_NOTICE,
        .time_us = 1795170000000456,
        .notice = {.level = PD_LEVEL_WARNING, .what = alpha, .text = why, .count = 3}};
    assert_json(&record, "{\"record\":\"notice\",\"time_us\":1795170000000456,\"run\":\"5f0c\","
                         "\"level\":\"warning\",\"what\":\"alpha\",\"text\":\"idle_timeout\","
                         "\"count\":3}\n");
    assert_sentence(&record, "alpha: idle_timeout (3 times)");
    {
        struct buffer buffer = {0};
        char *line;

        record_text(&buffer, &record);
        line = taken(&buffer);
        assert_string_equal(line, "2026-11-20T10:20:00.000456Z warning: alpha: idle_timeout (3 "
                                  "times)\n");
        free(line);
    }
    free(alpha);
    free(why);
}

/* Each change says what it means for the connections; those that are for somebody to look at are
 * warnings. */
static void test_uplinks(void **state)
{
    static const struct {
        enum uplink_change change;
        uint64_t peers;
        enum pd_level level;
        const char *sentence;
    } rows[] = {
        {UPLINK_CHANGE_UP, 0, PD_LEVEL_NOTICE, "uplink home (eth1) is up: why"},
        {UPLINK_CHANGE_DOWN, 0, PD_LEVEL_NOTICE, "uplink home (eth1) is down: why"},
        {UPLINK_CHANGE_DOWN, 2, PD_LEVEL_NOTICE,
         "uplink home (eth1) is down, 2 connections use it: why"},
        {UPLINK_CHANGE_SILENT, 6, PD_LEVEL_WARNING,
         "uplink home (eth1) is silent, 6 connections use it: why"},
        {UPLINK_CHANGE_SILENT, 1, PD_LEVEL_WARNING,
         "uplink home (eth1) is silent, 1 connection uses it: why"},
        {UPLINK_CHANGE_SLOW, 3, PD_LEVEL_WARNING,
         "uplink home (eth1) is slow, 3 connections use it: why"},
        {UPLINK_CHANGE_PENALTY, 3, PD_LEVEL_WARNING, "uplink home (eth1) is in penalty: why"},
        {UPLINK_CHANGE_PROVEN, 0, PD_LEVEL_NOTICE,
         "uplink home (eth1) is proven to work, connections come back to it: why"},
        {UPLINK_CHANGE_HELD, 3, PD_LEVEL_NOTICE,
         "uplink home (eth1) is held, 3 connections are leaving it: why"},
        {UPLINK_CHANGE_RELEASED, 0, PD_LEVEL_NOTICE,
         "uplink home (eth1) is released, connections may use it again: why"},
    };
    struct text *home = text_of("home"), *eth1 = text_of("eth1"), *why = text_of("why");
    struct record record = {
        .type = RECORD_UPLINK, .time_us = 9, .uplink = {.uplink = home, .interface = eth1}};
    uint32_t seen = 0;

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        record.uplink.change = rows[i].change;
        record.uplink.peers = rows[i].peers;
        record.uplink.reason = why;
        assert_sentence(&record, rows[i].sentence);
        assert_int_equal(record_level(&record), rows[i].level);
        seen |= 1u << rows[i].change;
    }
    assert_int_equal(seen, (1u << UPLINK_CHANGE_COUNT) - 1);
    record.uplink.change = UPLINK_CHANGE_SILENT;
    record.uplink.peers = 6;
    assert_journal(&record, 0,
                   "MESSAGE=uplink home (eth1) is silent, 6 connections use it: why\n"
                   "PRIORITY=4\nMESSAGE_ID=3542803609a44d309b098869feda4f50\n"
                   "SYSLOG_IDENTIFIER=pathdog\nPATHDOG_RECORD=uplink\nPATHDOG_TIME_US=9\n"
                   "PATHDOG_RUN=5f0c\nPATHDOG_UPLINK=home\nPATHDOG_INTERFACE=eth1\n"
                   "PATHDOG_CHANGE=silent\nPATHDOG_REASON=why\nPATHDOG_PEERS=6\n");
    record.uplink.uplink = eth1; /* learned: it has the interface's name */
    record.uplink.reason = NULL;
    assert_sentence(&record, "uplink eth1 is silent, 6 connections use it");
    free(home);
    free(eth1);
    free(why);
}

static void test_levels(void **state)
{
    enum pd_level level = 0;

    assert_int_equal(level_parse("debug", &level), 0);
    assert_int_equal(level, PD_LEVEL_DEBUG);
    assert_true(level_parse("loud", &level) < 0);
    assert_string_equal(level_name(PD_LEVEL_ERROR), "error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decision), cmocka_unit_test(test_outcome),
        cmocka_unit_test(test_effect),   cmocka_unit_test(test_cause),
        cmocka_unit_test(test_others),   cmocka_unit_test(test_levels),
        cmocka_unit_test(test_uplinks),  cmocka_unit_test(test_decision_among_uplinks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
