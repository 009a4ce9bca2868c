/* SPDX-License-Identifier: Apache-2.0 */
/* watchdog/alert/event.c: which event a record is, and its sentence. */
#include "check.h"

#include "alert/event.h"

#include "util/util.h"

static int of(const char *text)
{
    json_t *record = json_loads(text, 0, NULL);
    int event;

    assert_non_null(record);
    event = event_of(record);
    json_decref(record);
    return event;
}

static void test_which(void **state)
{
    (void)state;
    assert_int_equal(of("{\"record\":\"effect\",\"effect\":\"stalled\"}"), ALERT_STALLED);
    assert_int_equal(of("{\"record\":\"effect\",\"effect\":\"worse\"}"), ALERT_WORSE);
    assert_int_equal(of("{\"record\":\"effect\",\"effect\":\"better\"}"), -1);
    assert_int_equal(of("{\"record\":\"node\",\"state\":\"down\"}"), ALERT_NODE_DOWN);
    assert_int_equal(of("{\"record\":\"node\",\"state\":\"up\"}"), ALERT_NODE_UP);
    assert_int_equal(of("{\"record\":\"uplink\",\"change\":\"silent\"}"), ALERT_UPLINK_SILENT);
    assert_int_equal(of("{\"record\":\"uplink\",\"change\":\"unheard-of\"}"), -1);
    assert_int_equal(of("{\"record\":\"outcome\",\"outcome\":\"timeout\"}"), ALERT_FAILED);
    assert_int_equal(of("{\"record\":\"outcome\",\"outcome\":\"migrated\"}"), -1);
    assert_int_equal(of("{\"record\":\"outcome\",\"outcome\":\"cancelled\"}"), -1);
    assert_int_equal(of("{\"record\":\"decision\",\"kind\":\"dead\",\"verdict\":\"held\"}"),
                     ALERT_DEAD);
    assert_int_equal(of("{\"record\":\"decision\",\"kind\":\"moved\",\"verdict\":\"migrate\"}"),
                     ALERT_MOVE);
    assert_int_equal(of("{\"record\":\"decision\",\"kind\":\"moved\",\"verdict\":\"held\"}"), -1);
    assert_int_equal(of("{\"record\":\"notice\",\"level\":\"error\"}"), ALERT_ERROR);
    assert_int_equal(of("{\"record\":\"notice\",\"level\":\"warning\"}"), ALERT_WARNING);
    assert_int_equal(of("{\"record\":\"notice\",\"level\":\"info\"}"), -1);
    assert_int_equal(of("{\"record\":\"peer\",\"state\":\"down\"}"), -1);
    assert_int_equal(of("{}"), -1);
    assert_int_equal(of("{\"record\":7}"), -1);
}

static void says(const char *text, enum alert_event event, const char *expected)
{
    json_t *record = json_loads(text, 0, NULL), *object = event_object(record, event);

    assert_string_equal(member_text(object, "sentence"), expected);
    assert_string_equal(member_text(object, "event"), alert_events[event].name);
    /* the record itself is as it was */
    assert_null(json_object_get(record, "event"));
    json_decref(object);
    json_decref(record);
}

static void test_sentences(void **state)
{
    (void)state;
    says("{\"record\":\"effect\",\"effect\":\"worse\",\"peer\":\"a@b\",\"rtt_before_us\":41000,"
         "\"rtt_after_us\":312000}",
         ALERT_WORSE, "a@b: worse after its move: RTT 41 ms → 312 ms");
    says("{\"record\":\"effect\",\"effect\":\"stalled\",\"peer\":\"a@b\",\"rtt_after_us\":null}",
         ALERT_STALLED, "a@b: no progress after its move");
    says("{\"record\":\"outcome\",\"outcome\":\"failed\",\"peer\":\"a@b\",\"by\":\"migrate\","
         "\"attempt\":2,\"elapsed_us\":41200,\"error\":{\"code\":-1,\"message\":\"no_path\"}}",
         ALERT_FAILED, "a@b: migrate failed after 41 ms: failed, no_path (attempt 2)");
    says("{\"record\":\"node\",\"state\":\"down\",\"node\":\"alpha\",\"reason\":\"gone\"}",
         ALERT_NODE_DOWN, "node alpha is down: gone");
    says("{\"record\":\"node\",\"state\":\"down\",\"node\":null,\"reason\":null}", ALERT_NODE_DOWN,
         "node is down");
    says("{\"record\":\"uplink\",\"uplink\":\"home\",\"interface\":\"eth0\",\"change\":\"down\","
         "\"reason\":\"no carrier\"}",
         ALERT_UPLINK_DOWN, "uplink home (eth0): down: no carrier");
    says("{\"record\":\"check\",\"text\":\"3 of 9 peers silent\"}", ALERT_PEERS_SILENT,
         "3 of 9 peers silent");
}

/* A terminal obeys none of it, and it is one line. */
static void test_foreign_text(void **state)
{
    (void)state;
    says("{\"record\":\"effect\",\"effect\":\"stalled\",\"peer\":\"a\\u001b[2J\\n\\u202eb\"}",
         ALERT_STALLED, "a\\x1b[2J\\x0a\\u202eb: no progress after its move");
}

/* An example of each event is a record of that event, and has a sentence. */
static void test_examples(void **state)
{
    (void)state;
    for (int i = 0; i < ALERT_EVENT_COUNT; i++) {
        json_t *record = event_example((enum alert_event)i, 77), *object;
        const char *kind = member_text(record, "record");

        assert_int_equal(member_number(record, "time_us"), 77);
        if (strcmp(kind, "check") && strcmp(kind, "pathdog"))
            assert_int_equal(event_of(record), i);
        object = event_object(record, (enum alert_event)i);
        assert_true(strlen(member_text(object, "sentence")) > 10);
        json_decref(object);
        json_decref(record);
        assert_int_equal(event_find(alert_events[i].name), i);
        assert_true(strlen(alert_events[i].when) > 10);
    }
    assert_int_equal(event_find("nonsense"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_which),
        cmocka_unit_test(test_sentences),
        cmocka_unit_test(test_foreign_text),
        cmocka_unit_test(test_examples),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
