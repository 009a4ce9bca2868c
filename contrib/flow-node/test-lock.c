/* SPDX-License-Identifier: Apache-2.0 */
/* lock.[ch]: a second flow-node is refused, and whoever else takes the address is not one. */
#include "lock.h"

#include "../../tests/unit/check.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

static struct log text = {.kind = LOG_TEXT};

static int address_take(bool listens)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX, .sun_path = "\0flow-node"};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_true(fd >= 0);
    assert_int_equal(bind(fd, (struct sockaddr *)(void *)&name,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 10)),
                     0);
    if (listens)
        assert_int_equal(listen(fd, 1), 0);
    return fd;
}

static void test_only_one(void **state)
{
    char error[128] = "";
    int one, two;

    (void)state;
    assert_int_equal(lock_take(&text, &one, error, sizeof(error)), 0);
    assert_true(one >= 0);
    for (int i = 0; i < 4; i++) { /* also where others wait there */
        assert_int_equal(lock_take(&text, &two, error, sizeof(error)), -EADDRINUSE);
        assert_int_equal(two, -1);
        assert_string_equal(error, "another flow-node runs in this network namespace");
    }
    close(one);
    assert_int_equal(lock_take(&text, &two, error, sizeof(error)), 0);
    close(two);
}

static void test_who_does_not_listen(void **state)
{
    char error[128] = "";
    int fd = address_take(false), one;

    (void)state;
    assert_int_equal(lock_take(&text, &one, error, sizeof(error)), 0);
    assert_int_equal(one, -1);
    close(fd);
}

/* A user who is logged in listens there. */
static void test_a_user(void **state)
{
    int ready[2], status;
    char byte, error[128] = "";
    pid_t pid;
    int one;

    (void)state;
    if (geteuid() != 0)
        skip();
    assert_int_equal(pipe(ready), 0);
    pid = fork();
    if (pid == 0) {
        close(ready[0]);
        if (setresuid(12345, 12345, 12345) == 0) {
            (void)address_take(true);
            (void)!write(ready[1], "x", 1);
        }
        pause();
        _exit(0);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(lock_take(&text, &one, error, sizeof(error)), 0);
    assert_int_equal(one, -1);
    kill(pid, SIGKILL);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    close(ready[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_only_one),
        cmocka_unit_test(test_who_does_not_listen),
        cmocka_unit_test(test_a_user),
    };

    /* A flow-node may run here; of no user but root this is not possible, and not needed. */
    (void)unshare(CLONE_NEWNET);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
