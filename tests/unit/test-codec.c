/* SPDX-License-Identifier: Apache-2.0 */
/* codec/codec.[ch]: how events and the header look as lines; what is wrong in a line is said. */
#include "check.h"

#include <errno.h>

#include "codec/codec.h"
#include "engine/event.h"

/* ---- how it looks: recordings of older versions must stay readable ---- */

static void check(const struct event *event, const char *expected)
{
    struct buffer line = {0};

    event_encode(&line, event);
    buffer_append(&line, "", 1);
    assert_string_equal(buffer_bytes(&line), expected);
    buffer_clear(&line);
}

static void test_form(void **state)
{
    struct sample_row rows[2] = {{.conn = 17}, {.conn = 18}};
    const struct pd_field fields[] = {{"oif", "up0", 0}, {"metric", NULL, UINT64_MAX}};
    struct event event = {.type = EVENT_SAMPLES, .now_us = 5, .realtime_us = 6};

    for (size_t i = 0; i < PD_COLUMN_COUNT; i++)
        rows[0].row.v[i] = rows[1].row.v[i] = PD_UNKNOWN;
    rows[0].row.v[PD_SRTT_US] = 48210;
    event.samples = (struct event_samples){1u << PD_SRTT_US, rows, 2};
    check(&event, "{\"t\":5,\"rt\":6,\"event\":\"samples\",\"columns\":[\"srtt_us\"],"
                  "\"rows\":[[17,48210],[18,null]]}\n");
    event = (struct event){.type = EVENT_SIGNAL,
                           .signal = {"route", "changed", UINT64_C(1) << 63, fields, 2}};
    check(&event,
          "{\"t\":0,\"rt\":0,\"event\":\"signal\",\"trigger\":\"route\",\"kind\":\"changed\","
          "\"query\":\"9223372036854775808\",\"fields\":[{\"name\":\"oif\",\"text\":\"up0\"},"
          "{\"name\":\"metric\",\"number\":\"18446744073709551615\"}]}\n");
    event = (struct event){.type = EVENT_PEER_DOWN, .peer_down = {17, "a\xff"}};
    check(&event, "{\"t\":0,\"rt\":0,\"event\":\"peer_down\",\"conn\":17,"
                  "\"reason\":{\"hex\":\"61ff\"}}\n");
    event = (struct event){.type = EVENT_TIMER, .now_us = 1};
    check(&event, "{\"t\":1,\"rt\":0,\"event\":\"timer\"}\n");
}

/* ---- what is wrong ---- */

