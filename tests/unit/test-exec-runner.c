/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plugins/exec/runner.c and the helper: that a command runs without privileges, that one that must
 * be stopped is, and that nothing of it is left. Most of it by way of the source, which is how it
 * is used.
 */
#include "exec-rig.h"

#include "exec/wire.h"

#include "util/clock.h"
#include "util/util.h"

#include <errno.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#define FAMILY                                                                                     \
    "echo pid=$$ >&2\n(trap '' TERM; while :; do sleep 1; done) & echo pid=$! >&2\n"               \
    "setsid sh -c 'trap \"\" TERM HUP; echo pid=$$ >&2; while :; do sleep 1; done' &\n"            \
    "(setsid sh -c 'sleep 1000 & echo pid=$! >&2' &)\n"

static void wait_family(struct exec_rig *rig, int pids[4])
{
    while (rig_numbers(rig->notices, "pid=", pids, 4) < 4)
        assert_true(sd_event_run(rig->host.loop, 100000) >= 0);
    for (int i = 0; i < 4; i++)
        assert_int_equal(kill(pids[i], 0), 0);
}

static void assert_family_gone(const int pids[4])
{
    for (int i = 0; i < 4; i++)
        rig_wait_gone(pids[i]);
}

/* The parent of the command. */
static int helper_of(int pid)
{
    char path[64], text[512];
    FILE *file;
    int parent = 0;

    snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    file = fopen(path, "r");
    assert_non_null(file);
    assert_non_null(fgets(text, sizeof(text), file));
    fclose(file);
    assert_int_equal(sscanf(strrchr(text, ')') + 3, "%d", &parent), 1);
    return parent;
}

/* Closing does not wait, and nothing is left nevertheless: neither what ignores SIGTERM, nor what
 * has left its group and its session. */
static void test_closed(void **state)
{
    struct exec_rig *rig = *state;
    int pids[4], helper;

    rig_script(rig, "trap '' TERM\n" FAMILY "while :; do sleep 1; done");
    wait_family(rig, pids);
    helper = helper_of(rig->source->pid);
    assert_int_equal(kill(helper, SIGSTOP), 0); /* whoever waits for it waits for ever */
    exec_source_free(rig->source);
    rig->source = NULL;
    for (int i = 0; i < 4; i++)
        assert_int_equal(kill(pids[i], 0), 0);
    assert_int_equal(kill(helper, SIGCONT), 0);
    assert_family_gone(pids);
}

/* It has a second to clean up, also where pathdog's end of the socket is closed at once. */
static void test_closed_gently(void **state)
{
    struct exec_rig *rig = *state;
    char path[128], script[512], said[16] = "";
    FILE *file;

    snprintf(path, sizeof(path), "%s/said", rig->directory);
    file = fopen(path, "w");
    assert_non_null(file);
    assert_int_equal(fchmod(fileno(file), 0666), 0); /* the command may be another user's */
    fclose(file);
    snprintf(script, sizeof(script),
             "trap 'sleep 0.1; echo bye >%s; exit 0' TERM; echo EVENT=up; echo\n"
             "while :; do sleep 0.05; done",
             path);
    /* Where it got no time within its second that is over, and it may try again. */
    for (unsigned i = 0; i < 20 && !*said; i++) {
        uint64_t begin_us;

        rig->messages[0] = '\0';
        rig_script(rig, script);
        rig_wait(rig, rig->messages, "up");
        begin_us = clock_us(CLOCK_MONOTONIC);
        rig_stop(rig);
        file = fopen(path, "r");
        assert_non_null(file);
        assert_true(fgets(said, sizeof(said), file) ||
                    clock_us(CLOCK_MONOTONIC) - begin_us >= HELPER_GRACE_US);
        fclose(file);
    }
    assert_string_equal(said, "bye\n");
    assert_int_equal(unlink(path), 0);
}

static void test_what_it_leaves_is_killed(void **state)
{
    struct exec_rig *rig = *state;
    int pids[4];

    rig_script(rig, FAMILY RIG_UNTIL_GO "; exit 0");
    wait_family(rig, pids);
    rig_go(rig);
    rig_wait(rig, rig->notices, " has ended with status 0 after ");
    assert_non_null(strstr(rig->notices, ", and has left processes, of which "));
    assert_family_gone(pids);
}

static void test_it_forks_without_end(void **state)
{
    struct exec_rig *rig = *state;

    rig_script(rig, "trap '' TERM; n=0\n"
                    "f() { [ $1 -gt 60 ] || { f $(($1 + 1)) & sleep 1000; }; }\n"
                    "f 0 & echo EVENT=up; echo; while :; do sleep 0.01 & wait $!; done");
    rig_wait(rig, rig->messages, "up");
    rig_run(rig, RIG_SECOND / 5);
    rig_stop(rig);
}

static void test_its_helper_is_killed(void **state)
{
    struct exec_rig *rig = *state;
    int pid;

    rig_script(rig, "echo EVENT=up; echo; exec sleep 1000");
    rig_wait(rig, rig->messages, "up");
    pid = rig->source->pid;
    assert_int_equal(kill(helper_of(pid), SIGKILL), 0);
    rig_wait(rig, rig->notices, " has ended with its helper, which was killed after ");
    rig_wait_gone(pid);
    rig_wait(rig, rig->messages, "up|||\nup|||\n"); /* and it is started again */
}

