/* SPDX-License-Identifier: Apache-2.0 */
/* plugins/route: what it compares with while a connection moves, and after that. */
#include "check.h"
#include "mock-kernel.h"

#include "util/util.h"

static void test_in_flight(void **state)
{
    struct mock mock;
    struct kernel kernel;

    kernel_begin(&mock, &kernel, "settle=0");
    kernel_peer_up(&mock, "a", NULL, "192.0.2.1:443");
    kernel_flip(&mock, UP1);
    mock.peers[0].in_flight = true;
    kernel_changed(&mock);
    assert_int_equal(mock.n_advice, 1);
    mock.peers[0].waits = true;
    kernel_flip(&mock, UP2); /* not what is being asked for: remembered by the engine */
    assert_int_equal(mock.n_advice, 2);
    kernel_flip(&mock, UP1); /* what is being asked for */
    assert_int_equal(mock.n_advice, 2);
    assert_int_equal(mock.peers[0].withdrawn, 1);
    kernel_flip(&mock, UP0); /* where it came from: it is leaving that */
    assert_int_equal(mock.n_advice, 3);
    kernel_migrated(&mock, 0, NULL); /* it is on up1 now; up0 was remembered */
    assert_int_equal(mock.n_advice, 3);
    mock.peers[0].waits = false;
    mock.peers[0].in_flight = true;
    kernel_migrated(&mock, 0, NULL);
    kernel_changed(&mock);
    assert_int_equal(mock.n_advice, 3);
    assert_int_equal(mock.peers[0].withdrawn, 1);
    kernel_flip(&mock, UP1);
    assert_int_equal(mock.n_advice, 4);
    mock_stop(&mock);
}

/* What is advised while a request is open, and does not wait, is asked for instead of that. */
static void test_asked_instead(void **state)
{
    struct mock mock;
    struct kernel kernel;

    kernel_begin(&mock, &kernel, "settle=0");
    kernel_peer_up(&mock, "a", NULL, "192.0.2.1:443");
    kernel_flip(&mock, UP1);
    mock.peers[0].in_flight = true;
    kernel_flip(&mock, UP2);
    kernel_flip(&mock, UP1); /* it is no more what is being asked for */
    assert_int_equal(mock.n_advice, 3);
    assert_string_equal(mock.advice[2].reason, "default route flip: up2 via 10.0.3.1 → "
                                               "up1 via 10.0.2.1");
    kernel_flip(&mock, UP0); /* where it came from: it is leaving that */
    assert_int_equal(mock.n_advice, 4);
    kernel_changed(&mock);
    assert_int_equal(mock.n_advice, 4);
    assert_int_equal(mock.peers[0].withdrawn, 0);
    kernel_migrated(&mock, 0, NULL); /* the last of them: it is on up0 */
    kernel_changed(&mock);
    assert_int_equal(mock.n_advice, 4);
    kernel_flip(&mock, UP1);
    assert_int_equal(mock.n_advice, 5);
    assert_string_equal(mock.advice[4].reason, "default route flip: up0 via 10.0.1.1 → "
                                               "up1 via 10.0.2.1");
    mock_stop(&mock);
}

/* A request was taken back, and had succeeded by then: the one that is open leaves that path. */
static void test_late_answer(void **state)
{
    struct mock mock;
    struct kernel kernel;

    kernel_begin(&mock, &kernel, "settle=0");
    kernel_peer_up(&mock, "a", NULL, "192.0.2.1:443");
    kernel_flip(&mock, UP1);
    mock.peers[0].in_flight = true;
    kernel_flip(&mock, UP2);
    mock_peer_change(&mock, 0, PD_PEER_MIGRATED); /* to up1 */
    kernel_answer_all(&mock);
    kernel_changed(&mock);
    assert_int_equal(mock.n_advice, 2);
    assert_int_equal(mock.peers[0].withdrawn, 0);
    kernel_migrated(&mock, 0, NULL); /* to up2 */
    kernel_changed(&mock);
    assert_int_equal(mock.n_advice, 2);
    kernel_flip(&mock, UP1);
    assert_int_equal(mock.n_advice, 3);
    assert_string_equal(mock.advice[2].reason, "default route flip: up2 via 10.0.3.1 → "
                                               "up1 via 10.0.2.1");
    mock_stop(&mock);
}

