/* SPDX-License-Identifier: Apache-2.0 */
/* plugins/exec/policy.c. What it does about messages is tested with the trigger tunnel, which has
 * the same code (plugins/messages/jobs.c). */
#include "check.h"

#include <pathdog/mock-host.h>

#include "util/util.h"

#include <errno.h>

#define SECOND 1000000ull

extern const struct pd_trigger pathdog_trigger_exec;

static void begin(struct mock *mock)
{
    *mock = (struct mock){.turn.now_us = 10 * SECOND};
    assert_int_equal(mock_start(mock, &pathdog_trigger_exec, "command=/bin/true+x"), 0);
    mock_peer_up(mock, "a@eu", "10.0.0.2:1", NULL);
    mock_peer_up(mock, "b@us", "10.8.0.2:1", NULL);
}

static void test_messages(void **state)
{
    struct mock mock;

    (void)state;
    begin(&mock);
    mock_signal(&mock, "notice", 0, "event=rebind peers=a* reason=why pid=77");
    assert_int_equal(mock.n_advice, 1);
    assert_int_equal(mock.advice[0].peer, 0);
    assert_int_equal(mock.advice[0].kind, PD_KIND_MOVED);
    assert_string_equal(mock.advice[0].reason, "notice: rebind, why");
    assert_string_equal(mock.advice[0].evidence, "event=rebind pid=77");
    mock_signal(&mock, "notice", 0, "event=up tunnel=wg0 addresses=10.8.0.2 pid=77");
    assert_int_equal(mock.n_advice, 2);
    assert_int_equal(mock.advice[1].peer, 1);
    assert_int_equal(mock.causes, 2);
    assert_int_equal(mock.open_causes, 0);
    mock_signal(&mock, "notice", 0, "event=up tunnel=wg9");
    assert_string_equal(mock.notices[0].what, "exec-nobody");
    mock_stop(&mock);
}

static void test_a_flood_has_names_of_its_own(void **state)
{
    struct mock mock;
    char text[64];
    bool folded = false;

    (void)state;
    begin(&mock);
    for (unsigned i = 0; i < 200; i++) {
        snprintf(text, sizeof(text), "event=rebind peers=a*+x%u", i);
        mock_signal(&mock, "notice", 0, text);
    }
    assert_int_equal(mock.n_advice, 200);
    assert_int_equal(mock.causes, 64);
    for (size_t i = 0; i < mock.n_notices; i++)
        folded |= !strcmp(mock.notices[i].what, "exec-folded");
    assert_true(folded);
    mock_stop(&mock);
}

static void test_tell(void **state)
{
    struct mock mock;

    (void)state;
    begin(&mock);
    assert_string_equal(mock_tell(&mock, 0), "command has not started yet; no message so far");
    mock_signal(&mock, "command", 0, "text=runs,+pid+77");
    assert_string_equal(mock_tell(&mock, 0), "command runs, pid 77; no message so far");
    mock_signal(&mock, "notice", 0, "event=down peers=a*");
    mock_signal(&mock, "command", 0, "text=has+ended+with+status+1");
    mock_time(&mock, 12 * SECOND);
    assert_string_equal(mock_tell(&mock, 0),
                        "command has ended with status 1; a message matched this peer 2.0 s ago "
                        "(event down: polled only)");
    assert_string_equal(mock_tell(&mock, 1),
                        "command has ended with status 1; none of 1 messages matched this peer");
    mock_stop(&mock);
}

/* What comes from a recording may be anything. */
static void test_strange_signals(void **state)
{
    char longest[400];
    struct pd_field field = {"text", longest, 0};
    struct pd_signal signal = {.kind = "command", .fields = &field, .n_fields = 1};
    struct mock mock;

    (void)state;
    begin(&mock);
    mock_signal(&mock, "else", 0, "text=x");
    mock_signal(&mock, "command", 0, NULL);
    mock_signal(&mock, "command", 0, "text=7");
    assert_string_equal(mock_tell(&mock, 0), "command has not started yet; no message so far");
    for (size_t i = 0; i < sizeof(longest) - 1; i += 3)
        memcpy(longest + i, "✓", 3);
    longest[sizeof(longest) - 1] = '\0';
    mock_signal_fields(&mock, &signal);
    assert_true(strlen(mock_tell(&mock, 0)) < 200);
    assert_int_equal(mock.n_advice, 0);
    mock_stop(&mock);
}

static void test_bad_commands(void **state)
{
    static const struct {
        const char *options, *text;
    } rows[] = {
        {NULL, "command is missing: set it to the program to run, by its absolute path"},
        {"command=true", "command: the program is not an absolute path"},
        {"command=/bin/x+'a", "command: a ' has no second one"},
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        struct mock mock = {.turn.now_us = SECOND};

        assert_int_equal(mock_start(&mock, &pathdog_trigger_exec, rows[i].options), -EINVAL);
        assert_int_equal(mock.n_notices, 1);
        assert_string_equal(mock.notices[0].what, "bad-option");
        assert_string_equal(mock.notices[0].text, rows[i].text);
        mock_stop(&mock);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_messages),     cmocka_unit_test(test_a_flood_has_names_of_its_own),
        cmocka_unit_test(test_tell),         cmocka_unit_test(test_strange_signals),
        cmocka_unit_test(test_bad_commands),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