static void test_its_helper_is_ended(void **state)
{
    struct exec_rig *rig = *state;
    int pid;

    rig_script(rig, "trap '' TERM; echo EVENT=up; echo; while :; do sleep 1; done");
    rig_wait(rig, rig->messages, "up");
    pid = rig->source->pid;
    assert_int_equal(kill(helper_of(pid), SIGTERM), 0);
    rig_wait(rig, rig->notices, " was killed by signal 9 (Killed) after ");
    rig_wait_gone(pid);
}

/* How often it was stopped, and once more. */
static unsigned runs(const struct exec_rig *rig)
{
    static const char stopped[] = "is being stopped";
    unsigned n = 1;

    for (const char *at = rig->states; (at = strstr(at, stopped)); at += strlen(stopped))
        n++;
    return n;
}

static void test_floods(void **state)
{
    struct exec_rig *rig = *state;
    unsigned n;
    static const struct {
        const char *script, *said;
    } rows[] = {
        {"cat /dev/zero", "exec-flood: "},
        {"cat /dev/zero >&2", " wrote more than 1 MiB within 10 s: it is stopped"},
        {"trap '' TERM; while :; do echo EVENT=up; echo; done",
         " wrote more than 200 messages within 10 s: it is stopped"},
        {"while :; do echo x; echo; done", " wrote more than 200 messages within 10 s"},
    };

    for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
        rig_script(rig, rows[i].script);
        rig_wait(rig, rig->notices, rows[i].said);
        rig_wait(rig, rig->states, "is being stopped\nwas killed by signal ");
        /* of each run: where this process gets no time it has been started again already */
        n = runs(rig);
        assert_true(rig->n_messages <= n * LIMITS_MESSAGES &&
                    rig->n_notices <= n * (LIMITS_MESSAGES + 2 + LIMITS_LINES));
        rig_stop(rig);
        rig->notices[0] = rig->states[0] = rig->messages[0] = '\0';
        rig->n_messages = rig->n_notices = 0;
    }
}

/* ---- whom it runs as ---- */

static void test_without_privileges(void **state)
{
    struct exec_rig *rig = *state;
    char wanted[256];

    rig_script(rig,
               "echo EVENT=up\n"
               "echo \"REASON=$(id -u) $(id -G) $(grep -E 'NoNewPrivs|CapEff|CapPrm|SigIgn|SigBlk' "
               "/proc/self/status | sed -E '/SigIgn/s/0{7}[01][08]0{7}$/0000000000000000/' | cut "
               "-f2 | tr '\\n' ' ')\"; "
               "echo; exec sleep 1000");
    /* Signals 32 and 33 are the C library's own and cannot be set by it; make ignores them. */
    rig_wait(rig, rig->messages, "up|");
    if (geteuid() == 0) {
        snprintf(wanted, sizeof(wanted), "up|||65534 65534 %016x %016x %016x %016x 1 \n", 0, 0, 0,
                 0);
        /* the order of /proc/self/status: SigBlk SigIgn CapPrm CapEff NoNewPrivs */
        assert_string_equal(rig->messages, wanted);
    } else {
        snprintf(wanted, sizeof(wanted), "up|||%u ", geteuid());
        assert_memory_equal(rig->messages, wanted, strlen(wanted));
        assert_non_null(strstr(rig->messages, " 1 \n"));
    }
    assert_int_equal(getpgid(rig->source->pid), rig->source->pid); /* a group of its own, */
    assert_int_not_equal(getsid(rig->source->pid), getsid(0));     /* in another session */
}

static void test_another_user(void **state)
{
    struct exec_rig *rig = *state;

    rig->values[EXEC_OPTION_USER] = (struct pd_value){.text = "no-such-user", .given = true};
    rig_start(rig, "/bin/true");
    rig_wait(rig, rig->notices, "cannot start /bin/true: there is no user no-such-user;");
    rig_stop(rig);
    rig->values[EXEC_OPTION_USER].text = "root";
    rig_start(rig, "/bin/true");
    rig_wait(rig, rig->notices, "it may not run as root: never as root");
    rig_stop(rig);
    if (geteuid() != 0)
        skip();
    rig->values[EXEC_OPTION_USER].text = "daemon";
    rig_script(rig, "echo EVENT=up; echo \"REASON=$(id -un) $(id -Gn)\"; echo; exec sleep 1000");
    rig_wait(rig, rig->messages, "up|||daemon daemon\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_closed, rig_begin, rig_end),
        cmocka_unit_test_setup_teardown(test_closed_gently, rig_begin, rig_end),
        cmocka_unit_test_setup_teardown(test_what_it_leaves_is_killed, rig_begin, rig_end),
        cmocka_unit_test_setup_teardown(test_it_forks_without_end, rig_begin, rig_end),
        cmocka_unit_test_setup_teardown(test_its_helper_is_killed, rig_begin, rig_end),
        cmocka_unit_test_setup_teardown(test_its_helper_is_ended, rig_begin, rig_end),
        cmocka_unit_test_setup_teardown(test_floods, rig_begin, rig_end),
        cmocka_unit_test_setup_teardown(test_without_privileges, rig_begin, rig_end),
        cmocka_unit_test_setup_teardown(test_another_user, rig_begin, rig_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