/* An operator had it moved to an interface: that is what it uses, whatever the routes say of
 * others, until the interface has no next hop or it is moved again. */
static void test_moved_to_an_interface(void **state)
{
    struct mock mock;
    struct kernel kernel;
    char reported[PD_SAVED_MAX], saved[PD_SAVED_MAX];
    struct pd_peer_event event;

    kernel_begin(&mock, &kernel, "settle=0");
    kernel.rules[0] = (struct rule){"interface=up1", UP1};
    kernel.rules[1] = (struct rule){"", UP0};
    kernel_peer_up(&mock, "a", "10.0.1.2:4000", "192.0.2.1:443");
    kernel.rules[1].answer = UP2;
    kernel_changed(&mock);
    assert_int_equal(mock.n_advice, 1);
    mock.peers[0].path.interface = "up1";
    kernel_migrated(&mock, 0, "10.0.2.2:4000");
    assert_int_equal(mock.peers[0].withdrawn, 1); /* what was advised before */
    (void)pathdog_trigger_route.tell(mock.turn.self, &mock.peers[0].peer, mock.peers[0].state,
                                     mock.turn.now_us, reported, sizeof(reported));
    assert_non_null(strstr(reported, "route in use: up1 via 10.0.2.1"));
    kernel.rules[0].answer = "oif=3 ifname=up1 source=10.0.2.2"; /* no route of its own any more */
    kernel.rules[1].answer = UP1; /* the default goes there, and back */
    kernel_changed(&mock);
    kernel.rules[1].answer = UP0;
    kernel_changed(&mock);
    assert_int_equal(mock.n_advice, 1);
    assert_true(pathdog_trigger_route.save(mock.turn.self, &mock.peers[0].peer, mock.peers[0].state,
                                           saved, sizeof(saved)) > 0);
    mock_peer_down(&mock, 0);
    mock.peers[0].path.interface = NULL;
    kernel_peer_up(&mock, "a", "10.0.2.2:4000", "192.0.2.1:443");
    event = (struct pd_peer_event){PD_PEER_UP, &mock.peers[0].peer, mock.peers[0].state};
    assert_int_equal(pathdog_trigger_route.restore(&mock.turn, &event, saved), 0); /* a restart */
    kernel_answer_all(&mock);
    kernel_changed(&mock);
    assert_int_equal(mock.n_advice, 1);
    kernel.rules[0].answer = "error=no-carrier";
    kernel_changed(&mock);
    assert_int_equal(mock.n_advice, 2);
    assert_non_null(strstr(mock.advice[mock.n_advice - 1].reason, "up1 → up0 via 10.0.1.1"));
    assert_int_equal(mock.n_notices, 0); /* there is a next hop */
    mock_stop(&mock);
}

/* Back by hand, after that: the route table's way is the one in use again. */
static void test_moved_back_from_an_interface(void **state)
{
    struct mock mock;
    struct kernel kernel;

    kernel_begin(&mock, &kernel, "settle=0");
    kernel.rules[0] = (struct rule){"interface=up1", UP1};
    kernel.rules[1] = (struct rule){"", UP0};
    kernel_peer_up(&mock, "a", "10.0.1.2:4000", "192.0.2.1:443");
    mock.peers[0].path.interface = "up1";
    kernel_migrated(&mock, 0, "10.0.2.2:4000");
    mock.peers[0].path.interface = NULL;
    kernel_migrated(&mock, 0, "10.0.1.2:4001");
    kernel_changed(&mock);
    assert_int_equal(mock.n_advice, 0);
    kernel.rules[1].answer = UP2;
    kernel_changed(&mock);
    assert_int_equal(mock.n_advice, 1);
    assert_non_null(
        strstr(mock.advice[mock.n_advice - 1].reason, "up0 via 10.0.1.1 → up2 via 10.0.3.1"));
    mock_stop(&mock);
}

