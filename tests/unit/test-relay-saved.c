/* SPDX-License-Identifier: Apache-2.0 */
/* plugins/relay, its policy: what is kept of a connection, and what is told of it. */
#include "relay-policy-rig.h"

#include "util/util.h"

static void restore_into(struct mock *mock, const char *via, const char *text, int expected)
{
    uint32_t peer = mock_peer_up(mock, "restored", NULL, NULL);
    struct pd_peer_event event = {.change = PD_PEER_UP};

    if (via)
        mock_peer_via(mock, peer, via);
    event.peer = &mock->peers[peer].peer;
    event.state = mock->peers[peer].state;
    assert_int_equal(pathdog_trigger_relay.restore(&mock->turn, &event, text), expected);
}

static void test_save_and_restore(void **state)
{
    static const char *const bad[] = {"",
                                      "silence",
                                      "silence ",
                                      "silence pinned",
                                      "odd pinned -",
                                      "silence odd -",
                                      "silence pinned x",
                                      "silence pinned 0.0.0.0:1",
                                      "silence pinned 1.2.3.4:0",
                                      "silencepinned - -"};
    struct mock mock;
    char text[PD_SAVED_MAX];
    uint32_t peer;

    begin(&mock, OPTIONS);
    peer = add(&mock, "bravo");
    assert_int_equal(pathdog_trigger_relay.save(mock.turn.self, &mock.peers[peer].peer,
                                                mock.peers[peer].state, text, sizeof(text)),
                     0);
    mock_peer_via(&mock, peer, "a");
    mock_migrated(&mock, peer, "a", true);
    assert_true(pathdog_trigger_relay.save(mock.turn.self, &mock.peers[peer].peer,
                                           mock.peers[peer].state, text, sizeof(text)) > 0);
    assert_string_equal(text, "operator pinned " DIRECT);
    restore_into(&mock, "a", "silence pinned " DIRECT, 0);
    assert_string_equal(mock_tell(&mock, 1), "on relay a (silence), 0 of 3 misses; pinned: it does "
                                             "not go back by itself");
    restore_into(&mock, "a", "node free " DIRECT, 0);
    assert_non_null(strstr(mock_tell(&mock, 2), "the direct path answered 0 of 3"));
    restore_into(&mock, NULL, "silence pinned -", 0); /* it went back meanwhile */
    assert_non_null(strstr(mock_tell(&mock, 3), "direct, nothing sent"));
    for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
        restore_into(&mock, "a", bad[i], -22);
    mock_stop(&mock);
}

static void test_told_of_connections(void **state)
{
    struct pd_relayed_report told = {0};
    struct mock mock;
    uint32_t peer;

    begin(&mock, OPTIONS);
    peer = add(&mock, "bravo");
    assert_false(pathdog_trigger_relay.tell_relayed(mock.turn.self, &mock.peers[peer].peer,
                                                    mock.peers[peer].state, &told));
    assert_non_null(strstr(mock_tell(&mock, peer), "it would go over relay c (by the key)"));
    mock_migrated(&mock, peer, "c", true);
    mock_peer_via(&mock, peer, "c");
    assert_true(pathdog_trigger_relay.tell_relayed(mock.turn.self, &mock.peers[peer].peer,
                                                   mock.peers[peer].state, &told));
    assert_true(told.pinned);
    assert_string_equal(told.rule, "operator");
    mock_stop(&mock);
}

static void test_state_of_a_connection_is_small(void **state)
{
    assert_true(pathdog_trigger_relay.peer_size <= 56);
    assert_true(pathdog_trigger_relay.instance_size < 256 * 1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_save_and_restore),
        cmocka_unit_test(test_told_of_connections),
        cmocka_unit_test(test_state_of_a_connection_is_small),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
