/* SPDX-License-Identifier: Apache-2.0 */
/* watchdog/inbox.c: order, copies, bounds. */
#include "check.h"

#include "inbox.h"
#include "util/util.h"

static void test_copies_in_order(void **state)
{
    char kind[] = "way-out", text[] = "up0", name[] = "ifname";
    struct pd_field fields[] = {{name, text, 0}, {"oif", NULL, 7}};
    const struct pd_signal signal = {kind, 12, fields, 2};
    struct inbox *inbox = inbox_new();
    struct event *event;

    assert_true(inbox_is_empty(inbox));
    assert_null(inbox_take(inbox));
    inbox_signal(inbox, "route", &signal);
    inbox_notice(inbox, PD_LEVEL_WARNING, "odd", "text", 3);
    memset(kind, 'x', sizeof(kind) - 1);
    memset(text, 'x', sizeof(text) - 1);
    memset(name, 'x', sizeof(name) - 1);
    fields[1].number = 8;

    assert_false(inbox_is_empty(inbox));
    event = inbox_take(inbox);
    assert_int_equal(event->type, EVENT_SIGNAL);
    assert_string_equal(event->signal.trigger, "route");
    assert_string_equal(event->signal.kind, "way-out");
    assert_int_equal(event->signal.query, 12);
    assert_int_equal(event->signal.n_fields, 2);
    assert_string_equal(event->signal.fields[0].name, "ifname");
    assert_string_equal(event->signal.fields[0].text, "up0");
    assert_null(event->signal.fields[1].text);
    assert_int_equal(event->signal.fields[1].number, 7);
    event = inbox_take(inbox);
    assert_int_equal(event->type, EVENT_NOTICE);
    assert_int_equal(event->notice.level, PD_LEVEL_WARNING);
    assert_string_equal(event->notice.what, "odd");
    assert_string_equal(event->notice.text, "text");
    assert_int_equal(event->notice.count, 3);
    assert_true(inbox_is_empty(inbox));
    assert_null(inbox_take(inbox));
    inbox_signal(inbox, "route", &signal); /* left for inbox_free */
    inbox_free(inbox);
}

static void test_bound(void **state)
{
    const struct pd_signal signal = {.kind = "k"};
    struct inbox *inbox = inbox_new();
    struct event *event;
    unsigned n = 0;

    for (unsigned i = 0; i < INBOX_MAX_EVENTS + 5; i++)
        inbox_signal(inbox, "route", &signal);
    event = inbox_take(inbox);
    assert_int_equal(event->type, EVENT_NOTICE);
    assert_string_equal(event->notice.what, "events-dropped");
    assert_int_equal(event->notice.count, 5);
    while ((event = inbox_take(inbox))) {
        assert_int_equal(event->type, EVENT_SIGNAL);
        n++;
    }
    assert_int_equal(n, INBOX_MAX_EVENTS);
    assert_true(inbox_is_empty(inbox));
    inbox_free(inbox);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_copies_in_order),
        cmocka_unit_test(test_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