static void test_migrated_compares_at_once(void **state)
{
    struct mock mock;
    struct kernel kernel;

    kernel_begin(&mock, &kernel, "settle=0");
    kernel_peer_up(&mock, "a", "10.0.1.2:4000", "192.0.2.1:443");
    kernel_flip(&mock, UP1);
    assert_int_equal(mock.n_advice, 1);
    kernel.rules[0].answer = UP2; /* the event is still on its next hop */
    kernel_migrated(&mock, 0, "10.0.2.2:4001");
    assert_int_equal(mock.n_advice, 2);
    assert_string_equal(mock.advice[1].reason,
                        "default route flip: up1 via 10.0.2.1 → up2 via 10.0.3.1");
    mock_stop(&mock);
}

static void test_old_source_going_after_a_move_is_nothing(void **state)
{
    struct mock mock;
    struct kernel kernel;

    kernel_begin(&mock, &kernel, "settle=0");
    /* Looked up with its own source, the kernel names that one on any next hop. */
    kernel.rules[0].answer = "oif=2 ifname=up0 gateway=10.0.1.1 source=10.0.1.2 prefix=default";
    kernel_peer_up(&mock, "a", "10.0.1.2:4000", "192.0.2.1:443");
    kernel_flip(&mock, "oif=3 ifname=up1 gateway=10.0.2.1 source=10.0.1.2 prefix=default");
    assert_int_equal(mock.n_advice, 1);
    kernel.rules[0].answer = UP1;
    kernel_migrated(&mock, 0, "10.0.2.2:4001");
    kernel.gone = "10.0.1.2";
    kernel_changed(&mock);
    assert_int_equal(mock.n_advice, 1);
    kernel.gone = "10.0.2.2";
    kernel_flip(&mock, "oif=3 ifname=up1 gateway=10.0.2.1 source=10.0.2.9 prefix=default");
    assert_int_equal(mock.n_advice, 2);
    mock_stop(&mock);
}

static void test_peer_path_sees_anew(void **state)
{
    struct mock mock;
    struct kernel kernel;

    kernel_begin(&mock, &kernel, "settle=0");
    kernel_peer_up(&mock, "a", "10.0.1.2:4000", "192.0.2.1:443");
    kernel_flip(&mock, UP1);
    assert_int_equal(mock.n_advice, 1);
    mock_peer_set(&mock, 0, "10.0.2.2:4000", "192.0.2.1:443"); /* it went by itself */
    mock_peer_change(&mock, 0, PD_PEER_PATH);
    kernel_answer_all(&mock);
    kernel_changed(&mock);
    assert_int_equal(mock.n_advice, 1);
    kernel_flip(&mock, UP0);
    assert_int_equal(mock.n_advice, 2);
    mock_stop(&mock);
}

static void test_a_new_peer_in_the_window(void **state)
{
    struct mock mock;
    struct kernel kernel;

    kernel_begin(&mock, &kernel, NULL);
    kernel_peer_up(&mock, "a", NULL, "192.0.2.1:443");
    kernel_flip(&mock, UP1);
    kernel_migrated(&mock, 0, NULL);
    mock_time(&mock, SECOND + 100 * MS);
    kernel_flip(&mock, UP2);
    kernel_peer_up(&mock, "b", NULL, "192.0.2.1:443"); /* dialled over up2 */
    assert_int_equal(mock.n_advice, 1);
    mock_time(&mock, 2 * SECOND);
    kernel_answer_all(&mock);
    assert_int_equal(mock.n_advice, 2);
    assert_int_equal(mock.advice[1].peer, 0);
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_in_flight),
        cmocka_unit_test(test_asked_instead),
        cmocka_unit_test(test_late_answer),
        cmocka_unit_test(test_moved_to_an_interface),
        cmocka_unit_test(test_moved_back_from_an_interface),
        cmocka_unit_test(test_migrated_compares_at_once),
        cmocka_unit_test(test_old_source_going_after_a_move_is_nothing),
        cmocka_unit_test(test_peer_path_sees_anew),
        cmocka_unit_test(test_a_new_peer_in_the_window),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
