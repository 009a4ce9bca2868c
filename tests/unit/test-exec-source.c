/* SPDX-License-Identifier: Apache-2.0 */
/* plugins/exec/source.c: what commands write, and how they start and end; with real ones. */
#include "exec-rig.h"

#include "exec/wire.h"

#include "util/clock.h"
#include "util/util.h"

#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_messages(void **state)
{
    struct exec_rig *rig = *state;

    rig_script(rig,
               "printf 'EVENT=up\\nTUNNEL=lo\\n\\nEVENT=rebind\\nPEERS=*@x\\nREASON=a b\\n\\n'\n"
               "exec sleep 1000");
    rig_wait(rig, rig->messages, "up|lo||\nrebind||*@x|a b\n");
    assert_int_equal(rig->n_messages, 2);
    assert_int_equal(rig->n_notices, 0);
    rig_wait(rig, rig->states, "runs, pid ");
}

/* It is told whose it is, and has nothing else of ours: neither variables nor descriptors. */
static void test_what_it_is_given(void **state)
{
    struct exec_rig *rig = *state;

    setenv("PATHDOG_SECRET", "x", 1);
    rig_script(rig, "echo EVENT=up\n"
                    "echo \"REASON=$PATHDOG_TRIGGER $PATHDOG_START $PATHDOG_SECRET. $HOME $LANG "
                    "$(pwd) $(ls -m /proc/self/fd) $(cat) $# $1 $2\"; echo; exec sleep 1000");
    rig_stop(rig);
    rig->values[EXEC_OPTION_COMMAND].text = NULL;
    {
        char command[160];

        snprintf(command, sizeof(command), "%s/command 'a b' c", rig->directory);
        rig_start(rig, command);
    }
    rig_wait(rig, rig->messages, "up|");
    unsetenv("PATHDOG_SECRET");
    assert_string_equal(rig->messages, "up|||exec:x 1 . / C.UTF-8 / 0, 1, 2, 3  2 a b c\n");
}

static void test_one_that_ends_is_started_again(void **state)
{
    struct exec_rig *rig = *state;

    rig_script(rig, "echo EVENT=up; echo REASON=$PATHDOG_START; echo; exit 3");
    rig_wait(rig, rig->notices, "exec-ended: ");
    rig_wait(rig, rig->messages, "up|||2\n");
    rig_wait(rig, rig->notices, "started again in 2 s");
    assert_non_null(strstr(rig->notices, " has ended with status 3 after "));
    assert_non_null(strstr(rig->notices, "started again in 1 s"));
    rig_wait(rig, rig->states, "has ended with status 3");
}

static void test_one_that_is_killed(void **state)
{
    struct exec_rig *rig = *state;

    rig_script(rig, "printf 'EVENT=up\\nPEERS=*'; kill -9 $$");
    rig_wait(rig, rig->notices, " was killed by signal 9 (Killed) after ");
    /* it may have wanted to write more */
    rig_wait(rig, rig->notices, "was ignored: the command ended within it");
    assert_int_equal(rig->n_messages, 0);
}

/* A run that ended well needs no empty line. */
static void test_the_last_message(void **state)
{
    struct exec_rig *rig = *state;

    rig->values[EXEC_OPTION_INTERVAL].number = RIG_SECOND;
    rig_script(rig, "echo EVENT=moved; printf PEERS=a");
    rig_wait(rig, rig->messages, "moved||a|\nmoved||a|\n"); /* and is run again */
    assert_int_equal(rig->n_notices, 0);
    assert_non_null(strstr(rig->states, "has ended well, and waits for its next run\n"));
}

