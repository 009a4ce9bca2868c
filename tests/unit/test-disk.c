/* SPDX-License-Identifier: Apache-2.0 */
/* watchdog/util/disk.c: calls that never come back hold up nobody but themselves. */
#include "check.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "util/clock.h"
#include "util/disk.h"

struct seen {
    int fds[2];
    bool kept, other;
    pid_t pid;
};

static int look(void *user)
{
    struct seen *seen = user;

    seen->pid = getpid();
    seen->kept = fcntl(seen->fds[1], F_GETFD) >= 0;
    seen->other = fcntl(seen->fds[0], F_GETFD) >= 0 || fcntl(0, F_GETFD) >= 0;
    errno = EXDEV;
    return -17;
}

static void test_result_and_descriptors(void **state)
{
    struct seen seen = {0};

    assert_int_equal(pipe2(seen.fds, O_CLOEXEC), 0);
    assert_int_equal(disk_call(look, &seen, seen.fds[1]), -17);
    assert_int_not_equal(seen.pid, getpid());
    assert_true(seen.kept);
    assert_false(seen.other);
    assert_true(fcntl(seen.fds[0], F_GETFD) >= 0); /* here nothing is closed */
    assert_int_equal(disk_call(look, &seen, -1), -17);
    assert_false(seen.kept);
    assert_int_equal(waitpid(-1, NULL, __WALL), -1); /* no child is left */
    close(seen.fds[0]);
    close(seen.fds[1]);
}

/* As a write to a frozen file system. */
static int hang(void *user)
{
    volatile pid_t *pid = user;

    *pid = getpid();
    for (;;)
        pause();
    return 0;
}

static void *hang_run(void *user)
{
    (void)disk_call(hang, user, -1);
    return NULL;
}

static void test_process_ends(void **state)
{
    volatile pid_t *left =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    pid_t pid = fork();
    int status;

    if (!pid) {
        pthread_t thread;

        pthread_create(&thread, NULL, hang_run, (void *)left);
        while (!*left)
            usleep(1000);
        _exit(3);
    }
    alarm(60); /* else this would wait for ever */
    assert_int_equal(waitpid(pid, &status, 0), pid);
    alarm(0);
    assert_int_equal(WEXITSTATUS(status), 3);
    assert_int_equal(kill(*left, SIGKILL), 0); /* it was there still */
}

static void test_last_words(void **state)
{
    int fds[2], before = dup(STDERR_FILENO);
    char text[64] = "";
    uint64_t began_us;
    bool said, again;

    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    dup2(fds[1], STDERR_FILENO);
    said = stderr_say("farewell\n", 10000000);
    assert_true(fcntl(fds[1], F_SETPIPE_SZ, 4096) >= 0);
    (void)!read(fds[0], text, sizeof(text) - 1);
    assert_int_equal(write(fds[1], (char[4096]){0}, 4096), 4096); /* full, and nobody reads */
    began_us = clock_us(CLOCK_MONOTONIC);
    again = stderr_say("farewell\n", 50000);
    dup2(before, STDERR_FILENO);
    assert_true(said);
    assert_string_equal(text, "farewell\n");
    assert_false(again);
    assert_true(clock_us(CLOCK_MONOTONIC) - began_us < 30000000);
    while (read(fds[0], (char[4096]){0}, 4096) == 4096)
        ; /* so that the thread ends */
    close(before);
    close(fds[0]);
    close(fds[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_result_and_descriptors),
        cmocka_unit_test(test_process_ends),
        cmocka_unit_test(test_last_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
