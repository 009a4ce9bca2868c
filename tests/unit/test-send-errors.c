/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plugins/send-errors.c: when it is enough, once only, and what it tells.
 */
#include "check.h"

#include <pathdog/mock-host.h>

extern const struct pd_trigger pathdog_trigger_send_errors;

static void errors(struct mock *mock, uint64_t number)
{
    struct pd_row row = mock_row();

    row.v[PD_SEND_ERRORS] = number;
    mock_sample(mock, 0, &row, false);
}

static void check_tells(struct mock *mock, const char *wanted)
{
    char text[PD_SAVED_MAX];
    int n = pathdog_trigger_send_errors.tell(mock->turn.self, &mock->peers[0].peer,
                                             mock->peers[0].state, mock->turn.now_us, text,
                                             sizeof(text));

    assert_string_equal(text, wanted);
    assert_int_equal(n, strlen(wanted));
}

static void begin(struct mock *mock)
{
    *mock = (struct mock){.turn.now_us = 1};
    assert_int_equal(mock_start(mock, &pathdog_trigger_send_errors, NULL), 0);
    mock_peer_up(mock, "bravo", NULL, NULL);
}

static void test_once_until_it_was_none(void **state)
{
    struct mock mock;

    begin(&mock);
    errors(&mock, 2);
    assert_int_equal(mock.n_advice, 0);
    errors(&mock, 3);
    assert_int_equal(mock.n_advice, 1);
    assert_int_equal(mock.advice[0].kind, PD_KIND_DEAD);
    assert_string_equal(mock.advice[0].reason, "3 send errors in a row");
    assert_string_equal(mock.advice[0].evidence, "send_errors=3");
    errors(&mock, 4);
    errors(&mock, PD_UNKNOWN);
    errors(&mock, 1);
    errors(&mock, 7);
    assert_int_equal(mock.n_advice, 1);
    errors(&mock, 0);
    errors(&mock, 3);
    assert_int_equal(mock.n_advice, 2);
    mock_stop(&mock);
}

static void test_what_it_tells(void **state)
{
    struct mock mock;

    begin(&mock);
    check_tells(&mock, "the node has not reported send_errors of this peer");
    errors(&mock, PD_UNKNOWN);
    check_tells(&mock, "the node has not reported send_errors of this peer");
    errors(&mock, 2);
    check_tells(&mock, "2 of 3 send errors in a row");
    errors(&mock, 5);
    errors(&mock, PD_UNKNOWN);
    check_tells(&mock, "5 of 3 send errors in a row; advised, not again before the count is 0");
    errors(&mock, 0);
    check_tells(&mock, "0 of 3 send errors in a row");
    errors(&mock, (uint64_t)1 << 40);
    check_tells(&mock,
                "1073741823 of 3 send errors in a row; advised, not again before the count is 0");
    mock_stop(&mock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_once_until_it_was_none),
        cmocka_unit_test(test_what_it_tells),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