static void test_cannot_be_started(void **state)
{
    struct exec_rig *rig = *state;
    static const struct {
        const char *command, *error;
    } rows[] = {
        {"/none/such x", "cannot start /none/such: "},
        {"/tmp", "cannot start /tmp: "},
        {"/usr", "cannot start /usr: Is a directory; tried again in 1 s"},
        {"/etc/passwd", "cannot start /etc/passwd: Permission denied; tried again in 1 s"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        rig_start(rig, rows[i].command);
        rig_wait(rig, rig->notices, rows[i].error);
        rig_stop(rig);
    }
    assert_non_null(strstr(rig->notices, "exec-failed: cannot start /none"));
    rig->config.helper = "/none/helper";
    rig_start(rig, "/bin/true");
    rig_wait(rig, rig->notices, "its helper /none/helper: No such file or directory");
    rig_wait(rig, rig->notices, "/none/helper: No such file or directory; tried again in 2 s");
}

static void test_no_interpreter(void **state)
{
    struct exec_rig *rig = *state;
    char path[128];
    FILE *file;

    snprintf(path, sizeof(path), "%s/command", rig->directory);
    file = fopen(path, "w");
    fputs("echo no first line\n", file);
    fchmod(fileno(file), 0755);
    fclose(file);
    rig_start(rig, path);
    rig_wait(rig, rig->notices, ": Exec format error; tried again in 1 s");
    rig_stop(rig);
    assert_int_equal(chmod(path, 0777), 0);
    rig_start(rig, path);
    rig_wait(rig, rig->notices, "may be written by others than its owner");
}

static void test_half_a_message(void **state)
{
    struct exec_rig *rig = *state;

    rig->config.open_us = RIG_SECOND / 5;
    rig_script(rig, "printf 'EVENT=up\\nTUNNEL=w'; " RIG_UNTIL_GO
                    "; printf 'g0\\n\\n'; exec sleep 1000");
    rig_wait(rig, rig->notices, "has not ended it: an empty line ends a message");
    assert_int_equal(rig->n_messages, 0);
    rig_go(rig);
    rig_wait(rig, rig->messages, "up|wg0||\n"); /* it is only reported */
    assert_int_equal(rig->n_notices, 1);
}

static void test_one_that_says_nothing(void **state)
{
    struct exec_rig *rig = *state;
    uint64_t stopped_us;

    rig->values[EXEC_OPTION_TIMEOUT].number = 3 * RIG_SECOND;
    rig_script(rig,
               "trap 'exit 0' TERM; for i in 1 2 3 4 5 6 7 8 9 10 11; do echo; sleep 0.3; done\n"
               "echo alive >&2; while :; do sleep 0.1; done");
    rig_wait(rig, rig->notices, "exec-stderr: ");
    assert_null(strstr(rig->notices, "exec-stuck")); /* an empty line is a sign of life */
    rig_wait(rig, rig->notices, "exec-stuck: ");
    assert_non_null(strstr(rig->notices, " wrote nothing for 3 s (its timeout): it is stopped"));
    stopped_us = rig->source->stuck_at_us - rig->config.stop_us;
    rig_wait(rig, rig->states, "is being stopped\n");
    while (rig->source->runner.running)
        rig_run(rig, 1000);
    /* where it got no time within its second, it was killed */
    if (!strstr(rig->states, "is being stopped\nhas ended with status 0\n"))
        assert_true(clock_us(CLOCK_MONOTONIC) - stopped_us >= HELPER_GRACE_US);
    assert_null(strstr(rig->notices, "exec-ended")); /* said once is enough */
}

static void test_one_that_closes_its_output(void **state)
{
    struct exec_rig *rig = *state;

    rig->config.closed_us = RIG_SECOND / 5;
    rig_script(rig, "exec >/dev/null; exec sleep 1000");
    rig_wait(rig, rig->notices, "exec-stuck: ");
    assert_non_null(strstr(rig->notices, " closed its standard output and goes on: it is stopped"));
    rig_wait(rig, rig->states, "was killed by signal 15 (Terminated)\n");
}

static void test_what_is_no_message(void **state)
{
    struct exec_rig *rig = *state;

    rig_script(rig, "printf 'a\\0b\\n\\n\\377\\n\\nhello\\n\\nEVENT=explode\\n\\n'\n"
                    "head -c 1000000 /dev/zero | tr '\\0' x; printf '\\n\\nEVENT=up\\n\\n'\n"
                    "exec sleep 1000");
    rig_wait(rig, rig->messages, "up|||\n");
    assert_int_equal(rig->n_notices, 5);
    assert_non_null(strstr(rig->notices, "bad-notice: a message from "));
    assert_non_null(strstr(rig->notices, "was ignored: a line has no ="));
    assert_non_null(strstr(rig->notices, "was ignored: unknown EVENT"));
    assert_non_null(strstr(rig->notices, "was ignored: the message is longer than 4096 bytes"));
}

static void test_standard_error(void **state)
{
    struct exec_rig *rig = *state;

    rig_script(rig, "exec >&2; printf 'one\\n\\ntwo \\033[1m\\0\\377\\n'\n"
                    "head -c 5000 /dev/zero | tr '\\0' x; echo; echo EVENT=up; echo\n"
                    "printf 'no end'; exit 1");
    rig_wait(rig, rig->notices, "exec-ended");
    assert_non_null(strstr(rig->notices, "/command: one\n"));
    assert_non_null(strstr(rig->notices, "/command: two \\x1b[1m\\x00\\xff\n"));
    assert_non_null(strstr(rig->notices, "xxxx...\n"));
    assert_non_null(strstr(rig->notices, "/command: no end\n"));
    assert_int_equal(rig->n_messages, 0);
}

static void test_many_lines_of_standard_error(void **state)
{
    struct exec_rig *rig = *state;
    unsigned n = 0;

    rig_script(rig, "i=0; while [ $i -lt 500 ]; do echo line $i >&2; i=$((i + 1)); done\n"
                    "echo EVENT=up; echo; exec sleep 1000");
    rig_wait(rig, rig->messages, "up|||\n");
    /* Standard error is a pipe of its own: its lines may come later. */
    for (int i = 0; i < 600 && rig->source->limits.lines_left_out < 500 - LIMITS_LINES; i++)
        rig_run(rig, 100000);
    assert_int_equal(rig->source->limits.lines_left_out, 500 - LIMITS_LINES);
    for (const char *at = rig->notices; (at = strstr(at, "exec-stderr")); at++)
        n++;
    assert_int_equal(n, LIMITS_LINES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_messages, rig_begin, rig_end),
        cmocka_unit_test_setup_teardown(test_what_it_is_given, rig_begin, rig_end),
        cmocka_unit_test_setup_teardown(test_one_that_ends_is_started_again, rig_begin, rig_end),
        cmocka_unit_test_setup_teardown(test_one_that_is_killed, rig_begin, rig_end),
        cmocka_unit_test_setup_teardown(test_the_last_message, rig_begin, rig_end),
        cmocka_unit_test_setup_teardown(test_cannot_be_started, rig_begin, rig_end),
        cmocka_unit_test_setup_teardown(test_no_interpreter, rig_begin, rig_end),
        cmocka_unit_test_setup_teardown(test_half_a_message, rig_begin, rig_end),
        cmocka_unit_test_setup_teardown(test_one_that_says_nothing, rig_begin, rig_end),
        cmocka_unit_test_setup_teardown(test_one_that_closes_its_output, rig_begin, rig_end),
        cmocka_unit_test_setup_teardown(test_what_is_no_message, rig_begin, rig_end),
        cmocka_unit_test_setup_teardown(test_standard_error, rig_begin, rig_end),
        cmocka_unit_test_setup_teardown(test_many_lines_of_standard_error, rig_begin, rig_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