static void test_errors_say_what(void **state)
{
    static const struct {
        const char *line;
        const char *said;
    } cases[] = {
        {"", "byte"},
        {"{\"t\":1", "byte 6"},
        {"[]", "not an object"},
        {"{}", "\"event\""},
        {"{\"event\":\"party\",\"t\":1,\"rt\":1}", "\"event\""},
        {"{\"event\":7,\"t\":1,\"rt\":1}", "\"event\""},
        {"{\"event\":\"timer\",\"rt\":1}", "\"t\""},
        {"{\"event\":\"timer\",\"t\":-1,\"rt\":1}", "\"t\""},
        {"{\"event\":\"timer\",\"t\":\"18446744073709551616\",\"rt\":1}", "\"t\""},
        {"{\"event\":\"timer\",\"t\":\"01\",\"rt\":1}", "\"t\""},
        {"{\"event\":\"timer\",\"t\":\"\",\"rt\":1}", "\"t\""},
        {"{\"event\":\"timer\",\"t\":\"1x\",\"rt\":1}", "\"t\""},
        {"{\"event\":\"timer\",\"t\":1,\"rt\":1.5}", "\"rt\""},
        {"{\"event\":\"node_down\",\"t\":1,\"rt\":1}", "\"reason\" is missing"},
        {"{\"event\":\"node_down\",\"t\":1,\"rt\":1,\"reason\":7}", "\"reason\""},
        {"{\"event\":\"node_down\",\"t\":1,\"rt\":1,\"reason\":\"a\\u0000\"}", "\"reason\""},
        {"{\"event\":\"node_down\",\"t\":1,\"rt\":1,\"reason\":{}}", "\"hex\""},
        {"{\"event\":\"node_down\",\"t\":1,\"rt\":1,\"reason\":{\"hex\":\"6\"}}", "\"hex\""},
        {"{\"event\":\"node_down\",\"t\":1,\"rt\":1,\"reason\":{\"hex\":\"6x\"}}", "\"hex\""},
        {"{\"event\":\"node_down\",\"t\":1,\"rt\":1,\"reason\":{\"hex\":\"00\"}}", "\"hex\""},
        {"{\"event\":\"peer_down\",\"t\":1,\"rt\":1,\"conn\":1,\"reason\":null}", "\"reason\""},
        {"{\"event\":\"summary_done\",\"t\":1,\"rt\":1,\"look\":1,\"failed\":1}", "\"failed\""},
        {"{\"event\":\"notice\",\"t\":1,\"rt\":1,\"level\":\"loud\",\"what\":\"\",\"text\":\"\","
         "\"count\":1}",
         "\"level\""},
        {"{\"event\":\"notice\",\"t\":1,\"rt\":1,\"level\":8,\"what\":\"\",\"text\":\"\","
         "\"count\":1}",
         "\"level\""},
        {"{\"event\":\"samples\",\"t\":1,\"rt\":1,\"columns\":[\"x\"],\"rows\":[]}", "\"columns\""},
        {"{\"event\":\"samples\",\"t\":1,\"rt\":1,\"columns\":[\"srtt_us\",\"srtt_us\"],"
         "\"rows\":[]}",
         "\"columns\""},
        {"{\"event\":\"samples\",\"t\":1,\"rt\":1,\"columns\":[\"srtt_us\"],\"rows\":[[1]]}",
         "\"rows\""},
        {"{\"event\":\"samples\",\"t\":1,\"rt\":1,\"columns\":[],\"rows\":[7]}", "\"rows\""},
        {"{\"event\":\"samples\",\"t\":1,\"rt\":1,\"columns\":[],\"rows\":[[null]]}", "\"rows\""},
        {"{\"event\":\"signal\",\"t\":1,\"rt\":1,\"trigger\":\"a\",\"kind\":\"b\",\"query\":0}",
         "\"fields\""},
        {"{\"event\":\"signal\",\"t\":1,\"rt\":1,\"trigger\":\"a\",\"kind\":\"b\",\"query\":0,"
         "\"fields\":[{\"name\":\"x\"}]}",
         "\"number\""},
        {"{\"event\":\"node_up\",\"t\":1,\"rt\":1,\"node\":\"\",\"boot\":\"\",\"features\":[\"x\"],"
         "\"prefer_reconnect\":true,\"max_in_flight\":1,\"uid\":1}",
         "\"features\""},
        {"{\"event\":\"node_up\",\"t\":1,\"rt\":1,\"node\":\"\",\"boot\":\"\",\"features\":[],"
         "\"prefer_reconnect\":true,\"max_in_flight\":4294967296,\"uid\":1}",
         "\"max_in_flight\""},
    };
    struct arena arena = {0};

    for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
        struct event event;
        char error[200] = "";

        if (event_decode(cases[i].line, strlen(cases[i].line), &arena, &event, error,
                         sizeof(error)) != -EBADMSG ||
            !strstr(error, cases[i].said))
            fail_msg("%s: %s", cases[i].line, error);
    }
    arena_clear(&arena);
}

static void test_unknown_members_are_ignored(void **state)
{
    static const char line[] = "{\"new\":[],\"event\":\"timer\",\"rt\":2,\"t\":1}";
    struct arena arena = {0};
    struct event event;
    char error[200];

    assert_int_equal(event_decode(line, strlen(line), &arena, &event, error, sizeof(error)), 0);
    assert_int_equal(event.type, EVENT_TIMER);
    assert_int_equal(event.now_us, 1);
    arena_clear(&arena);
}

static void test_header(void **state)
{
    const struct recording_header header = {"5f0c", 7, UINT64_C(1) << 63,
                                            "[watchdog]\nnode = /run/\xff\n"};
    static const char *const wrong[] = {
        "{}", "x", "{\"pathdog\":\"recordings\"}", "{\"pathdog\":\"recording\",\"version\":2}",
        "{\"pathdog\":\"recording\",\"version\":1,\"run\":\"x\",\"started_us\":1}"};
    struct arena arena = {0};
    struct buffer line = {0};
    struct recording_header back;
    char error[200];

    header_encode(&line, &header);
    assert_int_equal(
        header_decode(buffer_bytes(&line), line.length, &arena, &back, error, sizeof(error)), 0);
    assert_string_equal(back.run, header.run);
    assert_string_equal(back.config, header.config);
    assert_true(back.started_us == header.started_us && back.realtime_us == header.realtime_us);
    for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
        assert_int_equal(
            header_decode(wrong[i], strlen(wrong[i]), &arena, &back, error, sizeof(error)),
            -EBADMSG);
    arena_clear(&arena);
    buffer_clear(&line);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_form),
        cmocka_unit_test(test_errors_say_what),
        cmocka_unit_test(test_unknown_members_are_ignored),
        cmocka_unit_test(test_header),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
