/* SPDX-License-Identifier: Apache-2.0 */
/* log.[ch]: a standard error that nobody reads holds nobody up, and what it lost is told. */
#include "log.h"

#include "../../tests/unit/check.h"

#include <fcntl.h>
#include <string.h>
#include <syslog.h>
#include <unistd.h>

static void test_what_was_lost_is_told(void **state)
{
    struct log log = {.kind = LOG_TEXT};
    static char text[1 << 20];
    const char *end = "udp-relay: standard error was not read: 7 lines are lost\nudp-relay: last\n";
    int ends[2], before = dup(STDERR_FILENO);
    ssize_t n, length;

    (void)state;
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    assert_true(dup2(ends[1], STDERR_FILENO) >= 0);
    while (!log.lost)
        log_line(&log, LOG_INFO, "a line");
    for (int i = 0; i < 6; i++)
        log_line(&log, LOG_INFO, "another");
    length = read(ends[0], text, sizeof(text));
    log_line(&log, LOG_INFO, "last");
    n = read(ends[0], text + length, sizeof(text) - 1 - (size_t)length);
    assert_true(dup2(before, STDERR_FILENO) >= 0);
    close(before);
    close(ends[0]);
    close(ends[1]);
    assert_true(length > 0 && n > 0);
    text[length + n] = '\0';
    assert_null(strstr(text, "another"));
    assert_string_equal(text + length, end);
    assert_int_equal(log.lost, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_was_lost_is_told),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
